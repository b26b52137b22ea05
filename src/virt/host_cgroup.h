// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef VIRT_HOST_CGROUP_H
#define VIRT_HOST_CGROUP_H

#include <stdbool.h>

#include "host_file.h"
#include "host_parse.h"
#include "model/batch.h"

/** The cgroup files of one VM. Zeroed memory is a valid empty one. */
struct cgroup {
    char *text;                    /**< /proc/PID/cgroup as last seen; owned */
    const char *reason;            /**< why there is nothing to read; NULL = there is */
    struct cgroup_member *members; /**< the VM's group and its sub-groups; owned */
    size_t n_members, cap_members; /**< the first `n_own` are the group itself */
    bool cpu_v2, memory_v2;
    double told[3],
        ended[3];        /**< throttling: the VM's sums, and the share of groups that are no more */
    bool memory_limited; /**< without a limit its events cannot happen */
    double memory_current_told;
    double memory_told[4];             /**< high, max, oom, oom_kill as last read; NaN = absent */
    double pressure_told[3][2];        /**< some, full in nanoseconds as last read; NaN = absent */
    char *memory_path, *pressure_path; /**< owned; NULL = none */
    struct kept self, memory_current, memory_events, memory_oom, memory_limit[2], pressure[3];
};

/**
 * Find the groups of the process whose /proc directory is `proc_dir`, or look whether they have
 * changed; call at its start and every few seconds. `root` is where sys/ is. True where they have.
 */
bool cgroup_follow(struct cgroup *c, int root, int proc_dir, char *buf, size_t size);

/** Read what may have changed: throttling and memory, or pressure. */
void cgroup_read_limits(struct cgroup *c, int root, char *buf, size_t size);
void cgroup_read_pressure(struct cgroup *c, int root, char *buf, size_t size);

/** Facts of LANE_TURN as last read; absent ones as NaN. */
void cgroup_emit(struct cgroup *c, struct batch *b);

/** What cannot be read, and why; for each sample. */
void cgroup_emit_missing(const struct cgroup *c, struct batch *b);

void cgroup_done(struct cgroup *c);

#endif
