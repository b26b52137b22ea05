// SPDX-License-Identifier: GPL-3.0-or-later
// Argon2id with libsodium's interactive limits: 64 MiB and two passes.
#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "auth/account.h"

_Static_assert(PASSWORD_HASH_SIZE >= crypto_pwhash_STRBYTES, "libsodium's text must fit");

int password_hash(const char *password, char ret[PASSWORD_HASH_SIZE])
{
    size_t len = strnlen(password, PASSWORD_MAX + 1);
    if (len < PASSWORD_MIN || len > PASSWORD_MAX)
        return -EINVAL;
    if (sodium_init() < 0)
        return -EIO;
    return crypto_pwhash_str_alg(ret, password, len, crypto_pwhash_OPSLIMIT_INTERACTIVE,
                                 crypto_pwhash_MEMLIMIT_INTERACTIVE,
                                 crypto_pwhash_ALG_ARGON2ID13) == 0
               ? 0
               : -ENOMEM;
}

bool password_check(const char *hash, const char *password)
{
    size_t len = strnlen(password, PASSWORD_MAX + 1);
    if (sodium_init() < 0 || len > PASSWORD_MAX)
        return false;
    if (*hash)
        return crypto_pwhash_str_verify(hash, password, len) == 0;
    // Whoever tries names must not see by the time which exist.
    static const unsigned char salt[crypto_pwhash_SALTBYTES];
    unsigned char waste[32];
    (void)!crypto_pwhash(waste, sizeof(waste), password, len, salt,
                         crypto_pwhash_OPSLIMIT_INTERACTIVE, crypto_pwhash_MEMLIMIT_INTERACTIVE,
                         crypto_pwhash_ALG_ARGON2ID13);
    return false;
}
