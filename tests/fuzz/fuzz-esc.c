// SPDX-License-Identifier: GPL-3.0-or-later
// What an encoder lets through must be valid UTF-8 and free of what its sink cannot bear.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/esc.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct buf *b, const char *forbidden)
{
    if (b->error)
        abort();
    for (size_t at = 0; at < b->len;) {
        unsigned cp = 0;
        size_t n = esc_utf8_next(b->data + at, b->len - at, &cp);
        if (n == 0 || (cp != 0 && cp < 0x80 && strchr(forbidden, (int)cp)))
            abort();
        at += n;
    }
    buf_done((struct buf *)b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(freep) char *text = mem_strndup((const char *)data, size);
    struct buf b;

    buf_init(&b, size * 12 + 1);
    esc_label(&b, text);
    check(&b, "\n");
    buf_init(&b, size * 12 + 1);
    esc_json(&b, (const char *)data, size);
    check(&b, "\n\r\t\x1b\x7f");
    buf_init(&b, size * 12 + 1);
    esc_html(&b, text);
    check(&b, "<>\"'\x1b");
    buf_init(&b, size * 12 + 1);
    esc_terminal(&b, text);
    check(&b, "\n\r\t\x1b\x7f");
    buf_init(&b, size * 12 + 1);
    esc_url(&b, text);
    long n = b.len ? esc_url_decode(b.data, b.len) : 0;
    if (n < 0 || (size_t)n != strlen(text) || (n > 0 && memcmp(b.data, text, (size_t)n) != 0))
        abort();
    buf_done(&b);

    CLEANUP(freep) char *copy = mem_strndup((const char *)data, size);
    n = esc_url_decode(copy, size);
    if (n > (long)size)
        abort();
    return 0;
}
