// SPDX-License-Identifier: GPL-3.0-or-later
// Tables, indented JSON, views and the table of commands; the program itself: e2e/test_cli.py.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <locale.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "command.h"
#include "table.h"
#include "view.h"

static const struct term wide = {.utf8 = true, .width = SIZE_MAX};

static void check_table(size_t width, const char *want)
{
    static const struct table_column columns[] = {
        {"NAME", WIDTH_LEFT, 0, 4, false},  {"CPU", WIDTH_RIGHT, 1, 0, false},
        {"FLAG", WIDTH_LEFT, 2, 0, true},   {"EMPTY", WIDTH_RIGHT, 4, 0, false},
        {"IOPS", WIDTH_RIGHT, 3, 0, false},
    };
    static const char *const cells[] = {
        "web-server", "1.5%", "stopped", "", "12", "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e",
        "",           "",     "",        "3"};
    struct term term = wide;
    term.width = width;
    struct table *t = table_new(columns, ARRAY_LEN(columns));
    for (size_t i = 0; i < ARRAY_LEN(cells); i++)
        table_cell(t, cells[i], STYLE_NONE);
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 65536);
    table_print(t, &term, 0, &out);
    assert_string_equal(out.data, want);
    table_free(t);
}

static void test_table(void **state)
{
    check_table(SIZE_MAX, "NAME         CPU  FLAG     IOPS\n"
                          "web-server  1.5%  stopped    12\n"
                          "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e         –              3\n");
}

static void test_table_shrinks_then_drops(void **state)
{
    check_table(27, "NAME     CPU  FLAG     IOPS\n"
                    "web-s…  1.5%  stopped    12\n"
                    "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e     –              3\n");
    check_table(20, "NAME    CPU  FLAG\n"
                    "web-…  1.5%  stopped\n"
                    "\xe6\x97\xa5\xe6\x9c\xac…     –\n");
    check_table(10, "NAME   CPU\n"
                    "web…  1.5%\n"
                    "\xe6\x97\xa5…      –\n");
    check_table(3, "NA…\nwe…\n\xe6\x97\xa5…\n");
    check_table(1, "…\n…\n…\n");
}

static void test_table_of_nothing(void **state)
{
    static const struct table_column columns[] = {{"NAME", WIDTH_LEFT, 0, 0, false}};
    struct table *t = table_new(columns, 1);
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 100);
    table_print(t, &wide, 0, &out);
    assert_int_equal(out.len, 0);
    table_free(t);
}

static void check_indent(const char *text, const char *want)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 65536);
    json_indent(text, strlen(text), &out);
    assert_string_equal(out.len ? out.data : "", want);
}

static void test_json_indent(void **state)
{
    check_indent("{}", "{}");
    check_indent("{\"a\":[],\"b\":{ }}", "{\n  \"a\": [],\n  \"b\": {}\n}");
    check_indent("{\"a\":1.50,\"b\":[1,null,{\"c\":\"d\"}]}",
                 "{\n  \"a\": 1.50,\n  \"b\": [\n    1,\n    null,\n    {\n      \"c\": \"d\"\n"
                 "    }\n  ]\n}");
    check_indent("\"{[,:]}\\\"\\\\\"", "\"{[,:]}\\\"\\\\\"");
    check_indent("\"b\xc3\xbcro\"", "\"b\xc3\xbcro\"");
}

static void test_json_indent_is_safe(void **state)
{
    check_indent("\"\xc2\x9b\xe2\x80\xae\x7f\xff\"", "\"\\u009b\\u202e\\u007f\\ufffd\"");
    check_indent("\"open", "\"open\"");
    check_indent("\"open\\", "\"open\\\"");
    check_indent("]]}", "\n]\n]\n}");
}

static void check_view(format_fn *format, const char *json, const char *want)
{
    CLEANUP(json_decrefp) json_t *object = json_loads(json, 0, NULL);
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 65536);
    format(object, "f", true, &out);
    assert_string_equal(out.len ? out.data : "", want);
}

static void test_views(void **state)
{
    check_view(format_text, "{\"f\":\"a\\u001bb\"}",
               "a\x1b"
               "b");
    check_view(format_text, "{\"f\":1}", "");
    check_view(format_bytes, "{\"f\":1536}", "1.50 KiB");
    check_view(format_bytes, "{}", "");
    check_view(format_rate, "{\"f\":0}", "0 B/s");
    check_view(format_rate, "{\"f\":null}", "");
    check_view(format_percent, "{\"f\":0.5}", "50.0%");
    check_view(format_whole, "{\"f\":1234567}", "1234567");
    check_view(format_size, "{\"f\":\"2097152\"}", "2.00 MiB");
    check_view(format_size, "{\"f\":\"big\"}", "");
    check_view(format_yes_no, "{\"f\":0}", "no");
    check_view(format_yes_no, "{\"f\":\"1\"}", "");
    check_view(format_state, "{\"state\":\"crashed\",\"state_reason\":\"panicked\"}",
               "crashed (panicked)");
    check_view(format_state, "{\"state\":\"running\",\"state_reason\":\"booted\"}", "running");
    check_view(format_state, "{}", "");
}

static void test_libvirt_hint(void **state)
{
    static const struct {
        const char *json, *want;
    } cases[] = {
        {"{\"libvirt\":{\"status\":\"connected\"}}", ""},
        {"{}", ""},
        {"{\"libvirt\":{\"status\":\"lost\"}}", "libvirt: lost – kernel data only\n"},
        {"{\"libvirt\":{\"status\":\"a\\u001bb\"}}", "libvirt: a\\x1bb – kernel data only\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(json_decrefp) json_t *answer = json_loads(cases[i].json, 0, NULL);
        CLEANUP(buf_done) struct buf out;
        buf_init(&out, 65536);
        view_libvirt_hint(&wide, answer, &out);
        assert_string_equal(out.len ? out.data : "", cases[i].want);
    }
}

static void test_commands_are_complete(void **state)
{
    for (size_t i = 0; i < commands_count; i++) {
        const struct command *c = &commands[i];
        assert_non_null(c->run);
        assert_non_null(command_summary(c));
        assert_non_null(command_details(c));
        assert_true(c->least <= c->most && c->most <= OPERANDS_MAX);
        assert_int_equal(c->most > 0, command_operand(c) != NULL);
        assert_int_equal(c->kind == OPERAND_WORD, c->words != NULL);
        assert_ptr_equal(command_find(c->name), c);
    }
    // "user add" is a word of the command "user".
    for (int v = 0; v < VERB_MAX; v++) {
        size_t len = verbs[v].command ? strcspn(verbs[v].command, " ") : 0;
        CLEANUP(freep) char *first = mem_strndup(len ? verbs[v].command : "", len);
        if (!verbs[v].command)
            continue;
        const struct command *c = command_find(first);
        assert_non_null(c);
        bool is_word = verbs[v].command[len] == '\0';
        for (size_t w = 0; !is_word && c->words && c->words[w]; w++)
            is_word = strcmp(c->words[w], verbs[v].command + len + 1) == 0;
        assert_true(is_word);
    }
}

static void test_options_do_not_clash(void **state)
{
    struct option_desc a, b;
    for (size_t c = 0; c < commands_count; c++)
        for (size_t i = 0; command_option(&commands[c], i, &a); i++) {
            assert_non_null(a.help);
            for (size_t g = 0; global_options[g].name; g++)
                assert_string_not_equal(a.name, global_options[g].name);
            for (size_t k = i + 1; command_option(&commands[c], k, &b); k++)
                assert_string_not_equal(a.name, b.name);
        }
}

static void test_help_fits_80_columns(void **state)
{
    for (size_t i = 0; i <= commands_count; i++) {
        CLEANUP(buf_done) struct buf out;
        buf_init(&out, 65536);
        help_text(i < commands_count ? &commands[i] : NULL, &out);
        for (char *line = out.data, *end; *line; line = end + 1) {
            end = strchr(line, '\n');
            *end = '\0';
            if (width_text(line) > 80)
                fail_msg("%s", line);
        }
    }
}

// A field that is called like an option everywhere could not be given; --label is told apart by
// select_vms().
static void test_fields_do_not_clash(void **state)
{
    for (int i = 0; i < DEED_MAX; i++) {
        struct option_desc o, other;
        const struct field *f;
        const struct command *c = NULL;
        for (size_t k = 0; k < commands_count; k++)
            if (commands[k].group &&
                strncmp(deeds[i].name, commands[k].group, strlen(commands[k].group)) == 0)
                c = &commands[k];
        assert_non_null(c);
        for (size_t k = 0; deed_option(&deeds[i], k, &o, &f); k++) {
            for (size_t g = 0; global_options[g].name; g++)
                if (strcmp(global_options[g].name, o.name) == 0)
                    fail_msg("%s: --%s", deeds[i].name, o.name);
            for (size_t g = 0; command_option(c, g, &other); g++)
                if (strcmp(other.name, o.name) == 0 && strcmp(o.name, "label") != 0)
                    fail_msg("%s: --%s", deeds[i].name, o.name);
        }
        CLEANUP(freep) char *word = mem_strdup(strchr(deeds[i].name, '.') + 1);
        bool listed = false;
        for (size_t k = 0; c->words[k]; k++)
            listed = listed || strcmp(c->words[k], word) == 0;
        if (!listed)
            fail_msg("%s is not among the words of its command", deeds[i].name);
    }
}

int main(void)
{
    if (!setlocale(LC_CTYPE, "C.UTF-8"))
        return 77;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_table_shrinks_then_drops),
        cmocka_unit_test(test_table_of_nothing),
        cmocka_unit_test(test_json_indent),
        cmocka_unit_test(test_json_indent_is_safe),
        cmocka_unit_test(test_views),
        cmocka_unit_test(test_libvirt_hint),
        cmocka_unit_test(test_commands_are_complete),
        cmocka_unit_test(test_options_do_not_clash),
        cmocka_unit_test(test_fields_do_not_clash),
        cmocka_unit_test(test_help_fits_80_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
