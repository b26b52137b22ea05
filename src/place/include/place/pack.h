// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef PLACE_PACK_H
#define PLACE_PACK_H

/*
 * How well a score packs: a trace of arrivals and departures is played through the chooser
 * (online), or a static set of VMs is packed at once (offline), beside the vector lower bound: the
 * largest, over resources, of what is asked in all divided by what a host has.
 */

#include "place/arrivals.h"
#include "place/choose.h"

/** What an online policy may know and do. */
struct place_pack_options {
    enum place_score score;
    struct place_vector host; /**< capacity of each host */
    size_t n_hosts;
    bool known_ends;    /**< VMs come with the time of their end, as leases do */
    int moves_per_step; /**< live migrations allowed at each instant of the trace; 0 none */
};

struct place_pack_result {
    double mean_hosts; /**< with at least one VM, averaged over the trace's time */
    double mean_bound; /**< the vector lower bound, averaged likewise */
    size_t peak_hosts;
    size_t placed, refused;
    size_t moves;
    size_t breaches; /**< counted after each instant */
};

/** Play a trace. 0 or -ENOMEM. Deterministic. */
int place_pack_online(const struct place_arrivals *a, const struct place_pack_options *options,
                      struct place_pack_result *ret);

/** Classical generators of static instances. */
enum place_generator {
    PLACE_GENERATE_UNIFORM,    /**< each resource uniform in 1 to 25 % of a host, independent */
    PLACE_GENERATE_CORRELATED, /**< memory within a fifth of the CPU's part */
    PLACE_GENERATE_ANTI,       /**< much of the one, little of the other */
    PLACE_GENERATE_FLAVOURS,   /**< cloud flavours: 1 to 16 vCPUs, 1.75, 4 or 8 GiB each */
    PLACE_GENERATORS,
};

const char *place_generator_name(enum place_generator g);

/** A snapshot of `n` unplaced VMs and as many equal hosts (64 vCPUs, 256 GiB). */
struct place_snapshot *place_generate(enum place_generator g, size_t n, uint64_t seed);

/**
 * Pack all VMs of a snapshot of equal, empty hosts into few: the best of several greedy orders,
 * then improved by emptying hosts one after the other (local search within `rounds`). Returns hosts
 * used, writes a host for each VM into `ret_hosts`; 0 without memory or where one does not fit at
 * all.
 */
size_t place_pack_offline(const struct place_snapshot *s, int rounds, int32_t *ret_hosts);

/** The vector lower bound for a snapshot of equal hosts, rounded up. */
size_t place_pack_bound(const struct place_snapshot *s);

#endif
