// SPDX-License-Identifier: GPL-3.0-or-later
#include "auth/backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"

#define S NS_PER_S

static void waits_grow_to_the_limit(void **state)
{
    static const int64_t waits[] = {0, 0, 0, 0, 1, 2, 4, 8, 10, 10};
    struct backoff *b = backoff_new(10 * S);
    int64_t now = 100 * S;
    assert_int_equal(backoff_wait_ns(b, "a", now), 0);
    for (size_t i = 0; i < ARRAY_LEN(waits); i++) {
        backoff_failed(b, "a", now);
        assert_int_equal(backoff_wait_ns(b, "a", now), waits[i] * S);
        assert_int_equal(backoff_wait_ns(b, "b", now), 0);
        now += waits[i] * S;
        assert_int_equal(backoff_wait_ns(b, "a", now), 0);
    }
    backoff_succeeded(b, "a");
    backoff_failed(b, "a", now);
    assert_int_equal(backoff_wait_ns(b, "a", now), 0);
    backoff_free(b);
}

static void failures_are_forgotten(void **state)
{
    struct backoff *b = backoff_new(3600 * S);
    for (int i = 0; i < 20; i++)
        backoff_failed(b, "a", 0);
    assert_true(backoff_wait_ns(b, "a", 899 * S) > 0);
    assert_int_equal(backoff_wait_ns(b, "a", 900 * S), 0);
    backoff_failed(b, "a", 900 * S);
    assert_int_equal(backoff_wait_ns(b, "a", 900 * S), 0);
    backoff_free(b);
}

// The most recent failures stay, however many names are tried.
static void memory_is_bounded(void **state)
{
    struct backoff *b = backoff_new(60 * S);
    for (int i = 0; i < 10; i++)
        backoff_failed(b, "kept", 0);
    for (int i = 0; i < 4095; i++) {
        char key[16];
        snprintf(key, sizeof(key), "%d", i);
        backoff_failed(b, key, 0);
    }
    assert_true(backoff_wait_ns(b, "kept", 0) > 0);
    backoff_failed(b, "one more", 0);
    assert_int_equal(backoff_wait_ns(b, "kept", 0), 0);
    backoff_free(b);
}

static void address_keys(void **state)
{
    static const char *const cases[][2] = {
        {"10.1.2.3", "10.1.2.3"},
        {"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"},
        {"2001:db8:1:2::9", "2001:db8:1:2::/64"},
        {"::ffff:10.1.2.3", "::ffff:10.1.2.3"},
        {"", ""},
    };
    char key[64];
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        backoff_address_key(cases[i][0], key);
        assert_string_equal(key, cases[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_grow_to_the_limit),
        cmocka_unit_test(failures_are_forgotten),
        cmocka_unit_test(memory_is_bounded),
        cmocka_unit_test(address_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
