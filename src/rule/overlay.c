// SPDX-License-Identifier: GPL-3.0-or-later
#include "overlay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "make.h"
#include "promql/memory.h"

#define PARTS 3 // stored, the stretch before, this one

struct overlay {
    struct query_source source;
    struct query_source *base;
    struct promql_memory *memory[2]; // the stretch before, this one
    struct map *own;
};

// Where a series comes from: its number in each part, plus one; 0: not there.
struct place {
    size_t at[PARTS];
};

struct overlay_set {
    struct query_set set;
    const struct labels **labels;
    struct place *place;
    struct query_set *part[PARTS];
    struct query_run *run;
    size_t cap;
};

struct overlay *overlay_new(struct query_source *base)
{
    struct overlay *o = mem_zalloc(sizeof(*o));
    o->base = base;
    o->own = map_new();
    for (size_t i = 0; i < ARRAY_LEN(o->memory); i++)
        o->memory[i] = promql_memory_new();
    return o;
}

void overlay_free(struct overlay *o)
{
    if (!o)
        return;
    for (size_t i = 0; i < ARRAY_LEN(o->memory); i++)
        promql_memory_free(o->memory[i]);
    map_free(o->own);
    free(o);
}

void overlay_own(struct overlay *o, const char *metric)
{
    map_put(o->own, metric, strlen(metric), o);
}

bool overlay_owns(const struct overlay *o, const char *metric)
{
    return map_get(o->own, metric, strlen(metric)) != NULL;
}

void overlay_turn(struct overlay *o)
{
    promql_memory_free(o->memory[0]);
    o->memory[0] = o->memory[1];
    o->memory[1] = promql_memory_new();
}

int overlay_append(struct overlay *o, const struct labels *labels, int64_t t_ms, double v)
{
    return promql_memory_append(o->memory[1], labels, t_ms, v);
}

static void free_set(struct query_set *set)
{
    struct overlay_set *s = (struct overlay_set *)set;
    for (size_t i = 0; i < PARTS; i++)
        if (s->part[i])
            s->part[i]->ops->free_set(s->part[i]);
    free(s->labels);
    free(s->place);
    free(s->run);
    free(s);
}

static int read_series(struct query_set *set, size_t i, int64_t start_ms, int64_t end_ms,
                       const struct query_run **ret, size_t *ret_n, struct err *err)
{
    struct overlay_set *s = (struct overlay_set *)set;
    size_t n = 0;
    for (size_t k = 0; k < PARTS; k++) {
        const struct query_run *run = NULL;
        size_t more = 0, at = s->place[i].at[k];
        int r =
            at ? s->part[k]->ops->read(s->part[k], at - 1, start_ms, end_ms, &run, &more, err) : 0;
        if (r < 0)
            return r;
        for (size_t m = 0; m < more; m++) {
            mem_grow(&s->run, &s->cap, n, sizeof(*s->run));
            s->run[n++] = run[m];
        }
    }
    *ret = s->run;
    *ret_n = n;
    return 0;
}

// Which parts may have what is asked for, by the name where one is given.
static void choose(const struct overlay *o, const struct query_matcher *matcher, size_t n,
                   bool *base, bool *own)
{
    *base = *own = true;
    for (size_t i = 0; i < n; i++) {
        if (matcher[i].match != QUERY_EQUAL || strcmp(matcher[i].name, LABEL_METRIC_NAME) != 0)
            continue;
        bool is_own = overlay_owns(o, matcher[i].value);
        *base &= !is_own;
        *own &= is_own;
    }
}

struct entry {
    const struct labels *labels;
    struct place place;
};

static int by_labels(const void *a, const void *b)
{
    return labels_by_hash(&((const struct entry *)a)->labels, &((const struct entry *)b)->labels);
}

static int merge(struct overlay *o, struct overlay_set *s)
{
    size_t n = 0, all = 0;
    for (size_t k = 0; k < PARTS; k++)
        all += s->part[k] ? s->part[k]->n : 0;
    CLEANUP(freep) struct entry *entry = calloc(all + 1, sizeof(*entry));
    s->labels = calloc(all + 1, sizeof(*s->labels));
    s->place = calloc(all + 1, sizeof(*s->place));
    if (!entry || !s->labels || !s->place)
        return -ENOMEM;
    for (size_t k = 0; k < PARTS; k++)
        for (size_t i = 0; s->part[k] && i < s->part[k]->n; i++) {
            const struct labels *l = s->part[k]->labels[i];
            const char *name = labels_get(l, LABEL_METRIC_NAME);
            if (k == 0 && name && overlay_owns(o, name))
                continue;
            entry[n] = (struct entry){.labels = l};
            entry[n++].place.at[k] = i + 1;
        }
    if (s->part[1] || s->part[2])
        qsort(entry, n, sizeof(*entry), by_labels);
    for (size_t i = 0; i < n; i++) {
        size_t to = s->set.n;
        if (i > 0 && by_labels(&entry[i - 1], &entry[i]) == 0)
            to--;
        else
            s->labels[s->set.n++] = entry[i].labels;
        for (size_t k = 0; k < PARTS; k++)
            s->place[to].at[k] |= entry[i].place.at[k];
    }
    return 0;
}

static const struct query_source_ops overlay_ops;

static int select_series(struct query_source *source, const struct query_matcher *matcher, size_t n,
                         const struct query_hints *hints, size_t max_series, struct query_set **ret,
                         struct err *err)
{
    struct overlay *o = (struct overlay *)source;
    struct query_source *parts[PARTS] = {o->base, promql_memory_source(o->memory[0]),
                                         promql_memory_source(o->memory[1])};
    bool base, own;
    choose(o, matcher, n, &base, &own);
    if (!own)
        return o->base->ops->select(o->base, matcher, n, hints, max_series, ret, err);
    struct overlay_set *s = mem_zalloc(sizeof(*s));
    s->set.ops = &overlay_ops;
    int r = 0;
    for (size_t k = base ? 0 : 1; k < PARTS && r == 0; k++)
        r = parts[k]->ops->select(parts[k], matcher, n, hints, max_series, &s->part[k], err);
    if (r == 0)
        r = merge(o, s);
    if (r < 0) {
        free_set(&s->set);
        return r;
    }
    s->set.labels = s->labels;
    *ret = &s->set;
    return 0;
}

static int label_names(struct query_source *source, const struct query_matcher *matcher, size_t n,
                       int64_t start_ms, int64_t end_ms, struct query_texts *ret, struct err *err)
{
    struct overlay *o = (struct overlay *)source;
    return o->base->ops->label_names(o->base, matcher, n, start_ms, end_ms, ret, err);
}

static int label_values(struct query_source *source, const char *name,
                        const struct query_matcher *matcher, size_t n, int64_t start_ms,
                        int64_t end_ms, struct query_texts *ret, struct err *err)
{
    struct overlay *o = (struct overlay *)source;
    return o->base->ops->label_values(o->base, name, matcher, n, start_ms, end_ms, ret, err);
}

static const struct query_source_ops overlay_ops = {
    .select = select_series,
    .read = read_series,
    .free_set = free_set,
    .label_names = label_names,
    .label_values = label_values,
};

struct query_source *overlay_source(struct overlay *o)
{
    o->source.ops = &overlay_ops;
    return &o->source;
}
