// SPDX-License-Identifier: GPL-3.0-or-later
// Selections are made when they are first asked for, and only for rules with alerts that come or
// go.
#include "inputs.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define SELECTORS_MAX 64

struct inputs {
    struct query_source *source;
    struct promql_selector selector[SELECTORS_MAX];
    struct query_set *set[SELECTORS_MAX];
    bool *has_samples[SELECTORS_MAX]; // of each series of the set
    bool is_selected[SELECTORS_MAX];
    size_t n;
};

struct inputs *inputs_new(const struct rule *rule, struct query_source *source, int64_t t_ms,
                          int64_t lookback_ms)
{
    struct inputs *in = mem_zalloc(sizeof(*in));
    struct promql_range range = {t_ms, t_ms, 0};
    in->source = source;
    in->n = promql_selectors(rule->expr, &range, lookback_ms, in->selector, SELECTORS_MAX);
    in->n = MIN_OF(in->n, (size_t)SELECTORS_MAX);
    return in;
}

void inputs_free(struct inputs *in)
{
    if (!in)
        return;
    for (size_t i = 0; i < in->n; i++) {
        if (in->set[i])
            in->source->ops->free_set(in->set[i]);
        free(in->has_samples[i]);
    }
    free(in);
}

bool inputs_agree(const struct labels *a, const struct labels *b)
{
    uint32_t i = 0, k = 0;
    while (i < a->n && k < b->n) {
        int c = strcmp(a->label[i].name, b->label[k].name);
        bool is_name = c == 0 && strcmp(a->label[i].name, LABEL_METRIC_NAME) == 0;
        if (c == 0 && !is_name && strcmp(a->label[i].value, b->label[k].value) != 0)
            return false;
        i += c <= 0;
        k += c >= 0;
    }
    return true;
}

// A staleness marker at the end says that there is nothing, as no sample does.
static bool has_samples(const struct query_run *run, size_t n)
{
    const struct query_run *last = n > 0 ? &run[n - 1] : NULL;
    if (!last || last->n == 0)
        return false;
    return last->resolution_ms > 0 ? !last->bucket[last->n - 1].stale
                                   : !sample_is_stale(last->v[last->n - 1]);
}

static void select_one(struct inputs *in, size_t i)
{
    const struct promql_selector *s = &in->selector[i];
    struct query_hints hints = {.start_ms = s->start_ms, .end_ms = s->end_ms};
    struct err err;
    in->is_selected[i] = true;
    if (in->source->ops->select(in->source, s->matcher, s->n_matchers, &hints, 0, &in->set[i],
                                &err) < 0)
        return;
    in->has_samples[i] = calloc(in->set[i]->n + 1, sizeof(bool));
    for (size_t k = 0; in->has_samples[i] && k < in->set[i]->n; k++) {
        const struct query_run *run;
        size_t n;
        if (in->set[i]->ops->read(in->set[i], k, s->start_ms, s->end_ms, &run, &n, &err) == 0)
            in->has_samples[i][k] = has_samples(run, n);
    }
}

uint64_t inputs_present(struct inputs *in, const struct labels *series)
{
    uint64_t mask = 0;
    for (size_t i = 0; i < in->n; i++) {
        if (!in->is_selected[i])
            select_one(in, i);
        for (size_t k = 0; in->has_samples[i] && k < in->set[i]->n; k++) {
            if (!in->has_samples[i][k] || !inputs_agree(series, in->set[i]->labels[k]))
                continue;
            mask |= UINT64_C(1) << i;
            break;
        }
    }
    return mask;
}
