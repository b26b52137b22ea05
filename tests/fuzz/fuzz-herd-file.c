// SPDX-License-Identifier: GPL-3.0-or-later
// What reads as a herd is sane, and can be planned for without breaking a constraint.
#include <stdint.h>
#include <stdlib.h>

#include "place/choose.h"
#include "place/herd_file.h"
#include "place/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct herd_file f;
    struct err err = {0};
    if (herd_file_read((const char *)data, size, &f, &err) < 0)
        return 0;
    if (place_snapshot_check(f.snapshot, &err) < 0)
        abort();
    for (int kind = 0; kind < PLAN_RIGHTSIZE; kind++) {
        struct plan_request request = {.kind = kind, .score = PLACE_SCORE_DEPARTURE};
        struct buf out;
        struct json j;
        if (kind == PLAN_EVACUATE && f.snapshot->n_hosts > 0)
            request.object = f.snapshot->hosts[0].name;
        buf_init(&out, 16 << 20);
        json_init(&j, &out);
        plan_write(f.snapshot, &request, NULL, &j, &err);
        buf_done(&out);
    }
    herd_file_done(&f);
    return 0;
}
