// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef CLI_RANGE_H
#define CLI_RANGE_H

#include <stdbool.h>

#include "base/buf.h"

/**
 * A threshold as Nagios' plugins take it: "10" (outside 0..10), "10:" (below 10), "~:10" (above
 * 10), "10:20" (outside), "@10:20" (inside, borders included).
 */
struct range {
    double from, to; /**< -infinity and infinity where open */
    bool inside;     /**< a value within raises the alarm, else one without */
    bool is_set;
};

/** 0 or -EINVAL. Numbers may have a suffix of size (K, M, G, T: powers of 1024) or "%". */
int range_parse(const char *text, struct range *ret);

/** As Nagios reads it back, numbers without suffixes. */
void range_format(const struct range *r, struct buf *out);

/** Whether the value raises the alarm; never where the range is not set. */
bool range_alerts(const struct range *r, double value);

#endif
