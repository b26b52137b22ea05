// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fs.h"
#include "base/mem.h"

struct fixture {
    char dir[64];
    int fd;
};

static int setup(void **state)
{
    struct fixture *f = mem_zalloc(sizeof(*f));
    memcpy(f->dir, "/tmp/vherd-test-fs-XXXXXX", 26);
    if (!mkdtemp(f->dir))
        return -1;
    f->fd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *state = f;
    return f->fd < 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    unlinkat(f->fd, "file", 0);
    close(f->fd);
    rmdir(f->dir);
    free(f);
    return 0;
}

static void make(struct fixture *f, const void *data, size_t len)
{
    int fd = openat(f->fd, "file", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(fs_write_all(fd, data, len), 0);
    close(fd);
}

static void reads_whole_files_of_every_size(void **state)
{
    struct fixture *f = *state;
    static const size_t sizes[] = {0, 1, 8191, 8192, 8193, 50000};
    static char data[50000];
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (char)(i * 7);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        make(f, data, sizes[i]);
        CLEANUP(freep) char *read_back = NULL;
        size_t len = 1234567;
        assert_int_equal(fs_read_file(f->fd, "file", sizes[i], &read_back, &len), 0);
        assert_int_equal(len, sizes[i]);
        assert_memory_equal(read_back, data, len);
        assert_int_equal(read_back[len], '\0');
        if (sizes[i] == 0)
            continue;
        char *untouched = NULL;
        assert_int_equal(fs_read_file(f->fd, "file", sizes[i] - 1, &untouched, &len), -EFBIG);
        assert_null(untouched);
    }
}

static void length_need_not_be_asked_for(void **state)
{
    struct fixture *f = *state;
    make(f, "abc", 3);
    CLEANUP(freep) char *data = NULL;
    assert_int_equal(fs_read_file(f->fd, "file", 10, &data, NULL), 0);
    assert_string_equal(data, "abc");
}

static void says_why_it_cannot_read(void **state)
{
    struct fixture *f = *state;
    char *data = NULL;
    char small[8];
    assert_int_equal(fs_read_file(f->fd, "missing", 10, &data, NULL), -ENOENT);
    assert_int_equal(fs_read_small(f->fd, "missing", small, sizeof(small)), -ENOENT);
    assert_int_equal(fs_read_file(f->fd, ".", 10, &data, NULL), -EISDIR);
    assert_int_equal(fs_pread_small(-1, small, sizeof(small)), -EBADF);
    assert_null(data);
}

static void small_files_fit_or_fail(void **state)
{
    struct fixture *f = *state;
    char text[8];
    make(f, "1234567", 7);
    assert_int_equal(fs_read_small(f->fd, "file", text, sizeof(text)), 7);
    assert_string_equal(text, "1234567");
    make(f, "12345678", 8);
    assert_int_equal(fs_read_small(f->fd, "file", text, sizeof(text)), -EFBIG);
    make(f, "", 0);
    assert_int_equal(fs_read_small(f->fd, "file", text, sizeof(text)), 0);
    assert_string_equal(text, "");
}

static void kept_open_files_are_read_from_the_start(void **state)
{
    struct fixture *f = *state;
    char text[5];
    make(f, "first", 5);
    CLEANUP(closep) int fd = openat(f->fd, "file", O_RDONLY | O_CLOEXEC);
    assert_int_equal(fs_pread_small(fd, text, sizeof(text)), 4);
    assert_string_equal(text, "firs");
    make(f, "2", 1);
    assert_int_equal(fs_pread_small(fd, text, sizeof(text)), 1);
    assert_string_equal(text, "2");
}

static void writes_through_short_writes(void **state)
{
    enum { SIZE = 1 << 20 };
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(ends[0]);
        char *data = malloc(SIZE);
        memset(data, 'z', SIZE);
        _exit(fs_write_all(ends[1], data, SIZE) == 0 ? 0 : 1);
    }
    close(ends[1]);
    size_t got = 0;
    char part[3000];
    ssize_t n;
    while ((n = read(ends[0], part, sizeof(part))) > 0)
        got += (size_t)n;
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    assert_int_equal(got, SIZE);
}

static void write_failures_are_told(void **state)
{
    CLEANUP(closep) int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(full >= 0);
    assert_int_equal(fs_write_all(full, "x", 1), -ENOSPC);
    assert_int_equal(fs_write_all(full, "", 0), 0);
    assert_int_equal(fs_write_all(-1, "x", 1), -EBADF);
}

static void nonblock_is_set_and_keeps_other_flags(void **state)
{
    struct fixture *f = *state;
    make(f, "x", 1);
    CLEANUP(closep) int fd = openat(f->fd, "file", O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_int_equal(fs_set_nonblock(fd), 0);
    int flags = fcntl(fd, F_GETFL);
    assert_true(flags & O_NONBLOCK);
    assert_true(flags & O_APPEND);
    assert_int_equal(fs_set_nonblock(-1), -EBADF);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_whole_files_of_every_size),
        cmocka_unit_test(length_need_not_be_asked_for),
        cmocka_unit_test(says_why_it_cannot_read),
        cmocka_unit_test(small_files_fit_or_fail),
        cmocka_unit_test(kept_open_files_are_read_from_the_start),
        cmocka_unit_test(writes_through_short_writes),
        cmocka_unit_test(write_failures_are_told),
        cmocka_unit_test(nonblock_is_set_and_keeps_other_flags),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
