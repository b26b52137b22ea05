// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef PLACE_ARRIVALS_H
#define PLACE_ARRIVALS_H

/*
 * A trace of VMs that come and go: four texts, as the Azure public dataset V1 has been processed
 * for github:huaweicloud/trace_generation_rnn:
 *
 *     flavours   "VCPUS,GIB LETTER" a line
 *     arrivals   "SECONDS b,b,|,g" a line: flavours that came since the line before; | ends a batch
 *     lifetimes  the same, with U7 (ended, in bin 7) or C7 (still ran at the end) for each VM
 *     intervals  "SECONDS BIN" a line: times that belong to a bin
 *
 * A VM that ended has lived for the middle of its bin, rounded down to the trace's step (the
 * distance of its first two lines).
 */

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "place/snapshot.h"

#define ARRIVALS_MAX 5000000
#define ARRIVALS_FLAVOURS 128

struct place_arrival {
    int64_t at_s;
    int64_t leaves_s; /**< INT64_MAX: still runs at the end */
    uint32_t batch;   /**< VMs of one batch came together */
    uint16_t flavour;
};

struct place_arrivals {
    struct place_vector flavours[ARRIVALS_FLAVOURS]; /**< by letter */
    struct place_arrival *vms;                       /**< owned, in order of arrival */
    size_t n, cap;
    uint32_t *batch_size; /**< owned, by batch */
    size_t n_batches, cap_batches;
    int64_t start_s, end_s; /**< of the trace: its last line plus one step */
    int64_t step_s;         /**< from its first line to its second; 1 where there is one only */
};

struct place_text {
    const char *name; /**< for messages */
    const char *data;
    size_t len;
};

enum place_arrivals_part {
    ARRIVALS_FLAVOUR_TEXT,
    ARRIVALS_ARRIVAL_TEXT,
    ARRIVALS_LIFETIME_TEXT,
    ARRIVALS_INTERVAL_TEXT,
    ARRIVALS_TEXTS,
};

/** Read a trace; 0, -EINVAL with file, line and column, -E2BIG. *ret is empty on failure. */
int place_arrivals_read(const struct place_text texts[ARRIVALS_TEXTS], struct place_arrivals *ret,
                        struct err *err);

void place_arrivals_done(struct place_arrivals *a);

#endif
