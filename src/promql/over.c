// SPDX-License-Identifier: GPL-3.0-or-later
// Range vectors: which samples of a series are in the window of each step, and the functions over
// them, called once per series for all steps.
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "eval.h"

double *window_scratch(struct windows *w, size_t n)
{
    if (n > w->scratch_cap) {
        w->scratch_cap = MAX_OF(n, w->scratch_cap * 2);
        w->scratch = arena_array(&w->q->arena, w->scratch_cap, sizeof(double));
    }
    return w->scratch;
}

// Samples that a window ends and begins with; both go up with the steps.
static void place_windows(struct windows *w)
{
    size_t lo = 0, hi = 0, lo_stride = 0, hi_stride = 0;
    for (size_t k = 0; k < w->grid->n; k++) {
        int64_t end = window_end(w, k);
        size_t next_hi = samples_seek(w->t_ms, w->n_samples, hi, hi + hi_stride, end);
        size_t next_lo = samples_seek(w->t_ms, w->n_samples, lo, lo + lo_stride, end - w->range_ms);
        lo_stride = next_lo - lo;
        hi_stride = next_hi - hi;
        lo = next_lo;
        hi = next_hi;
        w->lo[k] = (uint32_t)lo;
        w->hi[k] = (uint32_t)hi;
    }
}

static bool has_stale(const struct windows *w)
{
    uint32_t done = 0;
    for (size_t k = 0; k < w->grid->n; k++) {
        for (uint32_t i = MAX_OF(done, w->lo[k]); i < w->hi[k]; i++)
            if (sample_is_stale(w->v[i]) || is_histogram(w->v[i]))
                return true;
        done = MAX_OF(done, w->hi[k]);
    }
    return false;
}

static void remove_stale(struct windows *w)
{
    int64_t *t = arena_array(&w->q->arena, w->n_samples, sizeof(*t));
    double *v = arena_array(&w->q->arena, w->n_samples, sizeof(*v));
    size_t n = 0;
    for (size_t i = 0; i < w->n_samples; i++) {
        t[n] = w->t_ms[i];
        v[n] = w->v[i];
        n += !sample_is_stale(v[n]) && !is_histogram(v[n]);
    }
    w->t_ms = t;
    w->v = v;
    w->n_samples = n;
    place_windows(w);
}

static void place_buckets(struct windows *w)
{
    size_t lo = 0, hi = 0;
    for (size_t k = 0; k < w->grid->n; k++) {
        int64_t end = window_end(w, k);
        while (hi < w->n_buckets && w->bucket[hi].end_ms <= end)
            hi++;
        while (lo < w->n_buckets && w->bucket[lo].end_ms <= end - w->range_ms)
            lo++;
        w->lo[k] = (uint32_t)lo;
        w->hi[k] = (uint32_t)hi;
    }
}

static size_t apply(struct windows *w, const struct samples *s, double *out)
{
    const struct function *f = w->node->function;
    w->n_samples = s->n;
    w->t_ms = s->t_ms;
    w->v = s->v;
    w->n_buckets = s->n_buckets;
    w->bucket = s->bucket;
    if (s->n_buckets > 0) {
        place_buckets(w);
        f->over_buckets(w, out);
    } else {
        if (s->n > UINT32_MAX)
            query_fail(w->q, EOVERFLOW, "a series has more than %u samples in the range",
                       UINT32_MAX);
        place_windows(w);
        if (has_stale(w))
            remove_stale(w);
        f->over(w, out);
    }
    stats_count_windows(w);
    size_t present = 0;
    for (size_t k = 0; k < w->grid->n; k++)
        present += !is_absent(out[k]);
    return present;
}

size_t windows_widest(const struct windows *w)
{
    uint32_t most = 0;
    for (size_t k = 0; k < w->grid->n; k++)
        most = MAX_OF(most, w->hi[k] - w->lo[k]);
    return most;
}

bool windows_overlap(const struct windows *w, size_t times)
{
    size_t total = 0, last = w->grid->n - 1;
    for (size_t k = 0; k <= last; k++)
        total += w->hi[k] - w->lo[k];
    return total > times * (size_t)(w->hi[last] - w->lo[0]);
}

static int64_t gcd(int64_t a, int64_t b)
{
    while (b) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

// Buckets serve where every window begins and ends at one of their borders.
static bool is_aligned(const struct windows *w, int64_t resolution_ms)
{
    if (w->range_ms % resolution_ms != 0 || w->reference.step_ms % resolution_ms != 0)
        return false;
    return w->reference.start_ms % resolution_ms == 0;
}

static void say_approximate(struct windows *w, const struct samples *s)
{
    if (s->resolution_ms == 0)
        return;
    if (!w->node->function->over_buckets || !is_aligned(w, s->resolution_ms)) {
        struct buf text;
        buf_init(&text, 100);
        promql_duration_put(&text, s->resolution_ms);
        query_info(w->q, w->range, "%s is approximate: only roll-ups of %s are left",
                   w->node->function->name, text.data ? text.data : "");
        buf_done(&text);
    }
}

static void add_column(struct query *q, struct value *ret, const struct labels *labels, double *v,
                       bool drop_name)
{
    ret->col[ret->n++] = (struct column){labels, v, drop_name};
}

// What the windows hold of a series. Where the first bucket has resets, also the bucket before it:
// only with that is known how much of the increase came from the sample before the window.
static struct samples read_windows(struct query *q, const struct selection *s, size_t i,
                                   int64_t start_ms, const struct query_hints *hints,
                                   bool by_buckets)
{
    struct samples samples = select_read(q, s, i, start_ms, hints->end_ms, by_buckets);
    if (samples.n_buckets > 0 && samples.bucket[0].resets > 0 && hints->start_ms < start_ms)
        samples = select_read(q, s, i, hints->start_ms, hints->end_ms, by_buckets);
    return samples;
}

static void over_series(struct windows *w, struct value *ret)
{
    struct query *q = w->q;
    bool by_buckets = w->node->function->over_buckets != NULL;
    int64_t start_ms = w->reference.first_ms - w->range_ms + 1;
    struct query_hints hints = {
        .start_ms = start_ms,
        .end_ms = w->reference.last_ms,
        .max_resolution_ms = by_buckets ? gcd(w->range_ms, w->reference.step_ms) : 0,
        .skip_values = !w->node->function->reads_values,
    };
    reference_hint(&w->reference, w->range_ms, &hints);
    hints.start_ms -= hints.max_resolution_ms; // see read_windows()
    struct selection s = select_series(q, w->range->expr, &hints);
    ret->col = arena_array(&q->arena, s.n, sizeof(*ret->col));
    double *out = NULL;
    for (size_t i = 0; i < s.n; i++) {
        if (!out)
            out = query_steps(q, w->grid);
        struct arena_mark mark = arena_mark(&q->arena);
        size_t before = q->samples;
        w->scratch_cap = 0;
        w->labels = s.set->labels[s.order[i]];
        struct samples samples = read_windows(q, &s, i, start_ms, &hints, by_buckets);
        size_t present = samples.n + samples.n_buckets > 0 ? apply(w, &samples, out) : 0;
        if (present > 0) {
            say_approximate(w, &samples);
            query_hold(q, windows_widest(w));
        }
        arena_rewind(&q->arena, mark);
        q->samples = before;
        if (present == 0)
            continue;
        add_column(q, ret, w->labels, out, false);
        query_hold(q, present);
        out = NULL;
    }
}

// The first multiple of step after a time.
static int64_t multiple_after(int64_t t_ms, int64_t step_ms)
{
    int64_t multiple = step_ms * (t_ms / step_ms);
    return multiple <= t_ms ? multiple + step_ms : multiple;
}

// Windows that are apart: only what lies in one of them.
static void leave_gaps(struct query *q, struct grid *g, const struct reference *r, size_t n_windows,
                       int64_t range_ms)
{
    if (r->t_ms || g->n == 0 || r->step_ms <= range_ms + 2 * g->step_ms)
        return;
    size_t most = n_windows * ((size_t)(range_ms / g->step_ms) + 1), n = 0;
    if (most > q->options.max_samples)
        query_hold(q, most);
    int64_t *t = arena_array(&q->arena, most, sizeof(*t));
    for (size_t k = 0; k < n_windows; k++) {
        int64_t end = reference_time(r, k);
        for (int64_t at = multiple_after(end - range_ms, g->step_ms); at <= end; at += g->step_ms)
            t[n++] = at;
    }
    g->n = n;
    g->t_ms = t;
    g->near = (struct stretches){multiple_after(r->first_ms, g->step_ms), r->step_ms,
                                 range_ms + g->step_ms};
}

// The grid on which a subquery evaluates what is inside it; n may be 0.
static struct grid subquery_grid(struct query *q, const struct node *node,
                                 const struct reference *r, size_t n_windows)
{
    int64_t step = node->step_ms ? node->step_ms : q->options.subquery_step_ms;
    struct grid g = {.start_ms = multiple_after(r->first_ms - node->range_ms, step),
                     .step_ms = step};
    if (r->last_ms >= g.start_ms)
        g.n = (size_t)((r->last_ms - g.start_ms) / step) + 1;
    leave_gaps(q, &g, r, n_windows, node->range_ms);
    return g;
}

static size_t close_up(const struct grid *g, const double *v, int64_t *t, double *out)
{
    size_t n = 0;
    for (size_t k = 0; k < g->n; k++) {
        t[n] = grid_time(g, k);
        out[n] = v[k];
        n += !is_absent(v[k]);
    }
    return n;
}

static void over_subquery(struct windows *w, struct value *ret)
{
    struct query *q = w->q;
    struct grid inner = subquery_grid(q, w->range, &w->reference, w->grid->n);
    struct value value;
    if (inner.n == 0)
        return;
    if (inner.n > q->options.max_samples)
        query_hold(q, inner.n);
    struct stats_aside aside = stats_set_aside(q);
    eval(q, w->range->expr, &inner, &value);
    stats_take_up(q, &aside, 0); // its windows count instead
    value_sort(&value);
    ret->col = arena_array(&q->arena, value.n, sizeof(*ret->col));
    int64_t *t = arena_array(&q->arena, inner.n, sizeof(*t));
    double *v = arena_array(&q->arena, inner.n, sizeof(*v));
    double *out = NULL;
    for (size_t i = 0; i < value.n; i++) {
        if (!out)
            out = query_steps(q, w->grid);
        struct samples samples = {.t_ms = t, .v = v};
        samples.n = close_up(&inner, value.col[i].v, t, v);
        struct arena_mark mark = arena_mark(&q->arena);
        w->scratch_cap = 0;
        w->labels = value.col[i].labels;
        bool any = samples.n > 0 && apply(w, &samples, out) > 0;
        arena_rewind(&q->arena, mark);
        if (!any)
            continue;
        add_column(q, ret, w->labels, out, value.col[i].drop_name);
        out = NULL;
    }
}

void eval_over(struct query *q, const struct node *node, const struct grid *g, struct value *ret)
{
    struct windows w = {.q = q, .node = node, .grid = g};
    for (size_t i = 0; i < node->n_args; i++) {
        const struct node *arg = node_unwrap(node->arg[i]);
        if (arg->type == PROMQL_MATRIX) {
            w.range = arg;
            continue;
        }
        struct value value;
        eval(q, arg, g, &value);
        w.param[w.n_params++] = value.scalar;
    }
    w.range_ms = w.range->range_ms;
    w.reference = node_reference(q, w.range->kind == NODE_RANGE ? w.range->expr : w.range, g);
    w.lo = arena_array(&q->arena, g->n, sizeof(*w.lo));
    w.hi = arena_array(&q->arena, g->n, sizeof(*w.hi));
    ret->type = PROMQL_VECTOR;
    if (w.range->kind == NODE_RANGE)
        over_series(&w, ret);
    else
        over_subquery(&w, ret);
    if (!node->function->keeps_name)
        value_drop_names(q, g, ret);
}

static void put_samples(struct query *q, struct promql_series *series, const struct labels *labels,
                        const struct samples *s)
{
    int64_t *t = arena_array(&q->arena, s->n, sizeof(*t));
    double *v = arena_array(&q->arena, s->n, sizeof(*v));
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++) {
        t[n] = s->t_ms[i];
        v[n] = s->v[i];
        n += !sample_is_stale(v[n]) && !is_histogram(v[n]);
    }
    query_hold(q, n);
    *series = (struct promql_series){query_labels(q, labels->label, labels->n), n, t, v};
}

static void matrix_of_series(struct query *q, const struct node *node, const struct reference *r)
{
    struct query_hints hints = {.start_ms = r->first_ms - node->range_ms + 1, .end_ms = r->last_ms};
    struct selection s = select_series(q, node->expr, &hints);
    struct promql_series *series = arena_array(&q->arena, s.n, sizeof(*series));
    for (size_t i = 0; i < s.n; i++) {
        struct samples samples = select_read(q, &s, i, hints.start_ms, hints.end_ms, false);
        put_samples(q, &series[q->result->n], s.set->labels[s.order[i]], &samples);
        stats_count(q, series[q->result->n].n);
        q->result->n += series[q->result->n].n > 0;
        if (samples.resolution_ms > 0)
            query_info(q, node,
                       "only roll-ups are left of a part of the range: the last sample of "
                       "each is given");
    }
    q->result->series = series;
}

static void matrix_of_subquery(struct query *q, const struct node *node, const struct reference *r)
{
    struct grid inner = subquery_grid(q, node, r, 1);
    struct value value = {0};
    struct stats_aside aside = stats_set_aside(q);
    if (inner.n > 0)
        eval(q, node->expr, &inner, &value);
    stats_take_up(q, &aside, 1);
    for (size_t i = 0; i < value.n; i++)
        if (value.col[i].drop_name)
            value.col[i].labels = query_labels_without_name(q, value.col[i].labels);
    value_compact(&inner, &value);
    value_merge(q, &inner, &value);
    value_sort(&value);
    struct promql_series *series = arena_array(&q->arena, value.n, sizeof(*series));
    for (size_t i = 0; i < value.n; i++) {
        int64_t *t = arena_array(&q->arena, inner.n, sizeof(*t));
        struct samples samples = {.t_ms = t, .v = value.col[i].v};
        samples.n = close_up(&inner, value.col[i].v, t, value.col[i].v);
        put_samples(q, &series[i], value.col[i].labels, &samples);
    }
    q->result->series = series;
    q->result->n = value.n;
}

void eval_matrix(struct query *q, const struct node *node, int64_t t_ms)
{
    const struct grid g = {t_ms, 0, 1};
    const struct node *range = node_unwrap(node);
    struct reference r = node_reference(q, range->kind == NODE_RANGE ? range->expr : range, &g);
    if (range->kind == NODE_RANGE)
        matrix_of_series(q, range, &r);
    else
        matrix_of_subquery(q, range, &r);
}
