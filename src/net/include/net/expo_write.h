// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef NET_EXPO_WRITE_H
#define NET_EXPO_WRITE_H

/*
 * Lines of OpenMetrics text with timestamps, as expo_parse() reads them. Names that need it stand
 * in quotes, as Prometheus writes them.
 */

#include "base/buf.h"
#include "model/labels.h"

/** The first `len` bytes of a name, in quotes unless it is plain. */
void expo_put_name(const char *name, size_t len, bool is_plain, struct buf *out);

/** A series, up to and with the blank before its value. */
void expo_put_series(const struct labels *l, struct buf *out);

/** A value, its time, the end of the line. Staleness markers are written as "NaN". */
void expo_put_sample(double v, int64_t t_ms, struct buf *out);

#endif
