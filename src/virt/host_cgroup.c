// SPDX-License-Identifier: GPL-3.0-or-later
// cgroups of a VM, v1, v2 and hybrid. libvirt gives each VM a group and puts its threads into
// sub-groups (emulator, vcpuN, iothreadN); quotas stand on any of them, and on the systemd scope
// around them. Reading cpu.stat makes a v2 kernel add up all CPUs' counters, so that the groups
// without a quota, whose throttling counters cannot move, are read only by cgroup_follow().
#include "host_cgroup.h"

#include <dirent.h>
#include <errno.h>
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
    struct kept stat;
    double periods, throttled_periods, throttled_ns;
};

static void close_files(struct cgroup *c)
{
    struct kept *files[] = {&c->memory_current, &c->memory_events, &c->memory_oom,
                            &c->pressure[0],    &c->pressure[1],   &c->pressure[2]};
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        if (c->text)
            kept_close(files[i]);
        *files[i] = KEPT_INIT;
    }
    for (size_t i = 0; i < c->n_members; i++) {
        kept_close(&c->members[i].stat);
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
    c->members[c->n_members++] = (struct cgroup_member){.path = path,
                                                        .stat = KEPT_INIT,
                                                        .periods = NAN,
                                                        .throttled_periods = NAN,
                                                        .throttled_ns = NAN};
}

static void add_sub_groups(struct cgroup *c, int root, const char *path)
{
    int fd = openat(root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        closep(&fd);
        return;
    }
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
    double v[3] = {NAN, NAN, NAN};
    char path[CGROUP_PATH_MAX + 256];
    path[0] = '\0';
    if (m->stat.fd < 0 && snprintf(path, sizeof(path), "%s/cpu.stat", m->path) < 0)
        return;
    ssize_t n = kept_read(&m->stat, root, path, buf, size);
    if (n >= 0)
        parse_keyed(buf, (size_t)n, c->cpu_v2 ? v2 : v1, 3, v);
    m->periods = v[0];
    m->throttled_periods = v[1];
    m->throttled_ns = v[2];
}

// "max 100000" and "-1" mean no quota.
static bool has_quota(const struct cgroup *c, const struct cgroup_member *m, int root)
{
    char path[CGROUP_PATH_MAX + 256], text[64];
    if (snprintf(path, sizeof(path), "%s/%s", m->path, c->cpu_v2 ? "cpu.max" : "cpu.cfs_quota_us") <
        0)
        return false;
    return fs_read_small(root, path, text, sizeof(text)) > 0 && text[0] >= '0' && text[0] <= '9';
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

void cgroup_follow(struct cgroup *c, int root, int proc_dir, char *buf, size_t size)
{
    ssize_t n = fs_read_small(proc_dir, "cgroup", buf, size);
    if (n < 0) {
        close_files(c);
        mem_strset(&c->text, NULL);
        c->reason = source_reason((int)n);
        return;
    }
    if (!c->text || strcmp(c->text, buf) != 0 || (c->n_members > 0 && sub_groups_changed(c, root)))
        follow_path(c, root, buf, (size_t)n);
    for (size_t i = 0; i < c->n_members; i++) {
        kept_retry(&c->members[i].stat);
        c->members[i].limited = has_quota(c, &c->members[i], root);
        read_throttling(c, &c->members[i], root, buf, size);
    }
}

// NaN counts as nothing, unless all are.
static void add_known(double *sum, double v)
{
    if (!isnan(v))
        *sum = isnan(*sum) ? v : *sum + v;
}

static void sample_throttling(struct cgroup *c, int root, char *buf, size_t size, struct batch *b)
{
    double periods = NAN, throttled = NAN, ns = NAN;
    for (size_t i = 0; i < c->n_members; i++) {
        struct cgroup_member *m = &c->members[i];
        if (m->limited)
            read_throttling(c, m, root, buf, size);
        add_known(&periods, m->periods);
        add_known(&throttled, m->throttled_periods);
        add_known(&ns, m->throttled_ns);
    }
    batch_fact(b, 0, FACT_VM_CG_PERIODS, periods);
    batch_fact(b, 0, FACT_VM_CG_THROTTLED_PERIODS, throttled);
    batch_fact(b, 0, FACT_VM_CG_THROTTLED, ns);
}

static ssize_t read_below(struct kept *k, int root, const char *dir, const char *name, char *buf,
                          size_t size)
{
    char path[CGROUP_PATH_MAX + 256];
    path[0] = '\0';
    if (!dir)
        return -ENOENT;
    if (k->fd < 0 && k->error == 0 && snprintf(path, sizeof(path), "%s/%s", dir, name) < 0)
        return -EINVAL;
    return kept_read(k, root, path, buf, size);
}

static void sample_memory(struct cgroup *c, int root, char *buf, size_t size, struct batch *b)
{
    static const struct keyed v2_events[] = {{"high"}, {"max"}, {"oom"}, {"oom_kill"}};
    static const struct keyed v1_oom[] = {{"oom_kill"}};
    double e[4] = {NAN, NAN, NAN, NAN}, current = NAN;
    uint64_t u = 0;
    const char *p = buf;
    if (read_below(&c->memory_current, root, c->memory_path,
                   c->memory_v2 ? "memory.current" : "memory.usage_in_bytes", buf, size) >= 0 &&
        number_scan_u64(&p, &u))
        current = (double)u;
    ssize_t n = read_below(&c->memory_events, root, c->memory_path,
                           c->memory_v2 ? "memory.events" : "memory.failcnt", buf, size);
    p = buf;
    if (n >= 0 && c->memory_v2)
        parse_keyed(buf, (size_t)n, v2_events, 4, e);
    else if (n >= 0 && number_scan_u64(&p, &u))
        e[1] = (double)u;
    if (!c->memory_v2) {
        n = read_below(&c->memory_oom, root, c->memory_path, "memory.oom_control", buf, size);
        if (n >= 0)
            parse_keyed(buf, (size_t)n, v1_oom, 1, &e[3]);
    }
    batch_fact(b, 0, FACT_VM_CG_MEM_CURRENT, current);
    batch_fact(b, 0, FACT_VM_CG_MEM_HIGH, e[0]);
    batch_fact(b, 0, FACT_VM_CG_MEM_MAX, e[1]);
    batch_fact(b, 0, FACT_VM_CG_OOM, e[2]);
    batch_fact(b, 0, FACT_VM_CG_OOM_KILL, e[3]);
}

static void sample_pressure(struct cgroup *c, int root, char *buf, size_t size, struct batch *b)
{
    static const struct {
        const char *name;
        enum fact some, full;
    } rows[] = {
        {"cpu.pressure", FACT_VM_PSI_CPU_SOME, FACT_VM_PSI_CPU_FULL},
        {"memory.pressure", FACT_VM_PSI_MEM_SOME, FACT_VM_PSI_MEM_FULL},
        {"io.pressure", FACT_VM_PSI_IO_SOME, FACT_VM_PSI_IO_FULL},
    };
    int error = 0;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        double some = NAN, full = NAN;
        ssize_t n = read_below(&c->pressure[i], root, c->pressure_path, rows[i].name, buf, size);
        if (n >= 0)
            parse_pressure(buf, (size_t)n, &some, &full);
        else
            error = (int)n;
        batch_fact(b, 0, rows[i].some, some);
        batch_fact(b, 0, rows[i].full, full);
    }
    if (!c->pressure_path && !c->reason)
        batch_unavailable(b, "pressure", "cgroup v1 has no pressure files");
    else if (error < 0 && c->pressure_path)
        batch_unavailable(b, "pressure", source_reason(error));
}

void cgroup_sample(struct cgroup *c, int root, char *buf, size_t size, struct batch *b)
{
    sample_throttling(c, root, buf, size, b);
    sample_memory(c, root, buf, size, b);
    sample_pressure(c, root, buf, size, b);
    if (c->reason)
        batch_unavailable(b, "cgroup", c->reason);
}
