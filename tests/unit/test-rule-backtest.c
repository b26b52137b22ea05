// SPDX-License-Identifier: GPL-3.0-or-later
// A backtest must tell what the daemon would have told: the same rules, evaluated one instant after
// the other over the same samples, are the measure.
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "promql/memory.h"
#include "rule/backtest.h"

#define STEP 60000
#define STEPS 1700 // more than a day, so that a stretch ends within

static const char rules[] =
    "groups:\n"
    "  - name: reads what the other records\n"
    "    interval: 1m\n"
    "    rules:\n"
    "      - {alert: High, expr: 'load:avg > 5', for: 3m, keep_firing_for: 2m}\n"
    "      - {alert: VeryHigh, expr: 'load:avg > 8'}\n"
    "      - {alert: Many, expr: 'count(ALERTS{alertname=\"High\",alertstate=\"firing\"}) > 1'}\n"
    "  - name: records\n"
    "    interval: 1m\n"
    "    rules:\n"
    "      - {record: 'load:avg', expr: 'avg_over_time(load[3m])'}\n"
    "      - {alert: Low, expr: load < 1, for: 1m}\n"
    "      - {alert: LowToo, expr: load < 2, labels: {level: '{{ $value }}'}}\n"
    "      - alert: Damped\n"
    "        expr: load > 8\n"
    "        annotations: {vherd_clear_expr: load < 4, vherd_min_hold: 5m}\n"
    "      - {alert: Gone, expr: absent(load)}\n"
    "      - {alert: Broken, expr: 'load * on(x) load'}\n";

static double random_double(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (double)(*state >> 11) / 9007199254740992.0;
}

// Three series that wander and have holes.
static void fill(struct promql_memory *m, uint64_t seed)
{
    uint64_t state = seed;
    for (int i = 0; i < 3; i++) {
        const char vm[] = {'a', (char)('0' + i), '\0'};
        const struct label label[] = {{LABEL_METRIC_NAME, "load"}, {"domain", vm}};
        struct labels *l = labels_new(label, 2);
        double v = 5;
        for (int k = 0; k < STEPS; k++) {
            v += (random_double(&state) - 0.5) * 4;
            v = v < 0 ? 0 : v > 10 ? 10 : v;
            if (k % 700 > 30)
                assert_int_equal(promql_memory_append(m, l, (int64_t)k * STEP, v), 0);
        }
        labels_free(l);
    }
}

// Firings of each alert as the daemon tells them, one instant after the other.
struct told {
    char *alert;
    struct labels *labels;
    int64_t start_ms, end_ms;
};

struct live {
    struct promql_memory *memory;
    struct told told[20000];
    size_t n;
};

static int write_samples(void *arg, const struct rule_sample *sample, size_t n, struct err *err)
{
    struct live *l = arg;
    for (size_t i = 0; i < n; i++)
        if (promql_memory_append(l->memory, sample[i].labels, sample[i].t_ms, sample[i].v) < 0)
            return -1;
    return 0;
}

static void take(struct live *l, const struct rule_update *u)
{
    for (size_t i = 0; i < u->n_transitions; i++) {
        const struct alert *a = &u->transition[i].alert;
        if (a->state == ALERT_FIRING)
            l->told[l->n++] = (struct told){.alert = mem_strdup(alert_name(a)),
                                            .labels = labels_new(a->labels->label, a->labels->n),
                                            .start_ms = a->fired_at_ms};
        if (a->state != ALERT_RESOLVED)
            continue;
        for (size_t k = l->n; k-- > 0;)
            if (labels_equal(l->told[k].labels, a->labels)) {
                l->told[k].end_ms = a->resolved_at_ms;
                break;
            }
    }
}

// The recording group first, as a backtest puts it.
static void run_live(struct live *l, const struct rule_files *files)
{
    struct rule_group_run *group = NULL;
    size_t n = 0;
    struct rule_env env = {.source = promql_memory_source(l->memory),
                           .clock = &clock_system,
                           .external_url = "",
                           .interval_ms = STEP,
                           .resend_delay_ms = STEP,
                           .write = write_samples,
                           .arg = l};
    assert_int_equal(rule_groups_new(files, &env, &group, &n), 0);
    for (int64_t t = 0; t < (int64_t)STEPS * STEP; t += STEP)
        for (size_t i = n; i-- > 0;) {
            struct rule_update u = {0};
            struct err err = {0};
            assert_int_equal(rule_group_eval(&group[i], &env, t, NULL, &u, &err), 0);
            take(l, &u);
            rule_update_done(&u);
        }
    rule_groups_free(group, n);
}

static const struct told *find(const struct live *l, const struct rule_firing *f)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->told[i].start_ms == f->start_ms && labels_equal(l->told[i].labels, f->labels))
            return &l->told[i];
    return NULL;
}

static void compare(const struct live *l, const struct rule_backtest *b)
{
    size_t all = 0;
    for (size_t i = 0; i < b->n; i++) {
        const struct rule_backtest_rule *r = &b->rule[i];
        for (size_t k = 0; k < r->n; k++) {
            const struct told *t = find(l, &r->firing[k]);
            if (!t)
                fail_msg("%s at %lld: not told live", r->rule->name,
                         (long long)r->firing[k].start_ms / STEP);
            if (r->firing[k].is_open ? t->end_ms != 0 : t->end_ms != r->firing[k].end_ms)
                fail_msg("%s from %lld: until %lld, live %lld", r->rule->name,
                         (long long)t->start_ms / STEP, (long long)r->firing[k].end_ms / STEP,
                         (long long)t->end_ms / STEP);
            all++;
        }
        bool is_broken = strcmp(r->rule->name, "Broken") == 0;
        assert_int_equal(r->n > 0, !is_broken);
        assert_int_equal(r->error != NULL, is_broken);
    }
    assert_int_equal(all, l->n);
    assert_true(all > 100);
}

static void test_as_live(void **state)
{
    for (uint64_t seed = 1; seed <= 2; seed++) {
        struct live *live = mem_zalloc(sizeof(*live));
        struct promql_memory *memory = promql_memory_new();
        struct rule_errors errors = {0};
        struct rule_file *file = NULL;
        struct rule_backtest *b = NULL;
        struct err err = {0};
        live->memory = promql_memory_new();
        fill(live->memory, seed);
        fill(memory, seed);
        assert_int_equal(rule_file_parse("f", rules, strlen(rules), &file, &errors), 0);
        const struct rule_files files = {.file = &file, .n = 1};
        const struct rule_backtest_params params = {.end_ms = (int64_t)STEPS * STEP,
                                                    .interval_ms = STEP};
        run_live(live, &files);
        assert_int_equal(rule_backtest(&files, promql_memory_source(memory), &params, &b, &err), 0);
        compare(live, b);
        rule_backtest_free(b);
        for (size_t i = 0; i < live->n; i++) {
            free(live->told[i].alert);
            labels_free(live->told[i].labels);
        }
        rule_file_free(file);
        promql_memory_free(memory);
        promql_memory_free(live->memory);
        free(live);
    }
}

static void test_views(void **state)
{
    struct promql_memory *memory = promql_memory_new();
    struct rule_errors errors = {0};
    struct rule_file *file = NULL;
    struct rule_backtest *b = NULL;
    struct err err = {0};
    CLEANUP(buf_done) struct buf text;
    CLEANUP(buf_done) struct buf json;
    struct json j;
    buf_init(&text, 1 << 24);
    buf_init(&json, 1 << 26);
    fill(memory, 1);
    assert_int_equal(rule_file_parse("f", rules, strlen(rules), &file, &errors), 0);
    const struct rule_files files = {.file = &file, .n = 1};
    const struct rule_backtest_params params = {.end_ms = (int64_t)STEPS * STEP,
                                                .interval_ms = STEP};
    assert_int_equal(rule_backtest(&files, promql_memory_source(memory), &params, &b, &err), 0);
    rule_backtest_print(b, 100, false, &text);
    assert_non_null(strstr(text.data, "\nHigh "));
    assert_non_null(strstr(text.data, "many-to-many"));
    json_init(&j, &json);
    rule_backtest_json(b, &j);
    json_t *all = json_loadb(json.data, json.len, 0, NULL);
    assert_int_equal(json_array_size(json_object_get(all, "rules")), b->n);
    json_decref(all);
    rule_backtest_free(b);
    rule_file_free(file);
    promql_memory_free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_live),
        cmocka_unit_test(test_views),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
