// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/base64.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(const void *data, size_t len, struct buf *out)
{
    const unsigned char *p = data;
    for (size_t at = 0; at < len; at += 3) {
        size_t n = len - at < 3 ? len - at : 3;
        uint32_t bits = (uint32_t)p[at] << 16;
        bits |= n > 1 ? (uint32_t)p[at + 1] << 8 : 0;
        bits |= n > 2 ? p[at + 2] : 0;
        char four[4] = {digits[bits >> 18], digits[bits >> 12 & 63],
                        n > 1 ? digits[bits >> 6 & 63] : '=', n > 2 ? digits[bits & 63] : '='};
        buf_put(out, four, sizeof(four));
    }
}

static int value_of(char c)
{
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

int base64_decode(const char *text, size_t len, struct buf *out)
{
    if (len % 4 != 0)
        return -EINVAL;
    for (size_t at = 0; at < len; at += 4) {
        bool last = at + 4 == len;
        size_t pads = last && text[at + 3] == '=' ? (text[at + 2] == '=' ? 2 : 1) : 0;
        uint32_t bits = 0;
        for (size_t i = 0; i < 4; i++) {
            int v = i < 4 - pads ? value_of(text[at + i]) : 0;
            if (v < 0)
                return -EINVAL;
            bits = bits << 6 | (uint32_t)v;
        }
        if (bits & ((UINT32_C(1) << (8 * pads)) - 1))
            return -EINVAL;
        const char three[3] = {(char)(bits >> 16), (char)(bits >> 8), (char)bits};
        buf_put(out, three, 3 - pads);
    }
    return 0;
}
