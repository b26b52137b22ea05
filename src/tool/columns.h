// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef TOOL_COLUMNS_H
#define TOOL_COLUMNS_H

// Results of simulations, which are printed for people, as JSON and as CSV: the columns of each are
// rows of one table. Private to src/tool.

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/width.h"

// How a member of the struct is held.
enum column_width {
    COLUMN_DOUBLE,
    COLUMN_U64,
    COLUMN_U32,
};

struct column {
    const char *key, *title;
    enum column_width width;
    size_t offset; // in the struct that a row is made of
    void (*put)(double v, struct buf *out);
};

void column_age(double v, struct buf *out);
void column_fixed(double v, struct buf *out);
void column_ratio(double v, struct buf *out);
void column_small_ratio(double v, struct buf *out);
void column_count(double v, struct buf *out);
void column_latency(double v, struct buf *out); // "–" for 0
void column_seconds(double v, struct buf *out); // "0" for 0, "∞" for INFINITY
void column_gib(double v, struct buf *out);

// One value, in so many columns of the terminal.
void column_cell(const struct column *c, const void *of, size_t columns, enum width_align align,
                 struct buf *out);

// Members of an object that was begun; what is not finite is null.
void columns_json(const struct column *columns, size_t n, const void *of, struct json *j);

// A line; of NULL: the heading.
void columns_csv(const struct column *columns, size_t n, const void *of, struct buf *out);

#endif
