// SPDX-License-Identifier: GPL-3.0-or-later
// A text that is read as a token has one form only; grants that nobody made are refused.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "auth/account.h"
#include "base/mem.h"
#include "store/audit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct grant_key key = {{1, 2, 3}};
    CLEANUP(freep) char *text = mem_strndup((const char *)data, size);
    char id[TOKEN_ID_DIGITS + 1];
    unsigned char secret[TOKEN_SECRET_BYTES];
    struct grant grant;
    struct audit_anchor anchor;
    struct grant_key other;
    if (token_parse(text, id, secret) == 0 && strlen(text) != TOKEN_TEXT_SIZE - 1)
        abort();
    // The fuzzer does not find a MAC of 256 bits.
    if (grant_decode(text, &key, 0, &grant) == 0)
        abort();
    (void)grant_key_parse(text, &other);
    (void)audit_anchor_parse(text, &anchor);
    (void)account_name_valid(text);
    return 0;
}
