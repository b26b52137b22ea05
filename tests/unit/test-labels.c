// SPDX-License-Identifier: GPL-3.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "model/labels.h"
#include "model/query.h"
#include "regex/regex.h"

DEFINE_FREEP(struct labels, labels_free, labels_freep)

static struct labels *make(const char *a, const char *x, const char *b, const char *y)
{
    struct label label[] = {{a, x}, {b, y}};
    return labels_new(label, 2);
}

static void formats(struct labels *l, const char *expected)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 10000);
    labels_format(l, &out);
    assert_string_equal(out.data, expected);
    labels_free(l);
}

static void test_sorted_without_empty_values(void **state)
{
    CLEANUP(labels_freep) struct labels *l = make("vcpu", "0", "domain", "web");
    assert_int_equal(l->n, 2);
    assert_string_equal(l->label[0].name, "domain");
    assert_string_equal(labels_get(l, "vcpu"), "0");
    assert_null(labels_get(l, "disk"));
    CLEANUP(labels_freep) struct labels *one = make("a", "", "b", "1");
    assert_int_equal(one->n, 1);
    CLEANUP(labels_freep) struct labels *none = labels_new(NULL, 0);
    assert_int_equal(none->n, 0);
}

static void test_refused(void **state)
{
    assert_null(make("a", "1", "a", "2"));
    struct label many[LABELS_MAX + 1];
    char names[LABELS_MAX + 1][8];
    for (size_t i = 0; i < ARRAY_LEN(many); i++) {
        snprintf(names[i], sizeof(names[i]), "l%zu", i);
        many[i] = (struct label){names[i], "1"};
    }
    assert_null(labels_new(many, LABELS_MAX + 1));
    CLEANUP(labels_freep) struct labels *just = labels_new(many, LABELS_MAX);
    assert_int_equal(just->n, LABELS_MAX);
}

static void test_hash_and_order(void **state)
{
    CLEANUP(labels_freep) struct labels *a = make("a", "1", "b", "2");
    CLEANUP(labels_freep) struct labels *same = make("b", "2", "a", "1");
    CLEANUP(labels_freep) struct labels *other = make("a", "1b", "b", "2");
    CLEANUP(labels_freep) struct labels *fewer = make("a", "1", "b", "");
    assert_true(labels_equal(a, same));
    assert_false(labels_equal(a, other));
    assert_true(a->hash != other->hash);
    assert_true(labels_compare(a, other) < 0);
    assert_true(labels_compare(a, fewer) > 0);
    // The same on each machine: it stands in files.
    assert_int_equal(a->hash, UINT64_C(0xf394f42ca1a0d606));
}

static void test_format(void **state)
{
    formats(make(LABEL_METRIC_NAME, "up", "a", ""), "up");
    formats(make(LABEL_METRIC_NAME, "up", "job", "a\"b\\c\nd"), "up{job=\"a\\\"b\\\\c\\nd\"}");
    formats(make(LABEL_METRIC_NAME, "my.name", "the.label", "1"),
            "{\"my.name\", \"the.label\"=\"1\"}");
    formats(make("a", "1", "b", "2"), "{a=\"1\", b=\"2\"}");
    formats(make("a", "", "b", ""), "{}");
    assert_true(labels_is_plain_metric("a:b_9"));
    assert_false(labels_is_plain_name("a:b_9"));
    assert_false(labels_is_plain_metric("9a"));
    assert_false(labels_is_plain_metric(""));
}

static void test_matchers(void **state)
{
    CLEANUP(labels_freep) struct labels *l = make(LABEL_METRIC_NAME, "up", "job", "node");
    struct regex *re = NULL;
    assert_int_equal(regex_new("no.*", true, &re, NULL), 0);
    struct query_matcher rows[] = {
        {QUERY_EQUAL, "job", "node", NULL},     {QUERY_NOT_EQUAL, "job", "x", NULL},
        {QUERY_REGEX, "job", "no.*", re},       {QUERY_EQUAL, "instance", "", NULL},
        {QUERY_NOT_REGEX, "other", "no.*", re},
    };
    assert_true(query_matches(rows, ARRAY_LEN(rows), l));
    rows[2].match = QUERY_NOT_REGEX;
    assert_false(query_matches(rows, ARRAY_LEN(rows), l));
    assert_true(query_matches(NULL, 0, l));
    regex_free(re);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sorted_without_empty_values),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_hash_and_order),
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_matchers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
