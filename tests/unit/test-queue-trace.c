// SPDX-License-Identifier: GPL-3.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <errno.h>

#include <cmocka.h>

#include "base/mem.h"
#include "place/queue_trace.h"

static void test_reads_columns_in_any_order(void **state)
{
    static const char text[] = "# a comment\nrun , vcpus,arrival,memory,priority,estimate\r\n"
                               "60,2,0,8G,5,90\n\n 10 ,0.5,3,512M,-1,10\n";
    struct queue_request *q = NULL;
    size_t n = 0;
    struct err err = {0};
    assert_int_equal(queue_trace_parse("t", text, strlen(text), &q, &n, &err), 0);
    assert_int_equal(n, 2);
    assert_true(q[0].arrival_s == 0 && q[0].service_s == 60 && q[0].estimate_s == 90);
    assert_int_equal(q[0].priority, 5);
    assert_int_equal(q[0].need.of[PLACE_CPU], 2 * PLACE_CPU_UNIT);
    assert_int_equal(q[0].need.of[PLACE_MEMORY], INT64_C(8) << 30);
    assert_true(q[1].arrival_s == 3 && q[1].priority == -1);
    assert_int_equal(q[1].need.of[PLACE_CPU], PLACE_CPU_UNIT / 2);
    free(q);
}

static void test_what_may_be_absent(void **state)
{
    static const char text[] = "arrival,run,vcpus\n0,4,1\n2,8,3";
    struct queue_request *q = NULL;
    size_t n = 0;
    struct err err = {0};
    assert_int_equal(queue_trace_parse("t", text, strlen(text), &q, &n, &err), 0);
    assert_int_equal(n, 2);
    assert_true(q[1].estimate_s == 8);
    assert_int_equal(q[1].need.of[PLACE_MEMORY], 0);
    struct queue_trace_means m = queue_trace_means(q, n);
    assert_true(m.arrivals_per_s == 0.5 && m.service_s == 6 && m.service_deviation_s == 2);
    assert_int_equal(m.need.of[PLACE_CPU], 2 * PLACE_CPU_UNIT);
    assert_true(queue_trace_means(q, 1).arrivals_per_s == 0);
    free(q);
}

static void test_says_where_it_is_wrong(void **state)
{
    static const struct {
        const char *text, *part;
        int line, column;
    } bad[] = {
        {"", "no requests", 0, 0},
        {"arrival,run,vcpus\n", "no requests", 0, 0},
        {"arrival,run\n0,1\n", "must be named", 1, 1},
        {"arrival,run,vcpu\n", "did you mean \"vcpus\"", 1, 13},
        {"arrival,run,vcpus,run\n", "twice", 1, 19},
        {"arrival,run,vcpus\n0,1,1\n-1,1,1\n", "seconds", 3, 1},
        {"arrival,run,vcpus\n5,1,1\n4,1,1\n", "before the request", 3, 1},
        {"arrival,run,vcpus\n0,0,1\n", "above 0", 2, 3},
        {"arrival,run,vcpus\n0,nan,1\n", "above 0", 2, 3},
        {"arrival,run,vcpus\n0,1,5000\n", "vCPUs", 2, 5},
        {"arrival,run,vcpus\n0,1\n", "column is missing", 2, 4},
        {"arrival,run,vcpus\n0,,1\n", "value is missing", 2, 3},
        {"arrival,run,vcpus\n0,1,1,1\n", "more columns", 2, 6},
        {"arrival,run,vcpus,memory\n0,1,1,8Q\n", "size", 2, 7},
        {"arrival,run,vcpus,priority\n0,1,1,1.5\n", "whole number", 2, 7},
        {"arrival,run,vcpus,estimate\n0,1,1,x\n", "seconds", 2, 7},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct queue_request *q = NULL;
        size_t n = 4711;
        struct err err = {0};
        int r = queue_trace_parse("f.csv", bad[i].text, strlen(bad[i].text), &q, &n, &err);
        assert_int_equal(r, -EINVAL);
        assert_null(q);
        assert_int_equal(n, 4711);
        if (!strstr(err.message, bad[i].part) || err.line != bad[i].line ||
            err.column != bad[i].column)
            fail_msg("case %zu: %s (%d:%d)", i, err.message, err.line, err.column);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_columns_in_any_order),
        cmocka_unit_test(test_what_may_be_absent),
        cmocka_unit_test(test_says_where_it_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
