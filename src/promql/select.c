// SPDX-License-Identifier: GPL-3.0-or-later
// Series out of the source: which match, and their samples, one series at a time.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "eval.h"

struct reference node_reference(const struct query *q, const struct node *node,
                                const struct grid *g)
{
    struct reference r = {
        .start_ms = g->start_ms, .step_ms = g->step_ms, .t_ms = g->t_ms, .near = g->near};
    if (node->at != AT_NONE) {
        r.step_ms = 0;
        r.t_ms = NULL;
        r.start_ms = node->at == AT_TIME    ? node->at_ms
                     : node->at == AT_START ? q->range.start_ms
                                            : q->range.end_ms;
    }
    r.start_ms -= node->offset_ms;
    r.offset_ms = node->offset_ms;
    if (r.t_ms)
        r.near.start_ms -= node->offset_ms;
    else
        r.near = (struct stretches){r.start_ms, r.step_ms, 0};
    r.first_ms = r.start_ms;
    r.last_ms = reference_time(&r, g->n - 1);
    return r;
}

void reference_hint(const struct reference *r, int64_t range_ms, struct query_hints *hints)
{
    int64_t window_ms = r->near.reach_ms + range_ms;
    hints->align_ms = r->near.start_ms;
    hints->step_ms = r->near.step_ms;
    hints->window_ms = window_ms < r->near.step_ms ? window_ms : 0;
}

static int by_labels(const void *a, const void *b, void *arg)
{
    const struct labels *const *labels = arg;
    return labels_compare(labels[*(const uint32_t *)a], labels[*(const uint32_t *)b]);
}

static bool is_sorted(const struct query_set *set)
{
    for (size_t i = 1; i < set->n; i++)
        if (labels_compare(set->labels[i - 1], set->labels[i]) > 0)
            return false;
    return true;
}

struct selection select_series(struct query *q, const struct node *selector,
                               const struct query_hints *hints)
{
    struct selection s = {0};
    struct err err = {0};
    int64_t began_ns = stats_clock(q);
    q->set = arena_grow(&q->arena, (void *)q->set, &q->cap_sets, q->n_sets, sizeof(*q->set));
    int r = q->source->ops->select(q->source, selector->matcher, selector->n_matchers, hints,
                                   q->options.max_series, &s.set, &err);
    if (r == -E2BIG)
        query_fail(q, E2BIG, "query selects more than %zu series in one selector",
                   q->options.max_series);
    if (r < 0)
        query_fail(q, -r, "expanding series: %s", err.code ? err.message : strerror(-r));
    q->set[q->n_sets++] = s.set;
    s.n = s.set->n;
    s.order = arena_array(&q->arena, s.n, sizeof(*s.order));
    for (size_t i = 0; i < s.n; i++)
        s.order[i] = (uint32_t)i;
    if (!is_sorted(s.set))
        qsort_r(s.order, s.n, sizeof(*s.order), by_labels, (void *)s.set->labels);
    q->stats.prepare_ns += stats_clock(q) - began_ns;
    return s;
}

static struct samples join_samples(struct query *q, const struct query_run *run, size_t n_runs,
                                   size_t total)
{
    int64_t *t = arena_array(&q->arena, total, sizeof(*t));
    double *v = arena_array(&q->arena, total, sizeof(*v));
    struct samples s = {.t_ms = t, .v = v};
    for (size_t i = 0; i < n_runs; i++) {
        memcpy(t + s.n, run[i].t_ms, run[i].n * sizeof(*t));
        memcpy(v + s.n, run[i].v, run[i].n * sizeof(*v));
        s.n += run[i].n;
    }
    return s;
}

// Each bucket as its last sample; where a marker came after it, the marker at the bucket's end.
static struct samples buckets_as_samples(struct query *q, const struct query_run *run,
                                         size_t n_runs, size_t total)
{
    int64_t *t = arena_array(&q->arena, total * 2, sizeof(*t));
    double *v = arena_array(&q->arena, total * 2, sizeof(*v));
    struct samples s = {.t_ms = t, .v = v};
    for (size_t i = 0; i < n_runs; i++) {
        s.resolution_ms = MAX_OF(s.resolution_ms, run[i].resolution_ms);
        for (size_t k = 0; k < run[i].n; k++) {
            const struct query_bucket *b = run[i].bucket ? &run[i].bucket[k] : NULL;
            t[s.n] = b ? b->last_ms : run[i].t_ms[k];
            v[s.n++] = b ? b->last : run[i].v[k];
            if (b && b->stale && b->end_ms > b->last_ms) {
                t[s.n] = b->end_ms;
                v[s.n++] = sample_stale();
            }
        }
    }
    return s;
}

static struct query_bucket bucket_of(int64_t t_ms, double v, const struct query_bucket *before)
{
    struct query_bucket b = {.end_ms = t_ms,
                             .first_ms = t_ms,
                             .last_ms = t_ms,
                             .first = v,
                             .last = v,
                             .min = v,
                             .max = v,
                             .sum = v,
                             .count = 1};
    if (before) {
        b.resets = v < before->last;
        b.increase = b.resets ? v : v - before->last;
    }
    return b;
}

// Samples among buckets become buckets of one sample.
static struct samples samples_as_buckets(struct query *q, const struct query_run *run,
                                         size_t n_runs, size_t total)
{
    struct query_bucket *bucket = arena_array(&q->arena, total, sizeof(*bucket));
    struct samples s = {.bucket = bucket};
    for (size_t i = 0; i < n_runs; i++) {
        s.resolution_ms = MAX_OF(s.resolution_ms, run[i].resolution_ms);
        for (size_t k = 0; k < run[i].n; k++) {
            const struct query_bucket *before = s.n_buckets ? &bucket[s.n_buckets - 1] : NULL;
            if (run[i].resolution_ms > 0)
                bucket[s.n_buckets++] = run[i].bucket[k];
            else if (!sample_is_stale(run[i].v[k]))
                bucket[s.n_buckets++] = bucket_of(run[i].t_ms[k], run[i].v[k], before);
        }
    }
    return s;
}

struct samples select_read(struct query *q, const struct selection *s, size_t i, int64_t start_ms,
                           int64_t end_ms, bool want_buckets)
{
    const struct query_run *run;
    size_t n_runs, total = 0;
    bool has_buckets = false;
    struct err err = {0};
    int r = s->set->ops->read(s->set, s->order[i], start_ms, end_ms, &run, &n_runs, &err);
    if (r < 0)
        query_fail(q, -r, "reading series: %s", err.code ? err.message : strerror(-r));
    for (size_t k = 0; k < n_runs; k++) {
        total += run[k].n;
        has_buckets |= run[k].resolution_ms > 0 && run[k].n > 0;
    }
    query_check(q, total);
    if (total == 0)
        return (struct samples){0};
    if (has_buckets)
        return want_buckets ? samples_as_buckets(q, run, n_runs, total)
                            : buckets_as_samples(q, run, n_runs, total);
    if (n_runs == 1)
        return (struct samples){.n = run->n, .t_ms = run->t_ms, .v = run->v};
    return join_samples(q, run, n_runs, total);
}

size_t samples_seek(const int64_t *t_ms, size_t n, size_t from, size_t guess, int64_t limit_ms)
{
    if (guess > from && guess < n && t_ms[guess] > limit_ms && t_ms[guess - 1] <= limit_ms)
        return guess;
    if (from >= n || t_ms[from] > limit_ms)
        return from;
    // t_ms[low] <= limit < t_ms[high], where n counts as later than all.
    size_t low = from, high = n;
    for (size_t jump = 1; low + jump < n; jump *= 2) {
        if (t_ms[low + jump] > limit_ms) {
            high = low + jump;
            break;
        }
        low += jump;
    }
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (t_ms[middle] > limit_ms)
            high = middle;
        else
            low = middle;
    }
    return high;
}

// Fills out[] of one series; at how many steps it has a sample.
static size_t fill(struct query *q, const struct samples *s, const struct reference *r,
                   size_t n_steps, bool times, double *out)
{
    size_t at = 0, before = 0;
    size_t present = 0;
    for (size_t k = 0; k < n_steps; k++) {
        int64_t now = reference_time(r, k);
        size_t next = samples_seek(s->t_ms, s->n, at, at + (at - before), now);
        before = at;
        at = next;
        out[k] = sample_stale();
        if (at == 0 || s->t_ms[at - 1] <= now - q->options.lookback_ms)
            continue;
        if (sample_is_stale(s->v[at - 1]))
            continue;
        q->has_histograms |= is_histogram(s->v[at - 1]);
        out[k] = times ? (double)s->t_ms[at - 1] / 1000 : s->v[at - 1];
        present++;
    }
    return present;
}

void eval_selector(struct query *q, const struct node *node, const struct grid *g, bool times,
                   struct value *ret)
{
    struct reference r = node_reference(q, node, g);
    struct query_hints hints = {
        .start_ms = r.first_ms - q->options.lookback_ms + 1,
        .end_ms = r.last_ms,
        // At borders of buckets the last sample of a bucket is what the samples would give.
        .max_resolution_ms = times ? 0 : r.step_ms,
        .last_only = !r.t_ms,
        .skip_values = true,
    };
    reference_hint(&r, q->options.lookback_ms, &hints);
    struct selection s = select_series(q, node, &hints);
    ret->type = PROMQL_VECTOR;
    ret->col = arena_array(&q->arena, s.n, sizeof(*ret->col));
    double *out = NULL;
    for (size_t i = 0; i < s.n; i++) {
        if (!out)
            out = query_steps(q, g);
        struct arena_mark mark = arena_mark(&q->arena);
        struct samples samples = select_read(q, &s, i, hints.start_ms, hints.end_ms, false);
        size_t present = samples.n > 0 ? fill(q, &samples, &r, g->n, times, out) : 0;
        arena_rewind(&q->arena, mark);
        if (present == 0)
            continue;
        ret->col[ret->n++] = (struct column){s.set->labels[s.order[i]], out, false};
        query_hold(q, present);
        stats_count_column(q, g, out, present);
        out = NULL;
    }
}
