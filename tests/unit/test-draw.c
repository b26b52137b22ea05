// SPDX-License-Identifier: GPL-3.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <math.h>

#include <cmocka.h>

#include "base/draw.h"

#define DRAWS 200000

static void test_a_seed_is_a_sequence(void **state)
{
    struct prng a, b, c;
    prng_init(&a, 7, 0);
    prng_init(&b, 7, 0);
    prng_init(&c, 8, 0);
    int same = 0;
    for (int i = 0; i < 100; i++) {
        uint64_t v = prng_next(&a);
        assert_int_equal(v, prng_next(&b));
        same += v == prng_next(&c);
    }
    assert_int_equal(same, 0);
}

static void test_below_is_even(void **state)
{
    struct prng p;
    unsigned count[7] = {0};
    prng_init(&p, 1, 0);
    for (int i = 0; i < DRAWS; i++)
        count[prng_below(&p, 7)]++;
    for (int i = 0; i < 7; i++)
        assert_true(fabs(count[i] - DRAWS / 7.0) < 5 * sqrt(DRAWS / 7.0));
    assert_int_equal(prng_below(&p, 1), 0);
}

static double mean_of(double (*draw)(struct prng *p))
{
    struct prng p;
    double sum = 0;
    prng_init(&p, 42, 0);
    for (int i = 0; i < DRAWS; i++)
        sum += draw(&p);
    return sum / DRAWS;
}

static double unit(struct prng *p)
{
    double v = prng_double(p);
    assert_true(v >= 0 && v < 1);
    return v;
}

static double exponential(struct prng *p)
{
    return draw_exponential(p, 3);
}

static double normal(struct prng *p)
{
    return draw_normal(p, 10, 2);
}

static double normal_square(struct prng *p)
{
    double v = draw_normal(p, 0, 2);
    return v * v;
}

static double weibull(struct prng *p)
{
    return draw_weibull(p, 2, 1);
}

static double pareto(struct prng *p)
{
    double v = draw_pareto(p, 3, 2);
    assert_true(v >= 2);
    return v;
}

static void test_means_of_distributions(void **state)
{
    assert_true(fabs(mean_of(unit) - 0.5) < 0.005);
    assert_true(fabs(mean_of(exponential) - 3) < 0.04);
    assert_true(fabs(mean_of(normal) - 10) < 0.03);
    assert_true(fabs(mean_of(normal_square) - 4) < 0.08);
    assert_true(fabs(mean_of(weibull) - 0.886227) < 0.006);
    assert_true(fabs(mean_of(pareto) - 3) < 0.05);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_seed_is_a_sequence),
        cmocka_unit_test(test_below_is_even),
        cmocka_unit_test(test_means_of_distributions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
