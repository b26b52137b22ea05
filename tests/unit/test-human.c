// SPDX-License-Identifier: GPL-3.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <string.h>
#include <cmocka.h>

#include "base/human.h"
#include "base/mem.h"

struct sample {
    double value;
    const char *text;
};

static void check(void (*write)(double, struct buf *), const struct sample *samples, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        CLEANUP(buf_done) struct buf b;
        buf_init(&b, 100);
        write(samples[i].value, &b);
        assert_string_equal(b.len ? b.data : "", samples[i].text);
    }
}

#define CHECK(write, ...)                                                                          \
    do {                                                                                           \
        static const struct sample samples[] = {__VA_ARGS__};                                      \
        check(write, samples, ARRAY_LEN(samples));                                                 \
    } while (0)

static void test_bytes(void **state)
{
    CHECK(human_bytes, {0, "0 B"}, {512, "512 B"}, {999, "999 B"}, {1000, "0.98 KiB"},
          {1024, "1.00 KiB"}, {1536, "1.50 KiB"}, {98304, "96.0 KiB"}, {1048575, "1.00 MiB"},
          {134217728, "128 MiB"}, {1e15, "909 TiB"}, {-2048, "-2.00 KiB"}, {NAN, ""});
}

static void test_bytes_short(void **state)
{
    CHECK(human_bytes_short, {0, "0"}, {999, "999"}, {1000, "1.0K"}, {1536, "1.5K"},
          {98304, "96.0K"}, {1023.0 * 1024, "1.0M"}, {134217728, "128M"}, {NAN, ""});
}

static void test_bytes_short_is_narrow(void **state)
{
    for (double v = 1; v < 1e21; v *= 1.01) {
        CLEANUP(buf_done) struct buf b;
        buf_init(&b, 100);
        human_bytes_short(v, &b);
        assert_true(b.len <= 5);
    }
}

static void test_percent(void **state)
{
    CHECK(human_percent, {0, "0.0%"}, {0.1234, "12.3%"}, {0.9994, "99.9%"}, {0.9996, "100%"},
          {1, "100%"}, {16, "1600%"}, {NAN, ""});
}

static void test_count(void **state)
{
    CHECK(human_count, {0, "0"}, {12, "12"}, {0.5, "0.50"}, {999, "999"}, {1000, "1.00k"},
          {12345, "12.3k"}, {4560000, "4.56M"}, {NAN, ""});
}

static void latency(double v, struct buf *b)
{
    human_latency(v, true, b);
}

static void latency_ascii(double v, struct buf *b)
{
    human_latency(v, false, b);
}

static void test_latency(void **state)
{
    CHECK(latency, {0, "0 ms"}, {850e-9, "850 ns"}, {85e-6, "85.0 µs"}, {999.6e-6, "1.00 ms"},
          {1.25e-3, "1.25 ms"}, {0.25, "250 ms"}, {3.4, "3.40 s"}, {120, "120 s"},
          {-0.5, "-500 ms"}, {NAN, ""});
    CHECK(latency_ascii, {85e-6, "85.0 us"});
}

static void test_age(void **state)
{
    CHECK(human_age, {0, "0s"}, {0.9, "0s"}, {59.9, "59s"}, {60, "1m"}, {190, "3m 10s"},
          {3600, "1h"}, {3661, "1h 1m"}, {183600, "2d 3h"}, {-5, "0s"}, {1e30, "11574074074d 1h"},
          {INFINITY, ""}, {NAN, ""});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes),   cmocka_unit_test(test_bytes_short),
        cmocka_unit_test(test_percent), cmocka_unit_test(test_bytes_short_is_narrow),
        cmocka_unit_test(test_count),   cmocka_unit_test(test_latency),
        cmocka_unit_test(test_age),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
