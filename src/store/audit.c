// SPDX-License-Identifier: GPL-3.0-or-later
// Adding to the audit log, and finding in it.
#include "store/audit.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "audit_private.h"
#include "base/mem.h"

static const char *const steps[] = {
    "CREATE TABLE audit (seq INTEGER PRIMARY KEY, time_ns INTEGER NOT NULL, kind INTEGER NOT NULL, "
    "ref INTEGER NOT NULL, key TEXT UNIQUE, principal TEXT NOT NULL, address TEXT NOT NULL, "
    "verb TEXT NOT NULL, object TEXT NOT NULL, detail TEXT NOT NULL, result INTEGER NOT NULL, "
    "hash BLOB NOT NULL);"
    "CREATE UNIQUE INDEX audit_outcome ON audit (ref) WHERE kind = 1;"
    "CREATE TABLE audit_head (id INTEGER PRIMARY KEY CHECK (id = 1), seq INTEGER NOT NULL, "
    "hash BLOB NOT NULL);"
    // Against mistakes of our own; the chain is what shows others'.
    "CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit "
    "BEGIN SELECT raise(ABORT, 'records are not changed'); END;"
    "CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit "
    "BEGIN SELECT raise(ABORT, 'records are not removed'); END;",
};

const struct store_schema audit_schema = {"audit", steps, ARRAY_LEN(steps)};

int audit_new(struct store *s, const struct clock *clock, struct audit **ret)
{
    if (sodium_init() < 0)
        return -EIO;
    struct audit *a = mem_zalloc(sizeof(*a));
    a->store = s;
    a->clock = clock;
    int r = audit_head_open(a);
    if (r < 0) {
        free(a);
        return r;
    }
    *ret = a;
    return 0;
}

void audit_free(struct audit *a)
{
    if (!a)
        return;
    audit_head_close(a);
    free(a);
}

static int write_record(struct audit *a, const struct audit_record *r, const char *key)
{
    CLEANUP(store_query_donep)
    struct store_query *q = store_query(a->store, "INSERT INTO audit (" AUDIT_COLUMNS
                                                  ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
                                                  "?)");
    store_bind_i64(q, r->seq);
    store_bind_i64(q, r->real_ns);
    store_bind_i64(q, r->kind);
    store_bind_i64(q, r->ref);
    store_bind_text(q, key);
    store_bind_text(q, r->entry.principal);
    store_bind_text(q, r->entry.address);
    store_bind_text(q, r->entry.verb);
    store_bind_text(q, r->entry.object);
    store_bind_text(q, r->entry.detail);
    store_bind_i64(q, r->entry.result);
    store_bind_blob(q, r->hash, sizeof(r->hash));
    return store_next(q);
}

static int write_head(struct audit *a, const struct audit_record *r)
{
    CLEANUP(store_query_donep)
    struct store_query *q = store_query(
        a->store, "INSERT INTO audit_head (id, seq, hash) VALUES (1, ?, ?) ON CONFLICT (id) DO "
                  "UPDATE SET seq = excluded.seq, hash = excluded.hash");
    store_bind_i64(q, r->seq);
    store_bind_blob(q, r->hash, sizeof(r->hash));
    return store_next(q);
}

// In a transaction: the record behind the present head.
static int append_here(struct audit *a, struct audit_record *r, const char *key)
{
    unsigned char before[AUDIT_HASH_BYTES];
    int64_t seq = 0;
    int result = audit_read_head(a->store, &seq, before);
    if (result < 0)
        return result;
    r->seq = seq + 1;
    r->real_ns = clock_real_ns(a->clock);
    audit_hash(before, r, key, r->hash);
    result = write_record(a, r, key);
    return result < 0 ? result : write_head(a, r);
}

static int append(struct audit *a, enum audit_kind kind, int64_t ref, const struct audit_entry *e,
                  const char *key, int64_t *ret_seq)
{
    CLEANUP(freep) char *principal = audit_clean(e->principal);
    CLEANUP(freep) char *address = audit_clean(e->address);
    CLEANUP(freep) char *verb = audit_clean(e->verb);
    CLEANUP(freep) char *object = audit_clean(e->object);
    CLEANUP(freep) char *detail = audit_clean(e->detail);
    struct audit_record r = {
        .kind = kind, .ref = ref, .entry = {principal, address, verb, object, detail, e->result}};
    int result = store_begin(a->store);
    if (result < 0)
        return result;
    a->appended = true;
    result = append_here(a, &r, key);
    if (result < 0) {
        store_rollback(a->store);
        return result;
    }
    result = store_commit(a->store);
    if (result == 0)
        *ret_seq = r.seq;
    return result;
}

static int find_key(struct audit *a, const char *key, int64_t *ret_seq)
{
    CLEANUP(store_query_donep)
    struct store_query *q = store_query(a->store, "SELECT seq FROM audit WHERE key = ?");
    store_bind_text(q, key);
    int r = store_next(q);
    if (r == 1)
        *ret_seq = store_i64(q, 0);
    return r;
}

int audit_intent(struct audit *a, const struct audit_entry *e, const char *key, int64_t *ret_seq)
{
    int r = key ? find_key(a, key, ret_seq) : 0;
    if (r != 0)
        return r < 0 ? r : -EEXIST;
    return append(a, AUDIT_INTENT, 0, e, key, ret_seq);
}

// Looked for in advance, so that a refusal does not break a transaction of the caller.
static int check_intent(struct audit *a, int64_t intent)
{
    CLEANUP(store_query_donep)
    struct store_query *q =
        store_query(a->store, "SELECT EXISTS (SELECT 1 FROM audit WHERE kind = 0 AND seq = ?1), "
                              "EXISTS (SELECT 1 FROM audit WHERE kind = 1 AND ref = ?1)");
    store_bind_i64(q, intent);
    int r = store_next(q);
    if (r != 1)
        return r < 0 ? r : -EIO;
    if (!store_i64(q, 0))
        return -ENOENT;
    return store_i64(q, 1) ? -EEXIST : 0;
}

struct origin {
    struct audit *audit;
    enum audit_result result;
    const char *detail;
    int error;
};

// An outcome repeats who, what and to what, so that it can be found by them.
static void append_outcome(const struct audit_record *intent, void *arg)
{
    struct origin *o = arg;
    struct audit_entry e = intent->entry;
    int64_t seq;
    e.result = o->result;
    e.detail = o->detail;
    o->error = append(o->audit, AUDIT_OUTCOME, intent->seq, &e, NULL, &seq);
}

int audit_outcome(struct audit *a, int64_t intent, enum audit_result result, const char *detail)
{
    struct origin o = {a, result, detail, 0};
    int r = check_intent(a, intent);
    if (r == 0)
        r = audit_get(a, intent, append_outcome, &o);
    return r < 0 ? r : o.error;
}

int audit_event(struct audit *a, const struct audit_entry *e)
{
    int64_t seq;
    return append(a, AUDIT_EVENT, 0, e, NULL, &seq);
}

int audit_pending(struct audit *a, int64_t *ret_seqs, size_t max)
{
    CLEANUP(store_query_donep)
    struct store_query *q = store_query(
        a->store, "SELECT i.seq FROM audit i WHERE i.kind = 0 AND NOT EXISTS "
                  "(SELECT 1 FROM audit o WHERE o.kind = 1 AND o.ref = i.seq) ORDER BY i.seq");
    size_t n = 0;
    int r = 0;
    while (n < max && (r = store_next(q)) == 1)
        ret_seqs[n++] = store_i64(q, 0);
    return r < 0 ? r : (int)n;
}

int audit_get(struct audit *a, int64_t seq, void (*each)(const struct audit_record *, void *),
              void *arg)
{
    CLEANUP(store_query_donep)
    struct store_query *q =
        store_query(a->store, "SELECT " AUDIT_COLUMNS " FROM audit WHERE seq = ?");
    store_bind_i64(q, seq);
    int r = store_next(q);
    if (r != 1)
        return r < 0 ? r : -ENOENT;
    struct audit_record record;
    const char *key;
    audit_row(q, &record, &key);
    each(&record, arg);
    return 0;
}

#define MATCHES                                                                                    \
    "SELECT " AUDIT_COLUMNS " FROM audit WHERE seq > ?1 AND seq < ?2 AND time_ns >= ?3 AND "       \
    "time_ns < ?4 AND (?5 IS NULL OR principal = ?5) AND (?6 IS NULL OR verb = ?6) AND "           \
    "(?7 IS NULL OR object = ?7) AND (?8 IS NULL OR result = ?8) AND (?9 IS NULL OR "              \
    "instr(lower(principal || char(10) || address || char(10) || verb || char(10) || object || "   \
    "char(10) || detail), lower(?9))) ORDER BY seq "

int audit_search(struct audit *a, const struct audit_filter *f,
                 bool (*each)(const struct audit_record *, void *), void *arg)
{
    CLEANUP(store_query_donep)
    struct store_query *q =
        store_query(a->store, f->newest_first ? MATCHES "DESC LIMIT ?10" : MATCHES "LIMIT ?10");
    store_bind_i64(q, MAX_OF(f->after_seq, INT64_C(0)));
    store_bind_i64(q, f->before_seq > 0 ? f->before_seq : INT64_MAX);
    store_bind_i64(q, f->since_ns > 0 ? f->since_ns : INT64_MIN);
    store_bind_i64(q, f->until_ns > 0 ? f->until_ns : INT64_MAX);
    store_bind_text(q, f->principal);
    store_bind_text(q, f->verb);
    store_bind_text(q, f->object);
    if (f->result)
        store_bind_i64(q, audit_result_parse(f->result));
    else
        store_bind_null(q);
    store_bind_text(q, f->text);
    store_bind_i64(q, f->limit > 0 && f->limit < INT64_MAX ? (int64_t)f->limit : -1);
    int r;
    while ((r = store_next(q)) == 1) {
        struct audit_record record;
        const char *key;
        audit_row(q, &record, &key);
        if (!each(&record, arg))
            return 0;
    }
    return r;
}

void audit_head(const struct audit *a, int64_t *ret_seq, unsigned char ret_hash[AUDIT_HASH_BYTES])
{
    if (audit_read_head(a->store, ret_seq, ret_hash) < 0)
        *ret_seq = 0;
}
