// SPDX-License-Identifier: GPL-3.0-or-later
// Expressions of cron: what is read gives a next time that fits it, later than the last.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"
#include "manage/cron.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(freep) char *text = mem_strndup((const char *)data, size);
    struct cron c;
    struct err err = {0};
    if (cron_parse(text, &c, &err) < 0) {
        if (err.message[0] == '\0')
            abort();
        return 0;
    }
    const int64_t after = 1767225600;
    int64_t next = cron_next(&c, after, gmtime_r);
    struct tm tm;
    const time_t t = (time_t)next;
    if (next >= 0 && (next <= after || !gmtime_r(&t, &tm) || !cron_matches(&c, &tm)))
        abort();
    return 0;
}
