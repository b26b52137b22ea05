// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef CLI_AXIS_H
#define CLI_AXIS_H

/*
 * The axis of values beside a plot: from one round value to another, with labels that have the
 * digits that tell its ticks apart, all in one unit.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "unit.h"

/** Most ticks that an axis is given. */
#define AXIS_TICKS_MAX 7

struct axis {
    double low, high;   /**< first and last tick */
    double step;        /**< between two ticks */
    size_t n;           /**< ticks */
    double first_steps; /**< `low` in steps: a whole number */
    double factor;      /**< labels show values divided by this */
    int digits;         /**< behind the point */
    char unit[16];      /**< behind each number: " GiB", "%", "k/s" */
    char zero_unit[16]; /**< behind 0, which needs no prefix */
};

/**
 * An axis that holds [low, high] (finite, low <= high) between whole steps of 1, 2, 2.5 or 5 times
 * a power of ten in the labels' unit, or, of bytes from 1 B on, of a power of two. At most `most`
 * (2 at least) ticks; where it is AXIS_TICKS_MAX, 4 or more. Near the largest double the last step
 * may be missing.
 */
void axis_init(struct axis *a, double low, double high, size_t most, enum unit unit, bool utf8);

/** The value of a tick, i < n. */
double axis_tick(const struct axis *a, size_t i);

/** Its label. */
void axis_label(const struct axis *a, size_t i, struct buf *out);

/** Where a value lies on the axis: 0 at its lower end, 1 at its upper. */
double axis_place(const struct axis *a, double v);

#endif
