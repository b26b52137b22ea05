// SPDX-License-Identifier: GPL-3.0-or-later
// Sums and extremes of the values in a window. Where windows overlap, they are kept by two
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

static void sums(struct windows *w, double *out,
                 double (*finish)(struct windows *, size_t, struct kahan))
{
    size_t widest = windows_widest(w);
    struct kahan *tail = NULL, since = {0};
    uint32_t base = 0, middle = 0, done = 0;
    for (size_t k = 0; k < w->grid->n; k++) {
        uint32_t lo = w->lo[k], hi = w->hi[k];
        struct kahan sum;
        if (lo >= middle && !overlaps_next(w, k)) {
            query_work(w->q, hi - lo);
            sum = kahan_sum(w->v, lo, hi);
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
            return kahan_sum(w->v, w->lo[k], w->hi[k]).sum;
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
    size_t widest = windows_widest(w);
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
