// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef CLI_STATS_H
#define CLI_STATS_H

#include <stddef.h>

#include "base/buf.h"
#include "unit.h"

/**
 * What a counter did a second, in PromQL, of an expression that selects it. Over a window that its
 * series began in, rate() divides by all of the window and shows a VM that has just started as one
 * that idles: such windows are left out, and the shorter one tells sooner.
 */
#define STATS_RATE(counter)                                                                        \
    "((rate(" counter "[$w]) and " counter " offset $w) or "                                       \
    "(rate(" counter "[$s]) and " counter " offset $s))"

/** One line of `vherd stats`: what is summed up, and what bounds it. */
struct stats_metric {
    const char *title;
    /** PromQL; `$vm` stands for the VM's name in quotes, `$w` for a window of rates, `$s` for a
     * shorter one. */
    const char *expression;
    const char *limit;      /**< the same, with the same labels; NULL: nothing bounds it */
    const char *limit_name; /**< "vCPUs" */
    const char *key;        /**< the label that tells several series apart; NULL: there is one */
    bool is_rate;           /**< its sum over time means something */
};

/** What is shown where nothing is named; ends at title == NULL. */
extern const struct stats_metric stats_of_vm[];
extern const struct stats_metric stats_of_host[];

/** Put an expression with `$vm` (NULL = none), `$w` (seconds) and `$s` filled in. */
void stats_fill(const char *expression, const char *vm, double window, struct buf *out);

/**
 * The one query for all figures of a metric over `range` seconds in steps of `step`: series carry
 * the figure's name in the label `figure`.
 */
void stats_query(const struct stats_metric *m, const char *vm, double range, double step,
                 struct buf *out);

/** Figures, by their names in the query. */
enum stats_figure {
    STATS_MEAN,
    STATS_MIN,
    STATS_P50,
    STATS_P95,
    STATS_P99,
    STATS_MAX,
    STATS_SUM,
    STATS_TREND, /**< per hour */
    STATS_LAST,
    STATS_COVERED, /**< seconds of which there are samples */
    STATS_LIMIT,
    STATS_FIGURE_MAX,
};

/** The figure of a name, STATS_FIGURE_MAX where it is none. */
enum stats_figure stats_figure_of(const char *name);

/** Forget the trend, and so what follows from it, where samples cover less than a quarter of the
 * range (seconds). */
void stats_drop_trend(double figures[STATS_FIGURE_MAX], double range);

/** Part of the limit that the mean is; NaN where there is no limit. */
double stats_utilisation(const double figures[STATS_FIGURE_MAX]);

/** Seconds until the last value, going on along the trend, reaches the limit: 0 where it has; NaN
 * where it never does or there is none. */
double stats_time_to_limit(const double figures[STATS_FIGURE_MAX]);

#endif
