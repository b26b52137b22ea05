// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef TUI_SPARK_H
#define TUI_SPARK_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"

/**
 * A row of numbers (null = absent), oldest first, as `columns` characters; neighbours share a
 * character by their mean, and one without a number is blank. `top` is the value of the highest
 * block; 0 or less: the largest number there is, told in *ret_top (may be NULL; 0 where there is
 * none).
 */
void spark_line(const json_t *values, size_t columns, double top, bool utf8, double *ret_top,
                struct buf *out);

#endif
