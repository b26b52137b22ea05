// SPDX-License-Identifier: GPL-3.0-or-later
// Aggregations: each series gets the number of its group once, then its column is added to the
// group's state, all steps at once.
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "aggregate.h"
#include "base/mem.h"
#include "kahan.h"

static void sum_column(struct group *to, const double *v, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        if (is_absent(v[k]))
            continue;
        struct kahan sum = {is_absent(to->v[k]) ? 0 : to->v[k], to->c[k]};
        kahan_add(&sum, v[k]);
        to->v[k] = sum.sum;
        to->c[k] = sum.c;
        to->n[k]++;
    }
}

static void min_column(struct group *to, const double *v, size_t n)
{
    for (size_t k = 0; k < n; k++)
        if (!is_absent(v[k]) && (is_absent(to->v[k]) || to->v[k] > v[k] || isnan(to->v[k])))
            to->v[k] = v[k];
}

static void max_column(struct group *to, const double *v, size_t n)
{
    for (size_t k = 0; k < n; k++)
        if (!is_absent(v[k]) && (is_absent(to->v[k]) || to->v[k] < v[k] || isnan(to->v[k])))
            to->v[k] = v[k];
}

static void count_column(struct group *to, const double *v, size_t n)
{
    for (size_t k = 0; k < n; k++)
        if (!is_absent(v[k]))
            to->v[k] = is_absent(to->v[k]) ? 1 : to->v[k] + 1;
}

static void group_column(struct group *to, const double *v, size_t n)
{
    for (size_t k = 0; k < n; k++)
        if (!is_absent(v[k]))
            to->v[k] = 1;
}

// Welford: v is the sum of squared distances, c the mean.
static void variance_column(struct group *to, const double *v, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        if (is_absent(v[k]))
            continue;
        if (to->n[k]++ == 0) {
            to->v[k] = isfinite(v[k]) ? 0 : NAN;
            to->c[k] = v[k];
            continue;
        }
        double delta = v[k] - to->c[k];
        to->c[k] += delta / to->n[k];
        to->v[k] += delta * (v[k] - to->c[k]);
    }
}

static void finish_sum(struct grouping *g, uint32_t number)
{
    struct group *group = &g->group[number];
    for (size_t k = 0; k < g->grid->n; k++)
        if (!is_absent(group->v[k]))
            group->v[k] = kahan_value((struct kahan){group->v[k], group->c[k]});
}

// The mean of finite values whose sum is not.
static double incremental_mean(const struct grouping *g, uint32_t number, size_t k)
{
    struct kahan mean = {0};
    double n = 0;
    for (size_t i = 0; i < g->in.n; i++) {
        double v = g->in.col[i].v[k];
        if (g->group_of[i] != number || is_absent(v))
            continue;
        if (!isfinite(v))
            return g->group[number].v[k];
        n++;
        double weight = (n - 1) / n;
        mean = (struct kahan){weight * mean.sum, weight * mean.c};
        kahan_add(&mean, v / n);
    }
    return kahan_value(mean);
}

static void finish_avg(struct grouping *g, uint32_t number)
{
    struct group *group = &g->group[number];
    for (size_t k = 0; k < g->grid->n; k++) {
        if (is_absent(group->v[k]))
            continue;
        if (isfinite(group->v[k]))
            group->v[k] = group->v[k] / group->n[k] + group->c[k] / group->n[k];
        else
            group->v[k] = incremental_mean(g, number, k);
    }
}

static void finish_stdvar(struct grouping *g, uint32_t number)
{
    struct group *group = &g->group[number];
    for (size_t k = 0; k < g->grid->n; k++)
        if (!is_absent(group->v[k]))
            group->v[k] /= group->n[k];
}

static void finish_stddev(struct grouping *g, uint32_t number)
{
    struct group *group = &g->group[number];
    finish_stdvar(g, number);
    for (size_t k = 0; k < g->grid->n; k++)
        if (!is_absent(group->v[k]))
            group->v[k] = sqrt(group->v[k]);
}

static const struct {
    void (*add)(struct group *to, const double *v, size_t n);
    void (*finish)(struct grouping *g, uint32_t number);
    bool needs_more; /**< c and n */
} simple[AGGREGATE_ENUM_MAX] = {
    [AGGREGATE_SUM] = {sum_column, finish_sum, true},
    [AGGREGATE_AVG] = {sum_column, finish_avg, true},
    [AGGREGATE_COUNT] = {count_column, NULL, false},
    [AGGREGATE_MIN] = {min_column, NULL, false},
    [AGGREGATE_MAX] = {max_column, NULL, false},
    [AGGREGATE_GROUP] = {group_column, NULL, false},
    [AGGREGATE_STDDEV] = {variance_column, finish_stddev, true},
    [AGGREGATE_STDVAR] = {variance_column, finish_stdvar, true},
};

double *absent_steps(struct query *q, const struct grid *g)
{
    double *v = query_steps(q, g);
    for (size_t k = 0; k < g->n; k++)
        v[k] = sample_stale();
    return v;
}

static void put_groups(struct grouping *g, struct value *ret)
{
    ret->n = g->table.n;
    ret->col = arena_array(&g->q->arena, ret->n, sizeof(*ret->col));
    for (size_t i = 0; i < ret->n; i++)
        ret->col[i] = (struct column){key_labels(g->q, &g->key, g->table.labels[i]), g->group[i].v,
                                      g->group[i].drop_name};
}

static void aggregate_simply(struct grouping *g, struct value *ret)
{
    const size_t n = g->grid->n;
    for (size_t i = 0; i < g->table.n; i++) {
        g->group[i].v = absent_steps(g->q, g->grid);
        if (!simple[g->node->aggregator].needs_more)
            continue;
        g->group[i].c = arena_zalloc(&g->q->arena, n, sizeof(double));
        g->group[i].n = arena_zalloc(&g->q->arena, n, sizeof(double));
    }
    for (size_t i = 0; i < g->in.n; i++)
        simple[g->node->aggregator].add(&g->group[g->group_of[i]], g->in.col[i].v, n);
    for (uint32_t i = 0; i < g->table.n && simple[g->node->aggregator].finish; i++)
        simple[g->node->aggregator].finish(g, i);
    put_groups(g, ret);
}

// Columns ordered by group; *ret_begin[i] is where group i begins.
static uint32_t *members(struct grouping *g, uint32_t **ret_begin)
{
    uint32_t *begin = arena_zalloc(&g->q->arena, g->table.n + 2, sizeof(*begin));
    uint32_t *order = arena_array(&g->q->arena, g->in.n, sizeof(*order));
    for (size_t i = 0; i < g->in.n; i++)
        begin[g->group_of[i] + 2]++;
    for (size_t i = 2; i < g->table.n + 2; i++)
        begin[i] += begin[i - 1];
    for (size_t i = 0; i < g->in.n; i++)
        order[begin[g->group_of[i] + 1]++] = (uint32_t)i;
    *ret_begin = begin;
    return order;
}

static void warn_quantile(struct grouping *g, double q)
{
    struct buf text;
    buf_init(&text, 60);
    put_short_number(&text, q);
    query_warn(g->q, g->node->param, "quantile value should be between 0 and 1, got %s", text.data);
    buf_done(&text);
}

static void check_quantiles(struct grouping *g)
{
    double least = INFINITY, most = -INFINITY;
    bool has_nan = false;
    for (size_t k = 0; k < g->grid->n; k++) {
        has_nan |= isnan(g->param[k]);
        least = fmin(least, g->param[k]);
        most = fmax(most, g->param[k]);
    }
    if (has_nan)
        warn_quantile(g, NAN);
    if (most > 1)
        warn_quantile(g, most);
    if (least < 0)
        warn_quantile(g, least);
}

static void aggregate_quantile(struct grouping *g, struct value *ret)
{
    uint32_t *begin, *order = members(g, &begin);
    double *values = arena_array(&g->q->arena, g->in.n, sizeof(*values));
    for (size_t i = 0; i < g->table.n; i++) {
        g->group[i].v = absent_steps(g->q, g->grid);
        query_check(g->q, (begin[i + 1] - begin[i]) * g->grid->n);
        for (size_t k = 0; k < g->grid->n; k++) {
            size_t n = 0;
            for (uint32_t m = begin[i]; m < begin[i + 1]; m++) {
                values[n] = g->in.col[order[m]].v[k];
                n += !is_absent(values[n]);
            }
            if (n > 0)
                g->group[i].v[k] = quantile_of(g->param[k], values, n);
        }
    }
    put_groups(g, ret);
}

/** A sample among the best of a group. */
struct ranked {
    double v;
    uint32_t column;
};

// NaN ranks last; of equals the earlier is better.
static bool ranks_before(double a, double b, bool top)
{
    if (isnan(a) || isnan(b))
        return !isnan(a) && isnan(b);
    return top ? a > b : a < b;
}

static int by_rank(const void *a, const void *b, void *arg)
{
    const struct ranked *x = a, *y = b;
    const bool *top = arg;
    if (ranks_before(x->v, y->v, *top))
        return -1;
    if (ranks_before(y->v, x->v, *top))
        return 1;
    return (x->column > y->column) - (x->column < y->column);
}

#define INSERT_MAX 64

// The `want` best of the group's samples at step k, best first.
static size_t best_at(const struct grouping *g, const uint32_t *member, size_t n_members, size_t k,
                      size_t want, struct ranked *best)
{
    bool top = g->node->aggregator == AGGREGATE_TOPK;
    size_t n = 0;
    for (size_t i = 0; i < n_members; i++) {
        struct ranked r = {g->in.col[member[i]].v[k], member[i]};
        if (is_absent(r.v))
            continue;
        if (want > INSERT_MAX) {
            best[n++] = r;
            continue;
        }
        size_t at = n;
        while (at > 0 && ranks_before(r.v, best[at - 1].v, top))
            at--;
        if (at >= want)
            continue;
        n = MIN_OF(n + 1, want);
        memmove(&best[at + 1], &best[at], (n - 1 - at) * sizeof(*best));
        best[at] = r;
    }
    if (want > INSERT_MAX) {
        qsort_r(best, n, sizeof(*best), by_rank, &top);
        n = MIN_OF(n, want);
    }
    return n;
}

static size_t k_at(const struct grouping *g, size_t k)
{
    double v = g->param[k];
    if (isnan(v))
        query_fail(g->q, EDOM, "Parameter value is NaN");
    if (v >= 9223372036854775808.0 || v <= -9223372036854775808.0)
        query_fail(g->q, EDOM, "Scalar value %g %s int64", v, v > 0 ? "overflows" : "underflows");
    return v < 1 ? 0 : MIN_OF((size_t)v, g->in.n);
}

static void aggregate_best(struct grouping *g, struct value *ret)
{
    const size_t n_steps = g->grid->n;
    uint32_t *begin, *order = members(g, &begin);
    struct ranked *best = arena_array(&g->q->arena, g->in.n + 1, sizeof(*best));
    double **out = arena_zalloc(&g->q->arena, g->in.n, sizeof(*out));
    ret->col = arena_array(&g->q->arena, g->in.n, sizeof(*ret->col));
    for (size_t k = 0; k < n_steps; k++)
        k_at(g, k);
    for (size_t i = 0; i < g->table.n; i++) {
        query_check(g->q, (begin[i + 1] - begin[i]) * n_steps);
        for (size_t k = 0; k < n_steps; k++) {
            size_t n = best_at(g, order + begin[i], begin[i + 1] - begin[i], k, k_at(g, k), best);
            for (size_t r = 0; r < n; r++) {
                uint32_t column = best[r].column;
                if (!out[column]) {
                    out[column] = absent_steps(g->q, g->grid);
                    ret->col[ret->n++] = (struct column){g->in.col[column].labels, out[column],
                                                         g->in.col[column].drop_name};
                }
                out[column][k] = best[r].v;
            }
        }
    }
}

static void check_label(struct grouping *g)
{
    const char *label = node_unwrap(g->node->param)->text;
    if (is_utf8_label(label))
        return;
    struct buf quoted;
    char text[300] = "";
    buf_init(&quoted, sizeof(text) - 1);
    lex_quote(&quoted, label, MIN_OF(strlen(label), 60u));
    if (!quoted.error)
        memcpy(text, quoted.data, quoted.len + 1);
    buf_done(&quoted);
    query_fail(g->q, EDOM, "invalid label name %s", text);
}

static void check_param(struct grouping *g)
{
    struct value value;
    if (g->node->aggregator == AGGREGATE_COUNT_VALUES) {
        check_label(g);
        return;
    }
    eval(g->q, g->node->param, g->grid, &value);
    g->param = value.scalar;
    if (g->node->aggregator == AGGREGATE_QUANTILE)
        check_quantiles(g);
    else
        for (size_t k = 0; k < g->grid->n; k++)
            k_at(g, k);
}

static void number_groups(struct grouping *g)
{
    struct query *q = g->q;
    g->key = key_new(q, &g->node->label, !g->node->without);
    g->table = key_table_new(q, &g->key, 16);
    g->group_of = arena_array(&q->arena, g->in.n, sizeof(*g->group_of));
    for (size_t i = 0; i < g->in.n; i++)
        g->group_of[i] = key_number(q, &g->table, g->in.col[i].labels);
    g->group = arena_zalloc(&q->arena, g->table.n, sizeof(*g->group));
    for (size_t i = 0; i < g->in.n; i++)
        g->group[g->group_of[i]].drop_name |= g->in.col[i].drop_name;
}

void aggregate_begin(struct grouping *g, struct query *q, const struct node *node,
                     const struct grid *grid)
{
    *g = (struct grouping){.q = q, .node = node, .grid = grid};
    if (node->param)
        check_param(g);
    eval(q, node->expr, grid, &g->in);
    bool counts = node->aggregator == AGGREGATE_COUNT || node->aggregator == AGGREGATE_GROUP;
    if (!counts && value_drop_histograms(q, grid, &g->in))
        query_info(q, node->expr, "ignored histogram in %s aggregation",
                   aggregator_names[node->aggregator]);
    number_groups(g);
}

void eval_aggregate(struct query *q, const struct node *node, const struct grid *grid,
                    struct value *ret)
{
    static void (*const others[AGGREGATE_ENUM_MAX])(struct grouping *, struct value *) = {
        [AGGREGATE_QUANTILE] = aggregate_quantile,
        [AGGREGATE_TOPK] = aggregate_best,
        [AGGREGATE_BOTTOMK] = aggregate_best,
        [AGGREGATE_COUNT_VALUES] = aggregate_values,
    };
    struct grouping g;
    aggregate_begin(&g, q, node, grid);
    ret->type = PROMQL_VECTOR;
    if (others[node->aggregator])
        others[node->aggregator](&g, ret);
    else
        aggregate_simply(&g, ret);
}
