// SPDX-License-Identifier: GPL-3.0-or-later
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/number.h"
#include "base/uuid.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(freep) char *text = mem_strndup((const char *)data, size);
    uint64_t u = 0;
    int64_t i = 0;
    double d = 0;
    struct uuid uuid;

    (void)number_parse_u64(text, &u);
    (void)number_parse_i64(text, &i);
    (void)number_parse_f64(text, &d);
    (void)number_parse_duration(text, &i);
    (void)number_parse_size(text, &u);
    if (uuid_parse((const char *)data, size, &uuid)) {
        char again[UUID_TEXT];
        struct uuid same;
        uuid_format(&uuid, again);
        if (!uuid_parse(again, UUID_TEXT - 1, &same) || !uuid_equal(&uuid, &same))
            abort();
    }
    const char *end = text + strlen(text);
    for (const char *p = text; p < end;) {
        const char *before = p;
        if (!number_scan_u64(&p, &u) && !number_scan_i64(&p, &i) && !number_skip_words(&p, 1))
            break;
        if (p <= before || p > end)
            abort();
    }
    return 0;
}
