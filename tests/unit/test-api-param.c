// SPDX-License-Identifier: GPL-3.0-or-later
#include "api_param.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"

static void times(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {
        {"0", 0},
        {"4", 4000},
        {"1435781451.781", 1435781451781},
        {"-1.5", -1500},
        {"1e3", 1000000},
        {"2015-07-01T20:10:51.781Z", 1435781451781},
        {"2015-07-01T20:10:51Z", 1435781451000},
        {"2015-07-01t20:10:51.7819999z", 1435781451781},
        {"2015-07-01T22:10:51.5+02:00", 1435781451500},
        {"2015-07-01T15:40:51-04:30", 1435781451000},
        {"1969-12-31T23:59:59.9Z", -100},
        {"2016-02-29T00:00:00Z", 1456704000000},
        {"-292273086-05-16T16:47:06Z", API_TIME_MIN},
        {"292277025-08-18T07:12:54.999999999Z", API_TIME_MAX},
    };
    static const char *const bad[] = {
        "",
        "now",
        "1x",
        "2015-07-01",
        "2015-07-01T20:10Z",
        "2015-07-01 20:10:51Z",
        "NaN",
        "+Inf",
        "1e30",
        "2015-07-01T20:10:51",
        "2015-02-29T00:00:00Z",
        "2015-13-01T00:00:00Z",
        " 1",
        "1 ",
        "0x",
        "2015-07-01T24:00:00Z",
        "2015-07-01T20:60:00Z",
        "2015-07-01T20:10:51.Z",
    };
    int64_t ms;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        if (api_time_parse(good[i].text, &ms) != 0 || ms != good[i].ms)
            fail_msg("%s: %lld", good[i].text, (long long)ms);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (api_time_parse(bad[i], &ms) == 0)
            fail_msg("\"%s\" is taken", bad[i]);
}

static void durations(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {{"15", 15000},    {"0.25", 250},  {"15s", 15000}, {"1m30s", 90000},
                {"1d", 86400000}, {"250ms", 250}, {"-5", -5000}};
    static const char *const bad[] = {"", "s", "5x", "1e30", "NaN", "1s1m", "1.5m"};
    int64_t ms;
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        if (api_duration_parse(good[i].text, &ms) != 0 || ms != good[i].ms)
            fail_msg("%s", good[i].text);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (api_duration_parse(bad[i], &ms) == 0)
            fail_msg("\"%s\" is taken", bad[i]);
}

static void times_are_written(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } rows[] = {{0, "1970-01-01T00:00:00Z"},
                {1435781451781, "2015-07-01T20:10:51.781Z"},
                {-1, "1969-12-31T23:59:59.999Z"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_done) struct buf out;
        int64_t back;
        buf_init(&out, 64);
        api_time_put(&out, rows[i].ms);
        assert_string_equal(out.data, rows[i].text);
        assert_int_equal(api_time_parse(out.data, &back), 0);
        assert_int_equal(back, rows[i].ms);
    }
}

static void names(void **state)
{
    static const struct {
        const char *text, *name;
    } rows[] = {
        {"job", "job"},
        {"U__a_2e_b", "a.b"},
        {"U__a__b", "a_b"},
        {"U__metric_fc_", "metric\xc3\xbc"},
        {"U___1f600_", "\xf0\x9f\x98\x80"},
        {"U_a", "U_a"},
        {"U__a_zz_", NULL},
        {"U__a_2e", NULL},
        {"U__a_d800_", NULL},
        {"U__a_1100000_", NULL},
        {"U__", NULL},
        {"U__a_0_", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(freep) char *name = api_name_unescape(rows[i].text);
        if (rows[i].name ? !name || strcmp(name, rows[i].name) != 0 : name != NULL)
            fail_msg("%s: %s", rows[i].text, name ? name : "(none)");
    }
}

static void a_parameter_may_stand_in_form_and_query(void **state)
{
    struct ipc_request r = {.form = "match[]=a&x=1&match%5B%5D=b",
                            .query = "match[]=c&x=2&match[]="};
    static const char *const expected[] = {"a", "b", "c", ""};
    size_t at = 0;
    for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
        CLEANUP(freep) char *value = api_param_each(&r, "match[]", &at);
        assert_string_equal(value, expected[i]);
    }
    assert_null(api_param_each(&r, "match[]", &at));
    struct ipc_request none = {.form = "", .query = ""};
    at = 0;
    assert_null(api_param_each(&none, "match[]", &at));
    CLEANUP(freep) char *form_first = ipc_request_param(&r, "x");
    assert_string_equal(form_first, "1");
}

static void ranges(void **state)
{
    static const struct {
        const char *query, *error;
    } rows[] = {
        {"start=0&end=10&step=1", NULL},
        {"start=0&end=11000&step=1", NULL},
        {"start=0&end=11001&step=1", "exceeded maximum resolution"},
        {"start=0&end=1&step=-1", "zero or negative"},
        {"start=0&end=1&step=0.0001", "zero or negative"},
        {"start=1&end=0&step=1", "must not be before"},
        {"end=0&step=1", "\"start\""},
        {"start=0&step=1", "\"end\""},
        {"start=0&end=1", "\"step\""},
        {"start=-292273086-05-16T16:47:06Z&end=292277025-08-18T07:12:54.999999999Z&step=1",
         "exceeded maximum resolution"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ipc_request r = {.form = "", .query = rows[i].query};
        struct api_range range;
        struct err err = {0};
        int e = api_param_range(&r, &range, &err);
        if (rows[i].error ? e == 0 || !strstr(err.message, rows[i].error) : e != 0)
            fail_msg("%s: %s", rows[i].query, err.message);
    }
}

static void limits(void **state)
{
    struct err err = {0};
    size_t n = 7;
    assert_int_equal(
        api_param_limit(&(struct ipc_request){.form = "", .query = ""}, "limit", &n, &err), 0);
    assert_int_equal(n, 7);
    assert_int_equal(
        api_param_limit(&(struct ipc_request){.form = "limit=12", .query = ""}, "limit", &n, &err),
        0);
    assert_int_equal(n, 12);
    assert_true(api_param_limit(&(struct ipc_request){.form = "limit=-1", .query = ""}, "limit", &n,
                                &err) < 0);
    assert_true(api_param_limit(&(struct ipc_request){.form = "limit=x", .query = ""}, "limit", &n,
                                &err) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times),
        cmocka_unit_test(durations),
        cmocka_unit_test(times_are_written),
        cmocka_unit_test(names),
        cmocka_unit_test(a_parameter_may_stand_in_form_and_query),
        cmocka_unit_test(ranges),
        cmocka_unit_test(limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
