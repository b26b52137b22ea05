// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdint.h>
#include <stdlib.h>

#include "place/bitbrains.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bitbrains b = {0};
    struct err err = {0};
    if (bitbrains_read("t", (const char *)data, size, &b, &err) < 0 && err.code == 0)
        abort();
    for (size_t i = 0; i < b.n; i++)
        if (!(b.cpus[i] >= 0) || !(b.memory_bytes[i] >= 0) || (i > 0 && b.t_s[i] <= b.t_s[i - 1]))
            abort();
    bitbrains_done(&b);
    return 0;
}
