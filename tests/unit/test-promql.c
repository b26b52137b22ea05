// SPDX-License-Identifier: GPL-3.0-or-later
// What the cases in tests/data/promql do not reach: errors with their place, printing, limits,
// results as JSON, selectors, roll-ups.
#include <errno.h>
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "eval.h"
#include "promql/memory.h"
#include "promql/notation.h"
#include "promql/promql.h"

static const struct {
    const char *text, *message;
} malformed[] = {
    {"", "1:1: parse error: no expression found in input"},
    {"1 +", "1:4: parse error: unexpected end of input"},
    {"(1", "1:3: parse error: unclosed left parenthesis"},
    {"1)", "1:2: parse error: unexpected right parenthesis ')'"},
    {"*1", "1:1: parse error: unexpected <op:*>"},
    {"a b", "1:3: parse error: unexpected identifier \"b\""},
    {"2.5.", "1:1: parse error: bad number or duration syntax: \"2.5.\""},
    {"\n\n  a{", "3:5: parse error: unexpected end of input inside braces"},
    {"a{b=1}", "1:5: parse error: unexpected character inside braces: '1'"},
    {"a{b=~\"(\"}", "1:3: parse error: error parsing regexp: missing ): ("},
    {"a{b}",
     "1:4: parse error: unexpected \"}\" in label matching, expected label matching operator"},
    {"{}", "1:1: parse error: vector selector must contain at least one non-empty matcher"},
    {"a{__name__=\"b\"}", "1:1: parse error: metric name must not be set twice: \"a\" or \"b\""},
    {"\"a", "1:1: parse error: unterminated quoted string"},
    {"\"\\q\"", "1:1: parse error: error unquoting string \"\\q\": invalid syntax"},
    {"a[5m", "1:5: parse error: unclosed left bracket"},
    {"a[0m]", "1:3: parse error: duration must be greater than 0"},
    {"a[b]", "1:3: parse error: experimental duration expression is not enabled"},
    {"a[5m*2]", "1:5: parse error: experimental duration expression is not enabled"},
    {"(a)[5m]", "1:4: parse error: ranges only allowed for vector selectors"},
    {"a offset 1m [5m]", "1:13: parse error: no offset modifiers allowed before range"},
    {"a @ 5 [5m]", "1:7: parse error: no @ modifiers allowed before range"},
    {"a offset", "1:9: parse error: unexpected end of input in offset, expected number, duration, "
                 "step(), or range()"},
    {"a offset 1m offset 2m", "1:1: parse error: offset may not be set multiple times"},
    {"1 offset 1m", "1:1: parse error: offset modifier must be preceded by an instant vector "
                    "selector or range vector selector or a subquery"},
    {"a @ b", "1:5: parse error: unexpected identifier \"b\" in @, expected timestamp"},
    {"1 > 2", "1:3: parse error: comparisons between scalars must use BOOL modifier"},
    {"a + bool b", "1:3: parse error: bool modifier can only be used on comparison operators"},
    {"a + on (b) 1", "1:1: parse error: vector matching only allowed between instant vectors"},
    {"a and on (b) group_left () c", "1:1: parse error: no grouping allowed for \"and\" operation"},
    {"1 and a", "1:1: parse error: set operator \"and\" not allowed in binary scalar expression"},
    {"a + on (b) group_left (b) c",
     "1:3: parse error: label \"b\" must not occur in ON and GROUP clause at once"},
    {"rate(a)", "1:6: parse error: expected type range vector in call to function \"rate\", got "
                "instant vector"},
    {"abs()", "1:1: parse error: expected 1 argument(s) in call to \"abs\", got 0"},
    {"round(a, 1, 2)",
     "1:1: parse error: expected at most 2 argument(s) in call to \"round\", got 3"},
    {"label_join(a)",
     "1:1: parse error: expected at least 3 argument(s) in call to \"label_join\", "
     "got 1"},
    {"nonsense(a)", "1:1: parse error: unknown function with name \"nonsense\""},
    {"abs(a,)", "1:6: parse error: trailing commas not allowed in function call args"},
    {"sum()", "1:1: parse error: no arguments for aggregate expression provided"},
    {"topk(a)", "1:1: parse error: wrong number of arguments for aggregate expression provided, "
                "expected 2, got 1"},
    {"sum by b (a)",
     "1:8: parse error: unexpected identifier \"b\" in grouping opts, expected \"(\""},
    {"sum(a[1m])", "1:5: parse error: expected type instant vector in aggregation expression, got "
                   "range vector"},
    {"-a[1m]", "1:1: parse error: unary expression only allowed on expressions of type scalar or "
               "instant vector, got \"range vector\""},
    {"a[1m] + 1", "1:1: parse error: binary expression must contain only scalar and instant vector "
                  "types"},
    {"1[1m:]", "1:1: parse error: subquery is only allowed on instant vector, got scalar instead"},
    {"limitk(1, a)", "1:1: parse error: limitk() is experimental and must be enabled with "
                     "--enable-feature=promql-experimental-functions"},
    {"info(a)", "1:1: parse error: function \"info\" is not enabled"},
    {"rate(a[5m] anchored)", "1:12: parse error: modifier \"anchored\" is experimental and not "
                             "enabled"},
    {"a + fill(0) b", "1:5: parse error: modifier \"fill\" is experimental and not enabled"},
    {"a ~ b", "1:3: parse error: unexpected character: '~'"},
    {"a ! b", "1:4: parse error: unexpected character after '!': ' '"},
};

static void errors_say_where(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(malformed); i++) {
        struct promql_expr *expr;
        struct err err = {0};
        int r = promql_parse(malformed[i].text, strlen(malformed[i].text), &expr, &err);
        assert_int_equal(r, -EINVAL);
        if (strcmp(err.message, malformed[i].message) != 0)
            print_error("%s\n", malformed[i].text);
        assert_string_equal(err.message, malformed[i].message);
        assert_string_equal(promql_error_type(r), "bad_data");
        assert_true(err.line >= 1 && err.column >= 1);
    }
}

static struct promql_expr *parsed(const char *text)
{
    struct promql_expr *expr;
    struct err err = {0};
    if (promql_parse(text, strlen(text), &expr, &err) < 0)
        fail_msg("%s: %s", text, err.message);
    return expr;
}

static void deep_nesting_is_refused(void **state)
{
    static const char *const what[] = {"(", "-", "abs("};
    for (size_t i = 0; i < ARRAY_LEN(what); i++) {
        struct buf text;
        struct promql_expr *expr;
        buf_init(&text, 1 << 20);
        for (int k = 0; k < 100000; k++)
            buf_puts(&text, what[i]);
        assert_int_equal(promql_parse(text.data, text.len, &expr, NULL), -EINVAL);
        buf_done(&text);
    }
}

static void long_chains_are_limited(void **state)
{
    struct buf text;
    struct promql_expr *expr;
    buf_init(&text, 1 << 20);
    buf_puts(&text, "a");
    for (int k = 0; k < 900; k++)
        buf_puts(&text, " or a");
    assert_int_equal(promql_parse(text.data, text.len, &expr, NULL), 0);
    struct promql_memory *m = promql_memory_new();
    struct promql_result *result;
    assert_int_equal(promql_eval_instant(expr, promql_memory_source(m), 0, NULL, &result, NULL), 0);
    assert_int_equal(result->n, 0);
    promql_result_free(result);
    promql_memory_free(m);
    promql_expr_free(expr);
    for (int k = 0; k < 1000; k++)
        buf_puts(&text, " or a");
    assert_int_equal(promql_parse(text.data, text.len, &expr, NULL), -EINVAL);
    buf_done(&text);
}

static const struct {
    const char *text, *line;
} printed[] = {
    {"sum(a)by(b,c)", "sum by (b, c) (a)"},
    {"sum without() (a)", "sum without () (a)"},
    {"topk(5,a)", "topk(5, a)"},
    {"a{c=\"d\",b!~\"e\"}", "a{b!~\"e\",c=\"d\"}"},
    {"{\"utf 8\",\"x.y\"=\"\\n\"}", "{\"x.y\"=\"\\n\",__name__=\"utf 8\"}"},
    {"a>bool on(b)group_left(c)d", "a > bool on (b) group_left (c) d"},
    {"a and ignoring(b) c", "a and ignoring (b) c"},
    {"rate(a[90s] offset -1h @ 5)", "rate(a[1m30s] @ 5.000 offset -1h)"},
    {"max_over_time(a[1h:] @ end())", "max_over_time(a[1h:] @ end())"},
    {"sum by (a, \"inf\", \"NaN\") (b{inf=\"1\"})", "sum by (a, \"inf\", \"NaN\") (b{inf=\"1\"})"},
    {"-(1+2)", "-(1 + 2)"},
    {"1h30m", "1h30m"},
    {"-0x10", "-16"},
    {"Inf", "+Inf"},
    {"1e999 ^ a", "Inf ^ a"},
    {"2 * Inf ^ a", "2 * Inf ^ a"},
    {"a ^ Inf", "a ^ +Inf"},
    {"'a\"b'", "\"a\\\"b\""},
};

static void expressions_are_printed(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(printed); i++) {
        struct promql_expr *expr = parsed(printed[i].text);
        struct buf out;
        buf_init(&out, 1 << 16);
        promql_print(expr, &out);
        assert_string_equal(out.data, printed[i].line);
        buf_done(&out);
        promql_expr_free(expr);
    }
}

static void long_expressions_are_laid_out(void **state)
{
    struct promql_expr *expr = parsed(
        "sum by (instance) "
        "(rate(http_requests_total{job=\"a-rather-long-name\",code=~\"5..\"}[5m])) / "
        "sum by (instance) (rate(http_requests_total{job=\"a-rather-long-name\"}[5m])) > 0.1");
    struct buf out;
    buf_init(&out, 1 << 16);
    promql_format(expr, &out);
    assert_string_equal(
        out.data,
        "    sum by (instance) "
        "(rate(http_requests_total{code=~\"5..\",job=\"a-rather-long-name\"}[5m]))\n"
        "  /\n"
        "    sum by (instance) (rate(http_requests_total{job=\"a-rather-long-name\"}[5m]))\n"
        ">\n"
        "  0.1");
    buf_done(&out);
    promql_expr_free(expr);
}

static void trees_become_json(void **state)
{
    struct promql_expr *expr = parsed("sum by (b) (rate(a{c=\"d\"}[5m])) > 1");
    struct buf out;
    buf_init(&out, 1 << 16);
    promql_expr_json(expr, &out);
    assert_string_equal(
        out.data,
        "{\"type\":\"binaryExpr\",\"op\":\">\",\"lhs\":{\"type\":\"aggregation\",\"op\":\"sum\","
        "\"expr\":"
        "{\"type\":\"call\",\"func\":{\"name\":\"rate\",\"argTypes\":[\"matrix\"],\"variadic\":0,"
        "\"returnType\":\"vector\"},\"args\":[{\"type\":\"matrixSelector\",\"name\":\"a\","
        "\"matchers\":"
        "[{\"type\":\"=\",\"name\":\"c\",\"value\":\"d\"},{\"type\":\"=\",\"name\":\"__name__\","
        "\"value\":"
        "\"a\"}],\"range\":300000,\"offset\":0,\"timestamp\":null,\"startOrEnd\":null}]},\"param\":"
        "null,"
        "\"grouping\":[\"b\"],\"without\":false},\"rhs\":{\"type\":\"numberLiteral\",\"val\":\"1\"}"
        ","
        "\"matching\":null,\"bool\":false}");
    buf_done(&out);
    promql_expr_free(expr);
}

static void durations_are_read_and_written(void **state)
{
    static const struct {
        const char *text;
        int r;
        int64_t ms;
        const char *written;
    } durations[] = {
        {"5m", 0, 300000, "5m"},
        {"1h30m", 0, 5400000, "1h30m"},
        {"250ms", 0, 250, "250ms"},
        {"90s", 0, 90000, "1m30s"},
        {"1d", 0, 86400000, "1d"},
        {"2w", 0, 1209600000, "2w"},
        {"0", 0, 0, "0s"},
        {"1y", 0, INT64_C(31536000000), "1y"},
        {"30m1h", -EINVAL, 0, ""},
        {"5", -EINVAL, 0, ""},
        {"m", -EINVAL, 0, ""},
        {"", -EINVAL, 0, ""},
        {"1m1m", -EINVAL, 0, ""},
        {"999999y", -ERANGE, 0, ""},
        {"99999999999999999999s", -ERANGE, 0, ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(durations); i++) {
        int64_t ms = -1;
        const char *text = durations[i].text;
        assert_int_equal(promql_duration_parse(text, strlen(text), false, &ms), durations[i].r);
        if (durations[i].r < 0)
            continue;
        assert_int_equal(ms, durations[i].ms);
        struct buf out;
        buf_init(&out, 100);
        promql_duration_put(&out, ms);
        assert_string_equal(out.data, durations[i].written);
        buf_done(&out);
    }
    int64_t ms;
    assert_int_equal(promql_duration_parse("0.25", 4, true, &ms), 0);
    assert_int_equal(ms, 250);
}

static void check_number(double v)
{
    struct buf out;
    char shortest[40];
    buf_init(&out, 1000);
    put_short_number(&out, v);
    assert_true(strtod(out.data, NULL) == v);
    for (int precision = 1; precision <= 17; precision++) {
        (void)snprintf(shortest, sizeof(shortest), "%.*e", precision - 1, v);
        if (strtod(shortest, NULL) == v)
            break;
    }
    // The same digits, however they are laid out.
    struct buf again;
    buf_init(&again, 1000);
    put_short_number(&again, strtod(shortest, NULL));
    assert_string_equal(out.data, again.data);
    size_t digits = 0, wanted = 0;
    for (const char *p = out.data; *p && *p != 'e'; p++)
        digits += (*p >= '1' && *p <= '9') || (*p == '0' && digits > 0);
    const char *e = strchr(out.data, 'e');
    for (const char *p = (e ? e : out.data + out.len) - 1;
         p >= out.data && (*p == '0' || *p == '.'); p--)
        digits -= *p == '0' && digits > 0;
    for (const char *p = shortest; *p != 'e'; p++)
        wanted += *p >= '0' && *p <= '9';
    if (digits > wanted)
        fail_msg("%s is longer than %s", out.data, shortest);
    buf_done(&out);
    buf_done(&again);
}

static void numbers_are_shortest(void **state)
{
    uint64_t random = 88172645463325252;
    static const double chosen[] = {0.1,     1.0 / 3, 2.5e19,  1e21, 1e22, 123456789012345678.0,
                                    5e-324,  DBL_MIN, DBL_MAX, 1e-7, 0.3,  9007199254740993.0,
                                    1.5e300, 1e-14,   1e16,    4.35, 1e23, 65536.5};
    for (size_t i = 0; i < ARRAY_LEN(chosen); i++)
        check_number(chosen[i]);
    for (int i = 0; i < 20000; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        double whole = (double)(random >> 11);
        check_number(whole / 1e9);
        check_number(ldexp(whole, (int)(random % 120) - 90));
        check_number((double)(random % 1000000) / 1000);
    }
}

static void numbers_are_laid_out_as_in_go(void **state)
{
    static const struct {
        double v;
        const char *plain, *json;
    } numbers[] = {
        {0, "0", "0"},
        {-0.0, "-0", "-0"},
        {1e21, "1000000000000000000000", "1e+21"},
        {1.5, "1.5", "1.5"},
        {-2e-7, "-0.0000002", "-2e-07"},
        {INFINITY, "+Inf", "+Inf"},
        {NAN, "NaN", "NaN"},
        {1e20, "100000000000000000000", "100000000000000000000"},
        {0.000001, "0.000001", "0.000001"},
    };
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        struct buf out;
        buf_init(&out, 1000);
        put_plain_number(&out, numbers[i].v);
        assert_string_equal(out.data, numbers[i].plain);
        buf_reset(&out);
        put_json_number(&out, numbers[i].v);
        assert_string_equal(out.data, numbers[i].json);
        buf_done(&out);
    }
}

static void load(struct promql_memory *m, const char *text, int64_t step_ms)
{
    struct promql_line line;
    struct err err = {0};
    if (promql_line_parse(text, strlen(text), &line, &err) < 0)
        fail_msg("%s: %s", text, err.message);
    for (size_t i = 0; i < line.n; i++)
        if (!line.value[i].is_omitted)
            assert_int_equal(
                promql_memory_append(m, line.labels, (int64_t)i * step_ms, line.value[i].v), 0);
    promql_line_done(&line);
}

static int run(struct promql_memory *m, const char *text, const struct promql_range *range,
               const struct promql_options *options, struct promql_result **ret, struct err *err)
{
    struct promql_expr *expr = parsed(text);
    struct query_source *source = promql_memory_source(m);
    int r = range->step_ms ? promql_eval_range(expr, source, range, options, ret, err)
                           : promql_eval_instant(expr, source, range->start_ms, options, ret, err);
    promql_expr_free(expr);
    return r;
}

static void assert_json(struct promql_memory *m, const char *text, const struct promql_range *range,
                        const char *json)
{
    struct promql_result *result;
    struct promql_writer writer;
    struct err err = {0};
    if (run(m, text, range, NULL, &result, &err) < 0)
        fail_msg("%s: %s", text, err.message);
    for (size_t piece = 1; piece < 200; piece += 50) {
        struct buf out;
        buf_init(&out, 1 << 20);
        promql_writer_init(&writer, result, 0);
        while (promql_writer_next(&writer, &out, piece))
            ;
        promql_write_annotations(result, &out);
        assert_string_equal(out.data, json);
        buf_done(&out);
    }
    promql_result_free(result);
}

static const struct promql_range at_1m = {60000, 60000, 0};

static void results_become_json(void **state)
{
    struct promql_memory *m = promql_memory_new();
    const struct promql_range over = {0, 60500, 30250};
    load(m, "a{b=\"c\\\"d\"} 1 0.25", 30000);
    load(m, "x 1 _ 3", 30000);
    assert_json(m, "1 / 4", &at_1m, "{\"resultType\":\"scalar\",\"result\":[60,\"0.25\"]}");
    assert_json(m, "\"t\\n\"", &at_1m, "{\"resultType\":\"string\",\"result\":[60,\"t\\n\"]}");
    assert_json(m, "a", &at_1m,
                "{\"resultType\":\"vector\",\"result\":[{\"metric\":{\"__name__\":\"a\",\"b\":"
                "\"c\\\"d\"},\"value\":[60,\"0.25\"]}]}");
    assert_json(
        m, "x[1m]", &at_1m,
        "{\"resultType\":\"matrix\",\"result\":[{\"metric\":{\"__name__\":\"x\"},\"values\":"
        "[[60,\"3\"]]}]}");
    assert_json(m, "{__name__=~\"a|x\"} > 0.5", &over,
                "{\"resultType\":\"matrix\",\"result\":[{\"metric\":{\"__name__\":\"a\",\"b\":"
                "\"c\\\"d\"},\"values\":[[0,\"1\"]]},{\"metric\":{\"__name__\":\"x\"},\"values\":"
                "[[0,\"1\"],[30.250,\"1\"],[60.500,\"3\"]]}]}");
    assert_json(m, "nothing", &at_1m, "{\"resultType\":\"vector\",\"result\":[]}");
    assert_json(m, "rate(x[2m]) * 0", &at_1m,
                "{\"resultType\":\"vector\",\"result\":[{\"metric\":{},\"value\":[60,\"0\"]}]},"
                "\"infos\":[\"PromQL info: metric might not be a counter, name does not end in "
                "_total/_sum/_count/_bucket: \\\"x\\\" (1:6)\"]");
    promql_memory_free(m);
}

// Each look at this clock takes a nanosecond.
static int64_t tick(void *arg)
{
    return ++*(int64_t *)arg;
}

static void limits_end_a_query(void **state)
{
    struct promql_memory *m = promql_memory_new();
    struct promql_result *result;
    struct err err = {0};
    const struct promql_range over = {0, 600000, 1000};
    load(m, "a{i=\"1\"} 1x100", 30000);
    load(m, "a{i=\"2\"} 1x100", 30000);
    struct promql_options few = {.max_samples = 500};
    assert_int_equal(run(m, "a", &over, &few, &result, &err), -EOVERFLOW);
    assert_string_equal(err.message, "query processing would load too many samples into memory in "
                                     "query execution");
    assert_string_equal(promql_error_type(-EOVERFLOW), "execution");
    // Only samples count, not the steps where there is none.
    load(m, "late{i=\"1\"} _x90 1x10", 30000);
    load(m, "late{i=\"2\"} 1x10", 30000);
    const struct promql_range all = {0, 3000000, 10000};
    struct promql_options enough = {.max_samples = 150};
    assert_int_equal(run(m, "late", &all, &enough, &result, &err), 0);
    promql_result_free(result);
    struct promql_options one = {.max_series = 1};
    assert_int_equal(run(m, "a", &over, &one, &result, &err), -E2BIG);
    struct promql_options small = {.max_memory_bytes = 9000};
    assert_int_equal(run(m, "a + a", &over, &small, &result, &err), -E2BIG);
    int64_t asked = 0;
    const struct clock clock = {.mono_ns = tick, .real_ns = tick, .arg = &asked};
    struct promql_options late = {.clock = &clock, .deadline_ns = 20};
    const struct promql_range far = {0, 30000000, 1000};
    assert_int_equal(run(m, "quantile_over_time(0.5, a[50m:1s])", &far, &late, &result, &err),
                     -ETIME);
    assert_int_equal(asked, 21);
    assert_string_equal(promql_error_type(-ETIME), "timeout");
    atomic_bool stop = true;
    struct promql_options cancelled = {.cancelled = &stop};
    assert_int_equal(run(m, "a", &far, &cancelled, &result, &err), -ECANCELED);
    assert_string_equal(promql_error_type(-ECANCELED), "canceled");
    promql_memory_free(m);
}

// Each takes a back-tracking engine for ever.
static void regular_expressions_do_not_stall(void **state)
{
    static const char *const patterns[] = {"(a+)+b", "(a|a)*b", "(.*a){20}b", "([a-z]+)*=@"};
    struct promql_memory *m = promql_memory_new();
    struct buf line;
    buf_init(&line, 1 << 20);
    buf_puts(&line, "m{x=\"");
    for (int i = 0; i < 20000; i++)
        buf_putc(&line, 'a');
    buf_puts(&line, "\"} 1");
    load(m, line.data, 1000);
    buf_done(&line);
    for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
        struct promql_result *result;
        char *text = mem_printf("m{x=~\"%s\"} or label_replace(m, \"y\", \"$1\", \"x\", \"%s\")",
                                patterns[i], patterns[i]);
        assert_int_equal(run(m, text, &(struct promql_range){0}, NULL, &result, NULL), 0);
        assert_int_equal(result->n, 1);
        promql_result_free(result);
        free(text);
    }
    promql_memory_free(m);
}

static void ranges_are_checked(void **state)
{
    struct promql_memory *m = promql_memory_new();
    struct promql_result *result;
    struct err err = {0};
    const struct promql_range backwards = {60000, 0, 1000}, fine = {0, 60000, 1000};
    assert_int_equal(run(m, "1", &backwards, NULL, &result, &err), -EINVAL);
    assert_int_equal(run(m, "a[1m]", &fine, NULL, &result, &err), -EINVAL);
    assert_string_equal(err.message,
                        "invalid expression type \"range vector\" for range query, must "
                        "be Scalar or instant Vector");
    promql_memory_free(m);
}

static void selectors_tell_what_is_read(void **state)
{
    struct promql_expr *expr = parsed("a offset 1m + rate(b{c=\"d\"}[5m] @ 100) + "
                                      "max_over_time(c[10m:1m]) + {__name__=~\"x\"}");
    const struct promql_range range = {1000000, 2000000, 1000};
    struct promql_selector s[4];
    assert_int_equal(promql_selectors(expr, &range, 0, s, 4), 4);
    assert_string_equal(s[0].metric, "a");
    assert_int_equal(s[0].start_ms, 1000000 - 60000 - 300000 + 1);
    assert_int_equal(s[0].end_ms, 2000000 - 60000);
    assert_string_equal(s[1].metric, "b");
    assert_int_equal(s[1].range_ms, 300000);
    assert_int_equal(s[1].start_ms, 100000 - 300000 + 1);
    assert_int_equal(s[1].end_ms, 100000);
    assert_int_equal(s[1].n_matchers, 2);
    assert_int_equal(s[2].start_ms, 1000000 - 600000 - 300000 + 1);
    assert_null(s[3].metric);
    promql_expr_free(expr);
}

static void names_go_at_once_where_not_delayed(void **state)
{
    struct promql_memory *m = promql_memory_new();
    load(m, "a_total 0 60", 30000);
    assert_json(m, "label_replace(rate(a_total[1m]), \"was\", \"$1\", \"__name__\", \"(.*)\")",
                &(struct promql_range){30000, 30000, 0},
                "{\"resultType\":\"vector\",\"result\":[{\"metric\":{},\"value\":[30,\"1\"]}]}");
    promql_memory_free(m);
}

// Random walk with resets: samples every 10 s over two hours.
static void load_walk(struct promql_memory *m)
{
    struct labels *labels = labels_new((struct label[]){{"__name__", "walk_total"}}, 1);
    uint64_t random = 1234567;
    double v = 0;
    for (int i = 0; i < 720; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        v = random % 97 == 0 ? 0 : v + (double)(random % 10);
        if (random % 31 != 0)
            (void)promql_memory_append(m, labels, 5000 + (int64_t)i * 10000, v);
    }
    labels_free(labels);
}

static const char *const exact_on_buckets[] = {
    "rate(walk_total[10m])",           "increase(walk_total[10m])",
    "delta(walk_total[10m])",          "sum_over_time(walk_total[10m])",
    "avg_over_time(walk_total[10m])",  "min_over_time(walk_total[10m])",
    "max_over_time(walk_total[10m])",  "count_over_time(walk_total[10m])",
    "last_over_time(walk_total[10m])", "present_over_time(walk_total[10m])",
    "resets(walk_total[10m])",         "walk_total",
};

static void assert_same_result(const struct promql_result *a, const struct promql_result *b,
                               const char *text)
{
    assert_int_equal(a->n, b->n);
    for (size_t i = 0; i < a->n; i++) {
        assert_int_equal(a->series[i].n, b->series[i].n);
        for (size_t k = 0; k < a->series[i].n; k++) {
            double x = a->series[i].v[k], y = b->series[i].v[k];
            if (fabs(x - y) > 1e-9 * fmax(1, fabs(x)))
                fail_msg("%s at %lld: %.17g, from buckets %.17g", text,
                         (long long)a->series[i].t_ms[k], x, y);
        }
    }
}

// Steps so far apart that a subquery leaves out what lies between its windows: each step must give
// what it gives alone, also below an offset, a function of time and another subquery.
static void far_subqueries_are_as_near_ones(void **state)
{
    static const char *const queries[] = {
        "avg_over_time(rate(walk_total[1m])[2m:10s])",
        "sum_over_time(walk_total[90s:7s] offset 3m)",
        "max_over_time((walk_total + time())[2m:11s])",
        "count_over_time(walk_total[5s:7s])",
        "last_over_time(delta(walk_total[70s] offset 1m)[3m:13s] @ 3000)",
        "sum_over_time(max_over_time(walk_total[1m:5s])[2m:17s])",
        "sum_over_time((walk_total offset 2m)[3m:30s])",
    };
    struct promql_memory *m = promql_memory_new();
    load_walk(m);
    const struct promql_range range = {600000, 7000000, 613000};
    for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
        struct promql_result *far, *one;
        size_t at = 0;
        assert_int_equal(run(m, queries[i], &range, NULL, &far, NULL), 0);
        for (int64_t t_ms = range.start_ms; t_ms <= range.end_ms; t_ms += range.step_ms) {
            const struct promql_range now = {t_ms, t_ms, 0};
            assert_int_equal(run(m, queries[i], &now, NULL, &one, NULL), 0);
            if (one->n > 0) {
                assert_true(at < far->series[0].n && far->series[0].t_ms[at] == t_ms);
                assert_true(far->series[0].v[at++] == one->series[0].v[0]);
            }
            promql_result_free(one);
        }
        assert_int_equal(at, far->n > 0 ? far->series[0].n : 0);
        assert_true(at > 2);
        promql_result_free(far);
    }
    promql_memory_free(m);
}

// count_values() writes a result by itself where it is the whole query, columns where it is a part.
static void values_are_counted_alike(void **state)
{
    static const char *const queries[][2] = {
        {"count_values(\"v\", walk)", "count_values(\"v\", walk) * 1"},
        {"(count_values by (vm) (\"v\", walk))", "count_values by (vm) (\"v\", walk) * 1"},
        {"count_values by (vm) (\"vm\", walk{vm=\"a\"})",
         "count_values by (vm) (\"vm\", walk{vm=\"a\"}) * 1"},
        {"count_values without (vm) (\"v\", walk)", "count_values without (vm) (\"v\", walk) * 1"},
        {"count_values(\"v\", nothing)", "count_values(\"v\", nothing) * 1"},
        {"count_values(\"v\", vector(3))", "count_values(\"v\", vector(3)) * 1"},
    };
    static const size_t n_series[] = {5, 9, 5, 5, 0, 1};
    struct promql_memory *m = promql_memory_new();
    load(m, "walk{vm=\"a\"} 1 2 1 NaN 2 1 3 4", 30000);
    load(m, "walk{vm=\"b\"} 1 1 2 NaN stale 3 3", 30000);
    const struct promql_range range = {0, 210000, 30000};
    for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
        struct promql_result *whole, *part;
        assert_int_equal(run(m, queries[i][0], &range, NULL, &whole, NULL), 0);
        assert_int_equal(run(m, queries[i][1], &range, NULL, &part, NULL), 0);
        assert_int_equal(whole->n, n_series[i]);
        assert_same_result(whole, part, queries[i][0]);
        for (size_t k = 0; k < whole->n; k++) {
            assert_true(labels_equal(whole->series[k].labels, part->series[k].labels));
            for (size_t at = 0; at < whole->series[k].n; at++)
                assert_true(whole->series[k].t_ms[at] == part->series[k].t_ms[at]);
        }
        promql_result_free(whole);
        promql_result_free(part);
    }
    promql_memory_free(m);
}

// A reset in the first bucket of a window: of its increase, what came from before is not counted.
static void resets_at_the_beginning_of_a_window(void **state)
{
    struct promql_memory *m = promql_memory_new();
    load(m,
         "c_total _x20 10 20 30 40 50 60 70 80 90 100 110 120 130 140 150 160 170 180 190 200 60 5 "
         "9 "
         "12 15 20 25 30 35 40 45 50 55 60 65 70 75 80 85 90",
         15000);
    static const char *const queries[] = {"increase(c_total[5m])", "resets(c_total[5m])"};
    const struct promql_range range = {900000, 900000, 0};
    for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
        struct promql_result *samples, *buckets;
        promql_memory_allow_buckets(m, 0);
        assert_int_equal(run(m, queries[i], &range, NULL, &samples, NULL), 0);
        promql_memory_allow_buckets(m, 60000);
        assert_int_equal(run(m, queries[i], &range, NULL, &buckets, NULL), 0);
        assert_same_result(samples, buckets, queries[i]);
        assert_true(buckets->samples_read < samples->samples_read);
        promql_result_free(samples);
        promql_result_free(buckets);
    }
    promql_memory_free(m);
}

static void sources_list_labels(void **state)
{
    struct promql_memory *m = promql_memory_new();
    struct query_source *source = promql_memory_source(m);
    struct query_texts texts;
    const struct query_matcher matcher = {QUERY_EQUAL, "__name__", "a", NULL};
    load(m, "a{x=\"2\",y=\"1\"} 1", 1000);
    load(m, "a{x=\"1\"} 1", 1000);
    load(m, "b{z=\"1\"} 1", 1000);
    assert_int_equal(source->ops->label_names(source, &matcher, 1, 0, 0, &texts, NULL), 0);
    assert_int_equal(texts.n, 3);
    assert_string_equal(texts.text[0], "__name__");
    assert_string_equal(texts.text[2], "y");
    query_texts_done(&texts);
    assert_int_equal(source->ops->label_values(source, "x", &matcher, 1, 0, 0, &texts, NULL), 0);
    assert_int_equal(texts.n, 2);
    assert_string_equal(texts.text[0], "1");
    query_texts_done(&texts);
    assert_int_equal(source->ops->label_names(source, NULL, 0, 5, 9, &texts, NULL), 0);
    assert_int_equal(texts.n, 0);
    query_texts_done(&texts);
    promql_memory_free(m);
}

// Where borders align, roll-ups give what samples give, and fewer things are read.
static void aligned_buckets_are_exact(void **state)
{
    struct promql_memory *m = promql_memory_new();
    const struct promql_range range = {1800000, 7200000, 300000};
    load_walk(m);
    for (size_t i = 0; i < ARRAY_LEN(exact_on_buckets); i++) {
        struct promql_result *samples, *buckets;
        promql_memory_allow_buckets(m, 0);
        assert_int_equal(run(m, exact_on_buckets[i], &range, NULL, &samples, NULL), 0);
        promql_memory_allow_buckets(m, 60000);
        assert_int_equal(run(m, exact_on_buckets[i], &range, NULL, &buckets, NULL), 0);
        assert_true(samples->n == 1 && samples->series[0].n > 10);
        assert_same_result(samples, buckets, exact_on_buckets[i]);
        assert_true(buckets->samples_read < samples->samples_read / 3);
        assert_int_equal(buckets->n_infos, 0);
        promql_result_free(samples);
        promql_result_free(buckets);
    }
    promql_memory_free(m);
}

static void approximations_are_announced(void **state)
{
    struct promql_memory *m = promql_memory_new();
    struct promql_result *result;
    const struct promql_range odd = {1830000, 3600000, 300000}, even = {1800000, 3600000, 300000};
    load_walk(m);
    promql_memory_roll_up(m, 7200000, 60000);
    assert_int_equal(run(m, "rate(walk_total[10m])", &even, NULL, &result, NULL), 0);
    assert_int_equal(result->n_infos, 0);
    promql_result_free(result);
    assert_int_equal(run(m, "rate(walk_total[10m])", &odd, NULL, &result, NULL), 0);
    assert_int_equal(result->n_infos, 1);
    assert_string_equal(result->info[0],
                        "PromQL info: rate is approximate: only roll-ups of 1m are left (1:6)");
    assert_true(result->n == 1 && result->series[0].n == 6);
    promql_result_free(result);
    assert_int_equal(run(m, "changes(walk_total[10m])", &even, NULL, &result, NULL), 0);
    assert_int_equal(result->n_infos, 1);
    promql_result_free(result);
    promql_memory_free(m);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void quantiles_select_as_sorting_does(void **state)
{
    uint64_t random = 42;
    for (int round = 0; round < 3000; round++) {
        double v[60], sorted[60];
        size_t n = 1 + (size_t)round % 60;
        for (size_t i = 0; i < n; i++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            v[i] = sorted[i] = (double)(random % (round % 3 ? 8 : 1000));
        }
        qsort(sorted, n, sizeof(*sorted), by_value);
        double q = (double)(random % 101) / 100, rank = q * (double)(n - 1);
        size_t lower = (size_t)rank, upper = MIN_OF(lower + 1, n - 1);
        double weight = rank - floor(rank);
        assert_true(fabs(quantile_of(q, v, n) -
                         (sorted[lower] * (1 - weight) + sorted[upper] * weight)) < 1e-9);
    }
}

static void lines_of_notation(void **state)
{
    struct promql_line line;
    struct err err = {0};
    static const char text[] = "m{a=\"b c\"} 1 -2.5e1 _ _x2 3+1x2 stale NaN -Inf 5x1";
    assert_int_equal(promql_line_parse(text, strlen(text), &line, &err), 0);
    assert_int_equal(line.n, 2 + 1 + 2 + 3 + 1 + 1 + 1 + 2);
    assert_true(line.value[1].v == -25 && line.value[2].is_omitted && line.value[4].is_omitted);
    assert_true(line.value[7].v == 5 && sample_is_stale(line.value[8].v));
    assert_string_equal(labels_get(line.labels, "a"), "b c");
    promql_line_done(&line);
    static const char *const bad[] = {"m 1y",      "m{a=~\"b\"} 1", "m 1+x3",
                                      "m{a=\"b\"", "m _x",          "m 1x99999999999"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_true(promql_line_parse(bad[i], strlen(bad[i]), &line, &err) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_say_where),
        cmocka_unit_test(deep_nesting_is_refused),
        cmocka_unit_test(long_chains_are_limited),
        cmocka_unit_test(expressions_are_printed),
        cmocka_unit_test(long_expressions_are_laid_out),
        cmocka_unit_test(trees_become_json),
        cmocka_unit_test(durations_are_read_and_written),
        cmocka_unit_test(numbers_are_shortest),
        cmocka_unit_test(numbers_are_laid_out_as_in_go),
        cmocka_unit_test(results_become_json),
        cmocka_unit_test(limits_end_a_query),
        cmocka_unit_test(regular_expressions_do_not_stall),
        cmocka_unit_test(ranges_are_checked),
        cmocka_unit_test(selectors_tell_what_is_read),
        cmocka_unit_test(names_go_at_once_where_not_delayed),
        cmocka_unit_test(aligned_buckets_are_exact),
        cmocka_unit_test(resets_at_the_beginning_of_a_window),
        cmocka_unit_test(far_subqueries_are_as_near_ones),
        cmocka_unit_test(values_are_counted_alike),
        cmocka_unit_test(sources_list_labels),
        cmocka_unit_test(approximations_are_announced),
        cmocka_unit_test(quantiles_select_as_sorting_does),
        cmocka_unit_test(lines_of_notation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
