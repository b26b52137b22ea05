// SPDX-License-Identifier: GPL-3.0-or-later
// What is read is written so that it reads back the same.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "notify/matcher.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct matchers m = {0}, again = {0};
    struct err err = {0};
    struct buf first, second;
    CLEANUP(freep) char *text = mem_strndup((const char *)data, size);
    struct label label = {"alertname", "A"};
    struct labels *labels = labels_new(&label, 1);
    buf_init(&first, 1 << 20);
    buf_init(&second, 1 << 20);
    if (matchers_add(&m, text, &err) == 0 && m.n > 0) {
        (void)matchers_match(&m, labels);
        matchers_format(&m, &first);
        if (first.len < MATCHER_TEXT_MAX) {
            if (matchers_add(&again, first.data, &err) < 0)
                abort();
            matchers_format(&again, &second);
            if (strcmp(first.data, second.data) != 0)
                abort();
        }
    }
    labels_free(labels);
    matchers_done(&m);
    matchers_done(&again);
    buf_done(&first);
    buf_done(&second);
    return 0;
}
