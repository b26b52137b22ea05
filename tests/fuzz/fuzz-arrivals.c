// SPDX-License-Identifier: GPL-3.0-or-later
// The four texts of a trace, cut at lines of a single %.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "place/arrivals.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct place_text texts[ARRIVALS_TEXTS];
    struct place_arrivals a;
    struct err err = {0};
    const char *at = (const char *)data, *end = at + size;
    for (int i = 0; i < ARRIVALS_TEXTS; i++) {
        const char *cut = memmem(at, (size_t)(end - at), "%\n", 2);
        const char *stop = cut && i + 1 < ARRIVALS_TEXTS ? cut : end;
        texts[i] = (struct place_text){"t", at, (size_t)(stop - at)};
        at = stop < end ? stop + 2 : end;
    }
    if (place_arrivals_read(texts, &a, &err) < 0) {
        if (err.code == 0)
            abort();
        return 0;
    }
    for (size_t i = 0; i < a.n; i++)
        if (a.vms[i].leaves_s < a.vms[i].at_s || a.vms[i].batch >= a.n_batches)
            abort();
    place_arrivals_done(&a);
    return 0;
}
