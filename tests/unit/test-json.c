// SPDX-License-Identifier: GPL-3.0-or-later
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"

static void commas_and_nesting(void **state)
{
    struct buf b;
    struct json j;
    buf_init(&b, 1000);
    json_init(&j, &b);
    json_object_begin(&j);
    json_key(&j, "empty");
    json_array_begin(&j);
    json_array_end(&j);
    json_key(&j, "list");
    json_array_begin(&j);
    json_u64(&j, 1);
    json_object_begin(&j);
    json_object_end(&j);
    json_array_begin(&j);
    json_nothing(&j);
    json_bool(&j, true);
    json_array_end(&j);
    json_i64(&j, -2);
    json_array_end(&j);
    json_kv_string(&j, "k\"", "v\n");
    json_kv_string(&j, "none", NULL);
    json_kv_bool(&j, "no", false);
    json_object_end(&j);
    assert_string_equal(b.data, "{\"empty\":[],\"list\":[1,{},[null,true],-2],\"k\\\"\":\"v\\n\","
                                "\"none\":null,\"no\":false}");
    buf_done(&b);
}

static void numbers(void **state)
{
    struct buf b;
    struct json j;
    buf_init(&b, 1000);
    json_init(&j, &b);
    json_array_begin(&j);
    json_f64(&j, NAN);
    json_f64(&j, INFINITY);
    json_f64(&j, -INFINITY);
    json_f64(&j, 0.25);
    json_f64(&j, 1e300);
    json_u64(&j, UINT64_MAX);
    json_ns_as_s(&j, 1250000000);
    json_array_end(&j);
    assert_string_equal(b.data, "[null,null,null,0.25,1e+300,18446744073709551615,1.25]");
    buf_done(&b);
}

static void full_buffer_is_an_error_not_a_crash(void **state)
{
    struct buf b;
    struct json j;
    buf_init(&b, 20);
    json_init(&j, &b);
    json_array_begin(&j);
    for (int i = 0; i < 100; i++)
        json_kv_f64(&j, "key", 0.1);
    json_array_end(&j);
    assert_true(b.error < 0);
    buf_done(&b);
}

static void deepest_nesting(void **state)
{
    struct buf b;
    struct json j;
    buf_init(&b, 1000);
    json_init(&j, &b);
    for (int i = 0; i < JSON_DEPTH_MAX; i++)
        json_array_begin(&j);
    for (int i = 0; i < JSON_DEPTH_MAX; i++)
        json_array_end(&j);
    assert_string_equal(b.data, "[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]");
    buf_done(&b);
}

// A random document written here and built in jansson must be the same to jansson's reader.
static json_t *random_value(struct json *j, int depth)
{
    int kind = rand() % (depth < 6 ? 7 : 5);
    if (kind == 0) {
        char text[20];
        size_t len = (size_t)rand() % sizeof(text);
        for (size_t i = 0; i < len; i++)
            text[i] = (char)(1 + rand() % 127);
        text[len ? len - 1 : 0] = '\0';
        json_text(j, text);
        return json_stringn(text, strlen(text));
    }
    if (kind == 1) {
        int64_t v = ((int64_t)rand() << 32 | rand()) - ((int64_t)rand() << 31);
        json_i64(j, v);
        return json_integer(v);
    }
    if (kind == 2) {
        double v = (rand() - RAND_MAX / 2) / 977.0 + 1e-9;
        json_f64(j, v);
        return json_real(v);
    }
    if (kind == 3) {
        json_bool(j, true);
        return json_true();
    }
    if (kind == 4) {
        json_nothing(j);
        return json_null();
    }
    int n = rand() % 5;
    if (kind == 5) {
        json_t *array = json_array();
        json_array_begin(j);
        for (int i = 0; i < n; i++)
            json_array_append_new(array, random_value(j, depth + 1));
        json_array_end(j);
        return array;
    }
    json_t *object = json_object();
    json_object_begin(j);
    for (int i = 0; i < n; i++) {
        CLEANUP(freep) char *key = mem_printf("%d<\"\t>", i);
        json_key(j, key);
        json_object_set_new(object, key, random_value(j, depth + 1));
    }
    json_object_end(j);
    return object;
}

static void random_documents_read_back(void **state)
{
    srand(3);
    for (int i = 0; i < 2000; i++) {
        struct buf b;
        struct json j;
        buf_init(&b, 1 << 20);
        json_init(&j, &b);
        json_t *expected = random_value(&j, 0);
        json_error_t error;
        json_t *seen = json_loadb(b.data, b.len, JSON_DECODE_ANY, &error);
        if (!seen)
            fail_msg("%s in %s", error.text, b.data);
        assert_true(json_equal(seen, expected));
        json_decref(seen);
        json_decref(expected);
        buf_done(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commas_and_nesting),
        cmocka_unit_test(numbers),
        cmocka_unit_test(full_buffer_is_an_error_not_a_crash),
        cmocka_unit_test(deepest_nesting),
        cmocka_unit_test(random_documents_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
