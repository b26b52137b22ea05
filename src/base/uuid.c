// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/uuid.h"

#include <string.h>

#include "base/number.h"

static bool may_have_hyphen(int digits)
{
    return digits == 8 || digits == 12 || digits == 16 || digits == 20;
}

bool uuid_parse(const char *s, unsigned long len, struct uuid *ret)
{
    struct uuid u = {0};
    int digits = 0;
    for (unsigned long i = 0; i < len; i++) {
        if (s[i] == '-' && may_have_hyphen(digits) && s[i - 1] != '-')
            continue;
        int v = number_hex_digit(s[i]);
        if (v < 0 || digits == 2 * UUID_BYTES)
            return false;
        u.b[digits / 2] = (unsigned char)(u.b[digits / 2] << 4 | v);
        digits++;
    }
    if (digits != 2 * UUID_BYTES)
        return false;
    *ret = u;
    return true;
}

void uuid_format(const struct uuid *u, char out[UUID_TEXT])
{
    static const char hex[] = "0123456789abcdef";
    char *p = out;
    for (int i = 0; i < UUID_BYTES; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *p++ = '-';
        *p++ = hex[u->b[i] >> 4];
        *p++ = hex[u->b[i] & 15];
    }
    *p = '\0';
}

bool uuid_equal(const struct uuid *a, const struct uuid *b)
{
    return memcmp(a->b, b->b, UUID_BYTES) == 0;
}
