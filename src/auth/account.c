// SPDX-License-Identifier: GPL-3.0-or-later
// The table of accounts.
#include "auth/account.h"

#include <ctype.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "account_private.h"
#include "base/mem.h"

static const char *const steps[] = {
    "CREATE TABLE account (name TEXT PRIMARY KEY, role TEXT NOT NULL, scope TEXT NOT NULL, "
    "owner TEXT NOT NULL, disabled INTEGER NOT NULL, password TEXT NOT NULL, "
    "created_ns INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE token (id TEXT PRIMARY KEY, account TEXT NOT NULL REFERENCES account (name) "
    "ON DELETE CASCADE, kind INTEGER NOT NULL, name TEXT NOT NULL, role TEXT NOT NULL, "
    "scope TEXT NOT NULL, hash BLOB NOT NULL, created_ns INTEGER NOT NULL, "
    "expires_ns INTEGER NOT NULL, used_ns INTEGER NOT NULL, revoked_ns INTEGER NOT NULL) "
    "WITHOUT ROWID;"
    "CREATE UNIQUE INDEX token_name ON token (account, name) WHERE kind = 0 AND revoked_ns = 0;"
    "CREATE INDEX token_account ON token (account);",
};

const struct store_schema account_schema = {"account", steps, ARRAY_LEN(steps)};

int accounts_new(struct store *s, const struct clock *clock, struct accounts **ret)
{
    if (sodium_init() < 0)
        return -EIO;
    struct accounts *a = mem_zalloc(sizeof(*a));
    a->store = s;
    a->clock = clock;
    *ret = a;
    return 0;
}

void accounts_free(struct accounts *a)
{
    free(a);
}

bool account_name_valid(const char *name)
{
    size_t len = strnlen(name, ACCOUNT_NAME_MAX + 1);
    if (len == 0 || len > ACCOUNT_NAME_MAX || !isalnum((unsigned char)*name))
        return false;
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)name[i]) && !strchr("_.-@", name[i]))
            return false;
    return true;
}

static int check(const struct account_change *c, struct err *err)
{
    if (c->owner && !account_name_valid(c->owner))
        return err_set(err, EINVAL, "\"%s\" cannot be an owner's name", c->owner);
    if (!c->scope)
        return 0;
    struct scope scope;
    int r = scope_parse(c->scope, &scope, err);
    scope_done(&scope);
    return r;
}

int account_add(struct accounts *a, const char *name, const struct account_change *c,
                struct err *err)
{
    if (!account_name_valid(name))
        return err_set(err, EINVAL,
                       "\"%s\" cannot be a name: at most %d letters, digits, '_', '.', '-', '@', "
                       "a letter or digit first",
                       name, ACCOUNT_NAME_MAX);
    int r = check(c, err);
    if (r < 0)
        return r;
    CLEANUP(store_query_donep)
    struct store_query *q = store_query(
        a->store, "INSERT INTO account (name, role, scope, owner, disabled, password, created_ns) "
                  "VALUES (?, ?, ?, ?, ?, ?, ?)");
    store_bind_text(q, name);
    store_bind_text(q, auth_role_name(c->role == ROLE_INVALID ? ROLE_VIEWER : c->role));
    store_bind_text(q, c->scope ? c->scope : "none");
    store_bind_text(q, c->owner ? c->owner : name);
    store_bind_i64(q, c->disabled > 0);
    store_bind_text(q, c->password_hash ? c->password_hash : "");
    store_bind_i64(q, accounts_now(a));
    r = store_next(q);
    if (r == -EEXIST)
        return err_set(err, EEXIST, "there is an account \"%s\" already", name);
    return r < 0 ? err_set(err, -r, "%s", store_message(a->store)) : 0;
}

static int update(struct accounts *a, const char *name, const struct account_change *c)
{
    CLEANUP(store_query_donep)
    struct store_query *q = store_query(
        a->store, "UPDATE account SET role = coalesce(?, role), scope = coalesce(?, scope), "
                  "owner = coalesce(?, owner), disabled = coalesce(?, disabled), "
                  "password = coalesce(?, password) WHERE name = ?");
    store_bind_text(q, c->role == ROLE_INVALID ? NULL : auth_role_name(c->role));
    store_bind_text(q, c->scope);
    store_bind_text(q, c->owner);
    if (c->disabled >= 0)
        store_bind_i64(q, c->disabled > 0);
    else
        store_bind_null(q);
    store_bind_text(q, c->password_hash);
    store_bind_text(q, name);
    int r = store_next(q);
    return r == 0 && store_changes(a->store) == 0 ? -ENOENT : r;
}

static int no_account(int r, struct accounts *a, const char *name, struct err *err)
{
    if (r == -ENOENT)
        return err_set(err, ENOENT, "there is no account \"%s\"", name);
    return r < 0 ? err_set(err, -r, "%s", store_message(a->store)) : 0;
}

int account_set(struct accounts *a, const char *name, const struct account_change *c,
                struct err *err)
{
    int r = check(c, err);
    if (r == 0)
        r = store_begin(a->store);
    if (r < 0)
        return r;
    r = update(a, name, c);
    if (r == 0 && (c->disabled > 0 || c->password_hash))
        r = token_revoke_all(a, name, KIND_SESSION);
    if (r == 0)
        return no_account(store_commit(a->store), a, name, err);
    store_rollback(a->store);
    return no_account(r, a, name, err);
}

int account_remove(struct accounts *a, const char *name, struct err *err)
{
    CLEANUP(store_query_donep)
    struct store_query *q = store_query(a->store, "DELETE FROM account WHERE name = ?");
    store_bind_text(q, name);
    int r = store_next(q);
    return no_account(r == 0 && store_changes(a->store) == 0 ? -ENOENT : r, a, name, err);
}

int account_each(struct accounts *a, const char *only, void (*each)(const struct account *, void *),
                 void *arg)
{
    CLEANUP(store_query_donep)
    struct store_query *q = store_query(
        a->store, "SELECT name, role, scope, owner, disabled, password <> '', created_ns "
                  "FROM account WHERE ?1 IS NULL OR name = ?1 ORDER BY name");
    store_bind_text(q, only);
    int r;
    while ((r = store_next(q)) == 1) {
        const struct account account = {.name = store_text(q, 0),
                                        .role = auth_role_parse(store_text(q, 1)),
                                        .scope = store_text(q, 2),
                                        .owner = store_text(q, 3),
                                        .disabled = store_i64(q, 4) != 0,
                                        .has_password = store_i64(q, 5) != 0,
                                        .created_real_ns = store_i64(q, 6)};
        each(&account, arg);
    }
    return r;
}

int account_password(struct accounts *a, const char *name, char ret[PASSWORD_HASH_SIZE])
{
    CLEANUP(store_query_donep)
    struct store_query *q =
        store_query(a->store, "SELECT password FROM account WHERE name = ? AND disabled = 0");
    store_bind_text(q, name);
    ret[0] = '\0';
    int r = store_next(q);
    const char *text = r == 1 ? store_text(q, 0) : NULL;
    size_t len = text ? strlen(text) : 0;
    if (len > 0 && len < PASSWORD_HASH_SIZE)
        memcpy(ret, text, len + 1);
    return r < 0 ? r : 0;
}
