// SPDX-License-Identifier: GPL-3.0-or-later
// Quantiles of the values in a window. Where windows overlap, the values are kept in order from one
// window to the next.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "over.h"

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

static void check_quantile(struct windows *w, double q, double *warned)
{
    if ((q >= 0 && q <= 1) || q == *warned)
        return;
    struct buf text;
    buf_init(&text, 60);
    put_short_number(&text, q);
    query_warn(w->q, w->node->arg[0], "quantile value should be between 0 and 1, got %s",
               text.data);
    buf_done(&text);
    *warned = q;
}

// From here on moving is cheaper than selecting from each window by itself.
#define OVERLAP_MOVES 3

/** The values of a window in order. */
struct sorted {
    double *v;
    uint32_t n;
    uint32_t lo, hi; /**< the samples in it */
};

// Where a value is or would be inserted: the first that does not sort before it. Without a branch
// that depends on the values.
static uint32_t place(const struct sorted *s, double v)
{
    const double *at = s->v;
    uint32_t n = s->n;
    if (n == 0 || isnan(v))
        return 0;
    while (n > 1) {
        uint32_t half = n / 2;
        at += at[half - 1] >= v ? 0 : half;
        n -= half;
    }
    return (uint32_t)(at - s->v) + !(*at >= v);
}

static void insert(struct sorted *s, double v)
{
    uint32_t at = place(s, v);
    memmove(&s->v[at + 1], &s->v[at], (s->n++ - at) * sizeof(*s->v));
    s->v[at] = v;
}

static void take_out(struct sorted *s, double v)
{
    uint32_t at = place(s, v);
    memmove(&s->v[at], &s->v[at + 1], (--s->n - at) * sizeof(*s->v));
}

// Only what lies between the two moves.
static void replace(struct sorted *s, double old, double v)
{
    uint32_t from = place(s, old), to = place(s, v);
    if (to > from) {
        memmove(&s->v[from], &s->v[from + 1], (--to - from) * sizeof(*s->v));
    } else {
        memmove(&s->v[to + 1], &s->v[to], (from - to) * sizeof(*s->v));
    }
    s->v[to] = v;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return sorts_before(x, y) ? -1 : sorts_before(y, x);
}

static void move_to(struct sorted *s, const double *v, uint32_t lo, uint32_t hi)
{
    if (lo >= s->hi || lo - s->lo + hi - s->hi > hi - lo) {
        s->n = hi - lo;
        memcpy(s->v, v + lo, s->n * sizeof(*v));
        qsort(s->v, s->n, sizeof(*v), by_value);
        s->lo = lo;
        s->hi = hi;
    }
    while (s->lo < lo && s->hi < hi)
        replace(s, v[s->lo++], v[s->hi++]);
    while (s->lo < lo)
        take_out(s, v[s->lo++]);
    while (s->hi < hi)
        insert(s, v[s->hi++]);
}

static double quantile_of_sorted(double q, const double *v, size_t n)
{
    if (isnan(q))
        return NAN;
    if (q < 0 || q > 1)
        return q < 0 ? -INFINITY : INFINITY;
    double rank = q * (double)(n - 1);
    size_t lower = (size_t)floor(rank), upper = MIN_OF(lower + 1, n - 1);
    double weight = rank - floor(rank);
    return v[lower] * (1 - weight) + v[upper] * weight;
}

void over_quantile(struct windows *w, double *out)
{
    double warned = 0;
    struct sorted sorted = {.v = window_scratch(w, windows_widest(w) + 1)};
    bool moves = windows_overlap(w, OVERLAP_MOVES);
    for (size_t k = 0; k < w->grid->n; k++) {
        uint32_t lo = w->lo[k], n = w->hi[k] - lo;
        double q = w->param[0][k];
        out[k] = sample_stale();
        query_work(w->q, n);
        if (n == 0)
            continue;
        check_quantile(w, q, &warned);
        if (moves) {
            move_to(&sorted, w->v, lo, w->hi[k]);
            out[k] = quantile_of_sorted(q, sorted.v, n);
        } else {
            memcpy(sorted.v, w->v + lo, n * sizeof(*w->v));
            out[k] = quantile_of(q, sorted.v, n);
        }
    }
}
