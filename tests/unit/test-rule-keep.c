// SPDX-License-Identifier: GPL-3.0-or-later
// State and transitions of alerts in SQLite: what a start finds is what the last evaluation left.
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
#include "rule/keep.h"

#define SECOND 1000

static const char rules[] = "groups:\n"
                            "  - name: g\n"
                            "    interval: 10s\n"
                            "    rules:\n"
                            "      - {alert: Now, expr: up == 0, labels: {a: b}}\n"
                            "      - {alert: Later, expr: up == 0, for: 1h}\n"
                            "      - {alert: Twice, expr: up == 0}\n"
                            "      - {alert: Twice, expr: up == 1}\n";

struct stage {
    char *path;
    struct store *db;
    struct promql_memory *memory;
    struct rule_files files;
    struct rule_file *file;
    struct rule_env env;
    struct rule_group_run *group;
    size_t n;
};

static int write_nothing(void *arg, const struct rule_sample *sample, size_t n, struct err *err)
{
    return 0;
}

static void open_all(struct stage *s)
{
    static const struct store_schema *const schemas[] = {&rule_schema};
    struct rule_errors errors = {0};
    struct err err = {0};
    if (store_open(s->path, schemas, 1, &s->db, &err) < 0)
        fail_msg("%s", err.message);
    assert_int_equal(rule_file_parse("f", rules, strlen(rules), &s->file, &errors), 0);
    s->files = (struct rule_files){.file = &s->file, .n = 1};
    s->env = (struct rule_env){.source = promql_memory_source(s->memory),
                               .clock = &clock_system,
                               .external_url = "",
                               .interval_ms = 10 * SECOND,
                               .resend_delay_ms = 60 * SECOND,
                               .write = write_nothing};
    assert_int_equal(rule_groups_new(&s->files, &s->env, &s->group, &s->n), 0);
    assert_int_equal(rule_keep_load(s->db, s->group, s->n, &err), 0);
}

static void close_all(struct stage *s)
{
    rule_groups_free(s->group, s->n);
    rule_file_free(s->file);
    store_close(s->db);
}

static int setup(void **state)
{
    struct stage *s = mem_zalloc(sizeof(*s));
    char directory[] = "/tmp/vherd-rule-keep-XXXXXX";
    assert_non_null(mkdtemp(directory));
    s->path = mem_printf("%s/state.db", directory);
    s->memory = promql_memory_new();
    open_all(s);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct stage *s = *state;
    static const char *const ends[] = {"", "-wal", "-shm", ".lock"};
    close_all(s);
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        CLEANUP(freep) char *path = mem_printf("%s%s", s->path, ends[i]);
        unlink(path);
    }
    *strrchr(s->path, '/') = '\0';
    rmdir(s->path);
    free(s->path);
    promql_memory_free(s->memory);
    free(s);
    return 0;
}

static void put_up(struct stage *s, const char *job, int64_t t_ms, double v)
{
    const struct label label[] = {{LABEL_METRIC_NAME, "up"}, {"job", job}};
    struct labels *l = labels_new(label, 2);
    assert_int_equal(promql_memory_append(s->memory, l, t_ms, v), 0);
    labels_free(l);
}

static size_t evaluate(struct stage *s, int64_t t_ms, bool stores)
{
    struct rule_update u = {0};
    struct err err = {0};
    assert_int_equal(rule_group_eval(&s->group[0], &s->env, t_ms, NULL, &u, &err), 0);
    size_t n = u.n_transitions;
    if (stores && rule_keep_is_due(&s->group[0], &u)) {
        assert_int_equal(store_begin(s->db), 0);
        assert_int_equal(rule_keep_save(s->db, &s->group[0], &u), 0);
        assert_int_equal(store_commit(s->db), 0);
        rule_keep_saved(&s->group[0]);
    }
    rule_update_done(&u);
    return n;
}

static const struct alert *only(const struct stage *s, size_t rule)
{
    assert_int_equal(s->group[0].run[rule].state.n, 1);
    return &s->group[0].run[rule].state.alert[0].alert;
}

static void test_a_start_goes_on(void **state)
{
    struct stage *s = *state;
    put_up(s, "x", 100 * SECOND, 0);
    assert_int_equal(evaluate(s, 100 * SECOND, true), 3);
    assert_int_equal(rule_keep_last(s->db), 3);
    close_all(s);
    open_all(s);
    assert_int_equal(only(s, 0)->state, ALERT_FIRING);
    assert_int_equal(only(s, 0)->fired_at_ms, 100 * SECOND);
    assert_string_equal(labels_get(only(s, 0)->labels, "a"), "b");
    assert_string_equal(labels_get(only(s, 0)->labels, "job"), "x");
    assert_int_equal(only(s, 1)->state, ALERT_PENDING);
    assert_int_equal(only(s, 2)->state, ALERT_FIRING);
    assert_int_equal(s->group[0].run[3].state.n, 0); // the second of the same name is another
    assert_int_equal(s->group[0].run[1].state.last_eval_ms, 100 * SECOND);
    // Nothing fires again.
    assert_int_equal(evaluate(s, 110 * SECOND, true), 0);
    put_up(s, "x", 120 * SECOND, 1);
    assert_int_equal(evaluate(s, 120 * SECOND, true), 4);
    assert_int_equal(rule_keep_last(s->db), 7);
    close_all(s);
    open_all(s);
    assert_int_equal(only(s, 0)->state, ALERT_RESOLVED);
    assert_int_equal(s->group[0].run[1].state.n, 0); // it never fired, so it is forgotten
}

static void test_what_was_not_committed_is_not_there(void **state)
{
    struct stage *s = *state;
    put_up(s, "y", 200 * SECOND, 0);
    assert_int_equal(evaluate(s, 200 * SECOND, false), 3);
    close_all(s);
    open_all(s);
    assert_int_equal(s->group[0].run[0].state.n, 0);
    assert_int_equal(rule_keep_last(s->db), 0);
    // The same transitions come again, and are stored once.
    assert_int_equal(evaluate(s, 200 * SECOND, true), 3);
    assert_int_equal(rule_keep_last(s->db), 3);
}

struct walk {
    int64_t seq[16];
    enum alert_state to[16];
    size_t n;
};

static int each(void *arg, const struct alert_transition *t)
{
    struct walk *w = arg;
    w->seq[w->n] = t->seq;
    w->to[w->n++] = t->alert.state;
    return w->n == 16;
}

static void test_transitions(void **state)
{
    struct stage *s = *state;
    struct walk w = {.n = 0};
    put_up(s, "z", 300 * SECOND, 0);
    evaluate(s, 300 * SECOND, true);
    put_up(s, "z", 310 * SECOND, 1);
    evaluate(s, 310 * SECOND, true);
    assert_int_equal(rule_keep_transitions(s->db, 2, 100, each, &w), 0);
    assert_int_equal(w.n, 5);
    assert_int_equal(w.seq[0], 3);
    assert_int_equal(w.seq[4], 7);
    w.n = 0;
    assert_int_equal(rule_keep_history(s->db, 0, 2, each, &w), 0);
    assert_int_equal(w.n, 2);
    assert_int_equal(w.seq[0], 7);
    // Only what was taken over and is old goes.
    assert_int_equal(rule_keep_sweep(s->db, 4, 305 * SECOND), 0);
    w.n = 0;
    assert_int_equal(rule_keep_transitions(s->db, 0, 100, each, &w), 0);
    assert_int_equal(w.n, 4);
    assert_int_equal(w.seq[0], 4);
    assert_int_equal(rule_keep_last(s->db), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_start_goes_on, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_was_not_committed_is_not_there, setup, teardown),
        cmocka_unit_test_setup_teardown(test_transitions, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
