// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef TOOL_STORE_H
#define TOOL_STORE_H

#include "base/err.h"

struct tsdb;

/**
 * Open the store in a directory in order to read it: a snapshot, or one that no daemon uses.
 * Nothing is deleted from it, however old. The caller closes it with tsdb_close(). 0, -ENOENT
 * (there is no store), -EBUSY (it is in use), or -errno.
 */
int tool_store_open(const char *directory, struct tsdb **ret, struct err *err);

#endif
