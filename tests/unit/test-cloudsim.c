// SPDX-License-Identifier: GPL-3.0-or-later
// The experiment on made-up traces. That it reproduces CloudSim's figures on the published ones is
// tests/e2e/test_sim.py, where these are at hand.
#include <errno.h>
#include <math.h>
#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/prng.h"
#include "sim/cloudsim.h"

#define SAMPLES 288

static struct trace_set make(size_t n, uint64_t seed)
{
    struct trace_set set = {.trace = mem_zalloc(n * sizeof(struct trace)), .n = n};
    struct prng p;
    prng_init(&p, seed, 0);
    for (size_t i = 0; i < n; i++) {
        struct trace *t = &set.trace[i];
        t->name = mem_printf("vm%zu", i);
        t->n = SAMPLES;
        t->sample = mem_zalloc(SAMPLES * sizeof(double));
        uint64_t base = prng_below(&p, 30);
        for (size_t k = 0; k < SAMPLES; k++)
            t->sample[k] = (double)(base + prng_below(&p, 40)) / 100;
    }
    return set;
}

static struct cloudsim_result run(const struct trace_set *set, const char *policy,
                                  enum cloudsim_mode mode)
{
    struct cloudsim_setup setup = {.traces = set, .mode = mode, .seed = 5, .hosts = 80};
    struct cloudsim_result r;
    struct err err = {0};
    assert_int_equal(place_policy_parse(policy, &setup.policy, &err), 0);
    assert_int_equal(cloudsim_run(&setup, &r, &err), 0);
    r.plan_mean_s = r.plan_p99_s = r.plan_max_s = r.cpu_s = 0;
    return r;
}

// One VM of 2500 MIPS at 50 %: on the second host (5320 MIPS), whose power at 23.5 % is 102.4 W.
static void energy_of_one_vm(void **state)
{
    struct trace_set set = make(1, 1);
    for (size_t k = 0; k < SAMPLES; k++)
        set.trace[0].sample[k] = 0.5;
    struct cloudsim_result r = run(&set, "none", CLOUDSIM_A);
    double watts = 101 + (105 - 101) * (1250.0 / 532 - 2);
    assert_true(fabs(r.energy_kwh - watts * 286 * 300 / 3.6e6) < 1e-9);
    assert_int_equal(r.migrations, 0);
    assert_true(r.slatah == 0 && r.pdm == 0 && r.overall == 0);
    trace_set_done(&set);
}

static void idle_vms_leave_in_mode_a_only(void **state)
{
    struct trace_set set = make(8, 1);
    for (size_t k = 100; k < SAMPLES; k++)
        set.trace[3].sample[k] = 0;
    assert_int_equal(run(&set, "none", CLOUDSIM_A).vms_left, 7);
    assert_int_equal(run(&set, "none", CLOUDSIM_B).vms_left, 8);
    trace_set_done(&set);
}

static void one_migration_costs_what_it_costs(void **state)
{
    // Two of 2500 MIPS: each boots on a host of its own, then the second one's host is emptied.
    struct trace_set set = make(2, 1);
    for (size_t k = 0; k < SAMPLES; k++)
        set.trace[0].sample[k] = set.trace[1].sample[k] = 0.25;
    // The second trace is of the third kind (1000 MIPS); 10 % of one VM's work for its 27.84 or
    // 13.92 s is lost.
    struct cloudsim_result r = run(&set, "thr-mmt", CLOUDSIM_A);
    assert_int_equal(r.migrations, 1);
    assert_true(r.pdm > 0 && r.pdm < 27.84 * 0.1 / 85800);
    assert_int_equal(r.shutdowns, 1);
    trace_set_done(&set);
}

static void same_again(void **state)
{
    static const char *const policies[] = {"lr-mmt", "mad-mc",    "iqr-mu",         "thr-rs",
                                           "vherd",  "loess-mmt", "wake-robust-mmt"};
    struct trace_set set = make(100, 3);
    for (size_t i = 0; i < ARRAY_LEN(policies); i++)
        for (int mode = 0; mode < CLOUDSIM_MAX; mode++) {
            struct cloudsim_result a = run(&set, policies[i], (enum cloudsim_mode)mode);
            struct cloudsim_result b = run(&set, policies[i], (enum cloudsim_mode)mode);
            assert_memory_equal(&a, &b, sizeof(a));
            assert_true(a.migrations > 0 && a.energy_kwh > 0);
            assert_true(mode != CLOUDSIM_C || a.memory_violations == 0);
        }
    trace_set_done(&set);
}

static void ours_is_better(void **state)
{
    struct trace_set set = make(100, 4);
    for (int mode = 0; mode < CLOUDSIM_MAX; mode++) {
        struct cloudsim_result ours = run(&set, "vherd", (enum cloudsim_mode)mode);
        struct cloudsim_result lr = run(&set, "lr-mmt", (enum cloudsim_mode)mode);
        assert_true(ours.energy_kwh < lr.energy_kwh);
        assert_true(ours.migrations < lr.migrations);
        assert_int_equal(ours.returns, 0);
        assert_int_equal(ours.unpaid, 0);
    }
    trace_set_done(&set);
}

static void short_traces(void **state)
{
    struct trace_set set = make(2, 1);
    struct cloudsim_setup setup = {.traces = &set};
    struct cloudsim_result r;
    struct err err = {0};
    set.trace[1].n = SAMPLES - 1;
    assert_int_equal(cloudsim_run(&setup, &r, &err), -EINVAL);
    assert_non_null(strstr(err.message, "vm1"));
    assert_int_equal(cloudsim_mode_parse("B"), CLOUDSIM_B);
    assert_int_equal(cloudsim_mode_parse("b"), CLOUDSIM_MAX);
    trace_set_done(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(energy_of_one_vm),
        cmocka_unit_test(idle_vms_leave_in_mode_a_only),
        cmocka_unit_test(one_migration_costs_what_it_costs),
        cmocka_unit_test(same_again),
        cmocka_unit_test(ours_is_better),
        cmocka_unit_test(short_traces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
