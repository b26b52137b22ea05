// SPDX-License-Identifier: GPL-3.0-or-later
#include "manage/cron.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

static int64_t at(int year, int month, int day, int hour, int minute)
{
    struct tm tm = {.tm_year = year - 1900,
                    .tm_mon = month - 1,
                    .tm_mday = day,
                    .tm_hour = hour,
                    .tm_min = minute};
    return timegm(&tm);
}

static int64_t next(const char *text, int64_t after)
{
    struct cron c;
    struct err err = {0};
    if (cron_parse(text, &c, &err) < 0)
        fail_msg("%s: %s", text, err.message);
    return cron_next(&c, after, gmtime_r);
}

static void test_next(void **state)
{
    int64_t t = at(2026, 1, 31, 10, 17) + 30; // a Saturday
    assert_int_equal(next("* * * * *", t), at(2026, 1, 31, 10, 18));
    assert_int_equal(next("*/15 * * * *", t), at(2026, 1, 31, 10, 30));
    assert_int_equal(next("17 10 * * *", t), at(2026, 2, 1, 10, 17));
    assert_int_equal(next("0 0 1 * *", t), at(2026, 2, 1, 0, 0));
    assert_int_equal(next("30 4 * * mon", t), at(2026, 2, 2, 4, 30));
    assert_int_equal(next("30 4 * * 7", t), at(2026, 2, 1, 4, 30));
    assert_int_equal(next("0 12 29 feb *", t), at(2028, 2, 29, 12, 0));
    assert_int_equal(next("0 23 31 12 *", t), at(2026, 12, 31, 23, 0));
    assert_int_equal(next("0 0 13 * fri", t), at(2026, 2, 6, 0, 0)); // either day
    assert_int_equal(next("5,10-12 8-9 * * 1-5", t), at(2026, 2, 2, 8, 5));
    assert_int_equal(next("@daily", t), at(2026, 2, 1, 0, 0));
    assert_int_equal(next("0 0 30 2 *", t), -ERANGE);
}

static void test_refusals(void **state)
{
    static const char *const bad[] = {
        "",           "* * * *",    "* * * * * *", "60 * * * *",  "* 24 * * *",
        "* * 0 * *",  "* * * 13 *", "* * * * 8",   "5-1 * * * *", "*/0 * * * *",
        "1, * * * *", "a * * * *",  "1-a * * * *", "* * * jam *", "@never",
        "-1 * * * *"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct cron c;
        struct err err = {0};
        if (cron_parse(bad[i], &c, &err) != -EINVAL)
            fail_msg("%s was read", bad[i]);
        assert_string_not_equal(err.message, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_next),
                                       cmocka_unit_test(test_refusals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
