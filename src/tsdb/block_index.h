// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef TSDB_BLOCK_INDEX_H
#define TSDB_BLOCK_INDEX_H

/* The index of a block being written: symbols, series, names with values and postings. */

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "model/labels.h"

struct index_series {
    const struct labels *labels;
    size_t rows_at; // of its chunks in the rows
    uint32_t n_chunks;
    uint8_t kind, scale;
};

/** Where the sections begin in the file, and how many rows they have. */
struct index_sections {
    uint64_t symbols, series, names, end;
    uint32_t n_symbols, n_names;
};

/** Append the index to `out`, whose first byte stands at `base` of the file. 0, -ENOMEM, -E2BIG. */
int index_put(const struct index_series *series, size_t n, const struct buf *rows, uint64_t base,
              struct buf *out, struct index_sections *ret);

#endif
