// SPDX-License-Identifier: GPL-3.0-or-later
#include "unit.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"

static void names_tell_units(void **state)
{
    static const struct {
        const char *expression;
        enum unit unit;
    } rows[] = {
        {"vherd_vm_resident_bytes", UNIT_BYTES},
        {"sum by (domain) (rate(libvirt_domain_block_stats_read_bytes_total{domain=\"a\"}[5m]))",
         UNIT_BYTES_PER_SECOND},
        {"rate(libvirt_domain_vcpu_time_seconds_total[1m])", UNIT_RATIO},
        {"increase(libvirt_domain_vcpu_time_seconds_total[1m])", UNIT_SECONDS},
        {"a_bytes - b_bytes", UNIT_BYTES},
        {"a_bytes / b_bytes", UNIT_NONE},
        {"a_bytes - b_seconds", UNIT_NONE},
        {"count(a_bytes)", UNIT_NONE},
        {"rate(a_requests_total[1m])", UNIT_PER_SECOND},
        {"a_requests_total", UNIT_NONE},
        {"x{file=\"/a_bytes\"}", UNIT_NONE},
        {"x_ratio{a=\"}\"}", UNIT_RATIO},
        {"a_bytes > bool 1", UNIT_NONE},
        {"{__name__=\"a", UNIT_NONE},
        {"\"\\", UNIT_NONE},
        {"", UNIT_NONE},
        {"up", UNIT_NONE},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (unit_of_expression(rows[i].expression) != rows[i].unit)
            fail_msg("%s: %d", rows[i].expression, (int)unit_of_expression(rows[i].expression));
}

static void numbers_have_their_unit(void **state)
{
    static const struct {
        enum unit unit;
        double v;
        const char *text;
    } rows[] = {
        {UNIT_BYTES, 1536, "1.50 KiB"},     {UNIT_BYTES_PER_SECOND, 0, "0 B/s"},
        {UNIT_BYTES, -1536, "-1.50 KiB"},   {UNIT_RATIO, 0.123, "12.3%"},
        {UNIT_SECONDS, 0.00085, "850 us"},  {UNIT_SECONDS, 7200, "2h"},
        {UNIT_PER_SECOND, 1200, "1.20k/s"}, {UNIT_NONE, 12, "12"},
        {UNIT_BYTES, NAN, "NaN"},           {UNIT_RATIO, INFINITY, "+Inf"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_done) struct buf out;
        buf_init(&out, 256);
        unit_put(rows[i].unit, rows[i].v, false, &out);
        assert_string_equal(out.data, rows[i].text);
    }
}

static void each_unit_has_a_name(void **state)
{
    for (int i = 0; i < UNIT_MAX; i++)
        assert_non_null(unit_name((enum unit)i));
    assert_true(unit_is_binary(UNIT_BYTES));
    assert_false(unit_is_binary(UNIT_SECONDS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_tell_units),
        cmocka_unit_test(numbers_have_their_unit),
        cmocka_unit_test(each_unit_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
