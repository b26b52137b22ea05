// SPDX-License-Identifier: GPL-3.0-or-later
// The text of tokens, and the hashes made of its secret. The secret has 256 random bits, so a plain
// hash is as good as a slow one.
#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "account_private.h"

#define PREFIX "vherd_"
#define PREFIX_LEN (sizeof(PREFIX) - 1)
#define SECRET_DIGITS 43
#define VARIANT sodium_base64_VARIANT_URLSAFE_NO_PADDING

_Static_assert(TOKEN_TEXT_SIZE == PREFIX_LEN + TOKEN_ID_DIGITS + 1 + SECRET_DIGITS + 1,
               "the parts make the whole");

int token_parse(const char *text, char ret_id[TOKEN_ID_DIGITS + 1],
                unsigned char ret_secret[TOKEN_SECRET_BYTES])
{
    const char *id = text + PREFIX_LEN, *secret = id + TOKEN_ID_DIGITS + 1;
    size_t len = 0;
    if (strnlen(text, TOKEN_TEXT_SIZE) != TOKEN_TEXT_SIZE - 1 ||
        memcmp(text, PREFIX, PREFIX_LEN) != 0 || secret[-1] != '_' ||
        strspn(id, "0123456789abcdef") != TOKEN_ID_DIGITS)
        return -EINVAL;
    // Refuses texts whose spare bits are set: there is one text for each secret.
    if (sodium_base642bin(ret_secret, TOKEN_SECRET_BYTES, secret, SECRET_DIGITS, NULL, &len, NULL,
                          VARIANT) != 0 ||
        len != TOKEN_SECRET_BYTES)
        return -EINVAL;
    memcpy(ret_id, id, TOKEN_ID_DIGITS);
    ret_id[TOKEN_ID_DIGITS] = '\0';
    return 0;
}

void token_text_hash(const char *id, const unsigned char secret[TOKEN_SECRET_BYTES],
                     unsigned char ret[TOKEN_HASH_BYTES])
{
    crypto_generichash(ret, TOKEN_HASH_BYTES, secret, TOKEN_SECRET_BYTES, (const unsigned char *)id,
                       TOKEN_ID_DIGITS);
}

void token_text_csrf(const unsigned char secret[TOKEN_SECRET_BYTES], char ret[CSRF_TEXT_SIZE])
{
    static const unsigned char purpose[] = "vherd csrf";
    unsigned char sum[32];
    crypto_generichash(sum, sizeof(sum), purpose, sizeof(purpose), secret, TOKEN_SECRET_BYTES);
    sodium_bin2base64(ret, CSRF_TEXT_SIZE, sum, sizeof(sum), VARIANT);
}

void token_text_new(char ret[TOKEN_TEXT_SIZE], char ret_id[TOKEN_ID_DIGITS + 1],
                    unsigned char ret_hash[TOKEN_HASH_BYTES])
{
    unsigned char id[TOKEN_ID_DIGITS / 2], secret[TOKEN_SECRET_BYTES];
    randombytes_buf(id, sizeof(id));
    randombytes_buf(secret, sizeof(secret));
    sodium_bin2hex(ret_id, TOKEN_ID_DIGITS + 1, id, sizeof(id));
    memcpy(ret, PREFIX, PREFIX_LEN);
    memcpy(ret + PREFIX_LEN, ret_id, TOKEN_ID_DIGITS);
    ret[PREFIX_LEN + TOKEN_ID_DIGITS] = '_';
    sodium_bin2base64(ret + PREFIX_LEN + TOKEN_ID_DIGITS + 1, SECRET_DIGITS + 1, secret,
                      sizeof(secret), VARIANT);
    token_text_hash(ret_id, secret, ret_hash);
    sodium_memzero(secret, sizeof(secret));
}
