// SPDX-License-Identifier: GPL-3.0-or-later
// Several rule files together: found by patterns, counted, and rules left out by name.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "rule/file.h"

static const char first[] = "groups:\n"
                            "  - name: g\n"
                            "    rules:\n"
                            "      - {alert: A, expr: up == 0, labels: {severity: page}}\n"
                            "      - {record: a:b, expr: sum(up)}\n"
                            "      - {alert: A, expr: up == 1, annotations: {summary: again}}\n"
                            "      - {alert: B, expr: up == 2}\n"
                            "  - name: h\n"
                            "    rules:\n"
                            "      - {alert: C, expr: up == 3}\n";
static const char second[] = "groups:\n"
                             "  - name: g\n"
                             "    rules:\n"
                             "      - {alert: a, expr: up == 4}\n"
                             "      - {alert: A, expr: up == 5}\n";

struct stage {
    char directory[64];
    struct rule_files files;
};

static void put(const struct stage *s, const char *name, const char *text)
{
    CLEANUP(freep) char *path = mem_printf("%s/%s", s->directory, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int set_up(void **state)
{
    struct stage *s = mem_zalloc(sizeof(*s));
    struct rule_errors errors = {0};
    snprintf(s->directory, sizeof(s->directory), "/tmp/vherd-rule-files-XXXXXX");
    assert_non_null(mkdtemp(s->directory));
    put(s, "1.yml", first);
    put(s, "2.yml", second);
    assert_int_equal(rule_files_glob(&s->files, s->directory, "*.yml", &errors), 0);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct stage *s = *state;
    static const char *const names[] = {"1.yml", "2.yml"};
    rule_files_done(&s->files);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        CLEANUP(freep) char *path = mem_printf("%s/%s", s->directory, names[i]);
        unlink(path);
    }
    rmdir(s->directory);
    free(s);
    return 0;
}

// "1.yml g: A a:b; h: C" and so on, in order.
static char *text_of(const struct rule_files *files)
{
    struct buf out;
    buf_init(&out, 4096);
    for (size_t i = 0; i < files->n; i++) {
        const struct rule_file *f = files->file[i];
        for (size_t k = 0; k < f->n_groups; k++) {
            buf_printf(&out, "%s%s:", out.len ? "; " : "", f->group[k].name);
            for (size_t m = 0; m < f->group[k].n_rules; m++)
                buf_printf(&out, " %s", f->group[k].rule[m].name);
        }
    }
    return buf_take(&out, NULL);
}

static void expect(const struct stage *s, const char *text)
{
    CLEANUP(freep) char *got = text_of(&s->files);
    assert_string_equal(got, text);
}

static void test_all_of_a_name_go(void **state)
{
    struct stage *s = *state;
    assert_int_equal(rule_files_count(&s->files), 7);
    expect(s, "g: A a:b A B; h: C; g: a A");
    // In all groups and files; those that stay keep their order and what is theirs.
    assert_int_equal(rule_files_leave_out(&s->files, "A"), 3);
    expect(s, "g: a:b B; h: C; g: a");
    assert_int_equal(rule_files_count(&s->files), 4);
    assert_string_equal(s->files.file[0]->group[0].rule[1].expr_text, "up == 2");
    assert_int_equal(rule_files_leave_out(&s->files, "A"), 0);
}

static void test_names_are_whole(void **state)
{
    struct stage *s = *state;
    assert_int_equal(rule_files_leave_out(&s->files, ""), 0);
    assert_int_equal(rule_files_leave_out(&s->files, "AA"), 0);
    expect(s, "g: A a:b A B; h: C; g: a A");
    assert_int_equal(rule_files_leave_out(&s->files, "a"), 1);
    assert_int_equal(rule_files_leave_out(&s->files, "a:b"), 1); // records, too
    expect(s, "g: A A B; h: C; g: A");
}

static void test_a_group_may_become_empty(void **state)
{
    struct stage *s = *state;
    static const char *const names[] = {"A", "B", "C", "a", "a:b"};
    size_t gone = 0;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        gone += rule_files_leave_out(&s->files, names[i]);
    assert_int_equal(gone, 7);
    expect(s, "g:; h:; g:");
    assert_int_equal(rule_files_count(&s->files), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_all_of_a_name_go, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_names_are_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_group_may_become_empty, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
