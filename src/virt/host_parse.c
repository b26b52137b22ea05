// SPDX-License-Identifier: GPL-3.0-or-later
// Readers of the kernel's texts. Pure functions over untrusted bytes: every loop takes at least
// one byte a round and ends at the given length.
#include "host_parse.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/number.h"

#define PF_KTHREAD 0x00200000u

// Fields of stat behind the process's name, by their number in proc(5).
enum { STAT_STATE = 3, STAT_LAST = 39 };

static bool next_line(const char **p, const char *end, const char **ret, size_t *ret_len)
{
    if (*p >= end)
        return false;
    const char *nl = memchr(*p, '\n', (size_t)(end - *p));
    *ret = *p;
    *ret_len = (size_t)((nl ? nl : end) - *p);
    *p = nl ? nl + 1 : end;
    return true;
}

static bool starts_with(const char *s, size_t len, const char *prefix)
{
    size_t n = strlen(prefix);
    return len >= n && memcmp(s, prefix, n) == 0;
}

static bool contains(const char *s, size_t len, const char *what)
{
    return memmem(s, len, what, strlen(what)) != NULL;
}

int parse_stat(const char *text, size_t len, struct proc_stat *ret)
{
    // The name may hold brackets, blanks and newlines; nothing behind it can hold a ')'.
    const char *open = memchr(text, '(', len);
    const char *close = memrchr(text, ')', len);
    if (!open || !close || close < open || text + len - close < 4 || close[1] != ' ')
        return -EINVAL;
    struct proc_stat st = {.cpu = -1, .state = close[2]};
    size_t n = MIN_OF((size_t)(close - open - 1), sizeof(st.comm) - 1);
    memcpy(st.comm, open + 1, n);
    const char *p = close + 3;
    int64_t field[STAT_LAST + 1] = {0};
    int got = STAT_STATE;
    while (got < STAT_LAST) {
        uint64_t huge = 0; // masks and addresses need all 64 bits
        if (number_scan_i64(&p, &field[got + 1]))
            got++;
        else if (number_scan_u64(&p, &huge))
            field[++got] = INT64_MAX;
        else
            break;
    }
    if (got < 24 || field[20] < 0 || field[22] < 0)
        return -EINVAL;
    st.ppid = (int32_t)field[4];
    st.kernel_thread = (uint64_t)field[9] & PF_KTHREAD;
    st.major_faults = (uint64_t)field[12];
    st.cpu_ticks = (uint64_t)field[14] + (uint64_t)field[15];
    st.threads = (uint64_t)field[20];
    st.start_ticks = field[22];
    st.rss_pages = field[24] > 0 ? (uint64_t)field[24] : 0;
    if (got >= 39 && field[39] >= 0 && field[39] < INT32_MAX)
        st.cpu = (int32_t)field[39];
    *ret = st;
    return 0;
}

int parse_schedstat(const char *text, size_t len, struct sched_times *ret)
{
    struct sched_times t;
    const char *p = text;
    if (!number_scan_u64(&p, &t.run_ns) || !number_scan_u64(&p, &t.wait_ns) ||
        !number_scan_u64(&p, &t.slices))
        return -EINVAL;
    *ret = t;
    return 0;
}

// A number at the end of `s` or before '/', small enough for an int32_t.
static bool name_number(const char *s, int32_t *ret)
{
    const char *p = s;
    uint64_t v = 0;
    if (*p < '0' || *p > '9' || !number_scan_u64(&p, &v) || (*p && *p != '/') || v > INT32_MAX)
        return false;
    *ret = (int32_t)v;
    return true;
}

struct role_prefix {
    const char *prefix;
    enum thread_role role;
};

static enum thread_role role_by_prefix(const char *s, const struct role_prefix *table, size_t n,
                                       int32_t *ret_number)
{
    for (size_t i = 0; i < n; i++)
        if (starts_with(s, strlen(s), table[i].prefix) &&
            name_number(s + strlen(table[i].prefix), ret_number))
            return table[i].role;
    *ret_number = -1;
    return THREAD_EMULATOR;
}

enum thread_role parse_thread_name(const char *comm, int32_t *ret_number)
{
    // QEMU has an "IO mon_iothread" for its monitor, which is part of the emulator.
    static const struct role_prefix names[] = {
        {"CPU ", THREAD_VCPU},
        {"IO iothread", THREAD_IOTHREAD},
        {"vhost-", THREAD_VHOST},
    };
    return role_by_prefix(comm, names, ARRAY_LEN(names), ret_number);
}

enum thread_role parse_thread_cgroup(const char *path, int32_t *ret_number)
{
    static const struct role_prefix groups[] = {
        {"vcpu", THREAD_VCPU},
        {"iothread", THREAD_IOTHREAD},
    };
    const char *slash = strrchr(path, '/');
    return role_by_prefix(slash ? slash + 1 : path, groups, ARRAY_LEN(groups), ret_number);
}

void parse_keyed(const char *text, size_t len, const struct keyed *keys, size_t n, double *values)
{
    for (size_t i = 0; i < n; i++)
        values[i] = NAN;
    const char *p = text, *line;
    size_t line_len, found = 0;
    while (found < n && next_line(&p, text + len, &line, &line_len))
        for (size_t i = 0; i < n; i++) {
            size_t key_len = strlen(keys[i].key);
            if (line_len <= key_len || memcmp(line, keys[i].key, key_len) != 0)
                continue;
            const char *v = line + key_len;
            uint64_t number = 0;
            if (*v == ':')
                v++;
            if ((*v != ' ' && *v != '\t') || !isnan(values[i]) || !number_scan_u64(&v, &number))
                continue;
            values[i] = (double)number * (keys[i].scale != 0 ? keys[i].scale : 1);
            found++;
            break;
        }
}

static double total_of(const char *line, size_t len)
{
    static const char key[] = " total=";
    const char *p = memmem(line, len, key, sizeof(key) - 1);
    uint64_t us = 0;
    if (!p)
        return NAN;
    p += sizeof(key) - 1;
    return number_scan_u64(&p, &us) ? (double)us * 1000 : NAN;
}

void parse_pressure(const char *text, size_t len, double *ret_some, double *ret_full)
{
    const char *p = text, *line;
    size_t line_len;
    *ret_some = *ret_full = NAN;
    while (next_line(&p, text + len, &line, &line_len)) {
        if (starts_with(line, line_len, "some "))
            *ret_some = total_of(line, line_len);
        else if (starts_with(line, line_len, "full "))
            *ret_full = total_of(line, line_len);
    }
}

// Copy an option's value up to its end: a single comma. Returns where the value ends.
static const char *unescape_commas(const char *s, const char *end, char *out, size_t size)
{
    size_t n = 0;
    for (; s < end; s++) {
        if (*s == ',') {
            if (s + 1 >= end || s[1] != ',')
                break;
            s++;
        }
        if (n + 1 < size)
            out[n++] = *s;
    }
    out[n] = '\0';
    return s;
}

// QEMU's option syntax: "first,key=value,…"; a first piece without '=' is the guest's name.
static void parse_name_option(const char *s, size_t len, char name[GUEST_NAME_MAX])
{
    static const char key[] = "guest=";
    const char *p = s, *end = s + len;
    while (p < end) {
        bool guest = starts_with(p, (size_t)(end - p), key);
        size_t piece = strcspn(p, ",=");
        bool implied = p == s && (p + piece >= end || p[piece] == ',');
        if (guest || implied) {
            unescape_commas(guest ? p + sizeof(key) - 1 : p, end, name, GUEST_NAME_MAX);
            return;
        }
        char skipped[2];
        p = unescape_commas(p, end, skipped, sizeof(skipped)) + 1;
    }
}

void parse_cmdline(const char *data, size_t len, struct guest_args *ret)
{
    *ret = (struct guest_args){0};
    const char *option = NULL;
    for (size_t at = 0; at < len;) {
        const char *arg = data + at;
        size_t n = strnlen(arg, len - at);
        at += n + 1;
        if (option && strcmp(option, "uuid") == 0) {
            if (uuid_parse(arg, n, &ret->uuid))
                ret->has_uuid = true;
            option = NULL;
        } else if (option) {
            parse_name_option(arg, n, ret->name);
            option = NULL;
        } else if (n > 1 && arg[0] == '-') {
            const char *word = arg + (arg[1] == '-' ? 2 : 1);
            if (strcmp(word, "uuid") == 0 || strcmp(word, "name") == 0)
                option = word;
        }
    }
}

static bool lists_controller(const char *list, size_t len, const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i + n <= len; i++)
        if ((i == 0 || list[i - 1] == ',') && memcmp(list + i, name, n) == 0 &&
            (i + n == len || list[i + n] == ','))
            return true;
    return false;
}

void parse_cgroup(const char *text, size_t len, struct cgroup_line ret[CGROUP_SLOTS])
{
    static const char *const wanted[CGROUP_SLOTS] = {
        [CGROUP_CPU] = "cpu", [CGROUP_MEMORY] = "memory"};
    const char *p = text, *line;
    size_t line_len;
    memset(ret, 0, CGROUP_SLOTS * sizeof(*ret));
    while (next_line(&p, text + len, &line, &line_len)) {
        const char *end = line + line_len;
        const char *names = memchr(line, ':', line_len);
        const char *path = names ? memchr(names + 1, ':', (size_t)(end - names - 1)) : NULL;
        if (!path || path + 1 >= end || path[1] != '/')
            continue;
        struct cgroup_line l = {path + 1, (size_t)(end - path - 1), names + 1,
                                (size_t)(path - names - 1)};
        if (l.path_len >= CGROUP_PATH_MAX)
            continue;
        if (l.controllers_len == 0 && starts_with(line, line_len, "0:"))
            ret[CGROUP_V2] = l;
        for (int i = CGROUP_CPU; i < CGROUP_SLOTS; i++)
            if (lists_controller(l.controllers, l.controllers_len, wanted[i]))
                ret[i] = l;
    }
}

size_t cgroup_vm_path(const char *path, size_t len, bool *ret_split)
{
    static const char *const names[] = {"/machine-qemu", ".libvirt-qemu", "/machine/qemu-"};
    const char *slash = memrchr(path, '/', len);
    *ret_split = false;
    if (!slash)
        return 0;
    char last[32] = "";
    size_t n = (size_t)(path + len - slash - 1);
    if (n < sizeof(last))
        memcpy(last, slash + 1, n);
    int32_t number;
    *ret_split = strcmp(last, "emulator") == 0 || parse_thread_cgroup(last, &number);
    if (*ret_split)
        return (size_t)(slash - path);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (contains(path, len, names[i]))
            return len;
    return 0;
}

int parse_disk_stat(const char *text, size_t len, struct disk_stat *ret)
{
    struct disk_stat d = {0};
    uint64_t merged;
    uint64_t *const fields[] = {&d.reads,     &merged,  &d.read_sectors,  &d.read_ms,
                                &d.writes,    &merged,  &d.write_sectors, &d.write_ms,
                                &d.in_flight, &d.io_ms, &d.weighted_ms};
    const char *p = text;
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        if (!number_scan_u64(&p, fields[i]))
            return -EINVAL;
    *ret = d;
    return 0;
}

int parse_cpu_line(const char *line, size_t len, uint32_t *ret_id, uint64_t ret[CPU_COLUMNS])
{
    uint64_t id = 0, columns[CPU_COLUMNS] = {0};
    if (!starts_with(line, len, "cpu") || line[3] < '0' || line[3] > '9')
        return -EINVAL;
    const char *p = line + 3;
    if (!number_scan_u64(&p, &id) || id > UINT32_MAX)
        return -EINVAL;
    int n = 0;
    while (n < CPU_COLUMNS && p < line + len && number_scan_u64(&p, &columns[n]))
        n++;
    if (n <= CPU_IDLE)
        return -EINVAL;
    *ret_id = (uint32_t)id;
    memcpy(ret, columns, sizeof(columns));
    return 0;
}

struct kmsg_pattern {
    const char *text;
    const char *also;    // or NULL
    const char *without; // or NULL
    unsigned level;      // least important level that counts
    enum kmsg_kind kind;
};

enum kmsg_kind parse_kmsg(const char *record, size_t len)
{
    static const struct kmsg_pattern patterns[] = {
        {"Machine Check", NULL, NULL, 7, KMSG_MCE},
        {"Machine check events logged", NULL, NULL, 7, KMSG_MCE},
        {"BUG: soft lockup", NULL, NULL, 7, KMSG_SOFT_LOCKUP},
        {"hard LOCKUP", NULL, NULL, 7, KMSG_HARD_LOCKUP},
        {"INFO: task ", " for more than ", NULL, 7, KMSG_HUNG_TASK}, // "blocked", "in I/O wait"
        {"ut of memory", ": Kill", NULL, 7, KMSG_OOM_KILL},          // "(oom_kill_allocating_task)"
        {"I/O error", " dev ", NULL, 7, KMSG_IO_ERROR},
        // Unknown model-specific registers are the noise of healthy guests.
        {"kvm", NULL, "msr", 3, KMSG_KVM},
        {"KVM:", NULL, NULL, 4, KMSG_KVM},
    };
    const char *text = memchr(record, ';', len);
    const char *p = record;
    uint64_t priority = 0;
    if (!text || !number_scan_u64(&p, &priority) || *p != ',' || priority > 7)
        return KMSG_OTHER;
    text++;
    size_t n = (size_t)(record + len - text);
    for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
        const struct kmsg_pattern *k = &patterns[i];
        if (priority <= k->level && contains(text, n, k->text) &&
            (!k->also || contains(text, n, k->also)) &&
            (!k->without || !contains(text, n, k->without)))
            return k->kind;
    }
    return KMSG_OTHER;
}

const char *kvm_stat_name(enum kvm_stat stat)
{
    static const char *const names[KVM_STATS] = {
        [KVM_EXITS] = "exits",
        [KVM_HALT_EXITS] = "halt_exits",
        [KVM_IO_EXITS] = "io_exits",
        [KVM_MMIO_EXITS] = "mmio_exits",
        [KVM_IRQ_INJECTIONS] = "irq_injections",
        [KVM_HALT_WAIT] = "halt_wait_ns",
        [KVM_POLL_SUCCESS] = "halt_poll_success_ns",
        [KVM_POLL_FAIL] = "halt_poll_fail_ns",
    };
    return names[stat];
}
