// SPDX-License-Identifier: GPL-3.0-or-later
// store/delete: samples of the series that a selector matches. The store's own thread does it, a
// worker waits for that.
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "tsdb/tsdb.h"

struct removal {
    struct tsdb *db;
    struct api_matches matches; // one
    int64_t start_ms, end_ms;
    bool dry_run;
};

static void removal_free(void *arg)
{
    struct removal *d = arg;
    api_matches_done(&d->matches);
    free(d);
}

static int count_series(const struct removal *d, const struct promql_selector *s, size_t *ret,
                        struct err *err)
{
    struct query_hints hints = {.start_ms = d->start_ms, .end_ms = d->end_ms};
    struct query_source *source = tsdb_source(d->db);
    struct query_set *set = NULL;
    int r = source->ops->select(source, s->matcher, s->n_matchers, &hints, 0, &set, err);
    if (r < 0)
        return r;
    *ret = set->n;
    set->ops->free_set(set);
    return 0;
}

static int removal_run(void *arg, const struct job_limits *limits, struct buf *out, bool *ret_more)
{
    struct removal *d = arg;
    const struct promql_selector *s = &d->matches.match[0].selector;
    struct err err = {0};
    size_t n_series = 0;
    *ret_more = false;
    int r = count_series(d, s, &n_series, &err);
    if (r == 0 && n_series > 0 && !d->dry_run)
        r = tsdb_delete(d->db, s->matcher, s->n_matchers, d->start_ms, d->end_ms, &err);
    if (r < 0)
        return api_job_problem(r == -ENOSPC || r == -EDQUOT ? 507 : 500, err.message, out);
    bool is_all = d->start_ms <= API_TIME_MIN && d->end_ms >= API_TIME_MAX;
    if (n_series > 0 && !d->dry_run && is_all)
        log_info("all samples of %zu series deleted", n_series);
    else if (n_series > 0 && !d->dry_run)
        log_info("samples of %zu series deleted, from %" PRId64 " to %" PRId64 " ms", n_series,
                 d->start_ms, d->end_ms);
    struct json j;
    json_init(&j, out);
    json_object_begin(&j);
    json_kv_u64(&j, "series", n_series);
    json_kv_bool(&j, "deleted", !d->dry_run);
    json_object_end(&j);
    return 200;
}

static const struct job_ops removal_ops = {.run = removal_run, .free = removal_free};

static bool is_dry(const struct view *v)
{
    CLEANUP(freep) char *text = ipc_request_param(v->request, "dry_run");
    return text && strcmp(text, "false") != 0 && strcmp(text, "0") != 0;
}

static int read_parameters(const struct view *v, struct removal *d, struct err *err)
{
    d->dry_run = is_dry(v);
    d->start_ms = API_TIME_MIN;
    d->end_ms = API_TIME_MAX;
    int r = api_param_time(v->request, "start", &d->start_ms, err);
    if (r == 0)
        r = api_param_time(v->request, "end", &d->end_ms, err);
    if (r == 0 && d->start_ms > d->end_ms)
        r = err_set(err, EINVAL, "end timestamp must not be before start time");
    if (r == 0)
        r = api_matches_parse(v->request, &d->matches, err);
    // One: either all of a request is done, or nothing.
    if (r == 0 && d->matches.n != 1)
        r = err_set(err, EINVAL, "one match[] parameter is needed");
    return r;
}

void view_store_delete(const struct view *v)
{
    struct removal *d = mem_zalloc(sizeof(*d));
    struct err err = {0};
    d->db = v->core->db;
    if (read_parameters(v, d, &err) < 0) {
        removal_free(d);
        answer_problem(v->core, v->id, 400, "%s", err.message);
    } else if (!d->db) {
        removal_free(d);
        answer_problem(v->core, v->id, 503, "this daemon keeps no samples: there is no store");
    } else {
        api_start(v, &removal_ops, d, v->core->conf->query.timeout_ns);
    }
}
