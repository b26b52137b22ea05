// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef CLI_UNIT_H
#define CLI_UNIT_H

#include <stdbool.h>

#include "base/buf.h"

/** What a number counts, as far as names tell. */
enum unit {
    UNIT_NONE,
    UNIT_BYTES,
    UNIT_BYTES_PER_SECOND,
    UNIT_SECONDS,
    UNIT_RATIO,
    UNIT_PER_SECOND,
    UNIT_MAX,
};

/**
 * The unit of an expression by Prometheus' naming rules: the suffix of the one metric that it
 * names, and whether a rate is taken of it. UNIT_NONE where it names several of different units,
 * counts (`count`, comparisons with bool) or divides.
 */
enum unit unit_of_expression(const char *expression);

/** With three digits: "1.50 MiB", "12.3%", "850 µs", "12.3/s"; a number that is none: "NaN". */
void unit_put(enum unit unit, double v, bool utf8, struct buf *out);

/** What stands above an axis: "bytes", "%", ""; never NULL. */
const char *unit_name(enum unit unit);

/** Whether its large numbers go by powers of 1024. */
bool unit_is_binary(enum unit unit);

#endif
