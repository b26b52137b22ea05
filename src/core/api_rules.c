// SPDX-License-Identifier: GPL-3.0-or-later
// Rules and alerts as Prometheus' API has them, and the history of alerts. The groups are looked at
// by a worker, which waits while one is being evaluated.
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api.h"
#include "base/mem.h"
#include "base/number.h"
#include "rules_private.h"
#include "sight.h"

#define HISTORY_DEFAULT 100
#define HISTORY_MAX 10000
#define HISTORY_FULL 1 // ends the walk

struct rules_job {
    struct api_job api;
    struct rules *rules; // NULL: none
    struct rule_filter filter;
    struct api_matches matches;
    bool alerts_only;
    struct sight *sight;
};

static void words_done(struct rule_words *w)
{
    for (size_t i = 0; i < w->n; i++)
        free(w->text[i]);
    free(w->text);
}

static void job_free(void *arg)
{
    struct rules_job *k = arg;
    buf_done(&k->api.whole);
    free(k->filter.type);
    free(k->filter.group_token);
    words_done(&k->filter.names);
    words_done(&k->filter.groups);
    words_done(&k->filter.files);
    api_matches_done(&k->matches);
    sight_free(k->sight);
    free(k);
}

static int job_run(void *arg, const struct job_limits *limits, struct buf *out, bool *ret_more)
{
    struct rules_job *k = arg;
    struct rules *r = k->rules;
    struct buf *b = &k->api.whole;
    struct json j;
    struct err err = {0};
    int e = 0;
    buf_init(b, API_WHOLE_MAX);
    api_success_begin(b);
    json_init(&j, b);
    if (r)
        pthread_mutex_lock(&r->groups_lock);
    if (k->alerts_only)
        rule_alerts_put(r ? r->group : NULL, r ? r->n_groups : 0, sight_of_alert, k->sight, &j);
    else
        e = rule_groups_put(r ? r->group : NULL, r ? r->n_groups : 0, &k->filter, &j);
    if (r)
        pthread_mutex_unlock(&r->groups_lock);
    if (e < 0) {
        err_set(&err, EINVAL,
                "invalid parameter \"group_next_token\": invalid group_next_token '%s'. were rule "
                "groups changed?",
                k->filter.group_token);
        return api_job_fail(-EINVAL, &err, out);
    }
    api_success_end(b, NULL);
    return api_whole_begin(&k->api, out, ret_more);
}

static bool job_next(void *arg, struct buf *out)
{
    return api_whole_next(arg, out);
}

static const struct job_ops rules_ops = {
    .run = job_run, .next = job_next, .held = api_whole_held, .free = job_free};

/* Which rules. */

static bool fits(const void *arg, const struct labels *labels)
{
    const struct api_matches *m = arg;
    for (size_t i = 0; i < m->n; i++)
        if (query_matches(m->match[i].selector.matcher, m->match[i].selector.n_matchers, labels))
            return true;
    return false;
}

static void read_words(const struct ipc_request *r, const char *name, struct rule_words *ret)
{
    size_t at = 0;
    char *text;
    while ((text = api_param_each(r, name, &at))) {
        mem_grow(&ret->text, &ret->cap, ret->n, sizeof(*ret->text));
        ret->text[ret->n++] = text;
    }
}

static char *read_text(const struct ipc_request *r, const char *name)
{
    char *text = ipc_request_param(r, name);
    if (text && !*text)
        free(TAKE_PTR(text));
    return text;
}

static int read_type(const struct ipc_request *r, char **ret, struct err *err)
{
    char *type = *ret = read_text(r, "type");
    for (char *p = type; p && *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return !type || strcmp(type, "alert") == 0 || strcmp(type, "record") == 0
               ? 0
               : err_set(err, EINVAL, "invalid parameter \"type\": not supported value \"%s\"",
                         type);
}

// As Go reads a truth.
static int read_exclude(const struct ipc_request *r, bool *ret, struct err *err)
{
    static const char *const words[] = {"0", "f", "false", "1", "t", "true"};
    CLEANUP(freep) char *text = read_text(r, "exclude_alerts");
    for (size_t i = 0; text && i < ARRAY_LEN(words); i++)
        if (strcasecmp(text, words[i]) == 0) {
            *ret = i >= ARRAY_LEN(words) / 2;
            return 0;
        }
    return !text ? 0
                 : err_set(err, EINVAL,
                           "invalid parameter \"exclude_alerts\": error converting "
                           "exclude_alerts: \"%s\" is no truth",
                           text);
}

static int read_page(const struct ipc_request *r, struct rule_filter *f, struct err *err)
{
    CLEANUP(freep) char *limit = read_text(r, "group_limit");
    uint64_t n = 0;
    f->group_token = read_text(r, "group_next_token");
    if (!limit)
        return !f->group_token
                   ? 0
                   : err_set(err, EINVAL,
                             "invalid parameter \"group_next_token\": group_limit "
                             "needs to be present in order to paginate over the groups");
    if (number_parse_u64(limit, &n) < 0 || n == 0)
        return err_set(err, EINVAL,
                       "invalid parameter \"group_limit\": group_limit needs to be a valid number "
                       "greater than 0");
    f->group_limit = n;
    return 0;
}

static int read_filter(const struct ipc_request *r, struct rules_job *k, struct err *err)
{
    struct rule_filter *f = &k->filter;
    read_words(r, "rule_name[]", &f->names);
    read_words(r, "rule_group[]", &f->groups);
    read_words(r, "file[]", &f->files);
    int e = read_type(r, &f->type, err);
    if (e == 0)
        e = read_exclude(r, &f->exclude_alerts, err);
    if (e == 0)
        e = read_page(r, f, err);
    if (e == 0)
        e = api_matches_parse(r, &k->matches, err);
    if (e == 0 && k->matches.n > 0) {
        f->labels = fits;
        f->arg = &k->matches;
    }
    return e;
}

static void start(const struct view *v, bool alerts_only)
{
    struct err err = {0};
    struct rules_job *k = mem_zalloc(sizeof(*k));
    k->rules = v->core->alert_rules;
    k->alerts_only = alerts_only;
    k->sight = sight_new(v);
    if (!alerts_only && read_filter(v->request, k, &err) < 0) {
        job_free(k);
        api_bad(v, &err);
        return;
    }
    int64_t deadline = clock_mono_ns(&clock_system) + v->core->conf->query.timeout_ns;
    if (jobs_add(v->core->jobs, v->id, &rules_ops, k, deadline) < 0)
        answer_problem(v->core, v->id, 503, "too many queries are under way already");
}

void view_rules(const struct view *v)
{
    start(v, false);
}

void view_alerts(const struct view *v)
{
    start(v, true);
}

// History, out of the state database

struct history_job {
    struct statedb_job job;
    struct core *core;
    uint32_t id;
    int64_t before;
    size_t limit, n;
    char *name; // of the alert; NULL: any
    struct sight *sight;
    struct buf out;
    struct json j;
};

static int put_transition(void *arg, const struct alert_transition *t)
{
    struct history_job *h = arg;
    CLEANUP(buf_done) struct buf time;
    if ((h->name && strcmp(alert_name(&t->alert), h->name) != 0) ||
        !sight_of_alert(h->sight, t->alert.labels))
        return 0;
    if (h->n++ == h->limit)
        return HISTORY_FULL;
    buf_init(&time, 64);
    alert_put_time(&time, t->at_ms);
    json_object_begin(&h->j);
    json_kv_i64(&h->j, "seq", t->seq);
    json_kv_string(&h->j, "at", time.data);
    json_kv_string(&h->j, "from", alert_state_name(t->from));
    json_key(&h->j, "alert");
    alert_put(&t->alert, &h->j);
    json_object_end(&h->j);
    return 0;
}

static int history_run(struct statedb_job *job, struct store *s)
{
    struct history_job *h = (struct history_job *)job;
    buf_reset(&h->out);
    h->n = 0;
    json_init(&h->j, &h->out);
    json_object_begin(&h->j);
    json_key(&h->j, "transitions");
    json_array_begin(&h->j);
    int r = rule_keep_history(s, h->before, SIZE_MAX / 2, put_transition, h);
    json_array_end(&h->j);
    json_object_end(&h->j);
    return r == HISTORY_FULL ? 0 : r;
}

static void history_done(struct statedb_job *job, int result)
{
    struct history_job *h = (struct history_job *)job;
    if (result < 0)
        answer_problem(h->core, h->id, 503, "the history of alerts cannot be read: %s",
                       strerror(-result));
    else if (h->out.error)
        answer_problem(h->core, h->id, 503, "the answer is too long; ask for less");
    else
        answer(h->core, h->id, 200, API_TYPE, h->out.data, h->out.len);
    buf_done(&h->out);
    free(h->name);
    sight_free(h->sight);
    free(h);
}

void view_alert_history(const struct view *v)
{
    struct err err = {0};
    size_t limit = HISTORY_DEFAULT, before = 0;
    if (api_param_limit(v->request, "limit", &limit, &err) < 0 ||
        api_param_limit(v->request, "before", &before, &err) < 0) {
        answer_problem(v->core, v->id, 400, "%s", err.message);
        return;
    }
    struct history_job *h = mem_zalloc(sizeof(*h));
    h->job = (struct statedb_job){.run = history_run, .done = history_done};
    h->core = v->core;
    h->id = v->id;
    h->before = (int64_t)before;
    h->sight = sight_new(v);
    h->limit = MIN_OF(limit, (size_t)HISTORY_MAX);
    h->name = ipc_request_param(v->request, "alertname");
    if (h->name && !*h->name)
        free(TAKE_PTR(h->name));
    buf_init(&h->out, IPC_PAYLOAD_MAX - 4096);
    statedb_submit(v->core->statedb, &h->job);
}
