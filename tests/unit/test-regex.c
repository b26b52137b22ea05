// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "regex/regex.h"

DEFINE_FREEP(struct regex, regex_free, regex_freep)

static struct regex *compiled(const char *pattern, bool anchored)
{
    struct regex *re = NULL;
    struct err err = {0};
    assert_int_equal(regex_new(pattern, anchored, &re, &err), 0);
    return re;
}

static bool matches(const char *pattern, bool anchored, const char *text)
{
    CLEANUP(regex_freep) struct regex *re = compiled(pattern, anchored);
    return regex_match(re, text, strlen(text));
}

static void test_anchored_or_not(void **state)
{
    assert_true(matches("a.c", true, "abc"));
    assert_false(matches("a.c", true, "xabc"));
    assert_true(matches("a.c", false, "xabcx"));
    assert_false(matches("a|b", true, "ab"));
    assert_true(matches("", true, ""));
    assert_false(matches("", true, "a"));
    assert_true(matches("a.b", true, "a\nb"));
    assert_true(matches("(?i)NODE", true, "node"));
}

static void test_what_re2_refuses(void **state)
{
    static const char *const patterns[] = {"a(", "(?=a)", "(a)\\1", "a)(b", "[z-a]", "a{2000}"};
    for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
        struct regex *re = NULL;
        struct err err = {0};
        assert_int_equal(regex_new(patterns[i], true, &re, &err), -EINVAL);
        assert_true(err.message[0] != '\0');
    }
}

static void expands(const char *pattern, const char *text, const char *replacement,
                    const char *expected)
{
    CLEANUP(regex_freep) struct regex *re = compiled(pattern, true);
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 1000);
    bool is_match = regex_expand(re, text, strlen(text), replacement, &out);
    assert_int_equal(is_match, expected != NULL);
    buf_putc(&out, '\0');
    assert_string_equal(out.data, expected ? expected : "");
}

static void test_expand_by_gos_rules(void **state)
{
    expands("(.*)-(.*)", "a-b", "$2:$1", "b:a");
    expands("(.*)-(.*)", "a-b", "$1x", ""); // the group named 1x
    expands("(.*)-(.*)", "a-b", "${1}x", "ax");
    expands("(?P<left>.*)-.*", "a-b", "$left/${left}", "a/a");
    expands("(.*)", "a", "$$1 $ ${ ${} $9", "$1 $ ${ ${} ");
    expands("(a)|(b)", "b", "[$1$2]", "[b]");
    expands("a", "b", "x", NULL);
}

static void replaces(const char *pattern, const char *text, const char *replacement,
                     const char *expected)
{
    CLEANUP(regex_freep) struct regex *re = compiled(pattern, false);
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 1000);
    regex_replace_all(re, text, strlen(text), replacement, &out);
    buf_putc(&out, '\0');
    assert_string_equal(out.data, expected);
}

static void test_replace_all_by_gos_rules(void **state)
{
    // What Go's ReplaceAllString gives.
    replaces("a", "banana", "<$0>", "b<a>n<a>n<a>");
    replaces("a*", "baac", "-", "-b-c-");
    replaces("", "añb", ".", ".a.ñ.b.");
    replaces("x", "", "y", "");
    replaces("(\\w+)@", "me@here you@there", "$1 at ", "me at here you at there");
}

static void test_set_and_prefix(void **state)
{
    const char *const *set;
    CLEANUP(regex_freep) struct regex *few = compiled("web-1|web-2|a\\.b", true);
    assert_int_equal(regex_set(few, &set), 3);
    assert_string_equal(set[0], "web-1");
    assert_string_equal(set[2], "a.b");
    CLEANUP(regex_freep) struct regex *dot = compiled("web.*", true);
    assert_int_equal(regex_set(dot, &set), 0);
    assert_string_equal(regex_prefix(dot), "web");
    CLEANUP(regex_freep) struct regex *maybe = compiled("webs?-.+", true);
    assert_string_equal(regex_prefix(maybe), "web");
    CLEANUP(regex_freep) struct regex *either = compiled("web.|db.", true);
    assert_string_equal(regex_prefix(either), "");
    CLEANUP(regex_freep) struct regex *folded = compiled("(?i)web", true);
    assert_string_equal(regex_prefix(folded), "");
    assert_int_equal(regex_set(folded, &set), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_anchored_or_not),     cmocka_unit_test(test_what_re2_refuses),
        cmocka_unit_test(test_expand_by_gos_rules), cmocka_unit_test(test_replace_all_by_gos_rules),
        cmocka_unit_test(test_set_and_prefix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
