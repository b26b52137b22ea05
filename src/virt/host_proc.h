// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef VIRT_HOST_PROC_H
#define VIRT_HOST_PROC_H

/* One hypervisor process: its threads, its cgroups, its costly sources. */

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/uuid.h"
#include "host_cgroup.h"
#include "host_file.h"
#include "host_parse.h"
#include "host_slow.h"
#include "host_turn.h"
#include "model/batch.h"

/** What all processes share during one call. */
struct proc_env {
    int root; /**< holds proc/ and sys/ */
    int proc; /**< proc/ itself */
    bool real;
    const struct clock *clock;
    char *buf; /**< scratch space */
    size_t size;
    double boot_time; /**< Unix time, NaN = unknown */
    int64_t tick_hz;
    int64_t page_bytes;
    int64_t detail_ns; /**< between turns (host_turn.h) */
};

struct proc_thread {
    int32_t id;
    enum thread_role role;
    int32_t vcpu;      /**< -1 = none */
    bool outside;      /**< a kernel thread that works for the process: a vhost thread before 6.4 */
    bool listed;       /**< still there, during a listing */
    bool gone;         /**< its last reading failed */
    bool may_be_named; /**< it bears its process's name, and may yet give itself one */
    unsigned looks;    /**< at its name, while it had none */
    struct kept schedstat, stat, status;
    struct sched_times times; /**< as last read */
    bool has_times;
    double switches[2];             /**< voluntary and forced, as last read, NaN = unknown */
    struct sched_times switches_at; /**< `times` when they were read */
    struct proc_stat last;          /**< as last read; state 0 = unknown */
};

/** What stays of a vCPU when its thread ends and a new one takes its number. */
struct proc_vcpu {
    int32_t id;
    char key[12];
    struct sched_times ended;
};

struct proc {
    int32_t pid;
    int64_t start_ticks;
    int dir; /**< /proc/PID; opened once, so that it never means another process */
    struct uuid uuid;
    char *name; /**< owned; NULL = unknown */
    bool name_told;
    bool foreign;       /**< of another libvirt */
    uint64_t namespace; /**< inode of its mount namespace, 0 = unknown */
    bool gone;          /**< seen to be gone, and not told yet */

    struct kept stat;
    struct proc_stat last;
    struct proc_thread *threads;
    size_t n_threads, cap_threads;
    bool relist;
    uint64_t listed_count;                /**< threads that stat told at the last listing */
    struct sched_times ended[THREAD_MAX]; /**< of threads that are no more */
    struct proc_vcpu *vcpus;              /**< ascending */
    size_t n_vcpus, cap_vcpus;

    bool cpu_clock; /**< whole-process CPU from the process's own clock */
    double cpu_highest_ns;
    struct cgroup cgroup;
    int64_t next_check_ns;
    unsigned checks;    /**< made so far, as long as that matters */
    struct turns turns; /**< of what is not read in each sample */
    double turn_ran_ns; /**< how long its vCPUs had run when it last had its turn, NAN: not known */

    struct slow *slow; /**< NULL while a reading is under way */
    const struct probe *slow_under_way;
    bool slow_stuck; /**< that reading was written off: no further ones until it returns */
    int64_t slow_begun_ns;
    uint64_t slow_round; /**< the last one it had its turn in */
};

/** Of a process that started so; 0 in a recorded tree, whose processes belong to another clock. */
int64_t proc_age_ns(const struct proc_env *env, int64_t start_ticks);

/** Takes `dir` over. The caller owns the result. */
struct proc *proc_new(const struct proc_env *env, int32_t pid, int64_t start_ticks, int dir,
                      const struct guest_args *args);
void proc_free(struct proc *p);

/** A kernel thread that works for it. */
void proc_add_outside(struct proc *p, int32_t tid);

/** Read all and write the facts; 0, or -errno where the process is gone. */
int proc_sample(struct proc *p, const struct proc_env *env, int64_t mono_ns, struct batch *b);

#endif
