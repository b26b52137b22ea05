// SPDX-License-Identifier: GPL-3.0-or-later
// Statistics of the values in a window. Where windows overlap, sums and extremes are kept by two
// stacks: results of the tails of an older stretch, and the running result of what came since; so
// that each sample is added twice at most, however wide the windows, and nothing is ever subtracted
// from a sum.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kahan.h"
#include "over.h"

static bool overlaps_next(const struct windows *w, size_t k)
{
    return k + 1 < w->grid->n && w->lo[k + 1] < w->hi[k];
}

// In order, one after the other: Prometheus' bits, also where values cancel out.
static struct kahan sum_of(const double *v, uint32_t lo, uint32_t hi)
{
    struct kahan sum = {0};
    for (uint32_t i = lo; i < hi; i++)
        kahan_add(&sum, v[i]);
    return sum;
}

static void sums(struct windows *w, double *out,
                 double (*finish)(struct windows *, size_t, struct kahan))
{
    size_t widest = 0;
    for (size_t k = 0; k < w->grid->n; k++)
        widest = MAX_OF(widest, w->hi[k] - w->lo[k]);
    struct kahan *tail = NULL, since = {0};
    uint32_t base = 0, middle = 0, done = 0;
    for (size_t k = 0; k < w->grid->n; k++) {
        uint32_t lo = w->lo[k], hi = w->hi[k];
        struct kahan sum;
        if (lo >= middle && !overlaps_next(w, k)) {
            sum = sum_of(w->v, lo, hi);
        } else if (lo >= middle) {
            if (!tail)
                tail = (struct kahan *)window_scratch(w, 2 * widest);
            struct kahan running = {0};
            for (uint32_t i = hi; i > lo; i--) {
                kahan_add(&running, w->v[i - 1]);
                tail[i - 1 - lo] = running;
            }
            base = lo;
            middle = done = hi;
            since = (struct kahan){0};
            sum = running;
        } else {
            for (; done < hi; done++)
                kahan_add(&since, w->v[done]);
            sum = kahan_join(tail[lo - base], since);
        }
        out[k] = hi > lo ? finish(w, k, sum) : sample_stale();
    }
}

static double finish_sum(struct windows *w, size_t k, struct kahan sum)
{
    return kahan_value(sum);
}

// The mean of values whose sum overflows, kept as a running mean.
static double incremental_mean(const double *v, uint32_t lo, uint32_t hi)
{
    struct kahan mean = {0};
    for (uint32_t i = lo; i < hi; i++) {
        double n = i - lo + 1, weight = (n - 1) / n;
        mean = (struct kahan){weight * mean.sum, weight * mean.c};
        kahan_add(&mean, v[i] / n);
    }
    return kahan_value(mean);
}

static double finish_avg(struct windows *w, size_t k, struct kahan sum)
{
    double n = w->hi[k] - w->lo[k];
    if (isfinite(sum.sum))
        return sum.sum / n + sum.c / n;
    for (uint32_t i = w->lo[k]; i < w->hi[k]; i++)
        if (!isfinite(w->v[i]))
            return sum_of(w->v, w->lo[k], w->hi[k]).sum;
    return incremental_mean(w->v, w->lo[k], w->hi[k]);
}

void over_sum(struct windows *w, double *out)
{
    sums(w, out, finish_sum);
}

void over_avg(struct windows *w, double *out)
{
    sums(w, out, finish_avg);
}

static inline double lesser(double a, double b)
{
    return b < a || isnan(a) ? b : a;
}

static inline double greater(double a, double b)
{
    return b > a || isnan(a) ? b : a;
}

static inline __attribute__((always_inline)) void extremes(struct windows *w, double *out,
                                                           double (*better)(double, double))
{
    size_t widest = 0;
    for (size_t k = 0; k < w->grid->n; k++)
        widest = MAX_OF(widest, w->hi[k] - w->lo[k]);
    double *tail = window_scratch(w, widest + 1);
    double since = NAN;
    uint32_t base = 0, middle = 0, done = 0;
    for (size_t k = 0; k < w->grid->n; k++) {
        uint32_t lo = w->lo[k], hi = w->hi[k];
        double best = NAN;
        if (lo >= middle) {
            for (uint32_t i = hi; i > lo; i--) {
                best = better(w->v[i - 1], best);
                tail[i - 1 - lo] = best;
            }
            base = lo;
            middle = done = hi;
            since = NAN;
        } else {
            for (; done < hi; done++)
                since = better(since, w->v[done]);
            best = better(tail[lo - base], since);
        }
        out[k] = hi > lo ? best : sample_stale();
    }
}

void over_min(struct windows *w, double *out)
{
    extremes(w, out, lesser);
}

void over_max(struct windows *w, double *out)
{
    extremes(w, out, greater);
}

void over_count(struct windows *w, double *out)
{
    for (size_t k = 0; k < w->grid->n; k++)
        out[k] = w->hi[k] > w->lo[k] ? w->hi[k] - w->lo[k] : sample_stale();
}

void over_present(struct windows *w, double *out)
{
    for (size_t k = 0; k < w->grid->n; k++)
        out[k] = w->hi[k] > w->lo[k] ? 1 : sample_stale();
}

void over_last(struct windows *w, double *out)
{
    for (size_t k = 0; k < w->grid->n; k++)
        out[k] = w->hi[k] > w->lo[k] ? w->v[w->hi[k] - 1] : sample_stale();
}

// Welford's algorithm, compensated.
static double variance(const double *v, uint32_t n)
{
    struct kahan mean = {0}, squares = {0};
    for (uint32_t i = 0; i < n; i++) {
        double delta = v[i] - (mean.sum + mean.c);
        kahan_add(&mean, delta / (i + 1));
        kahan_add(&squares, delta * (v[i] - (mean.sum + mean.c)));
    }
    return (squares.sum + squares.c) / n;
}

void over_stdvar(struct windows *w, double *out)
{
    for (size_t k = 0; k < w->grid->n; k++)
        out[k] =
            w->hi[k] > w->lo[k] ? variance(w->v + w->lo[k], w->hi[k] - w->lo[k]) : sample_stale();
}

void over_stddev(struct windows *w, double *out)
{
    over_stdvar(w, out);
    for (size_t k = 0; k < w->grid->n; k++)
        out[k] = is_absent(out[k]) ? out[k] : sqrt(out[k]);
}

// NaN sorts before all others.
static inline bool sorts_before(double a, double b)
{
    return a < b || (isnan(a) && !isnan(b));
}

static void swap(double *a, double *b)
{
    double t = *a;
    *a = *b;
    *b = t;
}

// Hoare's selection: v[want] becomes what it would be in sorted order, lower ones before it.
static double select_nth(double *v, size_t n, size_t want)
{
    size_t lo = 0, hi = n - 1;
    while (lo < hi) {
        size_t middle = lo + (hi - lo) / 2;
        if (sorts_before(v[middle], v[lo]))
            swap(&v[middle], &v[lo]);
        if (sorts_before(v[hi], v[lo]))
            swap(&v[hi], &v[lo]);
        if (sorts_before(v[hi], v[middle]))
            swap(&v[hi], &v[middle]);
        double pivot = v[middle];
        size_t i = lo, k = hi;
        for (;;) {
            while (sorts_before(v[i], pivot))
                i++;
            while (sorts_before(pivot, v[k]))
                k--;
            if (i >= k)
                break;
            swap(&v[i++], &v[k--]);
        }
        // All up to k sort no later than all from k + 1 on, but for i == k, which is the pivot.
        if (i == k && want == k)
            break;
        if (want <= k)
            hi = i == k ? k - 1 : k;
        else
            lo = k + 1;
    }
    return v[want];
}

double quantile_of(double q, double *v, size_t n)
{
    if (n == 0 || isnan(q))
        return NAN;
    if (q < 0)
        return -INFINITY;
    if (q > 1)
        return INFINITY;
    double rank = q * (double)(n - 1);
    size_t lower = (size_t)floor(rank);
    double weight = rank - floor(rank);
    double low = select_nth(v, n, lower), high = low;
    if (lower + 1 < n) {
        high = v[lower + 1];
        for (size_t i = lower + 2; i < n; i++)
            high = sorts_before(v[i], high) ? v[i] : high;
    }
    return low * (1 - weight) + high * weight;
}

void over_quantile(struct windows *w, double *out)
{
    double warned = 0;
    for (size_t k = 0; k < w->grid->n; k++) {
        uint32_t lo = w->lo[k], n = w->hi[k] - lo;
        out[k] = sample_stale();
        if (n == 0)
            continue;
        double q = w->param[0][k];
        if ((isnan(q) || q < 0 || q > 1) && !(q == warned)) {
            struct buf text;
            buf_init(&text, 60);
            put_short_number(&text, q);
            query_warn(w->q, w->node->arg[0], "quantile value should be between 0 and 1, got %s",
                       text.data);
            buf_done(&text);
            warned = q;
        }
        double *copy = window_scratch(w, n);
        memcpy(copy, w->v + lo, n * sizeof(*copy));
        out[k] = quantile_of(q, copy, n);
    }
}

void buckets_sum(struct windows *w, double *out)
{
    for (size_t k = 0; k < w->grid->n; k++) {
        struct kahan sum = {0};
        for (uint32_t i = w->lo[k]; i < w->hi[k]; i++)
            kahan_add(&sum, w->bucket[i].sum);
        out[k] = w->hi[k] > w->lo[k] ? kahan_value(sum) : sample_stale();
    }
}

void buckets_count(struct windows *w, double *out)
{
    for (size_t k = 0; k < w->grid->n; k++) {
        double n = 0;
        for (uint32_t i = w->lo[k]; i < w->hi[k]; i++)
            n += w->bucket[i].count;
        out[k] = n > 0 ? n : sample_stale();
    }
}

void buckets_avg(struct windows *w, double *out)
{
    buckets_sum(w, out);
    for (size_t k = 0; k < w->grid->n; k++) {
        double n = 0;
        for (uint32_t i = w->lo[k]; i < w->hi[k]; i++)
            n += w->bucket[i].count;
        if (n > 0)
            out[k] /= n;
    }
}

void buckets_min(struct windows *w, double *out)
{
    for (size_t k = 0; k < w->grid->n; k++) {
        double best = NAN;
        for (uint32_t i = w->lo[k]; i < w->hi[k]; i++)
            best = lesser(best, w->bucket[i].min);
        out[k] = w->hi[k] > w->lo[k] ? best : sample_stale();
    }
}

void buckets_max(struct windows *w, double *out)
{
    for (size_t k = 0; k < w->grid->n; k++) {
        double best = NAN;
        for (uint32_t i = w->lo[k]; i < w->hi[k]; i++)
            best = greater(best, w->bucket[i].max);
        out[k] = w->hi[k] > w->lo[k] ? best : sample_stale();
    }
}

void buckets_present(struct windows *w, double *out)
{
    over_present(w, out);
}

void buckets_last(struct windows *w, double *out)
{
    for (size_t k = 0; k < w->grid->n; k++)
        out[k] = w->hi[k] > w->lo[k] ? w->bucket[w->hi[k] - 1].last : sample_stale();
}
