// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef TSDB_DIR_H
#define TSDB_DIR_H

/* A directory of its own for each test of the store; *state is its path. */

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

#define TSDB_TEST(test) cmocka_unit_test_setup_teardown(test, dir_make, dir_remove)

static int dir_make(void **state)
{
    const char *base = getenv("TMPDIR");
    char path[256];
    snprintf(path, sizeof(path), "%s/vherd-tsdb-XXXXXX", base ? base : "/tmp");
    *state = mkdtemp(path) ? strdup(path) : NULL;
    return *state ? 0 : -1;
}

static int dir_remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

static int dir_remove(void **state)
{
    int r = nftw(*state, dir_remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(*state);
    return r;
}

#endif
