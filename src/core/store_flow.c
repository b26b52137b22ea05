// SPDX-License-Identifier: GPL-3.0-or-later
// The store as flow.h wants it: a sink for scraped and pushed samples, and the log as a source for
// remote write. Series that come this way are known by their labels only; the refs that the store
// gave for them are kept in a map, and let go when nothing has come for a while.
#include "store_flow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "model/catalogue.h"
#include "model/labels.h"
#include "tsdb/tail.h"

#define KEY_MAX (64u * 1024 - 1)
#define SWEEP_EVERY 4096 // commits; a series that none of so many has touched is let go

// A sample further ahead of the clock is refused, as Prometheus does: it would count as the newest
// of the store, and the host's own samples would be told the time by it after a restart.
#define AHEAD_MAX_MS (INT64_C(10) * 60 * 1000)

// A series that came in.
struct inflow {
    uint32_t ref;
    uint64_t used; // the commit that used it last
    size_t key_len;
    char key[];
};

// A reader of the log.
struct outflow {
    struct outflow *next;
    char *name;
    struct tsdb_tail *tail;
    struct tsdb_tail_position at; // what the tail would give next
    int64_t until_ns;             // kept by store_flow_keep(), not asked for since; 0: asked for
};

struct store_flow {
    struct tsdb *db;
    struct map *inflows; // key: labels as they came
    uint64_t commits;
    struct outflow *outflows;
};

static int key_of(const struct label *label, size_t n, char *key, size_t *ret_len)
{
    size_t len = 0;
    key[0] = '\0'; // of no label
    for (size_t i = 0; i < n; i++) {
        size_t name = strlen(label[i].name) + 1, value = strlen(label[i].value) + 1;
        if (name + value > KEY_MAX - len)
            return -E2BIG;
        memcpy(key + len, label[i].name, name);
        memcpy(key + len + name, label[i].value, value);
        len += name + value;
    }
    *ret_len = len;
    return 0;
}

static const char *name_of(const struct label *label, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(label[i].name, LABEL_METRIC_NAME) == 0)
            return label[i].value;
    return "";
}

static bool is_whole_ns(const char *name)
{
    for (size_t i = 0; i < model_metrics_count; i++) {
        const struct metric_desc *m = &model_metrics[i];
        if (strcmp(m->name, name) == 0)
            return m->fact != FACT_INVALID && model_facts[m->fact].store == STORE_NS;
    }
    return false;
}

// Types do not come along, so only what is named as a counter is taken for one.
static bool is_counter(const char *name)
{
    static const char suffix[] = "_total";
    size_t len = strlen(name), n = sizeof(suffix) - 1;
    return len > n && memcmp(name + len - n, suffix, n) == 0;
}

static int inflow_find(struct store_flow *f, const struct label *label, size_t n,
                       struct inflow **ret)
{
    char key[KEY_MAX];
    size_t len = 0;
    int r = key_of(label, n, key, &len);
    if (r < 0)
        return r;
    *ret = map_get(f->inflows, key, len);
    if (*ret)
        return 0;
    const char *name = name_of(label, n);
    const struct tsdb_kind_of kinds[] = {{.kind = TSDB_DOUBLE, .is_counter = is_counter(name)},
                                         {.kind = TSDB_SCALED, .scale = 9, .is_counter = true}};
    // What the host itself samples has one kind only; it may be imported before it is sampled.
    bool is_scaled = is_whole_ns(name);
    uint32_t ref;
    r = tsdb_series(f->db, label, n, &kinds[is_scaled], &ref, NULL);
    if (r == -EDOM)
        r = tsdb_series(f->db, label, n, &kinds[!is_scaled], &ref, NULL);
    if (r < 0)
        return r;
    struct inflow *in = mem_zalloc(sizeof(*in) + len);
    in->ref = ref;
    in->key_len = len;
    memcpy(in->key, key, len);
    map_put(f->inflows, in->key, len, in);
    *ret = in;
    return 0;
}

static int append(struct store_flow *f, const struct label *label, size_t n, int64_t t_ms, double v,
                  int (*to_store)(struct tsdb *db, uint32_t ref, int64_t t_ms, double v))
{
    struct inflow *in;
    if (t_ms > clock_real_ns(&clock_system) / NS_PER_MS + AHEAD_MAX_MS)
        return -ERANGE;
    int r = inflow_find(f, label, n, &in);
    if (r < 0)
        return r;
    in->used = f->commits;
    r = to_store(f->db, in->ref, t_ms, v);
    return r == -ETIME ? -ERANGE : r;
}

static int sink_append(void *arg, const struct label *label, size_t n, int64_t t_ms, double v)
{
    return append(arg, label, n, t_ms, v, tsdb_append_one);
}

int store_flow_may_import(const struct store_flow *f, int64_t t_ms)
{
    int64_t now_ms = clock_real_ns(&clock_system) / NS_PER_MS;
    bool may = t_ms <= now_ms + AHEAD_MAX_MS && t_ms >= tsdb_oldest_kept_ms(f->db);
    return may ? 0 : -ERANGE;
}

int store_flow_import(struct store_flow *f, const struct label *label, size_t n, int64_t t_ms,
                      double v)
{
    return append(f, label, n, t_ms, v, tsdb_append_old);
}

static void inflow_drop(struct store_flow *f, struct inflow *in)
{
    map_remove(f->inflows, in->key, in->key_len);
    tsdb_release(f->db, in->ref);
    free(in);
}

static void sweep(struct store_flow *f)
{
    size_t cursor = 0, n = 0;
    size_t cap = map_count(f->inflows);
    CLEANUP(freep) struct inflow **idle = mem_zalloc((cap + 1) * sizeof(struct inflow *));
    for (struct inflow *in; (in = map_next(f->inflows, &cursor));)
        if (f->commits - in->used > SWEEP_EVERY)
            idle[n++] = in;
    for (size_t i = 0; i < n; i++)
        inflow_drop(f, idle[i]);
}

static int sink_commit(void *arg)
{
    struct store_flow *f = arg;
    if (++f->commits % SWEEP_EVERY == 0)
        sweep(f);
    return 0; // the store writes its log by its own clock
}

const struct flow_sink store_flow_sink = {.append = sink_append, .commit = sink_commit};

static struct outflow *outflow_of(struct store_flow *f, const char *name)
{
    for (struct outflow *o = f->outflows; o; o = o->next)
        if (strcmp(o->name, name) == 0)
            return o;
    struct outflow *o = mem_zalloc(sizeof(*o));
    o->name = mem_strdup(name);
    o->next = f->outflows;
    f->outflows = o;
    return o;
}

static int outflow_open(struct store_flow *f, struct outflow *o, struct tsdb_tail_position from)
{
    struct err err = {0};
    tsdb_tail_close(TAKE_PTR(o->tail));
    int r = tsdb_tail_open(f->db, o->name, &from, &o->tail, &err);
    if (r < 0) {
        log_error("remote write %s: %s", o->name, err.message);
        return r;
    }
    o->at = from;
    return 0;
}

void store_flow_keep(struct store_flow *f, const char *name, const struct samples_position *place,
                     int64_t until_ns)
{
    struct outflow *o = outflow_of(f, name);
    if (outflow_open(f, o, (struct tsdb_tail_position){place->a, place->b}) == 0)
        o->until_ns = until_ns;
}

void store_flow_let_go(struct store_flow *f, int64_t now_ns)
{
    for (struct outflow *o = f->outflows; o; o = o->next)
        if (o->until_ns && o->until_ns < now_ns) {
            tsdb_tail_close(TAKE_PTR(o->tail));
            o->until_ns = 0;
        }
}

static int put_batch(const struct tsdb_tail_batch *b, struct samples_writer *out)
{
    for (size_t i = 0; i < b->n; i++) {
        const struct labels *l = b->labels[b->sample[i].series];
        int r = samples_put(out, l->label, l->n, b->sample[i].t_ms, b->sample[i].v);
        if (r < 0)
            return r;
    }
    return 0;
}

static int source_read(void *arg, const char *name, const struct samples_position *from,
                       size_t max_samples, struct samples_writer *out, struct samples_batch *ret)
{
    struct store_flow *f = arg;
    struct outflow *o = outflow_of(f, name);
    struct tsdb_tail_position start = {from->a, from->b};
    o->until_ns = 0;
    struct err err = {0};
    for (size_t max = max_samples;; max /= 4) {
        int r = 0;
        if (!o->tail || o->at.segment != start.segment || o->at.offset != start.offset)
            r = outflow_open(f, o, start);
        if (r < 0)
            return r;
        struct tsdb_tail_batch batch = {0};
        r = tsdb_tail_next(o->tail, max, &batch, &err);
        if (r < 0) {
            log_error("remote write %s: %s", name, err.message);
            return r;
        }
        *ret = (struct samples_batch){.next = *from};
        if (r == 0)
            return 0;
        o->at = batch.next;
        r = put_batch(&batch, out);
        if (r == -E2BIG && max > 16) { // a batch is told as a whole: fewer records next time
            samples_writer_reset(out);
            continue;
        }
        *ret = (struct samples_batch){
            .next = {batch.next.segment, batch.next.offset},
            .more = tsdb_tail_behind(o->tail) > 0,
            .lost = batch.skipped_segments + (batch.skipped_bytes > 0),
        };
        return r;
    }
}

static void source_done(void *arg, const char *name, const struct samples_position *place)
{
    struct store_flow *f = arg;
    struct outflow *o = outflow_of(f, name);
    struct tsdb_tail_position at = {place->a, place->b};
    if (o->tail || outflow_open(f, o, at) == 0)
        tsdb_tail_done(o->tail, &at);
}

// Rows of one name stand together in the catalogue.
static int source_families(void *arg, struct samples_writer *out)
{
    static const enum expo_type types[] = {
        [METRIC_COUNTER] = EXPO_COUNTER, [METRIC_GAUGE] = EXPO_GAUGE};
    for (size_t i = 0; i < model_metrics_count; i++) {
        const struct metric_desc *m = &model_metrics[i];
        if (i > 0 && strcmp(m->name, m[-1].name) == 0)
            continue;
        const char *help = m->help ? m->help : model_facts[m->fact].help;
        int r = samples_put_family(out, &(struct expo_family){m->name, types[m->type], help, ""});
        if (r < 0)
            return r;
    }
    return 0;
}

const struct flow_source store_flow_source = {
    .read = source_read,
    .done = source_done,
    .families = source_families,
};

struct store_flow *store_flow_new(struct tsdb *db)
{
    struct store_flow *f = mem_zalloc(sizeof(*f));
    f->db = db;
    f->inflows = map_new();
    return f;
}

void store_flow_free(struct store_flow *f)
{
    if (!f)
        return;
    f->commits += 2 * SWEEP_EVERY; // so that all are idle
    sweep(f);
    while (f->outflows) {
        struct outflow *o = f->outflows;
        f->outflows = o->next;
        tsdb_tail_close(o->tail);
        free(o->name);
        free(o);
    }
    map_free(f->inflows);
    free(f);
}
