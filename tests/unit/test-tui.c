// SPDX-License-Identifier: GPL-3.0-or-later
// Screens of `vherd top` composed without a terminal.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/esc.h"
#include "base/mem.h"
#include "column.h"
#include "keys.h"
#include "model.h"
#include "page.h"
#include "spark.h"
#include "tui/api.h"

static const char herd[] =
    "{\"time\":1763670000.5,\"libvirt\":{\"status\":\"connected\",\"up\":true},\"vms\":["
    "{\"uuid\":\"00000000-0000-0000-0000-000000000001\",\"name\":\"db\",\"state\":\"running\","
    "\"cpu_ratio\":0.5,\"cpu_utilisation_ratio\":0.25,\"memory_current_bytes\":2147483648,"
    "\"disk_latency_seconds\":0.00125,\"guest_hostname\":\"oracle.example\"},"
    "{\"uuid\":\"00000000-0000-0000-0000-000000000002\",\"name\":\"web\",\"state\":\"running\","
    "\"cpu_ratio\":1.5,\"cpu_utilisation_ratio\":0.95,\"flag\":\"stopped\"},"
    "{\"uuid\":\"00000000-0000-0000-0000-000000000003\",\"name\":\"old\",\"state\":\"shut off\"},"
    "{\"uuid\":\"00000000-0000-0000-0000-000000000004\","
    "\"name\":\"\\u001b]0;x\\u0007\\u202e\xe6\x97\xa5\xe6\x9c\xac\",\"state\":\"paused\","
    "\"cpu_ratio\":0.0}]}";

static json_t *parse(const char *text)
{
    json_error_t why;
    json_t *json = json_loads(text, 0, &why);
    if (!json)
        fail_msg("%s at %d", why.text, why.position);
    return json;
}

struct fixture {
    struct tui_model model;
    struct tui_state state;
    struct page page;
};

static int setup(void **state)
{
    struct fixture *f = mem_zalloc(sizeof(*f));
    f->model.vms = parse(herd);
    f->model.host = parse("{\"name\":\"h1\",\"load1\":0.5,\"cpu_utilisation_ratio\":0.5,"
                          "\"cpu_steal_ratio\":0.25,\"memory_total_bytes\":8589934592,"
                          "\"memory_available_bytes\":4294967296,\"time\":11,"
                          "\"pressure_cpu_ratio\":0.25}");
    tui_state_init(&f->state);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    tui_model_done(&f->model);
    page_done(&f->page);
    free(f);
    return 0;
}

static void compose(struct fixture *f, size_t rows, size_t columns, bool utf8)
{
    page_done(&f->page);
    page_init(&f->page, columns, utf8);
    tui_compose(&f->model, &f->state, rows, &f->page);
    assert_int_equal(f->page.n_lines, rows);
    for (size_t i = 0; i < rows; i++) {
        const char *text = f->page.lines[i].text.len ? f->page.lines[i].text.data : "";
        assert_true(width_text(text) <= columns);
        assert_int_equal(width_text(text), f->page.lines[i].columns);
    }
}

static const char *line(const struct fixture *f, size_t i)
{
    return f->page.lines[i].text.len ? f->page.lines[i].text.data : "";
}

static bool shows(const struct fixture *f, const char *text)
{
    for (size_t i = 0; i < f->page.n_lines; i++)
        if (strstr(line(f, i), text))
            return true;
    return false;
}

static void keys(struct fixture *f, const char *text)
{
    for (; *text; text++)
        tui_key(&f->state, &f->model, (unsigned char)*text);
}

static void test_list_at_80x24(void **state)
{
    struct fixture *f = *state;
    compose(f, 24, 80, true);
    assert_non_null(strstr(line(f, 0), "vherd h1"));
    assert_non_null(strstr(line(f, 0), "libvirt connected"));
    assert_non_null(strstr(line(f, 1), "50.0% steal 25.0%"));
    assert_non_null(strstr(line(f, 1), "4.0G/8.0G"));
    assert_non_null(strstr(line(f, 2), "VMs 4, 2 running, 1 flagged"));
    assert_non_null(strstr(line(f, 2), "PSI cpu 25.0%"));
    assert_non_null(strstr(line(f, 3), "NAME"));
    assert_int_equal(strncmp(line(f, 4), "!web", 4), 0);
    assert_non_null(strstr(line(f, 4), " 150% "));
    assert_int_equal(strncmp(line(f, 5), " db", 3), 0);
    assert_non_null(strstr(line(f, 5), " 2.0G "));
    assert_non_null(strstr(line(f, 5), "1.25ms"));
    assert_int_equal(f->page.lines[4].force, PAGE_SELECTED);
    assert_int_equal(f->page.lines[5].force, PAGE_PLAIN);
    assert_non_null(strstr(line(f, 23), "? help"));
}

static void test_absent_is_a_dash(void **state)
{
    struct fixture *f = *state;
    compose(f, 24, 80, true);
    assert_non_null(strstr(line(f, 7), " old"));
    assert_non_null(strstr(line(f, 7), "shut off     \xe2\x80\x93"));
    assert_null(strstr(line(f, 7), "0"));
    compose(f, 24, 80, false);
    assert_non_null(strstr(line(f, 7), "shut off     -"));
}

static void test_hostile_name(void **state)
{
    struct fixture *f = *state;
    compose(f, 24, 200, true);
    assert_non_null(strstr(line(f, 6), "\\x1b]0;x\\x07\\u{202e}\xe6\x97\xa5\xe6\x9c\xac"));
    compose(f, 24, 200, false);
    assert_non_null(strstr(line(f, 6), "\\x1b]0;x\\x07\\u{202e}????"));
    for (size_t i = 0; i < f->page.n_lines; i++)
        for (const char *p = line(f, i); *p; p++)
            assert_true(*p >= ' ' && *p < 0x7F);
}

static void test_any_size(void **state)
{
    struct fixture *f = *state;
    f->model.detail = json_deep_copy(json_array_get(api_list(f->model.vms, "vms"), 0));
    json_object_set_new(f->model.detail, "history", parse("{\"seconds\":3,\"cpu\":[null,0.5,1]}"));
    static const enum tui_mode modes[] = {TUI_LIST, TUI_DETAIL, TUI_HELP};
    for (size_t m = 0; m < ARRAY_LEN(modes); m++)
        for (size_t rows = 1; rows < 40; rows++)
            for (size_t columns = 1; columns < 140; columns += 1 + columns / 8) {
                f->state.mode = modes[m];
                compose(f, rows, columns, true);
            }
}

static void test_small(void **state)
{
    struct fixture *f = *state;
    compose(f, 10, 40, true);
    assert_non_null(strstr(line(f, 2), "NAME"));
    assert_non_null(strstr(line(f, 2), "CPU%"));
    assert_non_null(strstr(line(f, 3), "web"));
    compose(f, 1, 10, true);
    assert_non_null(strstr(line(f, 0), "web"));
}

static void test_wide_screen_has_all_columns(void **state)
{
    struct fixture *f = *state;
    compose(f, 24, 140, true);
    for (size_t c = 0; c < tui_columns_count; c++)
        assert_non_null(strstr(line(f, 3), tui_columns[c].title));
    assert_non_null(strstr(line(f, 4), "stopped"));
}

static void test_sorting_column_stays_on_a_narrow_screen(void **state)
{
    struct fixture *f = *state;
    compose(f, 24, 60, true);
    assert_null(strstr(line(f, 3), "VCPU"));
    keys(f, "V");
    compose(f, 24, 60, true);
    assert_non_null(strstr(line(f, 3), "VCPU"));
}

static void check_order(struct fixture *f, const char *wanted)
{
    size_t n = 0;
    CLEANUP(buf_done) struct buf got;
    buf_init(&got, 1000);
    CLEANUP(freep)
    const json_t **vms = tui_sorted(api_list(f->model.vms, "vms"), f->state.filter, f->state.sort,
                                    f->state.reverse, &n);
    for (size_t i = 0; i < n; i++) {
        const char *uuid = api_text(vms[i], "uuid");
        buf_putc(&got, uuid[strlen(uuid) - 1]);
    }
    assert_string_equal(got.len ? got.data : "", wanted);
}

static void test_sort(void **state)
{
    struct fixture *f = *state;
    check_order(f, "2143"); // CPU, largest first, absent last
    keys(f, "r");
    check_order(f, "4123"); // absent stays last
    keys(f, "N");
    check_order(f, "4132");
    keys(f, "N");
    check_order(f, "2314");
    keys(f, "M");
    check_order(f, "1432"); // equal and absent ones by name
    keys(f, "F");
    check_order(f, "2413");
    keys(f, "S");
    check_order(f, "4123");
}

static void test_numbers_in_names_count(void **state)
{
    struct fixture *f = *state;
    json_decref(f->model.vms);
    f->model.vms = parse("{\"vms\":[{\"uuid\":\"1\",\"name\":\"vm10\",\"state\":\"running\"},"
                         "{\"uuid\":\"2\",\"name\":\"vm2\",\"state\":\"running\"},"
                         "{\"uuid\":\"3\",\"name\":\"vm1\",\"state\":\"running\"}]}");
    keys(f, "N");
    check_order(f, "321");
    keys(f, "N");
    check_order(f, "123");
    compose(f, 24, 80, true);
    assert_non_null(strstr(line(f, 2), "VMs 3, all running"));
}

static void test_sort_keys_wrap_round(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < tui_columns_count; i++)
        keys(f, ">");
    assert_int_equal(f->state.sort, COLUMN_CPU);
    for (size_t i = 0; i < tui_columns_count + 1; i++)
        keys(f, "<");
    assert_int_equal(f->state.sort, COLUMN_STATE);
}

static void test_filter(void **state)
{
    struct fixture *f = *state;
    keys(f, "/ORA");
    check_order(f, "1");
    compose(f, 24, 80, true);
    assert_non_null(strstr(line(f, 23), "/ORA_"));
    tui_key(&f->state, &f->model, TUI_KEY_BACKSPACE);
    tui_key(&f->state, &f->model, TUI_KEY_BACKSPACE);
    tui_key(&f->state, &f->model, TUI_KEY_BACKSPACE);
    keys(f, "shut");
    check_order(f, "3");
    tui_key(&f->state, &f->model, TUI_KEY_ENTER);
    assert_false(f->state.filtering);
    check_order(f, "3");
    tui_key(&f->state, &f->model, TUI_KEY_ESCAPE);
    check_order(f, "2143");
    keys(f, "/zzz");
    compose(f, 24, 80, true);
    assert_true(shows(f, "No VM matches the filter."));
}

static void test_filter_takes_utf8(void **state)
{
    struct fixture *f = *state;
    keys(f, "/");
    tui_key(&f->state, &f->model, 0x65E5);
    tui_key(&f->state, &f->model, 0x672C);
    check_order(f, "4");
    tui_key(&f->state, &f->model, TUI_KEY_BACKSPACE);
    assert_string_equal(f->state.filter, "\xe6\x97\xa5");
    for (int i = 0; i < 200; i++)
        tui_key(&f->state, &f->model, 0x1F600);
    assert_true(strlen(f->state.filter) <= TUI_FILTER_MAX);
    assert_true(esc_utf8_next(f->state.filter, 3, NULL) == 3);
    tui_key(&f->state, &f->model, 'U' & 0x1F);
    assert_string_equal(f->state.filter, "");
    assert_true(f->state.filtering);
}

static void test_cursor_stays_with_its_vm(void **state)
{
    struct fixture *f = *state;
    keys(f, "jj");
    compose(f, 24, 80, true);
    assert_int_equal(f->page.lines[6].force, PAGE_SELECTED);
    keys(f, "r");
    compose(f, 24, 80, true);
    assert_int_equal(f->page.lines[4].force, PAGE_SELECTED);
    keys(f, "kkkk");
    keys(f, "G");
    compose(f, 24, 80, true);
    assert_int_equal(f->page.lines[7].force, PAGE_SELECTED);
    tui_key(&f->state, &f->model, TUI_KEY_HOME);
    compose(f, 24, 80, true);
    assert_int_equal(f->page.lines[4].force, PAGE_SELECTED);
}

static void test_long_list_scrolls(void **state)
{
    struct fixture *f = *state;
    json_t *vms = json_object_get(f->model.vms, "vms");
    json_array_clear(vms);
    for (int i = 0; i < 500; i++) {
        CLEANUP(freep)
        char *text =
            mem_printf("{\"uuid\":\"u%03d\",\"name\":\"vm%03d\",\"state\":\"running\"}", i, i);
        json_array_append_new(vms, parse(text));
    }
    compose(f, 24, 80, true);
    assert_true(shows(f, "vm000"));
    tui_key(&f->state, &f->model, TUI_KEY_PAGE_DOWN);
    tui_key(&f->state, &f->model, TUI_KEY_PAGE_DOWN);
    compose(f, 24, 80, true);
    assert_false(shows(f, "vm000"));
    assert_true(shows(f, "vm036"));
    keys(f, "G");
    compose(f, 24, 80, true);
    assert_true(shows(f, "vm499"));
    keys(f, "g");
    compose(f, 24, 80, true);
    assert_true(shows(f, "vm000"));
}

static void test_stale_values_are_not_shown(void **state)
{
    struct fixture *f = *state;
    f->model.age_s = TUI_STALE_S + 1;
    compose(f, 24, 80, true);
    assert_true(shows(f, "the daemon does not answer; last data 6s old"));
    assert_true(shows(f, "web"));
    assert_false(shows(f, "150%"));
    assert_false(shows(f, "50.0%"));
    f->model.age_s = 0;
    compose(f, 24, 80, true);
    assert_true(shows(f, "150%"));
}

static void test_trouble_is_told(void **state)
{
    struct fixture *f = *state;
    mem_strset(&f->model.error, "vherd is not running");
    compose(f, 24, 80, true);
    assert_non_null(strstr(line(f, 23), "daemon not reachable, retrying: vherd is not running"));
    mem_strset(&f->model.error, NULL);
    json_object_set_new(f->model.vms, "libvirt",
                        parse("{\"status\":\"not running\",\"up\":false}"));
    compose(f, 24, 80, false);
    assert_non_null(strstr(line(f, 23), "libvirt: not running - kernel data only"));
    json_decref(f->model.vms);
    f->model.vms = NULL;
    compose(f, 24, 80, true);
    assert_true(shows(f, "Waiting for the daemon"));
}

static void test_detail(void **state)
{
    struct fixture *f = *state;
    assert_null(tui_wanted_detail(&f->state));
    tui_key(&f->state, &f->model, TUI_KEY_ENTER);
    assert_string_equal(tui_wanted_detail(&f->state), "00000000-0000-0000-0000-000000000002");
    compose(f, 24, 80, true);
    assert_true(shows(f, "Waiting for the daemon"));
    f->model.detail =
        parse("{\"name\":\"web\",\"state\":\"crashed\",\"state_reason\":\"panicked\","
              "\"vcpus\":[{\"vcpu\":\"0\",\"utilisation_ratio\":0.5}],"
              "\"disks\":[{\"target\":\"vda\",\"source\":\"/a\\nb\"}],"
              "\"filesystems\":[{\"mountpoint\":\"/\",\"total_bytes\":0,\"used_bytes\":5}],"
              "\"unavailable\":[{\"what\":\"kvm_stats\",\"reason\":\"none\"}],"
              "\"history\":{\"seconds\":300,\"cpu\":[0,1,null]}}");
    compose(f, 40, 80, true);
    assert_true(shows(f, "crashed (panicked)"));
    assert_true(shows(f, "50.0%"));
    assert_true(shows(f, "/a\\x0ab"));
    assert_true(shows(f, "kvm_stats"));
    assert_true(shows(f, "\xe2\x96\x81\xe2\x96\x88"));
    assert_false(shows(f, "inf"));
    assert_false(shows(f, "nan"));
    f->model.age_s = TUI_STALE_S + 1;
    compose(f, 40, 80, true);
    assert_true(shows(f, "web"));
    assert_true(shows(f, "No fresh data."));
    assert_false(shows(f, "crashed"));
    f->model.age_s = 0;
    tui_key(&f->state, &f->model, TUI_KEY_END);
    compose(f, 10, 80, true);
    assert_true(shows(f, "kvm_stats"));
    tui_key(&f->state, &f->model, TUI_KEY_ESCAPE);
    assert_int_equal(f->state.mode, TUI_LIST);
}

static void test_help_names_every_key_and_column(void **state)
{
    struct fixture *f = *state;
    keys(f, "?");
    compose(f, 60, 100, true);
    for (size_t i = 0; i < tui_bindings_count; i++)
        if (tui_bindings[i].help)
            assert_true(shows(f, tui_bindings[i].help));
    for (size_t i = 0; i < tui_columns_count; i++)
        assert_true(shows(f, tui_columns[i].help));
    keys(f, "q");
    assert_int_equal(f->state.mode, TUI_LIST);
    assert_false(f->state.quit);
    keys(f, "q");
    assert_true(f->state.quit);
}

static void test_keys_are_unambiguous(void **state)
{
    for (size_t i = 0; i < tui_bindings_count; i++)
        for (size_t k = 0; k < ARRAY_LEN(tui_bindings[i].keys) && tui_bindings[i].keys[k]; k++) {
            unsigned key = tui_bindings[i].keys[k];
            for (size_t o = i + 1; o < tui_bindings_count; o++)
                for (size_t n = 0; n < ARRAY_LEN(tui_bindings[o].keys); n++)
                    assert_false(tui_bindings[o].keys[n] == key &&
                                 (tui_bindings[o].modes & tui_bindings[i].modes));
            for (size_t c = 0; c < tui_columns_count; c++)
                assert_false((unsigned char)tui_columns[c].key == key &&
                             (tui_bindings[i].modes & (1u << TUI_LIST)));
        }
}

static void test_any_key_in_any_mode(void **state)
{
    struct fixture *f = *state;
    srand(1);
    for (int i = 0; i < 20000; i++) {
        unsigned key = rand() % 3 ? (unsigned)rand() % 128 : TUI_KEY_UP + (unsigned)rand() % 12;
        tui_key(&f->state, &f->model, key);
        f->state.quit = false;
        if (i % 16 == 0)
            compose(f, 1 + (size_t)rand() % 30, 1 + (size_t)rand() % 100, true);
    }
}

static void check_spark(const char *json, size_t columns, double top, bool utf8, const char *want)
{
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 1000);
    json_t *values = parse(json);
    spark_line(values, columns, top, utf8, NULL, &b);
    assert_string_equal(b.len ? b.data : "", want);
    json_decref(values);
}

static void test_spark(void **state)
{
    check_spark("[0,1]", 2, 1, false, "_#");
    check_spark("[0,1]", 2, 1, true, "\xe2\x96\x81\xe2\x96\x88");
    check_spark("[0,5,null]", 3, 0, false, "_# ");
    check_spark("[1,1,3,3]", 2, 4, false, ",+");
    check_spark("[null,null,4,null]", 2, 4, false, " #");
    check_spark("[7]", 3, 1, false, "  #");
    check_spark("[]", 3, 1, false, "   ");
    check_spark("[0,0]", 2, 0, false, "__");
    check_spark("[-5,1]", 2, 1, false, "_#");
}

int main(void)
{
    if (!setlocale(LC_CTYPE, "C.UTF-8"))
        return 77;
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_list_at_80x24),
        TEST(test_absent_is_a_dash),
        TEST(test_hostile_name),
        TEST(test_any_size),
        TEST(test_small),
        TEST(test_wide_screen_has_all_columns),
        TEST(test_sorting_column_stays_on_a_narrow_screen),
        TEST(test_sort),
        TEST(test_numbers_in_names_count),
        TEST(test_sort_keys_wrap_round),
        TEST(test_filter),
        TEST(test_filter_takes_utf8),
        TEST(test_cursor_stays_with_its_vm),
        TEST(test_long_list_scrolls),
        TEST(test_stale_values_are_not_shown),
        TEST(test_trouble_is_told),
        TEST(test_detail),
        TEST(test_help_names_every_key_and_column),
        TEST(test_keys_are_unambiguous),
        TEST(test_any_key_in_any_mode),
        TEST(test_spark),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
