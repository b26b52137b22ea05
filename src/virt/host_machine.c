// SPDX-License-Identifier: GPL-3.0-or-later
// The host itself. Every source is a row: its file, how to read it, the facts it gives. Facts that
// a source does not tell are written as NaN each time, so that none grows stale unseen.
#include "host_machine.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/number.h"
#include "host_devices.h"
#include "host_file.h"
#include "host_parse.h"
#include "host_turn.h"

#define CPUS_MAX 8192
#define KIB 1024.0

struct keyed_fact {
    struct keyed keyed;
    enum fact fact;
};

static const struct keyed_fact meminfo_facts[] = {
    {{"MemTotal", KIB}, FACT_HOST_MEM_TOTAL},
    {{"MemFree", KIB}, FACT_HOST_MEM_FREE},
    {{"MemAvailable", KIB}, FACT_HOST_MEM_AVAILABLE},
    {{"Buffers", KIB}, FACT_HOST_MEM_BUFFERS},
    {{"Cached", KIB}, FACT_HOST_MEM_CACHED},
    {{"SwapTotal", KIB}, FACT_HOST_SWAP_TOTAL},
    {{"SwapFree", KIB}, FACT_HOST_SWAP_FREE},
    {{"Dirty", KIB}, FACT_HOST_MEM_DIRTY},
    {{"Shmem", KIB}, FACT_HOST_MEM_SHMEM},
    {{"Slab", KIB}, FACT_HOST_MEM_SLAB},
    {{"Committed_AS", KIB}, FACT_HOST_MEM_COMMITTED},
    {{"AnonHugePages", KIB}, FACT_HOST_MEM_ANON_HUGE},
};

static const struct keyed_fact vmstat_facts[] = {
    {{"pswpin"}, FACT_HOST_SWAP_IN},
    {{"pswpout"}, FACT_HOST_SWAP_OUT},
    {{"oom_kill"}, FACT_HOST_OOM_KILLS},
};

static const struct keyed_fact stat_facts[] = {
    {{"ctxt"}, FACT_HOST_CONTEXT_SWITCHES},
    {{"btime"}, FACT_HOST_BOOT_TIME},
    {{"processes"}, FACT_HOST_FORKS},
    {{"procs_running"}, FACT_HOST_PROCS_RUNNING},
    {{"procs_blocked"}, FACT_HOST_PROCS_BLOCKED},
};

#define KEYED_MAX 12

static const struct {
    const char *path;
    enum fact fact;
} single_numbers[] = {
    {"sys/kernel/mm/ksm/run", FACT_HOST_KSM_RUN},
    {"sys/kernel/mm/ksm/pages_shared", FACT_HOST_KSM_SHARED},
    {"sys/kernel/mm/ksm/pages_sharing", FACT_HOST_KSM_SHARING},
    {"sys/kernel/mm/ksm/pages_unshared", FACT_HOST_KSM_UNSHARED},
    {"sys/kernel/mm/ksm/pages_volatile", FACT_HOST_KSM_VOLATILE},
    {"sys/kernel/mm/ksm/full_scans", FACT_HOST_KSM_SCANS},
};

static const struct {
    const char *path;
    enum fact some, full;
} pressures[] = {
    {"proc/pressure/cpu", FACT_HOST_PSI_CPU_SOME, FACT_HOST_PSI_CPU_FULL},
    {"proc/pressure/memory", FACT_HOST_PSI_MEM_SOME, FACT_HOST_PSI_MEM_FULL},
    {"proc/pressure/io", FACT_HOST_PSI_IO_SOME, FACT_HOST_PSI_IO_FULL},
};

struct cpu {
    uint32_t id;
    char key[12];
    uint64_t highest[CPU_COLUMNS]; // of the columns as told: idle and iowait may step back
};

struct machine {
    int root;
    bool named; // its names were told since the last scan
    double tick_ns;
    double boot_time;
    struct kept stat, meminfo, vmstat, loadavg;
    struct turns turns; // of vmstat, KSM
    int64_t detail_ns;
    const char *vmstat_lacks; // a line, when it was read last
    bool rescanned;           // read all again
    struct kept numbers[ARRAY_LEN(single_numbers)];
    struct kept pressure[ARRAY_LEN(pressures)];
    struct cpu *cpus;
    size_t n_cpus, cap_cpus;
    struct devices devices;
};

struct machine *machine_new(int root, int64_t detail_ns)
{
    struct machine *m = mem_zalloc(sizeof(*m));
    const struct kept init = KEPT_INIT;
    m->root = root;
    devices_init(&m->devices, root, detail_ns);
    m->detail_ns = detail_ns;
    m->tick_ns = (double)NS_PER_S / (double)sysconf(_SC_CLK_TCK);
    m->boot_time = NAN;
    m->stat = m->meminfo = m->vmstat = m->loadavg = init;
    for (size_t i = 0; i < ARRAY_LEN(m->numbers); i++)
        m->numbers[i] = init;
    for (size_t i = 0; i < ARRAY_LEN(m->pressure); i++)
        m->pressure[i] = init;
    return m;
}

void machine_free(struct machine *m)
{
    if (!m)
        return;
    struct kept *files[] = {&m->stat, &m->meminfo, &m->vmstat, &m->loadavg};
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        kept_close(files[i]);
    for (size_t i = 0; i < ARRAY_LEN(m->numbers); i++)
        kept_close(&m->numbers[i]);
    for (size_t i = 0; i < ARRAY_LEN(m->pressure); i++)
        kept_close(&m->pressure[i]);
    devices_done(&m->devices);
    free(m->cpus);
    free(m);
}

double machine_boot_time(struct machine *m, char *buf, size_t size)
{
    static const struct keyed key = {"btime"};
    ssize_t n = isnan(m->boot_time) ? kept_read(&m->stat, m->root, "proc/stat", buf, size) : -1;
    if (n > 0)
        parse_keyed(buf, (size_t)n, &key, 1, &m->boot_time);
    return m->boot_time;
}

void machine_scan(struct machine *m)
{
    m->named = false;
    m->rescanned = true;
    devices_scan(&m->devices);
    struct kept *files[] = {&m->stat, &m->meminfo, &m->vmstat, &m->loadavg};
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        kept_retry(files[i]);
    for (size_t i = 0; i < ARRAY_LEN(m->numbers); i++)
        kept_retry(&m->numbers[i]);
    for (size_t i = 0; i < ARRAY_LEN(m->pressure); i++)
        kept_retry(&m->pressure[i]);
}

static void read_keyed(const char *text, ssize_t len, const struct keyed_fact *rows, size_t n,
                       double *values)
{
    struct keyed keys[KEYED_MAX] = {0};
    for (size_t i = 0; i < n; i++)
        keys[i] = rows[i].keyed;
    parse_keyed(text, len < 0 ? 0 : (size_t)len, keys, n, values);
}

// The first line that the text lacks; NULL: none.
static const char *put_keyed(struct batch *b, const struct keyed_fact *rows, size_t n,
                             const double *values)
{
    const char *lacks = NULL;
    for (size_t i = 0; i < n; i++) {
        batch_fact(b, 0, rows[i].fact, values[i]);
        if (isnan(values[i]) && !lacks)
            lacks = rows[i].keyed.key;
    }
    return lacks;
}

static void say_what_lacks(struct batch *b, const char *what, int error, const char *lacks)
{
    char reason[64];
    if (error < 0) {
        batch_unavailable(b, what, source_reason(error));
    } else if (lacks) {
        snprintf(reason, sizeof(reason), "the kernel does not tell %s", lacks);
        batch_unavailable(b, what, reason);
    }
}

static struct cpu *cpu_by_id(struct machine *m, uint32_t id, size_t hint)
{
    if (hint < m->n_cpus && m->cpus[hint].id == id)
        return &m->cpus[hint];
    for (size_t i = 0; i < m->n_cpus; i++)
        if (m->cpus[i].id == id)
            return &m->cpus[i];
    if (mem_grow_capped(&m->cpus, &m->cap_cpus, m->n_cpus, sizeof(*m->cpus), CPUS_MAX) < 0)
        return NULL;
    struct cpu *c = &m->cpus[m->n_cpus++];
    *c = (struct cpu){.id = id};
    snprintf(c->key, sizeof(c->key), "%u", id);
    return c;
}

static void put_cpu(struct machine *m, struct cpu *c, const uint64_t told[CPU_COLUMNS],
                    struct batch *b)
{
    static const enum fact facts[CPU_COLUMNS] = {
        [CPU_USER] = FACT_CPU_USER,       [CPU_NICE] = FACT_CPU_NICE,
        [CPU_SYSTEM] = FACT_CPU_SYSTEM,   [CPU_IDLE] = FACT_CPU_IDLE,
        [CPU_IOWAIT] = FACT_CPU_IOWAIT,   [CPU_IRQ] = FACT_CPU_IRQ,
        [CPU_SOFTIRQ] = FACT_CPU_SOFTIRQ, [CPU_STEAL] = FACT_CPU_STEAL,
        [CPU_GUEST] = FACT_CPU_GUEST,     [CPU_GUEST_NICE] = FACT_CPU_GUEST_NICE,
    };
    uint64_t apart[CPU_COLUMNS];
    memcpy(apart, told, sizeof(apart));
    // The kernel counts a guest's time in user and nice as well.
    apart[CPU_USER] -= MIN_OF(told[CPU_GUEST], told[CPU_USER]);
    apart[CPU_NICE] -= MIN_OF(told[CPU_GUEST_NICE], told[CPU_NICE]);
    uint32_t key = batch_key(b, c->key);
    for (int i = 0; i < CPU_COLUMNS; i++) {
        c->highest[i] = MAX_OF(c->highest[i], apart[i]);
        batch_fact(b, key, facts[i], (double)c->highest[i] * m->tick_ns);
    }
}

static void sample_stat(struct machine *m, char *buf, size_t size, struct batch *b)
{
    double values[ARRAY_LEN(stat_facts)];
    // Like meminfo it comes whole with one reading; to ask for more composes it anew.
    ssize_t len = kept_read(&m->stat, m->root, "proc/stat", buf, size);
    size_t n = 0;
    const char *p = buf, *end = buf + MAX_OF(len, 0);
    // The CPUs' lines stand first; behind them stands one line with a number per interrupt.
    while (p < end && strncmp(p, "cpu", 3) == 0) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        size_t line_len = (size_t)((nl ? nl : end) - p);
        uint32_t id;
        uint64_t columns[CPU_COLUMNS];
        struct cpu *c = NULL;
        if (parse_cpu_line(p, line_len, &id, columns) == 0 && (c = cpu_by_id(m, id, n))) {
            put_cpu(m, c, columns, b);
            n++;
        }
        p += line_len + (nl ? 1 : 0);
    }
    read_keyed(p, end - p, stat_facts, ARRAY_LEN(stat_facts), values);
    const char *lacks = put_keyed(b, stat_facts, ARRAY_LEN(stat_facts), values);
    if (!isnan(values[1]))
        m->boot_time = values[1];
    batch_fact(b, 0, FACT_HOST_CPUS, n > 0 ? (double)n : NAN);
    say_what_lacks(b, "cpu", (int)MIN_OF(len, 0), n > 0 ? lacks : "cpu0");
}

static void sample_meminfo(struct machine *m, char *buf, size_t size, struct batch *b)
{
    double values[ARRAY_LEN(meminfo_facts)];
    ssize_t len = kept_read(&m->meminfo, m->root, "proc/meminfo", buf, size);
    read_keyed(buf, len, meminfo_facts, ARRAY_LEN(meminfo_facts), values);
    const char *lacks = put_keyed(b, meminfo_facts, ARRAY_LEN(meminfo_facts), values);
    say_what_lacks(b, "memory", (int)MIN_OF(len, 0), lacks);
}

static void sample_vmstat(struct machine *m, bool turn, char *buf, size_t size, struct batch *b)
{
    double values[ARRAY_LEN(vmstat_facts)];
    if (turn) {
        ssize_t len = kept_read_all(&m->vmstat, m->root, "proc/vmstat", buf, size);
        read_keyed(buf, len, vmstat_facts, ARRAY_LEN(vmstat_facts), values);
        m->vmstat_lacks = put_keyed(b, vmstat_facts, ARRAY_LEN(vmstat_facts), values);
    }
    say_what_lacks(b, "swap_activity", m->vmstat.error, m->vmstat_lacks);
}

static void sample_load(struct machine *m, char *buf, size_t size, struct batch *b)
{
    static const enum fact facts[] = {FACT_HOST_LOAD1, FACT_HOST_LOAD5, FACT_HOST_LOAD15};
    ssize_t len = kept_read(&m->loadavg, m->root, "proc/loadavg", buf, size);
    char *p = buf;
    for (size_t i = 0; i < ARRAY_LEN(facts); i++) {
        double v = NAN;
        char *blank = len > 0 ? strchr(p, ' ') : NULL;
        if (blank) {
            *blank = '\0';
            if (number_parse_f64(p, &v) < 0)
                v = NAN;
            p = blank + 1;
        }
        batch_fact(b, 0, facts[i], v);
    }
    if (len < 0)
        batch_unavailable(b, "load", source_reason((int)len));
}

static void sample_numbers(struct machine *m, bool turn, struct batch *b)
{
    int error = 0;
    for (size_t i = 0; i < ARRAY_LEN(single_numbers); i++) {
        if (turn)
            batch_fact(b, 0, single_numbers[i].fact,
                       kept_number(&m->numbers[i], m->root, single_numbers[i].path));
        error = MIN_OF(error, m->numbers[i].error);
    }
    if (error < 0)
        batch_unavailable(b, "ksm", source_reason(error));
}

static void sample_pressure(struct machine *m, char *buf, size_t size, struct batch *b)
{
    int error = 0;
    for (size_t i = 0; i < ARRAY_LEN(pressures); i++) {
        double some, full;
        ssize_t n = kept_read(&m->pressure[i], m->root, pressures[i].path, buf, size);
        parse_pressure(buf, n < 0 ? 0 : (size_t)n, &some, &full);
        batch_fact(b, 0, pressures[i].some, some);
        batch_fact(b, 0, pressures[i].full, full);
        error = MIN_OF(error, m->pressure[i].error);
    }
    if (error == -EOPNOTSUPP)
        batch_unavailable(b, "pressure", "the kernel was booted without psi=1");
    else if (error < 0)
        batch_unavailable(b, "pressure", source_reason(error));
}

static void sample_names(struct machine *m, struct batch *b)
{
    static const struct {
        const char *path;
        enum attr attr;
    } names[] = {
        {"proc/sys/kernel/hostname", ATTR_HOST_NAME},
        {"proc/sys/kernel/osrelease", ATTR_HOST_KERNEL},
    };
    for (size_t i = 0; i < ARRAY_LEN(names) && !m->named; i++) {
        char text[256];
        ssize_t n = fs_read_small(m->root, names[i].path, text, sizeof(text));
        if (n > 0 && text[n - 1] == '\n')
            text[n - 1] = '\0';
        if (n > 0)
            batch_attr(b, 0, names[i].attr, text);
    }
    m->named = true;
}

void machine_sample(struct machine *m, char *buf, size_t size, struct batch *b)
{
    bool turn = turns_next(&m->turns, b->mono_ns, m->detail_ns, m->rescanned);
    m->rescanned = false;
    sample_names(m, b);
    sample_stat(m, buf, size, b);
    sample_load(m, buf, size, b);
    sample_meminfo(m, buf, size, b);
    sample_vmstat(m, turn, buf, size, b);
    sample_pressure(m, buf, size, b);
    sample_numbers(m, turn, b);
    devices_sample(&m->devices, b->mono_ns, buf, size, b);
}
