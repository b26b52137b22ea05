// SPDX-License-Identifier: GPL-3.0-or-later
// Numbers are written with the fewest digits that read back the same, of those the nearest.
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "eval.h"

static uint64_t state = 0x9e3779b97f4a7c15;

static uint64_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

static double of_bits(uint64_t bits)
{
    double v;
    memcpy(&v, &bits, sizeof(v));
    return v;
}

// The C library, asked for one digit more each time until they suffice.
static void by_library(double v, char *digits, size_t size, int *ret_exponent)
{
    char text[40];
    for (int n = 0; n <= 16; n++) {
        (void)snprintf(text, sizeof(text), "%.*e", n, v);
        if (strtod(text, NULL) == v)
            break;
    }
    char *e = strchr(text, 'e');
    *ret_exponent = (int)strtol(e + 1, NULL, 10);
    size_t n = 0;
    for (char *p = text; p < e && n + 1 < size; p++)
        if (*p != '.')
            digits[n++] = *p;
    while (n > 1 && digits[n - 1] == '0')
        n--;
    digits[n] = '\0';
}

// Digits of what was written, without zeros at either end, and the exponent of the first.
static void digits_of(const char *text, char *digits, int *ret_exponent)
{
    int exponent = 0, seen_point = 0;
    size_t n = 0;
    const char *p = text;
    for (; *p && *p != 'e'; p++) {
        if (*p == '.') {
            seen_point = 1;
            continue;
        }
        if (n == 0 && *p == '0') {
            exponent -= seen_point;
            continue;
        }
        exponent += n > 0 && !seen_point;
        exponent -= n == 0 && seen_point;
        digits[n++] = *p;
    }
    while (n > 1 && digits[n - 1] == '0')
        n--;
    digits[n] = '\0';
    *ret_exponent = exponent + (*p == 'e' ? (int)strtol(p + 1, NULL, 10) : 0);
}

static void check(double v)
{
    char text[PLAIN_NUMBER_MAX + 1], want[64], got[PLAIN_NUMBER_MAX + 1];
    int want_exponent, exponent;
    by_library(v, want, sizeof(want), &want_exponent);
    *write_json_number(text, v) = '\0';
    assert_true(strlen(text) <= JSON_NUMBER_MAX);
    digits_of(text, got, &exponent);
    if (strcmp(want, got) != 0 || exponent != want_exponent)
        fail_msg("%.17g: written %s", v, text);
    *write_plain_number(text, v) = '\0';
    assert_null(strchr(text, 'e'));
    digits_of(text, got, &exponent);
    if (strcmp(want, got) != 0 || exponent != want_exponent)
        fail_msg("%.17g: plainly written %s", v, text);
}

static void test_any_bits(void **unused)
{
    for (int i = 0; i < 20000; i++) {
        double v = of_bits(next_random() & ~(UINT64_C(1) << 63));
        if (isfinite(v) && v > 0)
            check(v);
    }
}

// Decimals as people write them, sums of them, and their neighbours.
static void test_ordinary(void **unused)
{
    for (int i = 0; i < 20000; i++) {
        int decimals = (int)(next_random() % 12);
        double v = (double)(next_random() >> (next_random() % 60)) / pow(10, decimals);
        check(v + 1e-9);
        check(nextafter(v + 1e-9, INFINITY));
        check(v * 1.1 + 0.2);
    }
}

static void test_borders(void **unused)
{
    check(DBL_MAX);
    check(DBL_MIN);
    check(of_bits(1));
    for (int e = -1074; e < 1024; e++) {
        check(ldexp(1, e));
        check(nextafter(ldexp(1, e), INFINITY));
        check(nextafter(ldexp(1, MAX_OF(e, -1073)), 0));
    }
    for (int e = -30; e < 40; e++) {
        check(pow(10, e));
        check(nextafter(pow(10, e), 0));
        check(nextafter(pow(10, e), INFINITY));
    }
}

static void test_whole(void **unused)
{
    char text[U64_DIGITS_MAX + 1], want[U64_DIGITS_MAX + 1];
    for (uint64_t power = 1, i = 0; i < 20; i++, power *= 10)
        for (uint64_t v = power - 1; v <= power + 1; v++) {
            *write_u64(text, v) = '\0';
            (void)snprintf(want, sizeof(want), "%llu", (unsigned long long)v);
            assert_string_equal(text, want);
        }
    *write_u64(text, UINT64_MAX) = '\0';
    assert_string_equal(text, "18446744073709551615");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_bits),
        cmocka_unit_test(test_ordinary),
        cmocka_unit_test(test_borders),
        cmocka_unit_test(test_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
