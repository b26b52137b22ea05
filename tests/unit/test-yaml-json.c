// SPDX-License-Identifier: GPL-3.0-or-later
#include "conf/yaml_json.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

static void test_values(void **state)
{
    static const char text[] = "a: 1\nb: [true, 'true', null, ~, -5, 1.5, 2G]\nc: {d: \"x y\"}\n";
    static const char same[] =
        "{\"a\":1,\"b\":[true,\"true\",null,null,-5,\"1.5\",\"2G\"],\"c\":{\"d\":\"x y\"}}";
    struct err err = {0};
    json_t *value = NULL;
    assert_int_equal(yaml_json(text, sizeof(text) - 1, &value, &err), 0);
    char *out = json_dumps(value, JSON_COMPACT);
    assert_string_equal(out, same);
    free(out);
    json_decref(value);
}

static void test_refusals(void **state)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"", "empty"},
        {"a: 1\na: 2\n", "line 2, column 1: this name stands twice"},
        {"a: &x 1\n", "anchors"},
        {"a: *x\n", "aliases"},
        {"a: !t 1\n", "tags"},
        {"[1]: 2\n", "a name must be a text"},
        {"a: 1\n---\nb: 2\n", "second document"},
        {"a: [\n", "line "},
        {"[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]", "nested too deep"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err err = {0};
        json_t *value = NULL;
        assert_int_equal(yaml_json(cases[i].text, strlen(cases[i].text), &value, &err), -EINVAL);
        assert_null(value);
        if (!strstr(err.message, cases[i].says))
            fail_msg("%s: \"%s\"", cases[i].text, err.message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_values),
                                       cmocka_unit_test(test_refusals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
