// SPDX-License-Identifier: GPL-3.0-or-later
#include "store/keyed.h"

#include <errno.h>

#include "base/mem.h"
#include "store/row.h"

static const char *const steps[] = {
    "CREATE TABLE keyed (kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,"
    " PRIMARY KEY (kind, key)) WITHOUT ROWID",
};

const struct store_schema keyed_schema = {"keyed", steps, ARRAY_LEN(steps)};

int keyed_put(struct store *s, const char *kind, const char *key, const char *value)
{
    CLEANUP(store_query_donep)
    struct store_query *q =
        value ? store_query(s, "INSERT INTO keyed (kind, key, value) VALUES (?, ?, ?) ON CONFLICT "
                               "(kind, key) DO UPDATE SET value = excluded.value")
              : store_query(s, "DELETE FROM keyed WHERE kind = ? AND key = ?");
    store_bind_text(q, kind);
    store_bind_text(q, key);
    if (value)
        store_bind_text(q, value);
    return store_run(q);
}

int keyed_get(struct store *s, const char *kind, const char *key, char **ret)
{
    CLEANUP(store_query_donep)
    struct store_query *q = store_query(s, "SELECT value FROM keyed WHERE kind = ? AND key = ?");
    store_bind_text(q, kind);
    store_bind_text(q, key);
    int r = store_one(q);
    if (r == 0)
        *ret = mem_strdup(store_text(q, 0));
    return r;
}

int keyed_each(struct store *s,
               int (*each)(void *arg, const char *kind, const char *key, const char *value),
               void *arg)
{
    CLEANUP(store_query_donep)
    struct store_query *q = store_query(s, "SELECT kind, key, value FROM keyed ORDER BY kind, key");
    int r;
    while ((r = store_next(q)) == 1) {
        r = each(arg, store_text(q, 0), store_text(q, 1), store_text(q, 2));
        if (r < 0)
            return r;
    }
    return r;
}
