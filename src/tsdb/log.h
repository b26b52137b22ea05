// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef TSDB_LOG_H
#define TSDB_LOG_H

/*
 * The log: segments of records, each with its own CRC32C and a mark to find the next one by, so
 * that a damaged record costs that record. A segment says all that is needed to read it: a series
 * is described in each segment that has samples of it, twice (labels are what all its samples hang
 * on). docs/store-format.md has the bytes.
 *
 * The owner puts records into memory (log_put()); the log thread writes them. A second thread
 * fsyncs, also the segment that is left for the next: a disk that takes seconds for that must not
 * hold up what only has to survive a kill.
 */

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "tsdb/tsdb.h"

#define LOG_MAGIC "VHERDLOG"
#define LOG_VERSION 1
#define LOG_HEADER 32 /* magic, u32 version, u32 CRC of the rest, u64 segment, u64 0 */
#define LOG_MARK 0x9D4C4756u
#define LOG_RECORD_HEAD 12 /* u32 mark, u32 length, u32 CRC of length and payload */
#define LOG_PAYLOAD_MAX (256u << 10)
#define LOG_BATCH_BYTES (16u << 10) /* a batch is cut into records of about this size */

enum log_type {
    LOG_SERIES = 1,  /**< ref, kind, scale, what else is known of it, labels */
    LOG_SAMPLES = 2, /**< one time, many series */
    LOG_HISTORY = 3, /**< the same, of an import: readers that follow the log pass over it */
};

/* Writing records into a buffer; they become whole with log_end(). */

/** Begin a record; returns where. */
size_t log_begin(struct buf *out, enum log_type type);
void log_end(struct buf *out, size_t at);
void log_series(struct buf *out, uint32_t ref, const struct tsdb_kind_of *of,
                const struct labels *labels);

/** Writes samples of one time one after the other, cut into records. */
struct log_samples {
    struct buf *out;
    enum log_type type;
    size_t at; /**< of the record; SIZE_MAX: none is begun */
    int64_t t_ms;
    uint32_t n, last_ref;
};

void log_samples_begin(struct log_samples *b, struct buf *out, enum log_type type, int64_t t_ms);
void log_samples_put(struct log_samples *b, uint32_t ref, enum tsdb_kind kind, union tsdb_value v);
void log_samples_end(struct log_samples *b);

/* Reading. */

struct log_series_record {
    uint32_t ref;
    struct tsdb_kind_of of;
    size_t n;
    struct label label[LABELS_MAX]; /**< texts in the record */
};

struct log_sample {
    uint32_t ref;
    enum tsdb_kind kind;
    union tsdb_value v;
};

/** A place in a segment held in memory. */
struct log_cursor {
    const uint8_t *data;
    size_t len, at;
    uint64_t skipped_bytes; /**< unreadable so far, between records */
    uint64_t skips;         /**< stretches of it */
};

struct log_record {
    enum log_type type;
    const uint8_t *p, *end; /**< payload behind the type */
    size_t at;              /**< where the record begins */
};

/** Check a segment's header and begin behind it; a damaged header counts as skipped bytes. */
void log_cursor_init(struct log_cursor *c, const uint8_t *data, size_t len);

/** The next sound record; false at the end. Then c->at says where a torn record may begin. */
bool log_next(struct log_cursor *c, struct log_record *ret);

/** 0 or -EBADMSG. */
int log_read_series(const struct log_record *r, struct log_series_record *ret);

/**
 * Call `each` for every sample of a record. 0 or -EBADMSG (nothing more is called then).
 */
int log_read_samples(const struct log_record *r,
                     void (*each)(void *arg, int64_t t_ms, const struct log_sample *s), void *arg);

/* The writer. */

struct log_part; // records of one segment that wait for the disk

struct log_segment {
    uint64_t number;
    uint64_t bytes;
};

struct log {
    pthread_mutex_t lock;
    pthread_cond_t wake, answered;
    int dirfd;                     /**< borrowed */
    uint64_t segment;              /**< that records go to now */
    struct log_part *first, *last; /**< wait for the disk */
    uint64_t unwritten_bytes, dropped_bytes, unwritten_max;
    uint64_t waiting_bytes;   /**< of first to last */
    uint64_t deleted_to;      /**< segments up to this one nobody needs, written or not */
    uint64_t unwritten_from;  /**< segment of the oldest record that waits; 0: none does */
    bool is_dropping;         /**< records are given up, until log_resume() */
    struct log_segment *kept; /**< segments on the disk, sorted */
    size_t n_kept, kept_cap;
    int error;    /**< of the last write, -errno; 0: it succeeded */
    bool is_gone; /**< its files were removed: nothing is written until log_begin_anew() */
    bool is_anew; /**< the file that is open is not to be written any more */
    bool is_stopping;
    uint64_t asks, answers; /**< rounds that somebody waits for */
    int64_t flush_ms, fsync_ms;
    pthread_t thread, sync_thread;
    pthread_cond_t sync_wake, synced;
    int sync_fd;            /**< to be fsynced by the other thread, owned; -1: none */
    uint64_t sync_segment;  /**< whose file that is */
    bool is_syncing;        /**< the other thread has one in hand */
    bool ends_syncing;      /**< it is to end */
    bool dir_is_dirty;      /**< a segment was made, and the directory not fsynced since */
    int sync_error;         /**< of the last fsync that failed, -errno; see log_failures() */
    uint64_t sync_failures; /**< so many did */

    /* The log thread's own. */
    struct log_part *taken; /**< could not be written yet */
    int fd;
    uint64_t fd_segment, fd_at;
    bool is_dirty; /**< written, not fsynced */
};

/** Records go to `segment` on; `dirfd` is borrowed. */
void log_init(struct log *l, int dirfd, uint64_t segment, const struct tsdb_options *o);

/** 0 or -errno. */
int log_start(struct log *l);

/** Write what waits, fsync, end the thread, free. */
void log_stop(struct log *l);
void log_done(struct log *l);

/**
 * Hand over records (copied). Never waits for the disk: what is too much is given up, and so is all
 * behind it.
 */
void log_put(struct log *l, const void *data, size_t len);

/**
 * Where records had to be given up and there is room again, go on in a new segment: what the lost
 * ones described is described anew there. Call where records begin; `segment` may change.
 */
void log_resume(struct log *l);

/** Later records go to a new segment; returns the number of the one that is full now. */
uint64_t log_roll(struct log *l);

/** Write and fsync now, and wait for it; 0 or -errno. */
int log_sync(struct log *l);

/**
 * How many fsyncs failed of what is not yet on the disk otherwise; 0: none. What the kernel could
 * not write it may have dropped, and an fsync of the same file would succeed without it
 * (PostgreSQL's lesson of 2018): the caller writes elsewhere what it has in memory, then calls
 * log_forgive().
 */
uint64_t log_failures(struct log *l);

/** All that was in the log when log_failures() gave `failures` is on the disk in other files. */
void log_forgive(struct log *l, uint64_t failures);

/** Whether a segment up to a number is on the disk, or will be. */
bool log_holds(struct log *l, uint64_t up_to);

/** Whether the file that is written was removed by somebody else; as of its last fsync. */
bool log_is_gone(struct log *l);

/** Write no more where nobody would find it; true: it was written until now. */
bool log_give_up_file(struct log *l);

/** Write again, to a new segment in `dirfd`, what was not yet written. Segments before are gone. */
void log_begin_anew(struct log *l);

/** Note a segment that was there before. */
void log_keep(struct log *l, uint64_t number, uint64_t bytes);

/** Delete segments up to a number. */
void log_delete(struct log *l, uint64_t up_to);

#define LOG_NAME_BYTES 32
/** A file of a higher number is not ours; a series remembers its segment in 32 bits. */
#define LOG_SEGMENT_MAX (UINT32_MAX / 2)

/** The file of a segment. */
void log_name(uint64_t segment, char out[LOG_NAME_BYTES]);
/** Exactly the names that log_name() gives. */
bool log_parse_name(const char *name, uint64_t *ret);

#endif
