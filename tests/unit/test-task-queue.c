// SPDX-License-Identifier: GPL-3.0-or-later
#include "manage/queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void expect(const struct queue_item *items, size_t n, size_t limit, const char *ids)
{
    size_t chosen[16];
    char text[64] = "";
    size_t count = queue_pick(items, n, limit, chosen);
    for (size_t i = 0; i < count; i++) {
        const char id[] = {(char)('0' + items[chosen[i]].id), '\0'};
        memcpy(text + i, id, 2);
    }
    assert_string_equal(text, ids);
}

static void test_one_at_a_time_for_each_vm(void **state)
{
    const struct queue_item items[] = {
        {.id = 1, .vm = "a"}, {.id = 2, .vm = "b"}, {.id = 3, .vm = "a"}, {.id = 4, .vm = "c"}};
    expect(items, 4, 8, "124");
    expect(items, 4, 2, "12");
    expect(items, 4, 0, "");
    const struct queue_item busy[] = {
        {.id = 1, .vm = "a", .running = true}, {.id = 2, .vm = "a"}, {.id = 3, .vm = "b"}};
    expect(busy, 3, 8, "3");
    expect(busy, 3, 1, "");
}

static void test_names_that_are_made_are_locked(void **state)
{
    const struct queue_item items[] = {{.id = 1, .vm = "a", .other = "n"},
                                       {.id = 2, .vm = "b", .other = "n"},
                                       {.id = 3, .vm = "n"},
                                       {.id = 4, .vm = "d"}};
    expect(items, 4, 8, "14");
}

static void test_one_that_waits_holds_back_the_later_of_its_vm(void **state)
{
    const struct queue_item items[] = {
        {.id = 1, .vm = "a", .after = 9}, {.id = 2, .vm = "a"}, {.id = 3, .vm = "b"}};
    expect(items, 3, 8, "3");
}

static void test_batches_have_limits_of_their_own(void **state)
{
    const struct queue_item items[] = {
        {.id = 1, .vm = "a", .batch = "x", .parallel = 2, .running = true},
        {.id = 2, .vm = "b", .batch = "x", .parallel = 2},
        {.id = 3, .vm = "c", .batch = "x", .parallel = 2},
        {.id = 4, .vm = "d", .batch = "y", .parallel = 1},
        {.id = 5, .vm = "e"}};
    expect(items, 5, 8, "245");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_at_a_time_for_each_vm),
        cmocka_unit_test(test_names_that_are_made_are_locked),
        cmocka_unit_test(test_one_that_waits_holds_back_the_later_of_its_vm),
        cmocka_unit_test(test_batches_have_limits_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
