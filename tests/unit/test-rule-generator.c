// SPDX-License-Identifier: GPL-3.0-or-later
// The alert-generator specification under a clock of its own: forty minutes of four groups, on our
// own rules and on the specification's where they are at hand (VHERD_CONFORMANCE).
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "promql/memory.h"
#include "rule/eval.h"

#define SECOND 1000
#define MINUTE 60000
#define START INT64_C(1700000000000)
#define RESEND MINUTE

struct stage {
    struct promql_memory *memory;
    struct rule_files files;
    struct rule_group_run *group;
    size_t n;
    struct rule_env env;
    const char *metric; // what feeds the rules
};

static int write_samples(void *arg, const struct rule_sample *sample, size_t n, struct err *err)
{
    for (size_t i = 0; i < n; i++)
        assert_int_equal(promql_memory_append(arg, sample[i].labels, sample[i].t_ms, sample[i].v),
                         0);
    return 0;
}

static void stage_init(struct stage *s, const char *path, const char *metric)
{
    struct rule_errors errors = {0};
    *s = (struct stage){.memory = promql_memory_new(), .metric = metric};
    assert_int_equal(rule_files_glob(&s->files, NULL, path, &errors), 0);
    s->env = (struct rule_env){.source = promql_memory_source(s->memory),
                               .clock = &clock_system,
                               .external_url = "",
                               .interval_ms = MINUTE,
                               .resend_delay_ms = RESEND,
                               .hold_gaps = true,
                               .write = write_samples,
                               .arg = s->memory};
    assert_int_equal(rule_groups_new(&s->files, &s->env, &s->group, &s->n), 0);
    assert_int_equal(s->n, 4);
}

static void stage_done(struct stage *s)
{
    rule_groups_free(s->group, s->n);
    rule_files_done(&s->files);
    promql_memory_free(s->memory);
}

// One sample of what feeds a rule.
static void feed(struct stage *s, const struct rule_group_run *g, const char *alert,
                 const char *variant, int64_t t_ms, double v)
{
    const struct label label[] = {{LABEL_METRIC_NAME, s->metric},
                                  {"alertname", alert},
                                  {"rulegroup", g->group->name},
                                  {"variant", variant}};
    struct labels *l = labels_new(label, 4);
    assert_int_equal(promql_memory_append(s->memory, l, t_ms, v), 0);
    labels_free(l);
}

static void evaluate(struct stage *s, struct rule_group_run *g, int64_t t_ms, struct rule_update *u)
{
    struct err err = {0};
    assert_int_equal(rule_group_eval(g, &s->env, t_ms, NULL, u, &err), 0);
    for (size_t i = 0; i < g->n_runs; i++)
        if (g->run[i].health != RULE_HEALTH_OK)
            fail_msg("%s: %s", g->run[i].rule->name, g->run[i].last_error);
}

static enum alert_state state_of(const struct rule_run *run)
{
    enum alert_state most = ALERT_INACTIVE;
    for (size_t i = 0; i < run->state.n; i++)
        if (run->state.alert[i].alert.state != ALERT_RESOLVED)
            most = MAX_OF(most, run->state.alert[i].alert.state);
    return most;
}

// Series of ALERTS that there are at a time.
static double count_alerts(struct stage *s, const char *alert, const char *state, int64_t t_ms)
{
    const struct promql_options options = {0};
    struct promql_expr *expr = NULL;
    struct promql_result *result = NULL;
    struct err err = {0};
    CLEANUP(freep)
    char *text = mem_printf("count(ALERTS{alertname=\"%s\",alertstate=\"%s\"})", alert, state);
    assert_int_equal(promql_parse(text, strlen(text), &expr, &err), 0);
    assert_int_equal(promql_eval_instant(expr, s->env.source, t_ms, &options, &result, &err), 0);
    double n = result->n ? result->series[0].v[0] : 0;
    promql_result_free(result);
    promql_expr_free(expr);
    return n;
}

struct sends {
    unsigned firing, resolved;
    int64_t last_ms, pause_ms; // between two of firing
};

static void note_sends(struct sends *sends, const struct rule_update *u, const char *alert,
                       int64_t now_ms)
{
    for (size_t i = 0; i < u->n_send; i++) {
        const struct alert *a = u->send[i];
        if (strcmp(alert_name(a), alert) != 0)
            continue;
        if (a->state == ALERT_RESOLVED) {
            sends->resolved++;
            assert_true(a->resolved_at_ms <= now_ms);
            continue;
        }
        assert_int_equal(a->ends_at_ms, now_ms + 4 * RESEND);
        if (sends->firing++ > 0)
            sends->pause_ms = now_ms - sends->last_ms;
        sends->last_ms = now_ms;
    }
}

// Pending for `for`, firing for ten minutes, then over: states, ALERTS and what is sent.
static void check_life(struct stage *s, struct rule_group_run *g, size_t at)
{
    const struct rule_run *run = &g->run[at];
    const char *name = run->rule->name;
    int64_t begin = START + 2 * MINUTE, fires = begin + run->rule->for_ms,
            over = fires + 10 * MINUTE;
    struct sends sends = {0};
    for (int64_t t = START; t < over + 17 * MINUTE; t += 15 * SECOND) {
        for (size_t i = 0; i < g->n_runs; i++)
            feed(s, g, g->run[i].rule->name, "", t, i == at && t >= begin && t < over ? 15 : 3);
        if ((t - START) % (30 * SECOND) != 0)
            continue;
        struct rule_update u = {0};
        evaluate(s, g, t, &u);
        note_sends(&sends, &u, name, t);
        rule_update_done(&u);
        // `for` is up at the first evaluation at which it has passed.
        int64_t firing_from = begin + (run->rule->for_ms + 29999) / 30000 * 30000;
        enum alert_state expected = t < begin || t >= over ? ALERT_INACTIVE
                                    : t < firing_from      ? ALERT_PENDING
                                                           : ALERT_FIRING;
        if (state_of(run) != expected)
            fail_msg("%s at %lld s: %s, not %s", name, (long long)(t - START) / 1000,
                     alert_state_name(state_of(run)), alert_state_name(expected));
        assert_int_equal(count_alerts(s, name, "pending", t), expected == ALERT_PENDING);
        assert_int_equal(count_alerts(s, name, "firing", t), expected == ALERT_FIRING);
    }
    assert_int_equal(sends.pause_ms, RESEND);
    assert_in_range(sends.firing, 9, 11);
    assert_in_range(sends.resolved, 15, 16);
}

static void test_life(struct stage *s)
{
    check_life(s, &s->group[1], 0);
    assert_non_null(strstr(s->group[1].run[0].rule->annotation[0].source, " "));
}

static void test_waits_only(struct stage *s)
{
    struct rule_group_run *g = &s->group[2];
    bool was_pending = false;
    for (int64_t t = START; t < START + 20 * MINUTE; t += 15 * SECOND) {
        bool is_up = t >= START + 5 * MINUTE && t < START + 7 * MINUTE;
        for (size_t i = 0; i < g->n_runs; i++)
            feed(s, g, g->run[i].rule->name, "", t, is_up ? 15 : 3);
        if ((t - START) % (30 * SECOND) != 0)
            continue;
        struct rule_update u = {0};
        evaluate(s, g, t, &u);
        assert_int_equal(u.n_send, 0);
        rule_update_done(&u);
        assert_int_equal(state_of(&g->run[0]), is_up ? ALERT_PENDING : ALERT_INACTIVE);
        assert_int_equal(state_of(&g->run[1]), ALERT_INACTIVE);
        was_pending |= is_up;
    }
    assert_true(was_pending);
}

static void test_order(struct stage *s)
{
    struct rule_group_run *g = &s->group[0];
    static const char *const variants[] = {"one", "two"};
    for (int64_t t = START; t < START + 10 * MINUTE; t += 15 * SECOND) {
        for (size_t i = 0; i < 2; i++)
            feed(s, g, g->run[0].rule->name, variants[i], t, 15);
        if ((t - START) % (30 * SECOND) != 0)
            continue;
        struct rule_update u = {0};
        evaluate(s, g, t, &u);
        rule_update_done(&u);
        // The second sees in the same evaluation what the first has become.
        bool fires = t - START >= g->run[0].rule->for_ms;
        assert_int_equal(state_of(&g->run[0]), fires ? ALERT_FIRING : ALERT_PENDING);
        assert_int_equal(state_of(&g->run[1]), fires ? ALERT_FIRING : ALERT_INACTIVE);
    }
    const struct alert *a = &g->run[1].state.alert[0].alert;
    const char *text = labels_get(a->annotations, "description");
    // Templates see the query's labels only, of which an aggregate or an operation has no name.
    assert_null(strstr(text, "<error"));
    assert_string_equal(alert_name(a), g->run[1].rule->name);
}

static void test_short(struct stage *s)
{
    check_life(s, &s->group[3], 0);
}

static void run_all(const char *path, const char *metric)
{
    void (*const tests[])(struct stage * s) = {test_life, test_waits_only, test_order, test_short};
    for (size_t i = 0; i < 4; i++) {
        struct stage s;
        stage_init(&s, path, metric);
        tests[i](&s);
        stage_done(&s);
    }
    struct stage s;
    stage_init(&s, path, metric);
    check_life(&s, &s.group[3], 1);
    stage_done(&s);
}

static void test_own(void **state)
{
    CLEANUP(freep) char *path = mem_printf("%s/rules/generator.yaml", getenv("VHERD_TEST_DATA"));
    run_all(path, "fed");
}

static void test_specification(void **state)
{
    const char *folder = getenv("VHERD_CONFORMANCE");
    char *path = mem_printf("%s/alert_generator/rules.yaml", folder ? folder : "");
    if (!folder || access(path, R_OK) != 0) {
        print_message("no alert_generator/rules.yaml (VHERD_CONFORMANCE)\n");
        free(path);
        skip(); // which does not return
    }
    run_all(path, "alert_generator_test_suite");
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own),
        cmocka_unit_test(test_specification),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
