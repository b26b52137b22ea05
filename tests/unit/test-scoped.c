// SPDX-License-Identifier: GPL-3.0-or-later
// What a tenant may learn of stored series, asked in every way there is.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "promql/memory.h"
#include "promql/notation.h"
#include "promql/promql.h"
#include "scoped.h"

// Of a host with four VMs, one of which has a name that reads as a pattern of another's; of the
// host itself; and of another host that has a VM of the same name.
static const char *const lines[] = {
    "cpu{domain=\"a.b\",job=\"vherd\",instance=\"h1\",disk=\"vda\"} 1",
    "cpu{domain=\"axb\",job=\"vherd\",instance=\"h1\",only_axb=\"1\"} 2",
    "cpu{domain=\"c\",job=\"vherd\",instance=\"h1\"} 4",
    "secret_of_axb{domain=\"axb\",job=\"vherd\",instance=\"h1\"} 8",
    "cpu{domain=\"d|c\",job=\"vherd\",instance=\"h1\"} 16",
    "host_cpu{job=\"vherd\",instance=\"h1\",cpu=\"0\"} 32",
    "cpu{domain=\"c\",job=\"vherd\",instance=\"h2\"} 64",
    "cpu{domain=\"c\",job=\"pushed\",instance=\"h1\"} 128",
};

static struct promql_memory *memory(void)
{
    struct promql_memory *m = promql_memory_new();
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        struct promql_line line;
        struct err err = {0};
        if (promql_line_parse(lines[i], strlen(lines[i]), &line, &err) < 0)
            fail_msg("%s: %s", lines[i], err.message);
        assert_int_equal(promql_memory_append(m, line.labels, 0, line.value[0].v), 0);
        promql_line_done(&line);
    }
    return m;
}

static struct query_source *scoped(struct promql_memory *m, const char *const *vm, size_t n)
{
    const struct scoped_params p = {promql_memory_source(m), vm, n, "vherd", "h1"};
    struct query_source *source = NULL;
    assert_int_equal(scoped_source_new(&p, &source, NULL), 0);
    return source;
}

// The answer to an instant query as JSON, or the error.
static char *ask(struct query_source *source, const char *text)
{
    struct promql_expr *expr = NULL;
    struct promql_result *result = NULL;
    struct promql_writer writer;
    struct err err = {0};
    struct buf out;
    buf_init(&out, 1 << 20);
    assert_int_equal(promql_parse(text, strlen(text), &expr, &err), 0);
    if (promql_eval_instant(expr, source, 0, NULL, &result, &err) < 0) {
        buf_puts(&out, err.message);
    } else {
        promql_writer_init(&writer, result, 0);
        while (promql_writer_next(&writer, &out, 1 << 20))
            ;
        promql_write_annotations(result, &out);
    }
    promql_result_free(result);
    promql_expr_free(expr);
    return buf_take(&out, NULL);
}

static void check_number(struct query_source *source, const char *text, const char *number)
{
    CLEANUP(freep) char *answer = ask(source, text);
    char wanted[64];
    if (number)
        snprintf(wanted, sizeof(wanted), "[0,\"%s\"]", number);
    if (number ? !strstr(answer, wanted) : !strstr(answer, "\"result\":[]"))
        fail_msg("%s: %s instead of %s", text, answer, number ? number : "nothing");
}

static void expressions_reach_nothing_else(void **state)
{
    static const char *const mine[] = {"a.b", "c"};
    struct promql_memory *m = memory();
    struct query_source *source = scoped(m, mine, 2);
    static const struct {
        const char *text, *number; // NULL: no series
    } rows[] = {
        {"sum(cpu)", "5"},
        {"count({__name__=~\".+\"})", "2"},
        {"count({domain=~\".*\",job!=\"\"})", "2"},
        {"count({job=\"vherd\"})", "2"},
        {"sum({__name__!=\"cpu\",job=\"vherd\"})", NULL},
        {"cpu{domain=\"axb\"}", NULL},
        {"cpu{domain=~\"axb|d.c\"}", NULL},
        {"cpu{domain!~\"a.b|c\"}", NULL},
        {"cpu{instance=\"h2\"}", NULL},
        {"cpu{job=\"pushed\"}", NULL},
        {"host_cpu", NULL},
        {"{domain=\"\",__name__=~\".+\"}", NULL},
        {"secret_of_axb or sum_over_time(secret_of_axb[5m]) or secret_of_axb offset -1s", NULL},
        {"sum(cpu{domain=\"c\"}) or sum(cpu{domain=\"axb\"})", "4"},
        {"absent(host_cpu)", "1"},
        {"absent(secret_of_axb)", "1"},
        {"count(count_over_time({__name__=~\".+\"}[5m:1m]))", "2"},
        {"sum(cpu) - sum(cpu{domain=~\"c|a.b\"})", "0"},
        {"scalar(host_cpu)", "NaN"},
        {"count(max_over_time({domain=~\".+\"}[1m]) * on() group_left() vector(1))", "2"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        check_number(source, rows[i].text, rows[i].number);
    scoped_source_free(source);
    promql_memory_free(m);
}

static void check_texts(struct query_source *source, const char *label, const char *wanted)
{
    struct query_texts texts = {0};
    struct buf out;
    buf_init(&out, 1 << 20);
    int r = label ? source->ops->label_values(source, label, NULL, 0, 0, 0, &texts, NULL)
                  : source->ops->label_names(source, NULL, 0, 0, 0, &texts, NULL);
    assert_int_equal(r, 0);
    for (size_t i = 0; i < texts.n; i++)
        buf_printf(&out, "%s%s", i > 0 ? " " : "", texts.text[i]);
    assert_string_equal(out.len > 0 ? out.data : "", wanted);
    query_texts_done(&texts);
    buf_done(&out);
}

static void names_and_values_tell_nothing_else(void **state)
{
    static const char *const mine[] = {"a.b", "c"};
    struct promql_memory *m = memory();
    struct query_source *source = scoped(m, mine, 2);
    check_texts(source, NULL, "__name__ disk domain instance job");
    check_texts(source, "domain", "a.b c");
    check_texts(source, "__name__", "cpu");
    check_texts(source, "instance", "h1");
    check_texts(source, "only_axb", "");
    // A pattern in a name is none.
    static const char *const barred[] = {"d|c"};
    struct query_source *other = scoped(m, barred, 1);
    check_texts(other, "domain", "d|c");
    scoped_source_free(other);
    scoped_source_free(source);
    promql_memory_free(m);
}

static void who_has_no_vm_sees_nothing(void **state)
{
    struct promql_memory *m = memory();
    struct query_source *source = scoped(m, NULL, 0);
    check_number(source, "count({__name__=~\".+\"})", NULL);
    check_number(source, "{domain=\"\",__name__=~\".+\"}", NULL);
    check_texts(source, NULL, "");
    check_texts(source, "domain", "");
    scoped_source_free(source);
    scoped_source_free(promql_memory_source(m)); // not ours
    scoped_source_free(NULL);
    promql_memory_free(m);
}

// Series of others do not count against the limit of one selector.
static void limits_count_what_is_seen(void **state)
{
    static const char *const mine[] = {"c"};
    struct promql_memory *m = memory();
    struct query_source *source = scoped(m, mine, 1);
    struct query_matcher all = {QUERY_NOT_EQUAL, "__name__", "", NULL};
    struct query_hints hints = {0};
    struct query_set *set = NULL;
    assert_int_equal(source->ops->select(source, &all, 1, &hints, 1, &set, NULL), 0);
    assert_int_equal(set->n, 1);
    set->ops->free_set(set);
    scoped_source_free(source);
    promql_memory_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expressions_reach_nothing_else),
        cmocka_unit_test(names_and_values_tell_nothing_else),
        cmocka_unit_test(who_has_no_vm_sees_nothing),
        cmocka_unit_test(limits_count_what_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
