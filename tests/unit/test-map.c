// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/map.h"
#include "base/mem.h"

static int values[1000];

static void empty_map(void **state)
{
    struct map *m = map_new();
    size_t cursor = 0;
    assert_null(map_get(m, "a", 1));
    assert_null(map_remove(m, "a", 1));
    assert_int_equal(map_count(m), 0);
    assert_null(map_next(m, &cursor));
    map_free(m);
    map_free(NULL);
}

static void put_replace_remove(void **state)
{
    struct map *m = map_new();
    assert_null(map_put(m, "key", 3, &values[0]));
    assert_ptr_equal(map_put(m, "key", 3, &values[1]), &values[0]);
    assert_int_equal(map_count(m), 1);
    assert_ptr_equal(map_get(m, "key", 3), &values[1]);
    assert_ptr_equal(map_remove(m, "key", 3), &values[1]);
    assert_null(map_remove(m, "key", 3));
    assert_int_equal(map_count(m), 0);
    map_free(m);
}

static void keys_are_copied_bytes(void **state)
{
    struct map *m = map_new();
    char key[] = "a\0b";
    map_put(m, key, 3, &values[0]);
    key[0] = 'x';
    assert_ptr_equal(map_get(m, "a\0b", 3), &values[0]);
    assert_null(map_get(m, "a\0c", 3));
    assert_null(map_get(m, "a", 1));
    assert_null(map_get(m, "a\0b", 4));
    assert_null(map_put(m, "", 0, &values[1]));
    assert_ptr_equal(map_get(m, "", 0), &values[1]);
    assert_int_equal(map_count(m), 2);
    map_free(m);
}

static void long_keys(void **state)
{
    enum { LEN = 65536 };
    struct map *m = map_new();
    CLEANUP(freep) char *key = mem_zalloc(LEN);
    map_put(m, key, LEN, &values[0]);
    map_put(m, key, LEN - 1, &values[1]);
    assert_ptr_equal(map_get(m, key, LEN), &values[0]);
    assert_ptr_equal(map_get(m, key, LEN - 1), &values[1]);
    map_free(m);
}

// Against an array indexed by key, through growth, and removal in the middle of long runs.
static void behaves_as_an_array(void **state)
{
    enum { KEYS = 1000 };
    static void *model[KEYS];
    struct map *m = map_new();
    size_t count = 0;
    srand(5);
    for (int i = 0; i < 200000; i++) {
        // Phases that grow and phases that shrink.
        bool growing = i / 20000 % 2 == 0;
        uint32_t key = (uint32_t)rand() % KEYS;
        if (rand() % 10 < (growing ? 7 : 3)) {
            void *value = &values[rand() % 1000];
            assert_ptr_equal(map_put(m, &key, sizeof(key), value), model[key]);
            count += !model[key];
            model[key] = value;
        } else {
            assert_ptr_equal(map_remove(m, &key, sizeof(key)), model[key]);
            count -= model[key] != NULL;
            model[key] = NULL;
        }
        assert_int_equal(map_count(m), count);
        uint32_t other = (uint32_t)rand() % KEYS;
        assert_ptr_equal(map_get(m, &other, sizeof(other)), model[other]);
        if (i % 5000 == 0)
            for (uint32_t k = 0; k < KEYS; k++)
                assert_ptr_equal(map_get(m, &k, sizeof(k)), model[k]);
    }
    map_free(m);
}

static void walk_meets_each_value_once(void **state)
{
    struct map *m = map_new();
    int seen[1000] = {0};
    for (int i = 0; i < 1000; i++)
        map_put(m, &i, sizeof(i), &values[i]);
    for (int i = 0; i < 1000; i += 3)
        map_remove(m, &i, sizeof(i));
    size_t cursor = 0;
    for (int *value; (value = map_next(m, &cursor));)
        seen[value - values]++;
    for (int i = 0; i < 1000; i++)
        assert_int_equal(seen[i], i % 3 != 0);
    map_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_map),
        cmocka_unit_test(put_replace_remove),
        cmocka_unit_test(keys_are_copied_bytes),
        cmocka_unit_test(long_keys),
        cmocka_unit_test(behaves_as_an_array),
        cmocka_unit_test(walk_meets_each_value_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
