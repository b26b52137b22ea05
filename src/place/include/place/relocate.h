// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef PLACE_RELOCATE_H
#define PLACE_RELOCATE_H

/*
 * Moves over a snapshot that keep every constraint: emptying a host for maintenance, spreading load
 * more evenly, freeing hosts so that they can be powered down. Each move has to gain more than it
 * costs (evacuations apart), in joules over the hour that follows. No VM that moved within the last
 * hour is moved, and none returns to the host that it left then.
 */

#include "place/choose.h"

/** How a live migration will go (pre-copy). */
struct place_migration {
    double duration_s;
    double downtime_s;
    bool converges; /**< false: pages are written faster than sent; needs throttling or post-copy */
};

/**
 * Forecast: memory is sent while the guest dirties it; each round sends what the one before left
 * dirty, until what is left fits into 300 ms of downtime, 30 rounds at most (Akoush et al., MASCOTS
 * 2010). A bandwidth of 0 is taken as 10 Gbit/s at 80 %.
 */
struct place_migration place_migration_forecast(int64_t memory_bytes,
                                                int64_t dirty_bytes_per_second,
                                                int64_t bandwidth_bytes_per_second);

enum relocate_reason {
    RELOCATE_EVACUATE, /**< its host has to be empty */
    RELOCATE_BALANCE,  /**< its host carries more than others */
    RELOCATE_FREE,     /**< its host can be powered down */
    RELOCATE_REASONS,
};

const char *relocate_reason_name(enum relocate_reason reason);

struct relocate_move {
    int32_t vm, from, to;
    enum relocate_reason reason;
    double from_load_ratio, to_load_ratio; /**< CPU load of both hosts before the move */
    double gain_joules, cost_joules;
    struct place_migration migration;
};

struct relocate_plan {
    struct relocate_move *moves; /**< owned, in order */
    size_t n, cap;
    int32_t *stuck; /**< owned: VMs that had to leave and could not */
    size_t n_stuck, cap_stuck;
    size_t hosts_freed;
    double spread_before, spread_after; /**< standard deviation of the hosts' CPU load */
};

struct relocate_options {
    size_t moves_max;       /**< 0: no limit */
    double tolerance_ratio; /**< of balance: loads that far above the mean are left alone; 0.1 */
    const struct place_allow *allow; /**< NULL: hosts that are off stay off */
};

/** CPU load that is expected of a VM: forecast or mean of its use where known, else its request. */
double relocate_vm_load(const struct place_vm *vm);

/** Empty a host. Others' maintenance is respected; the host itself need not be in it. */
int relocate_evacuate(const struct place_snapshot *s, int32_t host,
                      const struct relocate_options *options, struct relocate_plan *ret);

/** Spread load. An even herd gives no moves. */
int relocate_balance(const struct place_snapshot *s, const struct relocate_options *options,
                     struct relocate_plan *ret);

/** Free hosts: those with the least on them are emptied onto others that run. */
int relocate_consolidate(const struct place_snapshot *s, const struct relocate_options *options,
                         struct relocate_plan *ret);

/** Free the arrays; usable with CLEANUP(). */
void relocate_plan_done(struct relocate_plan *plan);

#endif
