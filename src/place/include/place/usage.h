// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef PLACE_USAGE_H
#define PLACE_USAGE_H

/* What a series of samples says: percentiles, level, trend. All over one resource of one VM. */

#include <stddef.h>
#include <stdint.h>

#include "place/snapshot.h"

/** Samples in order of time; gaps are allowed. */
struct usage_series {
    const int64_t *t_s; /**< Unix seconds */
    const double *v;    /**< finite, >= 0 */
    size_t n;
};

/**
 * Sum a series up. The forecast is the mean of the next hour by Holt's linear exponential smoothing
 * over hourly means; its deviation is the root mean square of past one-hour forecasts' errors.
 * 0 or -ENOMEM; an empty series gives n = 0 and NaNs.
 */
int usage_summarise(const struct usage_series *series, struct place_usage *ret);

/**
 * The value below which a part `quantile` of the samples lies: the smallest sample with at least
 * that part at or below it; NaN of none. `sorted` in rising order.
 */
double usage_quantile(const double *sorted, size_t n, double quantile);

/** Sorted copy of the values, the caller's; NULL without memory. */
double *usage_sorted(const double *v, size_t n);

/**
 * Growth per day of the daily values at `quantile`: the median of slopes between all pairs of days
 * (Theil and Sen), which a few odd days do not sway. 0 below 14 days; NaN without memory.
 */
double usage_growth_per_day(const struct usage_series *series, double quantile);

#endif
