// SPDX-License-Identifier: GPL-3.0-or-later
// The nodes of the tree, each over all steps of a grid; the larger kinds have files of their own.
#include "eval.h"

#include <errno.h>

static void eval_number(struct query *q, const struct node *node, const struct grid *g,
                        struct value *ret)
{
    ret->type = PROMQL_SCALAR;
    ret->scalar = query_steps(q, g);
    for (size_t k = 0; k < g->n; k++)
        ret->scalar[k] = node->number;
}

static void eval_string(struct query *q, const struct node *node, const struct grid *g,
                        struct value *ret)
{
    ret->type = PROMQL_STRING;
    ret->text = node->text;
}

static void eval_instant(struct query *q, const struct node *node, const struct grid *g,
                         struct value *ret)
{
    eval_selector(q, node, g, false, ret);
}

static void eval_paren(struct query *q, const struct node *node, const struct grid *g,
                       struct value *ret)
{
    eval(q, node->expr, g, ret);
}

static void negate(double *v, size_t n)
{
    for (size_t k = 0; k < n; k++)
        v[k] = is_absent(v[k]) ? v[k] : -v[k];
}

static void eval_unary(struct query *q, const struct node *node, const struct grid *g,
                       struct value *ret)
{
    eval(q, node->expr, g, ret);
    if (node->op != OP_SUB)
        return;
    if (ret->type == PROMQL_SCALAR)
        negate(ret->scalar, g->n);
    for (size_t i = 0; i < ret->n; i++)
        negate(ret->col[i].v, g->n);
    if (ret->type == PROMQL_VECTOR)
        value_drop_names(q, g, ret);
}

static void eval_node(struct query *q, const struct node *node, const struct grid *g,
                      struct value *ret)
{
    static void (*const parts[])(struct query *, const struct node *, const struct grid *,
                                 struct value *) = {
        [NODE_NUMBER] = eval_number,
        [NODE_STRING] = eval_string,
        [NODE_SELECTOR] = eval_instant,
        [NODE_RANGE] = NULL,
        [NODE_SUBQUERY] = NULL,
        [NODE_CALL] = eval_call,
        [NODE_AGGREGATE] = eval_aggregate,
        [NODE_BINARY] = eval_binary,
        [NODE_UNARY] = eval_unary,
        [NODE_PAREN] = eval_paren,
    };
    if (!parts[node->kind])
        query_fail(q, EDOM, "a range vector has no place here");
    parts[node->kind](q, node, g, ret);
}

static double *spread(struct query *q, const struct grid *g, double v)
{
    double *all = query_steps(q, g);
    for (size_t k = 0; k < g->n; k++)
        all[k] = v;
    return all;
}

// What is the same at each step is evaluated once.
static void eval_invariant(struct query *q, const struct node *node, const struct grid *g,
                           struct value *ret)
{
    const struct grid once = {g->start_ms, g->step_ms, 1};
    struct stats_aside aside = stats_set_aside(q);
    eval_node(q, node, &once, ret);
    stats_take_up(q, &aside, g->n);
    if (ret->type == PROMQL_SCALAR)
        ret->scalar = spread(q, g, ret->scalar[0]);
    for (size_t i = 0; i < ret->n; i++)
        ret->col[i].v = spread(q, g, ret->col[i].v[0]);
}

// Samples of a value; exactly only where room for `few` might not do.
static size_t samples_in(const struct value *value, const struct grid *g, size_t few)
{
    size_t most = value->type == PROMQL_SCALAR ? g->n : value->n * g->n, n = 0;
    if (value->type == PROMQL_SCALAR || most <= few)
        return most;
    for (size_t i = 0; i < value->n; i++)
        for (size_t k = 0; k < g->n; k++)
            n += !is_absent(value->col[i].v[k]);
    return n;
}

void eval(struct query *q, const struct node *node, const struct grid *g, struct value *ret)
{
    size_t before = q->samples;
    *ret = (struct value){0};
    query_work(q, g->n + 100);
    if (node->is_invariant && g->n > 1)
        eval_invariant(q, node, g, ret);
    else
        eval_node(q, node, g, ret);
    q->samples = before;
    query_hold(q, samples_in(ret, g, q->options.max_samples - before));
}
