// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef ACCOUNT_PRIVATE_H
#define ACCOUNT_PRIVATE_H

// What the files about accounts, tokens and sessions share.

#include "auth/account.h"

#define TOKEN_HASH_BYTES 32

struct accounts {
    struct store *store;
    const struct clock *clock;
};

enum token_kind {
    KIND_TOKEN,
    KIND_SESSION,
};

/** A row of the table `token` and its account, as far as a check needs them. */
struct holder {
    char account[ACCOUNT_NAME_MAX + 1];
    char name[ACCOUNT_NAME_MAX + 1];
    int64_t created_ns, used_ns; // real
};

/** A new id and secret as text, and the hash that is kept. */
void token_text_new(char ret[TOKEN_TEXT_SIZE], char ret_id[TOKEN_ID_DIGITS + 1],
                    unsigned char ret_hash[TOKEN_HASH_BYTES]);
void token_text_hash(const char *id, const unsigned char secret[TOKEN_SECRET_BYTES],
                     unsigned char ret[TOKEN_HASH_BYTES]);
/** What belongs to a session: only who has its secret can compute it. */
void token_text_csrf(const unsigned char secret[TOKEN_SECRET_BYTES], char ret[CSRF_TEXT_SIZE]);

/** A live token or session of this kind: its grant and row. -EACCES for any reason. */
int token_find(struct accounts *a, enum token_kind kind, const char *text, struct grant *ret,
               struct holder *ret_holder);
/** Note the use, at most once a minute: a grant is asked for more often. */
int token_note_use(struct accounts *a, const char *text, const struct holder *h);
/** End all tokens of a kind that an account has. */
int token_revoke_all(struct accounts *a, const char *account, enum token_kind kind);

static inline int64_t accounts_now(const struct accounts *a)
{
    return clock_real_ns(a->clock);
}

#endif
