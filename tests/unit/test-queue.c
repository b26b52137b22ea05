// SPDX-License-Identifier: GPL-3.0-or-later
// Disciplines on small cases whose schedule can be written down, and against theory on large ones.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <errno.h>
#include <math.h>

#include <cmocka.h>

#include "base/mem.h"
#include "near.h"
#include "place/queueing.h"

static struct queue_options options_of(enum queue_discipline d, int cpus)
{
    return (struct queue_options){.discipline = d,
                                  .capacity = {.of = {[PLACE_CPU] = cpus * PLACE_CPU_UNIT}},
                                  .ageing_s = 10,
                                  .slice_s = 1};
}

static struct queue_request request(double arrival_s, double service_s, int cpus, int priority)
{
    return (struct queue_request){.arrival_s = arrival_s,
                                  .service_s = service_s,
                                  .estimate_s = service_s,
                                  .priority = priority,
                                  .need = {.of = {[PLACE_CPU] = cpus * PLACE_CPU_UNIT}}};
}

static void run(const struct queue_options *o, struct queue_request *q, size_t n)
{
    struct err err = {0};
    assert_int_equal(queue_run(o, q, n, &err), 0);
}

// One CPU is busy until 10; then five wait.
static void five(struct queue_request q[6])
{
    q[0] = request(0, 10, 1, 0);
    q[1] = request(1, 5, 1, 1);
    q[2] = request(2, 1, 1, 0);
    q[3] = request(3, 3, 1, 5);
    q[4] = request(4, 2, 1, 5);
    q[5] = request(5, 4, 1, 0);
}

static void starts(enum queue_discipline d, const double expected[6])
{
    struct queue_request q[6];
    struct queue_options o = options_of(d, 1);
    five(q);
    run(&o, q, 6);
    for (int i = 0; i < 6; i++)
        assert_near(q[i].start_s, expected[i], 1e-9);
}

static void test_orders(void **state)
{
    starts(QUEUE_FCFS, (double[]){0, 10, 15, 16, 19, 21});
    starts(QUEUE_SJF, (double[]){0, 20, 10, 13, 11, 16});
    starts(QUEUE_PRIORITY, (double[]){0, 15, 20, 10, 13, 21});
    starts(QUEUE_BACKFILL, (double[]){0, 10, 15, 16, 19, 21});
    // Keys: arrival - 10 × priority = -9, 2, -47, -46, 5.
    starts(QUEUE_AGEING, (double[]){0, 15, 20, 10, 13, 21});
}

static void test_round_robin_takes_turns(void **state)
{
    struct queue_request q[] = {request(0, 3, 1, 0), request(0, 2, 1, 0), request(0, 1, 1, 0)};
    struct queue_options o = options_of(QUEUE_ROUND_ROBIN, 1);
    run(&o, q, 3);
    // a b c a b a
    assert_near(q[0].end_s, 6, 1e-9);
    assert_near(q[1].end_s, 5, 1e-9);
    assert_near(q[2].end_s, 3, 1e-9);
    assert_int_equal(q[0].suspended, 2);
    assert_int_equal(q[1].suspended, 1);
    assert_int_equal(q[2].suspended, 0);
    struct queue_request alone[] = {request(0, 5, 1, 0)};
    run(&o, alone, 1);
    assert_int_equal(alone[0].suspended, 0);
    assert_near(alone[0].end_s, 5, 1e-9);
}

static void test_backfill_does_not_delay_the_first(void **state)
{
    // 4 CPUs: a takes 2 until 10, b wants all 4, so it is reserved for 10. c (2 CPUs, 8 s) ends
    // before that and passes; d (2 CPUs, 20 s) does not, though it would fit at 9.
    struct queue_request q[] = {request(0, 10, 2, 0), request(1, 5, 4, 0), request(1, 8, 2, 0),
                                request(2, 20, 2, 0)};
    struct queue_options o = options_of(QUEUE_BACKFILL, 4);
    run(&o, q, 4);
    assert_near(q[1].start_s, 10, 1e-9);
    assert_near(q[2].start_s, 1, 1e-9);
    assert_near(q[3].start_s, 15, 1e-9);
    o.discipline = QUEUE_FCFS;
    run(&o, q, 4);
    assert_near(q[1].start_s, 10, 1e-9);
    assert_near(q[2].start_s, 15, 1e-9);
}

static void test_backfill_uses_spare_capacity(void **state)
{
    // b needs 3 of 4 at 10, so that one CPU is spare then: c may run across the reservation.
    struct queue_request q[] = {request(0, 10, 3, 0), request(1, 5, 3, 0), request(2, 50, 1, 0)};
    struct queue_options o = options_of(QUEUE_BACKFILL, 4);
    run(&o, q, 3);
    assert_near(q[2].start_s, 2, 1e-9);
    assert_near(q[1].start_s, 10, 1e-9);
}

static void test_a_request_runs_on_one_host(void **state)
{
    // Two hosts of 4 CPUs with 0 and 2 free, later 1 and 3: there is no room for d's 4 until a host
    // is empty. The small c goes where less is left.
    struct queue_request q[] = {request(0, 10, 3, 0), request(0, 20, 2, 0), request(0, 5, 1, 0),
                                request(1, 5, 4, 0), request(1, 5, 5, 0)};
    struct queue_options o = options_of(QUEUE_FCFS, 4);
    o.hosts = 2;
    run(&o, q, 5);
    assert_near(q[1].start_s, 0, 1e-9);
    assert_near(q[2].start_s, 0, 1e-9);
    assert_near(q[3].start_s, 10, 1e-9);
    assert_true(isnan(q[4].start_s));
    o.hosts = QUEUE_HOSTS_MAX + 1;
    struct err err = {0};
    assert_int_equal(queue_run(&o, q, 5, &err), -EINVAL);
}

static void test_backfill_keeps_one_host_for_the_first(void **state)
{
    // Host 0 is free of a at 10, host 1 of b at 30: c, which wants a whole host, is reserved host 0
    // from 10 on. d (1 CPU, 100 s) runs beside b; e would be in c's way.
    struct queue_request q[] = {request(0, 10, 3, 0), request(0, 30, 3, 0), request(1, 5, 4, 0),
                                request(2, 100, 1, 0), request(2, 100, 1, 0)};
    struct queue_options o = options_of(QUEUE_BACKFILL, 4);
    o.hosts = 2;
    run(&o, q, 5);
    assert_near(q[2].start_s, 10, 1e-9);
    assert_near(q[3].start_s, 2, 1e-9);
    assert_near(q[4].start_s, 15, 1e-9);
}

static void test_impossible_and_bad(void **state)
{
    struct queue_request q[] = {request(0, 1, 8, 0), request(0, 1, 1, 0)};
    struct queue_options o = options_of(QUEUE_FCFS, 4);
    run(&o, q, 2);
    assert_true(isnan(q[0].start_s));
    assert_near(q[1].end_s, 1, 1e-9);
    struct queue_report report;
    assert_int_equal(queue_report(&o, q, 2, &report), 0);
    assert_int_equal(report.impossible, 1);
    assert_int_equal(report.served, 1);
    struct err err = {0};
    q[1].service_s = 0;
    assert_int_equal(queue_run(&o, q, 2, &err), -EINVAL);
    q[1] = request(-1, 1, 1, 0);
    assert_int_equal(queue_run(&o, q, 2, &err), -EINVAL);
    o.discipline = QUEUE_ROUND_ROBIN;
    o.slice_s = 0;
    assert_int_equal(queue_run(&o, q, 1, &err), -EINVAL);
}

static struct queue_report simulate(enum queue_discipline d, int servers, double arrivals_per_s,
                                    enum queue_service service, size_t n)
{
    CLEANUP(freep) struct queue_request *q = calloc(n, sizeof(*q));
    struct queue_options o = options_of(d, servers);
    struct queue_report report;
    struct prng p;
    assert_non_null(q);
    prng_init(&p, 1, 0);
    queue_generate(&p, arrivals_per_s, 1, service, q, n);
    run(&o, q, n);
    assert_int_equal(queue_report(&o, q, n, &report), 0);
    return report;
}

static void within(double value, double expected, double ratio)
{
    if (fabs(value - expected) > ratio * expected)
        fail_msg("%g is not within %g of %g", value, ratio, expected);
}

#define MANY 300000

static void test_simulation_agrees_with_theory(void **state)
{
    struct queue_forecast mm1 = queue_mmc(0.7, 1, 1);
    within(mm1.wait_mean_s, 0.7 / 0.3, 1e-9);
    within(mm1.inside_mean, 0.7 / 0.3, 1e-9);
    struct queue_report r = simulate(QUEUE_FCFS, 1, 0.7, QUEUE_EXPONENTIAL, MANY);
    within(r.response_mean_s, mm1.response_mean_s, 0.04);
    within(r.utilisation_ratio, 0.7, 0.02);
    struct queue_forecast mm8 = queue_mmc(6.4, 1, 8);
    r = simulate(QUEUE_FCFS, 8, 6.4, QUEUE_EXPONENTIAL, MANY);
    within(r.response_mean_s, mm8.response_mean_s, 0.04);
    for (int s = 0; s < QUEUE_SERVICES; s++) {
        struct queue_forecast mg1 = queue_mg1(0.6, 1, queue_service_variation(s));
        r = simulate(QUEUE_FCFS, 1, 0.6, s, MANY);
        within(r.response_mean_s, mg1.response_mean_s, 0.05);
    }
}

static void test_known_values(void **state)
{
    // Erlang C for 10 servers and 8 Erlang: 0.409 (tables).
    within(queue_mmc(8, 1, 10).wait_probability, 0.4092, 0.001);
    // M/D/1 waits half as long as M/M/1.
    within(queue_mg1(0.5, 1, 0).wait_mean_s, queue_mmc(0.5, 1, 1).wait_mean_s / 2, 1e-12);
    within(queue_mgc(0.5, 1, 0, 1).wait_mean_s, queue_mg1(0.5, 1, 0).wait_mean_s, 1e-12);
    assert_true(isinf(queue_mmc(2, 1, 2).wait_mean_s));
    assert_true(isinf(queue_mg1(1.5, 1, 1).response_mean_s));
    // Median of the wait of those who wait is what the quantile says.
    double c = queue_mmc(8, 1, 10).wait_probability;
    within(queue_mmc_wait_quantile_s(8, 1, 10, 1 - c / 2), log(2) / 2, 1e-9);
    assert_near(queue_mmc_wait_quantile_s(8, 1, 10, 0.1), 0, 0);
    double x[] = {1, 1, 1, 1}, y[] = {4, 0, 0, 0};
    assert_near(queue_jain(x, 4), 1, 1e-12);
    assert_near(queue_jain(y, 4), 0.25, 1e-12);
}

static void test_shortest_first_waits_least(void **state)
{
    struct queue_report fcfs = simulate(QUEUE_FCFS, 1, 0.8, QUEUE_HYPEREXPONENTIAL, MANY);
    struct queue_report sjf = simulate(QUEUE_SJF, 1, 0.8, QUEUE_HYPEREXPONENTIAL, MANY);
    assert_true(sjf.wait_mean_s < 0.6 * fcfs.wait_mean_s);
    assert_true(sjf.wait_max_s > fcfs.wait_max_s);
}

static void waits_by_priority(enum queue_discipline d, double ageing_s, double ret[3],
                              double ret_max[3])
{
    CLEANUP(freep) struct queue_request *q = calloc(MANY, sizeof(*q));
    struct queue_options o = options_of(d, 1);
    struct prng p;
    size_t n[3] = {0};
    assert_non_null(q);
    o.ageing_s = ageing_s;
    prng_init(&p, 1, 0);
    queue_generate(&p, 0.9, 1, QUEUE_EXPONENTIAL, q, MANY);
    for (size_t i = 0; i < MANY; i++)
        q[i].priority = (int32_t)prng_below(&p, 3);
    run(&o, q, MANY);
    for (int k = 0; k < 3; k++)
        ret[k] = ret_max[k] = 0;
    for (size_t i = 0; i < MANY; i++) {
        int k = q[i].priority;
        ret[k] += q[i].start_s - q[i].arrival_s;
        ret_max[k] = fmax(ret_max[k], q[i].start_s - q[i].arrival_s);
        n[k]++;
    }
    for (int k = 0; k < 3; k++)
        ret[k] /= (double)n[k];
}

static void test_priorities_as_cobham_says_and_ageing_between(void **state)
{
    double wait[3], max[3], aged[3], aged_max[3], theory[3], same[3], same_max[3];
    struct queue_class classes[] = {{0.3, 1, 1}, {0.3, 1, 1}, {0.3, 1, 1}};
    queue_priority_waits(classes, 3, theory);
    waits_by_priority(QUEUE_PRIORITY, 1, wait, max);
    for (int k = 0; k < 3; k++)
        within(wait[2 - k], theory[k], 0.1);
    waits_by_priority(QUEUE_AGEING, 10, aged, aged_max);
    assert_true(aged[2] < aged[1] && aged[1] < aged[0]);
    assert_true(wait[2] < aged[2] && aged[0] < wait[0]);
    assert_true(aged_max[0] < max[0]);
    waits_by_priority(QUEUE_FCFS, 1, same, same_max);
    // Nobody starves: the least important wait at most as long as under first come first served,
    // and the time by which others may overtake (2 × 10 s).
    assert_true(aged_max[0] < same_max[0] + 2 * 10 + 40);
}

// One long low-priority request under a stream of important ones that never lets up.
static void test_ageing_ends_starvation(void **state)
{
    enum { N = 2001 };
    struct queue_request q[N];
    q[0] = request(0, 1, 1, 9);
    q[1] = request(0, 1, 1, 0);
    for (int i = 2; i < N; i++)
        q[i] = request((i - 1) * 1.0 - 0.5, 1, 1, 9);
    struct queue_options o = options_of(QUEUE_PRIORITY, 1);
    run(&o, q, N);
    assert_true(q[1].start_s > 1990);
    o.discipline = QUEUE_AGEING;
    run(&o, q, N);
    assert_true(q[1].start_s < 9 * 10 + 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_orders),
        cmocka_unit_test(test_round_robin_takes_turns),
        cmocka_unit_test(test_backfill_does_not_delay_the_first),
        cmocka_unit_test(test_backfill_uses_spare_capacity),
        cmocka_unit_test(test_a_request_runs_on_one_host),
        cmocka_unit_test(test_backfill_keeps_one_host_for_the_first),
        cmocka_unit_test(test_impossible_and_bad),
        cmocka_unit_test(test_simulation_agrees_with_theory),
        cmocka_unit_test(test_known_values),
        cmocka_unit_test(test_shortest_first_waits_least),
        cmocka_unit_test(test_priorities_as_cobham_says_and_ageing_between),
        cmocka_unit_test(test_ageing_ends_starvation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
