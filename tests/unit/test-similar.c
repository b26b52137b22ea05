// SPDX-License-Identifier: GPL-3.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "base/similar.h"

static void test_distance(void **state)
{
    static const struct {
        const char *a, *b;
        unsigned edits;
    } cases[] = {
        {"", "", 0},       {"", "abc", 3},           {"abc", "", 3},
        {"abc", "abc", 0}, {"abc", "abd", 1},        {"abc", "ab", 1},
        {"abc", "acb", 1}, {"kitten", "sitting", 3}, {"listn", "listen", 1},
        {"ca", "abc", 3},  {"web", "bew", 2},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(similar_distance(cases[i].a, cases[i].b), cases[i].edits);
        assert_int_equal(similar_distance(cases[i].b, cases[i].a), cases[i].edits);
    }
}

static void test_distance_of_long_texts(void **state)
{
    char a[1000], b[1000];
    memset(a, 'a', sizeof(a));
    memset(b, 'b', sizeof(b));
    a[999] = b[999] = '\0';
    assert_int_equal(similar_distance(a, b), SIMILAR_TEXT_MAX);
    assert_int_equal(similar_distance(a, a), 0);
}

static void test_best(void **state)
{
    static const char *const names[] = {"libvirt", NULL, "kernel", "agent", "web", "log"};
    assert_string_equal(similar_best("libvrt", names, ARRAY_LEN(names)), "libvirt");
    assert_string_equal(similar_best("kernle", names, ARRAY_LEN(names)), "kernel");
    assert_string_equal(similar_best("we", names, ARRAY_LEN(names)), "web");
    assert_null(similar_best("storage", names, ARRAY_LEN(names)));
    assert_null(similar_best("x", names, ARRAY_LEN(names)));
    assert_null(similar_best("web", names, 0));
}

static void test_best_takes_the_nearest_then_the_first(void **state)
{
    static const char *const names[] = {"web10", "web12", "web1"};
    assert_string_equal(similar_best("web11", names, 3), "web10");
    assert_string_equal(similar_best("web12", names, 3), "web12");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_distance),
        cmocka_unit_test(test_distance_of_long_texts),
        cmocka_unit_test(test_best),
        cmocka_unit_test(test_best_takes_the_nearest_then_the_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
