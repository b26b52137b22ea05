// SPDX-License-Identifier: GPL-3.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <errno.h>
#include <math.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/prng.h"
#include "near.h"
#include "place/allocate.h"

static void solves(const struct allocate_problem *p, enum allocate_fairness f, double *amount)
{
    struct allocate_result result = {.amount = amount};
    struct err err = {0};
    if (allocate_solve(p, f, NULL, &result, &err) < 0)
        fail_msg("%s", err.message);
    assert_true(result.optimal);
    assert_near(result.gap, 0, 0);
}

static void test_max_min_by_hand(void **state)
{
    // 10 CPUs: "small" needs 1, the guarantee of "sure" is above its fair part, the rest share 1:2.
    static const struct allocate_vm vms[] = {
        {"small", 0, 1, 1}, {"sure", 5, 8, 1}, {"a", 0, 8, 1}, {"b", 0, 8, 2}};
    static const struct allocate_cap caps[] = {{"host", 10, NULL, 0}};
    struct allocate_problem p = {vms, 4, caps, 1};
    static const double expected[] = {1, 5, 4.0 / 3, 8.0 / 3};
    double amount[4];
    solves(&p, ALLOCATE_MAX_MIN, amount);
    for (int i = 0; i < 4; i++)
        assert_near(amount[i], expected[i], 1e-9);
    struct allocate_result greedy = {.amount = amount};
    assert_int_equal(allocate_greedy(&p, ALLOCATE_MAX_MIN, &greedy, NULL), 0);
    for (int i = 0; i < 4; i++)
        assert_near(amount[i], expected[i], 1e-9);
}

static void test_a_tenants_cap_leaves_the_rest_to_others(void **state)
{
    static const struct allocate_vm vms[] = {{"a", 0, 8, 1}, {"b", 0, 8, 1}, {"c", 0, 8, 1}};
    static const int32_t tenant[] = {0, 1};
    static const struct allocate_cap caps[] = {{"host", 9, NULL, 0}, {"tenant", 3, tenant, 2}};
    struct allocate_problem p = {vms, 3, caps, 2};
    double amount[3];
    for (int f = 0; f < ALLOCATE_FAIRNESSES; f++) {
        solves(&p, f, amount);
        assert_near(amount[0] + amount[1], 3, 1e-9);
        assert_near(amount[2], 6, 1e-9);
    }
}

static void test_equal_vms_get_equal_parts(void **state)
{
    static const struct allocate_vm vms[] = {{"a", 0, 16, 1}, {"b", 0, 16, 1}};
    static const struct allocate_cap caps[] = {{"host", 16, NULL, 0}};
    struct allocate_problem p = {vms, 2, caps, 1};
    double amount[2];
    solves(&p, ALLOCATE_PROPORTIONAL, amount);
    // Straight pieces: equal to within the piece that 8 lies in.
    assert_near(amount[0] + amount[1], 16, 1e-9);
    assert_true(fabs(amount[0] - amount[1]) < 2.5);
}

static void test_impossible_guarantees_are_named(void **state)
{
    static const struct allocate_vm vms[] = {{"a", 3, 8, 1}, {"b", 2, 8, 1}};
    static const struct allocate_cap caps[] = {{"node 0", 4, NULL, 0}};
    struct allocate_problem p = {vms, 2, caps, 1};
    double amount[2];
    struct allocate_result result = {.amount = amount};
    struct err err = {0};
    assert_int_equal(allocate_solve(&p, ALLOCATE_MAX_MIN, NULL, &result, &err), -ENOSPC);
    assert_string_equal(err.message, "node 0: the guarantees add up to 5, the limit is 4");
    static const struct allocate_vm bad[] = {{"a", 3, 2, 1}};
    p.vms = bad;
    p.n_vms = 1;
    assert_int_equal(allocate_solve(&p, ALLOCATE_MAX_MIN, NULL, &result, &err), -EINVAL);
}

#define VMS 60

struct random_case {
    struct allocate_vm vms[VMS];
    struct allocate_cap caps[5];
    int32_t members[4][VMS];
    struct allocate_problem problem;
};

static void draw(struct prng *p, struct random_case *c)
{
    size_t n = 2 + prng_below(p, VMS - 2);
    double least = 0, most = 0;
    for (size_t i = 0; i < n; i++) {
        struct allocate_vm *v = &c->vms[i];
        v->name = "vm";
        v->least = prng_below(p, 3) ? 0 : prng_double(p);
        v->most = v->least + 8 * prng_double(p);
        v->weight = 1 + (double)prng_below(p, 4);
        least += v->least;
        most += v->most;
    }
    c->caps[0] = (struct allocate_cap){"host", least + (most - least) * prng_double(p), NULL, 0};
    size_t caps = 1 + prng_below(p, 4);
    for (size_t k = 1; k < caps; k++) {
        double inside = 0, room = 0;
        size_t members = 0;
        for (size_t i = 0; i < n; i++) {
            if (prng_below(p, 3))
                continue;
            c->members[k - 1][members++] = (int32_t)i;
            inside += c->vms[i].least;
            room += c->vms[i].most - c->vms[i].least;
        }
        c->caps[k] = (struct allocate_cap){"cap", inside + room * prng_double(p), c->members[k - 1],
                                           members};
    }
    c->problem = (struct allocate_problem){c->vms, n, c->caps, caps};
}

static void test_random_cases(void **state)
{
    struct prng p;
    CLEANUP(freep) struct random_case *c = mem_zalloc(sizeof(*c));
    double amount[VMS], filled[VMS];
    prng_init(&p, 3, 0);
    for (int round = 0; round < 150; round++) {
        draw(&p, c);
        for (int f = 0; f < ALLOCATE_FAIRNESSES; f++) {
            struct allocate_result lp = {.amount = amount}, greedy = {.amount = filled};
            assert_int_equal(allocate_solve(&c->problem, f, NULL, &lp, NULL), 0);
            assert_int_equal(allocate_greedy(&c->problem, f, &greedy, NULL), 0);
            assert_true(lp.optimal);
            assert_true(allocate_worst_breach(&c->problem, amount) <= 1e-9);
            assert_true(allocate_worst_breach(&c->problem, filled) <= 1e-9);
            double slack = 1e-7 * fmax(1, fabs(lp.objective));
            assert_true(lp.objective >= greedy.objective - slack);
            assert_true(lp.objective <= greedy.bound + slack);
            // Filling is exact for max-min: all amounts, not only the least.
            for (size_t i = 0; f == ALLOCATE_MAX_MIN && i < c->problem.n_vms; i++)
                assert_near(amount[i], filled[i], 1e-6);
        }
    }
}

static void test_a_limit_gives_the_best_so_far_and_its_gap(void **state)
{
    struct prng p;
    CLEANUP(freep) struct random_case *c = mem_zalloc(sizeof(*c));
    double amount[VMS];
    int cut = 0;
    prng_init(&p, 5, 0);
    for (int round = 0; round < 50; round++) {
        draw(&p, c);
        for (int f = 0; f < ALLOCATE_FAIRNESSES; f++) {
            struct allocate_result whole = {.amount = amount};
            assert_int_equal(allocate_solve(&c->problem, f, NULL, &whole, NULL), 0);
            struct allocate_result r = {.amount = amount};
            assert_int_equal(allocate_solve(&c->problem, f,
                                            &(struct allocate_limits){.iterations = 1}, &r, NULL),
                             0);
            assert_true(allocate_worst_breach(&c->problem, amount) <= 1e-9);
            double slack = 1e-7 * fmax(1, fabs(whole.objective));
            assert_true(r.objective <= whole.objective + slack);
            assert_true(r.bound >= whole.objective - slack);
            cut += !r.optimal;
            if (!r.optimal)
                assert_near(r.gap, (r.bound - r.objective) / fmax(1, fabs(r.bound)), 1e-9);
        }
    }
    assert_true(cut > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_max_min_by_hand),
        cmocka_unit_test(test_a_tenants_cap_leaves_the_rest_to_others),
        cmocka_unit_test(test_equal_vms_get_equal_parts),
        cmocka_unit_test(test_impossible_guarantees_are_named),
        cmocka_unit_test(test_random_cases),
        cmocka_unit_test(test_a_limit_gives_the_best_so_far_and_its_gap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
