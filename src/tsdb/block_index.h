// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef TSDB_BLOCK_INDEX_H
#define TSDB_BLOCK_INDEX_H

/* The index of a block being written: symbols, series, names with values and postings. */

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "model/labels.h"

/** A series, with the numbers of its texts in place of labels. */
struct index_series {
    uint64_t hash;  // of its labels
    size_t rows_at; // of its chunks in the rows
    size_t ids_at;  // of its texts: name, value, name, value, …
    uint32_t n_chunks;
    uint16_t n_labels;
    uint8_t kind, scale;
};

/** What the index is built from, while series come. */
struct index_build {
    struct map *by_text; // text → struct symbol
    struct symbol **symbol;
    size_t n_symbols, symbols_cap;
    struct index_series *series;
    size_t n_series, series_cap;
    uint32_t *id;
    size_t n_ids, ids_cap;
    struct buf rows;
};

/** Where the sections begin in the file, and how many rows they have. */
struct index_sections {
    uint64_t symbols, series, names, end;
    uint32_t n_symbols, n_names;
};

void index_init(struct index_build *b);
void index_done(struct index_build *b);

/** Begin a series; its labels are copied. 0, -ENOMEM, -E2BIG. */
int index_add(struct index_build *b, const struct labels *labels, uint8_t kind, uint8_t scale);

/** Append the index to `out`, whose first byte stands at `base` of the file. 0, -ENOMEM, -E2BIG. */
int index_put(struct index_build *b, uint64_t base, struct buf *out, struct index_sections *ret);

#endif
