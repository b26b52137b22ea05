// SPDX-License-Identifier: GPL-3.0-or-later
#include "place/usage.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define HOUR_S 3600
#define DAY_S 86400
#define LEVEL_GAIN 0.3
#define TREND_GAIN 0.05
#define DAYS_MIN 14
#define DAYS_MAX 400

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double *usage_sorted(const double *v, size_t n)
{
    double *copy = calloc(n + 1, sizeof(*copy));
    if (!copy)
        return NULL;
    if (n > 0)
        memcpy(copy, v, n * sizeof(*copy));
    qsort(copy, n, sizeof(*copy), by_value);
    return copy;
}

double usage_quantile(const double *sorted, size_t n, double quantile)
{
    if (n == 0)
        return NAN;
    double at = ceil(quantile * (double)n - 1e-9);
    return sorted[at < 1 ? 0 : at > (double)n ? n - 1 : (size_t)at - 1];
}

// Holt's smoothing: a level and a trend per hour, and the errors of its own forecasts.
struct holt {
    double level, trend;
    size_t n;
    double squares;
};

static void holt_hour(struct holt *h, double mean)
{
    if (h->n++ == 0) {
        h->level = mean;
        return;
    }
    double forecast = h->level + h->trend, error = mean - forecast;
    h->squares += error * error;
    double level = forecast + LEVEL_GAIN * error;
    h->trend += TREND_GAIN * (level - h->level - h->trend);
    h->level = level;
}

static void forecast(const struct usage_series *s, struct place_usage *ret)
{
    struct holt h = {0};
    for (size_t i = 0; i < s->n;) {
        int64_t hour = s->t_s[i] / HOUR_S;
        double sum = 0;
        size_t n = 0;
        for (; i < s->n && s->t_s[i] / HOUR_S == hour; i++, n++)
            sum += s->v[i];
        holt_hour(&h, sum / (double)n);
    }
    ret->forecast = fmax(0, h.level + h.trend);
    ret->forecast_deviation = h.n > 1 ? sqrt(h.squares / (double)(h.n - 1)) : NAN;
}

int usage_summarise(const struct usage_series *s, struct place_usage *ret)
{
    struct place_usage u = {.n = s->n};
    u.now = u.mean = u.deviation = u.p50 = u.p95 = u.p99 = u.max = NAN;
    u.forecast = u.forecast_deviation = NAN;
    if (s->n > 0) {
        CLEANUP(freep) double *sorted = usage_sorted(s->v, s->n);
        double sum = 0, squares = 0;
        if (!sorted)
            return -ENOMEM;
        for (size_t i = 0; i < s->n; i++)
            sum += s->v[i];
        u.mean = sum / (double)s->n;
        for (size_t i = 0; i < s->n; i++)
            squares += (s->v[i] - u.mean) * (s->v[i] - u.mean);
        u.deviation = sqrt(squares / (double)s->n);
        u.now = s->v[s->n - 1];
        u.p50 = usage_quantile(sorted, s->n, 0.5);
        u.p95 = usage_quantile(sorted, s->n, 0.95);
        u.p99 = usage_quantile(sorted, s->n, 0.99);
        u.max = sorted[s->n - 1];
        forecast(s, &u);
    }
    *ret = u;
    return 0;
}

// The last DAYS_MAX days at the quantile; returns how many.
static size_t daily(const struct usage_series *s, double quantile, double *day, double *value,
                    bool *ret_failed)
{
    size_t n = 0;
    for (size_t i = 0, len; i < s->n; i += len) {
        int64_t number = s->t_s[i] / DAY_S;
        for (len = 0; i + len < s->n && s->t_s[i + len] / DAY_S == number; len++)
            ;
        if ((s->t_s[s->n - 1] / DAY_S) - number >= DAYS_MAX)
            continue;
        CLEANUP(freep) double *sorted = usage_sorted(s->v + i, len);
        *ret_failed |= !sorted;
        if (!sorted || n == DAYS_MAX)
            continue;
        day[n] = (double)number;
        value[n++] = usage_quantile(sorted, len, quantile);
    }
    return n;
}

double usage_growth_per_day(const struct usage_series *s, double quantile)
{
    double day[DAYS_MAX], value[DAYS_MAX];
    bool failed = false;
    size_t n = daily(s, quantile, day, value, &failed), slopes = 0;
    if (failed)
        return NAN;
    if (n < DAYS_MIN)
        return 0;
    CLEANUP(freep) double *slope = calloc(n * n / 2 + 1, sizeof(*slope));
    if (!slope)
        return NAN;
    for (size_t i = 0; i < n; i++)
        for (size_t k = i + 1; k < n; k++)
            slope[slopes++] = (value[k] - value[i]) / (day[k] - day[i]);
    qsort(slope, slopes, sizeof(*slope), by_value);
    return slope[slopes / 2];
}
