// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef CLI_CSV_H
#define CLI_CSV_H

#include "base/buf.h"

/** A field of RFC 4180: in quotes where it holds a comma, quote, line break or outer blank. */
void csv_put(const char *field, struct buf *out);

#endif
