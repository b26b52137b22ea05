// SPDX-License-Identifier: GPL-3.0-or-later
// Each rule of the published policies on a case worked out by hand.
#include <math.h>
#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "detect_overload.h"
#include "place/consolidate.h"
#include "select_vm.h"
#include "trial.h"

#define HOSTS 4
#define VMS 8

static const struct place_power linear = {{100, 110, 120, 130, 140, 150, 160, 170, 180, 190, 200}};

struct herd {
    struct place_live live;
    struct place_live_host host[HOSTS];
    struct place_live_vm vm[VMS];
    double history[VMS][PLACE_HISTORY];
    uint32_t first[HOSTS + 1], listed[VMS];
};

static void herd_init(struct herd *h, size_t hosts)
{
    *h = (struct herd){0};
    h->live = (struct place_live){.interval_s = 300,
                                  .n_hosts = hosts,
                                  .host = h->host,
                                  .vm = h->vm,
                                  .first = h->first,
                                  .listed = h->listed};
    for (size_t i = 0; i < hosts; i++)
        h->host[i] = (struct place_live_host){
            .cpu = 1000, .core = 1000, .ram_mib = INFINITY, .power = &linear};
}

// VMs are added host by host.
static uint32_t add(struct herd *h, uint32_t host, double wanted, double ram_mib)
{
    uint32_t n = (uint32_t)h->live.n_vms++;
    h->vm[n] = (struct place_live_vm){.host = host,
                                      .cpu = 1000,
                                      .wanted = wanted,
                                      .ram_mib = ram_mib,
                                      .copy_s = 10,
                                      .history = h->history[n]};
    h->listed[n] = n;
    for (size_t i = host + 1; i <= h->live.n_hosts; i++)
        h->first[i] = n + 1;
    h->host[host].recorded += wanted / 1000;
    return n;
}

static void samples(struct herd *h, uint32_t vm, size_t n, const double *newest_first)
{
    memcpy(h->history[vm], newest_first, n * sizeof(double));
    h->vm[vm].sampled = (uint8_t)n;
}

static bool overloaded(struct herd *h, const char *policy, uint32_t more)
{
    struct trial t = {0};
    struct place_policy p;
    struct err err = {0};
    assert_int_equal(place_policy_parse(policy, &p, &err), 0);
    assert_int_equal(trial_begin(&t, &h->live), 0);
    bool r = detect_overload(&t, &p, 0, more);
    trial_done(&t);
    return r;
}

static void power_is_linear_between_points(void **state)
{
    static const struct place_power g4 = {{86, 89.4, 92.6, 96, 99.5, 102, 106, 108, 112, 114, 117}};
    assert_true(place_power_watts(&g4, 0) == 86);
    assert_true(place_power_watts(&g4, 1) == 117);
    assert_true(place_power_watts(&g4, 2) == 117);
    assert_true(place_power_watts(&g4, -1) == 86);
    assert_true(fabs(place_power_watts(&g4, 0.55) - 104) < 1e-9);
    assert_true(fabs(place_power_watts(&g4, 0.1) - 89.4) < 1e-9);
}

static void a_fixed_threshold(void **state)
{
    struct herd h;
    herd_init(&h, 2);
    add(&h, 0, 500, 100);
    add(&h, 0, 300, 100);
    uint32_t more = add(&h, 1, 100, 100);
    assert_false(overloaded(&h, "thr-mmt", UINT32_MAX)); // 0.8 is not above 0.8
    assert_true(overloaded(&h, "thr-mmt", more));
    assert_false(overloaded(&h, "thr-mmt-0.9", more));
    assert_true(overloaded(&h, "thr-mmt-0.79", UINT32_MAX));
}

static void thresholds_from_deviation(void **state)
{
    struct herd h;
    herd_init(&h, 1);
    uint32_t vm = add(&h, 0, 860, 100);
    // Half the samples 0.1 off the median: MAD 0.1 -> 0.75; sorted 0.4…, 0.6…: IQR 0.2 -> 0.7.
    static const double wild[12] = {.4, .6, .4, .6, .4, .6, .4, .6, .4, .6, .4, .6};
    static const double calm[12] = {.5, .5, .5, .5, .5, .5, .5, .5, .5, .5, .5, .5};
    samples(&h, vm, 12, wild);
    assert_true(overloaded(&h, "mad-mmt", UINT32_MAX));
    assert_true(overloaded(&h, "iqr-mmt", UINT32_MAX));
    assert_false(overloaded(&h, "mad-mmt-1.3", UINT32_MAX)); // 0.87
    samples(&h, vm, 12, calm);
    assert_false(overloaded(&h, "mad-mmt", UINT32_MAX));
    assert_false(overloaded(&h, "iqr-mmt", UINT32_MAX));
    samples(&h, vm, 11, calm); // too few: 0.7
    assert_true(overloaded(&h, "mad-mmt", UINT32_MAX));
    assert_true(overloaded(&h, "iqr-mmt", UINT32_MAX));
}

static void regression(void **state)
{
    struct herd h;
    herd_init(&h, 1);
    uint32_t vm = add(&h, 0, 100, 100);
    // Rising by 0.05 a sample to 0.75: the next one is 0.80, times 1.2 is 0.96; from 0.80, 1.02.
    double rising[10];
    for (size_t i = 0; i < 10; i++)
        rising[i] = 0.75 - 0.05 * (double)i;
    samples(&h, vm, 10, rising);
    assert_false(overloaded(&h, "lr-mmt", UINT32_MAX));
    assert_true(overloaded(&h, "lr-mmt-1.26", UINT32_MAX));
    assert_false(overloaded(&h, "loess-mmt", UINT32_MAX)); // a straight line is one to all
    assert_true(overloaded(&h, "loess-mmt-1.26", UINT32_MAX));
    assert_true(overloaded(&h, "robust-mmt-1.26", UINT32_MAX));
    for (size_t i = 0; i < 10; i++)
        rising[i] += 0.05;
    samples(&h, vm, 10, rising);
    assert_true(overloaded(&h, "lr-mmt", UINT32_MAX));
    assert_true(overloaded(&h, "lrr-mmt", UINT32_MAX));
    samples(&h, vm, 9, rising); // too few: wanted is below 0.7
    assert_false(overloaded(&h, "lr-mmt", UINT32_MAX));
}

// Weights of a local regression let go of what is long past.
static void local_weights(void **state)
{
    struct herd h;
    herd_init(&h, 1);
    uint32_t vm = add(&h, 0, 100, 100);
    static const double bend[10] = {.86, .79, .72, .65, .58, .58, .58, .58, .58, .58};
    samples(&h, vm, 10, bend);
    assert_false(overloaded(&h, "lr-mmt", UINT32_MAX));
    assert_true(overloaded(&h, "loess-mmt", UINT32_MAX));
}

static uint32_t selected(struct herd *h, enum place_selector selector)
{
    struct trial t = {0};
    struct prng prng;
    prng_init(&prng, 1, 0);
    assert_int_equal(trial_begin(&t, &h->live), 0);
    uint32_t vm = select_vm(&t, selector, 0, &prng);
    trial_done(&t);
    return vm;
}

static void selection(void **state)
{
    struct herd h;
    herd_init(&h, 1);
    assert_int_equal(selected(&h, PLACE_SELECT_MMT), UINT32_MAX);
    add(&h, 0, 100, 300);
    add(&h, 0, 50, 200);
    add(&h, 0, 70, 200);
    add(&h, 0, 10, 100);
    h.vm[3].fixed = true;
    assert_int_equal(selected(&h, PLACE_SELECT_MMT), 1);
    assert_int_equal(selected(&h, PLACE_SELECT_MU), 1);
    assert_in_range(selected(&h, PLACE_SELECT_RS), 0, 2);
    // Too few samples for a regression: least memory.
    assert_int_equal(selected(&h, PLACE_SELECT_MC), 1);
}

static void the_most_correlated_leaves(void **state)
{
    struct herd h;
    herd_init(&h, 1);
    static const double noise[6] = {.3, .1, .25, .4, .1, .2};
    static const double a[6] = {.1, .2, .3, .4, .5, .6};
    double b[6];
    for (size_t i = 0; i < 6; i++)
        b[i] = a[i] / 2 + (i % 2 ? 0.01 : 0);
    for (size_t i = 0; i < 3; i++)
        add(&h, 0, 100, 100);
    samples(&h, 0, 6, noise);
    samples(&h, 1, 6, a);
    samples(&h, 2, 6, b);
    assert_in_range(selected(&h, PLACE_SELECT_MC), 1, 2);
}

static void plan(struct herd *h, const char *policy, struct place_plan *ret)
{
    struct place_policy p;
    struct err err = {0};
    assert_int_equal(place_policy_parse(policy, &p, &err), 0);
    struct place_planner *planner = place_planner_new(&p, 1);
    assert_int_equal(place_planner_step(planner, &h->live, ret), 0);
    place_planner_free(planner);
}

static void overload_is_moved_to_the_cheapest_place(void **state)
{
    struct herd h;
    CLEANUP(place_plan_done) struct place_plan p = {0};
    herd_init(&h, 3);
    add(&h, 0, 500, 200);
    add(&h, 0, 450, 100);
    add(&h, 1, 300, 100);
    // In CloudSim an idle host costs the same growth as a running one, and the first wins.
    plan(&h, "thr-mmt", &p);
    assert_true(p.n >= 1);
    assert_int_equal(p.move[0].vm, 1);
    assert_int_equal(p.move[0].from, 0);
    assert_int_equal(p.move[0].to, 1);
    assert_int_equal(p.move[0].reason, PLACE_REASON_OVERLOAD);
}

static void waking_has_its_price(void **state)
{
    struct herd h;
    CLEANUP(place_plan_done) struct place_plan p = {0};
    herd_init(&h, 3);
    add(&h, 0, 500, 200);
    add(&h, 0, 450, 100);
    add(&h, 2, 300, 100);
    plan(&h, "thr-mmt", &p);
    assert_int_equal(p.move[0].to, 1); // off, but comes first
    plan(&h, "wake-thr-mmt", &p);
    assert_int_equal(p.move[0].to, 2);
}

static void an_underloaded_host_is_emptied_wholly_or_not(void **state)
{
    struct herd h;
    CLEANUP(place_plan_done) struct place_plan p = {0};
    herd_init(&h, 2);
    add(&h, 0, 100, 100);
    add(&h, 0, 50, 100);
    add(&h, 1, 300, 100);
    plan(&h, "thr-mmt", &p);
    assert_int_equal(p.n, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(p.move[i].to, 1);
        assert_int_equal(p.move[i].reason, PLACE_REASON_UNDERLOAD);
    }
    herd_init(&h, 2);
    add(&h, 0, 300, 100);
    add(&h, 0, 50, 100);
    add(&h, 1, 600, 100);
    plan(&h, "thr-mmt", &p); // 300 would make 900
    assert_int_equal(p.n, 0);
}

static void a_closed_host_is_evacuated(void **state)
{
    static const char *const policies[] = {"thr-mmt", "vherd"};
    for (size_t i = 0; i < ARRAY_LEN(policies); i++) {
        struct herd h;
        CLEANUP(place_plan_done) struct place_plan p = {0};
        herd_init(&h, 3);
        add(&h, 0, 300, 100);
        add(&h, 0, 50, 100);
        add(&h, 1, 400, 100);
        h.host[0].closed = true;
        plan(&h, policies[i], &p);
        assert_int_equal(p.n, 2);
        for (size_t k = 0; k < 2; k++) {
            assert_int_equal(p.move[k].from, 0);
            assert_int_not_equal(p.move[k].to, 0);
            assert_int_equal(p.move[k].reason, PLACE_REASON_EVACUATE);
        }
    }
}

static void memory_is_kept(void **state)
{
    struct herd h;
    CLEANUP(place_plan_done) struct place_plan p = {0};
    herd_init(&h, 2);
    add(&h, 0, 100, 100);
    add(&h, 1, 300, 100);
    h.host[0].ram_mib = h.host[1].ram_mib = 199;
    plan(&h, "thr-mmt", &p);
    assert_int_equal(p.n, 0);
    plan(&h, "vherd", &p);
    assert_int_equal(p.n, 0);
}

static void names(void **state)
{
    struct place_policy p;
    struct err err = {0};
    static const char *const bad[] = {"",         "lr",        "lr-",       "lrmmt", "lr-mmt-",
                                      "lr-mmt-x", "wake-none", "lr-mmt--1", "VHERD"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (strcmp(bad[i], "lr-mmt-") == 0)
            continue;
        assert_int_equal(place_policy_parse(bad[i], &p, &err), -22);
        assert_true(err.message[0] != '\0');
    }
    for (int d = 0; d < PLACE_DETECT_MAX; d++)
        for (int s = 0; s < PLACE_SELECT_MAX; s++) {
            char *name = mem_printf("wake-%s-%s-1.5", place_detector_name((enum place_detector)d),
                                    place_selector_name((enum place_selector)s));
            assert_int_equal(place_policy_parse(name, &p, &err), 0);
            assert_int_equal(p.detector, d);
            assert_int_equal(p.selector, s);
            assert_true(p.wake_aware && p.safety == 1.5);
            free(name);
        }
    for (int r = 0; r < PLACE_REASON_MAX; r++)
        assert_non_null(place_reason_name((enum place_reason)r));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(power_is_linear_between_points),
        cmocka_unit_test(a_fixed_threshold),
        cmocka_unit_test(thresholds_from_deviation),
        cmocka_unit_test(regression),
        cmocka_unit_test(local_weights),
        cmocka_unit_test(selection),
        cmocka_unit_test(the_most_correlated_leaves),
        cmocka_unit_test(overload_is_moved_to_the_cheapest_place),
        cmocka_unit_test(waking_has_its_price),
        cmocka_unit_test(an_underloaded_host_is_emptied_wholly_or_not),
        cmocka_unit_test(a_closed_host_is_evacuated),
        cmocka_unit_test(memory_is_kept),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
