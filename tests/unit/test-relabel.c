// SPDX-License-Identifier: GPL-3.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "model/relabel.h"

DEFINE_FREEP(struct relabel, relabel_free, relabel_freep)
DEFINE_FREEP(struct labels, labels_free, labels_freep)

static const char *const a_b[] = {"a", "b"};

static struct relabel_spec rule(enum relabel_action action)
{
    return (struct relabel_spec){.action = action,
                                 .source_labels = a_b,
                                 .n_source_labels = 2,
                                 .separator = ";",
                                 .regex = "(.*)",
                                 .target_label = "t",
                                 .replacement = "$1"};
}

static const struct label input[] = {{"__name__", "up"}, {"b", "foo"}, {"a", "Bar"}, {"c", "baz"}};

// "" where the set is dropped.
static void check(const struct relabel_spec *spec, size_t n, const char *want)
{
    struct err err = {0};
    CLEANUP(relabel_freep) struct relabel *r = NULL;
    CLEANUP(labels_freep) struct labels *l = NULL;
    CLEANUP(buf_done) struct buf got;
    buf_init(&got, 4096);
    if (relabel_new(spec, n, &r, &err) < 0)
        fail_msg("%s", err.message);
    int kept = relabel_apply(r, input, ARRAY_LEN(input), &l);
    if (kept == 1)
        labels_format(l, &got);
    assert_in_range(kept, 0, 1);
    assert_string_equal(got.len ? got.data : "", want);
}

static void test_replace(void **state)
{
    struct relabel_spec s = rule(RELABEL_REPLACE);
    check(&s, 1, "up{a=\"Bar\", b=\"foo\", c=\"baz\", t=\"Bar;foo\"}");
    s.regex = "B(..);f(.*)";
    s.target_label = "x_${2}";
    s.replacement = "${1}!";
    check(&s, 1, "up{a=\"Bar\", b=\"foo\", c=\"baz\", x_oo=\"ar!\"}");
    s.regex = "nothing";
    check(&s, 1, "up{a=\"Bar\", b=\"foo\", c=\"baz\"}");
    s.regex = "(.*)";
    s.target_label = "c";
    s.replacement = "";
    check(&s, 1, "up{a=\"Bar\", b=\"foo\"}");
    s.target_label = "__name__";
    s.replacement = "down";
    check(&s, 1, "down{a=\"Bar\", b=\"foo\", c=\"baz\"}");
}

static void test_keep_and_drop(void **state)
{
    struct relabel_spec s = rule(RELABEL_KEEP);
    s.regex = "Bar;.*";
    check(&s, 1, "up{a=\"Bar\", b=\"foo\", c=\"baz\"}");
    s.regex = "ar;.*"; // anchored
    check(&s, 1, "");
    s.action = RELABEL_DROP;
    check(&s, 1, "up{a=\"Bar\", b=\"foo\", c=\"baz\"}");
    s.regex = ".*";
    check(&s, 1, "");
}

static void test_equal(void **state)
{
    struct relabel_spec s = rule(RELABEL_KEEPEQUAL);
    s.n_source_labels = 1;
    s.target_label = "c";
    check(&s, 1, "");
    s.target_label = "a";
    check(&s, 1, "up{a=\"Bar\", b=\"foo\", c=\"baz\"}");
    s.action = RELABEL_DROPEQUAL;
    check(&s, 1, "");
}

static void test_names(void **state)
{
    struct relabel_spec s = rule(RELABEL_LABELMAP);
    s.regex = "([ab])";
    s.replacement = "x_$1";
    check(&s, 1, "up{a=\"Bar\", b=\"foo\", c=\"baz\", x_a=\"Bar\", x_b=\"foo\"}");
    s = rule(RELABEL_LABELDROP);
    s.n_source_labels = 0;
    s.regex = "[ab]";
    check(&s, 1, "up{c=\"baz\"}");
    s.action = RELABEL_LABELKEEP;
    check(&s, 1, "{a=\"Bar\", b=\"foo\"}");
}

static void test_case_and_order(void **state)
{
    struct relabel_spec s[] = {rule(RELABEL_LOWERCASE), rule(RELABEL_UPPERCASE)};
    s[1].target_label = "u";
    check(s, 2, "up{a=\"Bar\", b=\"foo\", c=\"baz\", t=\"bar;foo\", u=\"BAR;FOO\"}");
}

// The last 8 bytes of the MD5, as Prometheus takes them; figures by Python's hashlib.
static void check_hashmod(const char *value, const char *want)
{
    const struct label labels[] = {{"a", value}};
    struct relabel_spec s = rule(RELABEL_HASHMOD);
    s.n_source_labels = 1;
    s.modulus = 1000;
    CLEANUP(relabel_freep) struct relabel *r = NULL;
    CLEANUP(labels_freep) struct labels *l = NULL;
    assert_int_equal(relabel_new(&s, 1, &r, NULL), 0);
    assert_int_equal(relabel_apply(r, labels, 1, &l), 1);
    assert_string_equal(labels_get(l, "t"), want);
}

static void test_hashmod_as_prometheus(void **state)
{
    check_hashmod("baz", "976");
    check_hashmod("foo;bar;baz", "719");
    check_hashmod("012345678901234567890123456789012345678901234567890123456789", "761");
    check_hashmod("01234567890123456789012345678901234567890123456789012345678901234567890123456789"
                  "0123456789012345678901234567890123456789",
                  "474");
}

static void check_refused(struct relabel_spec s, const char *what)
{
    struct err err = {0};
    struct relabel *r = NULL;
    struct relabel_spec two[] = {rule(RELABEL_KEEP), s};
    assert_int_equal(relabel_new(two, 2, &r, &err), -EINVAL);
    assert_non_null(strstr(err.message, "rule 2"));
    assert_non_null(strstr(err.message, what));
}

static void test_refused(void **state)
{
    struct relabel_spec s = rule(RELABEL_REPLACE);
    s.regex = "(";
    check_refused(s, "regex");
    s = rule(RELABEL_REPLACE);
    s.target_label = "";
    check_refused(s, "target_label");
    check_refused(rule(RELABEL_HASHMOD), "modulus");
    check_refused(rule(RELABEL_LABELDROP), "regex only");
}

static void test_nothing_to_do(void **state)
{
    CLEANUP(labels_freep) struct labels *l = NULL;
    assert_int_equal(relabel_apply(NULL, input, 4, &l), 1);
    assert_string_equal(labels_get(l, "a"), "Bar");
    assert_int_equal(relabel_count(NULL), 0);
}

static void test_every_action_has_a_name(void **state)
{
    for (int i = 0; i < RELABEL_ACTION_MAX; i++)
        assert_non_null(relabel_action_names[i]);
    assert_null(relabel_action_names[RELABEL_ACTION_MAX]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replace),
        cmocka_unit_test(test_keep_and_drop),
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_case_and_order),
        cmocka_unit_test(test_hashmod_as_prometheus),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_nothing_to_do),
        cmocka_unit_test(test_every_action_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
