// SPDX-License-Identifier: GPL-3.0-or-later
// Functions over whole vectors.
#include "call.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "regex/regex.h"

static double *scalar_argument(struct query *q, const struct node *node, size_t i,
                               const struct grid *g)
{
    struct value value;
    eval(q, node->arg[i], g, &value);
    return value.scalar;
}

static void single(struct query *q, struct value *ret, const struct labels *labels, double *v)
{
    ret->n = 1;
    ret->col = arena_zalloc(&q->arena, 1, sizeof(*ret->col));
    ret->col[0] = (struct column){labels, v, false};
}

void call_time(struct query *q, const struct node *node, const struct grid *g, struct value *ret)
{
    ret->scalar = query_steps(q, g);
    for (size_t k = 0; k < g->n; k++)
        ret->scalar[k] = (double)grid_time(g, k) / 1000;
}

void call_pi(struct query *q, const struct node *node, const struct grid *g, struct value *ret)
{
    ret->scalar = query_steps(q, g);
    for (size_t k = 0; k < g->n; k++)
        ret->scalar[k] = M_PI;
}

void call_scalar(struct query *q, const struct node *node, const struct grid *g, struct value *ret)
{
    struct value in;
    eval(q, node->arg[0], g, &in);
    ret->scalar = query_steps(q, g);
    for (size_t k = 0; k < g->n; k++) {
        size_t found = 0;
        ret->scalar[k] = NAN;
        for (size_t i = 0; i < in.n; i++)
            if (!is_absent(in.col[i].v[k]))
                ret->scalar[k] = found++ ? NAN : in.col[i].v[k];
    }
}

void call_vector(struct query *q, const struct node *node, const struct grid *g, struct value *ret)
{
    double *v = scalar_argument(q, node, 0, g);
    single(q, ret, query_labels(q, NULL, 0), v);
}

// What absent() can say of the series that is not there: the labels that its selector fixes to one
// value, each once.
static const struct labels *labels_of_absent(struct query *q, const struct node *arg)
{
    const struct node *selector = node_unwrap(arg);
    if (selector->kind == NODE_RANGE)
        selector = selector->expr;
    if (selector->kind != NODE_SELECTOR)
        return query_labels(q, NULL, 0);
    struct label *label = arena_array(&q->arena, selector->n_matchers, sizeof(*label));
    size_t n = 0;
    for (size_t i = 0; i < selector->n_matchers; i++) {
        const struct query_matcher *m = &selector->matcher[i];
        bool alone = m->match == QUERY_EQUAL && strcmp(m->name, LABEL_METRIC_NAME) != 0;
        for (size_t k = 0; k < selector->n_matchers && alone; k++)
            alone = k == i || strcmp(selector->matcher[k].name, m->name) != 0;
        if (alone)
            label[n++] = (struct label){m->name, m->value};
    }
    return query_labels(q, label, n);
}

static void put_absent(struct query *q, const struct node *node, const struct grid *g,
                       const struct value *in, struct value *ret)
{
    double *v = query_steps(q, g);
    for (size_t k = 0; k < g->n; k++) {
        bool any = false;
        for (size_t i = 0; i < in->n && !any; i++)
            any = !is_absent(in->col[i].v[k]);
        v[k] = any ? sample_stale() : 1;
    }
    single(q, ret, labels_of_absent(q, node->arg[0]), v);
    value_compact(g, ret);
}

void call_absent(struct query *q, const struct node *node, const struct grid *g, struct value *ret)
{
    struct value in;
    eval(q, node->arg[0], g, &in);
    put_absent(q, node, g, &in, ret);
}

void call_absent_over_time(struct query *q, const struct node *node, const struct grid *g,
                           struct value *ret)
{
    struct value in = {0};
    eval_over(q, node, g, &in);
    put_absent(q, node, g, &in, ret);
}

// NaN is last in both directions.
static int compare_values(const struct column *a, const struct column *b, int direction)
{
    double x = a->v[0], y = b->v[0];
    if (isnan(x) || isnan(y))
        return isnan(x) - isnan(y);
    return ((x > y) - (x < y)) * direction;
}

static int rising(const void *a, const void *b)
{
    return compare_values(a, b, 1);
}

static int falling(const void *a, const void *b)
{
    return compare_values(a, b, -1);
}

// Only an instant query has an order that could be kept.
static void sort_columns(struct query *q, const struct node *node, const struct grid *g,
                         struct value *ret, int (*order)(const void *, const void *))
{
    eval(q, node->arg[0], g, ret);
    value_compact(g, ret);
    if (g->n == 1 && ret->n > 1)
        qsort(ret->col, ret->n, sizeof(*ret->col), order);
}

void call_sort(struct query *q, const struct node *node, const struct grid *g, struct value *ret)
{
    sort_columns(q, node, g, ret, rising);
}

void call_sort_desc(struct query *q, const struct node *node, const struct grid *g,
                    struct value *ret)
{
    sort_columns(q, node, g, ret, falling);
}

static const char *text_argument(const struct node *node, size_t i)
{
    return node_unwrap(node->arg[i])->text;
}

bool is_utf8_label(const char *name)
{
    const unsigned char *p = (const unsigned char *)name;
    while (*p) {
        size_t n = *p < 0x80                 ? 0
                   : *p >= 0xF0 && *p < 0xF5 ? 3
                   : *p >= 0xE0 && *p < 0xF0 ? 2
                   : *p >= 0xC2 && *p < 0xE0 ? 1
                                             : 9;
        bool is_overlong = (p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xF0 && p[1] < 0x90) ||
                           (p[0] == 0xED && p[1] > 0x9F) || (p[0] == 0xF4 && p[1] > 0x8F);
        if (n == 9 || is_overlong)
            return false;
        for (p++; n > 0; n--, p++)
            if ((*p & 0xC0) != 0x80)
                return false;
    }
    return name[0] != '\0';
}

static void check_label(struct query *q, const char *name, const char *which, const char *function)
{
    if (!is_utf8_label(name))
        query_fail(q, EDOM, "invalid %s label name in %s(): %.200s", which, function, name);
}

static void set_label(struct query *q, struct column *col, const char *name, const char *value)
{
    col->labels = query_labels_with(q, col->labels, name, value);
    if (strcmp(name, LABEL_METRIC_NAME) == 0)
        col->drop_name = false;
}

// The replacement with the groups of a match; empty where it would be too long for a label.
static bool expand(const struct regex *regex, const char *value, const char *replacement,
                   char text[LABELS_BYTES_MAX])
{
    struct buf out;
    buf_init(&out, LABELS_BYTES_MAX - 1);
    bool matches = regex_expand(regex, value, strlen(value), replacement, &out);
    size_t len = out.error ? 0 : out.len;
    if (len > 0)
        memcpy(text, out.data, len);
    text[len] = '\0';
    buf_done(&out);
    return matches;
}

static void replace_labels(struct query *q, const struct node *node, struct value *ret,
                           const struct regex *regex)
{
    const char *to = text_argument(node, 1), *replacement = text_argument(node, 2);
    const char *from = text_argument(node, 3);
    char *text = arena_alloc(&q->arena, LABELS_BYTES_MAX);
    for (size_t i = 0; i < ret->n; i++) {
        const char *value = labels_get(ret->col[i].labels, from);
        if (!value)
            value = "";
        if (expand(regex, value, replacement, text))
            set_label(q, &ret->col[i], to, text);
    }
}

void call_label_replace(struct query *q, const struct node *node, const struct grid *g,
                        struct value *ret)
{
    struct regex *regex = NULL;
    struct err err = {0};
    const char *pattern = text_argument(node, 4);
    if (regex_new(pattern, true, &regex, &err) < 0)
        query_fail(q, EDOM, "invalid regular expression in label_replace(): %.200s", pattern);
    query_own_regex(q, regex);
    check_label(q, text_argument(node, 1), "destination", "label_replace");
    eval(q, node->arg[0], g, ret);
    replace_labels(q, node, ret, regex);
    value_merge(q, g, ret);
}

static const char *join(struct query *q, const struct node *node, const struct labels *labels)
{
    size_t size = 1, separator = strlen(text_argument(node, 2));
    for (size_t i = 3; i < node->n_args; i++) {
        const char *value = labels_get(labels, text_argument(node, i));
        size += separator + (value ? strlen(value) : 0);
    }
    char *text = arena_alloc(&q->arena, size), *at = text;
    for (size_t i = 3; i < node->n_args; i++) {
        const char *value = labels_get(labels, text_argument(node, i));
        if (i > 3)
            at = mempcpy(at, text_argument(node, 2), separator);
        if (value)
            at = mempcpy(at, value, strlen(value));
    }
    *at = '\0';
    return text;
}

void call_label_join(struct query *q, const struct node *node, const struct grid *g,
                     struct value *ret)
{
    for (size_t i = 3; i < node->n_args; i++)
        check_label(q, text_argument(node, i), "source", "label_join");
    check_label(q, text_argument(node, 1), "destination", "label_join");
    eval(q, node->arg[0], g, ret);
    for (size_t i = 0; i < ret->n; i++)
        set_label(q, &ret->col[i], text_argument(node, 1), join(q, node, ret->col[i].labels));
    value_merge(q, g, ret);
}

// Functions of native histograms: samples are none, so they have no part in the result.
void call_no_histograms(struct query *q, const struct node *node, const struct grid *g,
                        struct value *ret)
{
    eval(q, node->arg[0], g, ret);
    ret->n = 0;
}

void call_round(struct query *q, const struct node *node, const struct grid *g, struct value *ret)
{
    double *nearest = node->n_args > 1 ? scalar_argument(q, node, 1, g) : NULL;
    eval(q, node->arg[0], g, ret);
    for (size_t i = 0; i < ret->n; i++)
        for (size_t k = 0; k < g->n; k++) {
            double *v = &ret->col[i].v[k];
            double inverse = 1 / (nearest ? nearest[k] : 1);
            if (!is_absent(*v))
                *v = floor(*v * inverse + 0.5) / inverse;
        }
    value_drop_names(q, g, ret);
}

// As Go's math.Max and math.Min: NaN wins, but for the infinity that decides.
static double greater(double a, double b)
{
    if (isnan(a) || isnan(b))
        return a == INFINITY || b == INFINITY ? INFINITY : NAN;
    return a > b ? a : b;
}

static double lesser(double a, double b)
{
    if (isnan(a) || isnan(b))
        return a == -INFINITY || b == -INFINITY ? -INFINITY : NAN;
    return a < b ? a : b;
}

static void clamp(struct query *q, const struct node *node, const struct grid *g,
                  const double *least, const double *most, struct value *ret)
{
    eval(q, node->arg[0], g, ret);
    for (size_t i = 0; i < ret->n; i++)
        for (size_t k = 0; k < g->n; k++) {
            double *v = &ret->col[i].v[k];
            if (is_absent(*v))
                continue;
            if (least && most && most[k] < least[k]) {
                *v = sample_stale();
                continue;
            }
            if (most)
                *v = lesser(most[k], *v);
            if (least)
                *v = greater(least[k], *v);
        }
    value_drop_names(q, g, ret);
}

void call_clamp(struct query *q, const struct node *node, const struct grid *g, struct value *ret)
{
    const double *least = scalar_argument(q, node, 1, g);
    clamp(q, node, g, least, scalar_argument(q, node, 2, g), ret);
}

void call_clamp_min(struct query *q, const struct node *node, const struct grid *g,
                    struct value *ret)
{
    clamp(q, node, g, scalar_argument(q, node, 1, g), NULL, ret);
}

void call_clamp_max(struct query *q, const struct node *node, const struct grid *g,
                    struct value *ret)
{
    clamp(q, node, g, NULL, scalar_argument(q, node, 1, g), ret);
}

// Of a selector the times of the samples, of anything else the time of evaluation.
void call_timestamp(struct query *q, const struct node *node, const struct grid *g,
                    struct value *ret)
{
    const struct node *arg = node_unwrap(node->arg[0]);
    if (arg->kind == NODE_SELECTOR) {
        eval_selector(q, arg, g, true, ret);
    } else {
        eval(q, arg, g, ret);
        for (size_t i = 0; i < ret->n; i++)
            for (size_t k = 0; k < g->n; k++)
                if (!is_absent(ret->col[i].v[k]))
                    ret->col[i].v[k] = (double)grid_time(g, k) / 1000;
    }
    value_drop_names(q, g, ret);
}
