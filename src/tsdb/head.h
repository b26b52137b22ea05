// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef TSDB_HEAD_H
#define TSDB_HEAD_H

/*
 * The head: series with their samples that are not in blocks yet.
 *
 * A series fills an open buffer of plain values; a full one is sealed into an encoded piece in the
 * generation's arena. To write the head away, the block thread begins a new generation: from then
 * on each series, when it is next touched, moves its pieces aside as `frozen`. When the block that
 * holds them is published, the whole arena is retired at once.
 *
 * Two locks, taken in this order: `index` (names, values, which slot is whose) and `lock`
 * (samples).
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/map.h"
#include "match.h"
#include "pin.h"
#include "tsdb/tsdb.h"

#define OPEN_MAX 24 /**< values of an open buffer */
#define PAGE_SERIES 1024
#define HEAD_SLICE 128 /**< series that are dealt with under `lock` at a time */
/** No piece spans more: 46 days, which fit its 32 bits. */
#define SPAN_MAX_MS INT64_C(4000000000)
#define HEAD_LATE_MAX_MS (SPAN_MAX_MS / 2)

/** Encoded samples, immutable. */
struct piece {
    struct piece *older;
    int64_t first_ms;
    uint32_t span_ms;               /**< from the first to the last */
    uint16_t times_len, values_len; /**< times_len 0: regular */
    uint8_t n;
    uint8_t data[];
};

/** Samples not yet encoded, sorted by time. */
struct open {
    int64_t first_ms;
    uint32_t step_ms;
    uint16_t n, cap;
    int64_t *t_ms; /**< owned; NULL while times are regular */
    union tsdb_value v[];
};

/* Two cache lines, of which an append in order touches the first: each second all series are
 * appended to, and by then the caches hold something else. */
struct series {
    struct open *open;    /**< in order; */
    struct open *late;    /**< of samples before the open buffer's */
    struct piece *pieces; /**< newest first */
    int64_t last_ms;      /**< of the newest sample */
    union tsdb_value last;
    uint32_t generation, log_segment;
    uint8_t scale, shorter, idle;
    uint8_t kind : 1, is_counter : 1; // read without the lock: nothing beside them may change
    float max_rate;
    uint32_t step_ms, samples;

    struct labels *labels; /**< NULL: the slot is free; texts belong to the index */
    struct piece *frozen;
    struct open *frozen_open, *frozen_late;
    uint32_t holds : 31, is_released : 1; /**< released: held once, and by nobody now */
    uint32_t missing, gaps, late_refused, out_of_order, duplicates, resets, impossible;
};

#define SERIES_ALIGN 64
_Static_assert(sizeof(struct series) == (size_t)2 * SERIES_ALIGN, "whole cache lines");

/** Memory of one generation's pieces. */
struct arena {
    struct arena_page *page;
    size_t bytes;     /**< handed out */
    uint64_t samples; /**< also those in open buffers */
    int64_t min_ms, max_ms;
};

struct label_value {
    uint32_t n, cap;
    uint32_t *series;
    char text[];
};

struct label_name {
    struct map *values;
    char text[];
};

struct head {
    pthread_rwlock_t index;
    pthread_mutex_t lock;
    atomic_bool owner_waits; /**< for `lock`: others let the owner go first */
    struct pins *pins;
    struct map *names;
    uint32_t *table; /**< of refs + 1 by labels, open addressing */
    size_t table_size;
    uint64_t seed;
    struct series **page;
    uint32_t n_pages, n_slots; /**< slots in use, free ones among them */
    uint32_t *free_slot;
    size_t n_free, free_cap;
    uint32_t n_series, series_max, n_released;
    uint32_t generation;
    struct arena *arena, *frozen; /**< frozen: being written away; NULL: nothing is */
    size_t open_bytes;            /**< of open buffers */
    int64_t newest_ms;
    int64_t late_ms;
    struct tsdb_appended appended;
};

void head_init(struct head *h, struct pins *pins, uint32_t series_max, int64_t late_ms);
void head_done(struct head *h);

static inline struct series *head_slot(const struct head *h, uint32_t ref)
{
    return &h->page[ref / PAGE_SERIES][ref % PAGE_SERIES];
}

/** Find or add a series, with one hold more. 0, -EINVAL, -EDOM, -ENOSPC, -ENOMEM. Owner only. */
int head_series(struct head *h, const struct label *label, size_t n, const struct tsdb_kind_of *of,
                uint32_t *ret);

/** The slot of a series; needs `index`. */
bool head_find(const struct head *h, const struct labels *labels, uint32_t *ret);

/** Its samples are that far apart at most, until something else is told. Needs `lock`. */
void head_tell_schedule(struct series *s, uint32_t pause_ms);

/** What is in the head is of before: quality is counted from here on. */
void head_recovered(struct head *h);

/** What an append came to. */
enum head_verdict {
    HEAD_STORED,
    HEAD_DUPLICATE,
    HEAD_LATE,
    HEAD_NO_MEMORY,
};

/** Append one sample; needs `lock`. */
enum head_verdict head_append(struct head *h, struct series *s, uint32_t ref, int64_t t_ms,
                              union tsdb_value v);

/** The same for a sample of any age: of the log, which was taken once, or of an import. */
enum head_verdict head_append_old(struct head *h, struct series *s, uint32_t ref, int64_t t_ms,
                                  union tsdb_value v);

/**
 * Take a series over into the current generation: what it has becomes `frozen`. Needs `lock`, and
 * the last generation's frozen samples thawed.
 */
void head_freeze(struct head *h, struct series *s);

/** Take `lock`, but not before the owner: a mutex alone may be taken over and over by one thread.
 */
void head_lock_patiently(struct head *h);

/**
 * Encode what is frozen in open buffers into the arena, to take less memory. For series [from, to),
 * a slice at most; takes `lock` for moments only, as nobody else changes what is frozen.
 */
void head_seal_frozen(struct head *h, uint32_t from, uint32_t to, struct arena *arena);

/** Let go of frozen samples, which are in blocks now. Needs `lock`. */
void head_thaw(struct head *h, struct series *s);

/** Begin a new generation; series follow by head_freeze(), one by one. Needs `lock`. */
void head_roll(struct head *h);

/** Let go of one hold; needs `lock`. Owner only. */
void head_release(struct head *h, struct series *s);

/**
 * Whether released series are so many that the head is to be written away for their sake: a
 * thousand, or a quarter of all where that is more. Needs `lock`.
 */
bool head_is_crowded(const struct head *h);

/**
 * Forget the series that nobody holds and that have no samples in the head: where it is crowded all
 * that were released, else those that were idle for a while. Takes both locks.
 */
void head_collect(struct head *h);

/** The label index of the head; needs `index`. */
struct match_index head_index(const struct head *h);

/** Memory that the samples take; needs `lock`. */
size_t head_bytes(const struct head *h);

/* Reading pieces. */

/** Decode; arrays of p->n. 0 or -EBADMSG. */
int piece_times(const struct piece *p, int64_t *t_ms);
int piece_i64(const struct piece *p, int64_t *v);
int piece_f64(const struct piece *p, double *v);

static inline int64_t piece_end(const struct piece *p)
{
    return p->first_ms + p->span_ms;
}

static inline int64_t open_time(const struct open *o, size_t i)
{
    return o->t_ms ? o->t_ms[i] : o->first_ms + (int64_t)i * o->step_ms;
}

struct arena *arena_new(void);
void arena_free(void *arena);
/** Aligned to 8; NULL without memory. */
void *arena_take(struct arena *a, size_t bytes);

#endif
