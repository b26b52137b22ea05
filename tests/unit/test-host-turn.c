// SPDX-License-Identifier: GPL-3.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "host_turn.h"
#include "virt/host.h"

enum what { HOST_SOURCE, AT_REST, AT_WORK };

// Samples `interval` apart: the longest pause between two turns, and how many there were.
static int64_t longest_pause(int64_t interval, int samples, enum what what, int *ret_turns)
{
    struct turns t = {.now = 7};
    int64_t now = 100 * NS_PER_S, last = 0, longest = 0;
    *ret_turns = 0;
    for (int i = 0; i < samples; i++, now += interval) {
        bool due = what == HOST_SOURCE ? turns_next(&t, now, false)
                                       : turns_next_guest(&t, now, false, what == AT_REST);
        if (!due)
            continue;
        if (last && now - last > longest)
            longest = now - last;
        last = now;
        ++*ret_turns;
    }
    return longest;
}

static void test_first_and_changed_are_due(void **state)
{
    struct turns t = {.now = 1};
    assert_true(turns_next(&t, 5 * NS_PER_S, false));
    assert_false(turns_next(&t, 6 * NS_PER_S, false));
    assert_true(turns_next(&t, 7 * NS_PER_S, true));
}

static void test_every_fifth(void **state)
{
    int turns;
    assert_int_equal(longest_pause(NS_PER_S, 100, HOST_SOURCE, &turns), 5 * NS_PER_S);
    assert_in_range(turns, 20, 21);
    assert_int_equal(longest_pause(NS_PER_S / 10, 100, HOST_SOURCE, &turns), 5 * NS_PER_S / 10);
    assert_in_range(turns, 20, 21);
}

static void test_each_where_samples_are_far_apart(void **state)
{
    int turns;
    assert_int_equal(longest_pause(10 * NS_PER_S, 20, HOST_SOURCE, &turns), 10 * NS_PER_S);
    assert_int_equal(turns, 20);
    assert_int_equal(longest_pause(2 * NS_PER_S, 21, HOST_SOURCE, &turns), 6 * NS_PER_S);
}

static void test_each_at_work(void **state)
{
    int turns;
    assert_int_equal(longest_pause(NS_PER_S, 100, AT_WORK, &turns), NS_PER_S);
    assert_int_equal(turns, 100);
}

static void test_every_tenth_at_rest_and_at_once_after(void **state)
{
    int turns;
    assert_int_equal(longest_pause(NS_PER_S, 100, AT_REST, &turns), 10 * NS_PER_S);
    assert_in_range(turns, 10, 11);
    struct turns t = {.now = 1};
    assert_true(turns_next_guest(&t, 5 * NS_PER_S, false, true));
    for (int64_t s = 6; s < 12; s++)
        assert_false(turns_next_guest(&t, s * NS_PER_S, false, true));
    assert_true(turns_next_guest(&t, 12 * NS_PER_S, false, false));
}

static void test_the_pause_is_bounded_as_said(void **state)
{
    static const int64_t intervals_ns[] = {NS_PER_S / 10, NS_PER_S,     2 * NS_PER_S,
                                           3 * NS_PER_S,  5 * NS_PER_S, 60 * NS_PER_S};
    for (size_t i = 0; i < sizeof(intervals_ns) / sizeof(intervals_ns[0]); i++) {
        int turns;
        int64_t pause = longest_pause(intervals_ns[i], 100, HOST_SOURCE, &turns);
        int64_t at_rest = longest_pause(intervals_ns[i], 100, AT_REST, &turns);
        assert_in_range(pause, intervals_ns[i], at_rest);
        assert_in_range(at_rest, pause, host_turn_ns(intervals_ns[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_and_changed_are_due),
        cmocka_unit_test(test_every_fifth),
        cmocka_unit_test(test_each_where_samples_are_far_apart),
        cmocka_unit_test(test_each_at_work),
        cmocka_unit_test(test_every_tenth_at_rest_and_at_once_after),
        cmocka_unit_test(test_the_pause_is_bounded_as_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
