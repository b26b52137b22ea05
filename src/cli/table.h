// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/width.h"
#include "term.h"

struct table_column {
    const char *title;
    enum width_align align;
    int drop;   /**< left out where the terminal is too narrow, highest first; 0 = never */
    int least;  /**< may be cut to this many columns; 0 = never cut */
    bool blank; /**< an empty cell means "nothing", not "absent" */
};

/** Rows of cells that are printed in aligned columns. */
struct table;

/** `columns` is borrowed. The caller owns the result. */
struct table *table_new(const struct table_column *columns, size_t n);
void table_free(struct table *t);

/** The next cell, row by row; the text is copied and made safe, "" shows as absent. */
void table_cell(struct table *t, const char *text, enum style style);

/**
 * Print title line and rows, each line behind `indent` blanks; nothing where there is no row.
 * A column that is absent in all rows is left out where it may be dropped.
 */
void table_print(const struct table *t, const struct term *term, size_t indent, struct buf *out);

#endif
