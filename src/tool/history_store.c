// SPDX-License-Identifier: GPL-3.0-or-later
// History of a store's directory. Roll-ups, which remain where samples are gone, are no samples and
// are left out.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "history_private.h"
#include "model/query.h"
#include "tsdb/tsdb.h"

struct store_history {
    struct history h; // first
    struct tsdb *db;
    struct query_set *set;
};

static int store_read(struct history *h, size_t series, int64_t start_ms, int64_t end_ms,
                      struct history_stretch *out, struct err *err)
{
    struct query_set *set = ((struct store_history *)h)->set;
    const struct query_run *run = NULL;
    size_t n = 0;
    int r = set->ops->read(set, series, start_ms, end_ms, &run, &n, err);
    for (size_t i = 0; r == 0 && i < n; i++)
        for (size_t k = 0; run[i].resolution_ms == 0 && k < run[i].n; k++)
            history_push(out, run[i].t_ms[k], series, run[i].v[k]);
    return r;
}

static void store_free(struct history *h)
{
    struct store_history *s = (struct store_history *)h;
    if (s->set)
        s->set->ops->free_set(s->set);
    tsdb_close(s->db);
    free(s);
}

static const struct history_ops store_ops = {store_read, store_free};

// A store is made where there is none: a mistyped directory must not become one.
static bool is_store(const char *path)
{
    static const char *const inside[] = {"blocks", "log"};
    struct stat st;
    for (size_t i = 0; i < ARRAY_LEN(inside); i++) {
        CLEANUP(freep) char *below = mem_printf("%s/%s", path, inside[i]);
        if (stat(below, &st) == 0)
            return true;
    }
    return false;
}

int history_open_store(const char *path, struct history **ret, struct err *err)
{
    static const struct query_matcher all = {QUERY_NOT_EQUAL, LABEL_METRIC_NAME, "", NULL};
    if (!is_store(path))
        return err_set(err, EINVAL, "%s: this directory is no store of vherd", path);
    struct tsdb_options o;
    tsdb_options_init(&o);
    o.raw = o.minute = o.hour = (struct tsdb_retention){0};
    struct store_history *s = mem_zalloc(sizeof(*s));
    s->h.ops = &store_ops;
    int r = tsdb_open(path, &o, &s->db, err);
    if (r < 0) {
        free(s);
        return r;
    }
    struct tsdb_status status;
    tsdb_status(s->db, &status);
    struct query_hints hints = {status.oldest_ms, status.newest_ms, 0, 0};
    struct query_source *source = tsdb_source(s->db);
    r = source->ops->select(source, &all, 1, &hints, 0, &s->set, err);
    if (r < 0) {
        store_free(&s->h);
        return r;
    }
    s->h.n = s->set->n;
    s->h.labels = s->set->labels;
    s->h.start_ms = status.oldest_ms;
    s->h.end_ms = status.newest_ms;
    *ret = &s->h;
    return 0;
}
