// SPDX-License-Identifier: GPL-3.0-or-later
// The host itself. Every source is a row: its file, how to read it, the facts it gives. Facts that
// a source does not tell are written as NaN each second, so that none grows stale unseen.
#include "host_machine.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/number.h"
#include "host_file.h"
#include "host_parse.h"
#include "host_turn.h"

#define CPUS_MAX 8192
#define NODES_MAX 1024
#define DISKS_MAX 4096
#define SECTOR 512.0
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

struct hugepage {
    char *dir; // below the root; owned
    char key[40], node[12], size_text[24];
    struct kept total, free, surplus;
    double told[3]; // in that order, as last read
};

struct node {
    char key[12];
    char *dir;
    struct kept meminfo, numastat;
    double told[5]; // total, free, hit, miss, foreign, as last read
};

struct disk {
    char *path; // below the root; owned
    char *name; // owned
    struct kept stat;
};

struct machine {
    int root;
    bool named; // its names were told since the last scan
    double tick_ns;
    double boot_time;
    struct kept stat, meminfo, vmstat, loadavg;
    struct turns turns; // 0: vmstat, 1: KSM and nodes, 2: huge pages
    bool rescanned;     // read all again
    double vmstat_told[ARRAY_LEN(vmstat_facts)];
    double numbers_told[ARRAY_LEN(single_numbers)];
    struct kept numbers[ARRAY_LEN(single_numbers)];
    struct kept pressure[ARRAY_LEN(pressures)];
    struct cpu *cpus;
    size_t n_cpus, cap_cpus;
    struct node *nodes;
    size_t n_nodes, cap_nodes;
    struct hugepage *hugepages;
    size_t n_hugepages, cap_hugepages;
    struct disk *disks; // whole disks that have a size
    size_t n_disks, cap_disks;
};

static void clear_nodes(struct machine *m)
{
    for (size_t i = 0; i < m->n_nodes; i++) {
        kept_close(&m->nodes[i].meminfo);
        kept_close(&m->nodes[i].numastat);
        free(m->nodes[i].dir);
    }
    for (size_t i = 0; i < m->n_hugepages; i++) {
        kept_close(&m->hugepages[i].total);
        kept_close(&m->hugepages[i].free);
        kept_close(&m->hugepages[i].surplus);
        free(m->hugepages[i].dir);
    }
    m->n_nodes = m->n_hugepages = 0;
}

static void clear_disks(struct machine *m)
{
    for (size_t i = 0; i < m->n_disks; i++) {
        kept_close(&m->disks[i].stat);
        free(m->disks[i].path);
        free(m->disks[i].name);
    }
    m->n_disks = 0;
}

struct machine *machine_new(int root)
{
    struct machine *m = mem_zalloc(sizeof(*m));
    const struct kept init = KEPT_INIT;
    m->root = root;
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
    clear_nodes(m);
    clear_disks(m);
    free(m->cpus);
    free(m->nodes);
    free(m->hugepages);
    free(m->disks);
    free(m);
}

double machine_boot_time(struct machine *m, char *buf, size_t size)
{
    static const struct keyed key = {"btime"};
    ssize_t n = isnan(m->boot_time) ? kept_read_all(&m->stat, m->root, "proc/stat", buf, size) : -1;
    if (n > 0)
        parse_keyed(buf, (size_t)n, &key, 1, &m->boot_time);
    return m->boot_time;
}

static DIR *open_dir(int root, const char *path)
{
    int fd = openat(root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir)
        closep(&fd);
    return dir;
}

// "node12" with prefix "node" gives 12; false for all other names.
static bool numbered(const char *name, const char *prefix, const char *suffix, uint64_t *ret)
{
    size_t n = strlen(prefix);
    const char *p = name + n;
    return strncmp(name, prefix, n) == 0 && *p >= '0' && *p <= '9' && number_scan_u64(&p, ret) &&
           strcmp(p, suffix) == 0;
}

static void scan_hugepages(struct machine *m, const char *dir_path, const char *node)
{
    DIR *dir = open_dir(m->root, dir_path);
    if (!dir)
        return;
    for (const struct dirent *e; (e = readdir(dir));) {
        uint64_t kib = 0, bytes = 0;
        if (!numbered(e->d_name, "hugepages-", "kB", &kib) ||
            __builtin_mul_overflow(kib, 1024u, &bytes) ||
            mem_grow_capped(&m->hugepages, &m->cap_hugepages, m->n_hugepages, sizeof(*m->hugepages),
                            NODES_MAX * 8) < 0)
            continue;
        struct hugepage *h = &m->hugepages[m->n_hugepages++];
        *h = (struct hugepage){.total = KEPT_INIT, .free = KEPT_INIT, .surplus = KEPT_INIT};
        h->dir = mem_printf("%s/%s", dir_path, e->d_name);
        snprintf(h->node, sizeof(h->node), "%s", node);
        snprintf(h->size_text, sizeof(h->size_text), "%llu", (unsigned long long)bytes);
        snprintf(h->key, sizeof(h->key), "%s:%s", h->node, h->size_text);
    }
    closedir(dir);
}

static void scan_nodes(struct machine *m)
{
    static const char path[] = "sys/devices/system/node";
    clear_nodes(m);
    DIR *dir = open_dir(m->root, path);
    if (!dir) { // a kernel without NUMA is one node
        scan_hugepages(m, "sys/kernel/mm/hugepages", "0");
        return;
    }
    for (const struct dirent *e; (e = readdir(dir));) {
        uint64_t id = 0;
        if (!numbered(e->d_name, "node", "", &id) || id >= NODES_MAX ||
            mem_grow_capped(&m->nodes, &m->cap_nodes, m->n_nodes, sizeof(*m->nodes), NODES_MAX) < 0)
            continue;
        struct node *n = &m->nodes[m->n_nodes++];
        *n = (struct node){.meminfo = KEPT_INIT, .numastat = KEPT_INIT};
        snprintf(n->key, sizeof(n->key), "%u", (unsigned)id);
        n->dir = mem_printf("%s/%s", path, e->d_name);
        CLEANUP(freep) char *huge = mem_printf("%s/hugepages", n->dir);
        scan_hugepages(m, huge, n->key);
    }
    closedir(dir);
}

static void add_disk(struct machine *m, const char *name)
{
    struct disk *d = &m->disks[m->n_disks++];
    *d = (struct disk){.stat = KEPT_INIT};
    d->path = mem_printf("sys/block/%s", name);
    d->name = mem_strdup(name);
    for (char *mark = strchr(d->name, '!'); mark; mark = strchr(mark, '!'))
        *mark = '/'; // as the kernel writes "cciss/c0d0" where it must be a file name
}

// Below sys/block stand whole disks only. Those without a size (network block devices that are not
// connected, empty drives) have nothing to tell.
static void scan_disks(struct machine *m)
{
    static const char *const left_out[] = {"loop", "ram", "zram"};
    clear_disks(m);
    DIR *dir = open_dir(m->root, "sys/block");
    if (!dir)
        return;
    for (struct dirent *e; (e = readdir(dir));) {
        bool wanted = e->d_name[0] != '.';
        for (size_t i = 0; i < ARRAY_LEN(left_out); i++)
            wanted = wanted && strncmp(e->d_name, left_out[i], strlen(left_out[i])) != 0;
        if (!wanted)
            continue;
        char path[300];
        struct kept size = KEPT_INIT;
        snprintf(path, sizeof(path), "%s/size", e->d_name);
        bool empty = kept_number(&size, dirfd(dir), path) == 0;
        kept_close(&size);
        if (!empty && mem_grow_capped(&m->disks, &m->cap_disks, m->n_disks, sizeof(*m->disks),
                                      DISKS_MAX) == 0)
            add_disk(m, e->d_name);
    }
    closedir(dir);
}

void machine_scan(struct machine *m)
{
    m->named = false;
    m->rescanned = true;
    scan_nodes(m);
    scan_disks(m);
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

static void put_keyed(struct batch *b, const struct keyed_fact *rows, size_t n,
                      const double *values)
{
    for (size_t i = 0; i < n; i++)
        batch_fact(b, 0, rows[i].fact, values[i]);
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
    ssize_t len = kept_read_all(&m->stat, m->root, "proc/stat", buf, size);
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
    put_keyed(b, stat_facts, ARRAY_LEN(stat_facts), values);
    if (!isnan(values[1]))
        m->boot_time = values[1];
    batch_fact(b, 0, FACT_HOST_CPUS, n > 0 ? (double)n : NAN);
    if (len < 0)
        batch_unavailable(b, "cpu", source_reason((int)len));
}

static void sample_meminfo(struct machine *m, char *buf, size_t size, struct batch *b)
{
    double values[ARRAY_LEN(meminfo_facts)];
    ssize_t len = kept_read_all(&m->meminfo, m->root, "proc/meminfo", buf, size);
    read_keyed(buf, len, meminfo_facts, ARRAY_LEN(meminfo_facts), values);
    put_keyed(b, meminfo_facts, ARRAY_LEN(meminfo_facts), values);
    if (len < 0)
        batch_unavailable(b, "memory", source_reason((int)len));
}

static void sample_vmstat(struct machine *m, char *buf, size_t size, struct batch *b)
{
    if (m->turns.due[0]) {
        ssize_t len = kept_read_all(&m->vmstat, m->root, "proc/vmstat", buf, size);
        read_keyed(buf, len, vmstat_facts, ARRAY_LEN(vmstat_facts), m->vmstat_told);
    }
    put_keyed(b, vmstat_facts, ARRAY_LEN(vmstat_facts), m->vmstat_told);
    if (m->vmstat.error < 0)
        batch_unavailable(b, "swap_activity", source_reason(m->vmstat.error));
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
}

static void sample_numbers(struct machine *m, struct batch *b)
{
    int error = 0;
    for (size_t i = 0; i < ARRAY_LEN(single_numbers); i++) {
        if (m->turns.due[1])
            m->numbers_told[i] = kept_number(&m->numbers[i], m->root, single_numbers[i].path);
        batch_fact(b, 0, single_numbers[i].fact, m->numbers_told[i]);
        error = MIN_OF(error, m->numbers[i].error);
    }
    if (error < 0)
        batch_unavailable(b, "ksm", source_reason(error));
}

static void sample_pressure(struct machine *m, char *buf, size_t size, struct batch *b)
{
    int error = 0;
    for (size_t i = 0; i < ARRAY_LEN(pressures); i++) {
        double some = NAN, full = NAN;
        ssize_t n = kept_read(&m->pressure[i], m->root, pressures[i].path, buf, size);
        if (n >= 0)
            parse_pressure(buf, (size_t)n, &some, &full);
        else
            error = (int)n;
        batch_fact(b, 0, pressures[i].some, some);
        batch_fact(b, 0, pressures[i].full, full);
    }
    if (error == -EOPNOTSUPP)
        batch_unavailable(b, "pressure", "the kernel was booted without psi=1");
    else if (error < 0)
        batch_unavailable(b, "pressure", source_reason(error));
}

static double node_value(const char *text, size_t len, const char *key)
{
    // "Node 0 MemTotal:       4015912 kB"
    const char *p = memmem(text, len, key, strlen(key));
    uint64_t v = 0;
    if (!p)
        return NAN;
    p += strlen(key);
    return number_scan_u64(&p, &v) ? (double)v * KIB : NAN;
}

static ssize_t read_in(struct kept *k, int root, const char *dir, const char *name, char *buf,
                       size_t size)
{
    char path[512];
    path[0] = '\0';
    if (k->fd < 0 && k->error == 0)
        snprintf(path, sizeof(path), "%s/%s", dir, name);
    return kept_read(k, root, path, buf, size);
}

static void read_node(struct machine *m, struct node *n, char *buf, size_t size)
{
    static const struct keyed keys[] = {{"numa_hit"}, {"numa_miss"}, {"numa_foreign"}};
    ssize_t len = read_in(&n->meminfo, m->root, n->dir, "meminfo", buf, size);
    n->told[0] = node_value(buf, len < 0 ? 0 : (size_t)len, " MemTotal:");
    n->told[1] = node_value(buf, len < 0 ? 0 : (size_t)len, " MemFree:");
    len = read_in(&n->numastat, m->root, n->dir, "numastat", buf, size);
    parse_keyed(buf, len < 0 ? 0 : (size_t)len, keys, ARRAY_LEN(keys), &n->told[2]);
}

static void sample_nodes(struct machine *m, char *buf, size_t size, struct batch *b)
{
    static const enum fact facts[] = {FACT_NUMA_MEM_TOTAL, FACT_NUMA_MEM_FREE, FACT_NUMA_HIT,
                                      FACT_NUMA_MISS, FACT_NUMA_FOREIGN};
    for (size_t i = 0; i < m->n_nodes; i++) {
        struct node *n = &m->nodes[i];
        if (m->turns.due[1])
            read_node(m, n, buf, size);
        uint32_t key = batch_key(b, n->key);
        for (size_t f = 0; f < ARRAY_LEN(facts); f++)
            batch_fact(b, key, facts[f], n->told[f]);
    }
}

static double number_in(struct kept *k, int root, const char *dir, const char *name)
{
    char text[64];
    const char *p = text;
    uint64_t v = 0;
    if (read_in(k, root, dir, name, text, sizeof(text)) < 0 || !number_scan_u64(&p, &v))
        return NAN;
    return (double)v;
}

static void sample_hugepages(struct machine *m, struct batch *b)
{
    for (size_t i = 0; i < m->n_hugepages; i++) {
        struct hugepage *h = &m->hugepages[i];
        if (m->turns.due[2]) {
            h->told[0] = number_in(&h->total, m->root, h->dir, "nr_hugepages");
            h->told[1] = number_in(&h->free, m->root, h->dir, "free_hugepages");
            h->told[2] = number_in(&h->surplus, m->root, h->dir, "surplus_hugepages");
        }
        uint32_t key = batch_key(b, h->key);
        batch_attr(b, key, ATTR_HUGEPAGE_NODE, h->node);
        batch_attr(b, key, ATTR_HUGEPAGE_SIZE, h->size_text);
        batch_fact(b, key, FACT_HUGEPAGE_TOTAL, h->told[0]);
        batch_fact(b, key, FACT_HUGEPAGE_FREE, h->told[1]);
        batch_fact(b, key, FACT_HUGEPAGE_SURPLUS, h->told[2]);
    }
}

static void put_disk(struct batch *b, const char *name, const struct disk_stat *d)
{
    const double ms = (double)NS_PER_MS;
    uint32_t key = batch_key(b, name);
    batch_fact(b, key, FACT_HDISK_READS, (double)d->reads);
    batch_fact(b, key, FACT_HDISK_READ_BYTES, (double)d->read_sectors * SECTOR);
    batch_fact(b, key, FACT_HDISK_READ_TIME, (double)d->read_ms * ms);
    batch_fact(b, key, FACT_HDISK_WRITES, (double)d->writes);
    batch_fact(b, key, FACT_HDISK_WRITE_BYTES, (double)d->write_sectors * SECTOR);
    batch_fact(b, key, FACT_HDISK_WRITE_TIME, (double)d->write_ms * ms);
    batch_fact(b, key, FACT_HDISK_IN_FLIGHT, (double)d->in_flight);
    batch_fact(b, key, FACT_HDISK_IO_TIME, (double)d->io_ms * ms);
    batch_fact(b, key, FACT_HDISK_WEIGHTED_TIME, (double)d->weighted_ms * ms);
}

// A file for each disk: /proc/diskstats would list every partition and loop device besides.
static void sample_disks(struct machine *m, char *buf, size_t size, struct batch *b)
{
    for (size_t i = 0; i < m->n_disks; i++) {
        struct disk_stat d;
        ssize_t n = read_in(&m->disks[i].stat, m->root, m->disks[i].path, "stat", buf, size);
        if (n >= 0 && parse_disk_stat(buf, (size_t)n, &d) == 0)
            put_disk(b, m->disks[i].name, &d);
    }
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
    turns_next(&m->turns, b->mono_ns, m->rescanned);
    m->rescanned = false;
    sample_names(m, b);
    sample_stat(m, buf, size, b);
    sample_load(m, buf, size, b);
    sample_meminfo(m, buf, size, b);
    sample_vmstat(m, buf, size, b);
    sample_pressure(m, buf, size, b);
    sample_numbers(m, b);
    sample_nodes(m, buf, size, b);
    sample_hugepages(m, b);
    sample_disks(m, buf, size, b);
}
