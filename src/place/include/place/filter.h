// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef PLACE_FILTER_H
#define PLACE_FILTER_H

/*
 * What keeps a VM from a host, and what keeps it from all of them. The first filter that refuses is
 * the reason given.
 */

#include "base/buf.h"
#include "place/room.h"

enum place_filter {
    PLACE_FILTER_MAINTENANCE,
    PLACE_FILTER_OFF,
    PLACE_FILTER_TRAIT,   /**< lacks a CPU model, storage pool, network or label */
    PLACE_FILTER_AVOIDED, /**< has a label that the VM avoids */
    PLACE_FILTER_AFFINITY,
    PLACE_FILTER_ANTI_AFFINITY,
    PLACE_FILTER_AMOUNT, /**< CPU, memory, … within the overcommit limits */
    PLACE_FILTER_NUMA,
    PLACE_FILTERS,
    PLACE_FILTER_NONE = -1, /**< nothing is against it */
};

/** Why a host was refused. */
struct place_refusal {
    enum place_filter filter;
    int32_t trait;                /**< of TRAIT and AVOIDED */
    int32_t group;                /**< of the affinities */
    int32_t other;                /**< of AFFINITY: the host where the group is */
    enum place_resource resource; /**< of AMOUNT */
    int64_t asked, free;          /**< of AMOUNT, in the resource's unit */
};

/** What a caller may allow beyond the ordinary. */
struct place_allow {
    bool off; /**< hosts that are powered down may be woken */
};

/** Ask all filters; true: the VM may go there. *ret (may be NULL) is filled where it may not. */
bool place_filter_host(const struct place_room *room, int32_t vm, int32_t host,
                       const struct place_allow *allow, struct place_refusal *ret);

/** One refusal as words: "memory: asks 8.00 GiB, 2.00 GiB left". */
void place_refusal_text(const struct place_snapshot *s, const struct place_refusal *refusal,
                        struct buf *out);

/** An amount with its unit: "1.5 CPUs", "8.00 GiB", "100 MiB/s". */
void place_amount_text(enum place_resource r, int64_t amount, struct buf *out);

/** A word for a filter, for answers: "maintenance", "trait", … */
const char *place_filter_name(enum place_filter f);

/**
 * Why no host takes a VM. Names the constraint that cannot hold even on an empty herd where there
 * is one ("asks 128 CPUs, the largest host allows 64"); else how many hosts each filter refused.
 * Returns true in the first case: waiting will not help.
 */
bool place_why_impossible(const struct place_room *room, int32_t vm,
                          const struct place_allow *allow, struct buf *out);

/**
 * Count what stands against the rules in a room: amounts over the limits, groups, traits, NUMA
 * nodes. 0 means that every constraint holds.
 */
size_t place_count_breaches(const struct place_room *room);

#endif
