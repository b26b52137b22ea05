// SPDX-License-Identifier: GPL-3.0-or-later
// A hypervisor process, with its descriptors kept open. Each second: its stat and CPU clock, and
// each vCPU thread's schedstat. At its turn (host_turn.h): where each vCPU thread is and its
// context switches, other threads' schedstat, cgroups.
//
// Invariants: no counter ever steps back. Times of threads that end are added to `ended` of their
// role and vCPU before the thread is forgotten. The source of the whole process's CPU time is
// chosen once. Owned by the sampler's thread.
#include "host_proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/number.h"

#define THREADS_MAX 16384
// libvirt sets cgroups up while a VM starts, and changes them seldom later.
#define CHECK_EARLY_NS (5 * NS_PER_S)
#define CHECK_LATER_NS (60 * NS_PER_S)
#define EARLY_CHECKS 6
#define LOOKS_MAX 4 // at a thread without a name of its own
// A guest rests while its vCPUs together run for no more of one CPU.
#define REST_CPU_RATIO 0.02

// A reading of all vCPUs that took longer was interrupted, and its time stamp says little.
#define STAMP_LIMIT_NS (2 * NS_PER_MS)

// Linux's number for the CPU clock of another process.
static clockid_t process_clock(int32_t pid)
{
    return (clockid_t)((~(unsigned)pid << 3) | 2u);
}

static int read_process_clock(int32_t pid, double *ret_ns)
{
    struct timespec t;
    if (clock_gettime(process_clock(pid), &t) < 0)
        return -errno;
    *ret_ns = (double)t.tv_sec * (double)NS_PER_S + (double)t.tv_nsec;
    return 0;
}

int64_t proc_age_ns(const struct proc_env *env, int64_t start_ticks)
{
    struct timespec t;
    if (!env->real || clock_gettime(CLOCK_BOOTTIME, &t) < 0)
        return 0;
    return (t.tv_sec - start_ticks / env->tick_hz) * NS_PER_S;
}

struct proc *proc_new(const struct proc_env *env, int32_t pid, int64_t start_ticks, int dir,
                      const struct guest_args *args)
{
    struct proc *p = mem_zalloc(sizeof(*p));
    double ignored;
    p->pid = pid;
    p->start_ticks = start_ticks;
    p->dir = dir;
    p->uuid = args->uuid;
    p->name = args->name[0] ? mem_strdup(args->name) : NULL;
    p->stat = KEPT_INIT;
    p->relist = true;
    p->turns.now = (unsigned)pid;
    bool is_old = proc_age_ns(env, start_ticks) > EARLY_CHECKS * CHECK_EARLY_NS;
    p->checks = is_old ? EARLY_CHECKS : 0;
    p->cpu_clock = env->real && read_process_clock(pid, &ignored) == 0;
    p->slow = slow_new(env->root, dir, pid, env->real, env->clock);
    return p;
}

static void thread_close(struct proc_thread *t)
{
    kept_close(&t->schedstat);
    kept_close(&t->stat);
    kept_close(&t->status);
}

void proc_free(struct proc *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->n_threads; i++)
        thread_close(&p->threads[i]);
    kept_close(&p->stat);
    closep(&p->dir);
    cgroup_done(&p->cgroup);
    slow_free(p->slow);
    free(p->threads);
    free(p->vcpus);
    free(p->name);
    free(p);
}

static void add_times(struct sched_times *sum, const struct sched_times *t)
{
    sum->run_ns += t->run_ns;
    sum->wait_ns += t->wait_ns;
    sum->slices += t->slices;
}

static struct proc_vcpu *find_vcpu(struct proc *p, int32_t id)
{
    for (size_t i = 0; i < p->n_vcpus; i++)
        if (p->vcpus[i].id == id)
            return &p->vcpus[i];
    return NULL;
}

static void add_vcpu(struct proc *p, int32_t id)
{
    if (find_vcpu(p, id))
        return;
    mem_grow(&p->vcpus, &p->cap_vcpus, p->n_vcpus, sizeof(*p->vcpus));
    size_t at = p->n_vcpus++;
    for (; at > 0 && p->vcpus[at - 1].id > id; at--)
        p->vcpus[at] = p->vcpus[at - 1];
    p->vcpus[at] = (struct proc_vcpu){.id = id};
    snprintf(p->vcpus[at].key, sizeof(p->vcpus[at].key), "%d", id);
}

static void forget_thread(struct proc *p, size_t i)
{
    struct proc_thread *t = &p->threads[i];
    add_times(&p->ended[t->role], &t->times);
    struct proc_vcpu *v = find_vcpu(p, t->vcpu);
    if (v)
        add_times(&v->ended, &t->times);
    thread_close(t);
    *t = p->threads[--p->n_threads];
}

static struct proc_thread *find_thread(struct proc *p, int32_t id)
{
    for (size_t i = 0; i < p->n_threads; i++)
        if (p->threads[i].id == id && !p->threads[i].gone)
            return &p->threads[i];
    return NULL;
}

// A thread's path below the process's directory, or below proc/ for a thread outside of it.
static ssize_t thread_read(const struct proc *p, const struct proc_env *env,
                           const struct proc_thread *t, struct kept *k, const char *file)
{
    char path[64];
    path[0] = '\0';
    if (k->fd < 0 && k->error == 0)
        snprintf(path, sizeof(path), t->outside ? "%d/%s" : "task/%d/%s", t->id, file);
    return kept_read(k, t->outside ? env->proc : p->dir, path, env->buf, env->size);
}

// By its name; where that says nothing, by the sub-group that libvirt has put it into.
static void name_thread(const struct proc *p, const struct proc_env *env, struct proc_thread *t)
{
    char path[64], text[64];
    snprintf(path, sizeof(path), "task/%d/comm", t->id);
    ssize_t n = fs_read_small(p->dir, path, text, sizeof(text));
    if (n > 0 && text[n - 1] == '\n')
        text[n - 1] = '\0';
    int32_t number = -1;
    bool is_named = n <= 0 || strcmp(text, p->last.comm) != 0;
    if (n > 0)
        t->role = parse_thread_name(text, &number);
    if (t->role == THREAD_EMULATOR && p->cgroup.n_members > 2) {
        snprintf(path, sizeof(path), "task/%d/cgroup", t->id);
        n = fs_read_small(p->dir, path, env->buf, env->size);
        struct cgroup_line lines[CGROUP_SLOTS];
        parse_cgroup(env->buf, n < 0 ? 0 : (size_t)n, lines);
        const struct cgroup_line *l =
            lines[CGROUP_CPU].path ? &lines[CGROUP_CPU] : &lines[CGROUP_V2];
        if (l->path) {
            CLEANUP(freep) char *group = mem_strndup(l->path, l->path_len);
            t->role = parse_thread_cgroup(group, &number);
        }
    }
    t->vcpu = t->role == THREAD_VCPU ? number : -1;
    t->may_be_named =
        t->role == THREAD_EMULATOR && !is_named && t->id != p->pid && ++t->looks < LOOKS_MAX;
}

// A thread names itself: one that was listed before it has bears its process's name, and is looked
// at again in the next samples. Its time until then stays with the emulator's.
static void name_again(struct proc *p, const struct proc_env *env, struct proc_thread *t)
{
    if (!t->may_be_named)
        return;
    name_thread(p, env, t);
    if (t->role == THREAD_EMULATOR)
        return;
    add_times(&p->ended[THREAD_EMULATOR], &t->times);
    if (t->role == THREAD_VCPU)
        add_vcpu(p, t->vcpu);
}

static void add_thread(struct proc *p, const struct proc_env *env, int32_t id, bool outside)
{
    if (mem_grow_capped(&p->threads, &p->cap_threads, p->n_threads, sizeof(*p->threads),
                        THREADS_MAX) < 0)
        return;
    struct proc_thread t = {.id = id,
                            .vcpu = -1,
                            .outside = outside,
                            .switches = {NAN, NAN},
                            .switches_at = {.run_ns = UINT64_MAX},
                            .listed = true,
                            .schedstat = KEPT_INIT,
                            .stat = KEPT_INIT,
                            .status = KEPT_INIT};
    if (outside)
        t.role = THREAD_VHOST;
    else
        name_thread(p, env, &t);
    if (t.role == THREAD_VCPU)
        add_vcpu(p, t.vcpu);
    p->threads[p->n_threads++] = t;
}

void proc_add_outside(struct proc *p, int32_t tid)
{
    if (find_thread(p, tid))
        return;
    add_thread(p, NULL, tid, true);
    p->relist = true;
}

static void list_threads(struct proc *p, const struct proc_env *env)
{
    DIR *dir = dir_list(p->dir, "task");
    if (!dir)
        return;
    for (size_t i = 0; i < p->n_threads; i++)
        p->threads[i].listed = p->threads[i].outside;
    for (const struct dirent *e; (e = readdir(dir));) {
        uint64_t id = 0;
        if (number_parse_u64(e->d_name, &id) < 0 || id > INT32_MAX)
            continue;
        struct proc_thread *t = find_thread(p, (int32_t)id);
        if (t) {
            t->listed = true;
            name_again(p, env, t);
        } else {
            add_thread(p, env, (int32_t)id, false);
        }
    }
    closedir(dir);
    for (size_t i = p->n_threads; i-- > 0;)
        if (!p->threads[i].listed || p->threads[i].gone)
            forget_thread(p, i);
    p->relist = false;
    for (size_t i = 0; i < p->n_threads; i++)
        p->relist = p->relist || p->threads[i].may_be_named;
    p->listed_count = p->last.threads;
}

static uint64_t not_below(uint64_t old, uint64_t now)
{
    return MAX_OF(old, now);
}

static void read_times(struct proc *p, const struct proc_env *env, struct proc_thread *t)
{
    struct sched_times now;
    ssize_t n = thread_read(p, env, t, &t->schedstat, "schedstat");
    t->has_times = n >= 0 && parse_schedstat(env->buf, (size_t)n, &now) == 0;
    if (t->has_times)
        t->times = (struct sched_times){not_below(t->times.run_ns, now.run_ns),
                                        not_below(t->times.wait_ns, now.wait_ns),
                                        not_below(t->times.slices, now.slices)};
    else if (n == -ESRCH || (n == -ENOENT && faccessat(p->dir, "schedstat", F_OK, 0) == 0))
        t->gone = p->relist = true;
}

// The moment that the vCPUs' times belong to: read again where the reading was interrupted.
static int64_t read_vcpu_times(struct proc *p, const struct proc_env *env)
{
    int64_t begin = 0;
    for (int round = 0; round < 3; round++) {
        begin = clock_mono_ns(env->clock);
        for (size_t i = 0; i < p->n_threads; i++)
            if (p->threads[i].role == THREAD_VCPU)
                read_times(p, env, &p->threads[i]);
        if (clock_mono_ns(env->clock) - begin <= STAMP_LIMIT_NS)
            break;
    }
    return begin;
}

static void read_stat(struct proc *p, const struct proc_env *env, struct proc_thread *t)
{
    ssize_t n = thread_read(p, env, t, &t->stat, "stat");
    if (n < 0 || parse_stat(env->buf, (size_t)n, &t->last) < 0)
        t->last = (struct proc_stat){.cpu = -1};
}

// `status` is the costliest file of a thread. A thread that has not run since it was last read has
// not been switched either.
static void read_switches(struct proc *p, const struct proc_env *env, struct proc_thread *t)
{
    static const struct keyed keys[] = {{"voluntary_ctxt_switches"},
                                        {"nonvoluntary_ctxt_switches"}};
    if (t->has_times && t->switches_at.run_ns == t->times.run_ns &&
        t->switches_at.slices == t->times.slices)
        return;
    ssize_t n = thread_read(p, env, t, &t->status, "status");
    // They are the last two lines.
    const char *at = n < 0 ? NULL : memmem(env->buf, (size_t)n, "\nvoluntary_", 11);
    const char *text = at ? at + 1 : "";
    parse_keyed(text, at ? (size_t)(env->buf + n - text) : 0, keys, 2, t->switches);
    t->switches_at = at ? t->times : (struct sched_times){.run_ns = UINT64_MAX};
}

static void emit_vcpu(struct proc *p, const struct proc_env *env, struct proc_thread *t, bool turn,
                      struct batch *b)
{
    const struct proc_vcpu *v = find_vcpu(p, t->vcpu);
    uint32_t key = batch_key(b, v->key);
    struct sched_times sum = v->ended;
    bool times = t->has_times;
    add_times(&sum, &t->times);
    batch_fact(b, key, FACT_VCPU_RUN, times ? (double)sum.run_ns : NAN);
    batch_fact(b, key, FACT_VCPU_WAIT, times ? (double)sum.wait_ns : NAN);
    if (!turn)
        return;
    read_stat(p, env, t);
    read_switches(p, env, t);
    batch_fact(b, key, FACT_VCPU_SLICES, times ? (double)sum.slices : NAN);
    const char state[2] = {t->last.state, '\0'};
    batch_fact(b, key, FACT_VCPU_CPU, t->last.cpu >= 0 ? (double)t->last.cpu : NAN);
    // An online vCPU is "running" to libvirt, whatever its thread does.
    batch_fact(b, key, FACT_VCPU_STATE, t->last.state ? 1 : NAN);
    batch_attr(b, key, ATTR_VCPU_PROCESS_STATE, t->last.state ? state : NULL);
    batch_fact(b, key, FACT_VCPU_SWITCHES_VOLUNTARY, t->switches[0]);
    batch_fact(b, key, FACT_VCPU_SWITCHES_FORCED, t->switches[1]);
}

struct role_sum {
    struct sched_times times;
    bool any;
    bool missing; // of one thread, so that the sum would be too small
};

static void sum_roles(const struct proc *p, struct role_sum sums[THREAD_MAX])
{
    for (int r = 0; r < THREAD_MAX; r++)
        sums[r] = (struct role_sum){.times = p->ended[r], .any = p->ended[r].slices > 0};
    for (size_t i = 0; i < p->n_threads; i++) {
        const struct proc_thread *t = &p->threads[i];
        add_times(&sums[t->role].times, &t->times);
        sums[t->role].any = true;
        // The time of one that has just ended is known up to its last second.
        sums[t->role].missing = sums[t->role].missing || (!t->has_times && !t->gone);
    }
}

static void emit_sums(struct proc *p, bool turn, struct batch *b)
{
    static const struct {
        enum fact run, wait;
    } facts[THREAD_MAX] = {
        [THREAD_EMULATOR] = {FACT_VM_EMULATOR_RUN, FACT_VM_EMULATOR_WAIT},
        [THREAD_VCPU] = {FACT_VM_VCPU_RUN, FACT_VM_VCPU_WAIT},
        [THREAD_IOTHREAD] = {FACT_VM_IOTHREAD_RUN, FACT_VM_IOTHREAD_WAIT},
        [THREAD_VHOST] = {FACT_VM_VHOST_RUN, FACT_VM_VHOST_WAIT},
    };
    struct role_sum sums[THREAD_MAX];
    double cpu = 0, outside = 0;
    sum_roles(p, sums);
    for (int r = 0; r < THREAD_MAX; r++) {
        bool told = sums[r].any && !sums[r].missing;
        if (turn || r == THREAD_VCPU) {
            batch_fact(b, 0, facts[r].run, told ? (double)sums[r].times.run_ns : NAN);
            batch_fact(b, 0, facts[r].wait, told ? (double)sums[r].times.wait_ns : NAN);
        }
        cpu += sums[r].missing ? NAN : (double)sums[r].times.run_ns;
    }
    for (size_t i = 0; i < p->n_threads; i++)
        if (p->threads[i].outside)
            outside += (double)p->threads[i].times.run_ns;
    if (p->cpu_clock && read_process_clock(p->pid, &cpu) == 0)
        cpu += outside;
    else if (p->cpu_clock)
        cpu = NAN;
    if (!isnan(cpu))
        p->cpu_highest_ns = cpu = fmax(p->cpu_highest_ns, cpu);
    batch_fact(b, 0, FACT_VM_CPU, cpu);
}

static void emit_process(struct proc *p, const struct proc_env *env, bool told, bool turn,
                         struct batch *b)
{
    char state[2] = {p->last.state, '\0'};
    batch_attr(b, 0, ATTR_VM_PROCESS_STATE, told ? state : NULL);
    if (!p->name_told) {
        char pid[12];
        snprintf(pid, sizeof(pid), "%d", p->pid);
        batch_attr(b, 0, ATTR_VM_PID, pid);
        if (p->name)
            batch_attr(b, 0, ATTR_VM_NAME, p->name);
        p->name_told = true;
    }
    // A process that has ended and was not waited for has no memory left to tell of.
    bool dead = p->last.state == 'Z' || p->last.state == 'X';
    batch_fact(b, 0, FACT_VM_RSS,
               told && !dead ? (double)p->last.rss_pages * (double)env->page_bytes : NAN);
    batch_fact(b, 0, FACT_VM_MAJOR_FAULTS, told ? (double)p->last.major_faults : NAN);
    if (!turn)
        return;
    batch_fact(b, 0, FACT_VM_THREADS, told ? (double)p->last.threads : NAN);
    batch_fact(b, 0, FACT_VM_START_TIME,
               env->boot_time + (double)p->start_ticks / (double)env->tick_hz);
}

static void emit_missing(const struct proc *p, struct batch *b)
{
    int error = 0;
    bool knows_cpus = true, knows_switches = true;
    for (size_t i = 0; i < p->n_threads; i++) {
        const struct proc_thread *t = &p->threads[i];
        error = MIN_OF(error, t->gone ? 0 : t->schedstat.error);
        if (t->role != THREAD_VCPU || t->gone)
            continue;
        knows_cpus = knows_cpus && t->last.cpu >= 0;
        knows_switches = knows_switches && !isnan(t->switches[0]);
    }
    if (error < 0)
        batch_unavailable(b, "schedstat", source_reason(error));
    if (!knows_cpus)
        batch_unavailable(b, "last_cpu", "a thread's stat cannot be read");
    if (!knows_switches)
        batch_unavailable(b, "context_switches", "a thread's status cannot be read");
    if (p->n_vcpus == 0)
        batch_unavailable(b, "vcpu_threads", "threads carry no names (debug-threads=on)");
}

static void read_others(struct proc *p, const struct proc_env *env)
{
    for (size_t i = 0; i < p->n_threads; i++)
        if (p->threads[i].role != THREAD_VCPU)
            read_times(p, env, &p->threads[i]);
    cgroup_read_limits(&p->cgroup, env->root, env->buf, env->size);
    cgroup_read_pressure(&p->cgroup, env->root, env->buf, env->size);
}

// What changes seldom: cgroups, files that could not be opened. True where all must be read again.
static bool check(struct proc *p, const struct proc_env *env)
{
    for (size_t i = 0; i < p->n_threads; i++) {
        kept_retry(&p->threads[i].schedstat);
        kept_retry(&p->threads[i].stat);
        kept_retry(&p->threads[i].status);
    }
    return cgroup_follow(&p->cgroup, env->root, p->dir, env->buf, env->size);
}

static double vcpus_ran_ns(const struct proc *p)
{
    struct role_sum sums[THREAD_MAX];
    sum_roles(p, sums);
    const struct role_sum *vcpus = &sums[THREAD_VCPU];
    return vcpus->any && !vcpus->missing ? (double)vcpus->times.run_ns : NAN;
}

// A turn of the process, where it is due.
static bool take_turn(struct proc *p, const struct proc_env *env, int64_t mono_ns, bool all)
{
    double ran = vcpus_ran_ns(p), since = ran - p->turn_ran_ns;
    bool rests = since >= 0 && since <= REST_CPU_RATIO * (double)(mono_ns - p->turns.read_ns);
    int64_t every_ns = rests ? turn_at_rest_ns(env->detail_ns) : env->detail_ns;
    bool turn = turns_next(&p->turns, mono_ns, every_ns, all);
    if (turn)
        p->turn_ran_ns = ran;
    return turn;
}

int proc_sample(struct proc *p, const struct proc_env *env, int64_t mono_ns, struct batch *b)
{
    struct proc_stat st;
    kept_retry(&p->stat);
    ssize_t n = kept_read(&p->stat, p->dir, "stat", env->buf, env->size);
    if (n == 0 || n == -ESRCH || n == -ENOENT)
        return -ESRCH;
    bool told = n > 0 && parse_stat(env->buf, (size_t)n, &st) == 0;
    if (told && st.start_ticks != p->start_ticks)
        return -ESRCH;
    if (told)
        p->last = st;
    else
        batch_unavailable(b, "process", source_reason(n < 0 ? (int)n : -EINVAL));
    bool all = p->relist || p->last.threads != p->listed_count;
    if (mono_ns >= p->next_check_ns) {
        // The last early one is followed by another after a while of its own, to spread the load.
        int64_t spread = p->checks == EARLY_CHECKS ? p->pid % 60 * NS_PER_S : 0;
        int64_t pause = p->checks < EARLY_CHECKS ? CHECK_EARLY_NS : CHECK_LATER_NS - spread;
        p->next_check_ns = mono_ns + pause;
        p->checks += p->checks <= EARLY_CHECKS;
        all = check(p, env) || all;
    }
    if (p->relist || p->last.threads != p->listed_count)
        list_threads(p, env);
    b->mono_ns = read_vcpu_times(p, env);
    bool turn = take_turn(p, env, mono_ns, all);
    if (turn)
        read_others(p, env);
    emit_process(p, env, told, turn, b);
    emit_sums(p, turn, b);
    if (turn)
        cgroup_emit(&p->cgroup, b);
    cgroup_emit_missing(&p->cgroup, b);
    for (size_t i = 0; i < p->n_threads; i++)
        if (p->threads[i].role == THREAD_VCPU && !p->threads[i].gone)
            emit_vcpu(p, env, &p->threads[i], turn, b);
    emit_missing(p, b);
    return 0;
}
