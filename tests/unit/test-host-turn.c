// SPDX-License-Identifier: GPL-3.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "host_turn.h"

static unsigned count_due(const struct turns *t)
{
    unsigned n = 0;
    for (int i = 0; i < TURNS; i++)
        n += t->due[i];
    return n;
}

// Samples `interval` apart: after the first, the oldest source at each sample is how old?
static int64_t oldest(int64_t interval, int samples, unsigned *ret_most_due)
{
    struct turns t = {.now = 7};
    int64_t now = 100 * NS_PER_S, worst = 0;
    *ret_most_due = 0;
    for (int i = 0; i < samples; i++, now += interval) {
        turns_next(&t, now, false);
        for (int k = 0; k < TURNS; k++)
            if (now - t.read_ns[k] > worst)
                worst = now - t.read_ns[k];
        if (i >= TURNS && count_due(&t) > *ret_most_due)
            *ret_most_due = count_due(&t);
    }
    return worst;
}

static void test_first_reads_all(void **state)
{
    struct turns t = {0};
    turns_next(&t, 5 * NS_PER_S, false);
    assert_int_equal(count_due(&t), TURNS);
    turns_next(&t, 6 * NS_PER_S, true);
    assert_int_equal(count_due(&t), TURNS);
}

static void test_one_each_second(void **state)
{
    unsigned most;
    assert_int_equal(oldest(NS_PER_S, 100, &most), 2 * NS_PER_S);
    assert_int_equal(most, 1);
    assert_int_equal(oldest(NS_PER_S / 10, 100, &most), 2 * NS_PER_S / 10);
    assert_int_equal(most, 1);
}

static void test_all_where_samples_are_far_apart(void **state)
{
    unsigned most;
    assert_int_equal(oldest(10 * NS_PER_S, 20, &most), 0);
    assert_int_equal(most, TURNS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_reads_all),
        cmocka_unit_test(test_one_each_second),
        cmocka_unit_test(test_all_where_samples_are_far_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
