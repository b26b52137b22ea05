// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef TSDB_BLOCK_H
#define TSDB_BLOCK_H

/*
 * Block files: immutable, written aside and renamed. docs/store-format.md has the bytes.
 *
 * A block's window is left-open: (window_start, window_end], as are the buckets of roll-ups. All
 * its samples lie in there. Columns (times, values, each field of buckets) are stored once however
 * many series share them: the times of a lane, metrics that have several names.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "codec.h"
#include "match.h"
#include "model/labels.h"
#include "model/query.h"
#include "tsdb/tsdb.h"

#define BLOCK_SUFFIX ".blk"
#define BLOCK_COLUMNS_MAX 12 /**< without times */
#define BLOCK_CHUNK_VALUES 8192

struct block_meta {
    int64_t resolution_ms; /**< 0: samples */
    int64_t window_start_ms, window_end_ms;
    int64_t min_ms, max_ms;
    uint32_t level; /**< 0: written from the head */
    uint32_t n_series;
    uint64_t n_samples; /**< or buckets */
    uint64_t n_chunks;
    uint64_t log_covered; /**< segments up to this one are in blocks */
    uint64_t deletions;   /**< deletions up to this number have been carried out */
    uint64_t serial;      /**< grows with each block of a store; in its name */
};

/* Writing: one thread. */

struct block_writer;

/** Begin a block in directory `dirfd` (borrowed). 0 or -errno. */
int block_writer_new(int dirfd, const struct block_meta *meta, struct block_writer **ret);

/** Begin a series; series come in the order of labels_compare(). `labels` is borrowed to the end.
 */
int block_writer_series(struct block_writer *w, const struct labels *labels, enum tsdb_kind kind,
                        int scale);

/** Samples of the series, sorted by time; cut into chunks. */
int block_writer_i64(struct block_writer *w, const int64_t *t_ms, const int64_t *v, size_t n);
int block_writer_f64(struct block_writer *w, const int64_t *t_ms, const double *v, size_t n);
int block_writer_buckets(struct block_writer *w, const struct query_bucket *b, size_t n);

uint64_t block_writer_samples(const struct block_writer *w);

/**
 * Write the index, fsync, rename, fsync the directory. The writer is freed in any case; on failure
 * nothing is left behind. `log_covered` as in block_meta.
 */
int block_writer_finish(struct block_writer *w, uint64_t log_covered);
void block_writer_abort(struct block_writer *w);

/** The file's name in its directory. */
void block_name(const struct block_meta *meta, char *out, size_t size);

/* Reading: any thread. */

struct block {
    struct block_meta meta;
    char *name;
    const uint8_t *data; /**< mapped */
    size_t size;
    const uint8_t *symbols, *series, *names; /**< sections of the index */
    size_t symbols_len, series_len, names_len;
    uint32_t n_symbols, n_names;
    bool is_bad; /**< a column did not decode; named once in the notes */
    int guard;   /**< of the mapping, see fault.h */
};

/**
 * Map and check a block file. 0, -EBADMSG (damaged; err says where), -EIO (the disk does not give
 * it all), -errno. Where the disk fails later, what reads the block says -EBADMSG.
 */
int block_open(int dirfd, const char *name, struct block **ret, struct err *err);
void block_free(struct block *b);

/** A series of a block. */
struct block_series {
    uint32_t n_labels;
    const uint8_t *labels; /**< pairs of symbols */
    const uint8_t *chunks, *end;
    uint32_t n_chunks;
    uint64_t hash; /**< of struct labels */
    enum tsdb_kind kind;
    int scale;
};

/** 0 or -EBADMSG. */
int block_series(const struct block *b, uint32_t i, struct block_series *ret);

/** The series with these labels; 0, -ENOENT, -EBADMSG. */
int block_find(const struct block *b, const struct labels *labels, struct block_series *ret);

/** Into fresh memory, with the texts; NULL: damaged or no memory. */
struct labels *block_labels(const struct block *b, const struct block_series *s);
bool block_labels_equal(const struct block *b, const struct block_series *s,
                        const struct labels *labels);

struct block_chunk {
    int64_t min_ms, max_ms;
    uint32_t n;
    uint64_t times;
    uint64_t column[BLOCK_COLUMNS_MAX];
};

/** Read one chunk's row of the index and move s->chunks behind it; 0 or -EBADMSG. */
int block_next_chunk(const struct block *b, struct block_series *s, struct block_chunk *ret);

/** Decode; arrays of c->n. 0 or -EBADMSG. */
int block_times(const struct block *b, const struct block_chunk *c, int64_t *t_ms);
int block_values_f64(const struct block *b, const struct block_series *s,
                     const struct block_chunk *c, double *v);
int block_buckets(const struct block *b, const struct block_chunk *c, struct query_bucket *out);

/** Some parts of a chunk's values only; what else is in `v` means nothing. 0 or -EBADMSG. */
int block_i64_parts(const struct block *b, const struct block_chunk *c,
                    const struct codec_part *part, size_t n_parts, int64_t *v);
int block_f64_parts(const struct block *b, const struct block_series *s,
                    const struct block_chunk *c, const struct codec_part *part, size_t n_parts,
                    double *v);

/**
 * Of the samples of a chunk in [start_ms, end_ms] those that the hints' windows need (NULL: all):
 * their indexes, at most c->n parts, and their times at the same places of t_ms[], which has c->n
 * places. 0 or -EBADMSG.
 */
int block_samples_needed(const struct block *b, const struct block_chunk *c, int64_t start_ms,
                         int64_t end_ms, const struct query_hints *hints, int64_t *t_ms,
                         struct codec_part *part, size_t *ret_n_parts);

/**
 * Of the buckets of a chunk those that hints->window_ms lets a reader need, at most c->n; the last
 * of the chunk is always among them, as it may come before a window of the next. 0, -EBADMSG,
 * -ENOMEM.
 */
int block_buckets_needed(const struct block *b, const struct block_chunk *c,
                         const struct query_hints *hints, struct query_bucket *out, size_t *ret_n);

/** 0, or -EBADMSG where the disk failed under what was read so far: those bytes are zeros. */
int block_sound(const struct block *b);

/** The bytes of a column; NULL where they are damaged. */
const uint8_t *block_column(const struct block *b, uint64_t at, size_t *ret_len);

/** The block's label index, for match_bits(). */
struct match_index block_index(const struct block *b);

#endif
