// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BASE_HUMAN_H
#define BASE_HUMAN_H

#include "base/buf.h"

/*
 * Numbers as a person reads them, with three significant digits and a unit; NaN writes nothing.
 */

/** "512 B", "1.50 KiB", "97.7 MiB". */
void human_bytes(double bytes, struct buf *out);

/** The same in at most 5 columns, for tables: "512", "1.5K", "97.7M", "1023M" is "1.0G". */
void human_bytes_short(double bytes, struct buf *out);

/** A ratio as "12.3%"; "0.0%", "100%". */
void human_percent(double ratio, struct buf *out);

/** A number of things: "12", "0.5", "12.3k", "4.56M". */
void human_count(double n, struct buf *out);

/** How long something took: "850 ns", "85.0 µs" (`utf8`) or "us", "1.25 ms", "3.40 s". */
void human_latency(double seconds, bool utf8, struct buf *out);

/** An age or running time in its two largest units: "5s", "3m 10s", "2d 3h"; below 1 s "0s". */
void human_age(double seconds, struct buf *out);

#endif
