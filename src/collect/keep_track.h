// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef COLLECT_KEEP_TRACK_H
#define COLLECT_KEEP_TRACK_H

/*
 * A track hangs on an object that is kept and knows the store's ref of each of its series, so that
 * a sample costs neither hashing nor allocation. It outlives neither its object nor the keep.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collect/keep.h"
#include "keep_shape.h"
#include "tsdb/timeline.h"

// How far a group is kept.
struct kept_group {
    int64_t stamp;
    int64_t kept_ns; // when it was appended last
    struct keep_lane lane;
};

struct track {
    struct object_user user; // first
    struct keep *keep;
    struct object *object;
    struct track *next, **link;
    uint32_t version, version_above;
    bool is_fresh;            // of a VM that one sample has seen
    uint64_t *hash;           // by label attribute
    uint32_t *ref;            // by row
    bool *is_present;         // by row: its last sample was a value
    struct kept_group pace[]; // by group; behind it stand hashes, refs and presence
};

struct ended {
    uint32_t ref;
    bool is_scaled;
    bool is_present;
};

struct keep {
    struct keep_params p;
    char *job, *instance;
    struct shape shapes[KIND_MAX];
    struct track *tracks;
    struct timeline timeline;
    uint32_t pause_ms[LANE_INFO + 1]; // by lane, between two samples at most
    int64_t now_ms;                   // of the last keep_now()
    int64_t mono_ns, schedule_ms;     // of the last sample
    uint64_t ticks;
    bool takes_fresh; // the next sample is the first: VMs were there before it
    uint32_t *refs;
    union tsdb_value *values;
    size_t n, cap;
    struct ended *ended;
    size_t n_ended, cap_ended;
    uint32_t *born; // counters whose 0 is to be appended
    size_t n_born, cap_born;
    struct keep_stats stats;
};

// Whose turn it is in this sample; objects have theirs one after the other.
struct turn {
    int64_t mono_ns;
    bool repeat, self;
    bool only_state;
};

/** Hang a new track on the object. */
struct track *track_new(struct keep *k, struct object *o);

/** Its series are ended with the next sample. */
void track_free(struct track *t);

/** Put what is due of one object, without what hangs below it, into the next append. */
void keep_object(struct keep *k, struct object *o, const struct turn *turn);

/** Put one value into the next append. */
void keep_push(struct keep *k, uint32_t ref, union tsdb_value v);

/** The staleness marker of a series. */
union tsdb_value keep_marker(bool is_scaled);

#endif
