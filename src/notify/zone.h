// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef NOTIFY_ZONE_H
#define NOTIFY_ZONE_H

// Local time of any zone, out of the system's time zone files (RFC 8536), without touching TZ.

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct zone;

// By its name ("Europe/Berlin"; "UTC" and "" need no file). 0 or -errno.
int zone_new(const char *name, struct zone **ret, struct err *err);
// Out of a file's bytes. 0 or -EINVAL.
int zone_read(const void *data, size_t len, struct zone **ret, struct err *err);
void zone_free(struct zone *z);

// Seconds east of UTC at a time (Unix seconds).
int32_t zone_offset(const struct zone *z, int64_t at_s);

#endif
