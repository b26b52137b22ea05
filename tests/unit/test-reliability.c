// SPDX-License-Identifier: GPL-3.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <errno.h>
#include <math.h>

#include <cmocka.h>

#include "base/mem.h"
#include "near.h"
#include "place/reliability.h"

#define HOUR 3600.0

static void test_formulas(void **state)
{
    struct reliability r = {999 * HOUR, HOUR};
    assert_near(reliability_availability(&r), 0.999, 1e-12);
    assert_near(reliability_survival(&r, 999 * HOUR), exp(-1), 1e-12);
    struct reliability seen = reliability_estimate(4, 1000 * HOUR, 2 * HOUR);
    assert_near(seen.mtbf_seconds, 250 * HOUR, 1e-6);
    assert_near(seen.mttr_seconds, 0.5 * HOUR, 1e-6);
    seen = reliability_estimate(0, 1000 * HOUR, 0);
    assert_near(reliability_availability(&seen), 1, 0);
}

static void test_k_of_n(void **state)
{
    assert_near(reliability_k_of_n(1, 2, 0.9), 0.99, 1e-12);
    assert_near(reliability_k_of_n(2, 2, 0.9), 0.81, 1e-12);
    assert_near(reliability_k_of_n(2, 3, 0.9), 0.972, 1e-12);
    assert_near(reliability_k_of_n(0, 3, 0.5), 1, 1e-12);
    assert_near(reliability_k_of_n(4, 3, 0.9), 0, 1e-12);
}

static void test_replicas_on_one_host_fall_together(void **state)
{
    struct reliability r = {9 * HOUR, HOUR};
    struct reliability_place apart[] = {{r, 1}, {r, 1}, {r, 1}};
    struct reliability_place two_and_one[] = {{r, 2}, {r, 1}};
    struct reliability_place one[] = {{r, 3}};
    assert_near(reliability_group(apart, 3, 2), 0.972, 1e-12);
    // Two of three: the host with two has to be up.
    assert_near(reliability_group(two_and_one, 2, 2), 0.9, 1e-12);
    assert_near(reliability_group(one, 1, 1), 0.9, 1e-12);
}

static void test_simulated_faults_agree(void **state)
{
    struct prng p;
    prng_init(&p, 11, 0);
    for (int round = 0; round < 8; round++) {
        struct reliability_place places[6];
        size_t n = 1 + prng_below(&p, 6);
        int all = 0;
        for (size_t i = 0; i < n; i++) {
            places[i].fails.mtbf_seconds = (20 + 200 * prng_double(&p)) * HOUR;
            places[i].fails.mttr_seconds = (1 + 20 * prng_double(&p)) * HOUR;
            places[i].replicas = 1 + (int)prng_below(&p, 3);
            all += places[i].replicas;
        }
        int k = 1 + (int)prng_below(&p, (uint64_t)all);
        double expected = reliability_group(places, n, k);
        double seen = reliability_simulate(&p, places, n, k, 400);
        assert_true(fabs(seen - expected) < 0.01);
        assert_true(fabs((1 - seen) - (1 - expected)) < 0.1 * (1 - expected) + 1e-3);
    }
}

static void test_of_a_placement(void **state)
{
    struct place_snapshot *s = place_snapshot_new();
    struct reliability_defaults defaults = {{99 * HOUR, HOUR}, 300};
    for (int i = 0; i < 4; i++)
        place_snapshot_add_host(s, "host");
    int32_t group = place_snapshot_group(s, "db", PLACE_APART);
    s->groups[group].most = 3;
    for (int i = 0; i < 4; i++) {
        int32_t vm = place_snapshot_add_vm(s, "vm");
        s->vms[vm].host = i < 3 ? 0 : 1;
        s->vms[vm].anti_affinity = i < 3 ? group : -1;
    }
    struct place_room room;
    assert_int_equal(place_room_init(&room, s), 0);
    struct reliability_group_report report;
    assert_int_equal(reliability_of_group(&room, group, 1, &defaults, &report), 0);
    assert_near(report.availability_ratio, 0.99, 1e-12);
    assert_near(report.best_ratio, 1 - 1e-6, 1e-12);
    assert_near(report.spread_score, 0, 1e-12);
    struct reliability_placement all;
    reliability_of_placement(&room, &defaults, &all);
    double per_host = SECONDS_PER_YEAR / (100 * HOUR);
    assert_near(all.failures_per_year, 2 * per_host, 1e-6);
    assert_near(all.vm_failures_per_year, 4 * per_host, 1e-6);
    assert_near(all.vm_downtime_s_per_year, 4 * per_host * 300, 1e-3);
    assert_near(all.worst_host_share_ratio, 0.75, 1e-12);
    place_room_take(&room, 1);
    place_room_put(&room, 1, 2);
    reliability_of_group(&room, group, 1, &defaults, &report);
    assert_near(report.spread_score, 0.5, 1e-12);
    place_room_done(&room);
    int32_t nobody = place_snapshot_group(s, "nobody", PLACE_APART);
    assert_int_equal(place_room_init(&room, s), 0);
    assert_int_equal(reliability_of_group(&room, nobody, 1, &defaults, &report), -ENOENT);
    place_room_done(&room);
    place_snapshot_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formulas),
        cmocka_unit_test(test_k_of_n),
        cmocka_unit_test(test_replicas_on_one_host_fall_together),
        cmocka_unit_test(test_simulated_faults_agree),
        cmocka_unit_test(test_of_a_placement),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
