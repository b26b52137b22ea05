// SPDX-License-Identifier: GPL-3.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/prng.h"

// First outputs of xoshiro256** from the state 1, 2, 3, 4, by its reference implementation.
static void the_reference_sequence(void **state)
{
    struct prng p = {{1, 2, 3, 4}};
    static const uint64_t expected[] = {11520, 0, 1509978240, 1215971899390074240};
    for (size_t i = 0; i < 4; i++)
        assert_true(prng_next(&p) == expected[i]);
}

static void seeds_and_streams_differ(void **state)
{
    struct prng a, b, c, again;
    prng_init(&a, 0, 0);
    prng_init(&b, 0, 1);
    prng_init(&c, 1, 0);
    prng_init(&again, 0, 0);
    uint64_t x = prng_next(&a);
    assert_true(x == prng_next(&again));
    assert_true(x != prng_next(&b));
    assert_true(x != prng_next(&c));
}

static void ranges(void **state)
{
    struct prng p;
    unsigned seen[7] = {0};
    double sum = 0;
    prng_init(&p, 42, 0);
    for (int i = 0; i < 7000; i++) {
        uint64_t v = prng_below(&p, 7);
        assert_true(v < 7);
        seen[v]++;
        double d = prng_double(&p);
        assert_true(d >= 0 && d < 1);
        sum += d;
    }
    for (size_t i = 0; i < 7; i++)
        assert_in_range(seen[i], 850, 1150);
    assert_true(sum > 3400 && sum < 3600);
    assert_int_equal(prng_below(&p, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reference_sequence),
        cmocka_unit_test(seeds_and_streams_differ),
        cmocka_unit_test(ranges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
