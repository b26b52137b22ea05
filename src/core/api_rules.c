// SPDX-License-Identifier: GPL-3.0-or-later
// Rules and alerts as Prometheus' API has them, and the history of alerts. The groups are looked at
// by a worker, which waits while one is being evaluated.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

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
    char *type;
    bool alerts_only;
    struct sight *sight;
};

static void job_free(void *arg)
{
    struct rules_job *k = arg;
    buf_done(&k->api.whole);
    free(k->type);
    sight_free(k->sight);
    free(k);
}

static int job_run(void *arg, const struct job_limits *limits, struct buf *out, bool *ret_more)
{
    struct rules_job *k = arg;
    struct rules *r = k->rules;
    struct buf *b = &k->api.whole;
    struct json j;
    buf_init(b, API_WHOLE_MAX);
    api_success_begin(b);
    json_init(&j, b);
    if (r)
        pthread_mutex_lock(&r->groups_lock);
    if (k->alerts_only)
        rule_alerts_put(r ? r->group : NULL, r ? r->n_groups : 0, sight_of_alert, k->sight, &j);
    else
        rule_groups_put(r ? r->group : NULL, r ? r->n_groups : 0, k->type, &j);
    if (r)
        pthread_mutex_unlock(&r->groups_lock);
    api_success_end(b, NULL);
    return api_whole_begin(&k->api, out, ret_more);
}

static bool job_next(void *arg, struct buf *out)
{
    return api_whole_next(arg, out);
}

static const struct job_ops rules_ops = {
    .run = job_run, .next = job_next, .held = api_whole_held, .free = job_free};

static void start(const struct view *v, bool alerts_only)
{
    struct err err = {0};
    struct rules_job *k = mem_zalloc(sizeof(*k));
    k->rules = v->core->alert_rules;
    k->alerts_only = alerts_only;
    k->sight = sight_new(v);
    k->type = alerts_only ? NULL : ipc_request_param(v->request, "type");
    if (k->type && !*k->type)
        free(TAKE_PTR(k->type));
    if (k->type && strcmp(k->type, "alert") != 0 && strcmp(k->type, "record") != 0) {
        err_set(&err, EINVAL, "invalid parameter \"type\": not supported value \"%s\"", k->type);
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
