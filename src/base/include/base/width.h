// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BASE_WIDTH_H
#define BASE_WIDTH_H

#include <stddef.h>

#include "base/buf.h"

/*
 * Text measured in a terminal's columns, by wcwidth() of the locale in force; what it does not
 * know counts as one column. Text must have passed esc_terminal() before.
 */

enum width_align {
    WIDTH_LEFT,
    WIDTH_RIGHT,
};

/** Columns of a whole text. */
size_t width_text(const char *s);

/**
 * Bytes of the longest beginning of `s` that takes at most `columns`, with the combining
 * characters that follow it. *ret_columns (may be NULL) gets the columns it takes.
 */
size_t width_fit(const char *s, size_t columns, size_t *ret_columns);

/**
 * Append `s` in exactly `columns` columns: filled with blanks, or cut with `ellipsis` ("…" or
 * "~", one column) in its last column.
 */
void width_put(struct buf *out, const char *s, size_t columns, enum width_align align,
               const char *ellipsis);

#endif
