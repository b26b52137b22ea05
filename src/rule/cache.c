// SPDX-License-Identifier: GPL-3.0-or-later
// Invariants: an entry lives while it is in the map or a set refers to it; what a series gave is
// stored at its second reading and never moved.
#include "cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/map.h"
#include "base/mem.h"

#define KEY_MAX 16384
// Of samples that are kept; beyond it series are read anew each time.
#define BYTES_MAX ((size_t)64 << 20)

// What one series gave, in memory of its own.
struct reading {
    struct query_run *run; // owned, with the samples behind it; NULL: not read, or not kept
    size_t n;
    int64_t start_ms, end_ms;
    bool was_read, is_kept;
};

struct entry {
    struct cache *cache;
    struct query_set *set;
    struct reading *reading; // one for each series
    unsigned refs;
};

struct cache {
    struct query_source source;
    struct query_source *base;
    struct map *entries;
    size_t bytes;
};

struct cached_set {
    struct query_set set;
    struct entry *entry;
};

static void entry_unref(struct entry *e)
{
    if (--e->refs > 0)
        return;
    for (size_t i = 0; e->reading && i < e->set->n; i++)
        free(e->reading[i].run);
    free(e->reading);
    e->set->ops->free_set(e->set);
    free(e);
}

static void free_set(struct query_set *set)
{
    entry_unref(((struct cached_set *)set)->entry);
    free(set);
}

static size_t run_bytes(const struct query_run *r)
{
    return r->resolution_ms ? r->n * sizeof(*r->bucket) : r->n * (sizeof(*r->t_ms) + sizeof(*r->v));
}

// Runs and samples into one block.
static struct query_run *copy_runs(const struct query_run *run, size_t n, size_t *ret_bytes)
{
    size_t bytes = n * sizeof(*run);
    for (size_t i = 0; i < n; i++)
        bytes += run_bytes(&run[i]);
    *ret_bytes = bytes;
    struct query_run *copy = malloc(bytes + 1);
    if (!copy)
        return NULL;
    char *at = (char *)(copy + n);
    for (size_t i = 0; i < n; i++) {
        copy[i] = run[i];
        size_t times = run[i].resolution_ms ? 0 : run[i].n * sizeof(*run[i].t_ms);
        if (run[i].resolution_ms) {
            memcpy(at, run[i].bucket, run_bytes(&run[i]));
            copy[i].bucket = (const struct query_bucket *)at;
        } else if (run[i].n > 0) {
            memcpy(at, run[i].t_ms, times);
            memcpy(at + times, run[i].v, run[i].n * sizeof(*run[i].v));
            copy[i].t_ms = (const int64_t *)at;
            copy[i].v = (const double *)(at + times);
        }
        at += run_bytes(&run[i]);
    }
    return copy;
}

static int read_series(struct query_set *set, size_t i, int64_t start_ms, int64_t end_ms,
                       const struct query_run **ret, size_t *ret_n, struct err *err)
{
    struct entry *e = ((struct cached_set *)set)->entry;
    struct reading *known = &e->reading[i];
    if (known->is_kept && known->start_ms == start_ms && known->end_ms == end_ms) {
        *ret = known->run;
        *ret_n = known->n;
        return 0;
    }
    int r = e->set->ops->read(e->set, i, start_ms, end_ms, ret, ret_n, err);
    // Most series are read once; what is read again is likely to be read by more.
    bool is_first = !known->was_read;
    known->was_read = true;
    if (r < 0 || is_first || known->is_kept || e->cache->bytes > BYTES_MAX)
        return r;
    size_t bytes = 0;
    struct query_run *copy = copy_runs(*ret, *ret_n, &bytes);
    if (!copy)
        return 0; // what was read is good without
    *known = (struct reading){copy, *ret_n, start_ms, end_ms, true, true};
    e->cache->bytes += bytes;
    return 0;
}

static const struct query_source_ops cache_ops;

static struct query_set *refer(struct entry *e)
{
    struct cached_set *s = mem_zalloc(sizeof(*s));
    s->set = (struct query_set){.ops = &cache_ops, .n = e->set->n, .labels = e->set->labels};
    s->entry = e;
    e->refs++;
    return &s->set;
}

static void put_key(struct buf *key, const struct query_matcher *matcher, size_t n,
                    const struct query_hints *hints)
{
    buf_put(key, hints, sizeof(*hints));
    for (size_t i = 0; i < n; i++) {
        buf_putc(key, (char)('0' + matcher[i].match));
        buf_put(key, matcher[i].name, strlen(matcher[i].name) + 1);
        buf_put(key, matcher[i].value, strlen(matcher[i].value) + 1);
    }
}

static int select_series(struct query_source *source, const struct query_matcher *matcher, size_t n,
                         const struct query_hints *hints, size_t max_series, struct query_set **ret,
                         struct err *err)
{
    struct cache *c = (struct cache *)source;
    CLEANUP(buf_done) struct buf key;
    struct query_hints clean;
    memset(&clean, 0, sizeof(clean)); // bytes between members are part of the key
    clean.start_ms = hints->start_ms;
    clean.end_ms = hints->end_ms;
    clean.max_resolution_ms = hints->max_resolution_ms;
    clean.align_ms = hints->align_ms;
    clean.step_ms = hints->step_ms;
    clean.window_ms = hints->window_ms;
    clean.skip_values = hints->skip_values;
    buf_init(&key, KEY_MAX);
    put_key(&key, matcher, n, &clean);
    struct entry *e = key.error ? NULL : map_get(c->entries, key.data, key.len);
    if (e) {
        *ret = refer(e);
        return 0;
    }
    struct query_set *set = NULL;
    int r = c->base->ops->select(c->base, matcher, n, hints, max_series, &set, err);
    if (r < 0)
        return r;
    e = mem_zalloc(sizeof(*e));
    *e = (struct entry){.cache = c, .set = set, .reading = calloc(set->n + 1, sizeof(*e->reading))};
    if (!e->reading || key.error) { // not worth an entry
        free(e->reading);
        free(e);
        *ret = set;
        return 0;
    }
    e->refs = 1;
    map_put(c->entries, key.data, key.len, e);
    *ret = refer(e);
    return 0;
}

static int label_names(struct query_source *source, const struct query_matcher *matcher, size_t n,
                       int64_t start_ms, int64_t end_ms, struct query_texts *ret, struct err *err)
{
    struct cache *c = (struct cache *)source;
    return c->base->ops->label_names(c->base, matcher, n, start_ms, end_ms, ret, err);
}

static int label_values(struct query_source *source, const char *name,
                        const struct query_matcher *matcher, size_t n, int64_t start_ms,
                        int64_t end_ms, struct query_texts *ret, struct err *err)
{
    struct cache *c = (struct cache *)source;
    return c->base->ops->label_values(c->base, name, matcher, n, start_ms, end_ms, ret, err);
}

static const struct query_source_ops cache_ops = {
    .select = select_series,
    .read = read_series,
    .free_set = free_set,
    .label_names = label_names,
    .label_values = label_values,
};

struct cache *cache_new(struct query_source *base)
{
    struct cache *c = mem_zalloc(sizeof(*c));
    c->source.ops = &cache_ops;
    c->base = base;
    c->entries = map_new();
    return c;
}

void cache_forget(struct cache *c)
{
    size_t cursor = 0;
    struct entry *e;
    if (map_count(c->entries) == 0)
        return;
    while ((e = map_next(c->entries, &cursor)))
        entry_unref(e);
    map_free(c->entries);
    c->entries = map_new();
    c->bytes = 0;
}

void cache_free(struct cache *c)
{
    if (!c)
        return;
    cache_forget(c);
    map_free(c->entries);
    free(c);
}

struct query_source *cache_source(struct cache *c)
{
    return &c->source;
}
