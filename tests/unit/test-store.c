// SPDX-License-Identifier: GPL-3.0-or-later
#include "store/store.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fs.h"
#include "base/mem.h"
#include "scratch.h"

static const char *const steps[] = {
    "CREATE TABLE pair (name TEXT PRIMARY KEY, n INTEGER NOT NULL CHECK (n < 1000)) WITHOUT ROWID",
    "ALTER TABLE pair ADD COLUMN note BLOB",
    "CREATE TABLE tally (n INTEGER PRIMARY KEY)",
};
static const struct store_schema young = {"test", steps, 1}, grown = {"test", steps, 3};
static const struct store_schema other = {"other", steps + 2, 1};

static struct store *open_with(const char *path, const struct store_schema *schema)
{
    struct store *s = NULL;
    struct err err = {0};
    if (store_open(path, &schema, 1, &s, &err) < 0)
        fail_msg("%s", err.message);
    return s;
}

static int put(struct store *s, const char *name, int64_t n)
{
    CLEANUP(store_query_donep)
    struct store_query *q = store_query(s, "INSERT INTO pair (name, n) VALUES (?, ?)");
    store_bind_text(q, name);
    store_bind_i64(q, n);
    return store_next(q);
}

static int64_t count(struct store *s, const char *sql)
{
    CLEANUP(store_query_donep) struct store_query *q = store_query(s, sql);
    assert_int_equal(store_next(q), 1);
    return store_i64(q, 0);
}

#define PAIRS "SELECT count(*) FROM pair"

static void keeps_what_was_written(void **state)
{
    CLEANUP(scratch_done) struct scratch d = scratch_new();
    CLEANUP(freep) char *path = mem_printf("%s/a.db", d.path);
    struct store *s = open_with(path, &young);
    assert_int_equal(put(s, "one", 1), 0);
    assert_int_equal(put(s, "one", 2), -EEXIST);
    assert_int_equal(put(s, "much", 1000), -EINVAL);
    assert_int_equal(put(s, NULL, 1), -EINVAL);
    store_close(s);
    s = open_with(path, &grown);
    assert_int_equal(count(s, PAIRS), 1);
    CLEANUP(store_query_donep)
    struct store_query *q = store_query(s, "SELECT name, n, note FROM pair WHERE name = ?");
    store_bind_text(q, "one");
    assert_int_equal(store_next(q), 1);
    assert_string_equal(store_text(q, 0), "one");
    assert_int_equal(store_i64(q, 1), 1);
    assert_true(store_is_null(q, 2));
    assert_int_equal(store_next(q), 0);
    store_query_donep(&q);
    store_close(s);
}

static void a_statement_can_be_used_twice_at_once(void **state)
{
    CLEANUP(scratch_done) struct scratch d = scratch_new();
    CLEANUP(freep) char *path = mem_printf("%s/a.db", d.path);
    struct store *s = open_with(path, &young);
    put(s, "a", 1);
    put(s, "b", 2);
    static const char sql[] = "SELECT n FROM pair ORDER BY n";
    struct store_query *first = store_query(s, sql), *second = store_query(s, sql);
    assert_int_equal(store_next(first), 1);
    assert_int_equal(store_next(second), 1);
    assert_int_equal(store_next(second), 1);
    assert_int_equal(store_i64(first, 0), 1);
    assert_int_equal(store_i64(second, 0), 2);
    store_query_donep(&first);
    store_query_donep(&second);
    struct store_query *wrong = store_query(s, "SELECT nothing FROM nowhere");
    store_bind_i64(wrong, 1);
    assert_true(store_next(wrong) < 0);
    store_query_donep(&wrong);
    store_close(s);
}

static void transactions_nest(void **state)
{
    CLEANUP(scratch_done) struct scratch d = scratch_new();
    CLEANUP(freep) char *path = mem_printf("%s/a.db", d.path);
    struct store *s = open_with(path, &young);
    assert_int_equal(store_begin(s), 0);
    assert_int_equal(store_begin(s), 0);
    put(s, "in", 1);
    assert_int_equal(store_commit(s), 0);
    assert_true(store_in_transaction(s));
    assert_int_equal(store_commit(s), 0);
    assert_false(store_in_transaction(s));
    assert_int_equal(count(s, PAIRS), 1);

    assert_int_equal(store_begin(s), 0);
    put(s, "out", 2);
    assert_int_equal(store_begin(s), 0);
    store_rollback(s);
    assert_int_equal(store_commit(s), -ECANCELED);
    assert_int_equal(count(s, PAIRS), 1);
    assert_int_equal(put(s, "again", 3), 0);
    store_close(s);
}

static void refuses_what_is_not_its_own(void **state)
{
    CLEANUP(scratch_done) struct scratch d = scratch_new();
    CLEANUP(freep) char *path = mem_printf("%s/a.db", d.path);
    struct err err = {0};
    struct store *s = open_with(path, &grown), *more = NULL;
    const struct store_schema *old = &young, *both[] = {&grown, &other};
    assert_int_equal(store_open(path, &old, 1, &more, &err), -EBUSY);
    assert_non_null(strstr(err.message, "another vherd"));
    store_close(s);
    assert_int_equal(store_open(path, &old, 1, &more, &err), -EPROTO);
    assert_non_null(strstr(err.message, "newer"));
    // A step that fails leaves the version as it was.
    assert_int_equal(store_open(path, both, 2, &more, &err), -EINVAL);
    s = open_with(path, &grown);
    store_close(s);
    CLEANUP(freep) char *junk = mem_printf("%s/junk.db", d.path);
    scratch_write(junk, "no database, but long enough for one to be looked for in it at all");
    assert_int_equal(store_open(junk, &old, 1, &more, &err), -EUCLEAN);
    CLEANUP(freep) char *link = mem_printf("%s/link.db", d.path);
    assert_int_equal(symlink(path, link), 0);
    assert_int_equal(store_open(link, &old, 1, &more, &err), -ELOOP);
}

static void its_directory_is_closed(void **state)
{
    CLEANUP(scratch_done) struct scratch d = scratch_new();
    CLEANUP(freep) char *path = mem_printf("%s/state", d.path);
    CLEANUP(freep) char *link = mem_printf("%s/link", d.path);
    struct err err = {0};
    struct stat st;
    assert_int_equal(store_directory(path, &err), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(store_directory(path, &err), 0);
    assert_int_equal(symlink(path, link), 0);
    assert_int_equal(store_directory(link, &err), -ENOTDIR);
    assert_int_equal(chmod(path, 0750), 0);
    assert_int_equal(store_directory(path, &err), -EPERM);
    CLEANUP(freep) char *file = mem_printf("%s/state/a.db", d.path);
    chmod(path, 0700);
    umask(0);
    store_close(open_with(file, &young));
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

// A child counts up; what it said to have committed must be there when it was killed.
static void count_up(const char *path, int out)
{
    struct store *s = open_with(path, &grown);
    for (int64_t n = count(s, "SELECT count(*) FROM tally") + 1;; n++) {
        struct store_query *q = store_query(s, "INSERT INTO tally (n) VALUES (?)");
        store_bind_i64(q, n);
        if (store_next(q) != 0)
            _exit(3);
        store_query_donep(&q);
        if (write(out, &n, sizeof(n)) != sizeof(n))
            _exit(4);
    }
}

static void what_was_committed_survives_kill(void **state)
{
    CLEANUP(scratch_done) struct scratch d = scratch_new();
    CLEANUP(freep) char *path = mem_printf("%s/a.db", d.path);
    int64_t told = 0;
    for (int round = 0; round < 30; round++) {
        int fds[2], status;
        assert_int_equal(pipe(fds), 0);
        pid_t pid = fork();
        if (pid == 0) {
            close(fds[0]);
            count_up(path, fds[1]);
        }
        close(fds[1]);
        for (int i = 0; i < 1 + round % 7; i++)
            assert_int_equal(read(fds[0], &told, sizeof(told)), sizeof(told));
        usleep((useconds_t)(round * 137 % 2000));
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        assert_true(WIFSIGNALED(status));
        while (read(fds[0], &told, sizeof(told)) == sizeof(told))
            ;
        close(fds[0]);
        struct store *s = open_with(path, &grown);
        int64_t have = count(s, "SELECT count(*) FROM tally");
        assert_in_range(have, told, told + 1);
        assert_int_equal(count(s, "SELECT max(n) FROM tally"), have);
        store_close(s);
    }
}

static void no_space_is_told_and_loses_nothing(void **state)
{
    CLEANUP(scratch_done) struct scratch d = scratch_new();
    CLEANUP(freep) char *path = mem_printf("%s/a.db", d.path);
    struct store *s = open_with(path, &young);
    assert_int_equal(put(s, "before", 1), 0);
    assert_int_equal(store_exec(s, "PRAGMA max_page_count = 6"), 0);
    CLEANUP(freep) char *large = mem_zalloc(100001);
    memset(large, 'x', 100000);
    assert_int_equal(store_begin(s), 0);
    assert_int_equal(put(s, "small", 2), 0);
    assert_int_equal(put(s, large, 3), -ENOSPC);
    store_rollback(s);
    assert_int_equal(store_exec(s, "PRAGMA max_page_count = 6000"), 0);
    assert_int_equal(put(s, large, 3), 0);
    assert_int_equal(count(s, PAIRS), 2);
    store_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_what_was_written),
        cmocka_unit_test(a_statement_can_be_used_twice_at_once),
        cmocka_unit_test(transactions_nest),
        cmocka_unit_test(refuses_what_is_not_its_own),
        cmocka_unit_test(its_directory_is_closed),
        cmocka_unit_test(what_was_committed_survives_kill),
        cmocka_unit_test(no_space_is_told_and_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
