// SPDX-License-Identifier: GPL-3.0-or-later
#include "tool/store.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "tsdb/tsdb.h"

int tool_store_open(const char *directory, struct tsdb **ret, struct err *err)
{
    CLEANUP(freep) char *blocks = mem_printf("%s/blocks", directory);
    struct tsdb_options options;
    struct stat st;
    // tsdb_open() would make a new one.
    if (stat(blocks, &st) < 0)
        return err_set(err, errno, "%s is no store: %s: %s", directory, blocks, strerror(errno));
    tsdb_options_init(&options);
    options.raw = options.minute = options.hour = (struct tsdb_retention){0, 0};
    return tsdb_open(directory, &options, ret, err);
}
