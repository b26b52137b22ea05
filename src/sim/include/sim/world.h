// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

/*
 * The data centre that a scenario describes, in simulated time. Events (arrivals, departures,
 * faults, ends of migrations, samples) are taken in the order of their times, and of their making
 * where these are equal; nothing depends on anything but scenario, policy and seed.
 */

#include "base/buf.h"
#include "place/consolidate.h"
#include "sim/scenario.h"

struct world;

/** What has happened so far. */
struct world_totals {
    double time_s;
    double energy_kwh;
    double host_hours, vm_hours;  /**< of running hosts; of VMs that should run */
    double wanted, given;         /**< work, in MIPS·s */
    double contended_s, active_s; /**< of hosts: some VM got less than it wanted; running at all */
    double swamped_s;             /**< of hosts: working sets did not fit into the memory */
    double down_s;                /**< of VMs: crashed, hung, blocked, paused or waiting */
    double balloon_gib_h, swap_gib_h;
    uint64_t migrations, failed_migrations;
    double copy_s, copy_max_s, pause_s, pause_max_s; /**< sums and highest, over migrations */
    uint64_t arrivals, departures, starts, waits;
    double wait_s, wait_max_s; /**< of those that waited and were started: sum, longest */
    uint64_t faults[FAULT_MAX];
    uint64_t returns;           /**< migrations to a host that the VM had left within the hour */
    uint64_t memory_violations; /**< placements beyond what overcommit allows */
};

/** One line of the timeline: means over its stretch, counts within it. */
struct world_sample {
    double time_s;
    uint32_t hosts, vms, waiting, down;
    double load;  /**< given/capacity of running hosts */
    double steal; /**< share of wanted work that was not given */
    double watts;
    uint64_t migrations, faults;
    double balloon_gib, swap_gib;
};

/**
 * Build it; `scenario` is borrowed and must outlive it. `policy` NULL: the scenario's. The caller
 * frees *ret. 0, -EINVAL (unknown policy or target, err says which), -ENOMEM.
 */
int world_new(const struct scenario *scenario, const char *policy, struct world **ret,
              struct err *err);
void world_free(struct world *w);

/**
 * Have these moves made at the start, as soon as each is possible and in this order, and no others:
 * the policy is not asked any more. Copied; before the first world_run().
 */
void world_direct(struct world *w, const struct place_move *move, size_t n);

/** Moves that were not begun yet. */
size_t world_pending(const struct world *w);

/** Let everything happen up to `time_s` (seconds since the start); 0 or -ENOMEM. */
int world_run(struct world *w, double time_s);

const struct world_totals *world_totals(const struct world *w);

/** The timeline so far, one sample a step; borrowed until the next world_run(). */
const struct world_sample *world_timeline(const struct world *w, size_t *ret_n);

/** What live migration by pre-copy takes; see precopy(). */
struct precopy {
    double duration_s, pause_s;
    uint64_t copied_bytes;
    unsigned rounds;
    bool converged; /**< the pause stayed within the limit */
};

/**
 * Rounds of copying what was dirtied during the round before, until the rest takes no longer than
 * the limit or 30 rounds are over; the pages written again and again are at most the working set.
 * After Clark et al., "Live Migration of Virtual Machines", NSDI 2005.
 */
struct precopy precopy(uint64_t memory_bytes, uint64_t working_set_bytes,
                       uint64_t dirty_bytes_per_s, uint64_t bytes_per_s, double limit_s);

#endif
