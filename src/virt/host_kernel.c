// SPDX-License-Identifier: GPL-3.0-or-later
// The real kernel, or a recorded tree: the table of calls, and who the hypervisor processes are.
// Owned by the sampler's thread.
#include "virt/host.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/number.h"
#include "host_kmsg.h"
#include "host_machine.h"
#include "host_net.h"
#include "host_pids.h"
#include "host_proc.h"
#include "host_turn.h"

#define PROCS_MAX 16384
#define SCRATCH_BYTES (512 * 1024)

// Disks, NUMA nodes and sizes of huge pages come and go seldom.
#define MACHINE_SCAN_NS (60 * NS_PER_S)
// How long scan() waits for the command lines of new processes.
#define LOOK_WAIT_NS (20 * NS_PER_MS)

struct host {
    struct proc_env env;
    bool own_namespace;
    uint64_t namespace; // inode of our mount namespace, 0 = unknown
    struct pids pids;
    int64_t machine_scan_ns;
    struct proc **procs; // owned
    size_t n_procs, cap_procs;
    struct machine *machine;
    struct host_net *net;
    struct kmsg kmsg;
    struct prober *prober;
    uint64_t slow_round;
};

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
    pids_done(&h->pids);
    free(h->env.buf);
    free(h);
}

DEFINE_FREEP(struct host, kernel_close, host_closep)

static int kernel_open(const struct host_params *params, struct host **ret, struct err *err)
{
    CLEANUP(host_closep) struct host *h = mem_zalloc(sizeof(*h));
    h->kmsg.fd = h->env.proc = -1;
    h->env.real = strcmp(params->root, "/") == 0;
    h->env.root = dir_open(AT_FDCWD, params->root);
    if (h->env.root < 0)
        return err_set(err, -h->env.root, "%s cannot be opened: %s", params->root,
                       strerror(-h->env.root));
    h->env.proc = dir_open(h->env.root, "proc");
    if (h->env.proc < 0)
        return err_set(err, -h->env.proc, "proc below %s cannot be opened: %s", params->root,
                       strerror(-h->env.proc));
    int self = dir_open(h->env.proc, "self");
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
    h->env.detail_ns = params->detail_ns ? params->detail_ns : HOST_DETAIL_NS;
    h->machine = machine_new(h->env.root, h->env.detail_ns);
    h->net = host_net_new(h->env.root, h->env.real, h->env.detail_ns);
    kmsg_open(&h->kmsg, h->env.root);
    h->prober = prober_new();
    h->pids = (struct pids){.env = &h->env, .prober = h->prober};
    h->slow_round = 1; // processes begin with 0
    *ret = TAKE_PTR(h);
    return 0;
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
    struct seen *s = pids_looked(&h->pids, l);
    if (!s || !l->args.has_uuid ||
        mem_grow_capped(&h->procs, &h->cap_procs, h->n_procs, sizeof(*h->procs), PROCS_MAX) < 0)
        return;
    s->proc = proc_new(&h->env, l->pid, l->start_ticks, l->dir, &l->args);
    l->dir = -1;
    s->proc->namespace = mount_namespace(s->proc->dir);
    h->procs[h->n_procs++] = s->proc;
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
    struct seen *s = pids_find(&h->pids, p->pid);
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
        if (pids_is_look(p)) {
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
    for (size_t i = 0; i < h->pids.n_seen; i++) {
        if (!h->pids.seen[i].daemon)
            continue;
        char path[24];
        snprintf(path, sizeof(path), "%d", h->pids.seen[i].pid);
        CLEANUP(closep) int dir = dir_open(h->env.proc, path);
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
    if (!pids_scan(&h->pids, now))
        return;
    for (size_t i = h->n_procs; i-- > 0;) {
        const struct proc *p = h->procs[i];
        const struct seen *s = pids_find(&h->pids, p->pid);
        if (s && s->proc == p)
            continue;
        if (!p->foreign)
            tell_gone(sink, p, now);
        remove_proc(h, i);
    }
    prober_wait(h->prober, LOOK_WAIT_NS);
    take_probes(h, sink);
    judge_namespaces(h, sink, now);
    for (size_t i = 0; i < h->pids.n_seen; i++) {
        struct proc *owner =
            h->pids.seen[i].works_for ? find_proc(h, h->pids.seen[i].works_for) : NULL;
        if (owner)
            proc_add_outside(owner, h->pids.seen[i].pid);
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

int64_t host_turn_ns(int64_t interval_ns, int64_t detail_ns)
{
    int64_t every_ns = turn_at_rest_ns(detail_ns);
    return MIN_OF(turns_of(every_ns) * MAX_OF(interval_ns, NS_PER_S),
                  turn_age_ns(every_ns, interval_ns) + interval_ns);
}

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

int host_process_io(const char *root, int32_t pid, struct host_io *ret)
{
    static const struct keyed keys[] = {{"rchar"}, {"syscr"},      {"wchar"},
                                        {"syscw"}, {"read_bytes"}, {"write_bytes"}};
    char text[1024];
    double v[ARRAY_LEN(keys)];
    CLEANUP(freep) char *path = mem_printf("%s/proc/%d/io", root, pid);
    ssize_t n = fs_read_small(AT_FDCWD, path, text, sizeof(text));
    if (n < 0)
        return (int)n;
    parse_keyed(text, (size_t)n, keys, ARRAY_LEN(keys), v);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (isnan(v[i]))
            return -EINVAL;
    *ret = (struct host_io){.read_chars = (uint64_t)v[0],
                            .read_calls = (uint64_t)v[1],
                            .write_chars = (uint64_t)v[2],
                            .write_calls = (uint64_t)v[3],
                            .read_bytes = (uint64_t)v[4],
                            .write_bytes = (uint64_t)v[5]};
    return 0;
}
