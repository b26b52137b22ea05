// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "promql/memory.h"
#include "sim/replay.h"

#define START_MS INT64_C(1700000000000)
#define GIB ((int64_t)1 << 30)

static void append(struct promql_memory *m, const char *metric, const char *domain, int64_t t_ms,
                   double v)
{
    struct label label[] = {{LABEL_METRIC_NAME, metric}, {"domain", domain}};
    struct labels *labels = labels_new(label, ARRAY_LEN(label));
    assert_int_equal(promql_memory_append(m, labels, t_ms, v), 0);
    labels_free(labels);
}

// `cpus` all the time, and memory in use; a sample each `step_s`.
static void record(struct promql_memory *m, const char *domain, double hours, int64_t step_s,
                   double cpus, double bytes)
{
    for (int64_t t = 0; (double)t <= hours * 3600; t += step_s) {
        append(m, "libvirt_domain_info_cpu_time_seconds_total", domain, START_MS + t * 1000,
               100 + cpus * (double)t);
        append(m, "vherd_vm_resident_bytes", domain, START_MS + t * 1000, bytes);
    }
}

static void add_host(struct place_snapshot *s, const char *name, int cpus)
{
    int32_t h = place_snapshot_add_host(s, name);
    s->hosts[h].capacity.of[PLACE_CPU] = cpus * PLACE_CPU_UNIT;
    s->hosts[h].capacity.of[PLACE_MEMORY] = 16 * GIB;
    s->hosts[h].overcommit_ratio[PLACE_CPU] = 4;
    s->hosts[h].watts_idle = 100;
    s->hosts[h].watts_busy = 200;
}

static void add_vm(struct place_snapshot *s, const char *name, int32_t host, int vcpus)
{
    int32_t v = place_snapshot_add_vm(s, name);
    s->vms[v].host = host;
    s->vms[v].request.of[PLACE_CPU] = vcpus * PLACE_CPU_UNIT;
    s->vms[v].request.of[PLACE_MEMORY] = 4 * GIB;
}

struct herd {
    struct place_snapshot *s;
    struct promql_memory *m;
    struct sim_history h;
};

static double end_s(double hours)
{
    return (double)START_MS / 1000 + hours * 3600;
}

static int read(struct herd *t, double now_s, double days, struct err *err)
{
    const char *names[] = {"a", "b"};
    sim_history_done(&t->h);
    return sim_history_read(promql_memory_source(t->m), names, ARRAY_LEN(names), now_s, days, NULL,
                            &t->h, err);
}

// VMs a and b on two hosts of 2 CPUs, each wanting 1.5 CPUs.
static int setup(void **state)
{
    struct herd *t = mem_zalloc(sizeof(*t));
    t->s = place_snapshot_new();
    t->m = promql_memory_new();
    add_host(t->s, "h0", 2);
    add_host(t->s, "h1", 2);
    add_vm(t->s, "a", 0, 2);
    add_vm(t->s, "b", 1, 2);
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    struct herd *t = *state;
    sim_history_done(&t->h);
    place_snapshot_free(t->s);
    promql_memory_free(t->m);
    free(t);
    return 0;
}

static void record_both(struct herd *t, double hours, int64_t step_s)
{
    record(t->m, "a", hours, step_s, 1.5, 2.0 * GIB);
    record(t->m, "b", hours, step_s, 1.5, 2.0 * GIB);
}

static struct replay_result run(struct herd *t, const struct plan_effect *effect)
{
    struct replay_result result;
    struct err err = {0};
    assert_int_equal(replay_run(t->s, &t->h, effect, NULL, &result, &err), 0);
    return result;
}

static void history_on_a_grid(void **state)
{
    struct herd *t = *state;
    struct err err = {0};
    record_both(t, 48, 60);
    assert_int_equal(read(t, end_s(48), 7, &err), 0);
    assert_int_equal(t->h.step_ms, 300000);
    assert_int_equal(t->h.steps, 576);
    assert_true(fabs(sim_history_days(&t->h) - 2) < 0.01);
    assert_true(t->h.recorded_ratio > 0.99);
    for (size_t i = 1; i < t->h.steps; i++) {
        assert_true(fabs(t->h.vm[1].cpu[i] - 1.5) < 1e-6);
        assert_true(t->h.vm[1].memory_bytes[i] == 2.0 * GIB);
    }
    assert_int_equal(read(t, end_s(48), 1, &err), 0);
    assert_true(fabs(sim_history_days(&t->h) - 1) < 0.01);
}

static void short_history_is_read_finer(void **state)
{
    struct herd *t = *state;
    struct err err = {0};
    record_both(t, 1, 10);
    assert_int_equal(read(t, end_s(1), 7, &err), 0);
    assert_int_equal(t->h.step_ms, 20000); // twice the distance of samples
    assert_true(fabs(t->h.vm[0].cpu[90] - 1.5) < 1e-6);
}

static void a_gap_is_no_work(void **state)
{
    struct herd *t = *state;
    struct err err = {0};
    record_both(t, 24, 60);
    // b was not seen for hours.
    append(t->m, "libvirt_domain_info_cpu_time_seconds_total", "b",
           START_MS + INT64_C(30) * 3600000, 1e6);
    assert_int_equal(read(t, end_s(30), 7, &err), 0);
    assert_true(t->h.vm[1].cpu[100] > 1.4);
    assert_true(t->h.vm[1].cpu[340] == 0);
    assert_true(t->h.recorded_ratio < 0.9);
}

static void nothing_stored(void **state)
{
    struct herd *t = *state;
    struct err err = {0};
    assert_int_equal(read(t, end_s(1), 7, &err), -ENODATA);
    append(t->m, "libvirt_domain_info_cpu_time_seconds_total", "a", START_MS, 1);
    assert_int_equal(read(t, end_s(1), 7, &err), -ENODATA);
}

static void without_a_plan(void **state)
{
    struct herd *t = *state;
    struct err err = {0};
    record_both(t, 24, 60);
    assert_int_equal(read(t, end_s(24), 7, &err), 0);
    struct replay_result r = run(t, NULL);
    // Two hosts at 75 %: 175 W each.
    assert_true(fabs(r.energy_kwh - 2 * 0.175 * 24) < 0.05);
    assert_true(fabs(r.host_hours - 48) < 0.3);
    assert_true(r.cpu_short_s == 0 && r.memory_short_s == 0 && r.moves == 0);
    assert_true(r.vm_cpu_short_s == 0 && r.vm_memory_short_s == 0);
}

static void moves_are_made_and_cost(void **state)
{
    struct herd *t = *state;
    struct err err = {0};
    struct relocate_move move = {.vm = 1, .from = 1, .to = 0};
    struct plan_effect effect = {.moves = &move, .n_moves = 1};
    record_both(t, 24, 60);
    assert_int_equal(read(t, end_s(24), 7, &err), 0);
    struct replay_result r = run(t, &effect);
    assert_int_equal(r.moves, 1);
    assert_int_equal(r.moves_not_made, 0);
    assert_true(r.copy_s > 1 && r.downtime_s >= 0);
    // One host at 100 % instead, which then lacks a third of what is wanted.
    assert_true(fabs(r.energy_kwh - 0.2 * 24) < 0.05);
    assert_true(r.cpu_short_s > 0.99 * r.active_s - 300);
    assert_true(fabs(r.undone_ratio - 1.0 / 3) < 0.01);
}

static void memory_that_does_not_fit(void **state)
{
    struct herd *t = *state;
    struct err err = {0};
    struct relocate_move move = {.vm = 1, .from = 1, .to = 0};
    struct plan_effect effect = {.moves = &move, .n_moves = 1};
    t->s->hosts[0].capacity.of[PLACE_MEMORY] = 5 * GIB;
    t->s->hosts[0].overcommit_ratio[PLACE_MEMORY] = 2;
    record(t->m, "a", 24, 60, 0.1, 3.0 * GIB);
    record(t->m, "b", 24, 60, 0.1, 3.0 * GIB);
    assert_int_equal(read(t, end_s(24), 7, &err), 0);
    assert_true(run(t, NULL).memory_short_s == 0);
    assert_true(run(t, &effect).memory_short_s > 23 * 3600);
    // No room: it stays where it is, and that is told.
    t->s->hosts[0].overcommit_ratio[PLACE_MEMORY] = 1;
    struct replay_result r = run(t, &effect);
    assert_int_equal(r.moves, 0);
    assert_int_equal(r.moves_not_made, 1);
}

static void sizes_that_are_too_small(void **state)
{
    struct herd *t = *state;
    struct err err = {0};
    const struct plan_size sizes[] = {{1, GIB}, {2, 4 * GIB}};
    struct plan_effect effect = {.sizes = sizes};
    record_both(t, 24, 60);
    assert_int_equal(read(t, end_s(24), 7, &err), 0);
    struct replay_result r = run(t, &effect);
    // a, but not b, wants more than it would have.
    assert_true(fabs(r.vm_cpu_short_s - 24 * 3600) < 900);
    assert_true(fabs(r.vm_memory_short_s - 24 * 3600) < 900);
    assert_true(r.energy_kwh < run(t, NULL).energy_kwh);
}

static void runs_are_equal(void **state)
{
    struct herd *t = *state;
    struct err err = {0};
    record_both(t, 5, 15);
    assert_int_equal(read(t, end_s(5), 7, &err), 0);
    struct replay_result one = run(t, NULL), two = run(t, NULL);
    assert_memory_equal(&one, &two, sizeof(one));
}

static int no_patience(void *arg, struct err *err)
{
    return --*(int *)arg < 0 ? err_set(err, ETIME, "too slow") : 0;
}

static int write_out(struct herd *t, struct replay *replay, struct buf *out, struct err *err)
{
    struct json j;
    json_init(&j, out);
    const struct plan_trial trial = {replay_write, replay};
    struct plan_request request = {.kind = PLAN_CONSOLIDATE, .trial = &trial};
    t->s->now_s = end_s(2);
    return plan_write(t->s, &request, NULL, &j, err);
}

static void patience_ends(void **state)
{
    struct herd *t = *state;
    record_both(t, 2, 15);
    // Wherever it ends, nothing leaks and the reason is told.
    for (int left = 0; left < 20; left++) {
        int n = left;
        struct replay replay = {promql_memory_source(t->m), 7, false, {no_patience, &n}};
        struct err err = {0};
        CLEANUP(buf_done) struct buf out;
        buf_init(&out, 1 << 20);
        int r = write_out(t, &replay, &out, &err);
        assert_int_equal(r, n < 0 ? -ETIME : 0);
        if (r < 0)
            assert_string_equal(err.message, "too slow");
    }
}

static void written_beside_a_plan(void **state)
{
    struct herd *t = *state;
    struct replay replay = {promql_memory_source(t->m), 7, false, {0}};
    struct err err = {0};
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 1 << 20);
    record(t->m, "a", 2, 15, 0.2, 2.0 * GIB);
    record(t->m, "b", 2, 15, 0.2, 2.0 * GIB);
    for (int i = 0; i < 2; i++)
        t->s->vms[i].usage[PLACE_CPU] =
            (struct place_usage){.n = 1, .now = 200, .mean = 200, .forecast = NAN};
    assert_int_equal(write_out(t, &replay, &out, &err), 0);
    buf_putc(&out, '\0');
    assert_non_null(strstr(out.data, "\"simulation\":{\"asked_days\":7"));
    assert_non_null(strstr(out.data, "Less than a day of history: 2.0 h"));
    const char *with = strstr(out.data, "\"with\":{");
    assert_non_null(with);
    assert_non_null(strstr(with, "\"moves\":1"));
    const char *without = strstr(out.data, "\"without\":{");
    assert_non_null(without);
    assert_true(strstr(without, "\"moves\":0") < with);
    replay.source = NULL;
    assert_int_equal(write_out(t, &replay, &out, &err), -ENODATA);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(history_on_a_grid, setup, teardown),
        cmocka_unit_test_setup_teardown(short_history_is_read_finer, setup, teardown),
        cmocka_unit_test_setup_teardown(a_gap_is_no_work, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_stored, setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_plan, setup, teardown),
        cmocka_unit_test_setup_teardown(moves_are_made_and_cost, setup, teardown),
        cmocka_unit_test_setup_teardown(memory_that_does_not_fit, setup, teardown),
        cmocka_unit_test_setup_teardown(sizes_that_are_too_small, setup, teardown),
        cmocka_unit_test_setup_teardown(runs_are_equal, setup, teardown),
        cmocka_unit_test_setup_teardown(patience_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(written_beside_a_plan, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
