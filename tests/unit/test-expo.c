// SPDX-License-Identifier: GPL-3.0-or-later
// What is accepted is in tests/data/openmetrics; here: what is handed out, and where errors are.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "model/labels.h"
#include "net/expo.h"

static int put_sample(void *arg, const struct expo_sample *s)
{
    struct buf *out = arg;
    for (size_t i = 0; i < s->n; i++)
        buf_printf(out, "%s=%s ", s->label[i].name, s->label[i].value);
    buf_f64(out, s->v);
    if (s->has_time)
        buf_printf(out, " @%lld", (long long)s->t_ms);
    buf_putc(out, '|');
    return 0;
}

static int put_family(void *arg, const struct expo_family *f)
{
    buf_printf(arg, "(%s %s %s %s)", f->name, expo_type_name(f->type), f->unit, f->help);
    return 0;
}

static const struct expo_events events = {put_sample, put_family};

static void check(const char *text, enum expo_format format, const char *want)
{
    struct err err = {0};
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 65536);
    if (expo_parse(text, strlen(text), format, &events, &out, &err) < 0)
        fail_msg("%s", err.message);
    assert_string_equal(out.data, want);
}

static void test_samples_and_families(void **state)
{
    check("# TYPE a_s counter\n# UNIT a_s s\n# HELP a_s x\\ny\\\"\na_s_total{b=\"1\"} 2 0.0015\n"
          "# TYPE c gauge\nc 1\nc{d=\"e\"} 2\n# EOF\n",
          EXPO_OPENMETRICS,
          "(a_s counter s x\ny\")__name__=a_s_total b=1 2 @2|(c gauge  )__name__=c 1|"
          "__name__=c d=e 2|");
    check("# HELP a x\\ny\\\"\na 1 -5\n# TYPE b untyped\nb_x 1", EXPO_TEXT,
          "(a unknown  x\ny\\\")__name__=a 1 @-5|(b unknown  )__name__=b_x 1|");
    check("{\"a.b\",c=\"d\"} 1\n", EXPO_TEXT, "__name__=a.b c=d 1|");
    check("a{b=\"\\x\\\\\\n\"} 1\n", EXPO_TEXT, "__name__=a b=\\x\\\n 1|");
}

static void test_loose_takes_what_breaks_rules(void **state)
{
    check("# TYPE a histogram\na_sum -1\na 5\na_sum 2\n# TYPE a gauge\n# EOF",
          EXPO_OPENMETRICS_LOOSE,
          "(a histogram  )__name__=a_sum -1|__name__=a 5|__name__=a_sum 2|(a gauge  )");
}

static void check_error(const char *text, enum expo_format format, int code, int line, int column)
{
    struct err err = {0};
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 65536);
    assert_int_equal(expo_parse(text, strlen(text), format, &events, &out, &err), -code);
    if (err.line != line || err.column != column)
        fail_msg("%s: %s", text, err.message);
}

static void test_errors_have_a_place(void **state)
{
    check_error("a 1\n\nb{c=\"d\"e} 2\n", EXPO_TEXT, EINVAL, 3, 8);
    check_error("a 1\nb x\n", EXPO_TEXT, EINVAL, 2, 3);
    check_error("a{b=\"x\n", EXPO_TEXT, EINVAL, 1, 5);
    check_error("a 1\n", EXPO_OPENMETRICS, EINVAL, 2, 1);
    check_error("# TYPE a gauge\n# TYPE a gauge\n# EOF\n", EXPO_OPENMETRICS, EINVAL, 2, 10);
}

static void test_caps(void **state)
{
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 4 << 20);
    buf_puts(&text, "a{");
    for (int i = 0; i < LABELS_MAX; i++)
        buf_printf(&text, "l%d=\"x\",", i);
    buf_puts(&text, "} 1\n");
    check_error(text.data, EXPO_TEXT, E2BIG, 1, 2188);
    buf_reset(&text);
    buf_puts(&text, "a{b=\"");
    for (size_t i = 0; i < EXPO_LINE_MAX; i++)
        buf_putc(&text, 'x');
    check_error(text.data, EXPO_TEXT, E2BIG, 1, 1);
}

static int stop(void *arg, const struct expo_sample *s)
{
    return ++*(int *)arg == 2 ? -ENOSPC : 0;
}

static void test_callback_ends_it(void **state)
{
    static const struct expo_events stopping = {.sample = stop};
    int n = 0;
    assert_int_equal(expo_parse("a 1\nb 2\nc 3\n", 12, EXPO_TEXT, &stopping, &n, NULL), -ENOSPC);
    assert_int_equal(n, 2);
}

static void test_format_by_content_type(void **state)
{
    assert_int_equal(expo_format_of(NULL), EXPO_TEXT);
    assert_int_equal(expo_format_of("text/plain; version=0.0.4"), EXPO_TEXT);
    assert_int_equal(expo_format_of("application/openmetrics-textual"), EXPO_TEXT);
    assert_int_equal(expo_format_of(" Application/OpenMetrics-Text; version=1.0.0; charset=utf-8"),
                     EXPO_OPENMETRICS_LOOSE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples_and_families),
        cmocka_unit_test(test_loose_takes_what_breaks_rules),
        cmocka_unit_test(test_errors_have_a_place),
        cmocka_unit_test(test_caps),
        cmocka_unit_test(test_callback_ends_it),
        cmocka_unit_test(test_format_by_content_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
