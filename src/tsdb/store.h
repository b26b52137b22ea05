// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef TSDB_STORE_H
#define TSDB_STORE_H

/* What the files of this folder share: the store itself. */

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "block.h"
#include "head.h"
#include "log.h"
#include "pin.h"
#include "tsdb/tail.h"
#include "tsdb/tsdb.h"

#define RESOLUTION_MINUTE_MS INT64_C(60000)
#define RESOLUTION_HOUR_MS INT64_C(3600000)

/** Samples, 1 m, 1 h. */
extern const int64_t resolution_ms[TSDB_RESOLUTIONS];
int resolution_index(int64_t ms);

/** Windows of blocks by level; level 0 has the window of level 1. */
#define LEVELS 4
extern const int64_t level_window_ms[LEVELS];

static inline int64_t window_end(int64_t t_ms, int64_t window_ms)
{
    int64_t past = t_ms % window_ms;
    return past == 0 ? t_ms : t_ms - past + (past > 0 ? window_ms : 0);
}

/** A deletion that is not yet carried out everywhere. */
struct deletion {
    uint64_t number;
    uint64_t flushes; /**< of the head before it was made */
    int64_t start_ms, end_ms;
    size_t n;
    struct query_matcher *matcher; /**< texts and expressions owned */
};

/** What readers see of the files: immutable, replaced as a whole, retired by pins. */
struct view {
    size_t n;
    struct block **block;   /**< sorted by serial */
    struct block **in_time; /**< for readers: by resolution and time, or by serial where windows of
                                 one resolution overlap */
    size_t n_deletions;
    struct deletion *const *deletion;
};

/** What the block thread does when asked, while the asker waits. */
struct job {
    const char *snapshot;      /**< into this directory */
    struct deletion *deletion; /**< the view's afterwards */
    struct err *err;
    int result;
    bool is_done;
};

struct tsdb {
    struct query_source source; /**< first */
    struct tsdb_options o;
    char *path;
    int dirfd, log_dirfd, blocks_dirfd, lock_fd;
    struct pins pins;
    struct head head;
    struct log log;
    struct buf stage, stage_series; /**< the owner's records of one append */
    uint32_t *repeat;               /**< series whose description is to be written again */
    size_t n_repeat, repeat_cap;
    struct view *view;        /**< under head.lock */
    bool frozen_is_published; /**< under head.lock: what is frozen is in blocks */
    struct arena *sealed;     /**< the block thread's: frozen samples encoded since */
    uint64_t next_serial;     /**< the block thread's */
    uint64_t log_covered;     /**< the block thread's, as are these: in blocks up to here */
    uint64_t frozen_covered;  /**< segments that hold what is frozen and all before */
    uint64_t last_deletion, flushes;

    pthread_mutex_t notes_lock;
    char **note;
    size_t n_notes, notes_cap;
    uint64_t noted;       /**< in all */
    uint64_t damaged[64]; /**< serials of blocks that were noted */
    size_t n_damaged;
    uint64_t unreadable, replayed;
    int disk_error;
    int64_t disk_error_since_ms;

    pthread_mutex_t upkeep_lock;
    pthread_cond_t upkeep_wake, upkeep_done;
    bool is_stopping, is_asked;
    struct job *job;
    bool was_large; /**< the owner's: the head, after the last append */
    pthread_t upkeep_thread;
    bool has_threads;

    int64_t rolled_mono_ms; /**< the block thread's: when the head was last written */
    /* The block thread's, for retention: what the clocks said when. */
    int64_t trusted_real_ms, trusted_mono_ms, seen_real_ms, seen_mono_ms, jump_mono_ms;

    pthread_mutex_t tails_lock;
    struct tsdb_tail *tails;
};

/** A sentence for the status; kept for good, the oldest dropped past a limit. */
void store_note(struct tsdb *db, const char *format, ...) __attribute__((format(printf, 2, 3)));
void store_disk_error(struct tsdb *db, int error);

/** Note a damaged block, once. Any thread. */
void store_damaged(struct tsdb *db, const struct block *b);

/** The time now, by the store's clock. */
int64_t store_now_ms(const struct tsdb *db);
int64_t store_mono_ms(const struct tsdb *db);

/* view.c */

/** A copy with some blocks added and some gone; deletions as given (NULL: as before). */
struct view *view_change(const struct view *v, struct block *const *added, size_t n_added,
                         struct block *const *gone, size_t n_gone);
struct view *view_with_deletions(const struct view *v, struct deletion *const *d, size_t n);
void view_free(void *view);

/** Put a view in place, and retire the old one; sets frozen_is_published if told. */
void view_publish(struct tsdb *db, struct view *next, bool frozen_is_published);
struct view *view_get(struct tsdb *db);

/* delete.c */
int deletions_read(struct tsdb *db, struct deletion ***ret, size_t *ret_n);
int deletions_write(struct tsdb *db, struct deletion *const *d, size_t n);
int deletions_write_at(int dirfd, struct deletion *const *d, size_t n);
int deletion_add(struct tsdb *db, struct deletion *d, struct err *err);
void deletion_free(void *d);
bool deletion_matches(const struct deletion *d, const struct labels *labels);

/* gather.c */

/** Samples of one series, from anywhere, in the order in which they were written. */
struct gather {
    enum tsdb_kind kind; /**< of `v` */
    int scale;
    bool as_double; /**< whatever the kind: values as they are read */
    int64_t *t_ms;
    union tsdb_value *v;
    size_t n, cap;
    bool is_sorted;          /**< and no time twice */
    struct codec_part *part; /**< scratch for one chunk */
};

void gather_done(struct gather *g);
void gather_reset(struct gather *g, enum tsdb_kind kind, int scale, bool as_double);
/**
 * Those of a chunk or piece that fall in [start, end]; of a chunk those only that the hints'
 * windows need (NULL: all). 0, -EBADMSG, -ENOMEM.
 */
int gather_chunk(struct gather *g, const struct block *b, const struct block_series *s,
                 const struct block_chunk *c, int64_t start_ms, int64_t end_ms,
                 const struct query_hints *hints);
int gather_pieces(struct gather *g, const struct piece *newest, enum tsdb_kind kind, int scale,
                  int64_t start_ms, int64_t end_ms);
int gather_open(struct gather *g, const struct open *o, enum tsdb_kind kind, int scale,
                int64_t start_ms, int64_t end_ms);
/** Sort by time; of equal times the first written stays. */
int gather_sort(struct gather *g);
/** Leave out [start, end]. Needs them sorted. */
void gather_cut(struct gather *g, int64_t start_ms, int64_t end_ms);
/** The first that is not before t. Needs them sorted. */
size_t gather_find(const struct gather *g, int64_t t_ms);

/* rollup.c */

/** What came before the first bucket. */
struct rollup_before {
    bool is_there;
    double value;
};

/** Buckets of samples sorted by time (staleness markers among them). Appends to *ret. */
int rollup(const int64_t *t_ms, const double *v, size_t n, int64_t resolution,
           struct rollup_before before, struct query_bucket **ret, size_t *ret_n, size_t *cap);

/** Sort by end, which they mostly are; of the same end the last stays. Returns how many are left.
 */
size_t buckets_sort(struct query_bucket *b, size_t n);

/** A window is closed so long after its end: samples of the lanes come a little late. */
#define COMPACT_GRACE_MS 60000

/* flush.c, compact.c, upkeep.c: the block thread */
int flush_head(struct tsdb *db);
/** Do one piece of compaction that is due; 1: there may be more, 0: nothing to do, -errno. */
int compact_step(struct tsdb *db);
void retention_step(struct tsdb *db);
int upkeep_start(struct tsdb *db);
void upkeep_stop(struct tsdb *db);
/** Have the block thread look at once. Any thread. */
void upkeep_ask(struct tsdb *db);
/** Whether the head is to be written away, however young. Needs the head's lock. */
bool upkeep_head_is_large(const struct tsdb *db);
/** Give up long work. */
bool upkeep_is_stopping(struct tsdb *db);
int upkeep_job(struct tsdb *db, struct job *job);
int store_snapshot(struct tsdb *db, const char *directory, struct err *err);

/* directory.c */
int directory_open(struct tsdb *db, struct err *err);
/** Blocks and deletions into another directory. */
int directory_copy(struct tsdb *db, int dirfd);
/** Whether somebody removed it, or the log's file. */
bool directory_is_gone(struct tsdb *db);
/** Make it anew, with all that is known. The block thread. 0 or -errno: it is to be tried again. */
int directory_restore(struct tsdb *db);

/* recover.c */
int recover_blocks(struct tsdb *db, struct err *err);
int recover_log(struct tsdb *db, struct err *err);

/* tail.c */
/** The last segment that no reader needs, of those up to `covered`. */
uint64_t tails_need(struct tsdb *db, uint64_t covered);

/* source.c */
extern const struct query_source_ops source_ops;

#endif
