// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef CLI_IMPORT_H
#define CLI_IMPORT_H

#include "base/buf.h"
#include "tool/history.h"

/** What the daemon made of what it was sent. */
struct import_sums {
    uint64_t samples, refused, late, duplicate;
    char reason[200]; /**< of a refusal that is neither, "" where there was none */
};

/** Send the text that is in `body` (whole lines); called whenever it is long enough, and last. */
typedef int import_send_fn(void *arg, const struct buf *body, struct err *err);

/**
 * All samples in order of time, in requests of OpenMetrics text of some `most_bytes`. 0, what
 * `send` returned, -EIO, -ENOMEM.
 */
int import_send_history(struct history *h, size_t most_bytes, import_send_fn *send, void *arg,
                        struct err *err);

#endif
