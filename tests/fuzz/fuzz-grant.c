// SPDX-License-Identifier: GPL-3.0-or-later
// What stands behind a MAC that is right: any text is refused or makes a grant that is written and
// read the same.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "auth/grant.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct grant_key key = {{1, 2, 3}};

static char *sign(const char *text)
{
    unsigned char mac[32];
    char hex[65];
    crypto_generichash(mac, sizeof(mac), (const unsigned char *)text, strlen(text), key.b,
                       sizeof(key.b));
    sodium_bin2hex(hex, sizeof(hex), mac, sizeof(mac));
    return mem_printf("%s %s", text, hex);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(freep) char *text = mem_strndup((const char *)data, size);
    CLEANUP(freep) char *whole = sign(text);
    struct grant g, again;
    CLEANUP(buf_done) struct buf b, c;
    buf_init(&b, 4 * GRANT_TEXT_MAX);
    buf_init(&c, 4 * GRANT_TEXT_MAX);
    if (grant_decode(whole, &key, 0, &g) < 0)
        return 0;
    grant_encode(&g, &key, &b);
    if (b.error || grant_decode(b.data, &key, 0, &again) < 0)
        abort();
    grant_encode(&again, &key, &c);
    if (b.len != c.len || memcmp(b.data, c.data, b.len) != 0)
        abort();
    grant_done(&g);
    grant_done(&again);
    return 0;
}
