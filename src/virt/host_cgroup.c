// SPDX-License-Identifier: GPL-3.0-or-later
// cgroups of a VM, v1, v2 and hybrid. libvirt gives each VM a group and puts its threads into
// sub-groups (emulator, vcpuN, iothreadN); quotas stand on any of them, and on the systemd scope
// around them. Reading cpu.stat makes a v2 kernel add up all CPUs' counters, so that groups without
// a quota, whose throttling counters cannot move, are read only by cgroup_follow(); the same holds
// for the events of memory limits.
#include "host_cgroup.h"

#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/number.h"

#define MEMBERS_MAX 8192

struct cgroup_member {
    char *path; // below the root
    bool limited;
    struct kept stat, quota;
    double told[3]; // periods, throttled periods, throttled nanoseconds; NaN = unknown
};

static void close_files(struct cgroup *c)
{
    struct kept *files[] = {&c->memory_current,  &c->memory_events,   &c->memory_oom,
                            &c->memory_limit[0], &c->memory_limit[1], &c->pressure[0],
                            &c->pressure[1],     &c->pressure[2]};
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        if (c->text)
            kept_close(files[i]);
        *files[i] = KEPT_INIT;
    }
    for (size_t i = 0; i < ARRAY_LEN(c->pressure); i++)
        c->pressure_told[i][0] = c->pressure_told[i][1] = NAN;
    for (size_t i = 0; i < ARRAY_LEN(c->memory_told); i++)
        c->memory_told[i] = NAN;
    c->memory_current_told = NAN;
    for (size_t i = 0; i < c->n_members; i++) {
        kept_close(&c->members[i].stat);
        kept_close(&c->members[i].quota);
        free(c->members[i].path);
    }
    c->n_members = 0;
}

void cgroup_done(struct cgroup *c)
{
    close_files(c);
    free(c->members);
    free(c->memory_path);
    free(c->pressure_path);
    if (c->text)
        kept_close(&c->self);
    free(c->text);
    *c = (struct cgroup){0};
}

static bool is_there(int root, const char *path)
{
    return faccessat(root, path, F_OK, 0) == 0;
}

// Where the hierarchy of that line is mounted: the usual places, which need no mountinfo.
static const char *mount_point(int root, enum cgroup_slot slot, const struct cgroup_line *line,
                               char *buf, size_t size)
{
    static const char *const single[CGROUP_SLOTS] = {
        [CGROUP_CPU] = "sys/fs/cgroup/cpu", [CGROUP_MEMORY] = "sys/fs/cgroup/memory"};
    if (slot == CGROUP_V2)
        return is_there(root, "sys/fs/cgroup/cgroup.controllers") ? "sys/fs/cgroup"
                                                                  : "sys/fs/cgroup/unified";
    int n =
        snprintf(buf, size, "sys/fs/cgroup/%.*s", (int)line->controllers_len, line->controllers);
    return n > 0 && (size_t)n < size && is_there(root, buf) ? buf : single[slot];
}

// The path of the VM's own group, NULL where that group is not the VM's alone. *ret_outer is the
// length of the systemd scope around it.
static char *vm_group(int root, enum cgroup_slot slot, const struct cgroup_line *line,
                      bool *ret_split, size_t *ret_outer)
{
    static const char nested[] = "/libvirt";
    char mount[256];
    size_t own = line->path ? cgroup_vm_path(line->path, line->path_len, ret_split) : 0;
    if (own == 0)
        return NULL;
    char *path = mem_printf("%s%.*s", mount_point(root, slot, line, mount, sizeof(mount)), (int)own,
                            line->path);
    size_t len = strlen(path), n = sizeof(nested) - 1;
    *ret_outer = len > n && strcmp(path + len - n, nested) == 0 ? len - n : len;
    return path;
}

static void add_member(struct cgroup *c, char *path)
{
    if (mem_grow_capped(&c->members, &c->cap_members, c->n_members, sizeof(*c->members),
                        MEMBERS_MAX) < 0) {
        free(path);
        return;
    }
    c->members[c->n_members++] = (struct cgroup_member){
        .path = path, .stat = KEPT_INIT, .quota = KEPT_INIT, .told = {NAN, NAN, NAN}};
}

static void add_sub_groups(struct cgroup *c, int root, const char *path)
{
    DIR *dir = dir_list(root, path);
    if (!dir)
        return;
    int32_t number;
    for (const struct dirent *e; (e = readdir(dir));)
        if (strcmp(e->d_name, "emulator") == 0 || parse_thread_cgroup(e->d_name, &number))
            add_member(c, mem_printf("%s/%s", path, e->d_name));
    closedir(dir);
}

static const char *no_group_reason(const struct cgroup_line lines[CGROUP_SLOTS])
{
    for (int i = 0; i < CGROUP_SLOTS; i++)
        if (lines[i].path)
            return "the process has no cgroup of its own";
    return "the process is in no cgroup";
}

static void follow_path(struct cgroup *c, int root, const char *text, size_t len)
{
    struct cgroup_line lines[CGROUP_SLOTS];
    bool split = false, ignored;
    size_t outer = 0;
    close_files(c);
    mem_strset(&c->memory_path, NULL);
    mem_strset(&c->pressure_path, NULL);
    mem_strset(&c->text, text);
    parse_cgroup(text, len, lines);

    c->cpu_v2 = !lines[CGROUP_CPU].path;
    enum cgroup_slot slot = c->cpu_v2 ? CGROUP_V2 : CGROUP_CPU;
    CLEANUP(freep) char *cpu = vm_group(root, slot, &lines[slot], &split, &outer);
    if (cpu) {
        size_t all = strlen(cpu);
        if (outer < all)
            add_member(c, mem_strndup(cpu, outer));
        add_member(c, mem_strdup(cpu));
        if (split)
            add_sub_groups(c, root, cpu);
    }
    c->memory_v2 = !lines[CGROUP_MEMORY].path;
    slot = c->memory_v2 ? CGROUP_V2 : CGROUP_MEMORY;
    c->memory_path = vm_group(root, slot, &lines[slot], &ignored, &outer);
    if (c->memory_path)
        c->memory_path[outer] = '\0';
    c->pressure_path = vm_group(root, CGROUP_V2, &lines[CGROUP_V2], &ignored, &outer);
    if (c->pressure_path)
        c->pressure_path[outer] = '\0';
    c->reason = cpu || c->memory_path ? NULL : no_group_reason(lines);
}

static void read_throttling(struct cgroup *c, struct cgroup_member *m, int root, char *buf,
                            size_t size)
{
    static const struct keyed v1[] = {{"nr_periods"}, {"nr_throttled"}, {"throttled_time"}};
    static const struct keyed v2[] = {{"nr_periods"}, {"nr_throttled"}, {"throttled_usec", 1000}};
    ssize_t n = kept_read_in(&m->stat, root, m->path, "cpu.stat", buf, size);
    parse_keyed(buf, n < 0 ? 0 : (size_t)n, c->cpu_v2 ? v2 : v1, ARRAY_LEN(m->told), m->told);
}

// "max 100000", "max" and "-1" mean no limit, and so does the number that v1 has for it.
static bool has_limit(struct kept *k, int root, const char *dir, const char *name)
{
    const uint64_t v1_none = (uint64_t)INT64_MAX - 65536;
    char text[64];
    const char *p = text;
    uint64_t v = 0;
    kept_retry(k);
    return kept_read_in(k, root, dir, name, text, sizeof(text)) > 0 && number_scan_u64(&p, &v) &&
           v < v1_none;
}

static void read_memory_events(struct cgroup *c, int root, char *buf, size_t size)
{
    static const struct keyed v2[] = {{"high"}, {"max"}, {"oom"}, {"oom_kill"}};
    static const struct keyed v1[] = {{"oom_kill"}};
    const char *p = buf, *name = c->memory_v2 ? "memory.events" : "memory.failcnt";
    double *told = c->memory_told;
    uint64_t failures = 0;
    told[0] = told[1] = told[2] = told[3] = NAN;
    ssize_t n = kept_read_in(&c->memory_events, root, c->memory_path, name, buf, size);
    if (c->memory_v2) {
        parse_keyed(buf, n < 0 ? 0 : (size_t)n, v2, ARRAY_LEN(v2), told);
        return;
    }
    if (n >= 0 && number_scan_u64(&p, &failures))
        told[1] = (double)failures;
    n = kept_read_in(&c->memory_oom, root, c->memory_path, "memory.oom_control", buf, size);
    parse_keyed(buf, n < 0 ? 0 : (size_t)n, v1, ARRAY_LEN(v1), &told[3]);
}

static bool sub_groups_changed(const struct cgroup *c, int root)
{
    // A directory's link count is two and one for each directory in it.
    const struct cgroup_member *last_own = NULL;
    size_t subs = 0;
    for (size_t i = 0; i < c->n_members; i++) {
        int32_t number;
        const char *slash = strrchr(c->members[i].path, '/');
        bool sub =
            slash && (strcmp(slash, "/emulator") == 0 || parse_thread_cgroup(slash, &number));
        subs += sub;
        if (!sub)
            last_own = &c->members[i];
    }
    struct stat st;
    if (!last_own || fstatat(root, last_own->path, &st, 0) < 0)
        return true;
    return st.st_nlink != subs + 2;
}

static void follow_limits(struct cgroup *c, int root, bool fresh, char *buf, size_t size)
{
    for (size_t i = 0; i < c->n_members; i++) {
        struct cgroup_member *m = &c->members[i];
        bool before = m->limited;
        m->limited =
            has_limit(&m->quota, root, m->path, c->cpu_v2 ? "cpu.max" : "cpu.cfs_quota_us");
        if (fresh || before != m->limited) {
            kept_retry(&m->stat);
            read_throttling(c, m, root, buf, size);
        }
    }
    const char *hard = c->memory_v2 ? "memory.max" : "memory.limit_in_bytes";
    c->memory_limited =
        has_limit(&c->memory_limit[0], root, c->memory_path, hard) ||
        (c->memory_v2 && has_limit(&c->memory_limit[1], root, c->memory_path, "memory.high"));
    kept_retry(&c->memory_current);
    read_memory_events(c, root, buf, size);
}

bool cgroup_follow(struct cgroup *c, int root, int proc_dir, char *buf, size_t size)
{
    bool fresh = !c->text;
    if (fresh)
        c->self = KEPT_INIT;
    kept_retry(&c->self);
    ssize_t n = kept_read(&c->self, proc_dir, "cgroup", buf, size);
    if (n < 0) {
        close_files(c);
        kept_close(&c->self);
        mem_strset(&c->text, NULL);
        c->reason = source_reason((int)n);
        return true;
    }
    if (fresh || strcmp(c->text, buf) != 0 || (c->n_members > 0 && sub_groups_changed(c, root))) {
        follow_path(c, root, buf, (size_t)n);
        fresh = true;
    }
    follow_limits(c, root, fresh, buf, size);
    return fresh;
}

// The VM's sum, which does not step back when a sub-group goes with its vCPU.
static double summed(struct cgroup *c, int which)
{
    double sum = NAN;
    for (size_t i = 0; i < c->n_members; i++) {
        double v = c->members[i].told[which];
        if (!isnan(v))
            sum = isnan(sum) ? v : sum + v;
    }
    c->ended[which] = fmax(c->ended[which], c->told[which] - sum);
    c->told[which] = fmax(c->told[which], sum + c->ended[which]);
    return isnan(sum) ? NAN : c->told[which];
}

void cgroup_read_limits(struct cgroup *c, int root, char *buf, size_t size)
{
    const char *name = c->memory_v2 ? "memory.current" : "memory.usage_in_bytes";
    const char *p = buf;
    uint64_t current = 0;
    for (size_t i = 0; i < c->n_members; i++)
        if (c->members[i].limited)
            read_throttling(c, &c->members[i], root, buf, size);
    bool told = kept_read_in(&c->memory_current, root, c->memory_path, name, buf, size) >= 0 &&
                number_scan_u64(&p, &current);
    c->memory_current_told = told ? (double)current : NAN;
    if (c->memory_limited)
        read_memory_events(c, root, buf, size);
}

static const struct {
    const char *name;
    enum fact some, full;
} pressures[] = {
    {"cpu.pressure", FACT_VM_PSI_CPU_SOME, FACT_VM_PSI_CPU_FULL},
    {"memory.pressure", FACT_VM_PSI_MEM_SOME, FACT_VM_PSI_MEM_FULL},
    {"io.pressure", FACT_VM_PSI_IO_SOME, FACT_VM_PSI_IO_FULL},
};

void cgroup_read_pressure(struct cgroup *c, int root, char *buf, size_t size)
{
    for (size_t i = 0; i < ARRAY_LEN(pressures); i++) {
        double *told = c->pressure_told[i];
        ssize_t n =
            kept_read_in(&c->pressure[i], root, c->pressure_path, pressures[i].name, buf, size);
        parse_pressure(buf, n < 0 ? 0 : (size_t)n, &told[0], &told[1]);
    }
}

void cgroup_emit(struct cgroup *c, struct batch *b)
{
    static const enum fact throttling[] = {FACT_VM_CG_PERIODS, FACT_VM_CG_THROTTLED_PERIODS,
                                           FACT_VM_CG_THROTTLED};
    static const enum fact memory[] = {FACT_VM_CG_MEM_HIGH, FACT_VM_CG_MEM_MAX, FACT_VM_CG_OOM,
                                       FACT_VM_CG_OOM_KILL};
    for (size_t i = 0; i < ARRAY_LEN(throttling); i++)
        batch_fact(b, 0, throttling[i], summed(c, (int)i));
    batch_fact(b, 0, FACT_VM_CG_MEM_CURRENT, c->memory_current_told);
    for (size_t i = 0; i < ARRAY_LEN(memory); i++)
        batch_fact(b, 0, memory[i], c->memory_told[i]);
    for (size_t i = 0; i < ARRAY_LEN(pressures); i++) {
        batch_fact(b, 0, pressures[i].some, c->pressure_told[i][0]);
        batch_fact(b, 0, pressures[i].full, c->pressure_told[i][1]);
    }
}

void cgroup_emit_missing(const struct cgroup *c, struct batch *b)
{
    int error = 0;
    for (size_t i = 0; i < ARRAY_LEN(pressures); i++)
        error = MIN_OF(error, c->pressure[i].error);
    if (!c->pressure_path && !c->reason)
        batch_unavailable(b, "pressure", "cgroup v1 has no pressure files");
    else if (error < 0 && c->pressure_path)
        batch_unavailable(b, "pressure", source_reason(error));
    if (c->reason) {
        batch_unavailable(b, "cgroup", c->reason);
        return;
    }
    bool knows_quota = false;
    for (size_t i = 0; i < c->n_members; i++)
        knows_quota = knows_quota || !isnan(c->members[i].told[0]);
    if (!knows_quota)
        batch_unavailable(b, "cgroup_cpu", "its cgroup tells no CPU quota");
    if (isnan(c->memory_current_told))
        batch_unavailable(b, "cgroup_memory", "its cgroup tells no memory");
    else if (!c->memory_v2)
        batch_unavailable(b, "cgroup_memory_events", "cgroup v1 counts neither high nor oom");
    else if (c->memory_events.error < 0)
        batch_unavailable(b, "cgroup_memory_events", source_reason(c->memory_events.error));
}
