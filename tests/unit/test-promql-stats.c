// SPDX-License-Identifier: GPL-3.0-or-later
// What an evaluation says of itself: a sample counts once for each step that looks at it, as
// Prometheus counts them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "promql/memory.h"
#include "promql/notation.h"
#include "promql/promql.h"

#define S 1000

static void load(struct promql_memory *m, const char *text)
{
    CLEANUP(promql_line_done) struct promql_line line = {0};
    struct err err = {0};
    if (promql_line_parse(text, strlen(text), &line, &err) < 0)
        fail_msg("%s", err.message);
    for (size_t i = 0; i < line.n; i++)
        if (!line.value[i].is_omitted)
            assert_int_equal(
                promql_memory_append(m, line.labels, (int64_t)i * 10 * S, line.value[i].v), 0);
}

static struct promql_memory *loaded(void)
{
    struct promql_memory *m = promql_memory_new();
    load(m, "a 1+1x100");
    load(m, "b{i=\"1\"} 1+1x100");
    load(m, "b{i=\"2\"} 1");
    load(m, "ends 1 2 3 stale _ 4 5");
    return m;
}

static struct promql_result *run(struct promql_memory *m, const char *text,
                                 const struct promql_range *range, enum promql_counting counting)
{
    struct promql_expr *expr = NULL;
    struct promql_result *result = NULL;
    struct query_source *source = promql_memory_source(m);
    const struct promql_options options = {.counting = counting};
    struct err err = {0};
    int r = promql_parse(text, strlen(text), &expr, &err);
    if (r == 0)
        r = range->step_ms > 0
                ? promql_eval_range(expr, source, range, &options, &result, &err)
                : promql_eval_instant(expr, source, range->start_ms, &options, &result, &err);
    if (r < 0)
        fail_msg("%s: %s", text, err.message);
    promql_expr_free(expr);
    return result;
}

static const struct promql_range at_21 = {21 * S, 21 * S, 0}, at_50 = {50 * S, 50 * S, 0},
                                 at_201 = {201 * S, 201 * S, 0}, four = {201 * S, 220 * S, 5 * S};

static void samples_are_counted(void **state)
{
    static const struct {
        const char *text;
        const struct promql_range *range;
        uint64_t samples;
    } cases[] = {
        {"1", &at_21, 0},
        {"time()", &four, 0},
        {"nothing", &four, 0},
        {"a", &at_21, 1},
        {"timestamp(a)", &at_21, 1},
        {"a + a", &at_21, 2},
        {"sum(b)", &at_21, 2},
        {"a", &four, 4},
        {"sum by (i) (b)", &four, 8},
        {"count_values(\"v\", b)", &four, 8},
        {"a @ 30", &four, 4},
        {"a[60s]", &at_201, 6},
        {"rate(a[60s])", &at_201, 6},
        {"sum_over_time(a[60s])", &four, 24},
        {"quantile_over_time(scalar(a), a[60s])", &four, 28},
        {"absent_over_time(a[60s])", &four, 24},
        {"max_over_time(a[60s] @ 30)", &four, 16},
        // The marker is no sample.
        {"sum_over_time(ends[60s])", &at_50, 4},
        // The points of the windows, not what they are made of.
        {"max_over_time(a[60s:5s])", &at_201, 12},
        {"max_over_time(rate(a[60s])[60s:5s])", &four, 48},
        {"a[60s:5s]", &at_201, 12},
        {"rate(a[60s])[20s:5s]", &at_201, 24},
    };
    struct promql_memory *m = loaded();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct promql_result *result = run(m, cases[i].text, cases[i].range, PROMQL_COUNT_TOTALS);
        if (result->stats.samples != cases[i].samples)
            fail_msg("%s: %zu", cases[i].text, (size_t)result->stats.samples);
        assert_null(result->stats.step_samples);
        assert_true(result->stats.eval_ns > 0);
        assert_true(result->stats.prepare_ns >= 0);
        assert_true(result->stats.eval_ns >= result->stats.prepare_ns + result->stats.sort_ns);
        promql_result_free(result);
    }
    promql_memory_free(m);
}

static void samples_are_counted_by_step(void **state)
{
    static const struct {
        const char *text;
        uint64_t samples[3];
    } cases[] = {
        {"b", {2, 1, 1}},
        {"1", {0, 0, 0}},
        {"count_over_time(b[30s])", {2, 3, 3}},
        {"b + ignoring(i) group_left() (a @ 0)", {3, 2, 2}},
        {"max_over_time(b[20s:10s])", {2, 3, 2}},
        {"sum(count_over_time(a[25s] @ 300))", {3, 3, 3}},
    };
    static const struct promql_range range = {0, 600 * S, 300 * S};
    struct promql_memory *m = loaded();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct promql_result *result = run(m, cases[i].text, &range, PROMQL_COUNT_STEPS);
        uint64_t sum = 0;
        for (int k = 0; k < 3; k++) {
            if (result->stats.step_samples[k] != cases[i].samples[k])
                fail_msg("%s: step %d: %zu", cases[i].text, k,
                         (size_t)result->stats.step_samples[k]);
            sum += cases[i].samples[k];
        }
        assert_int_equal(result->stats.samples, sum);
        promql_result_free(result);
    }
    promql_memory_free(m);
}

// What is held at once is most while a function's windows are.
static void the_peak_is_known(void **state)
{
    struct promql_memory *m = loaded();
    struct promql_result *result = run(m, "a", &at_21, PROMQL_COUNT_TOTALS);
    assert_int_equal(result->stats.peak_samples, 1);
    promql_result_free(result);
    result = run(m, "sum_over_time(a[60s])", &at_201, PROMQL_COUNT_TOTALS);
    assert_in_range(result->stats.peak_samples, 6, 7);
    promql_result_free(result);
    promql_memory_free(m);
}

static void roll_ups_count_for_their_samples(void **state)
{
    struct promql_memory *m = loaded();
    promql_memory_roll_up(m, INT64_MAX, 60 * S);
    struct promql_result *result =
        run(m, "sum_over_time(a[2m])", &(struct promql_range){240 * S, 600 * S, 60 * S},
            PROMQL_COUNT_TOTALS);
    assert_int_equal(result->stats.samples, 7 * 12);
    promql_result_free(result);
    promql_memory_free(m);
}

static void nothing_is_counted_that_was_not_asked_for(void **state)
{
    struct promql_memory *m = loaded();
    struct promql_result *result = run(m, "rate(a[1m]) + a", &four, PROMQL_COUNT_NOTHING);
    static const struct promql_stats none;
    assert_memory_equal(&result->stats, &none, sizeof(none));
    promql_result_free(result);
    promql_memory_free(m);
}

static void stats_become_json(void **state)
{
    static const uint64_t steps[] = {2, 0};
    struct promql_stats stats = {.eval_ns = 4000000,
                                 .prepare_ns = 1000000,
                                 .sort_ns = 500000,
                                 .samples = 2,
                                 .peak_samples = 3,
                                 .range = {1500, 2500, 1000}};
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 4096);
    promql_write_stats(&stats, 250000000, 1500000000, &out);
    assert_string_equal(out.data,
                        "\"stats\":{\"timings\":{\"evalTotalTime\":0.004,\"resultSortTime\":0.0005,"
                        "\"queryPreparationTime\":0.001,\"innerEvalTime\":0.0025,"
                        "\"execQueueTime\":0.25,\"execTotalTime\":1.5},\"samples\":{"
                        "\"totalQueryableSamples\":2,\"peakSamples\":3}}");
    buf_reset(&out);
    stats.step_samples = steps;
    promql_write_stats(&stats, 0, 0, &out);
    assert_non_null(strstr(out.data, "\"samples\":{\"totalQueryableSamplesPerStep\":"
                                     "[[1.5,2],[2.5,0]],\"totalQueryableSamples\":2,"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_are_counted),
        cmocka_unit_test(samples_are_counted_by_step),
        cmocka_unit_test(the_peak_is_known),
        cmocka_unit_test(roll_ups_count_for_their_samples),
        cmocka_unit_test(nothing_is_counted_that_was_not_asked_for),
        cmocka_unit_test(stats_become_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
