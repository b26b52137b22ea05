// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "sim/scenario.h"

static struct scenario *parse(const char *text)
{
    struct scenario *s = NULL;
    struct err err = {0};
    if (scenario_parse("s.yaml", text, strlen(text), NULL, &s, &err) < 0)
        fail_msg("%s", err.message);
    return s;
}

static void all_values(void **state)
{
    struct scenario *s = parse(
        "name: x\nseed: 9\nduration: 2d\nstep: 60s\npolicy: none\ndowntime_limit: 50ms\n"
        "storage:\n  - {name: nfs, mtbf: 5d, slow_ratio: 0.5}\n"
        "hosts:\n  - name: a\n    count: 3\n    cores: 8\n    memory: 32G\n    network: 125M\n"
        "    power: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]\n  - {name: b}\n"
        "vms:\n  - {name: v, storage: nfs, vcpus: 4, workload: heavy, alpha: 2, every: 5m}\n"
        "events:\n  - {at: 1h, for: 10m, fault: host-failure, target: a-1}\n");
    assert_string_equal(s->name, "x");
    assert_int_equal(s->seed, 9);
    assert_true(s->duration_s == 172800 && s->step_s == 60 && s->downtime_limit_s == 0.05);
    assert_int_equal(s->hosts_n, 2);
    assert_int_equal(s->hosts[0].count, 3);
    assert_true(s->hosts[0].memory_bytes == UINT64_C(32) << 30);
    assert_true(s->hosts[0].power.watts[10] == 11);
    assert_int_equal(s->hosts[1].cores, 16); // a default
    assert_int_equal(s->vms[0].workload, WORKLOAD_HEAVY);
    assert_true(s->vms[0].alpha == 2 && s->vms[0].every_s == 300);
    assert_true(s->storage[0].slow_ratio == 0.5 && s->storage[0].mtbf_s == 432000);
    assert_int_equal(s->events[0].fault, FAULT_HOST_FAILURE);
    assert_int_equal(s->events[0].line, 20);
    scenario_free(s);
}

// Where and what, of the first error.
static void errors(void **state)
{
    static const struct {
        const char *text;
        int line, column;
        const char *says;
    } bad[] = {
        {"", 1, 1, "nothing"},
        {"hosts: 3\n", 1, 8, "must be a list"},
        {"host: []\n", 1, 1, "did you mean \"hosts\""},
        {"hosts:\n  - {name: a, coers: 3}\n", 2, 15, "did you mean \"cores\""},
        {"hosts:\n  - {count: 3}\n", 2, 5, "\"name\" is missing"},
        {"hosts:\n  - {name: a, count: 0}\n", 2, 22, "between 1 and"},
        {"hosts:\n  - {name: a, count: x}\n", 2, 22, "whole number"},
        {"hosts:\n  - {name: a, name: b}\n", 2, 15, "twice"},
        {"hosts:\n  - {name: a, memory: 1Q}\n", 2, 23, "size"},
        {"hosts:\n  - {name: a, mtbf: 5}\n", 2, 21, "duration"},
        {"hosts:\n  - {name: a, mtbf: 5ms}\n", 2, 21, "at least 1s"},
        {"hosts:\n  - {name: a, power: [1, 2]}\n", 2, 22, "11 numbers"},
        {"hosts:\n  - {name: a, power: [1, x]}\n", 2, 26, "11 numbers"},
        {"hosts: [{name: a}]\nvms: [{name: v, workload: odd}]\n", 2, 27, "constant, daily"},
        {"hosts: [{name: a}]\nevents: [{at: 1h, fault: fire, target: x}]\n", 2, 26, "vm-crash"},
        {"hosts: &x [{name: a}]\n", 1, 8, "anchors"},
        {"hosts: [{name: a}\n", 2, 1, "not YAML"},
        {"hosts: [{name: a}]\n---\nx: 1\n", 2, 1, "second document"},
        {"a: [[[[[[[1]]]]]]]\n", 1, 9, "too deep"},
        {"hosts: [{name: a}]\nvms: [{name: v, storage: s}]\n", 0, 0, "not there"},
        {"hosts: [{name: a}]\nvms: [{name: v, workload: trace}]\n", 0, 0, "need traces"},
        {"hosts: [{name: a}]\nvms: [{name: v, history: {store: x}}]\n", 0, 0, "need a history"},
        {"hosts: [{name: a}]\nvms: [{name: v, history: {days: 2}}]\n", 2, 26, "\"store\" is miss"},
        {"hosts: [{name: a}]\nvms: [{name: v, history: {store: x, days: 0}}]\n", 2, 43, "between"},
        {"vms: [{name: v}]\n", 0, 0, "0 hosts"},
        {"hosts: [{name: a, count: 60000}, {name: b, count: 60000}]\n", 0, 0, "120000 hosts"},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct scenario *s = NULL;
        struct err err = {0};
        int r = scenario_parse("s.yaml", bad[i].text, strlen(bad[i].text), NULL, &s, &err);
        if (r != -EINVAL || !strstr(err.message, bad[i].says) || err.line != bad[i].line ||
            err.column != bad[i].column)
            fail_msg("case %zu: %d, %d:%d, %s", i, r, err.line, err.column, err.message);
        assert_null(s);
        assert_non_null(strstr(err.message, "s.yaml"));
    }
}

static void missing_file(void **state)
{
    struct scenario *s = NULL;
    struct err err = {0};
    assert_int_equal(scenario_load("/nonexistent/x.yaml", &s, &err), -ENOENT);
    assert_non_null(strstr(err.message, "/nonexistent/x.yaml"));
}

static void every_fault_has_a_name(void **state)
{
    for (int i = 0; i < FAULT_MAX; i++)
        assert_true(strlen(scenario_fault_name((enum scenario_fault)i)) > 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_values),
        cmocka_unit_test(errors),
        cmocka_unit_test(missing_file),
        cmocka_unit_test(every_fault_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
