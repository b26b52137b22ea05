// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef VIRT_HOST_FILE_H
#define VIRT_HOST_FILE_H

#include <dirent.h>
#include <stddef.h>
#include <sys/types.h>

/**
 * A kernel file that is read again and again: opened at the first reading and kept open. An
 * initialised one has fd == -1 and error == 0.
 */
struct kept {
    int fd;
    int error; /**< -errno of the failed opening or reading, 0 while all is well */
};

#define KEPT_INIT ((struct kept){-1, 0})

/**
 * Read from the start with one system call (enough for files that the kernel makes in one piece)
 * into `buf`, NUL-terminated; opens below `dirfd` where it is not open. After a failure it stays
 * shut and returns the same error at no cost until kept_retry(). Returns the length or -errno.
 */
ssize_t kept_read(struct kept *k, int dirfd, const char *path, char *buf, size_t size);

/** The same to the end of the file, for lists that the kernel hands out a page at a time. */
ssize_t kept_read_all(struct kept *k, int dirfd, const char *path, char *buf, size_t size);

/** kept_read() of the file `name` in the directory `dir` (NULL: there is none, -ENOENT). */
ssize_t kept_read_in(struct kept *k, int dirfd, const char *dir, const char *name, char *buf,
                     size_t size);

/** Close it; the next reading opens it again. */
void kept_close(struct kept *k);

/** Forget a failure, so that the next reading tries to open it again. */
void kept_retry(struct kept *k);

/** The number in a file of one number, NaN where it cannot be read. */
double kept_number(struct kept *k, int dirfd, const char *path);

/** Open a directory below `dirfd`: the descriptor or -errno. */
int dir_open(int dirfd, const char *path);

/** The same for listing; NULL with errno. The caller calls closedir(). */
DIR *dir_list(int dirfd, const char *path);

/** Words for a person about why a source cannot be read: "permission denied", …; never NULL. */
const char *source_reason(int error);

#endif
