// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef TSDB_TSDB_H
#define TSDB_TSDB_H

/*
 * The embedded time-series store: head in memory, log, immutable blocks, roll-ups of 1 m and 1 h.
 *
 * Threads. One thread, the owner, registers series and appends; nothing it calls waits for a disk
 * except tsdb_open() and tsdb_close(). Two threads of the store's own write: one the log, one
 * blocks, roll-ups, compaction and retention. The query source, tsdb_status(), tsdb_quality(),
 * tsdb_delete() and tsdb_snapshot() may be called by any thread; the last two write files and take
 * their time. Locks are held for copying in memory only, never across a system call on a file.
 *
 * Durability. What was appended is in the log (safe from kill -9) after `flush_ms`, on the disk
 * (safe from power loss) after `fsync_ms` more. On a full disk the store goes on in memory up to
 * `memory_max_bytes`, tries again each second, and never deletes anything to make room.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "model/labels.h"
#include "model/query.h"

struct tsdb;

/** How much is kept, of samples or of one roll-up; 0 = no limit. Both limits hold. */
struct tsdb_retention {
    int64_t age_ms;
    uint64_t bytes;
};

struct tsdb_options {
    const struct clock *clock; /**< borrowed; outlives the store */
    int64_t flush_ms;          /**< pause between writes to the log */
    int64_t fsync_ms;          /**< pause between fsyncs of the log; 0: each write */
    int64_t head_ms;           /**< age at which the head becomes a block */
    int64_t late_ms;           /**< older than the newest by more: refused; at most 23 days */
    uint64_t memory_max_bytes; /**< of unwritten samples; beyond it appends are refused */
    uint64_t log_max_bytes;    /**< log that is kept for tail readers */
    uint32_t series_max;       /**< in the head */
    struct tsdb_retention raw, minute, hour; /**< samples, 1 m and 1 h roll-ups */
};

/**
 * Defaults: 1 s, 5 s, 15 min, 2 h, 512 MiB, 1 GiB, 2 M series; samples 30 days, 1 m 180 days,
 * 1 h 3 years; the system's clock.
 */
void tsdb_options_init(struct tsdb_options *o);

/**
 * Open the store in a directory (made where missing), replay the log and start the threads.
 * Unreadable files are set aside and named in the status, never deleted. 0, -EBUSY (another process
 * or another handle has it), or -errno.
 */
int tsdb_open(const char *directory, const struct tsdb_options *o, struct tsdb **ret,
              struct err *err);

/** Write the log to the end, stop the threads, free. No set, no tail may be left. NULL is fine. */
void tsdb_close(struct tsdb *db);

/* Appending: the owner only. */

enum tsdb_kind {
    TSDB_DOUBLE,
    TSDB_SCALED, /**< a whole number, in units of 10^-scale of what is read */
};

/** A value, read by its series' kind. */
union tsdb_value {
    double f64;
    int64_t i64;
};

/** The staleness marker among whole numbers; among doubles it is sample_stale(). */
#define TSDB_STALE_I64 INT64_MIN

#define TSDB_SCALE_MAX 15

/** What a series is; all but kind and scale serve the data quality figures only. */
struct tsdb_kind_of {
    enum tsdb_kind kind;
    int scale;         /**< 9: ns that are read as seconds; 0 to TSDB_SCALE_MAX */
    bool is_counter;   /**< a fall is counted as a reset */
    double max_rate;   /**< most rise per second, in units as read; 0: no bound is known */
    uint32_t pause_ms; /**< longest time between two samples where none is missing; 0: not known */
};

/**
 * The ref of a series, which is small and holds until tsdb_release(); the same labels give the same
 * ref as long as it is held. `of` counts where the series is new to the head, its pause_ms always.
 * 0, -EINVAL (no label, a name twice, too many), -EDOM (held with another kind or scale), -ENOSPC
 * (series_max), -ENOMEM.
 */
int tsdb_series(struct tsdb *db, const struct label *label, size_t n, const struct tsdb_kind_of *of,
                uint32_t *ret, struct err *err);

/** Let go of a ref, once for each tsdb_series(); its samples stay. */
void tsdb_release(struct tsdb *db, uint32_t ref);

/** Times further from 1970, 139,000 years, are refused as late. */
#define TSDB_TIME_MAX_MS (INT64_C(1) << 52)

/** What became of appended samples; counts are added to. */
struct tsdb_appended {
    uint64_t stored;
    uint64_t duplicate; /**< a sample of that time is there already; it stays */
    uint64_t late;      /**< older than late_ms allows; refused */
    uint64_t refused;   /**< memory_max_bytes is reached, or no memory */
};

/**
 * Append one time's samples: v[i] to series ref[i]. The fast way: no hashing, no allocation in the
 * ordinary case. Later than each series' last sample is cheapest; an earlier one is sorted in.
 * Returns 0, or -ENOSPC where any was refused for lack of room; `ret` (may be NULL) tells more.
 */
int tsdb_append(struct tsdb *db, int64_t t_ms, const uint32_t *ref, const union tsdb_value *v,
                size_t n, struct tsdb_appended *ret);

/**
 * Append one sample given as a double; a series of whole numbers takes it rounded to its scale
 * only if that reads back the same, else -EDOM. Else 0, -EEXIST (duplicate), -ETIME (late),
 * -EAGAIN (tsdb_is_deleted()), -ENOSPC.
 */
int tsdb_append_one(struct tsdb *db, uint32_t ref, int64_t t_ms, double v);

/**
 * The same for history: late_ms does not count, and no tail is given it. -ETIME: older than
 * tsdb_oldest_kept_ms(). Only samples that are not in blocks yet are looked through for duplicates;
 * of two with the same time the one that was written first counts.
 */
int tsdb_append_old(struct tsdb *db, uint32_t ref, int64_t t_ms, double v);

/** What is older goes at once: by the longest of the three ages. */
int64_t tsdb_oldest_kept_ms(const struct tsdb *db);

/** Mark the end of a series. As tsdb_append_one(). */
int tsdb_append_stale(struct tsdb *db, uint32_t ref, int64_t t_ms);

/* Reading. */

/** The store as a source; lives as long as the store. Any thread may select. */
struct query_source *tsdb_source(struct tsdb *db);

/**
 * The one series that has exactly these labels (none or one in the set), without going through all
 * that have some of them. As the source's select().
 */
int tsdb_select_series(struct tsdb *db, const struct labels *labels,
                       const struct query_hints *hints, struct query_set **ret, struct err *err);

/* Care. */

/**
 * Delete samples and roll-ups of matching series in [start_ms, end_ms]: they are gone from answers
 * at once and from the files when those are compacted. 0, -EINVAL, -errno of the file that
 * remembers it.
 */
int tsdb_delete(struct tsdb *db, const struct query_matcher *matcher, size_t n, int64_t start_ms,
                int64_t end_ms, struct err *err);

/**
 * Whether a deletion that is not carried out yet covers some of that time: samples of such a series
 * that are appended there would go with the others. tsdb_settle() carries deletions out, unless a
 * file is damaged or a reader of the log is behind.
 */
bool tsdb_is_deleted(struct tsdb *db, const struct labels *labels, int64_t start_ms,
                     int64_t end_ms);

/**
 * Write the head as a block and link or copy all blocks into a new directory, which another store
 * can open. 0, -EEXIST, -errno.
 */
int tsdb_snapshot(struct tsdb *db, const char *directory, struct err *err);

/** Write the head as a block now and compact what is due; waits for it. For tests and snapshots. */
int tsdb_settle(struct tsdb *db, struct err *err);

#define TSDB_RESOLUTIONS 3 /**< samples, 1 m, 1 h */

struct tsdb_status {
    uint64_t series;              /**< in the head */
    uint64_t head_samples;        /**< not yet in blocks */
    uint64_t head_bytes;          /**< their memory */
    int64_t oldest_ms, newest_ms; /**< of all samples; 0 where there are none */
    uint64_t blocks[TSDB_RESOLUTIONS];
    uint64_t block_bytes[TSDB_RESOLUTIONS];
    uint64_t block_samples[TSDB_RESOLUTIONS]; /**< samples or buckets */
    uint64_t block_chunks[TSDB_RESOLUTIONS];
    uint64_t log_bytes, log_segments;
    uint64_t log_unwritten_bytes; /**< waits for the disk */
    uint64_t log_dropped_bytes;   /**< could not wait longer */
    struct tsdb_appended appended;
    uint64_t replayed;   /**< samples found in the log at the start */
    uint64_t unreadable; /**< files set aside, and stretches of log that were skipped */
    int disk_error;      /**< errno of the last write, 0 where it succeeded */
    int64_t disk_error_since_ms;
};

void tsdb_status(struct tsdb *db, struct tsdb_status *ret);

/**
 * What was lost, skipped or set aside, one sentence each, oldest first; the caller frees the texts
 * (query_texts_done()). Also what goes wrong now (a full disk).
 */
int tsdb_notes(struct tsdb *db, struct query_texts *ret);

/**
 * Of the sentences about what happened those that came since *seen, which begins at 0 and is moved
 * on. Freed as above.
 */
void tsdb_news(struct tsdb *db, uint64_t *seen, struct query_texts *ret);

/** Data quality of the series that share one label's value, since the store was opened. */
struct tsdb_quality {
    const char *value; /**< "" for series without that label */
    uint64_t series;
    uint64_t samples;
    uint64_t missing; /**< samples, at least, that the schedule would have had in the gaps */
    uint64_t gaps;
    uint64_t late;         /**< refused */
    uint64_t out_of_order; /**< came late, stored */
    uint64_t duplicates;
    uint64_t resets;     /**< falls of counters */
    uint64_t impossible; /**< rises faster than max_rate */
    int64_t newest_ms;
};

/**
 * Sum up by the values of a label, as "domain"; sorted by value. One free() of *ret frees all.
 * 0 or -ENOMEM.
 */
int tsdb_quality(struct tsdb *db, const char *label, struct tsdb_quality **ret, size_t *ret_n);

#endif
