// SPDX-License-Identifier: GPL-3.0-or-later
// The table of tokens, of which sessions are a kind.
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "account_private.h"
#include "base/mem.h"

#define USE_STEP_NS (60 * NS_PER_S)
#define KEEP_NS (90 * INT64_C(24) * 3600 * NS_PER_S)

_Static_assert(sizeof("token:") + 2 * ACCOUNT_NAME_MAX + 1 <= GRANT_PRINCIPAL_MAX,
               "a principal's name must fit into a grant");

static int check_against(struct accounts *a, const struct token *t, struct err *err)
{
    CLEANUP(store_query_donep)
    struct store_query *q = store_query(a->store, "SELECT role FROM account WHERE name = ?");
    struct scope scope;
    store_bind_text(q, t->account);
    int r = store_next(q);
    if (r == 0)
        return err_set(err, ENOENT, "there is no account \"%s\"", t->account);
    if (r < 0)
        return err_set(err, -r, "%s", store_message(a->store));
    enum verb_role most = auth_role_parse(store_text(q, 0));
    if (t->role > most)
        return err_set(err, EPERM, "the role of \"%s\" is %s; a token's cannot be %s", t->account,
                       auth_role_name(most), auth_role_name(t->role));
    if (!account_name_valid(t->name))
        return err_set(err, EINVAL, "\"%s\" cannot be a token's name", t->name);
    if (t->expires_real_ns != 0 && t->expires_real_ns <= accounts_now(a))
        return err_set(err, EINVAL, "the token would have expired already");
    r = scope_parse(t->scope, &scope, err);
    scope_done(&scope);
    return r;
}

static int insert(struct accounts *a, enum token_kind kind, const struct token *t, const char *id,
                  const unsigned char hash[TOKEN_HASH_BYTES])
{
    CLEANUP(store_query_donep)
    struct store_query *q = store_query(
        a->store, "INSERT INTO token (id, account, kind, name, role, scope, hash, created_ns, "
                  "expires_ns, used_ns, revoked_ns) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)");
    store_bind_text(q, id);
    store_bind_text(q, t->account);
    store_bind_i64(q, kind);
    store_bind_text(q, t->name);
    store_bind_text(q, auth_role_name(t->role));
    store_bind_text(q, t->scope);
    store_bind_blob(q, hash, TOKEN_HASH_BYTES);
    store_bind_i64(q, accounts_now(a));
    store_bind_i64(q, t->expires_real_ns);
    store_bind_i64(q, kind == KIND_SESSION ? accounts_now(a) : 0);
    return store_next(q);
}

static int create(struct accounts *a, enum token_kind kind, const struct token *t,
                  char ret[TOKEN_TEXT_SIZE], struct err *err)
{
    char id[TOKEN_ID_DIGITS + 1], text[TOKEN_TEXT_SIZE];
    unsigned char hash[TOKEN_HASH_BYTES];
    int r = check_against(a, t, err);
    if (r < 0)
        return r;
    token_text_new(text, id, hash);
    r = insert(a, kind, t, id, hash);
    if (r == 0)
        memcpy(ret, text, sizeof(text));
    sodium_memzero(text, sizeof(text));
    if (r == -EEXIST)
        return err_set(err, EEXIST, "\"%s\" has a token called \"%s\" already", t->account,
                       t->name);
    return r < 0 ? err_set(err, -r, "%s", store_message(a->store)) : 0;
}

int token_create(struct accounts *a, const struct token *t, char ret[TOKEN_TEXT_SIZE],
                 struct err *err)
{
    return create(a, KIND_TOKEN, t, ret, err);
}

int session_open(struct accounts *a, const char *account, char ret[TOKEN_TEXT_SIZE],
                 char ret_csrf[CSRF_TEXT_SIZE], struct err *err)
{
    char id[TOKEN_ID_DIGITS + 1];
    unsigned char secret[TOKEN_SECRET_BYTES];
    // The account's own role, whatever it becomes: the session's sets no limit.
    const struct token t = {.account = account,
                            .name = "session",
                            .role = ROLE_NONE,
                            .scope = "all",
                            .expires_real_ns = accounts_now(a) + SESSION_LIFE_NS};
    int r = create(a, KIND_SESSION, &t, ret, err);
    if (r < 0)
        return r;
    token_parse(ret, id, secret);
    token_text_csrf(secret, ret_csrf);
    return 0;
}

int token_revoke(struct accounts *a, const char *id, struct err *err)
{
    CLEANUP(store_query_donep)
    struct store_query *q = store_query(
        a->store, "UPDATE token SET revoked_ns = ?1 WHERE kind = 0 AND revoked_ns = 0 AND "
                  "(id = ?2 OR account || '/' || name = ?2)");
    store_bind_i64(q, accounts_now(a));
    store_bind_text(q, id);
    int r = store_next(q);
    if (r == 0 && store_changes(a->store) == 0)
        return err_set(err, ENOENT, "there is no token \"%s\" that could be revoked", id);
    return r < 0 ? err_set(err, -r, "%s", store_message(a->store)) : 0;
}

int token_revoke_all(struct accounts *a, const char *account, enum token_kind kind)
{
    CLEANUP(store_query_donep)
    struct store_query *q = store_query(
        a->store,
        "UPDATE token SET revoked_ns = ? WHERE account = ? AND kind = ? AND revoked_ns = 0");
    store_bind_i64(q, accounts_now(a));
    store_bind_text(q, account);
    store_bind_i64(q, kind);
    return store_next(q);
}

int token_each(struct accounts *a, const char *account, void (*each)(const struct token *, void *),
               void *arg)
{
    CLEANUP(store_query_donep)
    struct store_query *q = store_query(
        a->store, "SELECT id, account, name, role, scope, created_ns, expires_ns, used_ns, "
                  "revoked_ns FROM token WHERE kind = 0 AND (?1 IS NULL OR account = ?1) "
                  "ORDER BY account, name, created_ns");
    store_bind_text(q, account);
    int r;
    while ((r = store_next(q)) == 1) {
        const struct token t = {.id = store_text(q, 0),
                                .account = store_text(q, 1),
                                .name = store_text(q, 2),
                                .role = auth_role_parse(store_text(q, 3)),
                                .scope = store_text(q, 4),
                                .created_real_ns = store_i64(q, 5),
                                .expires_real_ns = store_i64(q, 6),
                                .last_use_real_ns = store_i64(q, 7),
                                .revoked = store_i64(q, 8) != 0};
        each(&t, arg);
    }
    return r;
}

static void copy_name(char ret[ACCOUNT_NAME_MAX + 1], const char *text)
{
    size_t len = strnlen(text, ACCOUNT_NAME_MAX);
    memcpy(ret, text, len);
    ret[len] = '\0';
}

// The grant that the row stands for; false where it cannot be read.
static bool fill(struct store_query *q, enum token_kind kind, const struct holder *h,
                 struct grant *ret)
{
    enum verb_role own = auth_role_parse(store_text(q, 2));
    enum verb_role limit = kind == KIND_SESSION ? own : auth_role_parse(store_text(q, 4));
    if (own == ROLE_INVALID || limit == ROLE_INVALID)
        return false;
    ret->role = MIN_OF(own, limit);
    if (kind == KIND_SESSION)
        snprintf(ret->principal, sizeof(ret->principal), "user:%s", h->account);
    else
        snprintf(ret->principal, sizeof(ret->principal), "token:%s/%s", h->account, h->name);
    struct err err;
    return scope_parse(store_text(q, 3), &ret->scope, &err) == 0 &&
           scope_parse(store_text(q, 5), &ret->limit, &err) == 0;
}

int token_find(struct accounts *a, enum token_kind kind, const char *text, struct grant *ret,
               struct holder *ret_holder)
{
    char id[TOKEN_ID_DIGITS + 1];
    unsigned char secret[TOKEN_SECRET_BYTES], hash[TOKEN_HASH_BYTES];
    if (token_parse(text, id, secret) < 0)
        return -EACCES;
    token_text_hash(id, secret, hash);
    CLEANUP(store_query_donep)
    struct store_query *q = store_query(
        a->store, "SELECT t.account, t.name, a.role, a.scope, t.role, t.scope, t.hash, "
                  "t.created_ns, t.used_ns FROM token t JOIN account a ON a.name = t.account "
                  "WHERE t.id = ? AND t.kind = ? AND t.revoked_ns = 0 AND a.disabled = 0 AND "
                  "(t.expires_ns = 0 OR t.expires_ns > ?)");
    store_bind_text(q, id);
    store_bind_i64(q, kind);
    store_bind_i64(q, accounts_now(a));
    size_t len = 0;
    int r = store_next(q);
    const void *kept = r == 1 ? store_blob(q, 6, &len) : NULL;
    if (r < 0 || len != sizeof(hash) || sodium_memcmp(kept, hash, sizeof(hash)) != 0)
        return r < 0 ? r : -EACCES;
    copy_name(ret_holder->account, store_text(q, 0));
    copy_name(ret_holder->name, store_text(q, 1));
    ret_holder->created_ns = store_i64(q, 7);
    ret_holder->used_ns = store_i64(q, 8);
    struct grant g = {0};
    if (!fill(q, kind, ret_holder, &g)) {
        grant_done(&g);
        return -EACCES;
    }
    *ret = g;
    return 0;
}

int token_note_use(struct accounts *a, const char *text, const struct holder *h)
{
    char id[TOKEN_ID_DIGITS + 1];
    unsigned char secret[TOKEN_SECRET_BYTES];
    int64_t now = accounts_now(a);
    if (now - h->used_ns < USE_STEP_NS && now >= h->used_ns)
        return 0;
    if (token_parse(text, id, secret) < 0)
        return -EINVAL;
    CLEANUP(store_query_donep)
    struct store_query *q = store_query(a->store, "UPDATE token SET used_ns = ? WHERE id = ?");
    store_bind_i64(q, now);
    store_bind_text(q, id);
    return store_next(q);
}

int token_verify(struct accounts *a, const char *text, struct grant *ret)
{
    struct holder h;
    int r = token_find(a, KIND_TOKEN, text, ret, &h);
    // A disk that is full must not keep anybody out who has the right.
    if (r == 0)
        (void)token_note_use(a, text, &h);
    return r;
}

int accounts_sweep(struct accounts *a)
{
    CLEANUP(store_query_donep)
    struct store_query *q = store_query(
        a->store, "DELETE FROM token WHERE (kind = 1 AND (revoked_ns > 0 OR expires_ns < ?1 OR "
                  "used_ns < ?2)) OR (revoked_ns > 0 AND revoked_ns < ?3) OR "
                  "(expires_ns > 0 AND expires_ns < ?3)");
    int64_t now = accounts_now(a);
    store_bind_i64(q, now);
    store_bind_i64(q, now - SESSION_IDLE_NS);
    store_bind_i64(q, now - KEEP_NS);
    return store_next(q);
}
