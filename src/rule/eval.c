// SPDX-License-Identifier: GPL-3.0-or-later
// One evaluation of a group. What rules write is kept back until a later rule may read it, or the
// group ends, so that writing costs one round trip and not one for each rule.
#include "rule/eval.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "inputs.h"

#define TEMPLATE_LABELS_MAX LABELS_MAX

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
    return promql_eval_instant(expr, e->env->source, e->query_ms, &options, ret, err);
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
    if (e->n_samples > 0)
        r = e->env->write(e->env->arg, e->sample, e->n_samples, err);
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

static int by_hash(const void *a, const void *b)
{
    const struct labels *x = *(struct labels *const *)a, *y = *(struct labels *const *)b;
    return x->hash != y->hash ? (x->hash > y->hash ? 1 : -1) : labels_compare(x, y);
}

// What the rule wrote last time and not now has ended. Takes over `now`, which it sorts.
static void end_gone(struct evaluation *e, struct labels **now, size_t n)
{
    struct rule_run *run = e->run;
    size_t k = 0;
    if (n > 1)
        qsort(now, n, sizeof(*now), by_hash);
    for (size_t i = 0; i < run->n_written; i++) {
        int c = 1;
        while (k < n && (c = by_hash(&run->written[i], &now[k])) > 0)
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

// Labels under construction: a few names, set or taken out.
struct builder {
    struct label label[TEMPLATE_LABELS_MAX + 8];
    size_t n;
};

static void builder_set(struct builder *b, const char *name, const char *value)
{
    for (size_t i = 0; i < b->n; i++)
        if (strcmp(b->label[i].name, name) == 0) {
            b->label[i].value = value;
            return;
        }
    if (b->n < ARRAY_LEN(b->label))
        b->label[b->n++] = (struct label){name, value};
}

static void builder_init(struct builder *b, const struct labels *from, bool with_name)
{
    b->n = 0;
    for (uint32_t i = 0; from && i < from->n; i++)
        if (with_name || strcmp(from->label[i].name, LABEL_METRIC_NAME) != 0)
            b->label[b->n++] = from->label[i];
}

// Recording rules

static bool has_twice(struct labels **l, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (by_hash(&l[i - 1], &l[i]) == 0)
            return true;
    return false;
}

struct element {
    const struct labels *labels; // NULL: none
    double v;
};

static struct element element_of(const struct promql_result *result, size_t i)
{
    if (result->type == PROMQL_SCALAR)
        return (struct element){NULL, result->scalar};
    return (struct element){result->series[i].labels, result->series[i].v[0]};
}

static size_t elements(const struct promql_result *result)
{
    return result->type == PROMQL_SCALAR ? 1 : result->n;
}

static struct labels *record_labels(const struct evaluation *e, const struct labels *from)
{
    const struct rule_group *g = e->g->group;
    const struct rule *rule = e->run->rule;
    struct builder b;
    builder_init(&b, from, false);
    builder_set(&b, LABEL_METRIC_NAME, rule->name);
    for (size_t i = 0; i < g->n_labels; i++)
        builder_set(&b, g->label[i].name, g->label[i].source);
    for (size_t i = 0; i < rule->n_labels; i++)
        builder_set(&b, rule->label[i].name, rule->label[i].source);
    return labels_new(b.label, b.n);
}

static void free_labels(struct labels **l, size_t n)
{
    for (size_t i = 0; i < n; i++)
        labels_free(l[i]);
    free(l);
}

static int record(struct evaluation *e, const struct promql_result *result, struct err *err)
{
    size_t n = elements(result);
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
        now[i] = record_labels(e, element_of(result, i).labels);
        if (!now[i]) {
            free_labels(now, i);
            return err_set(err, E2BIG, "too many labels");
        }
        sorted[i] = now[i];
    }
    if (n > 1)
        qsort(sorted, n, sizeof(*sorted), by_hash);
    if (has_twice(sorted, n)) {
        free_labels(now, n);
        return err_set(err, EINVAL,
                       "vector contains metrics with the same labelset after applying rule labels");
    }
    for (size_t i = 0; i < n; i++)
        put(e, now[i], element_of(result, i).v);
    end_gone(e, now, n);
    return 0;
}

// Alerting rules

static char *expand(struct evaluation *e, const struct rule_text *t,
                    const struct rule_template_env *env)
{
    struct err err = {0};
    struct buf out;
    if (!t->template || rule_template_is_constant(t->template))
        return mem_strdup(t->source);
    buf_init(&out, RULE_EXPANDED_MAX * 2);
    if (rule_template_expand(t->template, env, &out, &err) < 0) {
        buf_done(&out);
        return mem_printf("<error expanding template: %s>", err.message);
    }
    char *text = buf_take(&out, NULL);
    return text ? text : mem_strdup("");
}

static struct labels *expand_all(struct evaluation *e, struct builder *b,
                                 const struct rule_text *const *lists, const size_t *n_of,
                                 size_t n_lists, const struct rule_template_env *env,
                                 const char *alertname)
{
    char *text[TEMPLATE_LABELS_MAX];
    size_t n = 0;
    for (size_t k = 0; k < n_lists; k++)
        for (size_t i = 0; i < n_of[k] && n < ARRAY_LEN(text); i++) {
            text[n] = expand(e, &lists[k][i], env);
            builder_set(b, lists[k][i].name, text[n++]);
        }
    if (alertname)
        builder_set(b, "alertname", alertname);
    struct labels *l = labels_new(b->label, b->n);
    while (n > 0)
        free(text[--n]);
    return l;
}

static int see(struct evaluation *e, struct element from, struct rule_seen_alert *ret,
               struct err *err)
{
    const struct rule *rule = e->run->rule;
    const struct rule_group *g = e->g->group;
    const struct rule_text *const lists[] = {g->label, rule->label};
    const size_t n_of[] = {g->n_labels, rule->n_labels};
    struct rule_template_env env = {
        .labels = from.labels,
        .external_labels = e->env->external_labels,
        .external_url = e->env->external_url,
        .value = from.v,
        .now_ms = e->now_ms,
        .query = query_text,
        .arg = e,
    };
    struct builder b;
    builder_init(&b, from.labels, false);
    ret->value = from.v;
    ret->series = labels_new(b.label, b.n);
    ret->labels = expand_all(e, &b, lists, n_of, 2, &env, rule->name);
    b.n = 0;
    ret->annotations = expand_all(e, &b, (const struct rule_text *const[]){rule->annotation},
                                  (const size_t[]){rule->n_annotations}, 1, &env, NULL);
    if (!ret->series || !ret->labels || !ret->annotations)
        return err_set(err, E2BIG, "labels or annotations are too large");
    return 0;
}

static struct inputs *inputs_of(struct evaluation *e)
{
    if (!e->inputs)
        e->inputs =
            inputs_new(e->run->rule, e->env->source, e->query_ms, e->env->options.lookback_ms);
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

static int see_all(struct evaluation *e, const struct promql_result *result, struct rule_seen *seen,
                   struct err *err)
{
    size_t n = elements(result);
    CLEANUP(freep) struct labels **sorted = calloc(n + 1, sizeof(*sorted));
    seen->alert = calloc(n + 1, sizeof(*seen->alert));
    if (!sorted || !seen->alert)
        return err_set(err, ENOMEM, "not enough memory for %zu alerts", n);
    for (; seen->n < n; seen->n++) {
        int r = see(e, element_of(result, seen->n), &seen->alert[seen->n], err);
        if (r < 0) {
            seen->n++;
            return r;
        }
        sorted[seen->n] = seen->alert[seen->n].labels;
    }
    if (n > 1)
        qsort(sorted, n, sizeof(*sorted), by_hash);
    if (has_twice(sorted, n))
        return err_set(err, EINVAL,
                       "vector contains metrics with the same labelset after "
                       "applying alert labels");
    return 0;
}

static struct labels *state_labels(const struct rule_alert *a, const char *name, bool with_state)
{
    struct builder b;
    builder_init(&b, a->alert.labels, true);
    builder_set(&b, LABEL_METRIC_NAME, name);
    if (with_state)
        builder_set(&b, "alertstate", alert_state_name(a->alert.state));
    return labels_new(b.label, b.n);
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
        struct labels *alerts = state_labels(a, "ALERTS", true);
        struct labels *for_state = state_labels(a, "ALERTS_FOR_STATE", false);
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

static int alert(struct evaluation *e, const struct promql_result *result, struct err *err)
{
    struct rule_step_params p = {
        .rule = e->run->rule,
        .group = e->g->group,
        .now_ms = e->now_ms,
        .interval_ms = e->g->interval_ms,
        .resend_delay_ms = e->env->resend_delay_ms,
        .gap_max_ms = e->env->hold_gaps ? e->env->gap_max_ms : -1,
        .limit = e->g->group->limit,
    };
    struct rule_seen seen = {.absence = ask_absence, .arg = e};
    if (e->env->hold_gaps)
        seen.inputs = ask_inputs;
    int r = see_all(e, result, &seen, err);
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
    struct promql_result *result = NULL;
    struct err err = {0};
    int64_t began_ns = clock_mono_ns(e->env->clock);
    begin_rule(e, run);
    int r = query(e, run->rule->expr, &result, &err);
    if (r == 0)
        r = run->rule->is_alert ? alert(e, result, &err) : record(e, result, &err);
    promql_result_free(result);
    end_rule(e, r, &err, began_ns);
}

int rule_group_eval(struct rule_group_run *g, const struct rule_env *env, int64_t now_ms,
                    const bool *chosen, struct rule_update *ret, struct err *err)
{
    int64_t offset = g->group->query_offset_ms;
    struct evaluation e = {.g = g, .env = env, .now_ms = now_ms, .update = ret};
    e.query_ms = now_ms - (offset >= 0 ? offset : env->query_offset_ms);
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
    if (!chosen) {
        g->last_eval_ms = now_ms;
        g->eval_ns = clock_mono_ns(env->clock) - began_ns;
        g->evaluations++;
    }
    return r;
}
