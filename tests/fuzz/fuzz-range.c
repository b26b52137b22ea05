// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"
#include "range.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct range r;
    CLEANUP(freep) char *text = mem_strndup((const char *)data, size);
    if (range_parse(text, &r) == 0 && (r.from > r.to || !r.is_set))
        abort();
    return 0;
}
