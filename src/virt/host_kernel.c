// SPDX-License-Identifier: GPL-3.0-or-later
// The real kernel, or a recorded tree: finding hypervisor processes, and the table of calls.
//
// A process is looked at when its PID is new, or when the PID's inode in proc changed (the PID was
// used again), in its first seconds (a fork that is about to become QEMU), and all of them now and
// then. Its command line lies behind its memory lock, so that the prober reads it.
// `seen` is sorted by PID, as the kernel lists them. Owned by the sampler's thread.
#include "virt/host.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/number.h"
#include "host_kmsg.h"
#include "host_machine.h"
#include "host_net.h"
#include "host_proc.h"

#define PIDS_MAX (4 * 1024 * 1024)
#define PROCS_MAX 16384
#define CMDLINE_MAX (256 * 1024)
#define SCRATCH_BYTES (512 * 1024)

// A younger process may be a fork of libvirt that has not become QEMU yet.
#define YOUNG_NS (30 * NS_PER_S)
#define FULL_CHECK_NS (600 * NS_PER_S)
// Disks, NUMA nodes and sizes of huge pages come and go seldom.
#define MACHINE_SCAN_NS (60 * NS_PER_S)
// How long scan() waits for the command lines of new processes.
#define LOOK_WAIT_NS (20 * NS_PER_MS)
#define LOOK_LIMIT_NS NS_PER_S

struct seen {
    int32_t pid;
    uint64_t inode; // of /proc/PID: another one means another process
    int64_t young_until_ns;
    int64_t start_ticks;
    char comm[16];
    int32_t works_for; // vhost kernel thread: PID of its owner; 0 = none
    bool looking;      // its command line is being read
    bool daemon;       // a libvirt daemon by name
    bool kernel;
    struct proc *proc; // borrowed from host->procs
};

struct host {
    struct proc_env env;
    bool own_namespace;
    uint64_t namespace; // inode of our mount namespace, 0 = unknown
    struct seen *seen, *before;
    size_t n_seen, cap_seen, n_before, cap_before;
    int64_t full_check_ns, machine_scan_ns;
    struct proc **procs; // owned
    size_t n_procs, cap_procs;
    struct machine *machine;
    struct host_net *net;
    struct kmsg kmsg;
    struct prober *prober;
    uint64_t slow_round;
};

struct look {
    struct probe probe; // first
    int32_t pid;
    int64_t start_ticks;
    int dir; // owned
    struct guest_args args;
};

static void look_free(struct probe *probe)
{
    struct look *l = (struct look *)probe;
    closep(&l->dir);
    free(l);
}

static void look_run(struct probe *probe)
{
    struct look *l = (struct look *)probe;
    CLEANUP(freep) char *data = NULL;
    size_t len = 0;
    if (fs_read_file(l->dir, "cmdline", CMDLINE_MAX, &data, &len) == 0)
        parse_cmdline(data, len, &l->args);
}

// Many descriptors stay open for each VM, and the usual soft limit of 1024 is for select() only.
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static uint64_t mount_namespace(int proc_dir)
{
    // The text of the link is "mnt:[4026531841]"; recorded trees hold just that.
    char link[64];
    ssize_t n = readlinkat(proc_dir, "ns/mnt", link, sizeof(link) - 1);
    if (n < 0)
        return 0;
    link[n] = '\0';
    const char *p = strchr(link, '[');
    uint64_t id = 0;
    return p && (p++, number_scan_u64(&p, &id)) ? id : 0;
}

static int open_dir(int at, const char *path)
{
    int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static void kernel_close(struct host *h)
{
    if (!h)
        return;
    prober_free(h->prober);
    for (size_t i = 0; i < h->n_procs; i++)
        proc_free(h->procs[i]);
    free(h->procs);
    machine_free(h->machine);
    host_net_free(h->net);
    kmsg_close(&h->kmsg);
    closep(&h->env.proc);
    closep(&h->env.root);
    free(h->seen);
    free(h->before);
    free(h->env.buf);
    free(h);
}

DEFINE_FREEP(struct host, kernel_close, host_closep)

static int kernel_open(const struct host_params *params, struct host **ret, struct err *err)
{
    CLEANUP(host_closep) struct host *h = mem_zalloc(sizeof(*h));
    h->kmsg.fd = h->env.proc = -1;
    h->env.real = strcmp(params->root, "/") == 0;
    h->env.root = open_dir(AT_FDCWD, params->root);
    if (h->env.root < 0)
        return err_set(err, -h->env.root, "%s cannot be opened: %s", params->root,
                       strerror(-h->env.root));
    h->env.proc = open_dir(h->env.root, "proc");
    if (h->env.proc < 0)
        return err_set(err, -h->env.proc, "proc below %s cannot be opened: %s", params->root,
                       strerror(-h->env.proc));
    int self = open_dir(h->env.proc, "self");
    if (self < 0)
        return err_set(err, -self, "proc/self below %s cannot be opened (is proc mounted?): %s",
                       params->root, strerror(-self));
    h->namespace = mount_namespace(self);
    closep(&self);
    raise_descriptor_limit();
    h->own_namespace = params->own_mount_namespace;
    h->env.clock = params->clock;
    h->env.size = SCRATCH_BYTES;
    h->env.buf = mem_zalloc(h->env.size);
    h->env.tick_hz = sysconf(_SC_CLK_TCK);
    h->env.page_bytes = sysconf(_SC_PAGESIZE);
    h->env.boot_time = NAN;
    h->machine = machine_new(h->env.root);
    h->net = host_net_new(h->env.root, h->env.real);
    kmsg_open(&h->kmsg, h->env.root);
    h->prober = prober_new();
    h->slow_round = 1; // processes begin with 0
    *ret = TAKE_PTR(h);
    return 0;
}

static int seen_order(const void *a, const void *b)
{
    const struct seen *x = a, *y = b;
    return (x->pid > y->pid) - (x->pid < y->pid);
}

static struct seen *find_seen(struct host *h, int32_t pid)
{
    const struct seen key = {.pid = pid};
    if (h->n_seen == 0)
        return NULL;
    return bsearch(&key, h->seen, h->n_seen, sizeof(*h->seen), seen_order);
}

static void swap_lists(struct host *h)
{
    struct seen *list = h->before;
    size_t n = h->n_before, cap = h->cap_before;
    h->before = h->seen, h->n_before = h->n_seen, h->cap_before = h->cap_seen;
    h->seen = list, h->n_seen = n, h->cap_seen = cap;
}

// Every PID in proc into h->seen; what stood there goes to h->before. False where proc could not
// be listed to its end: nothing has changed then.
static bool list_pids(struct host *h)
{
    int fd = open_dir(h->env.proc, ".");
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        closep(&fd);
        return false;
    }
    swap_lists(h);
    h->n_seen = 0;
    bool sorted = true;
    errno = 0;
    for (const struct dirent *e; (e = readdir(dir)); errno = 0) {
        uint64_t pid = 0;
        if (number_parse_u64(e->d_name, &pid) < 0 || pid > INT32_MAX ||
            mem_grow_capped(&h->seen, &h->cap_seen, h->n_seen, sizeof(*h->seen), PIDS_MAX) < 0)
            continue;
        sorted = sorted && (h->n_seen == 0 || h->seen[h->n_seen - 1].pid < (int32_t)pid);
        h->seen[h->n_seen++] = (struct seen){.pid = (int32_t)pid, .inode = e->d_ino};
    }
    bool whole = errno == 0;
    closedir(dir);
    if (!sorted)
        qsort(h->seen, h->n_seen, sizeof(*h->seen), seen_order);
    if (!whole)
        swap_lists(h);
    return whole;
}

static bool is_daemon(const char *comm)
{
    return strcmp(comm, "libvirtd") == 0 || strcmp(comm, "virtqemud") == 0;
}

static void look_at_kernel_thread(struct seen *s, const char *comm)
{
    int32_t owner = -1;
    s->kernel = true;
    if (parse_thread_name(comm, &owner) == THREAD_VHOST && owner > 0)
        s->works_for = owner;
}

static void read_cmdline(struct host *h, struct seen *s)
{
    char path[24];
    snprintf(path, sizeof(path), "%d", s->pid);
    int dir = open_dir(h->env.proc, path);
    if (dir < 0)
        return;
    struct look *l = mem_zalloc(sizeof(*l));
    l->probe = (struct probe){.limit_ns = LOOK_LIMIT_NS, .run = look_run, .free = look_free};
    l->pid = s->pid;
    l->start_ticks = s->start_ticks;
    l->dir = dir;
    s->looking = true;
    prober_submit(h->prober, &l->probe);
}

// 0 in a recorded tree, whose processes belong to another clock.
static int64_t process_age_ns(const struct host *h, int64_t start_ticks)
{
    struct timespec t;
    if (!h->env.real || clock_gettime(CLOCK_BOOTTIME, &t) < 0)
        return 0;
    return (t.tv_sec - start_ticks / h->env.tick_hz) * NS_PER_S;
}

static void look_at(struct host *h, struct seen *s, int64_t now, bool full)
{
    char path[32];
    struct proc_stat st;
    snprintf(path, sizeof(path), "%d/stat", s->pid);
    ssize_t n = fs_read_small(h->env.proc, path, h->env.buf, h->env.size);
    if (n < 0 || parse_stat(h->env.buf, (size_t)n, &st) < 0)
        return;
    bool same = s->start_ticks == st.start_ticks;
    if (same && (s->proc || (!full && strncmp(s->comm, st.comm, sizeof(s->comm) - 1) == 0)))
        return; // becoming another program changes the name
    s->proc = NULL;
    s->works_for = 0;
    s->start_ticks = st.start_ticks;
    s->daemon = is_daemon(st.comm);
    s->young_until_ns = now + YOUNG_NS - process_age_ns(h, st.start_ticks);
    snprintf(s->comm, sizeof(s->comm), "%.15s", st.comm);
    if (st.kernel_thread)
        look_at_kernel_thread(s, st.comm);
    else if (!s->daemon)
        read_cmdline(h, s);
}

static bool wants_look(const struct seen *s, int64_t now, bool full)
{
    if (s->looking)
        return false;
    return full || s->daemon || (!s->proc && !s->kernel && now < s->young_until_ns);
}

// Carry over what is known of PIDs that are still there, and look at the others.
static void compare_pids(struct host *h, int64_t now)
{
    bool full = now - h->full_check_ns >= FULL_CHECK_NS;
    if (full)
        h->full_check_ns = now;
    for (size_t i = 0, old = 0; i < h->n_seen; i++) {
        struct seen *s = &h->seen[i];
        while (old < h->n_before && h->before[old].pid < s->pid)
            old++;
        bool known = old < h->n_before && h->before[old].pid == s->pid;
        bool same = known && h->before[old].inode == s->inode;
        if (known) {
            uint64_t inode = s->inode;
            *s = h->before[old];
            s->inode = inode;
        }
        if (!same || wants_look(s, now, full))
            look_at(h, s, now, full);
    }
}

static struct proc *find_proc(struct host *h, int32_t pid)
{
    for (size_t i = 0; i < h->n_procs; i++)
        if (h->procs[i]->pid == pid && !h->procs[i]->gone)
            return h->procs[i];
    return NULL;
}

static void take_look(struct host *h, struct look *l)
{
    struct seen *s = find_seen(h, l->pid);
    if (!s || s->start_ticks != l->start_ticks)
        return;
    s->looking = false;
    if (!l->args.has_uuid || s->proc)
        return;
    if (mem_grow_capped(&h->procs, &h->cap_procs, h->n_procs, sizeof(*h->procs), PROCS_MAX) < 0)
        return;
    struct proc *p = proc_new(&h->env, l->pid, l->start_ticks, l->dir, &l->args);
    l->dir = -1;
    p->namespace = mount_namespace(p->dir);
    h->procs[h->n_procs++] = p;
    s->proc = p;
}

static struct batch *begin(const struct host_sink *sink, enum lane lane, const struct proc *p,
                           int64_t mono_ns)
{
    struct batch *b = sink->batch(sink->arg);
    b->lane = lane;
    b->host = !p;
    b->mono_ns = mono_ns;
    if (p) {
        b->uuid = p->uuid;
        b->pid = p->pid;
        b->process_start = p->start_ticks;
    }
    return b;
}

static void tell_gone(const struct host_sink *sink, const struct proc *p, int64_t mono_ns)
{
    struct batch *b = begin(sink, LANE_KERNEL, p, mono_ns);
    b->pid = 0;
    sink->emit(b, sink->arg);
}

static void remove_proc(struct host *h, size_t i)
{
    struct proc *p = h->procs[i];
    struct seen *s = find_seen(h, p->pid);
    if (s && s->proc == p)
        s->proc = NULL;
    h->procs[i] = h->procs[--h->n_procs];
    proc_free(p);
}

// Give the readings of a process back to it and tell them; it may be gone by now. What comes late
// is too old to be told.
static void take_slow(struct host *h, struct slow *s, const struct host_sink *sink)
{
    for (size_t i = 0; i < h->n_procs; i++) {
        struct proc *p = h->procs[i];
        if (p->slow_under_way != &s->probe)
            continue;
        if (!s->probe.late) {
            struct batch *b = begin(sink, LANE_SLOW, p, p->slow_begun_ns);
            slow_emit(s, clock_mono_ns(h->env.clock), b);
            sink->emit(b, sink->arg);
        }
        p->slow = s;
        p->slow_under_way = NULL;
        p->slow_stuck = false;
        return;
    }
    slow_free(s);
}

static void take_probes(struct host *h, const struct host_sink *sink)
{
    for (struct probe *p; (p = prober_take(h->prober));) {
        if (p->run == look_run) {
            take_look(h, (struct look *)p);
            p->free(p);
        } else {
            take_slow(h, (struct slow *)p, sink);
        }
    }
    const struct probe *stuck = prober_expire(h->prober);
    for (size_t i = 0; stuck && i < h->n_procs; i++)
        if (h->procs[i]->slow_under_way == stuck)
            h->procs[i]->slow_stuck = true;
}

// Is somebody else at home in the process's mount namespace: a libvirt daemon, or another VM? Then
// it is not the process's own. Daemons are asked each time: a fork of one bears its name for a
// moment inside the namespace of the VM that it is about to become.
static bool is_foreign(struct host *h, const struct proc *p)
{
    if (!h->own_namespace || !h->namespace || !p->namespace || p->namespace == h->namespace)
        return false;
    for (size_t i = 0; i < h->n_procs; i++)
        if (h->procs[i] != p && h->procs[i]->namespace == p->namespace)
            return true;
    for (size_t i = 0; i < h->n_seen; i++) {
        if (!h->seen[i].daemon)
            continue;
        char path[24];
        snprintf(path, sizeof(path), "%d", h->seen[i].pid);
        CLEANUP(closep) int dir = open_dir(h->env.proc, path);
        if (dir >= 0 && mount_namespace(dir) == p->namespace)
            return true;
    }
    return false;
}

static void judge_namespaces(struct host *h, const struct host_sink *sink, int64_t now)
{
    for (size_t i = 0; i < h->n_procs; i++) {
        struct proc *p = h->procs[i];
        if (p->foreign || !is_foreign(h, p))
            continue;
        p->foreign = true;
        if (p->name_told)
            tell_gone(sink, p, now);
    }
}

static void kernel_scan(struct host *h, const struct host_sink *sink)
{
    int64_t now = clock_mono_ns(h->env.clock);
    if (now >= h->machine_scan_ns) {
        h->machine_scan_ns = now + MACHINE_SCAN_NS;
        machine_scan(h->machine);
    }
    if (!list_pids(h))
        return;
    compare_pids(h, now);
    for (size_t i = h->n_procs; i-- > 0;) {
        const struct proc *p = h->procs[i];
        const struct seen *s = find_seen(h, p->pid);
        if (s && s->proc == p)
            continue;
        if (!p->foreign)
            tell_gone(sink, p, now);
        remove_proc(h, i);
    }
    prober_wait(h->prober, LOOK_WAIT_NS);
    take_probes(h, sink);
    judge_namespaces(h, sink, now);
    for (size_t i = 0; i < h->n_seen; i++) {
        struct proc *owner = h->seen[i].works_for ? find_proc(h, h->seen[i].works_for) : NULL;
        if (owner)
            proc_add_outside(owner, h->seen[i].pid);
    }
}

static void sample_procs(struct host *h, int64_t mono_ns, const struct host_sink *sink)
{
    for (size_t i = h->n_procs; i-- > 0;) {
        struct proc *p = h->procs[i];
        if (p->foreign)
            continue;
        struct batch *b = begin(sink, LANE_KERNEL, p, mono_ns);
        bool gone = proc_sample(p, &h->env, mono_ns, b) < 0; // it wrote nothing then
        if (gone)
            b->pid = 0;
        sink->emit(b, sink->arg);
        if (gone)
            remove_proc(h, i);
    }
}

static void kernel_sample(struct host *h, int64_t mono_ns, const struct host_sink *sink)
{
    size_t before = h->n_procs;
    take_probes(h, sink);
    if (h->n_procs != before)
        judge_namespaces(h, sink, mono_ns);
    h->env.boot_time = machine_boot_time(h->machine, h->env.buf, h->env.size);
    sample_procs(h, mono_ns, sink);
    struct batch *b = begin(sink, LANE_HOST, NULL, clock_mono_ns(h->env.clock));
    machine_sample(h->machine, h->env.buf, h->env.size, b);
    host_net_sample(h->net, b);
    kmsg_sample(&h->kmsg, h->env.buf, h->env.size, b);
    sink->emit(b, sink->arg);
}

static void list_vcpus(const struct proc *p, struct slow *s)
{
    s->n_vcpus = 0;
    for (size_t i = 0; i < p->n_vcpus; i++)
        for (size_t t = 0; t < p->n_threads; t++)
            if (p->threads[t].vcpu == p->vcpus[i].id && !p->threads[t].gone) {
                mem_grow(&s->vcpus, &s->cap_vcpus, s->n_vcpus, sizeof(*s->vcpus));
                s->vcpus[s->n_vcpus++] = p->vcpus[i].id;
                break;
            }
}

static void begin_slow(struct host *h, struct proc *p, int64_t mono_ns,
                       const struct host_sink *sink)
{
    p->slow_round = h->slow_round;
    if (!p->slow && !p->slow_stuck)
        p->slow = slow_new(h->env.root, p->dir, p->pid, h->env.real, h->env.clock);
    if (!p->slow) {
        struct batch *b = begin(sink, LANE_SLOW, p, mono_ns);
        const char *reason = source_reason(p->slow_stuck ? ETIMEDOUT : EMFILE);
        batch_fact(b, 0, FACT_VM_PSS, NAN);
        batch_fact(b, 0, FACT_VM_PSS_AGE, NAN);
        batch_fact(b, 0, FACT_VM_SWAP, NAN);
        batch_unavailable(b, "pss", reason);
        batch_unavailable(b, "swap", reason);
        batch_unavailable(b, "kvm_stats", reason);
        sink->emit(b, sink->arg);
        return;
    }
    list_vcpus(p, p->slow);
    p->slow_begun_ns = mono_ns;
    p->slow_under_way = &p->slow->probe;
    prober_submit(h->prober, &TAKE_PTR(p->slow)->probe);
}

// One reading at a time; it is told by the next call of slow() or sample().
static int kernel_slow(struct host *h, int64_t mono_ns, const struct host_sink *sink)
{
    struct proc *next = NULL;
    int left = 0, under_way = 0;
    take_probes(h, sink);
    for (size_t i = 0; i < h->n_procs; i++) {
        struct proc *p = h->procs[i];
        if (p->foreign)
            continue;
        under_way += p->slow_under_way != NULL && !p->slow_stuck;
        if (p->slow_round == h->slow_round)
            continue;
        left++;
        if (!next)
            next = p;
    }
    if (under_way > 0)
        return left + under_way;
    if (!next) { // the round is over, and the next call begins another
        h->slow_round++;
        return 0;
    }
    begin_slow(h, next, mono_ns, sink);
    return left - 1 + (next->slow_under_way != NULL && !next->slow_stuck);
}

const struct host_ops host_kernel = {
    .name = "kernel",
    .open = kernel_open,
    .close = kernel_close,
    .scan = kernel_scan,
    .sample = kernel_sample,
    .slow = kernel_slow,
};

char host_process_state(const char *root, int32_t pid, int64_t process_start)
{
    char text[4096];
    struct proc_stat st;
    CLEANUP(freep) char *path = mem_printf("%s/proc/%d/stat", root, pid);
    ssize_t n = fs_read_small(AT_FDCWD, path, text, sizeof(text));
    if (n < 0 || parse_stat(text, (size_t)n, &st) < 0 || st.start_ticks != process_start)
        return 0;
    return st.state;
}
