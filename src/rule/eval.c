// SPDX-License-Identifier: GPL-3.0-or-later
// One evaluation of a group. What rules write is kept back until a later rule may read it, or the
// group ends, so that writing costs one round trip and not one for each rule.
#include "rule/eval.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "cache.h"
#include "inputs.h"
#include "make.h"

// An evaluation of a group, and of the rule that is on.
struct evaluation {
    struct rule_group_run *g;
    const struct rule_env *env;
    int64_t now_ms, query_ms;
    struct rule_sample *sample; // not written yet
    size_t n_samples, cap_samples;
    struct labels **owned; // labels of samples that nobody else holds
    size_t n_owned, cap_owned;
    struct rule_update *update;
    struct cache *cache; // before env's source
    struct map *vectors; // results that rules of the group share, by their text

    struct rule_run *run;
    struct inputs *inputs;
    struct promql_result *cleared; // of the clear expression
    bool asked_cleared;
};

static int query(struct evaluation *e, const struct promql_expr *expr, struct promql_result **ret,
                 struct err *err)
{
    struct promql_options options = e->env->options;
    if (e->env->timeout_ns > 0) {
        options.clock = e->env->clock;
        options.deadline_ns = clock_mono_ns(e->env->clock) + e->env->timeout_ns;
    }
    return promql_eval_instant(expr, cache_source(e->cache), e->query_ms, &options, ret, err);
}

static void forget_vectors(struct evaluation *e)
{
    size_t cursor = 0;
    struct promql_result *result;
    while (e->vectors && (result = map_next(e->vectors, &cursor)))
        promql_result_free(result);
    map_free(e->vectors);
    e->vectors = NULL;
}

// What the rule's expression gives. *ret_owned is the caller's to free; NULL where others share it.
static int query_rule(struct evaluation *e, struct promql_result **ret,
                      struct promql_result **ret_owned, struct err *err)
{
    const struct rule_run *run = e->run;
    *ret_owned = NULL;
    if (!run->vector) {
        int r = query(e, run->rule->expr, ret_owned, err);
        *ret = *ret_owned;
        return r;
    }
    size_t len = strlen(run->vector_text);
    if (!e->vectors)
        e->vectors = map_new();
    *ret = map_get(e->vectors, run->vector_text, len);
    if (*ret)
        return 0;
    int r = query(e, run->vector, ret, err);
    if (r == 0)
        map_put(e->vectors, run->vector_text, len, *ret);
    return r;
}

static int query_text(void *arg, const char *text, struct promql_result **ret, struct err *err)
{
    struct promql_expr *expr = NULL;
    int r = promql_parse(text, strlen(text), &expr, err);
    if (r == 0)
        r = query(arg, expr, ret, err);
    promql_expr_free(expr);
    return r;
}

// Writing

static int flush(struct evaluation *e, struct err *err)
{
    int r = 0;
    if (e->n_samples > 0) {
        cache_forget(e->cache);
        forget_vectors(e);
        r = e->env->write(e->env->arg, e->sample, e->n_samples, err);
    }
    for (size_t i = 0; i < e->n_owned; i++)
        labels_free(e->owned[i]);
    e->n_samples = e->n_owned = 0;
    return r;
}

static void put(struct evaluation *e, const struct labels *labels, double v)
{
    mem_grow(&e->sample, &e->cap_samples, e->n_samples, sizeof(*e->sample));
    e->sample[e->n_samples++] = (struct rule_sample){labels, e->query_ms, v};
}

// What the rule wrote last time and not now has ended. Takes over `now`, which it sorts.
static void end_gone(struct evaluation *e, struct labels **now, size_t n)
{
    struct rule_run *run = e->run;
    size_t k = 0;
    if (n > 1)
        qsort(now, n, sizeof(*now), labels_by_hash);
    for (size_t i = 0; i < run->n_written; i++) {
        int c = 1;
        while (k < n && (c = labels_by_hash(&run->written[i], &now[k])) > 0)
            k++;
        if (k < n && c == 0) {
            labels_free(run->written[i]);
            continue;
        }
        put(e, run->written[i], sample_stale());
        mem_grow(&e->owned, &e->cap_owned, e->n_owned, sizeof(*e->owned));
        e->owned[e->n_owned++] = run->written[i];
    }
    free(run->written);
    run->written = now;
    run->n_written = n;
}

// Recording rules

static void free_labels(struct labels **l, size_t n)
{
    for (size_t i = 0; i < n; i++)
        labels_free(l[i]);
    free(l);
}

// The elements that the rule's expression gives; of a shared vector those that fulfil its
// condition.
struct given {
    struct element *element; // owned
    size_t n;
};

static int give(const struct rule_run *run, const struct promql_result *result, struct given *ret,
                struct err *err)
{
    size_t n = elements(result);
    const struct promql_threshold *t = &run->threshold;
    *ret = (struct given){.element = NULL};
    for (size_t i = 0, cap = 0; i < n; i++) {
        struct element el = element_of(result, i);
        if (run->vector && !promql_compares(t->compare, el.v, t->number))
            continue;
        if (mem_grow_capped(&ret->element, &cap, ret->n, sizeof(el), SIZE_MAX / sizeof(el)) < 0)
            return err_set(err, ENOMEM, "not enough memory for %zu elements", n);
        ret->element[ret->n++] = el;
    }
    return 0;
}

static int record(struct evaluation *e, const struct given *given, struct err *err)
{
    size_t n = given->n;
    int64_t limit = e->g->group->limit;
    if (limit > 0 && n > (size_t)limit)
        return err_set(err, E2BIG, "exceeded limit of %lld with %zu series", (long long)limit, n);
    struct labels **now = calloc(n + 1, sizeof(*now));
    CLEANUP(freep) struct labels **sorted = calloc(n + 1, sizeof(*sorted));
    if (!now || !sorted) {
        free(now);
        return err_set(err, ENOMEM, "not enough memory for %zu series", n);
    }
    for (size_t i = 0; i < n; i++) {
        now[i] = make_record(e->g->group, e->run->rule, given->element[i].labels);
        if (!now[i]) {
            free_labels(now, i);
            return err_set(err, E2BIG, "too many labels");
        }
        sorted[i] = now[i];
    }
    if (n > 1)
        qsort(sorted, n, sizeof(*sorted), labels_by_hash);
    if (labels_any_twice(sorted, n)) {
        free_labels(now, n);
        return err_set(err, EINVAL,
                       "vector contains metrics with the same labelset after applying rule labels");
    }
    for (size_t i = 0; i < n; i++)
        put(e, now[i], given->element[i].v);
    end_gone(e, now, n);
    return 0;
}

// Alerting rules

static struct inputs *inputs_of(struct evaluation *e)
{
    if (!e->inputs)
        e->inputs = inputs_new(e->run->rule, cache_source(e->cache), e->query_ms,
                               e->env->options.lookback_ms);
    return e->inputs;
}

static uint64_t ask_inputs(void *arg, const struct labels *series)
{
    return inputs_present(inputs_of(arg), series);
}

static bool is_cleared(struct evaluation *e, const struct labels *series)
{
    struct err err;
    if (!e->asked_cleared && query(e, e->run->rule->damping.clear, &e->cleared, &err) < 0)
        e->cleared = NULL;
    e->asked_cleared = true;
    for (size_t i = 0; e->cleared && i < elements(e->cleared); i++) {
        struct element el = element_of(e->cleared, i);
        if (!el.labels || inputs_agree(el.labels, series))
            return true;
    }
    return false;
}

static struct rule_absence ask_absence(void *arg, const struct rule_alert *a)
{
    struct evaluation *e = arg;
    struct rule_absence absence = {.is_cleared = true};
    if (!a->series)
        return absence;
    if (e->env->hold_gaps && a->inputs)
        absence.is_gap = (a->inputs & ~inputs_present(inputs_of(e), a->series)) != 0;
    if (absence.is_gap && e->env->gap_max_ms > 0 && e->env->is_settled)
        absence.is_settled = e->env->is_settled(e->env->arg, a->series);
    if (e->run->rule->damping.clear && a->alert.state == ALERT_FIRING)
        absence.is_cleared = is_cleared(e, a->series);
    return absence;
}

static void seen_drop(struct rule_seen *seen)
{
    for (size_t i = 0; i < seen->n; i++) {
        labels_free(seen->alert[i].labels);
        labels_free(seen->alert[i].annotations);
        labels_free(seen->alert[i].series);
    }
    free(seen->alert);
}

static int see_all(struct evaluation *e, const struct given *given, struct rule_seen *seen,
                   struct err *err)
{
    size_t n = given->n;
    struct make_params p = {.group = e->g->group,
                            .rule = e->run->rule,
                            .env = e->env,
                            .now_ms = e->now_ms,
                            .query = query_text,
                            .arg = e};
    CLEANUP(freep) struct labels **sorted = calloc(n + 1, sizeof(*sorted));
    seen->alert = calloc(n + 1, sizeof(*seen->alert));
    if (!sorted || !seen->alert)
        return err_set(err, ENOMEM, "not enough memory for %zu alerts", n);
    for (; seen->n < n; seen->n++) {
        struct element el = given->element[seen->n];
        int r = make_alert(&p, el.labels, el.v, &seen->alert[seen->n], err);
        if (r < 0) {
            seen->n++;
            return r;
        }
        sorted[seen->n] = seen->alert[seen->n].labels;
    }
    if (n > 1)
        qsort(sorted, n, sizeof(*sorted), labels_by_hash);
    if (labels_any_twice(sorted, n))
        return err_set(err, EINVAL,
                       "vector contains metrics with the same labelset after "
                       "applying alert labels");
    return 0;
}

// ALERTS and ALERTS_FOR_STATE.
static int write_state(struct evaluation *e, struct err *err)
{
    const struct rule_state *s = &e->run->state;
    size_t n = 0, active = rule_state_active(s);
    if (active == 0 && e->run->n_written == 0)
        return 0;
    struct labels **now = calloc(2 * active + 1, sizeof(*now));
    if (!now)
        return err_set(err, ENOMEM, "not enough memory for %zu alerts", active);
    for (size_t i = 0; i < s->n; i++) {
        const struct rule_alert *a = &s->alert[i];
        if (a->alert.state != ALERT_PENDING && a->alert.state != ALERT_FIRING)
            continue;
        struct labels *alerts = make_state(&a->alert, "ALERTS", alert_state_name(a->alert.state));
        struct labels *for_state = make_state(&a->alert, "ALERTS_FOR_STATE", NULL);
        if (alerts) {
            now[n++] = alerts;
            put(e, alerts, 1);
        }
        if (for_state) {
            now[n++] = for_state;
            put(e, for_state, (double)(a->alert.active_at_ms / 1000));
        }
    }
    end_gone(e, now, n);
    return 0;
}

static int alert(struct evaluation *e, const struct given *given, struct err *err)
{
    struct rule_step_params p = {
        .rule = e->run->rule,
        .group = e->g->group,
        .now_ms = e->now_ms,
        .interval_ms = e->g->interval_ms,
        .resend_delay_ms = e->env->resend_delay_ms,
        .gap_max_ms = e->env->hold_gaps ? e->env->gap_max_ms : -1,
        .started_ms = e->env->started_ms,
        .limit = e->g->group->limit,
    };
    struct rule_seen seen = {.absence = ask_absence, .arg = e};
    if (e->env->hold_gaps)
        seen.inputs = ask_inputs;
    int r = see_all(e, given, &seen, err);
    if (r < 0) {
        seen_drop(&seen);
        return r;
    }
    r = rule_step(&e->run->state, &p, &seen, e->update, err);
    return r < 0 ? r : write_state(e, err);
}

static void begin_rule(struct evaluation *e, struct rule_run *run)
{
    e->run = run;
    e->inputs = NULL;
    e->cleared = NULL;
    e->asked_cleared = false;
}

static void end_rule(struct evaluation *e, int r, const struct err *err, int64_t began_ns)
{
    struct rule_run *run = e->run;
    inputs_free(e->inputs);
    promql_result_free(e->cleared);
    run->last_eval_ms = e->now_ms;
    run->evaluations++;
    run->failures += r < 0;
    run->health = r < 0 ? RULE_HEALTH_ERR : RULE_HEALTH_OK;
    mem_strset(&run->last_error, r < 0 ? err->message : NULL);
    run->eval_ns = clock_mono_ns(e->env->clock) - began_ns;
}

static void eval_rule(struct evaluation *e, struct rule_run *run)
{
    struct promql_result *result = NULL, *owned = NULL;
    struct given given = {.element = NULL};
    struct err err = {0};
    int64_t began_ns = clock_mono_ns(e->env->clock);
    begin_rule(e, run);
    int r = query_rule(e, &result, &owned, &err);
    if (r == 0)
        r = give(run, result, &given, &err);
    if (r == 0)
        r = run->rule->is_alert ? alert(e, &given, &err) : record(e, &given, &err);
    free(given.element);
    promql_result_free(owned);
    end_rule(e, r, &err, began_ns);
}

int rule_group_eval(struct rule_group_run *g, const struct rule_env *env, int64_t now_ms,
                    const bool *chosen, struct rule_update *ret, struct err *err)
{
    int64_t offset = g->group->query_offset_ms;
    struct evaluation e = {.g = g, .env = env, .now_ms = now_ms, .update = ret};
    e.query_ms = now_ms - (offset >= 0 ? offset : env->query_offset_ms);
    e.cache = cache_new(env->source);
    int64_t began_ns = clock_mono_ns(env->clock);
    int r = 0;
    for (size_t i = 0; i < g->n_runs && r == 0; i++) {
        if (chosen && !chosen[i])
            continue;
        if (g->run[i].reads_earlier)
            r = flush(&e, err);
        if (r == 0)
            eval_rule(&e, &g->run[i]);
    }
    int last = flush(&e, err);
    r = r < 0 ? r : last;
    free(e.sample);
    free(e.owned);
    forget_vectors(&e);
    cache_free(e.cache);
    if (!chosen) {
        g->last_eval_ms = now_ms;
        g->eval_ns = clock_mono_ns(env->clock) - began_ns;
        g->evaluations++;
    }
    return r;
}
