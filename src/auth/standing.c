// SPDX-License-Identifier: GPL-3.0-or-later
// The rights of somebody who is not here, for what they had put down to be done later.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "account_private.h"
#include "base/mem.h"

static int fill(const char *principal, enum verb_role role, const char *scope, const char *limit,
                struct grant *ret)
{
    struct grant g = {.role = role};
    struct err err;
    size_t len = strlen(principal);
    bool ok = role != ROLE_INVALID && role != ROLE_NONE && len <= GRANT_PRINCIPAL_MAX &&
              scope_parse(scope, &g.scope, &err) == 0 && scope_parse(limit, &g.limit, &err) == 0;
    if (!ok) {
        grant_done(&g);
        return -EACCES;
    }
    memcpy(g.principal, principal, len + 1);
    *ret = g;
    return 0;
}

static int of_account(struct accounts *a, const char *principal, const char *name,
                      struct grant *ret)
{
    CLEANUP(store_query_donep)
    struct store_query *q =
        store_query(a->store, "SELECT role, scope FROM account WHERE name = ? AND disabled = 0");
    store_bind_text(q, name);
    int r = store_next(q);
    if (r != 1)
        return r < 0 ? r : -EACCES;
    return fill(principal, auth_role_parse(store_text(q, 0)), store_text(q, 1), "all", ret);
}

static int of_token(struct accounts *a, const char *principal, const char *name, struct grant *ret)
{
    const char *slash = strchr(name, '/');
    if (!slash)
        return -EACCES;
    CLEANUP(freep) char *account = mem_strndup(name, (size_t)(slash - name));
    CLEANUP(store_query_donep)
    struct store_query *q = store_query(
        a->store, "SELECT a.role, a.scope, t.role, t.scope FROM token t JOIN account a ON a.name = "
                  "t.account WHERE t.account = ? AND t.name = ? AND t.kind = 0 AND t.revoked_ns = "
                  "0 AND a.disabled = 0 AND (t.expires_ns = 0 OR t.expires_ns > ?)");
    store_bind_text(q, account);
    store_bind_text(q, slash + 1);
    store_bind_i64(q, accounts_now(a));
    int r = store_next(q);
    if (r != 1)
        return r < 0 ? r : -EACCES;
    enum verb_role own = auth_role_parse(store_text(q, 0));
    enum verb_role limit = auth_role_parse(store_text(q, 2));
    return fill(principal, MIN_OF(own, limit), store_text(q, 1), store_text(q, 3), ret);
}

int account_standing(struct accounts *a, const char *principal, struct grant *ret)
{
    static const struct {
        const char *head;
        int (*look)(struct accounts *a, const char *principal, const char *name, struct grant *ret);
    } kinds[] = {{"user:", of_account}, {"token:", of_token}};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        size_t len = strlen(kinds[i].head);
        if (strncmp(principal, kinds[i].head, len) == 0)
            return kinds[i].look(a, principal, principal + len, ret);
    }
    return -EACCES;
}
