// SPDX-License-Identifier: GPL-3.0-or-later
// The lane's decisions under a clock of our own.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "collect/lane.h"

#define S INT64_C(1000000000)

static const struct lane_policy policy = {
    .interval_ns = 10 * S,
    .deadline_ns = 3 * S,
    .quarantine_min_ns = 5 * S,
    .quarantine_max_ns = 60 * S,
    .max_in_flight = 3,
    .max_written_off = 4,
};

static void add(struct call_lane *l, int n, int64_t now)
{
    lane_add(l, &n, sizeof(n), now);
}

static uint64_t next(struct call_lane *l, int64_t now, int *ret_n)
{
    const void *key;
    size_t len;
    uint64_t call = lane_next(l, now, &key, &len);
    if (call)
        memcpy(ret_n, key, sizeof(*ret_n));
    return call;
}

static uint64_t expire(struct call_lane *l, int64_t now, int64_t answered)
{
    const void *key;
    size_t len;
    return lane_expire(l, now, answered, &key, &len);
}

static void test_three_in_flight_one_per_object(void **state)
{
    struct call_lane *l = lane_new(&policy);
    for (int i = 0; i < 5; i++)
        add(l, i, 0);
    int n;
    uint64_t calls[3];
    for (int i = 0; i < 3; i++)
        assert_true((calls[i] = next(l, 0, &n)) != 0);
    assert_int_equal(next(l, 0, &n), 0);
    assert_true(lane_done(l, calls[1], LANE_OK, 1));
    assert_true(next(l, 1, &n) != 0);
    assert_int_equal(next(l, 1, &n), 0);
    assert_int_equal(lane_stats(l).in_flight, 3);
    assert_int_equal(lane_stats(l).calls, 4);
    lane_free(l);
}

// 50 objects for ten minutes: each is called every interval or sooner, and the calls are spread
// over the four instants of an interval.
static void test_spread_over_the_interval(void **state)
{
    struct call_lane *l = lane_new(&policy);
    int64_t last[50] = {0};
    int busiest = 0;
    for (int i = 0; i < 50; i++)
        add(l, i, 0);
    for (int64_t t = 0; t < 600 * S; t += S / 10) {
        int n, in_second = 0;
        uint64_t call;
        while ((call = next(l, t, &n))) {
            assert_true(t - last[n] <= policy.interval_ns + S);
            last[n] = t;
            lane_done(l, call, LANE_OK, t);
            in_second++;
        }
        if (t > 30 * S && in_second > busiest)
            busiest = in_second;
    }
    assert_true(busiest >= 15 && busiest <= 35);
    for (int i = 0; i < 50; i++)
        assert_true(600 * S - last[i] <= policy.interval_ns + S);
    lane_free(l);
}

// Quick calls go one after the other; only a slow one is overtaken.
static void test_quick_calls_do_not_overlap(void **state)
{
    struct lane_policy patient = policy;
    patient.patience_ns = S / 20;
    struct call_lane *l = lane_new(&patient);
    for (int i = 0; i < 4; i++)
        add(l, i, 0);
    int n;
    uint64_t call = next(l, 0, &n);
    assert_int_equal(next(l, 1, &n), 0);
    assert_int_equal(lane_wake_ns(l, 1), S / 20);
    lane_done(l, call, LANE_OK, 2);
    assert_true(next(l, 2, &n) != 0);
    assert_int_equal(next(l, S / 20, &n), 0);
    assert_true(next(l, S / 20 + 2, &n) != 0);
    assert_int_equal(lane_stats(l).in_flight, 2);
    lane_free(l);
}

// Answer each call at once until all are steady; the time after that.
static int64_t make_steady(struct call_lane *l, int64_t now)
{
    for (int64_t end = now + 40 * S; now < end; now += S) {
        int n;
        uint64_t call;
        while ((call = next(l, now, &n)))
            lane_done(l, call, LANE_OK, now);
    }
    return now;
}

static uint64_t more(struct call_lane *l, int64_t now, int *ret_n)
{
    const void *key;
    size_t len;
    uint64_t call = lane_more(l, now, &key, &len);
    if (call)
        memcpy(ret_n, key, sizeof(*ret_n));
    return call;
}

static int64_t until_due(struct call_lane *l, int64_t now, int *ret_n, uint64_t *ret_call)
{
    while (!(*ret_call = next(l, now, ret_n)))
        now += S;
    return now;
}

static void test_only_the_steady_share_a_call(void **state)
{
    struct call_lane *l = lane_new(&policy);
    int n, key = 0;
    add(l, 0, 0);
    add(l, 1, 0);
    assert_true(next(l, 0, &n) != 0);
    assert_int_equal(more(l, 0, &n), 0);
    assert_false(lane_steady(l, &key, sizeof(key)));
    lane_reset(l, 0);
    int64_t now = make_steady(l, S);
    assert_true(lane_steady(l, &key, sizeof(key)));
    lane_hasten(l, &key, sizeof(key), now);
    key = 1;
    lane_hasten(l, &key, sizeof(key), now);
    uint64_t first = next(l, now, &n), second = more(l, now, &n);
    assert_true(first && second && first != second);
    assert_int_equal(more(l, now, &n), 0);
    assert_int_equal(lane_stats(l).in_flight, 1);
    assert_true(lane_done(l, second, LANE_ERROR, now));
    assert_true(lane_done(l, first, LANE_OK, now));
    assert_int_equal(lane_stats(l).in_flight, 0);
    assert_false(lane_steady(l, &key, sizeof(key)) && n == 1);
    lane_free(l);
}

static void test_steady_at_once_and_after_a_failure_thrice(void **state)
{
    struct call_lane *l = lane_new(&policy);
    int n, key = 0;
    uint64_t call;
    add(l, 0, 0);
    int64_t now = until_due(l, 0, &n, &call);
    assert_false(lane_steady(l, &key, sizeof(key)));
    lane_done(l, call, LANE_OK, now);
    assert_true(lane_steady(l, &key, sizeof(key)));
    now = until_due(l, now, &n, &call);
    lane_done(l, call, LANE_ERROR, now);
    for (int good = 0; good < 3; good++) {
        assert_false(lane_steady(l, &key, sizeof(key)));
        now = until_due(l, now, &n, &call);
        lane_done(l, call, LANE_OK, now);
    }
    assert_true(lane_steady(l, &key, sizeof(key)));
    lane_free(l);
}

static void test_a_shared_call_is_parted_without_blame(void **state)
{
    struct call_lane *l = lane_new(&policy);
    uint64_t calls[3];
    int n = 0;
    for (int i = 0; i < 3; i++)
        add(l, i, 0);
    int64_t now = make_steady(l, 0);
    for (int i = 0; i < 3; i++)
        lane_hasten(l, &i, sizeof(i), now);
    calls[0] = next(l, now, &n);
    for (int i = 1; i < 3; i++)
        assert_true((calls[i] = more(l, now, &n)) != 0);
    for (int i = 0; i < 3; i++)
        lane_part(l, calls[i], now + S);
    assert_int_equal(lane_stats(l).in_flight, 0);
    assert_int_equal(lane_stats(l).written_off, 1);
    assert_int_equal(lane_stats(l).quarantined, 0);
    // All are asked again at once, each for itself.
    for (int i = 0; i < 3; i++) {
        uint64_t call = next(l, now + S, &n);
        assert_true(call != 0);
        assert_int_equal(more(l, now + S, &n), 0);
        enum lane_outcome outcome = n == 1 ? LANE_STUCK : LANE_OK;
        assert_true(lane_done(l, call, outcome, now + S));
    }
    int sick = 1, well = 0;
    assert_true(lane_quarantined(l, &sick, sizeof(sick)));
    assert_false(lane_quarantined(l, &well, sizeof(well)));
    assert_int_equal(lane_stats(l).timeouts, 1);
    for (int i = 0; i < 3; i++)
        assert_false(lane_done(l, calls[i], LANE_OK, now + 2 * S));
    assert_int_equal(lane_stats(l).written_off, 0);
    assert_int_equal(lane_stats(l).late, 3);
    uint64_t call;
    now = until_due(l, now + 2 * S, &n, &call);
    assert_true(now - S * 40 < 15 * S);
    lane_free(l);
}

static void test_a_slow_answer_is_not_steady(void **state)
{
    struct call_lane *l = lane_new(&policy);
    int n, key = 0;
    uint64_t call;
    add(l, 0, 0);
    int64_t now = until_due(l, make_steady(l, 0), &n, &call);
    assert_true(lane_done(l, call, LANE_OK, now + S));
    assert_false(lane_steady(l, &key, sizeof(key)));
    lane_free(l);
}

static void test_written_off_and_quarantined(void **state)
{
    struct call_lane *l = lane_new(&policy);
    int n, key = 1;
    add(l, 1, 0);
    uint64_t call = next(l, 0, &n);
    assert_int_equal(expire(l, 3 * S - 1, 3 * S), 0);
    assert_int_equal(expire(l, 3 * S, 3 * S), call);
    assert_true(lane_quarantined(l, &key, sizeof(key)));
    assert_int_equal(lane_stats(l).in_flight, 0);
    assert_int_equal(lane_stats(l).written_off, 1);
    assert_int_equal(next(l, 100 * S, &n), 0); // its call has not come back
    assert_false(lane_done(l, call, LANE_OK, 100 * S));
    assert_int_equal(lane_stats(l).late, 1);
    assert_int_equal(lane_stats(l).written_off, 0);
    assert_int_equal(next(l, 100 * S, &n), 0);
    call = next(l, 101 * S, &n); // it lives: soon, not after the whole pause
    assert_true(call != 0);
    assert_true(lane_done(l, call, LANE_OK, 101 * S));
    assert_false(lane_quarantined(l, &key, sizeof(key)));
    lane_free(l);
}

// One that is late again and again is asked ever more seldom; an answer in time ends that.
static void test_pauses_grow(void **state)
{
    struct call_lane *l = lane_new(&policy);
    static const int64_t pauses[] = {1, 2, 4, 8, 12, 12};
    int n;
    int64_t t = 0;
    uint64_t call;
    add(l, 1, t);
    for (size_t i = 0; i < sizeof(pauses) / sizeof(pauses[0]); i++) {
        call = next(l, t, &n);
        assert_true(call != 0);
        assert_int_equal(expire(l, t + 3 * S, t + 3 * S), call);
        int64_t back = t + 4 * S;
        assert_false(lane_done(l, call, LANE_ERROR, back));
        assert_int_equal(next(l, back + pauses[i] * S - 1, &n), 0);
        t = back + pauses[i] * S;
    }
    call = next(l, t, &n);
    assert_true(lane_done(l, call, LANE_OK, t));
    t += 20 * S;
    call = next(l, t, &n);
    assert_int_equal(expire(l, t + 3 * S, t + 3 * S), call);
    assert_false(lane_done(l, call, LANE_OK, t + 4 * S));
    assert_true(next(l, t + 5 * S, &n) != 0);
    lane_free(l);
}

static void test_silent_daemon_is_not_the_objects_fault(void **state)
{
    struct call_lane *l = lane_new(&policy);
    int n;
    add(l, 1, 10 * S);
    uint64_t call = next(l, 10 * S, &n);
    assert_int_equal(expire(l, 20 * S, 10 * S), 0);
    assert_true(lane_overdue(l, 20 * S));
    assert_int_equal(expire(l, 20 * S, 11 * S), call);
    assert_false(lane_overdue(l, 20 * S));
    lane_free(l);
}

// Twenty objects, of which six never answer: the rest keep their pace.
static void test_sick_ones_do_not_hold_up_others(void **state)
{
    struct call_lane *l = lane_new(&policy);
    int64_t last[20] = {0}, longest = 0;
    for (int i = 0; i < 20; i++)
        add(l, i, 0);
    for (int64_t t = 0; t < 300 * S; t += S / 4) {
        while (expire(l, t, t)) {
        }
        int n;
        uint64_t call;
        while ((call = next(l, t, &n))) {
            if (n < 6)
                continue; // hangs for ever
            if (t - last[n] > longest)
                longest = t - last[n];
            last[n] = t;
            lane_done(l, call, LANE_OK, t);
        }
        assert_true(lane_stats(l).in_flight <= 3);
    }
    assert_int_equal(lane_stats(l).written_off, 6);
    assert_true(longest <= 12 * S + 3 * S);
    for (int i = 6; i < 20; i++)
        assert_true(300 * S - last[i] <= 12 * S);
    lane_free(l);
}

// Lost calls have a cap: at twice the limit nobody is called any more.
static void test_lost_calls_are_capped(void **state)
{
    struct call_lane *l = lane_new(&policy);
    for (int i = 0; i < 100; i++)
        add(l, i, 0);
    for (int64_t t = 0; t < 600 * S; t += S) {
        while (expire(l, t, t)) {
        }
        int n;
        while (next(l, t, &n)) {
        }
        struct lane_stats stats = lane_stats(l);
        assert_true(stats.written_off + stats.in_flight <= 2 * policy.max_written_off + 2);
    }
    assert_true(lane_stats(l).written_off >= 2 * policy.max_written_off);
    lane_free(l);
}

static void test_blocked_objects_are_left_alone(void **state)
{
    struct call_lane *l = lane_new(&policy);
    int n, key = 1;
    add(l, 1, 0);
    lane_block(l, &key, sizeof(key), true, 0);
    assert_int_equal(next(l, 50 * S, &n), 0);
    lane_block(l, &key, sizeof(key), false, 60 * S);
    assert_true(next(l, 60 * S, &n) != 0);
    lane_free(l);
}

static void test_hastened_while_under_way(void **state)
{
    struct call_lane *l = lane_new(&policy);
    int n, key = 1;
    add(l, 1, 0);
    uint64_t call = next(l, 0, &n);
    lane_hasten(l, &key, sizeof(key), 1);
    assert_true(lane_done(l, call, LANE_OK, 2));
    assert_true(next(l, 2, &n) != 0);
    lane_free(l);
}

static void test_removed_while_under_way(void **state)
{
    struct call_lane *l = lane_new(&policy);
    int n, key = 1;
    add(l, 1, 0);
    uint64_t call = next(l, 0, &n);
    lane_remove(l, &key, sizeof(key));
    assert_false(lane_has(l, &key, sizeof(key)));
    assert_int_equal(lane_stats(l).in_flight, 0);
    assert_int_equal(lane_stats(l).written_off, 1);
    assert_false(lane_done(l, call, LANE_OK, 1));
    assert_int_equal(lane_stats(l).written_off, 0);
    lane_free(l);
}

static void test_reset_blames_nobody(void **state)
{
    struct call_lane *l = lane_new(&policy);
    int n;
    uint64_t calls[3];
    for (int i = 0; i < 3; i++)
        add(l, i, 0);
    for (int i = 0; i < 3; i++)
        calls[i] = next(l, 0, &n);
    assert_int_equal(expire(l, 3 * S, 3 * S) != 0, 1);
    lane_reset(l, 4 * S);
    struct lane_stats stats = lane_stats(l);
    assert_int_equal(stats.in_flight, 0);
    assert_int_equal(stats.written_off, 0);
    assert_int_equal(stats.quarantined, 0);
    assert_true(next(l, 4 * S, &n) != 0);
    for (int i = 0; i < 3; i++)
        assert_false(lane_done(l, calls[i], LANE_ERROR, 5 * S));
    assert_int_equal(lane_stats(l).written_off, 0);
    assert_int_equal(lane_stats(l).in_flight, 1);
    lane_free(l);
}

// Random histories keep the invariants.
static void test_random_histories(void **state)
{
    srandom(42);
    for (int round = 0; round < 50; round++) {
        struct call_lane *l = lane_new(&policy);
        uint64_t open[400];
        size_t n_open = 0;
        int64_t t = 0;
        for (int step = 0; step < 2000; step++) {
            int n = (int)(random() % 12);
            t += random() % (2 * S);
            switch (random() % 8) {
            case 0:
                add(l, n, t);
                break;
            case 1:
                if (random() % 4 == 0)
                    lane_remove(l, &n, sizeof(n));
                break;
            case 2:
                lane_block(l, &n, sizeof(n), random() % 2, t);
                break;
            case 3:
                lane_hasten(l, &n, sizeof(n), t);
                break;
            case 4:
                expire(l, t, t - random() % S);
                break;
            case 5:
                if (random() % 50 == 0)
                    lane_reset(l, t);
                break;
            case 6:
                if (n_open > 0) {
                    size_t i = (size_t)random() % n_open;
                    lane_done(l, open[i], (enum lane_outcome)(random() % 3), t);
                    open[i] = open[--n_open];
                }
                break;
            default: {
                int key;
                uint64_t call = n_open < 400 ? next(l, t, &key) : 0;
                if (call)
                    open[n_open++] = call;
            }
            }
            struct lane_stats stats = lane_stats(l);
            assert_true(stats.in_flight >= 0 && stats.in_flight <= policy.max_in_flight);
            assert_true(stats.written_off >= 0);
            assert_true((size_t)(stats.in_flight + stats.written_off) <= n_open);
        }
        while (n_open > 0)
            lane_done(l, open[--n_open], LANE_OK, t);
        assert_int_equal(lane_stats(l).in_flight, 0);
        assert_int_equal(lane_stats(l).written_off, 0);
        lane_free(l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_three_in_flight_one_per_object),
        cmocka_unit_test(test_spread_over_the_interval),
        cmocka_unit_test(test_quick_calls_do_not_overlap),
        cmocka_unit_test(test_only_the_steady_share_a_call),
        cmocka_unit_test(test_steady_at_once_and_after_a_failure_thrice),
        cmocka_unit_test(test_a_shared_call_is_parted_without_blame),
        cmocka_unit_test(test_a_slow_answer_is_not_steady),
        cmocka_unit_test(test_written_off_and_quarantined),
        cmocka_unit_test(test_pauses_grow),
        cmocka_unit_test(test_silent_daemon_is_not_the_objects_fault),
        cmocka_unit_test(test_sick_ones_do_not_hold_up_others),
        cmocka_unit_test(test_lost_calls_are_capped),
        cmocka_unit_test(test_blocked_objects_are_left_alone),
        cmocka_unit_test(test_hastened_while_under_way),
        cmocka_unit_test(test_removed_while_under_way),
        cmocka_unit_test(test_reset_blames_nobody),
        cmocka_unit_test(test_random_histories),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
