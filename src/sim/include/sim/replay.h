// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef SIM_REPLAY_H
#define SIM_REPLAY_H

/*
 * Recorded history once more, with and without a plan: the hosts and VMs of a snapshot, each VM
 * wanting what it wanted then. The plan's moves are made at the beginning, its sizes hold
 * throughout; nobody is moved afterwards.
 */

#include "place/plan.h"
#include "sim/history.h"

/** To go back where nobody says how far. */
#define REPLAY_DAYS 7

/** What a run came to. */
struct replay_result {
    double energy_kwh, host_hours;
    double active_s;                   /**< of hosts that run VMs */
    double cpu_short_s;                /**< of these, while some VM got less CPU than it wanted */
    double memory_short_s;             /**< of these, while VMs used more memory than there was */
    double undone_ratio;               /**< work that was wanted and not done */
    double vm_cpu_short_s;             /**< of VMs that wanted more CPU than their vCPUs */
    double vm_memory_short_s;          /**< of VMs that used more memory than they would have */
    uint64_t moves, moves_not_made;    /**< the latter: there was never room */
    double copy_s;                     /**< sum over moves */
    double downtime_s, downtime_max_s; /**< sum, and the longest */
};

/**
 * Replay a history of the snapshot's VMs (h->n of them, in order; those that run nowhere take no
 * part). `effect` NULL: without any plan. Deterministic. 0, -ENOMEM, what `patience` says.
 */
int replay_run(const struct place_snapshot *s, const struct sim_history *h,
               const struct plan_effect *effect, const struct sim_patience *patience,
               struct replay_result *ret, struct err *err);

/** Where plan_write() gets what the plan would have come to: use as plan_trial's argument. */
struct replay {
    struct query_source *source; /**< NULL: there is no store */
    double days;                 /**< to go back */
    bool to_end;                 /**< from the last sample instead of the snapshot's time */
    struct sim_patience patience;
};

/** A plan_trial's function: writes `simulation`. -ENODATA where nothing is stored. */
int replay_write(void *arg, const struct place_snapshot *s, const struct plan_effect *effect,
                 struct json *j, struct err *err);

#endif
