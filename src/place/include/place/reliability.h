// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef PLACE_RELIABILITY_H
#define PLACE_RELIABILITY_H

/*
 * What host failures do to VMs and to groups of replicas. Hosts fail and are repaired
 * independently, with exponential times between; a failure domain may fall as a whole besides.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/prng.h"
#include "place/room.h"

#define SECONDS_PER_YEAR (365.25 * 86400)

/** Mean time between failures and to repair, in seconds of operation. */
struct reliability {
    double mtbf_seconds;
    double mttr_seconds;
};

/** Estimates from what was seen: `failures` in `up_s` seconds of operation, `down_s` of repair. */
struct reliability reliability_estimate(unsigned failures, double up_s, double down_s);

/** MTBF / (MTBF + MTTR). */
double reliability_availability(const struct reliability *r);

/** e^(-t / MTBF): no failure within t seconds. */
double reliability_survival(const struct reliability *r, double seconds);

/** At least k of n that are each up with that chance, independently. */
double reliability_k_of_n(int k, int n, double availability);

/** Replicas of a group in one place that fails as one. */
struct reliability_place {
    struct reliability fails;
    int replicas;
};

/**
 * Chance that at least `k` replicas are up, for replicas on `n` places that fail independently
 * (a sum over places; k-of-n is the case of one replica each). NAN without memory.
 */
double reliability_group(const struct reliability_place *places, size_t n, int k);

/** The same by simulating failures for so many years: fraction of time with at least k up. */
double reliability_simulate(struct prng *p, const struct reliability_place *places, size_t n, int k,
                            double years);

/** What is assumed of hosts of which the snapshot says nothing. */
struct reliability_defaults {
    struct reliability host;
    double restart_s; /**< from a host's failure until its VMs run elsewhere; INFINITY: they wait
                         for the repair */
};

/** The whole placement under host failure. */
struct reliability_placement {
    double failures_per_year;      /**< of hosts that run VMs */
    double vm_failures_per_year;   /**< VMs that fall with them */
    double vm_downtime_s_per_year; /**< of all VMs together */
    double worst_host_share_ratio; /**< VMs on the fullest host / all */
    double spread_score;           /**< mean of the groups' scores; 1 where there are none */
};

void reliability_of_placement(const struct place_room *room,
                              const struct reliability_defaults *defaults,
                              struct reliability_placement *ret);

/** One anti-affinity group's replicas. */
struct reliability_group_report {
    int replicas, needed;
    double availability_ratio; /**< at least `needed` up, where they are now */
    double best_ratio;         /**< if each stood on a host of its own */
    double downtime_s_per_year;
    double spread_score; /**< (n - largest) / (n - ⌈n / hosts⌉): 1 spread, 0 all on one */
};

/** `needed`: how many have to run for the service to run. 0 or -ENOENT: none of it is placed. */
int reliability_of_group(const struct place_room *room, int32_t group, int needed,
                         const struct reliability_defaults *defaults,
                         struct reliability_group_report *ret);

#endif
