// SPDX-License-Identifier: GPL-3.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"

static void fake_stands_still_until_told(void **state)
{
    struct clock_fake f;
    clock_fake_init(&f, 5 * NS_PER_S, 1700000000 * NS_PER_S);
    assert_int_equal(clock_mono_ns(&f.clock), 5 * NS_PER_S);
    assert_int_equal(clock_mono_ns(&f.clock), 5 * NS_PER_S);
    assert_int_equal(clock_real_ns(&f.clock), 1700000000 * NS_PER_S);
    clock_fake_advance(&f, 250 * NS_PER_MS);
    assert_int_equal(clock_mono_ns(&f.clock), 5250 * NS_PER_MS);
    assert_int_equal(clock_real_ns(&f.clock), 1700000000 * NS_PER_S + 250 * NS_PER_MS);
}

static void machine_clock_goes_forward(void **state)
{
    int64_t before = clock_mono_ns(&clock_system);
    for (int i = 0; i < 1000; i++) {
        int64_t now = clock_mono_ns(&clock_system);
        assert_true(now >= before);
        before = now;
    }
    // After this was written, before nanoseconds overflow.
    assert_true(clock_real_ns(&clock_system) > 1700000000 * NS_PER_S);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fake_stands_still_until_told),
        cmocka_unit_test(machine_clock_goes_forward),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
