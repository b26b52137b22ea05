// SPDX-License-Identifier: GPL-3.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "exposition.h"

static void check(const char *text, const char *want)
{
    struct err err = {0};
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 65536);
    if (exposition_to_json(text, strlen(text), &out, &err) < 0)
        fail_msg("%s", err.message);
    assert_string_equal(out.data, want);
}

static void test_samples(void **state)
{
    check("", "[]");
    check("# HELP a b\n# TYPE a gauge\n\n", "[]");
    check("a 1\n", "[{\"name\":\"a\",\"labels\":{},\"value\":1}]");
    check("a 1", "[{\"name\":\"a\",\"labels\":{},\"value\":1}]");
    check("a:b_1{} 0.25\n", "[{\"name\":\"a:b_1\",\"labels\":{},\"value\":0.25}]");
    check("a{x=\"1\",y=\"\"} -1e3\nb 2\n",
          "[{\"name\":\"a\",\"labels\":{\"x\":\"1\",\"y\":\"\"},\"value\":-1000},"
          "{\"name\":\"b\",\"labels\":{},\"value\":2}]");
    check("a { x=\"1\" , } 1 1763670000000\n",
          "[{\"name\":\"a\",\"labels\":{\"x\":\"1\"},\"value\":1}]");
}

static void test_escapes(void **state)
{
    check("a{x=\"q\\\"b\\\\n\\n}# \"} 1\n",
          "[{\"name\":\"a\",\"labels\":{\"x\":\"q\\\"b\\\\n\\n}# \"},\"value\":1}]");
    check("a{x=\"\x1b\"} 1\n", "[{\"name\":\"a\",\"labels\":{\"x\":\"\\u001b\"},\"value\":1}]");
}

static void test_values_without_a_json_number(void **state)
{
    check("a NaN\nb +Inf\nc -Inf\n", "[{\"name\":\"a\",\"labels\":{},\"value\":\"NaN\"},"
                                     "{\"name\":\"b\",\"labels\":{},\"value\":\"+Inf\"},"
                                     "{\"name\":\"c\",\"labels\":{},\"value\":\"-Inf\"}]");
}

static void test_malformed(void **state)
{
    static const char *const texts[] = {
        "1a 1",        "a",         "a ",       "a x",       "a{ 1",       "a{x} 1",
        "a{x=} 1",     "a{x=\"} 1", "a{x=\"\\", "a{x=\"1\"", "a{x=\"1\"}", "a{x=\"1\" y=\"2\"} 1",
        "a{=\"1\"} 1", "a 1 x",     "a 1 2 3",  "{} 1",      "a{,} 1",     "a{x=\"\xff\"} 1",
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        CLEANUP(freep) char *text = mem_printf("ok 1\n%s\nok 2\n", texts[i]);
        struct err err = {0};
        CLEANUP(buf_done) struct buf out;
        buf_init(&out, 65536);
        if (exposition_to_json(text, strlen(text), &out, &err) != -EPROTO)
            fail_msg("taken: %s", texts[i]);
        assert_int_equal(err.line, 2);
    }
}

static void test_output_has_a_cap(void **state)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 20);
    assert_int_equal(exposition_to_json("a 1\nb 1\n", 8, &out, NULL), -E2BIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_values_without_a_json_number),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_output_has_a_cap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
