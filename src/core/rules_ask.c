// SPDX-License-Identifier: GPL-3.0-or-later
// What the rules' thread asks the loop for: to append samples, since the store belongs to the loop,
// and to store state, since the loop hands out the state database's jobs.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "events.h"
#include "rules_private.h"
#include "tsdb/tsdb.h"

#define SWEEP_EVERY_MS (INT64_C(3600) * 1000)

int rules_ask(struct rules *r, const struct ask *ask)
{
    pthread_mutex_lock(&r->lock);
    r->ask = *ask;
    r->ask.state = ASK_NEW;
    uv_async_send(&r->async);
    while (r->ask.state != ASK_DONE && !(r->ending && r->ask.state == ASK_NEW))
        pthread_cond_wait(&r->more, &r->lock);
    int result = r->ask.state == ASK_DONE ? r->ask.result : -ECANCELED;
    r->ask.state = ASK_NONE;
    pthread_mutex_unlock(&r->lock);
    return result;
}

static void answer_ask(struct rules *r, int result)
{
    pthread_mutex_lock(&r->lock);
    r->ask.result = result;
    r->ask.state = ASK_DONE;
    pthread_cond_signal(&r->more);
    pthread_mutex_unlock(&r->lock);
}

// A series that refuses a sample (too many series, another kind) costs that sample.
static void append(struct core *c, const struct rule_sample *s)
{
    const struct tsdb_kind_of kind = {.kind = TSDB_DOUBLE};
    uint32_t ref;
    struct err err;
    if (tsdb_series(c->db, s->labels->label, s->labels->n, &kind, &ref, &err) < 0)
        return;
    if (sample_is_stale(s->v))
        (void)tsdb_append_stale(c->db, ref, s->t_ms);
    else
        (void)tsdb_append_one(c->db, ref, s->t_ms, s->v);
    tsdb_release(c->db, ref);
}

// Storing

struct keep_job {
    struct statedb_job job;
    struct rules *rules;
    struct alert_transition *transition; // copies for the loop
    size_t n_transitions;
    struct alert *send;
    size_t n_send;
};

// Now and then, what is older than events are kept goes. Whoever takes transitions over has done so
// in the transaction that stored them.
static int sweep(struct rules *r, struct store *s)
{
    int64_t now_ms = clock_real_ns(&clock_system) / NS_PER_MS;
    if (r->now->keep_ms == 0 || now_ms - r->swept_ms < SWEEP_EVERY_MS)
        return 0;
    r->swept_ms = now_ms;
    return rule_keep_sweep(s, INT64_MAX, now_ms - r->now->keep_ms);
}

static int save_run(struct statedb_job *job, struct store *s)
{
    struct rules *r = ((struct keep_job *)job)->rules;
    struct ask *ask = &r->ask; // the thread waits, so that it stands still
    int e = rule_keep_save(s, ask->group, ask->update);
    if (e == 0 && r->told && ask->update->n_transitions > 0)
        e = r->told(r->arg, s, ask->update->transition, ask->update->n_transitions);
    return e < 0 ? e : sweep(r, s);
}

static int load_run(struct statedb_job *job, struct store *s)
{
    struct rules *r = ((struct keep_job *)job)->rules;
    struct err err = {0};
    int e = rule_keep_load(s, r->ask.group, r->ask.n_groups, &err);
    if (e < 0)
        log_error("%s", err.message);
    return 0; // there is nothing to undo
}

// Samples of others may speak of other VMs of the same name.
static bool is_of_this_host(const struct core *c, const struct labels *l)
{
    const char *job = labels_get(l, "job"), *instance = labels_get(l, "instance");
    return !c->keep || ((!job || strcmp(job, keep_job(c->keep)) == 0) &&
                        (!instance || strcmp(instance, keep_instance(c->keep)) == 0));
}

// "CrashedVM is firing: db-1 crashed", with its VM where a label names one of this host.
static void note(struct core *c, const struct alert_transition *t)
{
    static const char *const words[] = {"summary", "description"};
    const char *what = NULL;
    for (size_t i = 0; i < ARRAY_LEN(words) && !what && t->alert.annotations; i++)
        what = labels_get(t->alert.annotations, words[i]);
    CLEANUP(freep)
    char *text = mem_printf("%s is %s%s%s", alert_name(&t->alert), alert_state_name(t->alert.state),
                            what ? ": " : "", what ? what : "");
    const struct labels *l = is_of_this_host(c, t->alert.labels) ? t->alert.labels : NULL;
    if (c->events)
        events_note(c->events, &(struct event){.kind = EVENT_ALERT,
                                               .name = alert_state_name(t->alert.state),
                                               .vm = l ? labels_get(l, "domain") : NULL,
                                               .uuid = l ? labels_get(l, "uuid") : NULL,
                                               .text = text});
}

static void copy_update(struct keep_job *k, const struct rule_update *u)
{
    k->transition = calloc(u->n_transitions + 1, sizeof(*k->transition));
    k->send = calloc(u->n_send + 1, sizeof(*k->send));
    for (size_t i = 0; k->transition && i < u->n_transitions; i++) {
        k->transition[k->n_transitions] = u->transition[i];
        if (alert_copy(&k->transition[k->n_transitions].alert, &u->transition[i].alert) == 0)
            k->n_transitions++;
    }
    for (size_t i = 0; k->send && i < u->n_send; i++)
        if (alert_copy(&k->send[k->n_send], u->send[i]) == 0)
            k->n_send++;
}

static void keep_job_free(struct keep_job *k)
{
    for (size_t i = 0; i < k->n_transitions; i++)
        alert_done(&k->transition[i].alert);
    for (size_t i = 0; i < k->n_send; i++)
        alert_done(&k->send[i]);
    free(k->transition);
    free(k->send);
    free(k);
}

static void save_done(struct statedb_job *job, int result)
{
    struct keep_job *k = (struct keep_job *)job;
    struct rules *r = k->rules;
    copy_update(k, r->ask.update);
    answer_ask(r, result);
    // Without a database alerts are told all the same.
    for (size_t i = 0; i < k->n_transitions; i++)
        note(r->core, &k->transition[i]);
    if (r->stored && (k->n_transitions > 0 || k->n_send > 0))
        r->stored(r->arg, k->transition, k->n_transitions, k->send, k->n_send);
    keep_job_free(k);
}

static void load_done(struct statedb_job *job, int result)
{
    struct keep_job *k = (struct keep_job *)job;
    answer_ask(k->rules, result == -ENODEV ? 0 : result);
    keep_job_free(k);
}

static void submit(struct rules *r)
{
    struct keep_job *k = mem_zalloc(sizeof(*k));
    bool is_load = r->ask.kind == ASK_LOAD;
    k->rules = r;
    k->job = is_load ? (struct statedb_job){.run = load_run, .done = load_done}
                     : (struct statedb_job){.run = save_run, .done = save_done};
    if (!is_load && !r->ask.is_stored)
        save_done(&k->job, 0);
    else
        statedb_submit(r->core->statedb, &k->job);
}

void rules_on_async(uv_async_t *handle)
{
    struct rules *r = handle->data;
    pthread_mutex_lock(&r->lock);
    bool is_new = r->ask.state == ASK_NEW;
    if (is_new)
        r->ask.state = ASK_TAKEN;
    pthread_mutex_unlock(&r->lock);
    if (!is_new) {
        rules_measure(r->core);
        return;
    }
    if (r->ask.kind != ASK_WRITE) {
        submit(r);
        return;
    }
    for (size_t i = 0; i < r->ask.n_samples; i++)
        append(r->core, &r->ask.sample[i]);
    answer_ask(r, 0);
}
