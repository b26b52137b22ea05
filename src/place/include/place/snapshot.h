// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef PLACE_SNAPSHOT_H
#define PLACE_SNAPSHOT_H

/*
 * A herd at one moment, as all planners take it: what hosts have, what VMs ask for and use, what
 * must and must not stand together. Plain data. A planner never changes a snapshot; what it would
 * move is in its plan. VMs and hosts are known by their index.
 *
 * Amounts are whole numbers, so that sums do not drift however often VMs come and go.
 */

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/** The dimensions that add up on a host. */
enum place_resource {
    PLACE_CPU,     /**< thousandths of a CPU: 1 vCPU = 1000 */
    PLACE_MEMORY,  /**< bytes */
    PLACE_STORAGE, /**< bytes on the host's own disks; shared storage is a trait */
    PLACE_NETWORK, /**< bytes per second */
    PLACE_RESOURCES,
};

/** Amounts of each resource. */
struct place_vector {
    int64_t of[PLACE_RESOURCES];
};

#define PLACE_CPU_UNIT 1000 /**< PLACE_CPU of one whole CPU */

/** Caps on what a snapshot from outside may hold. */
#define PLACE_HOSTS_MAX 100000
#define PLACE_VMS_MAX 1000000
#define PLACE_GROUPS_MAX 200000
#define PLACE_NUMA_MAX 16
#define PLACE_TRAITS_MAX 512
#define PLACE_NAME_MAX 256 /**< bytes of a name */
#define PLACE_AMOUNT_MAX (INT64_C(1) << 53)

/** What a host can offer besides amounts. */
enum place_trait_kind {
    PLACE_TRAIT_CPU_MODEL, /**< a CPU model it can run */
    PLACE_TRAIT_STORAGE,   /**< a storage pool it reaches */
    PLACE_TRAIT_NETWORK,   /**< a network it reaches */
    PLACE_TRAIT_LABEL,     /**< "key=value" of its labels */
    PLACE_TRAIT_KINDS,
};

/** A set of traits, by index into place_snapshot.traits. */
struct place_traits {
    uint64_t bits[PLACE_TRAITS_MAX / 64];
};

struct place_trait {
    enum place_trait_kind kind;
    const char *name;
};

struct place_numa_node {
    int64_t cpu;    /**< as PLACE_CPU */
    int64_t memory; /**< bytes */
};

struct place_host {
    const char *name;
    struct place_vector capacity;             /**< physical, after what the host itself needs */
    double overcommit_ratio[PLACE_RESOURCES]; /**< requests may add up to capacity × this; >= 0 */
    struct place_numa_node numa[PLACE_NUMA_MAX];
    int n_numa; /**< 0: not known, or one node */
    struct place_traits provides;
    int32_t domain;    /**< failure domain (rack, room); hosts of one fall together; -1 none */
    bool maintenance;  /**< takes no VM, and evacuation empties it */
    bool off;          /**< powered down: may be woken where the policy allows */
    double watts_idle; /**< power draw at 0 and 100 % CPU; NaN unknown */
    double watts_busy;
    double mtbf_seconds; /**< NaN unknown */
    double mttr_seconds;
    int64_t migration_bytes_per_second; /**< to and from it; 0 unknown */
};

/** What has been seen of a VM's use of one resource, in the resource's unit; n == 0: nothing. */
struct place_usage {
    uint64_t n; /**< samples */
    double now; /**< last value, NaN unknown */
    double mean, deviation;
    double p50, p95, p99, max;
    double forecast;           /**< expected within the next hour, NaN unknown */
    double forecast_deviation; /**< standard error of it */
};

struct place_vm {
    const char *name;
    int32_t host; /**< where it runs, -1: not yet placed */
    struct place_vector request;
    struct place_usage usage[PLACE_RESOURCES];
    struct place_traits needs;      /**< all of these */
    struct place_traits avoids;     /**< none of these */
    int32_t affinity;               /**< index of a group, -1 none */
    int32_t anti_affinity;          /**< index of a group, -1 none */
    bool one_numa_node;             /**< its CPU and memory have to fit one node */
    int32_t numa_node;              /**< where it is, -1 unknown or spread */
    bool pinned;                    /**< must not be moved */
    int32_t priority;               /**< greater is more important */
    double started_s;               /**< Unix seconds; NaN unknown */
    double ends_s;                  /**< when it is known to end; NaN unknown */
    int64_t resident_bytes;         /**< memory that a migration copies; 0: its request */
    int64_t dirty_bytes_per_second; /**< 0 unknown */
    int64_t memory_most_bytes;      /**< its balloon's ceiling; 0 unknown */
    double moved_s;                 /**< last migration, Unix seconds; NaN never or unknown */
    int32_t moved_from;             /**< host it came from then, -1 unknown */
    const char *tenant;             /**< who asked for it, NULL unknown */
};

enum place_group_kind {
    PLACE_TOGETHER, /**< all on one host */
    PLACE_APART,    /**< at most `most` on one host */
};

struct place_group {
    const char *name;
    enum place_group_kind kind;
    int32_t most;    /**< of PLACE_APART, per host or failure domain; >= 1 */
    bool per_domain; /**< counts by failure domain instead of by host */
};

struct place_snapshot {
    double now_s; /**< Unix seconds */
    struct place_host *hosts;
    size_t n_hosts, cap_hosts;
    struct place_vm *vms;
    size_t n_vms, cap_vms;
    struct place_group *groups;
    size_t n_groups, cap_groups;
    struct place_trait traits[PLACE_TRAITS_MAX];
    size_t n_traits;
    const char **domains; /**< names of failure domains */
    size_t n_domains, cap_domains;
    struct place_names *names; /**< owns every text */
};

struct place_snapshot *place_snapshot_new(void);
void place_snapshot_free(struct place_snapshot *s);

/**
 * Add a host or VM with defaults (no amounts, overcommit 1, nothing known) and a copy of its name;
 * -1 where a cap is passed or memory is short. The pointers into the arrays move.
 */
int32_t place_snapshot_add_host(struct place_snapshot *s, const char *name);
int32_t place_snapshot_add_vm(struct place_snapshot *s, const char *name);

/** Find or add a group, failure domain or trait; -1 where there are too many. */
int32_t place_snapshot_group(struct place_snapshot *s, const char *name,
                             enum place_group_kind kind);
int32_t place_snapshot_domain(struct place_snapshot *s, const char *name);
int32_t place_snapshot_trait(struct place_snapshot *s, enum place_trait_kind kind,
                             const char *name);

/** The host that was added last under that name, by hash; -1 where there is none. */
int32_t place_snapshot_host_named(const struct place_snapshot *s, const char *name);

/** The index of a host or VM of that name, -1 where there is none. Linear in their number. */
int32_t place_snapshot_find_host(const struct place_snapshot *s, const char *name);
int32_t place_snapshot_find_vm(const struct place_snapshot *s, const char *name);

/** A copy of the text that lives as long as the snapshot; equal texts are one. NULL gives NULL. */
const char *place_snapshot_text(struct place_snapshot *s, const char *text);

/**
 * Check what planners rely on: indexes in range, amounts within [0, PLACE_AMOUNT_MAX], ratios and
 * group limits sane. 0 or -EINVAL with the object's name in `err`.
 */
int place_snapshot_check(const struct place_snapshot *s, struct err *err);

/** Requests may add up to this on a host: capacity × overcommit_ratio, rounded down. */
int64_t place_host_limit(const struct place_host *h, enum place_resource r);

/** Put into or ask of a set. */
static inline void place_traits_add(struct place_traits *t, int32_t trait)
{
    t->bits[trait / 64] |= UINT64_C(1) << trait % 64;
}

static inline bool place_traits_have(const struct place_traits *t, int32_t trait)
{
    return t->bits[trait / 64] >> trait % 64 & 1;
}

/** Words as they stand in files and answers: "cpu", "memory", …; "cpu model", "storage", … */
const char *place_resource_name(enum place_resource r);
const char *place_trait_kind_name(enum place_trait_kind k);

#endif
