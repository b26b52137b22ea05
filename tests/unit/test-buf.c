// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"

static void starts_empty(void **state)
{
    struct buf b;
    buf_init(&b, 10);
    assert_int_equal(b.len, 0);
    assert_int_equal(b.error, 0);
    buf_put(&b, NULL, 0);
    assert_int_equal(b.error, 0);
    size_t len = 77;
    CLEANUP(freep) char *text = buf_take(&b, &len);
    assert_string_equal(text, "");
    assert_int_equal(len, 0);
}

static void keeps_to_its_limit(void **state)
{
    static const size_t limits[] = {0, 1, 2, 63, 64, 65, 100, 127, 128, 4096};
    for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
        struct buf b;
        buf_init(&b, limits[i]);
        for (size_t n = 0; n < limits[i]; n++)
            buf_putc(&b, 'x');
        assert_int_equal(b.error, 0);
        assert_int_equal(b.len, limits[i]);
        assert_true(b.cap <= limits[i] + 1);
        buf_putc(&b, 'y');
        assert_int_equal(b.error, -E2BIG);
        assert_int_equal(b.len, limits[i]);
        assert_null(buf_take(&b, NULL));
    }
}

static void error_sticks_until_reset(void **state)
{
    struct buf b;
    buf_init(&b, 4);
    buf_puts(&b, "abc");
    buf_puts(&b, "toolong");
    assert_int_equal(b.error, -E2BIG);
    buf_putc(&b, 'd');
    assert_int_equal(buf_reserve(&b, 0), -E2BIG);
    assert_string_equal(b.data, "abc");
    buf_reset(&b);
    assert_int_equal(b.error, 0);
    buf_putc(&b, 'd');
    assert_string_equal(b.data, "d");
    buf_done(&b);
}

static void huge_sizes_do_not_wrap(void **state)
{
    struct buf b;
    buf_init(&b, 100);
    buf_puts(&b, "x");
    assert_int_equal(buf_reserve(&b, SIZE_MAX), -E2BIG);
    buf_done(&b);
    buf_init(&b, SIZE_MAX);
    assert_int_equal(buf_reserve(&b, 100), 0);
    buf_puts(&b, "still works");
    assert_string_equal(b.data, "still works");
    buf_done(&b);
    buf_init(&b, SIZE_MAX);
    assert_true(buf_reserve(&b, SIZE_MAX) < 0);
    buf_done(&b);
}

static void fresh_buffer_is_terminated(void **state)
{
    struct buf b;
    buf_init(&b, 100);
    assert_int_equal(buf_reserve(&b, 10), 0);
    assert_int_equal(b.data[0], '\0');
    buf_printf(&b, "%s", "");
    assert_string_equal(b.data, "");
    buf_done(&b);
}

static void printf_grows_and_fails_whole(void **state)
{
    struct buf b;
    buf_init(&b, 300);
    for (int i = 0; i < 50; i++)
        buf_printf(&b, "%d,", i);
    assert_int_equal(b.error, 0);
    assert_int_equal(b.len, strlen(b.data));
    size_t before = b.len;
    buf_printf(&b, "%0300d", 1);
    assert_int_equal(b.error, -E2BIG);
    assert_int_equal(b.len, before);
    buf_done(&b);
}

static void holds_nul_bytes(void **state)
{
    struct buf b;
    buf_init(&b, 16);
    buf_put(&b, "a\0b", 3);
    assert_int_equal(b.len, 3);
    assert_memory_equal(b.data, "a\0b\0", 4);
    buf_done(&b);
}

static void whole_numbers(void **state)
{
    struct buf b;
    buf_init(&b, 200);
    buf_u64(&b, 0);
    buf_putc(&b, ' ');
    buf_u64(&b, UINT64_MAX);
    buf_putc(&b, ' ');
    buf_i64(&b, INT64_MIN);
    buf_putc(&b, ' ');
    buf_i64(&b, INT64_MAX);
    buf_putc(&b, ' ');
    buf_i64(&b, -1);
    assert_string_equal(b.data,
                        "0 18446744073709551615 -9223372036854775808 9223372036854775807 -1");
    buf_done(&b);
}

static void check_f64(double v, const char *expected)
{
    struct buf b;
    buf_init(&b, 100);
    buf_f64(&b, v);
    assert_string_equal(b.data, expected);
    buf_done(&b);
}

static void doubles_as_documented(void **state)
{
    check_f64(0, "0");
    check_f64(1, "1");
    check_f64(-3, "-3");
    check_f64(0.1, "0.1");
    check_f64(0.31, "0.31");
    check_f64(1.0 / 3, "0.3333333333333333");
    check_f64(9007199254740991.0, "9007199254740991");
    check_f64(1763670000.25, "1763670000.25");
    check_f64(NAN, "NaN");
    check_f64(INFINITY, "+Inf");
    check_f64(-INFINITY, "-Inf");
}

// The claim is "the shortest text that reads back the same": read back, and compare with the
// length that fewer digits would need.
static void doubles_read_back(void **state)
{
    static const double special[] = {
        DBL_MAX, DBL_MIN, DBL_EPSILON,         5e-324, 9007199254740993.0, 1e22,
        1e23,    -1e-7,   123456789012345680.0};
    uint64_t random = 1;
    for (int i = 0; i < 20000; i++) {
        double v = 0;
        if (i < (int)ARRAY_LEN(special)) {
            v = special[i];
        } else {
            random = random * 6364136223846793005u + 1442695040888963407u;
            memcpy(&v, &random, sizeof(v));
        }
        if (!isfinite(v))
            continue;
        struct buf b;
        buf_init(&b, 100);
        buf_f64(&b, v);
        assert_int_equal(b.error, 0);
        assert_true(strtod(b.data, NULL) == v);
        for (int precision = 1; precision < 15; precision += 3) {
            char shorter[64];
            snprintf(shorter, sizeof(shorter), "%.*g", precision, v);
            if (isnormal(v) && v != trunc(v) && strtod(shorter, NULL) == v)
                assert_true(b.len <= strlen(shorter));
        }
        buf_done(&b);
    }
}

static void check_ns(int64_t ns, const char *expected)
{
    struct buf b;
    buf_init(&b, 100);
    buf_ns_as_s(&b, ns);
    assert_string_equal(b.data, expected);
    buf_done(&b);
}

static void nanoseconds_exactly(void **state)
{
    check_ns(0, "0");
    check_ns(1, "0.000000001");
    check_ns(-1, "-0.000000001");
    check_ns(1500000000, "1.5");
    check_ns(-250000000, "-0.25");
    check_ns(INT64_C(1000000000), "1");
    check_ns(INT64_C(10) * 1000000000, "10");
    check_ns(INT64_C(1000000010), "1.00000001");
    check_ns(INT64_MAX, "9223372036.854775807");
    check_ns(INT64_MIN, "-9223372036.854775808");
}

static void consume_and_take(void **state)
{
    struct buf b;
    buf_init(&b, 100);
    buf_consume(&b, 0);
    buf_puts(&b, "hello world");
    buf_consume(&b, 6);
    assert_string_equal(b.data, "world");
    buf_consume(&b, 5);
    assert_int_equal(b.len, 0);
    buf_puts(&b, "again");
    size_t len = 0;
    CLEANUP(freep) char *text = buf_take(&b, &len);
    assert_string_equal(text, "again");
    assert_int_equal(len, 5);
    assert_null(b.data);
    buf_puts(&b, "reused");
    assert_string_equal(b.data, "reused");
    buf_done(&b);
    buf_done(&b);
}

// Against a plain array under random operations.
static void behaves_as_a_plain_array(void **state)
{
    enum { LIMIT = 700 };
    static char model[LIMIT];
    size_t n = 0;
    struct buf b;
    buf_init(&b, LIMIT);
    srand(7);
    for (int i = 0; i < 20000; i++) {
        size_t k = (size_t)rand() % 40;
        if (rand() % 3 == 0) {
            k = MIN_OF(k * 3, n);
            buf_consume(&b, k);
            memmove(model, model + k, n - k);
            n -= k;
        } else if (n + k <= LIMIT) {
            char block[40];
            for (size_t j = 0; j < k; j++)
                block[j] = (char)rand();
            buf_put(&b, block, k);
            memcpy(model + n, block, k);
            n += k;
        }
        assert_int_equal(b.error, 0);
        assert_int_equal(b.len, n);
        if (n > 0) {
            assert_memory_equal(b.data, model, n);
            assert_int_equal(b.data[n], '\0');
        }
    }
    buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_empty),
        cmocka_unit_test(keeps_to_its_limit),
        cmocka_unit_test(error_sticks_until_reset),
        cmocka_unit_test(huge_sizes_do_not_wrap),
        cmocka_unit_test(fresh_buffer_is_terminated),
        cmocka_unit_test(printf_grows_and_fails_whole),
        cmocka_unit_test(holds_nul_bytes),
        cmocka_unit_test(whole_numbers),
        cmocka_unit_test(doubles_as_documented),
        cmocka_unit_test(doubles_read_back),
        cmocka_unit_test(nanoseconds_exactly),
        cmocka_unit_test(consume_and_take),
        cmocka_unit_test(behaves_as_a_plain_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
