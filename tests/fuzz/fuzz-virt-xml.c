// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdint.h>
#include <stdlib.h>

#include "virt/virt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err;
    struct batch *b = batch_new();
    int r = virt_xml_read((const char *)data, size, b, &err);
    if (r < 0 && b->n_rows > 0)
        abort();
    batch_free(b);
    return 0;
}
