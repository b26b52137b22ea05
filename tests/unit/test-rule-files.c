// SPDX-License-Identifier: GPL-3.0-or-later
// Several rule files together: found by patterns, counted, and rules left out by name.
#include <errno.h>
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

static void test_options_of_an_alert(void **state)
{
    static const char text[] =
        "groups:\n"
        "  - name: g\n"
        "    rules:\n"
        "      - alert: A\n"
        "        expr: up == 0\n"
        "        annotations:\n"
        "          vherd:clear_expr: up == 1\n"
        "          vherd:min_hold: 5m\n"
        "          summary: s\n"
        "          vherd:flap_window: 1h\n"
        "      - alert: B\n"
        "        expr: up == 0\n"
        "        annotations: {vherd_min_hold: 1m, vherd-min_hold: x, vherd_other: y}\n";
    struct rule_errors errors = {0};
    struct rule_file *f = NULL;
    assert_int_equal(rule_file_parse("f", text, strlen(text), &f, &errors), 0);
    const struct rule *a = &f->group[0].rule[0], *b = &f->group[0].rule[1];
    assert_non_null(a->damping.clear);
    assert_int_equal(a->damping.min_hold_ms, 300000);
    assert_int_equal(a->damping.flap_window_ms, 3600000);
    assert_int_equal(a->n_annotations, 1);
    assert_string_equal(a->annotation[0].name, "summary");
    assert_null(b->damping.clear);
    assert_int_equal(b->damping.min_hold_ms, 60000);
    assert_int_equal(b->n_annotations, 2); // what is no option stays
    rule_file_free(f);
    static const char wrong[] = "groups:\n"
                                "  - name: g\n"
                                "    rules:\n"
                                "      - alert: A\n"
                                "        expr: up\n"
                                "        annotations: {vherd:min_hold: soon}\n";
    assert_int_equal(rule_file_parse("f", wrong, strlen(wrong), &f, &errors), -EINVAL);
    assert_int_equal(errors.n, 1);
    assert_int_equal(errors.err[0].line, 6);
    rule_errors_done(&errors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_all_of_a_name_go, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_names_are_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_group_may_become_empty, set_up, tear_down),
        cmocka_unit_test(test_options_of_an_alert),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
