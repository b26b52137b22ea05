// SPDX-License-Identifier: GPL-3.0-or-later
// Whatever reads as a configuration must read back the same once written.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct conf *first = NULL, *second = NULL;
    struct err err = {0};
    if (conf_parse("fuzz", (const char *)data, size, &first, &err) < 0) {
        if (err.code == 0 || err.message[0] == '\0')
            abort();
        return 0;
    }
    struct buf a, b;
    buf_init(&a, 1 << 20);
    buf_init(&b, 1 << 20);
    conf_encode(first, &a);
    if (conf_parse("again", a.data, a.len, &second, &err) < 0)
        abort();
    conf_encode(second, &b);
    if (a.len != b.len || memcmp(a.data, b.data, a.len) != 0)
        abort();
    buf_done(&a);
    buf_done(&b);
    conf_free(first);
    conf_free(second);
    return 0;
}
