// SPDX-License-Identifier: GPL-3.0-or-later
// Classic histograms: series that differ in `le` only are the buckets of one.
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/number.h"
#include "call.h"
#include "key.h"

#define LABEL_BUCKET "le"
// Differences of counts that are taken for rounding, relative to the counts.
#define SMALL_DELTA 1e-12

struct bound {
    double upper;
    uint32_t column;
};

struct bucket {
    double upper, count;
};

struct histogram {
    struct bound *bound; /**< sorted */
    size_t n;
    const struct labels *labels; /**< without le */
    const char *metric;
    bool drop_name;
};

static bool parse_bound(const char *text, double *ret)
{
    if (!text)
        return false;
    const char *digits = text + (text[0] == '+' || text[0] == '-');
    if (strcasecmp(digits, "inf") == 0 || strcasecmp(digits, "infinity") == 0) {
        *ret = text[0] == '-' ? -INFINITY : INFINITY;
        return true;
    }
    if (strcasecmp(text, "nan") == 0) {
        *ret = NAN;
        return true;
    }
    return number_parse_f64(text + (text[0] == '+'), ret) == 0;
}

static int by_bound(const void *a, const void *b)
{
    const struct bound *x = a, *y = b;
    if (isnan(x->upper) || isnan(y->upper))
        return isnan(y->upper) - isnan(x->upper);
    return (x->upper > y->upper) - (x->upper < y->upper);
}

static void warn_bound(struct query *q, const struct node *node, const struct column *col,
                       const char *text)
{
    const char *metric = labels_metric(col->labels);
    query_warn(q, node, "bucket label \"le\" is missing or has a malformed value of \"%s\"%s%s%s",
               text ? text : "", metric[0] ? " for metric name \"" : "", metric,
               metric[0] ? "\"" : "");
}

/** All histograms of a vector. */
struct histograms {
    struct query *q;
    const struct node *node;
    const struct node *arg; /**< the vector */
    const struct grid *grid;
    struct value in;
    struct histogram *histogram;
    size_t n;
};

static void group_buckets(struct histograms *h)
{
    struct query *q = h->q;
    static const char *const dropped[] = {LABEL_BUCKET};
    struct names names = {.name = (const char **)dropped, .n = 1};
    struct key key = key_new(q, &names, false);
    struct key_table table = key_table_new(q, &key, 64);
    uint32_t *number = arena_array(&q->arena, h->in.n, sizeof(*number));
    double *upper = arena_array(&q->arena, h->in.n, sizeof(*upper));
    size_t *sizes = arena_zalloc(&q->arena, h->in.n, sizeof(*sizes));
    for (size_t i = 0; i < h->in.n; i++) {
        const char *text = labels_get(h->in.col[i].labels, LABEL_BUCKET);
        number[i] = UINT32_MAX;
        if (!parse_bound(text, &upper[i])) {
            warn_bound(q, h->arg, &h->in.col[i], text);
            continue;
        }
        number[i] = key_number(q, &table, h->in.col[i].labels);
        sizes[number[i]]++;
    }
    h->n = table.n;
    h->histogram = arena_zalloc(&q->arena, h->n, sizeof(*h->histogram));
    for (size_t i = 0; i < h->in.n; i++) {
        if (number[i] == UINT32_MAX)
            continue;
        struct histogram *one = &h->histogram[number[i]];
        const struct column *col = &h->in.col[i];
        if (!one->bound) {
            one->bound = arena_array(&q->arena, sizes[number[i]], sizeof(*one->bound));
            one->labels = query_labels_with(q, col->labels, LABEL_BUCKET, "");
            one->metric = labels_metric(col->labels);
        }
        one->bound[one->n++] = (struct bound){upper[i], (uint32_t)i};
    }
    for (size_t i = 0; i < h->n; i++)
        qsort(h->histogram[i].bound, h->histogram[i].n, sizeof(struct bound), by_bound);
}

// The buckets at a step, those with the same bound together.
static size_t buckets_at(const struct histograms *h, const struct histogram *one, size_t k,
                         struct bucket *ret)
{
    size_t n = 0;
    for (size_t i = 0; i < one->n; i++) {
        double count = h->in.col[one->bound[i].column].v[k];
        if (is_absent(count))
            continue;
        if (n > 0 && ret[n - 1].upper == one->bound[i].upper)
            ret[n - 1].count += count;
        else
            ret[n++] = (struct bucket){one->bound[i].upper, count};
    }
    return n;
}

static bool is_close(double a, double b)
{
    double sum = fabs(a) + fabs(b), difference = fabs(a - b);
    if (a == b || (isnan(a) && isnan(b)))
        return true;
    if (a == 0 || b == 0 || sum < DBL_MIN)
        return difference < SMALL_DELTA * DBL_MIN;
    return difference / fmin(sum, DBL_MAX) < SMALL_DELTA;
}

/** What was lifted so that counts do not fall: where, how often, by how much at most. */
struct lifted {
    bool any;
    double lowest, highest, most;
};

static struct lifted make_monotonic(struct bucket *b, size_t n)
{
    struct lifted lifted = {.lowest = INFINITY, .highest = -INFINITY};
    double before = b[0].count;
    for (size_t i = 1; i < n; i++) {
        double now = b[i].count;
        if (now == before)
            continue;
        if (is_close(before, now)) {
            b[i].count = before;
        } else if (now < before) {
            lifted.any = true;
            lifted.lowest = fmin(lifted.lowest, b[i].upper);
            lifted.highest = fmax(lifted.highest, b[i].upper);
            lifted.most = fmax(lifted.most, before - now);
            b[i].count = before;
        } else {
            before = now;
        }
    }
    return lifted;
}

// Linear between the borders of the bucket in which the rank falls; the first bucket begins at 0.
static double quantile(double q, struct bucket *b, size_t n, struct lifted *ret_lifted)
{
    if (n == 0 || isnan(q))
        return NAN;
    if (q < 0)
        return -INFINITY;
    if (q > 1)
        return INFINITY;
    if (!(isinf(b[n - 1].upper) && b[n - 1].upper > 0))
        return NAN;
    *ret_lifted = make_monotonic(b, n);
    if (n < 2 || b[n - 1].count == 0 || isnan(b[n - 1].count))
        return NAN;
    double rank = q * b[n - 1].count, count, start = 0;
    size_t i = 0;
    while (i < n - 1 && !(b[i].count >= rank))
        i++;
    if (i == n - 1)
        return b[n - 2].upper;
    if (i == 0 && b[0].upper <= 0)
        return b[0].upper;
    count = b[i].count;
    if (i > 0) {
        start = b[i - 1].upper;
        count -= b[i - 1].count;
        rank -= b[i - 1].count;
    }
    return start + (b[i].upper - start) * (rank / count);
}

// How many observations are below `at`.
static double rank_of(double at, const struct bucket *b, size_t n)
{
    double before = 0;
    for (size_t i = 0; i < n; i++) {
        double lower = i > 0 ? b[i - 1].upper : b[0].upper > 0 ? 0 : -INFINITY;
        if (at <= lower)
            return before;
        if (at < b[i].upper)
            return isinf(lower) || isinf(b[i].upper)
                       ? before
                       : before + (b[i].count - before) * (at - lower) / (b[i].upper - lower);
        before = b[i].count;
    }
    return before;
}

static double fraction(double lower, double upper, const struct bucket *b, size_t n)
{
    if (n == 0 || !(isinf(b[n - 1].upper) && b[n - 1].upper > 0))
        return NAN;
    double count = b[n - 1].count;
    if (count == 0 || isnan(count) || isnan(lower) || isnan(upper))
        return NAN;
    if (lower >= upper)
        return 0;
    return (fmin(rank_of(upper, b, n), count) - fmin(rank_of(lower, b, n), count)) / count;
}

static void say_lifted(struct histograms *h, const struct histogram *one)
{
    query_info(h->q, h->arg,
               "input to histogram_quantile needed to be fixed for monotonicity (see "
               "https://prometheus.io/docs/prometheus/latest/querying/functions/"
               "#histogram_quantile)%s%s%s",
               one->metric[0] ? " for metric name \"" : "", one->metric,
               one->metric[0] ? "\"" : "");
}

static void warn_quantile(struct query *q, const struct node *node, double v)
{
    struct buf text;
    buf_init(&text, 60);
    put_short_number(&text, v);
    query_warn(q, node, "quantile value should be between 0 and 1, got %s", text.data);
    buf_done(&text);
}

static double *scalar_argument(struct query *q, const struct node *node, size_t i,
                               const struct grid *g)
{
    struct value value;
    eval(q, node->arg[i], g, &value);
    return value.scalar;
}

static struct histograms prepare(struct query *q, const struct node *node, size_t vector,
                                 const struct grid *g, struct value *ret)
{
    struct histograms h = {.q = q, .node = node, .arg = node->arg[vector], .grid = g};
    eval(q, node->arg[vector], g, &h.in);
    group_buckets(&h);
    ret->col = arena_array(&q->arena, h.n, sizeof(*ret->col));
    return h;
}

void call_histogram_quantile(struct query *q, const struct node *node, const struct grid *g,
                             struct value *ret)
{
    const double *wanted = scalar_argument(q, node, 0, g);
    struct histograms h = prepare(q, node, 1, g, ret);
    struct bucket *b = arena_array(&q->arena, h.in.n, sizeof(*b));
    for (size_t k = 0; k < g->n; k++)
        if (isnan(wanted[k]) || wanted[k] < 0 || wanted[k] > 1)
            warn_quantile(q, node->arg[0], wanted[k]);
    for (size_t i = 0; i < h.n; i++) {
        const struct histogram *one = &h.histogram[i];
        double *v = query_steps(q, g);
        bool any_lifted = false;
        query_check(q, one->n * g->n);
        for (size_t k = 0; k < g->n; k++) {
            struct lifted lifted = {0};
            size_t n = buckets_at(&h, one, k, b);
            v[k] = n == 0 ? sample_stale() : quantile(wanted[k], b, n, &lifted);
            any_lifted |= lifted.any;
        }
        if (any_lifted)
            say_lifted(&h, one);
        ret->col[ret->n++] = (struct column){one->labels, v, false};
    }
    value_drop_names(q, g, ret);
}

void call_histogram_fraction(struct query *q, const struct node *node, const struct grid *g,
                             struct value *ret)
{
    const double *lower = scalar_argument(q, node, 0, g);
    const double *upper = scalar_argument(q, node, 1, g);
    struct histograms h = prepare(q, node, 2, g, ret);
    struct bucket *b = arena_array(&q->arena, h.in.n, sizeof(*b));
    for (size_t i = 0; i < h.n; i++) {
        double *v = query_steps(q, g);
        for (size_t k = 0; k < g->n; k++) {
            size_t n = buckets_at(&h, &h.histogram[i], k, b);
            v[k] = n == 0 ? sample_stale() : fraction(lower[k], upper[k], b, n);
        }
        ret->col[ret->n++] = (struct column){h.histogram[i].labels, v, false};
    }
    value_drop_names(q, g, ret);
}
