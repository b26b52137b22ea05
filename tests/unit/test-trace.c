// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "sim/trace.h"

static void percentages(void **state)
{
    double *v = NULL;
    size_t n = 0;
    struct err err = {0};
    static const char text[] = "0\n 12 \n100\r\n7";
    assert_int_equal(trace_parse_planetlab("t", text, strlen(text), &v, &n, &err), 0);
    assert_int_equal(n, 4);
    assert_true(v[0] == 0 && v[1] == 0.12 && v[2] == 1 && v[3] == 0.07);
    free(v);
}

static void bad_percentages(void **state)
{
    static const struct {
        const char *text;
        int line;
    } bad[] = {{"", 0},       {"1\n\n2", 2}, {"101", 1}, {"-1", 1},
               {"1\n2.5", 2}, {"x", 1},      {"1 2", 1}, {"1\n2\nnan", 3}};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        double *v = NULL;
        size_t n = 4711;
        struct err err = {0};
        assert_int_equal(trace_parse_planetlab("f", bad[i].text, strlen(bad[i].text), &v, &n, &err),
                         -EINVAL);
        assert_int_equal(err.line, bad[i].line);
        assert_non_null(strstr(err.message, "f:"));
        assert_null(v);
        assert_int_equal(n, 4711);
    }
}

static void csv(void **state)
{
    double *v = NULL;
    size_t n = 0;
    struct err err = {0};
    static const char text[] = "time,cpu\n# a comment\n0,50\n300,25;x\n";
    assert_int_equal(trace_parse_csv("t", text, strlen(text), 1, 0.01, &v, &n, &err), 0);
    assert_int_equal(n, 2);
    assert_true(v[0] == 0.5 && v[1] == 0.25);
    free(v);
    v = NULL;
    assert_int_equal(trace_parse_csv("t", text, strlen(text), 2, 1, &v, &n, &err), -EINVAL);
    assert_int_equal(err.line, 1);
    static const char high[] = "0,50\n1,101\n";
    assert_int_equal(trace_parse_csv("t", high, strlen(high), 1, 0.01, &v, &n, &err), -EINVAL);
    assert_int_equal(err.line, 2);
    assert_int_equal(err.column, 3);
}

static void write_file(const char *folder, const char *name, const char *text)
{
    char *path = mem_printf("%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    free(path);
}

static void remove_file(const char *folder, const char *name)
{
    char *path = mem_printf("%s/%s", folder, name);
    unlink(path);
    free(path);
}

static void a_folder_is_sorted(void **state)
{
    char folder[] = "/tmp/vherd-trace-XXXXXX";
    struct trace_set set = {0};
    struct err err = {0};
    assert_non_null(mkdtemp(folder));
    assert_int_equal(trace_set_load(folder, &set, &err), -ENOENT);
    write_file(folder, "b", "1\n2\n");
    write_file(folder, "a", "3\n");
    write_file(folder, ".hidden", "no trace");
    assert_int_equal(trace_set_load(folder, &set, &err), 0);
    assert_int_equal(set.n, 2);
    assert_string_equal(set.trace[0].name, "a");
    assert_int_equal(set.trace[1].n, 2);
    trace_set_done(&set);
    write_file(folder, "c", "1\nfour\n");
    assert_int_equal(trace_set_load(folder, &set, &err), -EINVAL);
    assert_non_null(strstr(err.message, "/c:2:1:"));
    remove_file(folder, "a");
    remove_file(folder, "b");
    remove_file(folder, "c");
    remove_file(folder, ".hidden");
    assert_int_equal(rmdir(folder), 0);
    assert_int_equal(trace_set_load(folder, &set, &err), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(percentages),
        cmocka_unit_test(bad_percentages),
        cmocka_unit_test(csv),
        cmocka_unit_test(a_folder_is_sorted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
