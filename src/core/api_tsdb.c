// SPDX-License-Identifier: GPL-3.0-or-later
// status/tsdb: which metrics and labels have the most series, counted over the last hour's.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "base/json.h"
#include "base/map.h"
#include "base/mem.h"

#define TOP_MAX 10
#define WINDOW_MS (INT64_C(3600) * 1000)

struct count {
    char *name;
    uint64_t n, bytes;
};

// Counts by name.
struct tally {
    struct map *map;
    struct count **item;
    size_t n, cap;
};

static void tally_init(struct tally *t)
{
    *t = (struct tally){.map = map_new()};
}

static void tally_done(struct tally *t)
{
    for (size_t i = 0; i < t->n; i++) {
        free(t->item[i]->name);
        free(t->item[i]);
    }
    free(t->item);
    map_free(t->map);
}

static struct count *tally_add(struct tally *t, const char *name, size_t len)
{
    len = MIN_OF(len, (size_t)60000);
    struct count *c = map_get(t->map, name, len);
    if (!c) {
        c = mem_zalloc(sizeof(*c));
        c->name = mem_strndup(name, len);
        mem_grow(&t->item, &t->cap, t->n, sizeof(struct count *));
        t->item[t->n++] = c;
        map_put(t->map, name, len, c);
    }
    c->n++;
    return c;
}

static int by_count(const void *a, const void *b)
{
    const struct count *x = *(struct count *const *)a, *y = *(struct count *const *)b;
    return x->n != y->n ? (x->n < y->n ? 1 : -1) : strcmp(x->name, y->name);
}

static int by_bytes(const void *a, const void *b)
{
    const struct count *x = *(struct count *const *)a, *y = *(struct count *const *)b;
    return x->bytes != y->bytes ? (x->bytes < y->bytes ? 1 : -1) : strcmp(x->name, y->name);
}

static void put_top(struct json *j, const char *key, struct tally *t, size_t limit, bool bytes)
{
    if (t->n > 0)
        qsort(t->item, t->n, sizeof(struct count *), bytes ? by_bytes : by_count);
    json_key(j, key);
    json_array_begin(j);
    for (size_t i = 0; i < MIN_OF(t->n, limit); i++) {
        json_object_begin(j);
        json_kv_string(j, "name", t->item[i]->name);
        json_kv_u64(j, "value", bytes ? t->item[i]->bytes : t->item[i]->n);
        json_object_end(j);
    }
    json_array_end(j);
}

struct tallies {
    struct tally metrics; // series of each metric
    struct tally pairs;   // series of each name=value
    struct tally values;  // distinct values of each label, and their bytes
};

static void count_series(struct tallies *t, const struct labels *labels, struct buf *pair)
{
    for (uint32_t i = 0; i < labels->n; i++) {
        const struct label *l = &labels->label[i];
        if (strcmp(l->name, LABEL_METRIC_NAME) == 0)
            tally_add(&t->metrics, l->value, strlen(l->value));
        buf_reset(pair);
        buf_puts(pair, l->name);
        buf_putc(pair, '=');
        buf_puts(pair, l->value);
        if (tally_add(&t->pairs, pair->data, pair->len)->n == 1)
            tally_add(&t->values, l->name, strlen(l->name))->bytes += strlen(l->value);
    }
}

static void put_status(struct tallies *t, const struct api_job *a, size_t series, struct json *j)
{
    size_t limit = a->limit > 0 ? a->limit : TOP_MAX;
    json_object_begin(j);
    json_key(j, "headStats");
    json_object_begin(j);
    json_kv_u64(j, "numSeries", series);
    json_kv_u64(j, "numLabelPairs", t->pairs.n);
    // Chunks are the store's own matter, which a source does not tell.
    json_kv_u64(j, "chunkCount", 0);
    json_kv_i64(j, "minTime", a->start_ms);
    json_kv_i64(j, "maxTime", a->end_ms);
    json_object_end(j);
    put_top(j, "seriesCountByMetricName", &t->metrics, limit, false);
    put_top(j, "labelValueCountByLabelName", &t->values, limit, false);
    put_top(j, "memoryInBytesByLabelName", &t->values, limit, true);
    put_top(j, "seriesCountByLabelValuePair", &t->pairs, limit, false);
    json_object_end(j);
}

static int tsdb_run(void *arg, const struct job_limits *limits, struct buf *out, bool *ret_more)
{
    static const struct query_matcher all = {QUERY_NOT_EQUAL, LABEL_METRIC_NAME, "", NULL};
    struct api_job *a = arg;
    struct query_hints hints = {a->start_ms, a->end_ms, 0, 0};
    struct query_set *set = NULL;
    struct err err = {0};
    int r = a->source->ops->select(a->source, &all, 1, &hints, 0, &set, &err);
    if (r < 0)
        return api_job_fail(r, &err, out);
    struct tallies t;
    tally_init(&t.metrics);
    tally_init(&t.pairs);
    tally_init(&t.values);
    CLEANUP(buf_done) struct buf pair;
    buf_init(&pair, 2 * LABELS_BYTES_MAX);
    for (size_t i = 0; i < set->n && !atomic_load(limits->cancelled); i++)
        count_series(&t, set->labels[i], &pair);
    struct json j;
    buf_init(&a->whole, API_WHOLE_MAX);
    api_success_begin(&a->whole);
    json_init(&j, &a->whole);
    put_status(&t, a, set->n, &j);
    api_success_end(&a->whole, NULL);
    tally_done(&t.metrics);
    tally_done(&t.pairs);
    tally_done(&t.values);
    set->ops->free_set(set);
    return api_whole_begin(a, out, ret_more);
}

static bool tsdb_next(void *arg, struct buf *out)
{
    return api_whole_next(arg, out);
}

static void tsdb_free(void *arg)
{
    buf_done(&((struct api_job *)arg)->whole);
    free(arg);
}

static const struct job_ops tsdb_ops = {tsdb_run, tsdb_next, tsdb_free};

void view_status_tsdb(const struct view *v)
{
    struct err err = {0};
    struct api_job *a = mem_zalloc(sizeof(*a));
    a->source = v->core->source;
    a->end_ms = clock_real_ns(&clock_system) / NS_PER_MS;
    a->start_ms = a->end_ms - WINDOW_MS;
    if (api_param_limit(v->request, "limit", &a->limit, &err) < 0) {
        tsdb_free(a);
        api_bad(v, &err);
        return;
    }
    api_start(v, &tsdb_ops, a, v->core->conf->query.timeout_ns);
}
