// SPDX-License-Identifier: GPL-3.0-or-later
// series, labels and label values: the store's index, read by a worker.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "base/json.h"
#include "base/map.h"
#include "base/mem.h"

static const char cut_warning[] = "results truncated due to limit";

struct listing {
    struct api_job job;
    char *label; // whose values are asked for; NULL: names of labels
    struct api_matches matches;
};

static void listing_free(void *arg)
{
    struct listing *l = arg;
    api_matches_done(&l->matches);
    api_source_done(l->job.source);
    buf_done(&l->job.whole);
    free(l->label);
    free(l);
}

static bool listing_next(void *arg, struct buf *out)
{
    return api_whole_next(&((struct listing *)arg)->job, out);
}

static bool should_end(const struct job_limits *limits, int *ret_r, struct err *err)
{
    if (atomic_load(limits->cancelled))
        *ret_r = err_set(err, ECANCELED, "query was canceled");
    else if (clock_mono_ns(&clock_system) >= limits->deadline_ns)
        *ret_r = err_set(err, ETIME, "query timed out");
    return *ret_r < 0;
}

// Series

struct series_list {
    struct query_set **set; // hold the labels
    size_t n_sets;
    const struct labels **item;
    size_t n, cap;
};

static void series_list_done(struct series_list *s)
{
    for (size_t i = 0; i < s->n_sets; i++)
        s->set[i]->ops->free_set(s->set[i]);
    free(s->set);
    free(s->item);
}

static int by_labels(const void *a, const void *b)
{
    return labels_compare(*(const struct labels *const *)a, *(const struct labels *const *)b);
}

static int collect_series(struct listing *l, const struct job_limits *limits, struct series_list *s,
                          struct err *err)
{
    const struct api_job *j = &l->job;
    struct query_hints hints = {j->start_ms, j->end_ms, 0, 0};
    s->set = mem_zalloc((l->matches.n + 1) * sizeof(struct query_set *));
    for (size_t i = 0; i < l->matches.n; i++) {
        const struct promql_selector *sel = &l->matches.match[i].selector;
        struct query_set *set = NULL;
        int r = 0;
        if (should_end(limits, &r, err))
            return r;
        r = j->source->ops->select(j->source, sel->matcher, sel->n_matchers, &hints, j->max_series,
                                   &set, err);
        if (r < 0)
            return r;
        s->set[s->n_sets++] = set;
        for (size_t k = 0; k < set->n; k++) {
            mem_grow(&s->item, &s->cap, s->n, sizeof(*s->item));
            s->item[s->n++] = set->labels[k];
        }
    }
    if (s->n > 0)
        qsort(s->item, s->n, sizeof(*s->item), by_labels);
    size_t kept = 0;
    for (size_t i = 0; i < s->n; i++)
        if (kept == 0 || !labels_equal(s->item[kept - 1], s->item[i]))
            s->item[kept++] = s->item[i];
    s->n = kept;
    return 0;
}

static void put_labels(struct json *j, const struct labels *labels)
{
    json_object_begin(j);
    for (uint32_t i = 0; i < labels->n; i++)
        json_kv_string(j, labels->label[i].name, labels->label[i].value);
    json_object_end(j);
}

static int series_run(void *arg, const struct job_limits *limits, struct buf *out, bool *ret_more)
{
    struct listing *l = arg;
    struct series_list s = {0};
    struct err err = {0};
    int r = collect_series(l, limits, &s, &err);
    if (r < 0) {
        series_list_done(&s);
        return api_job_fail(r, &err, out);
    }
    size_t n = l->job.limit > 0 ? MIN_OF(s.n, l->job.limit) : s.n;
    struct json j;
    buf_init(&l->job.whole, API_WHOLE_MAX);
    api_success_begin(&l->job.whole);
    json_init(&j, &l->job.whole);
    json_array_begin(&j);
    for (size_t i = 0; i < n; i++)
        put_labels(&j, s.item[i]);
    json_array_end(&j);
    api_success_end(&l->job.whole, n < s.n ? cut_warning : NULL);
    series_list_done(&s);
    return api_whole_begin(&l->job, out, ret_more);
}

static const struct job_ops series_ops = {series_run, listing_next, api_whole_held, listing_free};

// Names and values

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

// Moves the texts of `more` into `all`.
static void add_texts(struct query_texts *all, struct query_texts *more)
{
    all->text = realloc(all->text, (all->n + more->n + 1) * sizeof(*all->text));
    if (!all->text)
        abort();
    if (more->n > 0)
        memcpy(all->text + all->n, more->text, more->n * sizeof(*more->text));
    all->n += more->n;
    free(more->text);
    *more = (struct query_texts){0};
}

static void sort_texts(struct query_texts *t)
{
    size_t kept = 0;
    if (t->n > 0)
        qsort(t->text, t->n, sizeof(*t->text), by_text);
    for (size_t i = 0; i < t->n; i++) {
        if (kept > 0 && strcmp(t->text[kept - 1], t->text[i]) == 0)
            free(t->text[i]);
        else
            t->text[kept++] = t->text[i];
    }
    t->n = kept;
}

static int read_texts(const struct listing *l, const struct query_matcher *matcher, size_t n,
                      struct query_texts *ret, struct err *err)
{
    const struct api_job *j = &l->job;
    if (l->label)
        return j->source->ops->label_values(j->source, l->label, matcher, n, j->start_ms, j->end_ms,
                                            ret, err);
    return j->source->ops->label_names(j->source, matcher, n, j->start_ms, j->end_ms, ret, err);
}

static int collect_texts(const struct listing *l, const struct job_limits *limits,
                         struct query_texts *ret, struct err *err)
{
    int r = 0;
    if (l->matches.n == 0)
        return read_texts(l, NULL, 0, ret, err);
    for (size_t i = 0; i < l->matches.n; i++) {
        const struct promql_selector *sel = &l->matches.match[i].selector;
        struct query_texts more = {0};
        if (should_end(limits, &r, err))
            return r;
        r = read_texts(l, sel->matcher, sel->n_matchers, &more, err);
        if (r < 0)
            return r;
        add_texts(ret, &more);
    }
    sort_texts(ret);
    return 0;
}

static int texts_run(void *arg, const struct job_limits *limits, struct buf *out, bool *ret_more)
{
    struct listing *l = arg;
    CLEANUP(query_texts_done) struct query_texts texts = {0};
    struct err err = {0};
    int r = collect_texts(l, limits, &texts, &err);
    if (r < 0)
        return api_job_fail(r, &err, out);
    size_t n = l->job.limit > 0 ? MIN_OF(texts.n, l->job.limit) : texts.n;
    struct json j;
    buf_init(&l->job.whole, API_WHOLE_MAX);
    api_success_begin(&l->job.whole);
    json_init(&j, &l->job.whole);
    json_array_begin(&j);
    for (size_t i = 0; i < n; i++)
        json_text(&j, texts.text[i]);
    json_array_end(&j);
    api_success_end(&l->job.whole, n < texts.n ? cut_warning : NULL);
    return api_whole_begin(&l->job, out, ret_more);
}

static const struct job_ops texts_ops = {texts_run, listing_next, api_whole_held, listing_free};

// Requests

static int read_parameters(const struct view *v, struct listing *l, struct err *err)
{
    struct api_job *j = &l->job;
    j->max_series = (size_t)v->core->conf->query.max_series;
    j->start_ms = API_TIME_MIN;
    j->end_ms = API_TIME_MAX;
    int r = api_param_time(v->request, "start", &j->start_ms, err);
    if (r == 0)
        r = api_param_time(v->request, "end", &j->end_ms, err);
    if (r == 0)
        r = api_param_limit(v->request, "limit", &j->limit, err);
    if (r == 0)
        r = api_matches_parse(v->request, &l->matches, err);
    if (r == 0)
        r = api_source(v, &j->source, err);
    return r;
}

static void start_listing(const struct view *v, const struct job_ops *ops, struct listing *l)
{
    struct err err = {0};
    int r = read_parameters(v, l, &err);
    if (r == 0 && ops == &series_ops && l->matches.n == 0)
        r = err_set(&err, EINVAL, "no match[] parameter provided");
    if (r == 0) {
        api_start(v, ops, l, v->core->conf->query.timeout_ns);
        return;
    }
    listing_free(l);
    api_bad(v, &err);
}

void view_series(const struct view *v)
{
    start_listing(v, &series_ops, mem_zalloc(sizeof(struct listing)));
}

void view_labels(const struct view *v)
{
    start_listing(v, &texts_ops, mem_zalloc(sizeof(struct listing)));
}

void view_label_values(const struct view *v)
{
    struct listing *l = mem_zalloc(sizeof(*l));
    l->label = api_name_unescape(v->object);
    if (l->label) {
        start_listing(v, &texts_ops, l);
        return;
    }
    struct err err = {0};
    err_set(&err, EINVAL, "invalid label name: \"%s\"", v->object);
    listing_free(l);
    api_bad(v, &err);
}
