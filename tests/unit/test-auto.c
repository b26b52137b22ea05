// SPDX-License-Identifier: GPL-3.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <errno.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "manage/auto.h"
#include "manage/task.h"

#define HOUR_NS (3600 * NS_PER_S)
#define NOW_NS (1000 * HOUR_NS)

struct fixture {
    char *directory, *path;
    struct store *store;
};

static void open_store(struct fixture *f)
{
    static const struct store_schema *const schemas[] = {&task_schema, &auto_schema};
    struct err err = {0};
    if (store_open(f->path, schemas, ARRAY_LEN(schemas), &f->store, &err) < 0)
        fail_msg("%s", err.message);
}

static int begin(void **state)
{
    struct fixture *f = mem_zalloc(sizeof(*f));
    f->directory = mem_strdup("/tmp/vherd-auto-XXXXXX");
    assert_non_null(mkdtemp(f->directory));
    f->path = mem_printf("%s/act.db", f->directory);
    open_store(f);
    *state = f;
    return 0;
}

static int end(void **state)
{
    static const char *const tails[] = {"", "-wal", "-shm", ".lock"};
    struct fixture *f = *state;
    store_close(f->store);
    for (size_t i = 0; i < ARRAY_LEN(tails); i++) {
        CLEANUP(freep) char *path = mem_printf("%s%s", f->path, tails[i]);
        unlink(path);
    }
    rmdir(f->directory);
    free(f->directory);
    free(f->path);
    free(f);
    return 0;
}

static void add_task(struct fixture *f, const char *principal, int64_t created_ns)
{
    struct task t = {.deed = &deeds[DEED_SET_MEMORY],
                     .vm = mem_strdup("web"),
                     .uuid = mem_strdup(""),
                     .principal = mem_strdup(principal),
                     .body = json_object(),
                     .created_ns = created_ns};
    assert_int_equal(task_add(f->store, &t), 0);
    task_done(&t);
}

static void test_whose_deeds_count(void **state)
{
    struct fixture *f = *state;
    int64_t n = -1;
    assert_true(auto_is("vherd:plan"));
    assert_false(auto_is("user:vherd:plan"));
    assert_false(auto_is("vherd"));
    add_task(f, "vherd:plan", NOW_NS - HOUR_NS - 1); // too long ago
    add_task(f, "vherd:plan", NOW_NS - HOUR_NS + 1);
    add_task(f, "vherd:recover", NOW_NS - 1);
    add_task(f, "user:vherd:", NOW_NS - 1);
    add_task(f, "unix:0", NOW_NS - 1);
    assert_int_equal(auto_recent(f->store, NOW_NS, &n), 0);
    assert_int_equal(n, 2);
}

static void test_no_more_than_the_limit(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    assert_int_equal(auto_allows(f->store, 2, NOW_NS, &err), 0);
    add_task(f, "vherd:plan", NOW_NS);
    assert_int_equal(auto_allows(f->store, 2, NOW_NS, &err), 0);
    add_task(f, "vherd:plan", NOW_NS + 1);
    assert_int_equal(auto_allows(f->store, 2, NOW_NS + 1, &err), -EDQUOT);
    assert_non_null(strstr(err.message, "plan.auto_per_hour"));
    assert_int_equal(auto_allows(f->store, 2, NOW_NS + HOUR_NS, &err), 0);
}

static void test_the_switch_outlives_the_process(void **state)
{
    struct fixture *f = *state;
    struct auto_switch s;
    struct err err = {0};
    assert_int_equal(auto_read(f->store, &s), 0);
    assert_true(!s.stopped && s.since_ns == 0 && !s.by && !s.reason);
    assert_int_equal(auto_write(f->store, true, "user:ann", "noise", NOW_NS), 0);
    store_close(f->store);
    open_store(f);
    assert_int_equal(auto_allows(f->store, 100, NOW_NS, &err), -ECONNREFUSED);
    assert_non_null(strstr(err.message, "stopped by user:ann: noise"));
    assert_int_equal(auto_write(f->store, false, "user:bob", NULL, NOW_NS + 5), 0);
    assert_int_equal(auto_allows(f->store, 100, NOW_NS, &err), 0);
    assert_int_equal(auto_read(f->store, &s), 0);
    assert_true(!s.stopped && s.since_ns == NOW_NS + 5 && !s.reason);
    assert_string_equal(s.by, "user:bob");
    auto_switch_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_whose_deeds_count, begin, end),
        cmocka_unit_test_setup_teardown(test_no_more_than_the_limit, begin, end),
        cmocka_unit_test_setup_teardown(test_the_switch_outlives_the_process, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
