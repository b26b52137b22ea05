// SPDX-License-Identifier: GPL-3.0-or-later
// A disk that fails to sync: what was not synced is refused and not there, what comes later is
// whole. SQLite is given a file system whose syncs fail when they are told to.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/mem.h"
#include "scratch.h"
#include "store/audit.h"

#define KINDS 8

// Files have methods by their kind; each kind's are copied, with another sync.
static struct {
    const sqlite3_io_methods *real;
    sqlite3_io_methods own;
} kinds[KINDS];

static bool failing;
static int failed;
static sqlite3_vfs failing_vfs;
static sqlite3_vfs *real_vfs;

static int sync_or_fail(sqlite3_file *file, int flags)
{
    if (failing) {
        failed++;
        return SQLITE_IOERR_FSYNC;
    }
    for (size_t i = 0; i < KINDS; i++)
        if (file->pMethods == &kinds[i].own)
            return kinds[i].real->xSync(file, flags);
    return SQLITE_IOERR;
}

static int open_wrapped(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags,
                        int *ret_flags)
{
    int code = real_vfs->xOpen(real_vfs, name, file, flags, ret_flags);
    for (size_t i = 0; code == SQLITE_OK && file->pMethods && i < KINDS; i++) {
        if (kinds[i].real && kinds[i].real != file->pMethods)
            continue;
        kinds[i].real = file->pMethods;
        kinds[i].own = *file->pMethods;
        kinds[i].own.xSync = sync_or_fail;
        file->pMethods = &kinds[i].own;
        return SQLITE_OK;
    }
    return code;
}

static struct store *open_store(const struct scratch *d, struct audit **ret)
{
    static const struct store_schema *const schemas[] = {&audit_schema};
    CLEANUP(freep) char *path = mem_printf("%s/act.db", d->path);
    struct store *s = NULL;
    struct err err = {0};
    if (store_open(path, schemas, 1, &s, &err) < 0)
        fail_msg("%s", err.message);
    assert_int_equal(audit_new(s, &clock_system, ret), 0);
    return s;
}

static int write_one(struct audit *a, int64_t *ret_seq)
{
    const struct audit_entry e = {.principal = "user:a", .verb = "vm.start", .object = "db"};
    return audit_intent(a, &e, NULL, ret_seq);
}

static void expect_records(struct audit *a, int64_t n)
{
    struct audit_report report;
    assert_int_equal(audit_verify(a, NULL, &report), 0);
    assert_int_equal(report.records, n);
}

static void test_a_failed_sync(void **state)
{
    struct scratch d = scratch_new();
    struct audit *a = NULL;
    struct store *s = open_store(&d, &a);
    int64_t seq = 0;
    assert_int_equal(write_one(a, &seq), 0);
    for (int round = 1; round <= 5; round++) {
        failing = true;
        failed = 0;
        assert_int_equal(write_one(a, &seq), -EIO);
        assert_true(failed > 0);
        expect_records(a, round);
        failing = false;
        // The same place of the file is written anew.
        assert_int_equal(write_one(a, &seq), 0);
        assert_int_equal(seq, round + 1);
        expect_records(a, round + 1);
    }
    audit_free(a);
    store_close(s);
    s = open_store(&d, &a);
    expect_records(a, 6);
    audit_free(a);
    store_close(s);
    scratch_done(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_failed_sync)};
    real_vfs = sqlite3_vfs_find(NULL);
    if (!real_vfs)
        return 1;
    failing_vfs = *real_vfs;
    failing_vfs.zName = "failing";
    failing_vfs.xOpen = open_wrapped;
    if (sqlite3_vfs_register(&failing_vfs, 1) != SQLITE_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
