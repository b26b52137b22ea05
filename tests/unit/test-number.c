// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/number.h"

static void check_u64(const char *text, int r, uint64_t expected)
{
    uint64_t v = 4711;
    if (number_parse_u64(text, &v) != r)
        fail_msg("\"%s\" did not give %d", text, r);
    assert_int_equal(v, r == 0 ? expected : 4711);
}

static void unsigned_numbers(void **state)
{
    check_u64("0", 0, 0);
    check_u64("007", 0, 7);
    check_u64("18446744073709551615", 0, UINT64_MAX);
    check_u64("18446744073709551616", -ERANGE, 0);
    check_u64("99999999999999999999999", -ERANGE, 0);
    static const char *const bad[] = {"", " 1", "1 ", "+1", "-1", "1.0", "0x1", "1e3", "a", "1a"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        check_u64(bad[i], -EINVAL, 0);
}

static void check_i64(const char *text, int r, int64_t expected)
{
    int64_t v = 4711;
    if (number_parse_i64(text, &v) != r)
        fail_msg("\"%s\" did not give %d", text, r);
    assert_int_equal(v, r == 0 ? expected : 4711);
}

static void signed_numbers(void **state)
{
    check_i64("-0", 0, 0);
    check_i64("9223372036854775807", 0, INT64_MAX);
    check_i64("9223372036854775808", -ERANGE, 0);
    check_i64("-9223372036854775808", 0, INT64_MIN);
    check_i64("-9223372036854775809", -ERANGE, 0);
    static const char *const bad[] = {"", "-", "--1", "- 1", "+1", "-a", "1-"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        check_i64(bad[i], -EINVAL, 0);
}

static void check_f64(const char *text, int r, double expected)
{
    double v = 4711;
    if (number_parse_f64(text, &v) != r)
        fail_msg("\"%s\" did not give %d", text, r);
    assert_true(v == (r == 0 ? expected : 4711));
}

static void doubles(void **state)
{
    check_f64("0", 0, 0);
    check_f64("-1.5", 0, -1.5);
    check_f64(".5", 0, 0.5);
    check_f64("1e3", 0, 1000);
    check_f64("1e400", -ERANGE, 0);
    static const char *const bad[] = {"",     "-",        " 1",    "1 ",       "nan",  "inf",
                                      "-inf", "+1",       "1,5",   "0x10",     "-0x1", "-nan",
                                      "1e",   "infinity", "1.2.3", "-infinity"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        check_f64(bad[i], -EINVAL, 0);
}

static void check_duration(const char *text, int r, int64_t expected)
{
    int64_t v = 4711;
    if (number_parse_duration(text, &v) != r)
        fail_msg("\"%s\" did not give %d", text, r);
    assert_int_equal(v, r == 0 ? expected : 4711);
}

static void durations(void **state)
{
    check_duration("250ms", 0, 250000000);
    check_duration("10s", 0, INT64_C(10000000000));
    check_duration("5m", 0, INT64_C(300000000000));
    check_duration("2h", 0, INT64_C(7200000000000));
    check_duration("7d", 0, INT64_C(604800000000000));
    check_duration("0s", 0, 0);
    check_duration("106751d", 0, INT64_C(9223286400000000000));
    check_duration("106752d", -ERANGE, 0);
    check_duration("213504d", -ERANGE, 0);
    check_duration("18446744073709551616s", -ERANGE, 0);
    static const char *const bad[] = {"", "10", "s", "-1s", "1.5s", "10 s", "10S", "1s ", "1w"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        check_duration(bad[i], -EINVAL, 0);
}

static void check_size(const char *text, int r, uint64_t expected)
{
    uint64_t v = 4711;
    if (number_parse_size(text, &v) != r)
        fail_msg("\"%s\" did not give %d", text, r);
    assert_int_equal(v, r == 0 ? expected : 4711);
}

static void sizes(void **state)
{
    check_size("512", 0, 512);
    check_size("64K", 0, 65536);
    check_size("40M", 0, 41943040);
    check_size("2G", 0, 2147483648);
    check_size("16777215T", 0, UINT64_C(16777215) << 40);
    check_size("16777216T", -ERANGE, 0);
    static const char *const bad[] = {"", "K", "-1", "1.5G", "1k", "1KB", "1 K", "1P"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        check_size(bad[i], -EINVAL, 0);
}

static void scanning_a_line(void **state)
{
    const char *p = "  12\t-34 word 99999999999999999999 \n5";
    uint64_t u = 0;
    int64_t i = 0;
    assert_true(number_scan_u64(&p, &u));
    assert_int_equal(u, 12);
    assert_false(number_scan_u64(&p, &u));
    assert_int_equal(*p, '\t');
    assert_true(number_scan_i64(&p, &i));
    assert_int_equal(i, -34);
    assert_true(number_skip_words(&p, 1));
    const char *before = p;
    u = 1;
    assert_false(number_scan_u64(&p, &u));
    assert_ptr_equal(p, before);
    assert_int_equal(u, 1);
    assert_false(number_skip_words(&p, 2));
    assert_ptr_equal(p, before);
    assert_true(number_skip_words(&p, 1));
    // A line end is not skipped as a blank.
    assert_false(number_scan_u64(&p, &u));
    assert_false(number_skip_words(&p, 1));
    assert_true(number_skip_words(&p, 0));
}

static void agrees_with_strtoull(void **state)
{
    uint64_t random = 99;
    for (int i = 0; i < 20000; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        uint64_t wanted = random >> (random % 64);
        CLEANUP(freep) char *text = mem_printf("%lu", wanted);
        check_u64(text, 0, wanted);
        CLEANUP(freep) char *negative = mem_printf("-%lu", wanted >> 1);
        check_i64(negative, 0, -(int64_t)(wanted >> 1));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unsigned_numbers),
        cmocka_unit_test(signed_numbers),
        cmocka_unit_test(doubles),
        cmocka_unit_test(durations),
        cmocka_unit_test(sizes),
        cmocka_unit_test(scanning_a_line),
        cmocka_unit_test(agrees_with_strtoull),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
