// SPDX-License-Identifier: GPL-3.0-or-later
// Variance and regression of the values in a window. Where windows overlap much, moments are kept
// by two stacks as in over_stats.c: those of the tails of an older stretch and of what came since,
// put together for each window, so that each sample is looked at twice at most.
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "kahan.h"
#include "over.h"

// Below this sums are made anew for each window: Prometheus' bits, also where values cancel out.
#define OVERLAP_MUCH 4

/** Of a stretch of samples: how many, means of time and value, sums of centred products. */
struct moments {
    double n, x, y, xx, xy, yy;
};

// Which sums are kept: of the values alone, or of times and values.
enum kept {
    KEPT_VALUES,
    KEPT_LINE,
};

// Welford's updates.
static inline __attribute__((always_inline)) void add(struct moments *m, double x, double y,
                                                      enum kept kept)
{
    double n = m->n + 1, dx = x - m->x, dy = y - m->y;
    m->n = n;
    m->y += dy / n;
    if (kept == KEPT_VALUES) {
        m->yy += dy * (y - m->y);
        return;
    }
    m->x += dx / n;
    m->xx += dx * (x - m->x);
    m->xy += dx * (y - m->y);
}

// Chan, Golub, LeVeque 1983.
static inline __attribute__((always_inline)) struct moments
join(struct moments a, const struct moments *b, enum kept kept)
{
    double n = a.n + b->n, part = b->n / n, weight = a.n * part;
    double dx = b->x - a.x, dy = b->y - a.y;
    a.y += dy * part;
    a.n = n;
    if (kept == KEPT_VALUES) {
        a.yy += b->yy + dy * dy * weight;
        return a;
    }
    a.x += dx * part;
    a.xx += b->xx + dx * dx * weight;
    a.xy += b->xy + dx * dy * weight;
    return a;
}

static inline double seconds_from(const struct windows *w, int64_t origin_ms, uint32_t i)
{
    return (double)(w->t_ms[i] - origin_ms) / 1000;
}

// out[k] of each window that has a sample is what `finish` makes of its moments; times are seconds
// from origin_ms.
static inline __attribute__((always_inline)) void
moving(struct windows *w, double *out, enum kept kept, int64_t origin_ms,
       double (*finish)(struct windows *, size_t, const struct moments *, void *), void *arg)
{
    struct moments *tail = (struct moments *)window_scratch(w, windows_widest(w) * 6);
    struct moments since = {0};
    uint32_t base = 0, middle = 0, done = 0;
    for (size_t k = 0; k < w->grid->n; k++) {
        uint32_t lo = w->lo[k], hi = w->hi[k];
        out[k] = sample_stale();
        if (hi == lo)
            continue;
        if (lo >= middle) {
            struct moments running = {0};
            query_work(w->q, hi - lo);
            for (uint32_t i = hi; i > lo; i--) {
                add(&running, seconds_from(w, origin_ms, i - 1), w->v[i - 1], kept);
                tail[i - 1 - lo] = running;
            }
            base = lo;
            middle = done = hi;
            since = (struct moments){0};
        }
        for (; done < hi; done++)
            add(&since, seconds_from(w, origin_ms, done), w->v[done], kept);
        struct moments whole = join(tail[lo - base], &since, kept);
        out[k] = finish(w, k, &whole, arg);
    }
}

// Welford's algorithm, compensated: for values whose sum or squares are not finite.
static double running_variance(const double *v, uint32_t n)
{
    struct kahan mean = {0}, squares = {0};
    for (uint32_t i = 0; i < n; i++) {
        double delta = v[i] - (mean.sum + mean.c);
        kahan_add(&mean, delta / (i + 1));
        kahan_add(&squares, delta * (v[i] - (mean.sum + mean.c)));
    }
    return (squares.sum + squares.c) / n;
}

// In two passes, the mean first; what its rounding leaves is taken off (Chan, Golub, LeVeque 1983).
static double variance(const double *v, uint32_t n)
{
    struct kahan sum = kahan_sum(v, 0, n);
    double mean = kahan_value(sum) / n, rest = 0, squares = 0;
    for (uint32_t i = 0; i < n; i++) {
        double delta = v[i] - mean;
        rest += delta;
        squares += delta * delta;
    }
    double result = (squares - rest * rest / n) / n;
    return isfinite(result) ? fmax(result, 0) : running_variance(v, n);
}

static double finish_variance(struct windows *w, size_t k, const struct moments *m, void *arg)
{
    double result = m->yy / m->n;
    if (isfinite(result))
        return fmax(result, 0);
    query_work(w->q, w->hi[k] - w->lo[k]);
    return variance(w->v + w->lo[k], w->hi[k] - w->lo[k]);
}

void over_stdvar(struct windows *w, double *out)
{
    if (windows_overlap(w, OVERLAP_MUCH)) {
        moving(w, out, KEPT_VALUES, 0, finish_variance, NULL);
        return;
    }
    for (size_t k = 0; k < w->grid->n; k++) {
        uint32_t n = w->hi[k] - w->lo[k];
        query_work(w->q, n);
        out[k] = n > 0 ? variance(w->v + w->lo[k], n) : sample_stale();
    }
}

void over_stddev(struct windows *w, double *out)
{
    over_stdvar(w, out);
    for (size_t k = 0; k < w->grid->n; k++)
        out[k] = is_absent(out[k]) ? out[k] : sqrt(out[k]);
}

struct line {
    double slope, intercept;
};

// Least squares; times in seconds from `origin_ms`, where the intercept is taken.
static struct line fit(const struct windows *w, uint32_t lo, uint32_t hi, int64_t origin_ms)
{
    struct kahan x = {0}, y = {0}, xy = {0}, xx = {0};
    query_work(w->q, 4 * (size_t)(hi - lo));
    double n = hi - lo;
    bool is_constant = true;
    for (uint32_t i = lo; i < hi; i++) {
        double at = (double)(w->t_ms[i] - origin_ms) / 1000;
        is_constant &= w->v[i] == w->v[lo];
        kahan_add(&x, at);
        kahan_add(&y, w->v[i]);
        kahan_add(&xy, at * w->v[i]);
        kahan_add(&xx, at * at);
    }
    if (is_constant)
        return isinf(w->v[lo]) ? (struct line){NAN, NAN} : (struct line){0, w->v[lo]};
    double sum_x = kahan_value(x), sum_y = kahan_value(y);
    double covariance = kahan_value(xy) - sum_x * sum_y / n;
    double variance = kahan_value(xx) - sum_x * sum_x / n;
    double slope = covariance / variance;
    return (struct line){slope, sum_y / n - slope * sum_x / n};
}

/** Where windows of one value begin to be. */
struct constancy {
    uint32_t at, same_from; /**< samples from same_from to at - 1 are equal */
};

static bool is_constant(const struct windows *w, size_t k, struct constancy *c)
{
    uint32_t lo = w->lo[k], hi = w->hi[k];
    if (c->at <= lo) {
        c->at = lo + 1;
        c->same_from = lo;
    }
    for (; c->at < hi; c->at++)
        if (w->v[c->at] != w->v[c->at - 1])
            c->same_from = c->at;
    return c->same_from <= lo;
}

/** A window's line, from the moments: its origin is origin_ms. */
struct fitting {
    struct constancy constancy;
    int64_t origin_ms;
};

static double finish_slope(struct windows *w, size_t k, const struct moments *m, void *arg)
{
    struct fitting *f = arg;
    if (m->n < 2)
        return sample_stale();
    if (is_constant(w, k, &f->constancy))
        return isinf(w->v[w->lo[k]]) ? NAN : 0;
    return m->xy / m->xx;
}

static double finish_prediction(struct windows *w, size_t k, const struct moments *m, void *arg)
{
    const struct fitting *f = arg;
    double slope = finish_slope(w, k, m, arg);
    if (is_absent(slope))
        return slope;
    if (slope == 0 && f->constancy.same_from <= w->lo[k])
        return w->v[w->lo[k]];
    double now = (double)(grid_time(w->grid, k) - f->origin_ms) / 1000;
    return m->y + slope * (now + w->param[0][k] - m->x);
}

void over_deriv(struct windows *w, double *out)
{
    struct fitting f = {.origin_ms = w->t_ms[0]};
    if (windows_overlap(w, OVERLAP_MUCH)) {
        moving(w, out, KEPT_LINE, f.origin_ms, finish_slope, &f);
        return;
    }
    for (size_t k = 0; k < w->grid->n; k++)
        out[k] = w->hi[k] - w->lo[k] < 2 ? sample_stale()
                                         : fit(w, w->lo[k], w->hi[k], w->t_ms[w->lo[k]]).slope;
}

void over_predict_linear(struct windows *w, double *out)
{
    struct fitting f = {.origin_ms = w->t_ms[0]};
    if (windows_overlap(w, OVERLAP_MUCH)) {
        moving(w, out, KEPT_LINE, f.origin_ms, finish_prediction, &f);
        return;
    }
    for (size_t k = 0; k < w->grid->n; k++) {
        out[k] = sample_stale();
        if (w->hi[k] - w->lo[k] < 2)
            continue;
        struct line line = fit(w, w->lo[k], w->hi[k], grid_time(w->grid, k));
        out[k] = line.slope * w->param[0][k] + line.intercept;
    }
}
