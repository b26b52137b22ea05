// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef TSDB_TAIL_H
#define TSDB_TAIL_H

/*
 * Follows the log: what remote write is built on. A reader keeps its position itself (in a file or
 * database of its own) and comes back with it after a restart. Segments that a reader has not read
 * are kept up to `log_max_bytes`; what had to go earlier is reported as skipped.
 *
 * A tail may be used by any thread, by one at a time.
 */

#include "tsdb/tsdb.h"

/** A place between two records. {0, 0}: the oldest that is there. */
struct tsdb_tail_position {
    uint64_t segment;
    uint64_t offset;
};

struct tsdb_tail_sample {
    uint32_t series; /**< index into `labels` of the batch */
    int64_t t_ms;
    double v; /**< scaled; sample_stale() for the marker */
};

/** Belongs to the tail, holds until its next call. */
struct tsdb_tail_batch {
    const struct labels *const *labels;
    size_t n_labels;
    const struct tsdb_tail_sample *sample; /**< in the order in which they were appended */
    size_t n;
    struct tsdb_tail_position next; /**< where to go on once the batch is dealt with */
    uint64_t skipped_segments;      /**< gone before they were read, since the last batch */
    uint64_t skipped_bytes;         /**< unreadable log since the last batch */
};

struct tsdb_tail;

/**
 * Follow from a position. `name` tells readers apart in the notes. A position beyond the log's end
 * (the store was made anew) is taken as the oldest.
 */
int tsdb_tail_open(struct tsdb *db, const char *name, const struct tsdb_tail_position *from,
                   struct tsdb_tail **ret, struct err *err);
void tsdb_tail_close(struct tsdb_tail *tail);

/**
 * At most about `max` samples more (a record is never split). 1: a batch; 0: nothing new yet;
 * -errno where the log cannot be read. What was handed out is not given again, but the
 * log is kept from the position of the last tsdb_tail_done().
 */
int tsdb_tail_next(struct tsdb_tail *tail, size_t max, struct tsdb_tail_batch *ret,
                   struct err *err);

/** All before this position has been dealt with and may go. */
void tsdb_tail_done(struct tsdb_tail *tail, const struct tsdb_tail_position *position);

/** Bytes of log between the position and the end. */
uint64_t tsdb_tail_behind(const struct tsdb_tail *tail);

#endif
