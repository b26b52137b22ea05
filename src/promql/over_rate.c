// SPDX-License-Identifier: GPL-3.0-or-later
// Functions that look at how a series changes within a window. Windows only move forward, so that
// what lies in them is kept up to date instead of counted anew.
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "kahan.h"
#include "over.h"

/** What extrapolation needs to know of the samples in a window. */
struct sampled {
    int64_t first_ms, last_ms;
    double first, change;
    uint32_t count;
};

// Prometheus' rate(), increase() and delta(): the change between first and last sample is
// stretched to the window's borders, unless they are so far away that the series seems to begin or
// end there (then by half the mean distance), and for a counter not to before it was 0. All in ms.
static double extrapolate(const struct windows *w, size_t k, const struct sampled *s,
                          bool is_counter, bool is_rate)
{
    double to_start = (double)(s->first_ms - (window_end(w, k) - w->range_ms));
    double to_end = (double)(window_end(w, k) - s->last_ms);
    double sampled = (double)(s->last_ms - s->first_ms);
    double between = sampled / (s->count - 1);
    double threshold = between * 1.1;
    if (to_start >= threshold)
        to_start = between / 2;
    // Divided only where it counts: the change is what it takes from 0 to `first` and more.
    if (is_counter && s->change > 0 && s->first >= 0 && sampled * s->first < to_start * s->change)
        to_start = sampled * (s->first / s->change);
    if (to_end >= threshold)
        to_end = between / 2;
    double factor = (sampled + to_start + to_end) / sampled;
    if (is_rate)
        factor /= (double)w->range_ms / 1000;
    return s->change * factor;
}

static bool ends_in(const char *text, const char *suffix)
{
    size_t n = strlen(text), m = strlen(suffix);
    return n >= m && strcmp(text + n - m, suffix) == 0;
}

static void doubt_counter(struct windows *w, const double *out)
{
    const char *name = labels_metric(w->labels);
    if (!name[0] || ends_in(name, "_total") || ends_in(name, "_sum") || ends_in(name, "_count") ||
        ends_in(name, "_bucket"))
        return;
    for (size_t k = 0; k < w->grid->n; k++)
        if (!is_absent(out[k])) {
            query_info(w->q, w->range,
                       "metric might not be a counter, name does not end in "
                       "_total/_sum/_count/_bucket: \"%s\"",
                       name);
            return;
        }
}

// Indices of samples that are lower than the one before, in the windows' range, in order.
static uint32_t *find_resets(struct windows *w, size_t *ret_n)
{
    uint32_t *reset = NULL;
    size_t n = 0, cap = 0;
    uint32_t done = 0;
    for (size_t k = 0; k < w->grid->n; k++) {
        uint32_t from = MAX_OF(done, w->lo[k] + 1);
        for (uint32_t i = from; i < w->hi[k]; i++)
            if (w->v[i] < w->v[i - 1]) {
                reset = arena_grow(&w->q->arena, reset, &cap, n, sizeof(*reset));
                reset[n++] = i;
            }
        done = MAX_OF(done, w->hi[k]);
    }
    *ret_n = n;
    return reset;
}

static void rates(struct windows *w, bool is_counter, bool is_rate, double *out)
{
    size_t n_resets = 0, first_reset = 0;
    uint32_t *reset = is_counter ? find_resets(w, &n_resets) : NULL;
    for (size_t k = 0; k < w->grid->n; k++) {
        uint32_t lo = w->lo[k], hi = w->hi[k];
        out[k] = sample_stale();
        if (hi - lo < 2)
            continue;
        struct sampled s = {w->t_ms[lo], w->t_ms[hi - 1], w->v[lo], w->v[hi - 1] - w->v[lo],
                            hi - lo};
        while (first_reset < n_resets && reset[first_reset] <= lo)
            first_reset++;
        for (size_t i = first_reset; i < n_resets && reset[i] < hi; i++)
            s.change += w->v[reset[i] - 1];
        out[k] = extrapolate(w, k, &s, is_counter, is_rate);
    }
    if (is_counter)
        doubt_counter(w, out);
}

void over_rate(struct windows *w, double *out)
{
    rates(w, true, true, out);
}

void over_increase(struct windows *w, double *out)
{
    rates(w, true, false, out);
}

void over_delta(struct windows *w, double *out)
{
    rates(w, false, false, out);
}

// What a bucket adds to the increase of a window that begins with it: not the rise from the last
// sample before. Without resets that is plain; else the sample before is asked, where it is there.
static double own_increase(const struct query_bucket *b, const struct query_bucket *before)
{
    if (b->resets == 0)
        return b->last - b->first;
    if (!before)
        return b->increase;
    return b->increase - (b->first < before->last ? b->first : b->first - before->last);
}

static void rates_of_buckets(struct windows *w, bool is_counter, bool is_rate, double *out)
{
    for (size_t k = 0; k < w->grid->n; k++) {
        uint32_t lo = w->lo[k], hi = w->hi[k];
        out[k] = sample_stale();
        if (hi == lo)
            continue;
        const struct query_bucket *b = w->bucket;
        struct sampled s = {b[lo].first_ms, b[hi - 1].last_ms, b[lo].first, 0, 0};
        s.change = is_counter ? own_increase(&b[lo], lo > 0 ? &b[lo - 1] : NULL)
                              : b[hi - 1].last - b[lo].first;
        for (uint32_t i = lo; i < hi; i++) {
            s.count += b[i].count;
            if (is_counter && i > lo)
                s.change += b[i].increase;
        }
        if (s.count >= 2 && s.last_ms > s.first_ms)
            out[k] = extrapolate(w, k, &s, is_counter, is_rate);
    }
    if (is_counter)
        doubt_counter(w, out);
}

void buckets_rate(struct windows *w, double *out)
{
    rates_of_buckets(w, true, true, out);
}

void buckets_increase(struct windows *w, double *out)
{
    rates_of_buckets(w, true, false, out);
}

void buckets_delta(struct windows *w, double *out)
{
    rates_of_buckets(w, false, false, out);
}

void over_irate(struct windows *w, double *out)
{
    for (size_t k = 0; k < w->grid->n; k++) {
        uint32_t hi = w->hi[k];
        out[k] = sample_stale();
        if (hi - w->lo[k] < 2)
            continue;
        double last = w->v[hi - 1], before = w->v[hi - 2];
        double change = last < before ? last : last - before;
        out[k] = change / ((double)(w->t_ms[hi - 1] - w->t_ms[hi - 2]) / 1000);
    }
    doubt_counter(w, out);
}

void over_idelta(struct windows *w, double *out)
{
    for (size_t k = 0; k < w->grid->n; k++) {
        uint32_t hi = w->hi[k];
        out[k] = hi - w->lo[k] < 2 ? sample_stale() : w->v[hi - 1] - w->v[hi - 2];
    }
}

static bool is_change(double before, double now)
{
    return now != before && !(isnan(now) && isnan(before));
}

static bool is_reset(double before, double now)
{
    return now < before;
}

// How many neighbours in the window fulfil the test: those that enter are added, those that leave
// are taken off.
static inline void count_pairs(struct windows *w, bool (*test)(double, double), double *out)
{
    uint32_t lo = 0, hi = 0;
    int64_t n = 0;
    for (size_t k = 0; k < w->grid->n; k++) {
        if (w->lo[k] >= hi) {
            lo = hi = w->lo[k];
            n = 0;
        }
        for (; hi < w->hi[k]; hi++)
            n += hi > lo && test(w->v[hi - 1], w->v[hi]);
        for (; lo < w->lo[k]; lo++)
            n -= lo + 1 < hi && test(w->v[lo], w->v[lo + 1]);
        out[k] = hi > lo ? (double)n : sample_stale();
    }
}

void over_changes(struct windows *w, double *out)
{
    count_pairs(w, is_change, out);
}

void over_resets(struct windows *w, double *out)
{
    count_pairs(w, is_reset, out);
}

void buckets_resets(struct windows *w, double *out)
{
    for (size_t k = 0; k < w->grid->n; k++) {
        uint32_t lo = w->lo[k], hi = w->hi[k];
        double n = 0;
        for (uint32_t i = lo; i < hi; i++)
            n += w->bucket[i].resets;
        if (hi > lo && lo > 0 && w->bucket[lo].first < w->bucket[lo - 1].last)
            n -= 1;
        out[k] = hi > lo ? n : sample_stale();
    }
}
