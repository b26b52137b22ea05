// SPDX-License-Identifier: GPL-3.0-or-later
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "place/queue_trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct queue_request *q = NULL;
    size_t n = 0;
    struct err err = {0};
    int r = queue_trace_parse("fuzz", (const char *)data, size, &q, &n, &err);
    if (r < 0 && (q || err.message[0] == '\0'))
        abort();
    struct queue_options o = {.discipline = QUEUE_BACKFILL,
                              .hosts = 2,
                              .capacity = {.of = {8 * PLACE_CPU_UNIT, INT64_C(1) << 34}}};
    if (r == 0 && (n == 0 || (n < 1000 && queue_run(&o, q, n, &err) < 0)))
        abort();
    if (r == 0 && !isfinite(queue_trace_means(q, n).service_s))
        abort();
    free(q);
    return 0;
}
