// SPDX-License-Identifier: GPL-3.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdatomic.h>

#include "base/mem.h"
#include "scratch.h"
#include "statedb.h"
#include "store/keyed.h"

static const struct store_schema *const schemas[] = {&keyed_schema};

struct seen {
    size_t done, stored;
    int last; // result
    bool opened;
    atomic_bool is_full; // the disk
};

struct put {
    struct statedb_job job;
    struct seen *seen;
    size_t number;
};

static int put_run(struct statedb_job *job, struct store *s)
{
    const struct put *p = (struct put *)job;
    if (atomic_load(&p->seen->is_full))
        return -ENOSPC;
    CLEANUP(freep) char *key = mem_printf("%zu", p->number);
    return keyed_put(s, "put", key, "x");
}

static void put_done(struct statedb_job *job, int result)
{
    struct put *p = (struct put *)job;
    if (result == 0)
        assert_int_equal(p->number, p->seen->stored++); // in order
    p->seen->done++;
    p->seen->last = result;
    free(p);
}

static void put(struct statedb *db, struct seen *seen, size_t number, bool waits)
{
    struct put *p = mem_zalloc(sizeof(*p));
    *p = (struct put){{.run = put_run, .done = put_done, .waits = waits}, seen, number};
    statedb_submit(db, &p->job);
}

static void on_opened(void *arg)
{
    ((struct seen *)arg)->opened = true;
}

// A file stands where the directory is to be, as a full disk would: nothing can be made there.
static struct statedb *new_without(const struct scratch *d, uv_loop_t *loop, struct seen *seen)
{
    CLEANUP(freep) char *directory = mem_printf("%s/state", d->path);
    CLEANUP(freep) char *path = mem_printf("%s/state.db", directory);
    struct err err = {0};
    scratch_write(directory, "");
    uv_loop_init(loop);
    struct statedb *db = statedb_new(loop, path, schemas, 1, on_opened, seen, &err);
    assert_int_equal(err.code, ENOTDIR);
    assert_false(statedb_is_open(db));
    assert_null(statedb_store(db));
    CLEANUP(freep) char *error = statedb_error(db);
    assert_string_equal(error, err.message);
    return db;
}

static void make_room(const struct scratch *d)
{
    CLEANUP(freep) char *directory = mem_printf("%s/state", d->path);
    assert_int_equal(unlink(directory), 0);
}

static size_t count(const struct scratch *d)
{
    CLEANUP(freep) char *path = mem_printf("%s/state/state.db", d->path);
    struct err err = {0};
    struct store *s = NULL;
    assert_int_equal(store_open(path, schemas, 1, &s, &err), 0);
    struct store_query *q = store_query(s, "SELECT COUNT(*) FROM keyed");
    assert_int_equal(store_next(q), 1);
    size_t n = (size_t)store_i64(q, 0);
    store_query_donep(&q);
    store_close(s);
    return n;
}

static void test_opened_later(void **state)
{
    struct scratch d = scratch_new();
    struct seen seen = {0};
    uv_loop_t loop;
    struct statedb *db = new_without(&d, &loop, &seen);
    put(db, &seen, 0, false);
    assert_int_equal(seen.last, -ENODEV);
    for (size_t i = 0; i < STATEDB_WAITING_MAX; i++)
        put(db, &seen, i, true);
    assert_int_equal(seen.done, 1);
    put(db, &seen, STATEDB_WAITING_MAX, true);
    assert_int_equal(seen.done, 2);
    assert_int_equal(seen.last, -ENOBUFS);
    make_room(&d);
    while (seen.stored < STATEDB_WAITING_MAX)
        uv_run(&loop, UV_RUN_ONCE);
    assert_true(seen.opened);
    assert_true(statedb_is_open(db));
    assert_null(statedb_error(db));
    put(db, &seen, STATEDB_WAITING_MAX, false);
    statedb_free(db);
    assert_int_equal(seen.stored, STATEDB_WAITING_MAX + 1);
    assert_int_equal(count(&d), STATEDB_WAITING_MAX + 1);
    uv_loop_close(&loop);
    scratch_done(&d);
}

// At the end it is tried once more, at once.
static void test_opened_at_end(void **state)
{
    struct scratch d = scratch_new();
    struct seen seen = {0};
    uv_loop_t loop;
    struct statedb *db = new_without(&d, &loop, &seen);
    put(db, &seen, 0, true);
    make_room(&d);
    statedb_free(db);
    assert_int_equal(seen.stored, 1);
    assert_int_equal(count(&d), 1);
    uv_loop_close(&loop);
    scratch_done(&d);
}

static void test_never_opened(void **state)
{
    struct scratch d = scratch_new();
    struct seen seen = {0};
    uv_loop_t loop;
    struct statedb *db = new_without(&d, &loop, &seen);
    put(db, &seen, 0, true);
    statedb_free(db);
    assert_int_equal(seen.done, 1);
    assert_int_equal(seen.last, -ENODEV);
    assert_false(seen.opened);
    uv_loop_close(&loop);
    scratch_done(&d);
}

static struct statedb *new_full(const struct scratch *d, uv_loop_t *loop, struct seen *seen)
{
    CLEANUP(freep) char *path = mem_printf("%s/state/state.db", d->path);
    struct err err = {0};
    uv_loop_init(loop);
    struct statedb *db = statedb_new(loop, path, schemas, 1, on_opened, seen, &err);
    assert_int_equal(err.code, 0);
    atomic_store(&seen->is_full, true);
    for (size_t i = 0; i < 3; i++)
        put(db, seen, i, true);
    put(db, seen, 0, false);
    while (seen->done == 0)
        uv_run(loop, UV_RUN_ONCE);
    assert_int_equal(seen->last, -ENOSPC);
    return db;
}

// What waits is stored once there is room, in order, and nothing that comes meanwhile before it.
static void test_full_for_a_while(void **state)
{
    struct scratch d = scratch_new();
    struct seen seen = {0};
    uv_loop_t loop;
    struct statedb *db = new_full(&d, &loop, &seen);
    CLEANUP(freep) char *error = NULL;
    while (!error)
        error = statedb_error(db);
    assert_non_null(strstr(error, "No space left on device"));
    assert_int_equal(seen.done, 1);
    put(db, &seen, 3, true);
    atomic_store(&seen.is_full, false);
    put(db, &seen, 4, true);
    while (seen.stored < 5)
        uv_run(&loop, UV_RUN_ONCE);
    assert_null(statedb_error(db));
    statedb_free(db);
    assert_int_equal(count(&d), 5);
    uv_loop_close(&loop);
    scratch_done(&d);
}

static void test_full_to_the_end(void **state)
{
    struct scratch d = scratch_new();
    struct seen seen = {0};
    uv_loop_t loop;
    struct statedb *db = new_full(&d, &loop, &seen);
    put(db, &seen, 3, true);
    statedb_free(db);
    assert_int_equal(seen.done, 5);
    assert_int_equal(seen.stored, 0);
    uv_loop_close(&loop);
    scratch_done(&d);
}

static void test_none_to_be(void **state)
{
    struct seen seen = {0};
    struct err err = {0};
    uv_loop_t loop;
    uv_loop_init(&loop);
    struct statedb *db = statedb_new(&loop, NULL, schemas, 1, on_opened, &seen, &err);
    assert_int_equal(err.code, 0);
    assert_null(statedb_error(db));
    put(db, &seen, 0, true);
    assert_int_equal(seen.last, -ENODEV);
    statedb_free(db);
    uv_loop_close(&loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_opened_later),    cmocka_unit_test(test_opened_at_end),
        cmocka_unit_test(test_never_opened),    cmocka_unit_test(test_full_for_a_while),
        cmocka_unit_test(test_full_to_the_end), cmocka_unit_test(test_none_to_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
