// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BASE_FS_H
#define BASE_FS_H

#include <stddef.h>
#include <sys/types.h>

/**
 * Read a whole file below directory descriptor `dirfd` (AT_FDCWD allowed) into fresh memory,
 * NUL-terminated. Returns 0, -errno of open or read, -EFBIG past `limit` bytes.
 * The caller owns *ret_data.
 */
int fs_read_file(int dirfd, const char *path, size_t limit, char **ret_data, size_t *ret_len);

/**
 * Read a small file into `buf` (`size` > 1) and NUL-terminate it. Returns the length or -errno;
 * -EFBIG where it did not fit.
 */
ssize_t fs_read_small(int dirfd, const char *path, char *buf, size_t size);

/**
 * Read again, from the start, a kernel file whose descriptor is kept open. Same results as
 * fs_read_small(); a file longer than the buffer is cut without error.
 */
ssize_t fs_pread_small(int fd, char *buf, size_t size);

/** Write all bytes to a descriptor, through EINTR and short writes; 0 or -errno. */
int fs_write_all(int fd, const void *data, size_t len);

/** Set O_NONBLOCK; 0 or -errno. */
int fs_set_nonblock(int fd);

#endif
