// SPDX-License-Identifier: GPL-3.0-or-later
// When a schedule runs, also across changes of the clock; and whom it chooses.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/mem.h"
#include "manage/retention.h"
#include "manage/schedule.h"
#include "manage/select.h"
#include "scratch.h"

static void expect(const char *cron_text, bool once, int64_t late_s, enum schedule_verdict verdict)
{
    const int64_t due = INT64_C(1764039600); // 2025-11-25 03:00 UTC
    struct cron cron;
    struct err err = {0};
    int64_t next = -1;
    assert_int_equal(cron_parse(cron_text, &cron, &err), 0);
    assert_int_equal(schedule_judge(&cron, once, due, due + late_s, gmtime_r, &next), verdict);
    if (verdict == SCHEDULE_WAIT)
        assert_int_equal(next, -1);
    else
        assert_int_equal(next, due + (late_s / 86400 + 1) * 86400);
}

static void test_judge(void **state)
{
    expect("0 3 * * *", false, -1, SCHEDULE_WAIT);
    expect("0 3 * * *", false, 0, SCHEDULE_RUN);
    expect("0 3 * * *", true, SCHEDULE_LATE_S, SCHEDULE_RUN);
    expect("0 3 * * *", false, SCHEDULE_LATE_S + 1, SCHEDULE_MISSED_SKIP);
    expect("0 3 * * *", true, SCHEDULE_LATE_S + 1, SCHEDULE_MISSED_RUN);
    // Ten nights were missed: made up for once, and then in order again.
    expect("0 3 * * *", true, 10 * 86400 + 60, SCHEDULE_MISSED_RUN);
    expect("0 3 * * *", false, 10 * 86400 + 60, SCHEDULE_MISSED_SKIP);
}

// Central Europe: 2025-03-30 has no 02:30, 2025-10-26 has it twice.
static void test_summer_time(void **state)
{
    struct cron cron;
    struct err err = {0};
    const char *before = getenv("TZ");
    CLEANUP(freep) char *kept = before ? mem_strdup(before) : NULL;
    setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
    tzset();
    assert_int_equal(cron_parse("30 2 * * *", &cron, &err), 0);
    int64_t spring = cron_next(&cron, INT64_C(1743210000), localtime_r);          // 29th, 02:00
    assert_int_equal(spring, INT64_C(1743211800));                                // 29th, 02:30
    assert_int_equal(cron_next(&cron, spring, localtime_r), INT64_C(1743381000)); // 31st, 02:30
    int64_t first = cron_next(&cron, INT64_C(1761433200), localtime_r);           // 26th, 01:00
    assert_int_equal(first, INT64_C(1761438600));                                 // 02:30 CEST
    assert_int_equal(cron_next(&cron, first, localtime_r), first + 3600);         // 02:30 CET
    if (kept)
        setenv("TZ", kept, 1);
    else
        unsetenv("TZ");
    tzset();
}

static void test_names(void **state)
{
    const struct {
        const char *name, *becomes;
    } cases[] = {{"n-%Y%m%d-%H%M%S", "n-20250102-030405"},
                 {"100%%", "100%"},
                 {"plain", "plain"},
                 {"%q", NULL},
                 {"x%", NULL},
                 {"a%n/b", NULL}};
    const struct tm t = {
        .tm_year = 125, .tm_mon = 0, .tm_mday = 2, .tm_hour = 3, .tm_min = 4, .tm_sec = 5};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct schedule s = {.fields = json_pack("{s:s}", "name", cases[i].name)};
        json_t *fields = NULL;
        struct err err = {0};
        int r = schedule_fields(&s, &t, &fields, &err);
        assert_int_equal(r, cases[i].becomes ? 0 : -EINVAL);
        if (r == 0)
            assert_string_equal(json_string_value(json_object_get(fields, "name")),
                                cases[i].becomes);
        json_decref(fields);
        schedule_done(&s);
    }
}

static void test_select(void **state)
{
    static const struct {
        const char *select;
        bool fits;
    } cases[] = {
        {"{\"all\":true}", true},
        {"{\"vms\":[\"web-1\"]}", true},
        {"{\"vms\":[\"web\"]}", false},
        {"{\"vms\":[\"db\"],\"match\":[\"w*\"]}", true},
        {"{\"match\":[\"web-[23]\"]}", false},
        {"{\"label\":[\"env=test\"]}", true},
        {"{\"label\":[\"env=t*\",\"team\"]}", true},
        {"{\"label\":[\"env=test\",\"none\"]}", false},
        {"{\"label\":[\"en=test\"]}", false},
        {"{\"label\":[\"env=\"]}", false},
        {"{\"all\":true,\"label\":[\"env=prod\"]}", false},
        {"{\"vms\":[\"db\"],\"label\":[\"env=test\"]}", false},
    };
    const struct virt_spec spec = {
        .name = (char *)"web-1",
        .labels = {{(char *)"env", (char *)"test"}, {(char *)"team", (char *)""}},
        .n_labels = 2,
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        json_t *select = json_loads(cases[i].select, 0, NULL);
        struct err err = {0};
        assert_int_equal(select_check(select, &err), 0);
        if (select_fits(select, &spec) != cases[i].fits)
            fail_msg("%s", cases[i].select);
        json_decref(select);
    }
    static const char *const wrong[] = {"{}",
                                        "{\"all\":false}",
                                        "{\"vms\":[]}",
                                        "{\"vms\":\"x\"}",
                                        "{\"vm\":[\"x\"]}",
                                        "{\"label\":[1]}",
                                        "[]"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        json_t *select = json_loads(wrong[i], 0, NULL);
        struct err err = {0};
        assert_int_equal(select_check(select, &err), -EINVAL);
        json_decref(select);
    }
}

static void test_what_is_too_much(void **state)
{
    struct retained all[] = {{NULL, 100}, {NULL, 200}, {NULL, 300}, {NULL, 400}};
    // One more is being taken.
    assert_int_equal(retention_excess(all, 4, 0, 0, 500), 0);
    assert_int_equal(retention_excess(all, 4, 5, 0, 500), 0);
    assert_int_equal(retention_excess(all, 4, 4, 0, 500), 1);
    assert_int_equal(retention_excess(all, 4, 1, 0, 500), 4);
    assert_int_equal(retention_excess(all, 4, 0, 300, 500), 1);
    assert_int_equal(retention_excess(all, 4, 0, 1, 500), 4);
    assert_int_equal(retention_excess(all, 4, 3, 300, 500), 2);
    assert_int_equal(retention_excess(all, 4, 5, 150, 500), 3);
    assert_int_equal(retention_excess(NULL, 0, 1, 1, 500), 0);
}

static void test_which_snapshots_are_its_own(void **state)
{
    static const struct store_schema *const schemas[] = {&schedule_schema};
    struct scratch d = scratch_new();
    CLEANUP(freep) char *path = mem_printf("%s/act.db", d.path);
    struct store *st = NULL;
    struct err err = {0};
    struct retained *all = NULL;
    size_t n = 0;
    assert_int_equal(store_open(path, schemas, 1, &st, &err), 0);
    struct schedule s = {.name = mem_strdup("n"),
                         .principal = mem_strdup("u"),
                         .cron = mem_strdup("@daily"),
                         .deed = &deeds[DEED_SNAPSHOT_CREATE],
                         .fields = json_object(),
                         .select = json_object(),
                         .keep = 7,
                         .keep_for_s = 60};
    assert_int_equal(schedule_add(st, &s), 0);
    assert_int_equal(retention_note(st, s.id, "vm", "b", 2), 0);
    assert_int_equal(retention_note(st, s.id, "vm", "a", 1), 0);
    assert_int_equal(retention_note(st, s.id, "vm", "a", 9), 0); // again
    assert_int_equal(retention_note(st, s.id, "other", "c", 3), 0);
    assert_int_equal(retention_list(st, s.id, "vm", &all, &n), 0);
    assert_int_equal(n, 2);
    assert_string_equal(all[0].name, "a");
    assert_int_equal(all[0].made_s, 1);
    retained_free(all, n);
    assert_int_equal(retention_forget(st, s.id, "vm", "a"), 0);
    struct schedule same;
    assert_int_equal(schedule_get(st, s.id, &same), 0);
    assert_int_equal(same.keep, 7);
    assert_int_equal(same.keep_for_s, 60);
    schedule_done(&same);
    assert_int_equal(schedule_remove(st, s.id), 0);
    assert_int_equal(retention_list(st, s.id, "vm", &all, &n), 0);
    assert_int_equal(n, 0);
    retained_free(all, n);
    schedule_done(&s);
    store_close(st);
    scratch_done(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_judge),
        cmocka_unit_test(test_summer_time),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_select),
        cmocka_unit_test(test_what_is_too_much),
        cmocka_unit_test(test_which_snapshots_are_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
