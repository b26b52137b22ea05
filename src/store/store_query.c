// SPDX-License-Identifier: GPL-3.0-or-later
// Prepared statements: kept by the address of their text, since that is a literal.
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "store_private.h"

static struct store_query *find(struct store *s, const char *sql)
{
    for (size_t i = 0; i < s->n_queries; i++)
        if (s->queries[i].sql == sql && !s->queries[i].in_use)
            return &s->queries[i];
    return NULL;
}

// A place for a new statement: a fresh one, or that of one which nobody uses.
static struct store_query *place(struct store *s)
{
    if (s->n_queries < STATEMENTS_MAX)
        return &s->queries[s->n_queries++];
    for (size_t i = 0; i < s->n_queries; i++) {
        if (!s->queries[i].in_use) {
            sqlite3_finalize(s->queries[i].stmt);
            return &s->queries[i];
        }
    }
    return NULL;
}

struct store_query *store_query(struct store *s, const char *sql)
{
    struct store_query *q = find(s, sql);
    if (!q) {
        q = place(s);
        if (!q) {
            s->spare = (struct store_query){.error = -EMFILE};
            return &s->spare;
        }
        *q = (struct store_query){.sql = sql};
        int code = sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &q->stmt, NULL);
        q->error = store_errno(code);
        // What cannot be prepared now may be later.
        if (q->error < 0)
            q->sql = NULL;
    }
    q->in_use = true;
    q->bound = 0;
    return q;
}

void store_query_donep(struct store_query **at)
{
    struct store_query *q = TAKE_PTR(*at);
    if (!q)
        return;
    if (q->stmt) {
        sqlite3_reset(q->stmt);
        sqlite3_clear_bindings(q->stmt);
    }
    q->error = 0;
    q->in_use = false;
}

static void note(struct store_query *q, int code)
{
    if (q->error == 0)
        q->error = store_errno(code);
}

void store_bind_text(struct store_query *q, const char *text)
{
    q->bound++;
    if (q->error == 0)
        note(q, sqlite3_bind_text(q->stmt, q->bound, text, -1, SQLITE_TRANSIENT));
}

void store_bind_i64(struct store_query *q, int64_t v)
{
    q->bound++;
    if (q->error == 0)
        note(q, sqlite3_bind_int64(q->stmt, q->bound, v));
}

void store_bind_blob(struct store_query *q, const void *data, size_t len)
{
    q->bound++;
    if (q->error == 0)
        note(q, sqlite3_bind_blob64(q->stmt, q->bound, data, len, SQLITE_TRANSIENT));
}

void store_bind_null(struct store_query *q)
{
    q->bound++;
    if (q->error == 0)
        note(q, sqlite3_bind_null(q->stmt, q->bound));
}

int store_next(struct store_query *q)
{
    if (q->error < 0)
        return q->error;
    int code = sqlite3_step(q->stmt);
    if (code == SQLITE_ROW)
        return 1;
    note(q, code);
    return q->error;
}

const char *store_text(struct store_query *q, int column)
{
    return (const char *)sqlite3_column_text(q->stmt, column);
}

int64_t store_i64(struct store_query *q, int column)
{
    return sqlite3_column_int64(q->stmt, column);
}

const void *store_blob(struct store_query *q, int column, size_t *ret_len)
{
    const void *data = sqlite3_column_blob(q->stmt, column);
    *ret_len = (size_t)sqlite3_column_bytes(q->stmt, column);
    return data;
}

bool store_is_null(struct store_query *q, int column)
{
    return sqlite3_column_type(q->stmt, column) == SQLITE_NULL;
}
