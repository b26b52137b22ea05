// SPDX-License-Identifier: GPL-3.0-or-later
// export: stored samples as OpenMetrics text. A selection is held while its client takes the text;
// each piece goes on with the same series from where the last one ended, a window of time at once,
// so that neither a long series nor many of them have to fit into memory.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "base/esc.h"
#include "base/mem.h"
#include "model/catalogue.h"
#include "net/expo_write.h"
#include "tsdb/tsdb.h"

#define WINDOW_MS (INT64_C(6) * 3600 * 1000)

struct item {
    const struct labels *labels;
    const char *metric;
    struct query_set *set;
    size_t i; // in the set
};

struct extract {
    struct api_job job;
    struct api_matches matches;
    struct query_set **set;
    size_t n_sets;
    struct item *item; // by metric, then labels, each once
    size_t n, cap;
    size_t at;       // the series that is being written
    int64_t from_ms; // from where on
    const char *family;
    struct buf name; // of the series, up to its values
};

static void export_free(void *arg)
{
    struct extract *x = arg;
    for (size_t i = 0; i < x->n_sets; i++)
        x->set[i]->ops->free_set(x->set[i]);
    free(x->set);
    free(x->item);
    api_matches_done(&x->matches);
    api_source_done(x->job.source);
    buf_done(&x->name);
    free(x);
}

static int by_family(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    int c = strcmp(x->metric, y->metric);
    return c ? c : labels_compare(x->labels, y->labels);
}

static int add_set(struct extract *x, const struct query_matcher *matcher, size_t n,
                   struct err *err)
{
    const struct api_job *j = &x->job;
    struct query_hints hints = {j->start_ms, j->end_ms, 0, 0};
    struct query_set *set = NULL;
    int r = j->source->ops->select(j->source, matcher, n, &hints, 0, &set, err);
    if (r < 0)
        return r;
    x->set[x->n_sets++] = set;
    for (size_t i = 0; i < set->n; i++) {
        const char *metric = labels_get(set->labels[i], LABEL_METRIC_NAME);
        if (!metric)
            continue; // OpenMetrics has no text for it
        mem_grow(&x->item, &x->cap, x->n, sizeof(*x->item));
        x->item[x->n++] = (struct item){set->labels[i], metric, set, i};
    }
    return 0;
}

static int collect(struct extract *x, struct err *err)
{
    static const struct query_matcher all = {QUERY_NOT_EQUAL, LABEL_METRIC_NAME, "", NULL};
    int r = 0;
    x->set = mem_zalloc((x->matches.n + 1) * sizeof(struct query_set *));
    if (x->matches.n == 0)
        r = add_set(x, &all, 1, err);
    for (size_t i = 0; r == 0 && i < x->matches.n; i++) {
        const struct promql_selector *sel = &x->matches.match[i].selector;
        r = add_set(x, sel->matcher, sel->n_matchers, err);
    }
    if (r < 0)
        return r;
    if (x->n > 0)
        qsort(x->item, x->n, sizeof(*x->item), by_family);
    size_t kept = 0;
    for (size_t i = 0; i < x->n; i++)
        if (kept == 0 || !labels_equal(x->item[kept - 1].labels, x->item[i].labels))
            x->item[kept++] = x->item[i];
    x->n = kept;
    return 0;
}

static const struct metric_desc *describe(const char *metric)
{
    for (size_t i = 0; i < model_metrics_count; i++)
        if (strcmp(model_metrics[i].name, metric) == 0)
            return &model_metrics[i];
    return NULL;
}

// Without _total where the family is a counter's.
static size_t family_length(const char *metric, const struct metric_desc *m)
{
    static const char suffix[] = "_total";
    size_t len = strlen(metric), end = sizeof(suffix) - 1;
    bool has_suffix = len > end && strcmp(metric + len - end, suffix) == 0;
    return m && m->type == METRIC_COUNTER && has_suffix ? len - end : len;
}

static void put_family(const char *metric, struct buf *out)
{
    const struct metric_desc *m = describe(metric);
    size_t len = family_length(metric, m);
    bool is_plain = labels_is_plain_metric(metric);
    // A counter is one by its name too.
    bool is_typed = m && (m->type != METRIC_COUNTER || len < strlen(metric));
    buf_puts(out, "# TYPE ");
    expo_put_name(metric, len, is_plain, out);
    buf_putc(out, ' ');
    buf_puts(out, is_typed ? metric_type_name(m->type) : "unknown");
    buf_putc(out, '\n');
    if (!m)
        return;
    buf_puts(out, "# HELP ");
    expo_put_name(metric, len, is_plain, out);
    buf_putc(out, ' ');
    esc_label(out, m->help ? m->help : model_facts[m->fact].help);
    buf_putc(out, '\n');
}

static void put_run(const struct query_run *run, const struct buf *name, struct buf *out)
{
    for (size_t i = 0; i < run->n; i++) {
        buf_put(out, name->data, name->len);
        expo_put_sample(run->v[i], run->t_ms[i], out);
    }
}

static bool has_samples(const struct query_run *run, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (run[i].resolution_ms == 0 && run[i].n > 0)
            return true;
    return false;
}

static int put_window(struct extract *x, struct buf *out)
{
    struct item *item = &x->item[x->at];
    int64_t end_ms = x->job.end_ms;
    if (end_ms - x->from_ms >= WINDOW_MS)
        end_ms = x->from_ms + WINDOW_MS - 1;
    const struct query_run *run = NULL;
    size_t n = 0;
    struct err err = {0};
    int r = item->set->ops->read(item->set, item->i, x->from_ms, end_ms, &run, &n, &err);
    if (r < 0)
        return r;
    if (has_samples(run, n)) {
        if (!x->family || strcmp(x->family, item->metric) != 0)
            put_family(item->metric, out);
        x->family = item->metric;
        buf_reset(&x->name);
        expo_put_series(item->labels, &x->name);
    }
    for (size_t i = 0; i < n; i++)
        if (run[i].resolution_ms == 0)
            put_run(&run[i], &x->name, out);
    x->from_ms = end_ms + 1;
    if (end_ms == x->job.end_ms) {
        x->at++;
        x->from_ms = x->job.start_ms;
    }
    return 0;
}

static bool export_next(void *arg, struct buf *out)
{
    struct extract *x = arg;
    while (x->at < x->n && out->len < IPC_PIECE_BYTES) {
        int r = put_window(x, out);
        if (r < 0)
            out->error = r; // the answer ends as one that broke off
        if (out->error)
            return false;
    }
    if (x->at < x->n)
        return true;
    buf_puts(out, "# EOF\n");
    return false;
}

static int export_run(void *arg, const struct job_limits *limits, struct buf *out, bool *ret_more)
{
    struct extract *x = arg;
    struct err err = {0};
    int r = collect(x, &err);
    if (r < 0)
        return api_job_fail(r, &err, out);
    *ret_more = export_next(x, out);
    if (out->error) {
        *ret_more = false;
        err_set(&err, EIO, "the store cannot be read: %s", strerror(-out->error));
        return api_job_fail(-EIO, &err, out);
    }
    return 200;
}

static const struct job_ops export_ops = {
    .run = export_run,
    .next = export_next,
    .free = export_free,
    .type = "application/openmetrics-text; version=1.0.0; charset=utf-8",
};

static int read_parameters(const struct view *v, struct extract *x, struct err *err)
{
    struct api_job *j = &x->job;
    j->start_ms = API_TIME_MIN;
    j->end_ms = API_TIME_MAX;
    int r = api_param_time(v->request, "start", &j->start_ms, err);
    if (r == 0)
        r = api_param_time(v->request, "end", &j->end_ms, err);
    if (r == 0 && j->start_ms > j->end_ms)
        r = err_set(err, EINVAL, "end timestamp must not be before start time");
    if (r == 0)
        r = api_matches_parse(v->request, &x->matches, err);
    if (r == 0)
        r = api_source(v, &j->source, err);
    if (r < 0 || !v->core->db)
        return r;
    // Windows are counted from where there is something.
    struct tsdb_status s;
    tsdb_status(v->core->db, &s);
    j->start_ms = MAX_OF(j->start_ms, s.oldest_ms);
    j->end_ms = MIN_OF(j->end_ms, s.newest_ms);
    return 0;
}

void view_export(const struct view *v)
{
    struct extract *x = mem_zalloc(sizeof(*x));
    struct err err = {0};
    buf_init(&x->name, 4 * LABELS_BYTES_MAX);
    x->from_ms = INT64_MIN;
    int r = read_parameters(v, x, &err);
    x->from_ms = x->job.start_ms;
    if (r == 0) {
        api_start(v, &export_ops, x, v->core->conf->query.timeout_ns);
        return;
    }
    export_free(x);
    api_bad(v, &err);
}
