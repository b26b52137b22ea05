// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdint.h>
#include <stdlib.h>

#include "zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int64_t times[] = {INT64_C(-5000000000), 0, 1764100000, INT64_C(9000000000)};
    struct zone *z = NULL;
    struct err err;
    if (zone_read(data, size, &z, &err) == 0)
        for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
            (void)zone_offset(z, times[i]);
    zone_free(z);
    return 0;
}
