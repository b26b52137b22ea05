// SPDX-License-Identifier: GPL-3.0-or-later
// What `vherd query` and `vherd stats` make of words and answers, without a daemon.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "base/mem.h"
#include "csv.h"
#include "model/catalogue.h"
#include "query.h"
#include "query_result.h"
#include "stats.h"

static void csv_fields_are_quoted_where_needed(void **state)
{
    static const char *const rows[][2] = {
        {"plain", "plain"},   {"", ""},
        {"a,b", "\"a,b\""},   {"say \"x\"", "\"say \"\"x\"\"\""},
        {"a\nb", "\"a\nb\""}, {" a", "\" a\""},
        {"a ", "\"a \""},     {"a b", "a b"},
        {"\r", "\"\r\""},     {"\"", "\"\"\"\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_done) struct buf out;
        buf_init(&out, 256);
        csv_put(rows[i][0], &out);
        assert_string_equal(out.len ? out.data : "", rows[i][1]);
    }
}

static void durations(void **state)
{
    static const struct {
        const char *text;
        double seconds;
    } good[] = {{"15", 15},      {"0.5", 0.5},    {"15s", 15},
                {"1h30m", 5400}, {"250ms", 0.25}, {"1w", 604800}};
    static const char *const bad[] = {"", "h", "-1", "1x", "1h 30m", "1.5h"};
    double s;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        assert_int_equal(query_duration(good[i].text, &s), 0);
        assert_true(s == good[i].seconds);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (query_duration(bad[i], &s) == 0)
            fail_msg("\"%s\" is taken", bad[i]);
}

static void times(void **state)
{
    const double now = 1700000000; // 2023-11-14T22:13:20Z
    static const struct {
        const char *text;
        double t;
    } good[] = {
        {"now", 1700000000},
        {"-1h", 1699996400},
        {"1435781451.5", 1435781451.5},
        {"2015-07-01T20:10:51Z", 1435781451},
        {"2015-07-01T22:10:51+0200", 1435781451},
        {"18:30", 1699986600},
        {"18:30:05", 1699986605},
        {"2015-07-01", 1435708800},
        {"2015-07-01 20:10", 1435781400},
    };
    static const char *const bad[] = {"",           "soon", "25:00", "2015-07-01T20:10:51X",
                                      "2015-13-01", "-x"};
    double t;
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        if (query_time(good[i].text, now, &t) != 0 || t != good[i].t)
            fail_msg("%s: %f", good[i].text, t);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (query_time(bad[i], now, &t) == 0)
            fail_msg("\"%s\" is taken", bad[i]);
}

static struct query_result read_result(const char *text)
{
    struct query_result r;
    struct err err = {0};
    json_t *answer = json_loads(text, 0, NULL);
    assert_non_null(answer);
    assert_int_equal(query_result_read(answer, &r, &err), 0);
    return r;
}

static void results_become_csv(void **state)
{
    static const char *const rows[][2] = {
        {"{\"data\":{\"resultType\":\"vector\",\"result\":[{\"metric\":{\"__name__\":\"up\",\"a\":"
         "\"x,y\"},"
         "\"value\":[1700000000.5,\"NaN\"]}]}}",
         "time,__name__,a,value\n2023-11-14T22:13:20.500Z,up,\"x,y\",NaN\n"},
        {"{\"data\":{\"resultType\":\"matrix\",\"result\":[{\"metric\":{\"a\":\"1\"},"
         "\"values\":[[0,\"1\"],[1,\"+Inf\"]]},{\"metric\":{\"b\":\"2\"},\"values\":[[0,\"3\"]]}]}"
         "}",
         "time,a,b,value\n1970-01-01T00:00:00Z,1,,1\n1970-01-01T00:00:01Z,1,,+Inf\n"
         "1970-01-01T00:00:00Z,,2,3\n"},
        {"{\"data\":{\"resultType\":\"scalar\",\"result\":[4,\"2\"]}}",
         "time,value\n1970-01-01T00:00:04Z,2\n"},
        {"{\"data\":{\"resultType\":\"vector\",\"result\":[]}}", "time,value\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_done) struct buf out;
        buf_init(&out, 1 << 16);
        struct query_result r = read_result(rows[i][0]);
        query_result_csv(&r, &out);
        assert_string_equal(out.data, rows[i][1]);
        query_result_done(&r);
    }
}

static void malformed_results_are_refused(void **state)
{
    static const char *const bad[] = {
        "{}",
        "{\"data\":{}}",
        "{\"data\":{\"resultType\":\"vector\",\"result\":{}}}",
        "{\"data\":{\"resultType\":\"vector\",\"result\":[1]}}",
        "{\"data\":{\"resultType\":\"vector\",\"result\":[{\"metric\":{},\"value\":[1,2]}]}}",
        "{\"data\":{\"resultType\":\"matrix\",\"result\":[{\"metric\":{},\"values\":[[1,\"x\"]]}]}"
        "}",
        "{\"data\":{\"resultType\":\"scalar\",\"result\":[1]}}",
        "{\"data\":{\"resultType\":\"string\",\"result\":[1,2]}}",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct query_result r;
        struct err err = {0};
        if (query_result_read(json_loads(bad[i], 0, NULL), &r, &err) == 0)
            fail_msg("%s", bad[i]);
    }
}

static void expressions_are_filled_in(void **state)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 4096);
    stats_fill("a{domain=$vm}[$w] $x", "q\"\\\nz", 61.2, &out);
    assert_string_equal(out.data, "a{domain=\"q\\\"\\\\\\nz\"}[62s] $x");
    out.len = 0;
    stats_fill("[$w] [$s]", NULL, 61.2, &out);
    assert_string_equal(out.data, "[62s] [60s]");
    out.len = 0;
    stats_fill("[$w] [$s]", NULL, 60, &out);
    assert_string_equal(out.data, "[60s] [15s]");
}

static void every_figure_is_asked_for_once(void **state)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 1 << 16);
    stats_query(&stats_of_vm[0], "vm1", 3600, 15, &out);
    for (int i = 0; i < STATS_FIGURE_MAX; i++) {
        static const char *const names[] = {"mean", "min",   "p50",  "p95",     "p99",  "max",
                                            "sum",  "trend", "last", "covered", "limit"};
        CLEANUP(freep) char *label = mem_printf("\"figure\", \"%s\"", names[i]);
        const char *first = strstr(out.data, label);
        assert_non_null(first);
        assert_null(strstr(first + 1, label));
        assert_int_equal(stats_figure_of(names[i]), i);
    }
    assert_int_equal(stats_figure_of("median"), STATS_FIGURE_MAX);
}

static bool is_known(const char *name, size_t len)
{
    for (size_t i = 0; i < model_metrics_count; i++)
        if (strlen(model_metrics[i].name) == len && strncmp(model_metrics[i].name, name, len) == 0)
            return true;
    return false;
}

static void check_names(const char *expression)
{
    for (const char *p = expression; p && *p;) {
        size_t len = strspn(p, "abcdefghijklmnopqrstuvwxyz0123456789_");
        bool is_ours = strncmp(p, "libvirt_", 8) == 0 || strncmp(p, "vherd_", 6) == 0;
        if (is_ours && !is_known(p, len))
            fail_msg("no metric %.*s", (int)len, p);
        p += len > 0 ? len : 1;
    }
}

static void what_is_summed_up_is_measured(void **state)
{
    const struct stats_metric *const tables[] = {stats_of_vm, stats_of_host};
    for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
        for (const struct stats_metric *m = tables[i]; m->title; m++) {
            check_names(m->expression);
            check_names(m->limit);
            assert_int_equal(m->limit != NULL, m->limit_name != NULL);
        }
    }
}

static void the_limit_is_reached_in_a_straight_line(void **state)
{
    double f[STATS_FIGURE_MAX];
    for (int i = 0; i < STATS_FIGURE_MAX; i++)
        f[i] = NAN;
    assert_true(isnan(stats_utilisation(f)));
    assert_true(isnan(stats_time_to_limit(f)));
    f[STATS_MEAN] = 25;
    f[STATS_LIMIT] = 100;
    f[STATS_LAST] = 40;
    f[STATS_TREND] = 30; // an hour
    assert_true(stats_utilisation(f) == 0.25);
    assert_true(stats_time_to_limit(f) == 7200);
    f[STATS_TREND] = 0;
    assert_true(isnan(stats_time_to_limit(f)));
    f[STATS_LAST] = 100;
    assert_true(stats_time_to_limit(f) == 0);
}

// Half an hour of samples in a range of three: not thrice that.
static void sums_are_of_what_there_is(void **state)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 1 << 16);
    stats_query(&stats_of_vm[0], "vm1", 10800, 45, &out);
    assert_non_null(strstr(out.data, "label_replace(45 * sum_over_time(("));
    assert_non_null(strstr(out.data, "label_replace(45 * count_over_time(("));
}

static void a_short_past_has_no_trend(void **state)
{
    double f[STATS_FIGURE_MAX] = {[STATS_TREND] = 30, [STATS_COVERED] = 900};
    stats_drop_trend(f, 3600);
    assert_true(f[STATS_TREND] == 30);
    stats_drop_trend(f, 3660);
    assert_true(isnan(f[STATS_TREND]));
}

int main(void)
{
    setenv("TZ", "UTC", 1);
    tzset();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv_fields_are_quoted_where_needed),
        cmocka_unit_test(durations),
        cmocka_unit_test(times),
        cmocka_unit_test(results_become_csv),
        cmocka_unit_test(malformed_results_are_refused),
        cmocka_unit_test(expressions_are_filled_in),
        cmocka_unit_test(every_figure_is_asked_for_once),
        cmocka_unit_test(what_is_summed_up_is_measured),
        cmocka_unit_test(the_limit_is_reached_in_a_straight_line),
        cmocka_unit_test(sums_are_of_what_there_is),
        cmocka_unit_test(a_short_past_has_no_trend),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
