// SPDX-License-Identifier: GPL-3.0-or-later
// Our own policy over days of made-up load, with every promise checked at every move.
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/prng.h"
#include "place/consolidate.h"

#define HOSTS 40
#define VMS 120
#define DAY 288

static const struct place_power power = {{93.7, 97, 101, 105, 110, 116, 121, 125, 129, 133, 135}};

struct herd {
    struct place_live live;
    struct place_live_host host[HOSTS];
    struct place_live_vm vm[VMS];
    double history[VMS][PLACE_HISTORY], mean[VMS];
    uint32_t first[HOSTS + 1], listed[VMS];
    double left[VMS][HOSTS]; // when a VM left a host; -1: never
    struct place_planner *planner;
    struct place_plan plan;
    struct prng prng;
};

static void herd_init(struct herd *h, uint64_t seed)
{
    struct place_policy policy;
    struct err err = {0};
    memset(h, 0, sizeof(*h));
    prng_init(&h->prng, seed, 0);
    assert_int_equal(place_policy_parse("vherd", &policy, &err), 0);
    h->planner = place_planner_new(&policy, 1);
    h->live = (struct place_live){.interval_s = 300,
                                  .n_hosts = HOSTS,
                                  .n_vms = VMS,
                                  .host = h->host,
                                  .vm = h->vm,
                                  .first = h->first,
                                  .listed = h->listed};
    for (size_t i = 0; i < HOSTS; i++)
        h->host[i] =
            (struct place_live_host){.cpu = 5320, .core = 2660, .ram_mib = 16384, .power = &power};
    for (uint32_t i = 0; i < VMS; i++) {
        h->vm[i] = (struct place_live_vm){.host = i % HOSTS,
                                          .cpu = 2000,
                                          .ram_mib = 500 + 100 * (double)(i % 7),
                                          .copy_s = 10,
                                          .pause_s = 0.1,
                                          .history = h->history[i]};
        h->mean[i] = 0.05 + 0.2 * prng_double(&h->prng);
        for (size_t k = 0; k < HOSTS; k++)
            h->left[i][k] = -1;
    }
}

static void herd_done(struct herd *h)
{
    place_planner_free(h->planner);
    place_plan_done(&h->plan);
    free(h);
}

static void load(struct herd *h, double noise)
{
    for (size_t i = 0; i < VMS; i++) {
        double v = h->mean[i] + noise * (prng_double(&h->prng) - 0.5);
        v = fmin(fmax(v, 0), 1);
        memmove(&h->history[i][1], &h->history[i][0], (PLACE_HISTORY - 1) * sizeof(double));
        h->history[i][0] = v;
        h->vm[i].sampled += h->vm[i].sampled < PLACE_HISTORY;
        h->vm[i].wanted = v * h->vm[i].cpu;
    }
    size_t n = 0;
    for (uint32_t k = 0; k < HOSTS; k++) {
        double sum = 0;
        h->first[k] = (uint32_t)n;
        for (uint32_t i = 0; i < VMS; i++)
            if (h->vm[i].host == k) {
                h->listed[n++] = i;
                sum += h->vm[i].wanted;
            }
        h->host[k].recorded = fmin(sum / h->host[k].cpu, 1);
    }
    h->first[HOSTS] = (uint32_t)n;
}

static double ram_of(const struct herd *h, uint32_t host)
{
    double sum = 0;
    for (size_t i = 0; i < VMS; i++)
        sum += h->vm[i].host == host ? h->vm[i].ram_mib : 0;
    return sum;
}

static size_t step(struct herd *h, double now_s, double noise)
{
    h->live.now_s = now_s;
    load(h, noise);
    assert_int_equal(place_planner_step(h->planner, &h->live, &h->plan), 0);
    for (size_t i = 0; i < h->plan.n; i++) {
        const struct place_move *m = &h->plan.move[i];
        assert_int_equal(m->from, h->vm[m->vm].host);
        assert_int_not_equal(m->from, m->to);
        assert_true(m->gain_j > m->cost_j && m->cost_j > 0);
        assert_true(m->duration_s == 10 && m->pause_s == 0.1);
        assert_true(h->left[m->vm][m->to] < 0 || now_s - h->left[m->vm][m->to] > 3600);
        assert_true(ram_of(h, m->to) + h->vm[m->vm].ram_mib <= h->host[m->to].ram_mib);
        h->left[m->vm][m->from] = now_s;
        h->vm[m->vm].host = m->to;
    }
    return h->plan.n;
}

static size_t running(const struct herd *h)
{
    bool on[HOSTS] = {false};
    size_t n = 0;
    for (size_t i = 0; i < VMS; i++)
        on[h->vm[i].host] = true;
    for (size_t i = 0; i < HOSTS; i++)
        n += on[i];
    return n;
}

static void a_balanced_herd_is_left_alone(void **state)
{
    struct herd *h = mem_zalloc(sizeof(*h));
    herd_init(h, 1);
    size_t moves = 0;
    for (size_t i = 0; i < 24; i++)
        moves += step(h, 300 * (double)i, 0);
    assert_true(moves > 0);
    assert_true(running(h) < HOSTS / 3);
    for (size_t i = 24; i < 24 + DAY; i++)
        assert_int_equal(step(h, 300 * (double)i, 0), 0);
    herd_done(h);
}

static void every_move_keeps_the_promises(void **state)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct herd *h = mem_zalloc(sizeof(*h));
        herd_init(h, seed);
        size_t moves = 0;
        for (size_t i = 0; i < DAY; i++)
            moves += step(h, 300 * (double)i, 0.5);
        assert_true(moves >= VMS / 2);
        assert_true(running(h) < HOSTS / 2);
        herd_done(h);
    }
}

static void rising_load_wakes_hosts(void **state)
{
    struct herd *h = mem_zalloc(sizeof(*h));
    herd_init(h, 1);
    for (size_t i = 0; i < 30; i++)
        step(h, 300 * (double)i, 0);
    size_t before = running(h);
    for (size_t i = 0; i < VMS; i++)
        h->mean[i] *= 2.5;
    for (size_t i = 30; i < 40; i++)
        step(h, 300 * (double)i, 0);
    assert_true(running(h) > before);
    load(h, 0);
    for (size_t k = 0; k < HOSTS; k++)
        assert_true(h->host[k].recorded < 1);
    herd_done(h);
}

static void fixed_vms_stay(void **state)
{
    struct herd *h = mem_zalloc(sizeof(*h));
    herd_init(h, 1);
    for (size_t i = 0; i < VMS; i += 2)
        h->vm[i].fixed = true;
    for (size_t i = 0; i < 30; i++) {
        step(h, 300 * (double)i, 0.3);
        for (size_t k = 0; k < h->plan.n; k++)
            assert_int_equal(h->plan.move[k].vm % 2, 1);
    }
    herd_done(h);
}

static void an_empty_herd(void **state)
{
    struct herd *h = mem_zalloc(sizeof(*h));
    herd_init(h, 1);
    h->live.n_vms = 0;
    memset(h->first, 0, sizeof(h->first));
    assert_int_equal(place_planner_step(h->planner, &h->live, &h->plan), 0);
    assert_int_equal(h->plan.n, 0);
    herd_done(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_balanced_herd_is_left_alone),
        cmocka_unit_test(every_move_keeps_the_promises),
        cmocka_unit_test(rising_load_wakes_hosts),
        cmocka_unit_test(fixed_vms_stay),
        cmocka_unit_test(an_empty_herd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
