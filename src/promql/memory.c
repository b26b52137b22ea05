// SPDX-License-Identifier: GPL-3.0-or-later
// A query_source in memory. Buckets are made when a selection is read, from the samples.
#include "promql/memory.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"

struct series {
    struct labels *labels;
    int64_t *t_ms;
    double *v;
    size_t n, cap_t, cap_v;
};

struct promql_memory {
    struct query_source source; // first: the source's address is ours
    struct series **series;
    size_t n, cap;
    struct map *by_labels;
    int64_t before_ms, resolution_ms; /**< buckets only */
    int64_t allowed_ms;               /**< buckets to who can use them */
};

struct memory_set {
    struct query_set set;
    const struct promql_memory *memory;
    struct query_hints hints;
    const struct labels **labels;
    const struct series **series;
    struct query_run run[2];
    struct query_bucket *bucket;
    size_t cap_buckets;
};

static const struct query_source_ops memory_ops;

struct promql_memory *promql_memory_new(void)
{
    struct promql_memory *m = mem_zalloc(sizeof(*m));
    m->source.ops = &memory_ops;
    m->by_labels = map_new();
    m->before_ms = INT64_MIN;
    return m;
}

void promql_memory_free(struct promql_memory *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->n; i++) {
        labels_free(m->series[i]->labels);
        free(m->series[i]->t_ms);
        free(m->series[i]->v);
        free(m->series[i]);
    }
    free(m->series);
    map_free(m->by_labels);
    free(m);
}

struct query_source *promql_memory_source(struct promql_memory *m)
{
    return &m->source;
}

void promql_memory_roll_up(struct promql_memory *m, int64_t before_ms, int64_t resolution_ms)
{
    m->before_ms = resolution_ms > 0 ? before_ms : INT64_MIN;
    m->resolution_ms = resolution_ms;
}

void promql_memory_allow_buckets(struct promql_memory *m, int64_t resolution_ms)
{
    m->allowed_ms = resolution_ms;
}

size_t promql_memory_series(const struct promql_memory *m)
{
    return m->n;
}

size_t promql_memory_samples(const struct promql_memory *m)
{
    size_t n = 0;
    for (size_t i = 0; i < m->n; i++)
        n += m->series[i]->n;
    return n;
}

static struct series *series_of(struct promql_memory *m, const struct labels *labels)
{
    struct buf key;
    buf_init(&key, 2 * LABELS_BYTES_MAX);
    for (uint32_t i = 0; i < labels->n; i++) {
        buf_put(&key, labels->label[i].name, strlen(labels->label[i].name) + 1);
        buf_put(&key, labels->label[i].value, strlen(labels->label[i].value) + 1);
    }
    struct series *s = map_get(m->by_labels, key.data ? key.data : "", key.len);
    if (!s) {
        s = mem_zalloc(sizeof(*s));
        s->labels = labels_new(labels->label, labels->n);
        mem_grow(&m->series, &m->cap, m->n, sizeof(s));
        m->series[m->n++] = s;
        map_put(m->by_labels, key.data ? key.data : "", key.len, s);
    }
    buf_done(&key);
    return s;
}

int promql_memory_append(struct promql_memory *m, const struct labels *labels, int64_t t_ms,
                         double v)
{
    struct series *s = series_of(m, labels);
    if (s->n > 0 && t_ms < s->t_ms[s->n - 1])
        return -EINVAL;
    if (s->n > 0 && t_ms == s->t_ms[s->n - 1]) {
        s->v[s->n - 1] = v;
        return 0;
    }
    int r = mem_grow_capped(&s->t_ms, &s->cap_t, s->n, sizeof(*s->t_ms), SIZE_MAX / 16);
    if (r >= 0)
        r = mem_grow_capped(&s->v, &s->cap_v, s->n, sizeof(*s->v), SIZE_MAX / 16);
    if (r < 0)
        return r;
    s->t_ms[s->n] = t_ms;
    s->v[s->n++] = v;
    return 0;
}

// First index whose time is >= t_ms.
static size_t lower_bound(const struct series *s, int64_t t_ms)
{
    size_t low = 0, high = s->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->t_ms[middle] < t_ms)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool has_samples(const struct series *s, int64_t start_ms, int64_t end_ms)
{
    size_t i = lower_bound(s, start_ms);
    return i < s->n && s->t_ms[i] <= end_ms;
}

static void free_set(struct query_set *set)
{
    struct memory_set *s = (struct memory_set *)set;
    free(s->labels);
    free(s->series);
    free(s->bucket);
    free(s);
}

static int memory_select(struct query_source *source, const struct query_matcher *matcher, size_t n,
                         const struct query_hints *hints, size_t max_series, struct query_set **ret,
                         struct err *err)
{
    const struct promql_memory *m = (const struct promql_memory *)source;
    struct memory_set *s = mem_zalloc(sizeof(*s));
    s->memory = m;
    s->hints = *hints;
    s->labels = calloc(m->n + 1, sizeof(*s->labels));
    s->series = calloc(m->n + 1, sizeof(*s->series));
    s->set.ops = &memory_ops;
    s->set.labels = s->labels;
    for (size_t i = 0; i < m->n && s->labels && s->series; i++) {
        if (!query_matches(matcher, n, m->series[i]->labels) ||
            !has_samples(m->series[i], hints->start_ms, hints->end_ms + m->resolution_ms))
            continue;
        if (max_series && s->set.n == max_series) {
            free_set(&s->set);
            return err_set(err, E2BIG, "more than %zu series", max_series);
        }
        s->series[s->set.n] = m->series[i];
        s->labels[s->set.n++] = m->series[i]->labels;
    }
    if (!s->labels || !s->series) {
        free_set(&s->set);
        return err_set(err, ENOMEM, "no memory");
    }
    *ret = &s->set;
    return 0;
}

static int64_t bucket_end(int64_t t_ms, int64_t resolution_ms, int64_t align_ms)
{
    int64_t rest = (t_ms - align_ms) % resolution_ms;
    return rest == 0 ? t_ms : t_ms + (rest > 0 ? resolution_ms - rest : -rest);
}

// The last sample before index i, NULL where there is none.
static const double *sample_before(const struct series *s, size_t i)
{
    while (i > 0)
        if (!sample_is_stale(s->v[--i]))
            return &s->v[i];
    return NULL;
}

static void add_to_bucket(struct query_bucket *b, int64_t t_ms, double v, const double *before)
{
    if (b->count++ == 0) {
        b->first_ms = t_ms;
        b->first = v;
        b->min = b->max = v;
    }
    b->min = v < b->min || isnan(b->min) ? v : b->min;
    b->max = v > b->max || isnan(b->max) ? v : b->max;
    b->sum += v;
    b->last_ms = t_ms;
    b->last = v;
    b->stale = false;
    if (!before)
        return;
    b->resets += v < *before;
    b->increase += v < *before ? v : v - *before;
}

// Buckets whose end is in [start, end] and all of whose samples are before index `until`.
static int make_buckets(struct memory_set *set, const struct series *s, int64_t start_ms,
                        int64_t end_ms, size_t until, int64_t resolution_ms, struct query_run *run)
{
    size_t n = 0;
    *run = (struct query_run){.resolution_ms = resolution_ms};
    for (size_t i = lower_bound(s, start_ms - resolution_ms + 1); i < until;) {
        struct query_bucket b = {.end_ms = bucket_end(s->t_ms[i], resolution_ms, 0)};
        for (; i < until && s->t_ms[i] <= b.end_ms; i++) {
            if (sample_is_stale(s->v[i]))
                b.stale = b.count > 0;
            else
                add_to_bucket(&b, s->t_ms[i], s->v[i], sample_before(s, i));
        }
        if (b.count == 0 || b.end_ms < start_ms || b.end_ms > end_ms)
            continue;
        if (mem_grow_capped(&set->bucket, &set->cap_buckets, n, sizeof(b), SIZE_MAX / 256) < 0)
            return -ENOMEM;
        set->bucket[n++] = b;
    }
    run->n = n;
    run->bucket = set->bucket;
    return 0;
}

static bool may_use_buckets(const struct memory_set *set)
{
    int64_t allowed = set->memory->allowed_ms, most = set->hints.max_resolution_ms;
    return allowed > 0 && most > 0 && most % allowed == 0 && set->hints.align_ms % allowed == 0;
}

static int memory_read(struct query_set *query_set, size_t i, int64_t start_ms, int64_t end_ms,
                       const struct query_run **ret, size_t *ret_n, struct err *err)
{
    struct memory_set *set = (struct memory_set *)query_set;
    const struct promql_memory *m = set->memory;
    const struct series *s = set->series[i];
    size_t first = lower_bound(s, start_ms), n = 0;
    *ret = set->run;
    *ret_n = 0;
    if (may_use_buckets(set)) {
        *ret_n = 1;
        return make_buckets(set, s, start_ms, end_ms, s->n, m->allowed_ms, &set->run[0]);
    }
    if (start_ms < m->before_ms) {
        size_t until = lower_bound(s, m->before_ms);
        int r = make_buckets(set, s, start_ms, end_ms, until, m->resolution_ms, &set->run[n]);
        if (r < 0)
            return err_set(err, -r, "no memory");
        n += set->run[n].n > 0;
        first = MAX_OF(first, until);
    }
    size_t end = lower_bound(s, end_ms + 1);
    if (first < end)
        set->run[n++] =
            (struct query_run){.n = end - first, .t_ms = s->t_ms + first, .v = s->v + first};
    *ret_n = n;
    return 0;
}

static int compare_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

// Names of all labels, or values of one, of the series that match.
static int collect(struct query_source *source, const char *name,
                   const struct query_matcher *matcher, size_t n, int64_t start_ms, int64_t end_ms,
                   struct query_texts *ret)
{
    const struct promql_memory *m = (const struct promql_memory *)source;
    struct query_texts texts = {0};
    size_t cap = 0;
    for (size_t i = 0; i < m->n; i++) {
        const struct series *s = m->series[i];
        if (!query_matches(matcher, n, s->labels) || !has_samples(s, start_ms, end_ms))
            continue;
        for (uint32_t k = 0; k < s->labels->n; k++) {
            const struct label *label = &s->labels->label[k];
            if (name && strcmp(label->name, name) != 0)
                continue;
            mem_grow(&texts.text, &cap, texts.n, sizeof(char *));
            texts.text[texts.n++] = mem_strdup(name ? label->value : label->name);
        }
    }
    if (texts.n > 0)
        qsort(texts.text, texts.n, sizeof(char *), compare_text);
    size_t kept = 0;
    for (size_t i = 0; i < texts.n; i++) {
        if (kept > 0 && strcmp(texts.text[kept - 1], texts.text[i]) == 0)
            free(texts.text[i]);
        else
            texts.text[kept++] = texts.text[i];
    }
    texts.n = kept;
    *ret = texts;
    return 0;
}

static int memory_label_names(struct query_source *source, const struct query_matcher *matcher,
                              size_t n, int64_t start_ms, int64_t end_ms, struct query_texts *ret,
                              struct err *err)
{
    return collect(source, NULL, matcher, n, start_ms, end_ms, ret);
}

static int memory_label_values(struct query_source *source, const char *name,
                               const struct query_matcher *matcher, size_t n, int64_t start_ms,
                               int64_t end_ms, struct query_texts *ret, struct err *err)
{
    return collect(source, name, matcher, n, start_ms, end_ms, ret);
}

static const struct query_source_ops memory_ops = {
    .select = memory_select,
    .read = memory_read,
    .free_set = free_set,
    .label_names = memory_label_names,
    .label_values = memory_label_values,
};
