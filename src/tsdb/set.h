// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef TSDB_SET_H
#define TSDB_SET_H

/* A selection: which series, where their samples are, which resolution is read when. */

#include "store.h"

#define NO_PART UINT32_MAX

/** A series in a block. */
struct set_part {
    const struct block *block;
    struct block_series series;
    uint32_t next; /**< of the same series of the set, in the order of view->in_time */
};

struct set_series {
    enum tsdb_kind kind; /**< in the head */
    int scale;
    bool owns_labels;
    const struct piece *frozen, *pieces;
    struct open *open[4]; /**< copies, in order of writing */
    uint32_t first_part, last_part;
};

/** Closed on both sides; one after the other. */
struct set_span {
    int64_t start_ms, end_ms;
    int resolution; /**< index into resolution_ms */
};

struct set {
    struct query_set base; /**< first */
    struct tsdb *db;
    struct pin pin;
    const struct view *view;
    struct query_hints hints;
    size_t max_series;
    int64_t head_min_ms, head_max_ms;
    struct arena *memory;
    const struct labels **labels;
    struct set_series *series;
    size_t cap;
    uint32_t *table; /**< of series + 1, by hash of labels */
    size_t table_size, n_entered;
    struct set_part *part;
    size_t n_parts, parts_cap;
    struct set_span *span;
    size_t n_spans, spans_cap;
    struct gather g; /**< of the last read */
    struct query_bucket *bucket;
    size_t n_buckets, buckets_cap;
    struct query_run *run;
    size_t n_runs, runs_cap;
};

/** Decide which resolution is read when, from hints, view and head. 0 or -ENOMEM. */
int set_plan(struct set *set);
/** Whether any span reads from the block. */
bool set_wants(const struct set *set, const struct block *b);

/** Remember a series by its labels' hash. 0 or -ENOMEM. */
int set_enter(struct set *set, uint32_t i);
/** UINT32_MAX where the set does not have it. */
uint32_t set_find(const struct set *set, const struct block *b, const struct block_series *s);

/** Note a damaged block, once. Returns 0: the rest answers. */
int set_damaged(struct set *set, const struct block *b);

int set_read(struct query_set *base, size_t i, int64_t start_ms, int64_t end_ms,
             const struct query_run **ret, size_t *ret_n, struct err *err);
void set_free(struct query_set *base);

#endif
