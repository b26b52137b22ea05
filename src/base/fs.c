// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"

static ssize_t read_some(int fd, void *data, size_t n)
{
    ssize_t r;
    do
        r = read(fd, data, n);
    while (r < 0 && errno == EINTR);
    return r < 0 ? -errno : r;
}

int fs_read_file(int dirfd, const char *path, size_t limit, char **ret_data, size_t *ret_len)
{
    CLEANUP(closep) int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, limit);
    for (;;) {
        char chunk[8192];
        ssize_t n = read_some(fd, chunk, sizeof(chunk));
        if (n < 0)
            return (int)n;
        if (n == 0)
            break;
        buf_put(&b, chunk, (size_t)n);
        if (b.error)
            return b.error == -E2BIG ? -EFBIG : b.error;
    }
    char *data = buf_take(&b, ret_len);
    if (!data)
        return -ENOMEM;
    *ret_data = data;
    return 0;
}

ssize_t fs_read_small(int dirfd, const char *path, char *buf, size_t size)
{
    CLEANUP(closep) int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    size_t len = 0;
    while (len < size) {
        ssize_t n = read_some(fd, buf + len, size - len);
        if (n < 0)
            return n;
        if (n == 0)
            break;
        len += (size_t)n;
    }
    if (len == size)
        return -EFBIG;
    buf[len] = '\0';
    return (ssize_t)len;
}

ssize_t fs_pread_small(int fd, char *buf, size_t size)
{
    ssize_t n;
    do
        n = pread(fd, buf, size - 1, 0);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    buf[n] = '\0';
    return n;
}

int fs_write_all(int fd, const void *data, size_t len)
{
    const char *p = data;
    while (len > 0) {
        ssize_t n = write(fd, p, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

int fs_set_nonblock(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return -errno;
    return 0;
}
