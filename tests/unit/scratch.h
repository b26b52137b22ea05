// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef SCRATCH_H
#define SCRATCH_H

// A directory for one test, removed at its end.

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct scratch {
    char path[64];
};

static inline struct scratch scratch_new(void)
{
    struct scratch d = {"/tmp/vherd-test-XXXXXX"};
    if (!mkdtemp(d.path))
        abort();
    return d;
}

static inline int scratch_remove(const char *path, const struct stat *st, int type,
                                 struct FTW *walk)
{
    return remove(path);
}

static inline void scratch_done(struct scratch *d)
{
    nftw(d->path, scratch_remove, 8, FTW_DEPTH | FTW_PHYS);
}

static inline void scratch_write(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        abort();
    close(fd);
}

#endif
