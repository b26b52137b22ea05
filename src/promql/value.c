// SPDX-License-Identifier: GPL-3.0-or-later
// Columns and their labels.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "eval.h"
#include "key.h"

double *query_steps(struct query *q, const struct grid *g)
{
    return arena_array(&q->arena, g->n, sizeof(double));
}

const struct labels *query_labels(struct query *q, const struct label *label, size_t n)
{
    size_t size = labels_size(label, n);
    if (size == 0)
        query_fail(q, EDOM, "a series would have more labels than %d or more than %u bytes of them",
                   LABELS_MAX, LABELS_BYTES_MAX);
    struct labels *l = labels_write(arena_alloc(&q->arena, size), size, label, n);
    if (!l)
        query_fail(q, EDOM, "a series would have a label twice");
    return l;
}

const char *labels_metric(const struct labels *l)
{
    const char *name = labels_get(l, LABEL_METRIC_NAME);
    return name ? name : "";
}

const struct labels *query_labels_with(struct query *q, const struct labels *l, const char *name,
                                       const char *value)
{
    struct label label[LABELS_MAX + 1];
    size_t n = 0;
    for (uint32_t i = 0; i < l->n; i++)
        if (strcmp(l->label[i].name, name) != 0)
            label[n++] = l->label[i];
    label[n++] = (struct label){name, value};
    return query_labels(q, label, n);
}

const struct labels *query_labels_without_name(struct query *q, const struct labels *l)
{
    return labels_metric(l)[0] ? query_labels_with(q, l, LABEL_METRIC_NAME, "") : l;
}

static int by_labels(const void *a, const void *b)
{
    return labels_compare(((const struct column *)a)->labels, ((const struct column *)b)->labels);
}

void value_sort(struct value *value)
{
    for (size_t i = 1; i < value->n; i++)
        if (by_labels(&value->col[i - 1], &value->col[i]) > 0) {
            qsort(value->col, value->n, sizeof(*value->col), by_labels);
            return;
        }
}

static bool has_sample(const double *v, size_t n)
{
    for (size_t k = 0; k < n; k++)
        if (!is_absent(v[k]))
            return true;
    return false;
}

void value_compact(const struct grid *g, struct value *value)
{
    size_t kept = 0;
    for (size_t i = 0; i < value->n; i++)
        if (has_sample(value->col[i].v, g->n))
            value->col[kept++] = value->col[i];
    value->n = kept;
}

static void merge_into(struct query *q, const struct grid *g, struct column *to,
                       const struct column *from)
{
    for (size_t k = 0; k < g->n; k++) {
        if (is_absent(from->v[k]))
            continue;
        if (!is_absent(to->v[k]))
            query_fail(q, EDOM, "vector cannot contain metrics with the same labelset");
        to->v[k] = from->v[k];
    }
    to->drop_name |= from->drop_name;
}

void value_merge(struct query *q, const struct grid *g, struct value *value)
{
    if (value->n < 2)
        return;
    struct arena_mark mark = arena_mark(&q->arena);
    const struct key all = {.keep = false};
    struct key_table table = key_table_new(q, &all, value->n);
    size_t kept = 0;
    for (size_t i = 0; i < value->n; i++) {
        uint32_t number = key_number(q, &table, value->col[i].labels);
        if (number == kept)
            value->col[kept++] = value->col[i];
        else
            merge_into(q, g, &value->col[number], &value->col[i]);
    }
    value->n = kept;
    arena_rewind(&q->arena, mark);
}

void value_drop_names(struct query *q, const struct grid *g, struct value *value)
{
    if (q->options.delayed_name_removal) {
        for (size_t i = 0; i < value->n; i++)
            value->col[i].drop_name = true;
        return;
    }
    bool changed = false;
    for (size_t i = 0; i < value->n; i++) {
        const struct labels *l = query_labels_without_name(q, value->col[i].labels);
        changed |= l != value->col[i].labels;
        value->col[i].labels = l;
        value->col[i].drop_name = false;
    }
    if (changed)
        value_merge(q, g, value);
}
