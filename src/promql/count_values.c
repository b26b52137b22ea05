// SPDX-License-Identifier: GPL-3.0-or-later
// count_values: each value of each group becomes a series. There may be as many as samples, each at
// few steps, so that columns would take many times what there is to tell: at the root of a query
// the result is written without them.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "aggregate.h"
#include "base/mem.h"

/** One value within one group. */
struct counted {
    uint64_t bits;
    uint32_t group;
    uint32_t n;     /**< samples that have it */
    uint32_t first; /**< its first in `steps` */
};

struct counts {
    struct counted *counted;
    size_t n, cap;
    uint32_t *slot;
    size_t slots;
    uint32_t *steps;      /**< of all samples, those of one value together */
    struct label **label; /**< of each group, once there is one: its labels and then ours */
    uint32_t *n_labels;
};

static size_t slot_of(const struct counts *c, uint32_t group, uint64_t bits)
{
    // Of whole numbers and short fractions only the upper bits differ.
    uint64_t h = bits ^ bits >> 32 ^ (uint64_t)group * UINT64_C(0x9e3779b97f4a7c15);
    h *= UINT64_C(0xd6e8feb86659fd93);
    size_t at = (h ^ h >> 32) & (c->slots - 1);
    while (c->slot[at] &&
           (c->counted[c->slot[at] - 1].bits != bits || c->counted[c->slot[at] - 1].group != group))
        at = (at + 1) & (c->slots - 1);
    return at;
}

static uint32_t number_of(struct grouping *g, struct counts *c, uint32_t group, double v)
{
    uint64_t bits;
    if (isnan(v))
        v = NAN;
    memcpy(&bits, &v, sizeof(bits));
    if (c->n * 2 >= c->slots) {
        c->slots = c->slots ? c->slots * 2 : 64;
        c->slot = arena_zalloc(&g->q->arena, c->slots, sizeof(*c->slot));
        for (size_t i = 0; i < c->n; i++)
            c->slot[slot_of(c, c->counted[i].group, c->counted[i].bits)] = (uint32_t)i + 1;
    }
    size_t at = slot_of(c, group, bits);
    if (!c->slot[at]) {
        c->counted = arena_grow(&g->q->arena, c->counted, &c->cap, c->n, sizeof(*c->counted));
        c->counted[c->n] = (struct counted){.bits = bits, .group = group};
        c->slot[at] = (uint32_t)++c->n;
    }
    return c->slot[at] - 1;
}

// Sorted by value; within one in no particular order.
static void sort_steps(struct grouping *g, struct counts *c, const uint32_t *number)
{
    uint32_t first = 0;
    for (size_t i = 0; i < c->n; i++) {
        c->counted[i].first = first;
        first += c->counted[i].n;
        c->counted[i].n = 0;
    }
    c->steps = arena_array(&g->q->arena, first, sizeof(*c->steps));
    for (size_t i = 0; i < g->in.n; i++)
        for (size_t k = 0; k < g->grid->n; k++) {
            if (is_absent(g->in.col[i].v[k]))
                continue;
            struct counted *one = &c->counted[*number++];
            c->steps[one->first + one->n++] = (uint32_t)k;
        }
}

static struct counts count(struct grouping *g)
{
    struct counts c = {0};
    size_t n = 0, at = 0;
    for (size_t i = 0; i < g->in.n; i++)
        for (size_t k = 0; k < g->grid->n; k++)
            n += !is_absent(g->in.col[i].v[k]);
    if (n > UINT32_MAX)
        query_hold(g->q, SIZE_MAX / 2);
    uint32_t *number = arena_array(&g->q->arena, n, sizeof(*number));
    for (size_t i = 0; i < g->in.n; i++)
        for (size_t k = 0; k < g->grid->n; k++) {
            if (is_absent(g->in.col[i].v[k]))
                continue;
            number[at] = number_of(g, &c, g->group_of[i], g->in.col[i].v[k]);
            c.counted[number[at++]].n++;
        }
    sort_steps(g, &c, number);
    c.label = arena_zalloc(&g->q->arena, g->table.n, sizeof(*c.label));
    c.n_labels = arena_zalloc(&g->q->arena, g->table.n, sizeof(*c.n_labels));
    return c;
}

// The labels of a group, with ours where it belongs; its value is put in for each.
static void prepare_labels(struct grouping *g, struct counts *c, uint32_t group, const char *name)
{
    const struct labels *l = key_labels(g->q, &g->key, g->table.labels[group]);
    struct label *label = arena_array(&g->q->arena, l->n + 1, sizeof(*label));
    uint32_t n = 0;
    for (uint32_t i = 0; i < l->n; i++)
        if (strcmp(l->label[i].name, name) != 0)
            label[n++] = l->label[i];
    label[n++] = (struct label){name, ""};
    c->label[group] = label;
    c->n_labels[group] = n;
}

static const struct labels *labels_of(struct grouping *g, struct counts *c,
                                      const struct counted *one)
{
    double v;
    char text[PLAIN_NUMBER_MAX + 1];
    if (!c->label[one->group])
        prepare_labels(g, c, one->group, node_unwrap(g->node->param)->text);
    struct label *label = c->label[one->group];
    uint32_t n = c->n_labels[one->group];
    memcpy(&v, &one->bits, sizeof(v));
    *write_plain_number(text, v) = '\0';
    label[n - 1].value = text;
    return query_labels(g->q, label, n);
}

void aggregate_values(struct grouping *g, struct value *ret)
{
    struct counts counts = count(g);
    ret->col = arena_array(&g->q->arena, counts.n, sizeof(*ret->col));
    for (size_t i = 0; i < counts.n; i++) {
        const struct counted *c = &counts.counted[i];
        query_hold(g->q, g->grid->n);
        double *v = absent_steps(g->q, g->grid);
        for (uint32_t k = 0; k < c->n; k++) {
            uint32_t step = counts.steps[c->first + k];
            v[step] = is_absent(v[step]) ? 1 : v[step] + 1;
        }
        ret->col[ret->n++] = (struct column){labels_of(g, &counts, c), v, false};
    }
    value_merge(g->q, g->grid, ret);
}

static int by_step(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static int by_labels(const void *a, const void *b)
{
    return labels_compare(((const struct promql_series *)a)->labels,
                          ((const struct promql_series *)b)->labels);
}

static void put_series(struct grouping *g, struct counts *counts, const struct counted *c,
                       struct promql_series *ret)
{
    uint32_t *step = counts->steps + c->first;
    size_t n = 0;
    qsort(step, c->n, sizeof(*step), by_step);
    for (uint32_t k = 0; k < c->n; k++)
        n += k == 0 || step[k] != step[k - 1];
    query_hold(g->q, n);
    int64_t *t = arena_array(&g->q->arena, n, sizeof(*t));
    double *v = arena_array(&g->q->arena, n, sizeof(*v));
    *ret = (struct promql_series){labels_of(g, counts, c), 0, t, v};
    for (uint32_t k = 0; k < c->n; k++) {
        if (k > 0 && step[k] == step[k - 1]) {
            v[ret->n - 1]++;
            continue;
        }
        t[ret->n] = grid_time(g->grid, step[k]);
        v[ret->n++] = 1;
    }
}

// Whether the label may be one that groups have already, where series could fall together.
static bool is_label_of_groups(const struct node *node)
{
    const char *label = node_unwrap(node->param)->text;
    for (size_t i = 0; i < node->label.n; i++)
        if (strcmp(node->label.name[i], label) == 0)
            return true;
    return node->without;
}

bool eval_counted(struct query *q, const struct node *root, const struct grid *grid)
{
    const struct node *node = node_unwrap(root);
    if (node->kind != NODE_AGGREGATE || node->aggregator != AGGREGATE_COUNT_VALUES ||
        node->is_invariant || is_label_of_groups(node))
        return false;
    struct grouping g;
    aggregate_begin(&g, q, node, grid);
    struct counts counts = count(&g);
    struct promql_series *series = arena_array(&q->arena, counts.n, sizeof(*series));
    for (size_t i = 0; i < counts.n; i++)
        put_series(&g, &counts, &counts.counted[i], &series[i]);
    if (counts.n > 0)
        qsort(series, counts.n, sizeof(*series), by_labels);
    q->result->series = series;
    q->result->n = counts.n;
    return true;
}
