// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef TOOL_CONFIG_H
#define TOOL_CONFIG_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

/**
 * Check a configuration file (NULL: there is none, defaults apply) and write a sentence about it,
 * or {"path", "ok"}. Returns 0 or -errno with the file's first error.
 */
int tool_config_check(const char *path, bool json, struct buf *out, struct err *err);

/** Write every key with the value in force, as YAML or JSON. Same results. */
int tool_config_show(const char *path, bool json, struct buf *out, struct err *err);

#endif
