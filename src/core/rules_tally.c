// SPDX-License-Identifier: GPL-3.0-or-later
// How the groups of rules fare: written down by the rules' thread, shown by the loop as metrics.
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "rules_private.h"

static void tallies_free(struct rules_tally *tally, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(tally[i].file);
        free(tally[i].name);
    }
    free(tally);
}

void rules_tally_free(struct rules *r)
{
    tallies_free(r->tally, r->n_tallies);
}

// Counts go on over a reload as the groups' own do.
static void count(const struct rule_group_run *g, struct rules_tally *t)
{
    uint64_t failures = 0;
    for (size_t i = 0; i < g->n_runs; i++)
        failures += g->run[i].failures;
    t->iterations = g->evaluations;
    t->missed = g->missed;
    t->failures = failures;
    t->duration_ns = g->eval_ns;
    t->last_ms = g->last_eval_ms;
}

void rules_tally_groups(struct rules *r)
{
    struct rules_tally *fresh = mem_zalloc((r->n_groups + 1) * sizeof(*fresh));
    for (size_t i = 0; i < r->n_groups; i++) {
        fresh[i].file = mem_strdup(r->group[i].group->file);
        fresh[i].name = mem_strdup(r->group[i].group->name);
        count(&r->group[i], &fresh[i]);
    }
    pthread_mutex_lock(&r->lock);
    struct rules_tally *old = r->tally;
    size_t n_old = r->n_tallies;
    r->tally = fresh;
    r->n_tallies = r->n_groups;
    r->is_regrouped = true;
    pthread_mutex_unlock(&r->lock);
    tallies_free(old, n_old);
    uv_async_send(&r->async);
}

void rules_tally_group(struct rules *r, size_t i)
{
    pthread_mutex_lock(&r->lock);
    count(&r->group[i], &r->tally[i]);
    r->tally[i].late_ms = r->late_ms;
    pthread_mutex_unlock(&r->lock);
    uv_async_send(&r->async);
}

static void show(struct object *host, const struct rules_tally *t, int64_t now)
{
    CLEANUP(freep) char *id = mem_printf("%s;%s", t->file, t->name);
    struct object *o = object_child(host, KIND_RULES, id);
    const struct {
        enum fact fact;
        double value;
    } facts[] = {
        {FACT_RULES_ITERATIONS, (double)t->iterations},
        {FACT_RULES_MISSED, (double)t->missed},
        {FACT_RULES_FAILURES, (double)t->failures},
        {FACT_RULES_DURATION, t->last_ms ? (double)t->duration_ns : NAN},
        {FACT_RULES_LATE, (double)t->late_ms * NS_PER_MS},
        {FACT_RULES_LAST, t->last_ms ? (double)t->last_ms / 1000 : NAN},
    };
    object_set_attr(o, ATTR_RULES_NAME, t->name);
    object_set_attr(o, ATTR_RULES_FILE, t->file);
    for (size_t i = 0; i < ARRAY_LEN(facts); i++)
        object_set_fact(o, facts[i].fact, facts[i].value, now);
}

void rules_measure(struct core *c)
{
    struct rules *r = c->alert_rules;
    if (!r)
        return;
    struct object *host = c->herd->host;
    int64_t now = clock_mono_ns(&clock_system);
    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < r->n_tallies; i++)
        show(host, &r->tally[i], now);
    bool is_regrouped = r->is_regrouped;
    r->is_regrouped = false;
    pthread_mutex_unlock(&r->lock);
    if (is_regrouped)
        object_sweep(host, KIND_RULES, LANE_SELF, now);
}
