// SPDX-License-Identifier: GPL-3.0-or-later
// The chain of hashes, and its check.
// Invariants: seq runs from 1 without a gap; hash(n) covers hash(n - 1) and record n; the row of
// audit_head repeats the last seq and hash.
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "audit_private.h"
#include "base/mem.h"

static void hash_number(crypto_hash_sha256_state *h, int64_t v)
{
    unsigned char b[8];
    for (int i = 0; i < 8; i++)
        b[i] = (unsigned char)((uint64_t)v >> (8 * i));
    crypto_hash_sha256_update(h, b, sizeof(b));
}

// The length in front makes "ab", "c" something else than "a", "bc".
static void hash_text(crypto_hash_sha256_state *h, const char *text)
{
    size_t len = text ? strlen(text) : 0;
    hash_number(h, text ? (int64_t)len : -1);
    if (len > 0)
        crypto_hash_sha256_update(h, (const unsigned char *)text, len);
}

void audit_hash(const unsigned char before[AUDIT_HASH_BYTES], const struct audit_record *r,
                const char *key, unsigned char ret[AUDIT_HASH_BYTES])
{
    crypto_hash_sha256_state h;
    const char *texts[] = {key,           r->entry.principal, r->entry.address,
                           r->entry.verb, r->entry.object,    r->entry.detail};
    crypto_hash_sha256_init(&h);
    crypto_hash_sha256_update(&h, before, AUDIT_HASH_BYTES);
    hash_number(&h, r->seq);
    hash_number(&h, r->real_ns);
    hash_number(&h, r->kind);
    hash_number(&h, r->ref);
    hash_number(&h, r->entry.result);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        hash_text(&h, texts[i]);
    crypto_hash_sha256_final(&h, ret);
}

void audit_row(struct store_query *q, struct audit_record *ret, const char **ret_key)
{
    size_t len = 0;
    *ret = (struct audit_record){
        .seq = store_i64(q, 0),
        .real_ns = store_i64(q, 1),
        .kind = (enum audit_kind)store_i64(q, 2),
        .ref = store_i64(q, 3),
        .entry = {.principal = store_text(q, 5),
                  .address = store_text(q, 6),
                  .verb = store_text(q, 7),
                  .object = store_text(q, 8),
                  .detail = store_text(q, 9),
                  .result = (enum audit_result)store_i64(q, 10)},
    };
    *ret_key = store_text(q, 4);
    const void *hash = store_blob(q, 11, &len);
    if (len == AUDIT_HASH_BYTES)
        memcpy(ret->hash, hash, len);
}

int audit_read_head(struct store *s, int64_t *ret_seq, unsigned char ret_hash[AUDIT_HASH_BYTES])
{
    CLEANUP(store_query_donep)
    struct store_query *q = store_query(s, "SELECT seq, hash FROM audit_head WHERE id = 1");
    size_t len = 0;
    memset(ret_hash, 0, AUDIT_HASH_BYTES);
    *ret_seq = 0;
    int r = store_next(q);
    if (r <= 0)
        return r;
    const void *hash = store_blob(q, 1, &len);
    if (len != AUDIT_HASH_BYTES)
        return -EUCLEAN;
    memcpy(ret_hash, hash, len);
    *ret_seq = store_i64(q, 0);
    return 0;
}

static int broken(struct audit_report *report, int64_t seq, const char *what)
{
    report->bad_seq = MAX_OF(seq, INT64_C(1));
    snprintf(report->message, sizeof(report->message), "record %lld %s", (long long)seq, what);
    return -EUCLEAN;
}

// A bit may also change what type a column has, or put a NUL into a text.
#define SHAPE                                                                                      \
    "typeof(seq) || typeof(time_ns) || typeof(kind) || typeof(ref) || typeof(principal) || "       \
    "typeof(address) || typeof(verb) || typeof(object) || typeof(detail) || typeof(result) || "    \
    "typeof(hash), "                                                                               \
    "coalesce(length(CAST(key AS BLOB)), 0), length(CAST(principal AS BLOB)) + "                   \
    "length(CAST(address AS BLOB)) + length(CAST(verb AS BLOB)) + length(CAST(object AS BLOB)) + " \
    "length(CAST(detail AS BLOB)), typeof(key)"

static bool has_shape(struct store_query *q, const struct audit_record *r, const char *key)
{
    static const char types[] = "integerintegerintegerinteger"
                                "texttexttexttexttextintegerblob";
    const char *const texts[] = {r->entry.principal, r->entry.address, r->entry.verb,
                                 r->entry.object, r->entry.detail};
    size_t len = 0;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        len += texts[i] ? strlen(texts[i]) : 0;
    return strcmp(store_text(q, 12), types) == 0 &&
           (size_t)store_i64(q, 13) == (key ? strlen(key) : 0) && (size_t)store_i64(q, 14) == len &&
           strcmp(store_text(q, 15), key ? "text" : "null") == 0;
}

static bool holds(const struct audit_anchor *anchor, int64_t seq, const unsigned char *hash)
{
    return !anchor || anchor->seq != seq || memcmp(hash, anchor->hash, AUDIT_HASH_BYTES) == 0;
}

static int check_record(struct store_query *q, const struct audit_anchor *anchor,
                        const struct audit_anchor *head, struct audit_report *report)
{
    struct audit_record r;
    const char *key;
    unsigned char hash[AUDIT_HASH_BYTES];
    audit_row(q, &r, &key);
    int64_t wanted = report->head_seq + 1;
    if (r.seq != wanted)
        return broken(report, wanted, "is missing");
    audit_hash(report->head, &r, key, hash);
    if (!has_shape(q, &r, key) || memcmp(hash, r.hash, sizeof(hash)) != 0)
        return broken(report, wanted, "was changed, or one before it");
    if (!holds(anchor, wanted, hash) || !holds(head, wanted, hash))
        return broken(report, wanted, "is not the one that the anchor names");
    memcpy(report->head, hash, sizeof(hash));
    report->head_seq = wanted;
    report->records++;
    return 0;
}

static int check_end(struct audit *a, const struct audit_anchor *anchor,
                     const struct audit_anchor *head, struct audit_report *report)
{
    unsigned char hash[AUDIT_HASH_BYTES];
    int64_t seq = 0;
    int r = audit_read_head(a->store, &seq, hash);
    if (r < 0)
        return r;
    if (seq != report->head_seq)
        return broken(report, MIN_OF(seq, report->head_seq) + 1,
                      seq > report->head_seq ? "is missing" : "was added by somebody else");
    if (memcmp(hash, report->head, sizeof(hash)) != 0)
        return broken(report, seq, "is not the one that was written down as the last");
    if ((anchor && anchor->seq > seq) || (head && head->seq > seq))
        return broken(report, seq + 1, "is missing: there was a later one");
    return 0;
}

static int64_t count_open(struct audit *a)
{
    CLEANUP(store_query_donep)
    struct store_query *q =
        store_query(a->store, "SELECT count(*) FROM audit i WHERE i.kind = 0 AND NOT EXISTS "
                              "(SELECT 1 FROM audit o WHERE o.kind = 1 AND o.ref = i.seq)");
    return store_next(q) == 1 ? store_i64(q, 0) : 0;
}

int audit_verify(struct audit *a, const struct audit_anchor *anchor, struct audit_report *ret)
{
    *ret = (struct audit_report){0};
    CLEANUP(store_query_donep)
    struct store_query *q = store_query(a->store, "SELECT " AUDIT_COLUMNS ", " SHAPE
                                                  " FROM audit NOT INDEXED ORDER BY seq");
    struct audit_anchor file, *head = &file;
    int r = audit_head_file(a, &file);
    if (r == -EUCLEAN)
        return broken(ret, 0, "of the end is damaged or missing");
    if (r < 0)
        head = NULL;
    while ((r = store_next(q)) == 1) {
        r = check_record(q, anchor, head, ret);
        if (r < 0)
            return r;
    }
    if (r == 0)
        r = check_end(a, anchor, head, ret);
    // SQLite itself may be the first to notice.
    if (r == -EUCLEAN && ret->bad_seq == 0)
        return broken(ret, ret->head_seq + 1, "cannot be read: the file is damaged");
    if (r == 0)
        ret->open = count_open(a);
    return r;
}
