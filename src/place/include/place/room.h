// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef PLACE_ROOM_H
#define PLACE_ROOM_H

/*
 * What is left on each host of a snapshot while a plan is being made: VMs can be put and taken, the
 * snapshot stays as it is. Every VM of the snapshot that has a host is there at the beginning.
 *
 * A VM that is bound to a NUMA node counts on that node; others count on the whole host only.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "place/snapshot.h"

/** How many of a group stand in one place (host or failure domain). */
struct place_group_count {
    int32_t where;
    int32_t n;
};

struct place_group_use {
    struct place_group_count *at;
    size_t n, cap;
};

/** A host's state, kept together for the filters. */
struct place_host_room {
    struct place_vector limit; /**< place_host_limit() of each resource */
    struct place_vector free;  /**< limit minus requests; below 0 where it is over its limit */
    double per_unit[PLACE_RESOURCES]; /**< 1 / limit; 0 where the host has none of it */
    int32_t n_vms;
    uint32_t class_id; /**< hosts of one class differ in nothing but their VMs and name */
};

struct place_room {
    const struct place_snapshot *s; /**< borrowed */
    struct place_host_room *hosts;
    int32_t *host_of;                  /**< by VM; -1 nowhere */
    int32_t *node_of;                  /**< by VM: its NUMA node, -1 none */
    struct place_numa_node *numa_free; /**< PLACE_NUMA_MAX per host; NULL where nobody has nodes */
    struct place_group_use *groups;
    uint32_t n_classes;
};

/** Build from a snapshot that place_snapshot_check() has passed; -ENOMEM. */
int place_room_init(struct place_room *room, const struct place_snapshot *s);
void place_room_done(struct place_room *room);

/**
 * Put a VM that is nowhere on a host, without asking whether it fits; one that wants one NUMA node
 * gets the fullest that holds it, or none. Negative free amounts show what is over.
 */
void place_room_put(struct place_room *room, int32_t vm, int32_t host);

/** Take a VM from where it is. */
void place_room_take(struct place_room *room, int32_t vm);

/** How many VMs of a group stand on that host, or in that failure domain (per_domain groups). */
int32_t place_room_group_count(const struct place_room *room, int32_t group, int32_t host);

/** The host of an affinity group's members, -1 while none is placed. */
int32_t place_room_group_host(const struct place_room *room, int32_t group);

/** The NUMA node that would take the VM: the fullest that holds it; -1 none. */
int32_t place_room_numa_fit(const struct place_room *room, int32_t vm, int32_t host);

/**
 * Unused part of a resource where `vm` is added (may be -1): (free - request) / limit; 0 where the
 * host has none of it.
 */
double place_room_left(const struct place_room *room, int32_t vm, int32_t host,
                       enum place_resource r);

#endif
