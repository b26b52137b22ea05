// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef AUTH_ACCOUNT_H
#define AUTH_ACCOUNT_H

/*
 * Accounts, tokens and sessions in act's database. One thread, but for password_hash() and
 * password_check(), which are slow on purpose and may run on any.
 *
 * A token is "vherd_" ID "_" SECRET: 16 hex digits that name it, and 256 random bits in base64url
 * without padding. Only a hash of the secret is kept, so a token is shown once. A session is a
 * token of another kind, for a browser, with a CSRF token that belongs to it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth/grant.h"
#include "base/clock.h"
#include "base/err.h"
#include "store/store.h"

/** The tables, for store_open(). */
extern const struct store_schema account_schema;

#define ACCOUNT_NAME_MAX 64
#define PASSWORD_MIN 8
#define PASSWORD_MAX 1024
#define PASSWORD_HASH_SIZE 128 /**< with the NUL */
#define TOKEN_ID_DIGITS 16
#define TOKEN_SECRET_BYTES 32
#define TOKEN_TEXT_SIZE (6 + TOKEN_ID_DIGITS + 1 + 43 + 1) /**< with the NUL */
#define CSRF_TEXT_SIZE (43 + 1)
#define SESSION_IDLE_NS (INT64_C(30) * 60 * NS_PER_S)   /**< a session unused for this long ends */
#define SESSION_LIFE_NS (INT64_C(12) * 3600 * NS_PER_S) /**< and in any case after this long */

struct accounts;

/** Over an open store (borrowed) that has account_schema. The caller owns *ret. 0 or -errno. */
int accounts_new(struct store *s, const struct clock *clock, struct accounts **ret);
void accounts_free(struct accounts *a);

/** Letters, digits, '_', '.', '-', '@'; 1 to 64; begins with a letter or digit. */
bool account_name_valid(const char *name);

struct account {
    const char *name;
    enum verb_role role;
    const char *scope; /**< as text */
    const char *owner; /**< name that VMs of theirs carry */
    bool disabled;
    bool has_password;
    int64_t created_real_ns;
};

/** What to change; NULL and negative values leave a field as it is. */
struct account_change {
    enum verb_role role; /**< ROLE_INVALID: as it is */
    const char *scope;
    const char *owner;
    int disabled;              /**< -1: as it is */
    const char *password_hash; /**< of password_hash(); "": none, so no login */
};

/** -EEXIST, -EINVAL with a sentence. A new account without a scope has "none". */
int account_add(struct accounts *a, const char *name, const struct account_change *c,
                struct err *err);
/** -ENOENT. Disabling or a new password ends the account's sessions. */
int account_set(struct accounts *a, const char *name, const struct account_change *c,
                struct err *err);
/** With its tokens and sessions. -ENOENT. */
int account_remove(struct accounts *a, const char *name, struct err *err);
/** All, by name; texts are valid during the call. `only` NULL: all. 0 or -errno. */
int account_each(struct accounts *a, const char *only, void (*each)(const struct account *, void *),
                 void *arg);

/** Argon2id (libsodium's interactive limits). 0, -EINVAL (too short or long), -ENOMEM. Slow. */
int password_hash(const char *password, char ret[PASSWORD_HASH_SIZE]);
/**
 * Does the password fit? An empty hash (no such account, or without a password) takes as long and
 * is false. Slow.
 */
bool password_check(const char *hash, const char *password);
/** The hash to check a login against; "" where nobody may log in by that name. 0 or -errno. */
int account_password(struct accounts *a, const char *name, char ret[PASSWORD_HASH_SIZE]);

struct token {
    const char *id; /**< public: the digits in the token's text */
    const char *account;
    const char *name;
    enum verb_role role;
    const char *scope;
    int64_t created_real_ns;
    int64_t expires_real_ns;  /**< 0: never */
    int64_t last_use_real_ns; /**< 0: not yet; to the minute */
    bool revoked;
};

/**
 * Make a token for an account, its text in `ret`. Its role must not be over the account's; a VM
 * must be covered by its scope and the account's, whatever that becomes. -ENOENT (no such account),
 * -EEXIST (the account has a token of this name that is not revoked), -EINVAL, -EPERM with a
 * sentence.
 */
int token_create(struct accounts *a, const struct token *t, char ret[TOKEN_TEXT_SIZE],
                 struct err *err);
/** By id, or by "ACCOUNT/NAME". -ENOENT. */
int token_revoke(struct accounts *a, const char *id, struct err *err);
/** Of one account, or of all (NULL). */
int token_each(struct accounts *a, const char *account, void (*each)(const struct token *, void *),
               void *arg);

/** The two parts of a token's text; -EINVAL. Pure. */
int token_parse(const char *text, char ret_id[TOKEN_ID_DIGITS + 1],
                unsigned char ret_secret[TOKEN_SECRET_BYTES]);

/**
 * Who is it? Fills a grant (all but its expiry, which is the caller's). -EACCES, whatever the
 * reason: no such token, revoked, expired, account disabled. Notes the use.
 */
int token_verify(struct accounts *a, const char *text, struct grant *ret);

/**
 * What "user:NAME" or "token:NAME/TOKEN" may do as things are now, though nobody of that name is
 * here: for what is done later in their name. Fills a grant but for its expiry. -EACCES, whatever
 * the reason; else -errno.
 */
int account_standing(struct accounts *a, const char *principal, struct grant *ret);

/** Open a session for an account whose password was right. */
int session_open(struct accounts *a, const char *account, char ret[TOKEN_TEXT_SIZE],
                 char ret_csrf[CSRF_TEXT_SIZE], struct err *err);
/**
 * The same as token_verify() for a session. `ret_csrf` gets what a changing request must carry.
 */
int session_verify(struct accounts *a, const char *text, char ret_csrf[CSRF_TEXT_SIZE],
                   struct grant *ret);
/** -EACCES where there is none. */
int session_close(struct accounts *a, const char *text);
/** Forget sessions that are over and tokens revoked or expired for 90 days. */
int accounts_sweep(struct accounts *a);

#endif
