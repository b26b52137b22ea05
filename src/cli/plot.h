// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef CLI_PLOT_H
#define CLI_PLOT_H

/*
 * Curves in a terminal: dots of braille where the terminal has them, else a character a series.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "unit.h"

#define PLOT_SERIES_MAX 8

struct plot_series {
    const char *label; /**< safe for the terminal */
    size_t n;
    const double *t; /**< Unix seconds, going up */
    const double *v; /**< what is not finite leaves a gap */
};

struct plot_params {
    size_t width, height; /**< of all that is printed, the legend apart */
    bool utf8, color;
    enum unit unit;
    double start, end; /**< of the time axis, Unix seconds */
    double step;       /**< points further apart than twice this are not joined */
};

/** Ticks of the axis of time: the first, the distance between two, how many. */
struct plot_ticks {
    double first, step;
    size_t n;
};

/**
 * Round times of the local zone within [start, end], at most `most` (> 0) of them and one: steps of
 * whole seconds, minutes, hours, days. Values have an axis of their own, axis.h.
 */
struct plot_ticks plot_time_ticks(double start, double end, size_t most);

/**
 * Print axes, curves (the first PLOT_SERIES_MAX series) and, of more than one, a legend. No line is
 * wider than `width`, which is taken as 20 at least (`height`: 4).
 */
void plot_put(const struct plot_params *p, const struct plot_series *series, size_t n,
              struct buf *out);

#endif
