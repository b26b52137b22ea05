// SPDX-License-Identifier: GPL-3.0-or-later
#define VIR_ENUM_SENTINELS
#include <libvirt/libvirt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "virt/virt.h"

static const int reasons[] = {
    [VIR_DOMAIN_NOSTATE] = 1,
    [VIR_DOMAIN_RUNNING] = VIR_DOMAIN_RUNNING_LAST,
    [VIR_DOMAIN_BLOCKED] = VIR_DOMAIN_BLOCKED_LAST,
    [VIR_DOMAIN_PAUSED] = VIR_DOMAIN_PAUSED_LAST,
    [VIR_DOMAIN_SHUTDOWN] = VIR_DOMAIN_SHUTDOWN_LAST,
    [VIR_DOMAIN_SHUTOFF] = VIR_DOMAIN_SHUTOFF_LAST,
    [VIR_DOMAIN_CRASHED] = VIR_DOMAIN_CRASHED_LAST,
    [VIR_DOMAIN_PMSUSPENDED] = VIR_DOMAIN_PMSUSPENDED_LAST,
};

static void every_state_has_its_own_word(void **state)
{
    assert_int_equal(ARRAY_LEN(reasons), VIR_DOMAIN_LAST);
    for (int i = 0; i < VIR_DOMAIN_LAST; i++) {
        assert_non_null(virt_state_name(i));
        assert_string_not_equal(virt_state_name(i), "unknown");
        for (int k = 0; k < i; k++)
            assert_string_not_equal(virt_state_name(i), virt_state_name(k));
    }
}

static void every_reason_has_its_own_word(void **state)
{
    for (int i = 0; i < VIR_DOMAIN_LAST; i++) {
        assert_string_equal(virt_reason_name(i, 0), "unknown");
        for (int r = 1; r < reasons[i]; r++) {
            assert_non_null(virt_reason_name(i, r));
            for (int k = 0; k < r; k++)
                assert_string_not_equal(virt_reason_name(i, r), virt_reason_name(i, k));
        }
        assert_string_equal(virt_reason_name(i, reasons[i]), "unknown");
        assert_string_equal(virt_reason_name(i, -1), "unknown");
    }
}

static void numbers_beyond_the_tables_are_unknown(void **state)
{
    static const int outside[] = {-1, VIR_DOMAIN_LAST, INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < ARRAY_LEN(outside); i++) {
        assert_string_equal(virt_state_name(outside[i]), "unknown");
        assert_string_equal(virt_reason_name(outside[i], 0), "unknown");
        assert_false(virt_state_is_active(outside[i]));
    }
}

static void words_are_those_of_libvirt(void **state)
{
    assert_string_equal(virt_state_name(1), "running");
    assert_string_equal(virt_state_name(5), "shut off");
    assert_string_equal(virt_reason_name(1, 1), "booted");
    assert_string_equal(virt_reason_name(3, 5), "I/O error");
    assert_string_equal(virt_reason_name(5, 3), "crashed");
    assert_string_equal(virt_reason_name(6, 1), "panicked");
}

static void a_process_exists_unless_shut_off(void **state)
{
    assert_true(virt_state_is_active(VIR_DOMAIN_RUNNING));
    assert_true(virt_state_is_active(VIR_DOMAIN_PAUSED));
    assert_true(virt_state_is_active(VIR_DOMAIN_CRASHED));
    assert_true(virt_state_is_active(VIR_DOMAIN_PMSUSPENDED));
    assert_false(virt_state_is_active(VIR_DOMAIN_SHUTOFF));
    assert_false(virt_state_is_active(VIR_DOMAIN_NOSTATE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_has_its_own_word),
        cmocka_unit_test(every_reason_has_its_own_word),
        cmocka_unit_test(numbers_beyond_the_tables_are_unknown),
        cmocka_unit_test(words_are_those_of_libvirt),
        cmocka_unit_test(a_process_exists_unless_shut_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
