// SPDX-License-Identifier: GPL-3.0-or-later
// What is done to a store's files while it is open, and files of a later version.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fs.h"
#include "base/mem.h"
#include "tsdb-dir.h"
#include "tsdb/tsdb.h"

#define T0 INT64_C(1700006401000) // a window begins
#define WINDOW_MS INT64_C(7200000)
#define WAIT_MS 20000

static const struct tsdb_kind_of gauge = {TSDB_DOUBLE, 0, false, 0};

static atomic_int failing_fsyncs, failing_directory_fsyncs;
static ino_t failing_directory; // the store's own; those of its log and blocks are synced too

static bool takes_one(atomic_int *failures)
{
    int left = atomic_load(failures);
    while (left > 0)
        if (atomic_compare_exchange_weak(failures, &left, left - 1))
            return true;
    return false;
}

// In place of the C library's: the store's fsyncs of its log come here.
int fdatasync(int fd)
{
    if (!takes_one(&failing_fsyncs))
        return (int)syscall(SYS_fdatasync, fd);
    errno = EIO;
    return -1;
}

int fsync(int fd)
{
    struct stat st;
    if (fstat(fd, &st) < 0 || st.st_ino != failing_directory ||
        !takes_one(&failing_directory_fsyncs))
        return (int)syscall(SYS_fsync, fd);
    errno = EIO;
    return -1;
}

static struct tsdb *open_store(const char *dir)
{
    struct tsdb_options o;
    struct tsdb *db = NULL;
    struct err err = {0};
    tsdb_options_init(&o);
    o.flush_ms = 20;
    o.fsync_ms = 100;
    if (tsdb_open(dir, &o, &db, &err) < 0)
        fail_msg("%s", err.message);
    return db;
}

static void append(struct tsdb *db, int64_t start_ms, int n)
{
    struct label label[] = {{"__name__", "x"}};
    uint32_t ref;
    assert_int_equal(tsdb_series(db, label, 1, &gauge, &ref, NULL), 0);
    for (int i = 0; i < n; i++)
        assert_int_equal(tsdb_append_one(db, ref, start_ms + i * 1000, i * 0.7), 0);
    tsdb_release(db, ref);
}

static size_t count(struct tsdb *db)
{
    struct query_matcher m = {QUERY_EQUAL, "__name__", "x", NULL};
    struct query_hints hints = {0, INT64_MAX / 2, 0, 0};
    struct query_source *source = tsdb_source(db);
    struct query_set *set = NULL;
    size_t n = 0;
    assert_int_equal(source->ops->select(source, &m, 1, &hints, 0, &set, NULL), 0);
    for (size_t k = 0; k < set->n; k++) {
        const struct query_run *run = NULL;
        size_t runs = 0;
        assert_int_equal(set->ops->read(set, k, 0, INT64_MAX / 2, &run, &runs, NULL), 0);
        for (size_t i = 0; i < runs; i++)
            n += run[i].resolution_ms == 0 ? run[i].n : 0; // where samples are gone: roll-ups
    }
    source->ops->free_set(set);
    return n;
}

static int notes_with(struct tsdb *db, const char *words)
{
    CLEANUP(query_texts_done) struct query_texts notes = {0};
    assert_int_equal(tsdb_notes(db, &notes), 0);
    int n = 0;
    for (size_t i = 0; i < notes.n; i++)
        n += strstr(notes.text[i], words) != NULL;
    return n;
}

static void wait_for_note(struct tsdb *db, const char *words)
{
    for (int ms = 0; notes_with(db, words) == 0; ms += 10, usleep(10000))
        assert_in_range(ms, 0, WAIT_MS);
}

static void remove_below(const char *dir, const char *folder, const char *suffix)
{
    CLEANUP(freep) char *path = mem_printf("%s/%s", dir, folder);
    DIR *d = opendir(path);
    assert_non_null(d);
    for (struct dirent *entry; (entry = readdir(d));) {
        size_t len = strlen(entry->d_name), end = strlen(suffix);
        if (len > end && strcmp(entry->d_name + len - end, suffix) == 0)
            assert_int_equal(unlinkat(dirfd(d), entry->d_name, 0), 0);
    }
    closedir(d);
}

// The store may be making it anew meanwhile.
static void remove_all(const char *dir)
{
    for (int i = 0; nftw(dir, dir_remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0; i++)
        assert_in_range(i, 0, 100);
}

// A file that is shorter than its mapping is what a failing disk looks like: SIGBUS.
static void test_disk_that_does_not_give_back(void **state)
{
    struct tsdb *db = open_store(*state);
    append(db, T0, 1000);
    append(db, T0 + 2 * WINDOW_MS, 500);
    assert_int_equal(tsdb_settle(db, NULL), 0);
    append(db, T0 + 4 * WINDOW_MS, 250);
    assert_int_equal(count(db), 1750);
    CLEANUP(freep) char *path = mem_printf("%s/blocks", (char *)*state);
    DIR *d = opendir(path);
    assert_non_null(d);
    char first[256] = "";
    for (struct dirent *entry; (entry = readdir(d));)
        if (strncmp(entry->d_name, "0s-", 3) == 0 && (!*first || strcmp(entry->d_name, first) < 0))
            snprintf(first, sizeof(first), "%s", entry->d_name);
    CLEANUP(closep) int fd = openat(dirfd(d), first, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, 0), 0);
    closedir(d);
    for (int i = 0; i < 3; i++)
        assert_int_equal(count(db), 750);
    assert_int_equal(notes_with(db, "does not give back"), 1);
    assert_int_equal(tsdb_settle(db, NULL), 0);
    assert_int_equal(count(db), 750);
    tsdb_close(db);
    db = open_store(*state);
    assert_int_equal(count(db), 750);
    assert_int_equal(notes_with(db, "is set aside"), 1);
    tsdb_close(db);
}

static void test_removed_while_open(void **state)
{
    struct tsdb *db = open_store(*state);
    append(db, T0, 1000);
    assert_int_equal(tsdb_settle(db, NULL), 0);
    append(db, T0 + 4 * WINDOW_MS, 500);
    remove_all(*state);
    append(db, T0 + 4 * WINDOW_MS + 500000, 250);
    wait_for_note(db, "is there again");
    assert_in_range(notes_with(db, "was removed"), 1, 3);
    append(db, T0 + 4 * WINDOW_MS + 750000, 100);
    assert_int_equal(count(db), 1850);
    struct tsdb *second = NULL;
    struct tsdb_options o;
    tsdb_options_init(&o);
    assert_int_equal(tsdb_open(*state, &o, &second, NULL), -EBUSY);
    tsdb_close(db);
    db = open_store(*state);
    assert_int_equal(count(db), 1850);
    struct tsdb_status s;
    tsdb_status(db, &s);
    assert_int_equal(s.unreadable, 0);
    assert_int_equal(s.disk_error, 0);
    tsdb_close(db);
}

// Its place is taken by a file: nothing can be written until that is gone.
static void test_removed_and_not_to_be_made(void **state)
{
    struct tsdb *db = open_store(*state);
    append(db, T0, 1000);
    assert_int_equal(tsdb_settle(db, NULL), 0);
    remove_all(*state);
    CLEANUP(closep) int fd = open(*state, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    append(db, T0 + 1000000, 10);
    wait_for_note(db, "was removed");
    struct tsdb_status s = {0};
    for (int ms = 0; !s.disk_error; ms += 10, usleep(10000)) {
        tsdb_status(db, &s);
        assert_in_range(ms, 0, WAIT_MS);
    }
    assert_int_equal(unlink(*state), 0);
    wait_for_note(db, "is there again");
    assert_int_equal(count(db), 1010);
    tsdb_close(db);
    db = open_store(*state);
    assert_int_equal(count(db), 1010);
    tsdb_close(db);
}

static void test_log_removed(void **state)
{
    struct tsdb *db = open_store(*state);
    append(db, T0, 100);
    usleep(200000); // so that there is a file
    remove_below(*state, "log", ".log");
    append(db, T0 + 100000, 100);
    wait_for_note(db, "is there again");
    append(db, T0 + 200000, 100);
    tsdb_close(db);
    db = open_store(*state);
    assert_int_equal(count(db), 300);
    tsdb_close(db);
}

static void write_format(const char *dir, const char *text)
{
    CLEANUP(freep) char *path = mem_printf("%s/format", dir);
    CLEANUP(closep) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    assert_true(fd >= 0);
    assert_int_equal(fs_write_all(fd, text, strlen(text)), 0);
}

static void test_newer_format(void **state)
{
    struct tsdb_options o;
    struct tsdb *db = open_store(*state);
    struct err err = {0};
    append(db, T0, 100);
    tsdb_close(db);
    tsdb_options_init(&o);
    db = NULL;
    write_format(*state, "2\n2\n");
    assert_int_equal(tsdb_open(*state, &o, &db, &err), -ENOTSUP);
    assert_non_null(strstr(err.message, "newer vherd (format 2"));
    // A damaged one says nothing.
    static const char *const texts[] = {"2\n1\n", "1\n3\n", "", "1\n", "x", "-1\n-1\n"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        write_format(*state, texts[i]);
        db = open_store(*state);
        assert_int_equal(count(db), 100);
        tsdb_close(db);
        CLEANUP(freep) char *path = mem_printf("%s/format", (char *)*state);
        CLEANUP(freep) char *text = NULL;
        size_t len = 0;
        assert_int_equal(fs_read_file(AT_FDCWD, path, 100, &text, &len), 0);
        assert_string_equal(text, "1\n1\n");
    }
}

// The kernel may have dropped what it could not write, and says so once only: what is in memory
// goes into a block, the log into another segment.
static void test_fsync_that_fails(void **state)
{
    struct tsdb *db = open_store(*state);
    struct tsdb_status status;
    append(db, T0, 100);
    atomic_store(&failing_fsyncs, 1);
    append(db, T0 + 100000, 100);
    wait_for_note(db, "the log cannot be written");
    for (int ms = 0; notes_with(db, "the log cannot be written") > 0; ms += 10, usleep(10000))
        assert_in_range(ms, 0, WAIT_MS);
    assert_int_equal(atomic_load(&failing_fsyncs), 0);
    tsdb_status(db, &status);
    assert_int_equal(status.blocks[0], 1);
    assert_int_equal(status.block_samples[0], 200);
    append(db, T0 + 200000, 100);
    tsdb_close(db);
    db = open_store(*state);
    assert_int_equal(count(db), 300);
    tsdb_close(db);
}

static int delete_all(struct tsdb *db, struct err *err)
{
    struct query_matcher m = {QUERY_EQUAL, "__name__", "x", NULL};
    return tsdb_delete(db, &m, 1, 0, INT64_MAX, err);
}

static struct tsdb *reopen(struct tsdb *db, const char *dir)
{
    tsdb_close(db);
    return open_store(dir);
}

// What was refused is there, now and after a start, whatever is written meanwhile; what was
// accepted then is gone and stays so.
static struct tsdb *check_refused(struct tsdb *db, const char *dir)
{
    assert_int_equal(count(db), 300);
    db = reopen(db, dir);
    assert_int_equal(count(db), 300);
    assert_int_equal(tsdb_settle(db, NULL), 0);
    db = reopen(db, dir);
    assert_int_equal(count(db), 300);
    assert_int_equal(delete_all(db, NULL), 0);
    assert_int_equal(count(db), 0);
    db = reopen(db, dir);
    assert_int_equal(count(db), 0);
    return db;
}

static struct tsdb *filled_store(const char *dir)
{
    struct tsdb *db = open_store(dir);
    append(db, T0, 200);
    assert_int_equal(tsdb_settle(db, NULL), 0);
    append(db, T0 + 200000, 100);
    return db;
}

static void test_deletion_on_a_full_disk(void **state)
{
    struct tsdb *db = filled_store(*state);
    CLEANUP(freep) char *aside = mem_printf("%s/deletions.tmp", (char *)*state);
    assert_int_equal(symlink("/dev/full", aside), 0);
    struct err err = {0};
    assert_int_equal(delete_all(db, &err), -ENOSPC);
    assert_non_null(strstr(err.message, "/deletions: No space left on device; nothing was"));
    assert_null(strstr(err.message, "may"));
    assert_int_equal(access(aside, F_OK), -1); // takes no room
    tsdb_close(check_refused(db, *state));
}

// A later one must not be lost with it, nor what it would have replaced.
static void test_deletion_on_a_full_disk_beside_another(void **state)
{
    struct tsdb *db = filled_store(*state);
    CLEANUP(freep) char *aside = mem_printf("%s/deletions.tmp", (char *)*state);
    struct query_matcher m = {QUERY_EQUAL, "__name__", "x", NULL};
    assert_int_equal(tsdb_delete(db, &m, 1, 0, T0 + 49999, NULL), 0);
    assert_int_equal(symlink("/dev/full", aside), 0);
    assert_int_equal(delete_all(db, NULL), -ENOSPC);
    assert_int_equal(tsdb_delete(db, &m, 1, T0 + 250000, INT64_MAX, NULL), 0);
    assert_int_equal(count(db), 200);
    db = reopen(db, *state);
    assert_int_equal(count(db), 200);
    assert_int_equal(tsdb_settle(db, NULL), 0);
    db = reopen(db, *state);
    assert_int_equal(count(db), 200);
    tsdb_close(db);
}

// It has its name already when that turns out not to be safe.
static void test_deletion_whose_name_is_not_safe(void **state)
{
    struct stat st;
    assert_int_equal(stat(*state, &st), 0);
    failing_directory = st.st_ino;
    struct tsdb *db = filled_store(*state);
    struct err err = {0};
    atomic_store(&failing_directory_fsyncs, 1);
    assert_int_equal(delete_all(db, &err), -EIO);
    assert_int_equal(atomic_load(&failing_directory_fsyncs), 0);
    assert_non_null(strstr(err.message, "nothing was deleted"));
    assert_null(strstr(err.message, "may"));
    // Where it cannot be taken back for sure either, that is said.
    atomic_store(&failing_directory_fsyncs, 2);
    assert_int_equal(delete_all(db, &err), -EIO);
    assert_non_null(strstr(err.message, "the next start may delete it"));
    tsdb_close(check_refused(db, *state));
}

// Anything but damage, here that it is a directory: were it taken for empty, all would be back.
static void test_deletions_that_cannot_be_read(void **state)
{
    struct tsdb *db = filled_store(*state);
    CLEANUP(freep) char *list = mem_printf("%s/deletions", (char *)*state);
    CLEANUP(freep) char *kept = mem_printf("%s/deletions.kept", (char *)*state);
    assert_int_equal(delete_all(db, NULL), 0);
    tsdb_close(db);
    assert_int_equal(rename(list, kept), 0);
    assert_int_equal(mkdir(list, 0700), 0);
    struct tsdb_options o;
    struct err err = {0};
    tsdb_options_init(&o);
    assert_int_equal(tsdb_open(*state, &o, &db, &err), -EISDIR);
    assert_non_null(strstr(err.message, "/deletions: Is a directory"));
    assert_int_equal(rmdir(list), 0);
    assert_int_equal(rename(kept, list), 0);
    db = open_store(*state);
    assert_int_equal(count(db), 0);
    tsdb_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TSDB_TEST(test_disk_that_does_not_give_back),
        TSDB_TEST(test_removed_while_open),
        TSDB_TEST(test_removed_and_not_to_be_made),
        TSDB_TEST(test_log_removed),
        TSDB_TEST(test_fsync_that_fails),
        TSDB_TEST(test_newer_format),
        TSDB_TEST(test_deletion_on_a_full_disk),
        TSDB_TEST(test_deletion_on_a_full_disk_beside_another),
        TSDB_TEST(test_deletion_whose_name_is_not_safe),
        TSDB_TEST(test_deletions_that_cannot_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
