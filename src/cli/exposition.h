// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef CLI_EXPOSITION_H
#define CLI_EXPOSITION_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/**
 * Samples of a Prometheus text exposition (0.0.4) as a JSON array of {"name", "labels", "value"},
 * "labels" an object, "value" a number, or a text where JSON has no number for it ("NaN", "+Inf",
 * "-Inf"); timestamps are left out. 0, or -EPROTO with the line in `err`.
 */
int exposition_to_json(const char *text, size_t len, struct buf *out, struct err *err);

#endif
