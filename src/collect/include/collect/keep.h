// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef COLLECT_KEEP_H
#define COLLECT_KEEP_H

/*
 * Writes what the herd knows into the store, one sample after the other, as the series that a
 * scrape of /metrics would show, with the labels `job` and `instance` besides. Belongs to the
 * thread that owns the herd and the store. Reads no clock.
 */

#include <stdbool.h>
#include <stdint.h>

#include "model/herd.h"
#include "tsdb/tsdb.h"

/**
 * A fact is appended when its lane has delivered it, and again each so long where that was half as
 * long ago, so that queries that look back five minutes, and roll-ups, always find what is known.
 */
#define KEEP_REPEAT_NS (30 * NS_PER_S)

/**
 * The series of an event counter begins with 0, just before its first event, so that increase()
 * sees that one: only where the counter is new, not its labels or the store's settings.
 */
#define KEEP_BIRTH_NS (10 * NS_PER_S)

/** What vherd tells of itself and its lanes is appended each so long, and when a flag changes. */
#define KEEP_SELF_NS (5 * NS_PER_S)

/**
 * How late a sample the store has to take (tsdb_options.late_ms): a clock that is set back is
 * followed by nearly as much, into series that have samples of later.
 */
#define KEEP_LATE_MS (INT64_C(23) * 24 * 3600 * 1000)

struct keep_params {
    struct tsdb *db;      /**< opened with late_ms = KEEP_LATE_MS; outlives it */
    struct herd *herd;    /**< outlives it */
    unsigned sets;        /**< enum metric_set */
    bool misnamed;        /**< metrics whose names promtool rejects, too */
    const char *job;      /**< copied, as is `instance` */
    const char *instance; /**< "" = no such label */
    int64_t interval_ns;  /**< of the samples */
};

struct keep;

struct keep *keep_new(const struct keep_params *params);

/** What params->job and params->instance were. */
const char *keep_job(const struct keep *k);
const char *keep_instance(const struct keep *k);

/** Let go of all series; their samples stay. Accepts NULL. */
void keep_free(struct keep *k);

/** Other metrics or another pace, of the herd's lanes too, from the next sample on. */
void keep_configure(struct keep *k, unsigned sets, bool misnamed, int64_t interval_ns);

/**
 * Append what has come in since the last call, and markers for what has gone, at the time of this
 * sample. A VM that came since the last has its series from the next one on, unless a VM went since
 * for which it may stand, or this is the first sample of all. 0, or -ENOSPC where the store refused
 * some (they are counted there).
 */
int keep_sample(struct keep *k, int64_t mono_ns, int64_t real_ns);

/**
 * Append at once what has come in of one VM, between two samples: what an event has changed. Gives
 * the time under which it stands, which is later than the last sample and earlier than the next;
 * 0 where nothing was appended, since no sample has seen the VM yet. Of one that a single sample
 * has seen only the state is appended.
 */
int64_t keep_now(struct keep *k, struct vm *vm, int64_t mono_ns);

/** The same for the host itself, without what hangs below it: libvirt was lost or found. */
int64_t keep_host_now(struct keep *k, int64_t mono_ns);

struct keep_stats {
    uint64_t samples; /**< appended, markers with them */
    uint64_t refused; /**< series or samples that the store did not take */
    size_t series;    /**< held now */
    int64_t ahead_ms; /**< of the wall clock, after that was set back; 0 in ordinary times */
};

struct keep_stats keep_stats(const struct keep *k);

/** What a lane has delivered of a VM (or, of the host's lanes, of the host) to the store. */
struct keep_lane {
    uint64_t delivered; /**< readings */
    int64_t first_ns;   /**< of the first and last reading, monotonic; 0: none */
    int64_t last_ns;
};

/** False where nothing of that lane was kept of the object. */
bool keep_lane(const struct keep *k, const struct object *o, enum lane lane, struct keep_lane *ret);

#endif
