// SPDX-License-Identifier: GPL-3.0-or-later
// When a host counts as overloaded: the rules of Beloglazov and Buyya (CCPE 2012, section 5), with
// the details of CloudSim 3.0.3, whose figures they have to reproduce.
#include "detect_overload.h"

#include <math.h>

#include "base/mem.h"

// Samples without which deviation says nothing.
#define DEVIATION_LEAST 12

static bool above(const struct trial *t, const struct trial_host *h, uint32_t host, double share)
{
    return h->wanted / t->live->host[host].cpu > share;
}

static void sort(double *v, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        double x = v[i];
        size_t k = i;
        for (; k > 0 && v[k - 1] > x; k--)
            v[k] = v[k - 1];
        v[k] = x;
    }
}

static double sorted_median(const double *v, size_t n)
{
    return n % 2 ? v[n / 2] : v[n / 2 - 1] + 0.5 * (v[n / 2] - v[n / 2 - 1]);
}

static double median_deviation(double *v, size_t n)
{
    sort(v, n);
    double median = sorted_median(v, n);
    for (size_t i = 0; i < n; i++)
        v[i] = fabs(median - v[i]);
    sort(v, n);
    return sorted_median(v, n);
}

static double interquartile_range(double *v, size_t n)
{
    sort(v, n);
    size_t q1 = (size_t)(0.25 * (double)(n + 1) + 0.5) - 1;
    size_t q3 = (size_t)(0.75 * (double)(n + 1) + 0.5) - 1;
    return v[q3] - v[q1];
}

static bool deviation_rule(const struct trial *t, double safety, uint32_t host, uint32_t more,
                           const struct trial_host *h, double (*spread)(double *v, size_t n))
{
    double v[PLACE_HISTORY];
    size_t n = trial_history(t, host, more, v);
    if (n < DEVIATION_LEAST)
        return above(t, h, host, DETECT_FALLBACK_SHARE);
    return above(t, h, host, 1 - safety * spread(v, n));
}

static bool thr(const struct trial *t, double safety, uint32_t host, uint32_t more,
                const struct trial_host *h)
{
    return above(t, h, host, safety);
}

static bool mad(const struct trial *t, double safety, uint32_t host, uint32_t more,
                const struct trial_host *h)
{
    return deviation_rule(t, safety, host, more, h, median_deviation);
}

static bool iqr(const struct trial *t, double safety, uint32_t host, uint32_t more,
                const struct trial_host *h)
{
    return deviation_rule(t, safety, host, more, h, interquartile_range);
}

// Intervals that pass until the slowest of the VMs would be away.
static double lead(const struct trial *t, const struct trial_host *h)
{
    return ceil(h->longest_s / t->live->interval_s);
}

// Regressions add up, so that a host's is the sum of its VMs'.
static bool lr(const struct trial *t, double safety, uint32_t host, uint32_t more,
               const struct trial_host *h)
{
    if (h->sampled < TRIAL_REGRESSION)
        return above(t, h, host, DETECT_FALLBACK_SHARE);
    double x = TRIAL_REGRESSION + lead(t, h) - (TRIAL_REGRESSION + 1) / 2.0;
    return (h->mean + h->slope * x) * safety >= 1;
}

// The weighted least-squares line through y at x = n … 1 (newest first); its value at `at`.
static double weighted_line(const double *y, const double *weight, size_t n, double at,
                            double *ret_slope, double *ret_start)
{
    double w = 0, wx = 0, wy = 0, wxx = 0, wxy = 0;
    for (size_t i = 0; i < n; i++) {
        double x = (double)(n - i);
        w += weight[i];
        wx += weight[i] * x;
        wy += weight[i] * y[i];
        wxx += weight[i] * x * x;
        wxy += weight[i] * x * y[i];
    }
    double det = w * wxx - wx * wx;
    *ret_slope = det > 0 ? (w * wxy - wx * wy) / det : 0;
    *ret_start = w > 0 ? (wy - *ret_slope * wx) / w : 0;
    return *ret_start + *ret_slope * at;
}

static double cube(double x)
{
    return x * x * x;
}

// Tricube weights around the newest sample (Cleveland 1979); `bisquare` adds one robust round.
static bool local_regression(const struct trial *t, double safety, uint32_t host, uint32_t more,
                             const struct trial_host *h, bool bisquare)
{
    enum { N = TRIAL_REGRESSION };
    double y[PLACE_HISTORY], weight[N], residual[N], slope, start;
    if (trial_history(t, host, more, y) < N)
        return above(t, h, host, DETECT_FALLBACK_SHARE);
    for (size_t i = 0; i < N; i++)
        weight[i] = cube(1 - cube((double)i / N));
    double forecast = weighted_line(y, weight, N, N + lead(t, h), &slope, &start);
    if (bisquare) {
        for (size_t i = 0; i < N; i++)
            residual[i] = fabs(y[i] - start - slope * (double)(N - i));
        double sorted[N];
        for (size_t i = 0; i < N; i++)
            sorted[i] = residual[i];
        sort(sorted, N);
        double scale = 6 * sorted_median(sorted, N);
        for (size_t i = 0; i < N && scale > 0; i++) {
            double u = residual[i] / scale;
            weight[i] *= u < 1 ? (1 - u * u) * (1 - u * u) : 0;
        }
        forecast = weighted_line(y, weight, N, N + lead(t, h), &slope, &start);
    }
    return forecast * safety >= 1;
}

static bool loess(const struct trial *t, double safety, uint32_t host, uint32_t more,
                  const struct trial_host *h)
{
    return local_regression(t, safety, host, more, h, false);
}

static bool robust(const struct trial *t, double safety, uint32_t host, uint32_t more,
                   const struct trial_host *h)
{
    return local_regression(t, safety, host, more, h, true);
}

static const struct {
    const char *name;
    double safety;
    bool (*overloaded)(const struct trial *t, double safety, uint32_t host, uint32_t more,
                       const struct trial_host *h);
} detectors[] = {
    [PLACE_DETECT_THR] = {"thr", 0.8, thr},          [PLACE_DETECT_MAD] = {"mad", 2.5, mad},
    [PLACE_DETECT_IQR] = {"iqr", 1.5, iqr},          [PLACE_DETECT_LR] = {"lr", 1.2, lr},
    [PLACE_DETECT_LRR] = {"lrr", 1.2, lr},           [PLACE_DETECT_LOESS] = {"loess", 1.2, loess},
    [PLACE_DETECT_ROBUST] = {"robust", 1.2, robust},
};
_Static_assert(ARRAY_LEN(detectors) == PLACE_DETECT_MAX, "a detector without a row");

const char *place_detector_name(enum place_detector detector)
{
    return detectors[detector].name;
}

double detect_default(enum place_detector detector)
{
    return detectors[detector].safety;
}

bool detect_overload(const struct trial *t, const struct place_policy *policy, uint32_t host,
                     uint32_t more)
{
    struct trial_host h = more == UINT32_MAX ? t->host[host] : trial_with(t, host, more);
    return detectors[policy->detector].overloaded(t, policy->safety, host, more, &h);
}
