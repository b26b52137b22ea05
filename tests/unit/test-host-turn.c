// SPDX-License-Identifier: GPL-3.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "host_turn.h"
#include "virt/host.h"

#define EVERY_NS HOST_DETAIL_NS

// Samples `interval` apart: the longest pause between two turns, and how many there were.
static int64_t longest_pause_of(int64_t interval, int samples, int64_t every_ns, int *ret_turns)
{
    struct turns t = {.now = 7};
    int64_t now = 100 * NS_PER_S, last = 0, longest = 0;
    *ret_turns = 0;
    for (int i = 0; i < samples; i++, now += interval) {
        if (!turns_next(&t, now, every_ns, false))
            continue;
        if (last && now - last > longest)
            longest = now - last;
        last = now;
        ++*ret_turns;
    }
    return longest;
}

static int64_t longest_pause(int64_t interval, int samples, int *ret_turns)
{
    return longest_pause_of(interval, samples, EVERY_NS, ret_turns);
}

static void test_first_and_changed_are_due(void **state)
{
    struct turns t = {.now = 1};
    assert_true(turns_next(&t, 5 * NS_PER_S, EVERY_NS, false));
    assert_false(turns_next(&t, 6 * NS_PER_S, EVERY_NS, false));
    assert_true(turns_next(&t, 7 * NS_PER_S, EVERY_NS, true));
}

static void test_every_fifth(void **state)
{
    int turns;
    assert_int_equal(longest_pause(NS_PER_S, 100, &turns), 5 * NS_PER_S);
    assert_in_range(turns, 20, 21);
}

// What is asked for is a time, however often samples are taken.
static void test_no_more_often_where_samples_are_close(void **state)
{
    int turns;
    assert_in_range(longest_pause(NS_PER_S / 10, 1000, &turns), 4 * NS_PER_S, 5 * NS_PER_S);
    assert_in_range(turns, 20, 25);
    assert_in_range(longest_pause_of(NS_PER_S / 10, 1000, NS_PER_S, &turns), NS_PER_S / 2,
                    NS_PER_S);
    assert_in_range(turns, 100, 120);
}

static void test_each_where_samples_are_far_apart(void **state)
{
    int turns;
    assert_int_equal(longest_pause(10 * NS_PER_S, 20, &turns), 10 * NS_PER_S);
    assert_int_equal(turns, 20);
    assert_int_equal(longest_pause(2 * NS_PER_S, 21, &turns), 6 * NS_PER_S);
}

static void test_every_tenth_at_rest_and_at_once_after(void **state)
{
    int turns;
    int64_t at_rest_ns = turn_at_rest_ns(EVERY_NS);
    assert_int_equal(longest_pause_of(NS_PER_S, 100, at_rest_ns, &turns), 10 * NS_PER_S);
    assert_in_range(turns, 10, 11);
    struct turns t = {.now = 1};
    assert_true(turns_next(&t, 5 * NS_PER_S, at_rest_ns, false));
    for (int64_t s = 6; s < 12; s++)
        assert_false(turns_next(&t, s * NS_PER_S, at_rest_ns, false));
    assert_true(turns_next(&t, 12 * NS_PER_S, EVERY_NS, false));
}

static void test_each_where_that_is_asked_for(void **state)
{
    int turns;
    assert_int_equal(longest_pause_of(NS_PER_S, 100, NS_PER_S, &turns), NS_PER_S);
    assert_int_equal(turns, 100);
    assert_int_equal(turn_at_rest_ns(NS_PER_S), NS_PER_S);
    assert_int_equal(host_turn_ns(NS_PER_S, NS_PER_S), NS_PER_S);
}

static void test_the_pause_is_bounded_as_said(void **state)
{
    static const int64_t intervals_ns[] = {NS_PER_S / 10, NS_PER_S,     2 * NS_PER_S,
                                           3 * NS_PER_S,  5 * NS_PER_S, 60 * NS_PER_S};
    for (size_t i = 0; i < sizeof(intervals_ns) / sizeof(intervals_ns[0]); i++) {
        int turns;
        int64_t pause = longest_pause(intervals_ns[i], 1000, &turns);
        int64_t at_rest =
            longest_pause_of(intervals_ns[i], 1000, turn_at_rest_ns(EVERY_NS), &turns);
        assert_in_range(pause, intervals_ns[i], at_rest);
        assert_in_range(at_rest, pause, host_turn_ns(intervals_ns[i], EVERY_NS));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_and_changed_are_due),
        cmocka_unit_test(test_every_fifth),
        cmocka_unit_test(test_no_more_often_where_samples_are_close),
        cmocka_unit_test(test_each_where_samples_are_far_apart),
        cmocka_unit_test(test_every_tenth_at_rest_and_at_once_after),
        cmocka_unit_test(test_each_where_that_is_asked_for),
        cmocka_unit_test(test_the_pause_is_bounded_as_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
