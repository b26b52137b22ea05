// SPDX-License-Identifier: GPL-3.0-or-later
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "certificate_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = {0};
    int64_t end = -1;
    int r = certificate_end((const char *)data, size, &end, &err);
    if (r == 0 ? end < 0 : err.message[0] == '\0')
        abort();
    return 0;
}
