// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef PLACE_LIVE_H
#define PLACE_LIVE_H

/*
 * A herd at one instant, as dynamic consolidation sees it, and the plan that comes out. Plain data:
 * the caller owns every array, planning copies nothing out and keeps nothing.
 *
 * CPU is in MIPS, or in any other unit of work per second that is the same throughout.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Samples of CPU kept per VM; 30 is CloudSim's length, which the published detectors rely on. */
#define PLACE_HISTORY 30

/** Power at 0, 10, … 100 % of CPU in watts (as SPECpower reports it), linear between. */
#define PLACE_POWER_POINTS 11
struct place_power {
    double watts[PLACE_POWER_POINTS];
};

/** Watts at a utilisation between 0 and 1; what is outside is taken as 0 or 1. */
double place_power_watts(const struct place_power *power, double ratio);

struct place_live_host {
    double cpu;      /**< of all cores */
    double core;     /**< of one core: no VM of one vCPU can get more */
    double ram_mib;  /**< for the sum of its VMs; INFINITY where memory is not to be counted */
    double recorded; /**< CPU utilisation as last measured, 0 to 1; 0 counts as switched off */
    const struct place_power *power; /**< borrowed */
    bool closed;                     /**< in maintenance: takes nobody and is emptied */
};

struct place_live_vm {
    uint32_t host;
    double cpu;            /**< what its vCPUs could use */
    double wanted;         /**< what it asks for now, at most `cpu` */
    double ram_mib;        /**< memory that a move has to copy, and that its host must hold */
    double copy_s;         /**< forecast duration of a move */
    double pause_s;        /**< forecast downtime of a move */
    bool fixed;            /**< must not be moved now: pinned, or a move is under way */
    uint8_t sampled;       /**< how many of `history` are there */
    const double *history; /**< PLACE_HISTORY ratios of `cpu`, newest first; borrowed */
};

struct place_live {
    double now_s;
    double interval_s; /**< between two plans, and between two samples */
    size_t n_hosts, n_vms;
    const struct place_live_host *host;
    const struct place_live_vm *vm;
    /** Who is where: VMs of host h are listed[first[h]] … listed[first[h + 1] - 1]. */
    const uint32_t *first, *listed;
};

enum place_reason {
    PLACE_REASON_OVERLOAD,  /**< its host has more load than it can serve */
    PLACE_REASON_UNDERLOAD, /**< its host is emptied to be switched off */
    PLACE_REASON_EVACUATE,  /**< its host is closed */
    PLACE_REASON_BALANCE,   /**< load is spread more evenly */
    PLACE_REASON_MAX,
    PLACE_REASON_INVALID = -1,
};

const char *place_reason_name(enum place_reason reason);

/** One VM to another host; energy is the common currency of gain and cost. */
struct place_move {
    uint32_t vm, from, to;
    enum place_reason reason;
    double gain_j;     /**< expected over the stay */
    double cost_j;     /**< of the copy, of the degradation meanwhile and of the downtime */
    double duration_s; /**< forecast */
    double pause_s;    /**< forecast downtime */
};

/** Moves in the order in which they are to be started. */
struct place_plan {
    struct place_move *move; /**< owned */
    size_t n, cap;
};

/** Empty it and keep its memory. */
void place_plan_reset(struct place_plan *plan);

/** Free the memory; usable with CLEANUP(). */
void place_plan_done(struct place_plan *plan);

/** Append a move. */
void place_plan_add(struct place_plan *plan, const struct place_move *move);

#endif
