// SPDX-License-Identifier: GPL-3.0-or-later
// Kernel files kept open. Opening one costs ten times a reading, and a file that is not there
// would otherwise be looked for each second.
#include "host_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/number.h"

static int kept_open(struct kept *k, int dirfd, const char *path)
{
    if (k->error < 0 || k->fd >= 0)
        return k->error;
    k->fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    k->error = k->fd < 0 ? -errno : 0;
    return k->error;
}

static ssize_t kept_fail(struct kept *k, ssize_t error)
{
    closep(&k->fd);
    k->error = (int)error;
    return error;
}

ssize_t kept_read(struct kept *k, int dirfd, const char *path, char *buf, size_t size)
{
    int r = kept_open(k, dirfd, path);
    if (r < 0)
        return r;
    ssize_t n = fs_pread_small(k->fd, buf, size);
    return n < 0 ? kept_fail(k, n) : n;
}

ssize_t kept_read_all(struct kept *k, int dirfd, const char *path, char *buf, size_t size)
{
    int r = kept_open(k, dirfd, path);
    if (r < 0)
        return r;
    size_t len = 0;
    while (len + 1 < size) {
        ssize_t n = pread(k->fd, buf + len, size - 1 - len, (off_t)len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return kept_fail(k, -errno);
        if (n == 0)
            break;
        len += (size_t)n;
    }
    buf[len] = '\0';
    return (ssize_t)len;
}

// Apart, so that a reading of an open file does not pay for the path's room on the stack.
static __attribute__((noinline)) int open_in(struct kept *k, int dirfd, const char *dir,
                                             const char *name)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof(path), "%s/%s", dir, name);
    if (n < 0 || (size_t)n >= sizeof(path))
        return -ENAMETOOLONG;
    return kept_open(k, dirfd, path);
}

ssize_t kept_read_in(struct kept *k, int dirfd, const char *dir, const char *name, char *buf,
                     size_t size)
{
    if (!dir)
        return -ENOENT;
    int r = k->fd < 0 && k->error == 0 ? open_in(k, dirfd, dir, name) : k->error;
    return r < 0 ? r : kept_read(k, dirfd, NULL, buf, size);
}

void kept_close(struct kept *k)
{
    closep(&k->fd);
    k->error = 0;
}

void kept_retry(struct kept *k)
{
    k->error = 0;
}

double kept_number(struct kept *k, int dirfd, const char *path)
{
    char text[64];
    const char *p = text;
    uint64_t v = 0;
    if (kept_read(k, dirfd, path, text, sizeof(text)) < 0 || !number_scan_u64(&p, &v))
        return NAN;
    return (double)v;
}

int dir_open(int dirfd, const char *path)
{
    int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

DIR *dir_list(int dirfd, const char *path)
{
    int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir)
        closep(&fd);
    return dir;
}

const char *source_reason(int error)
{
    static const struct {
        int error;
        const char *reason;
    } reasons[] = {
        {EACCES, "permission denied"},
        {EPERM, "permission denied"},
        {ENOENT, "the kernel has no such file"},
        {ENOTDIR, "the kernel has no such file"},
        {EOPNOTSUPP, "switched off in the kernel"},
        {EMFILE, "too many open files"},
        {ENFILE, "too many open files"},
        {ENOMEM, "out of memory"},
        {EINVAL, "not understood"},
        {ESRCH, "the process is gone"},
        {ETIMEDOUT, "reading does not return"},
    };
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
        if (reasons[i].error == -error || reasons[i].error == error)
            return reasons[i].reason;
    return "cannot be read";
}
