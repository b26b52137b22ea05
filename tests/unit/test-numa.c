// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "manage/numa.h"

static void test_lists(void **state)
{
    static const struct {
        const char *text;
        int n;
        unsigned first, last;
    } cases[] = {
        {"0", 1, 0, 0},         {"0-1,3", 3, 0, 3},
        {"3,0-1,0", 3, 0, 3},   {"7-7", 1, 7, 7},
        {"", -EINVAL, 0, 0},    {"a", -EINVAL, 0, 0},
        {"1-", -EINVAL, 0, 0},  {"2-1", -EINVAL, 0, 0},
        {",", -EINVAL, 0, 0},   {"0,", -EINVAL, 0, 0},
        {"-1", -EINVAL, 0, 0},  {"0-128", -EINVAL, 0, 0},
        {"0 1", -EINVAL, 0, 0}, {"99999999999999999999", -EINVAL, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        unsigned nodes[NUMA_NODES_MAX];
        struct err err = {0};
        int n = numa_nodes_parse(cases[i].text, nodes, &err);
        if (n != cases[i].n)
            fail_msg("\"%s\": %d", cases[i].text, n);
        if (n > 0) {
            assert_int_equal(nodes[0], cases[i].first);
            assert_int_equal(nodes[n - 1], cases[i].last);
        }
    }
}

static void expect(const char *nodes, unsigned vcpus, const char *const *cpus)
{
    static const struct virt_cell cells[] = {
        {0, (char *)"0-3"}, {1, (char *)"4-7"}, {2, (char *)"8-11"}};
    struct virt_pin *pins = NULL;
    struct err err = {0};
    assert_int_equal(numa_pins(nodes, cells, ARRAY_LEN(cells), vcpus, &pins, &err), 0);
    for (unsigned i = 0; i < vcpus; i++) {
        assert_int_equal(pins[i].vcpu, i);
        assert_string_equal(pins[i].cpus, cpus[i]);
        free(pins[i].cpus);
    }
    free(pins);
}

static void test_vcpus_in_blocks(void **state)
{
    expect("0-1", 4, (const char *const[]){"0-3", "0-3", "4-7", "4-7"});
    expect("2,0", 2, (const char *const[]){"0-3", "8-11"});
    expect("0-2", 2, (const char *const[]){"0-3", "4-7"});
    expect("1", 3, (const char *const[]){"4-7", "4-7", "4-7"});
}

static void test_what_the_host_lacks(void **state)
{
    static const struct virt_cell cells[] = {{0, (char *)"0-3"}, {1, (char *)""}};
    struct virt_pin *pins = NULL;
    struct err err = {0};
    assert_int_equal(numa_pins("2", cells, 2, 1, &pins, &err), -EINVAL);
    assert_string_equal(err.message, "the host has no NUMA node 2");
    assert_int_equal(numa_pins("1", cells, 2, 1, &pins, &err), -EINVAL);
    assert_string_equal(err.message, "the NUMA node 1 has no CPUs to pin to");
    assert_null(pins);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_vcpus_in_blocks),
        cmocka_unit_test(test_what_the_host_lacks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
