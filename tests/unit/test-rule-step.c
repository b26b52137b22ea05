// SPDX-License-Identifier: GPL-3.0-or-later
// Traces of alerts under a clock of its own: for each evaluation, whether the expression gave
// something, and what state came of it.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "rule/step.h"

#define MINUTE 60000

struct world {
    struct rule rule;
    struct rule_group group;
    struct rule_step_params p;
    struct rule_state state;
    struct rule_absence absence;
    uint64_t inputs;
};

static struct rule_absence absence(void *arg, const struct rule_alert *alert)
{
    return ((struct world *)arg)->absence;
}

static uint64_t inputs(void *arg, const struct labels *series)
{
    return ((struct world *)arg)->inputs;
}

static void world_init(struct world *w)
{
    static char expr[] = "up == 0", name[] = "g", file[] = "f";
    *w = (struct world){.rule = {.is_alert = true, .expr_text = expr},
                        .group = {.name = name, .file = file},
                        .absence = {.is_cleared = true}};
    w->p = (struct rule_step_params){.rule = &w->rule,
                                     .group = &w->group,
                                     .interval_ms = MINUTE,
                                     .resend_delay_ms = MINUTE,
                                     .gap_max_ms = -1,
                                     .started_ms = INT64_MAX};
}

static struct labels *one_label(const char *value)
{
    const struct label label = {"a", value};
    return labels_new(&label, 1);
}

// One evaluation; a letter of `seen` is an alert that the expression gave.
static int step(struct world *w, int64_t now_ms, const char *seen, struct rule_update *u)
{
    struct err err;
    struct rule_seen s = {.absence = absence, .inputs = inputs, .arg = w};
    s.n = strlen(seen);
    s.alert = calloc(s.n + 1, sizeof(*s.alert));
    for (size_t i = 0; i < s.n; i++) {
        const char text[] = {seen[i], '\0'};
        s.alert[i] = (struct rule_seen_alert){one_label(text), labels_new(NULL, 0), one_label(text),
                                              (double)now_ms};
    }
    w->p.now_ms = now_ms;
    return rule_step(&w->state, &w->p, &s, u, &err);
}

// The state of alert "a" as a letter: - none, p pending, F firing, r resolved.
static char state_of(const struct world *w)
{
    struct labels *l = one_label("a");
    const struct rule_alert *a = rule_state_find(&w->state, l);
    labels_free(l);
    return a ? "-pFr"[a->alert.state] : '-';
}

// Evaluations a minute apart from `first` on: `seen` has x where alert "a" was given, . where not,
// g where its data were missing (s: and it is known that they ended), c where it was neither given
// nor cleared.
static void trace(struct world *w, int first, const char *seen, const char *expected)
{
    char got[64] = "";
    for (size_t i = 0; seen[i]; i++) {
        struct rule_update u = {0};
        w->absence = (struct rule_absence){.is_gap = seen[i] == 'g' || seen[i] == 's',
                                           .is_settled = seen[i] == 's',
                                           .is_cleared = seen[i] != 'c'};
        assert_int_equal(step(w, (int64_t)(first + (int)i) * MINUTE, seen[i] == 'x' ? "a" : "", &u),
                         0);
        rule_update_done(&u);
        got[i] = state_of(w);
    }
    assert_string_equal(got, expected);
}

static void test_life(void **state)
{
    struct world w;
    world_init(&w);
    w.rule.for_ms = 3 * MINUTE;
    trace(&w, 1, "xx.xxxxx.x", "pp-pppFFrp");
    rule_state_done(&w.state);
    world_init(&w);
    trace(&w, 1, "x.x", "FrF");
    rule_state_done(&w.state);
    world_init(&w);
    w.rule.for_ms = MINUTE / 4; // less than the interval: at the second evaluation
    trace(&w, 1, "xx", "pF");
    rule_state_done(&w.state);
}

static void test_keep_firing_for(void **state)
{
    struct world w;
    world_init(&w);
    w.rule.keep_firing_for_ms = 3 * MINUTE;
    trace(&w, 1, "x...x....", "FFFFFFFFr");
    rule_state_done(&w.state);
}

static void test_gap(void **state)
{
    struct world w;
    world_init(&w);
    w.rule.for_ms = 3 * MINUTE;
    trace(&w, 1, "xgxx", "p-pp"); // as Prometheus: `for` begins anew
    rule_state_done(&w.state);
    world_init(&w);
    w.rule.for_ms = 3 * MINUTE;
    w.p.gap_max_ms = 0;
    trace(&w, 1, "xgxxxggxgggg.", "pppFFFFFFFFrr");
    rule_state_done(&w.state);
    world_init(&w);
    w.rule.for_ms = 3 * MINUTE;
    w.p.gap_max_ms = 0;
    trace(&w, 1, "xgggg",
          "ppp"
          "p-");
    rule_state_done(&w.state);
    world_init(&w);
    w.p.gap_max_ms = 2 * MINUTE; // after a start, whatever `for` is
    trace(&w, 1, "xgg.", "FFFr");
    rule_state_done(&w.state);
    world_init(&w);
    w.p.gap_max_ms = 2 * MINUTE;
    trace(&w, 1, "xsxs", "FrFr"); // ended by an event: a second time is told
    rule_state_done(&w.state);
    world_init(&w);
    w.p.gap_max_ms = 5 * MINUTE;
    w.rule.for_ms = 2 * MINUTE; // which still bridges
    trace(&w, 1, "xxxssss", "ppFFFrr");
    rule_state_done(&w.state);
    world_init(&w);
    w.p.gap_max_ms = 5 * MINUTE;
    w.p.started_ms = MINUTE;
    trace(&w, 1, "xgxg", "FrFr"); // seen since the start: its series ended
    rule_state_done(&w.state);
}

static void test_damping(void **state)
{
    struct world w;
    world_init(&w);
    w.rule.damping.min_hold_ms = 3 * MINUTE;
    trace(&w, 1, "x...", "FFFr");
    rule_state_done(&w.state);
    world_init(&w);
    w.rule.damping.clear = (struct promql_expr *)&w; // only looked at for being there
    trace(&w, 1, "xcccxc.", "FFFFFFr");
    rule_state_done(&w.state);
    world_init(&w);
    w.rule.damping.flap_window_ms = 4 * MINUTE;
    trace(&w, 1, "x.x..x....", "FrFFFFFFFF");
    trace(&w, 11, ".x.", "rFr"); // its window has passed
    rule_state_done(&w.state);
}

static void test_transitions_and_sends(void **state)
{
    struct world w;
    struct rule_update u = {0};
    world_init(&w);
    w.rule.for_ms = MINUTE;
    assert_int_equal(step(&w, 1 * MINUTE, "a", &u), 0);
    assert_int_equal(u.n_transitions, 1);
    assert_int_equal(u.transition[0].from, ALERT_INACTIVE);
    assert_int_equal(u.transition[0].alert.state, ALERT_PENDING);
    assert_int_equal(u.n_send, 0);
    assert_int_equal(step(&w, 2 * MINUTE, "a", &u), 0);
    assert_int_equal(u.n_transitions, 2);
    assert_int_equal(u.transition[1].alert.state, ALERT_FIRING);
    assert_int_equal(u.transition[1].alert.fired_at_ms, 2 * MINUTE);
    assert_int_equal(u.n_send, 1);
    assert_int_equal(u.send[0]->ends_at_ms, 6 * MINUTE);
    rule_update_done(&u);
    // Told again each minute; once it is over for a quarter of an hour.
    unsigned firing = 0, resolved = 0;
    for (int i = 3; i < 40; i++) {
        assert_int_equal(step(&w, i * MINUTE, i < 10 ? "a" : "", &u), 0);
        for (size_t k = 0; k < u.n_send; k++) {
            firing += u.send[k]->state == ALERT_FIRING;
            resolved += u.send[k]->state == ALERT_RESOLVED;
        }
        assert_int_equal(u.n_transitions, i == 10);
        rule_update_done(&u);
    }
    assert_int_equal(firing, 7);
    assert_int_equal(resolved, 16);
    assert_int_equal(w.state.n, 0);
    rule_state_done(&w.state);
}

static void test_limit_changes_nothing(void **state)
{
    struct world w;
    struct rule_update u = {0};
    world_init(&w);
    w.p.limit = 2;
    assert_int_equal(step(&w, MINUTE, "ab", &u), 0);
    rule_update_done(&u);
    assert_int_equal(step(&w, 2 * MINUTE, "abc", &u), -E2BIG);
    assert_int_equal(u.n_transitions, 0);
    assert_int_equal(rule_state_active(&w.state), 2);
    assert_int_equal(state_of(&w), 'F');
    rule_state_done(&w.state);
}

static void test_resume(void **state)
{
    struct world w;
    world_init(&w);
    w.rule.for_ms = 3 * MINUTE;
    trace(&w, 1, "xx", "pp"); // pending for a minute
    rule_state_resume(&w.state, 12 * MINUTE, MINUTE);
    trace(&w, 12, "xx", "pF"); // two minutes at the first look after the stop
    rule_state_resume(&w.state, 14 * MINUTE, MINUTE);
    trace(&w, 14, "x", "F");
    rule_state_done(&w.state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life),
        cmocka_unit_test(test_keep_firing_for),
        cmocka_unit_test(test_gap),
        cmocka_unit_test(test_damping),
        cmocka_unit_test(test_transitions_and_sends),
        cmocka_unit_test(test_limit_changes_nothing),
        cmocka_unit_test(test_resume),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
