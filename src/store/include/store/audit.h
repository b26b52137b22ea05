// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef STORE_AUDIT_H
#define STORE_AUDIT_H

/*
 * The audit log: who asked for what, before it is done, and what came of it. Records are only ever
 * added. Each holds a hash over its content and the hash of the record before it (SHA-256), and the
 * last one is written down a second time, so that a record that was changed, removed, added or
 * cut off is found. Who can write the file can compute a new chain: the head that
 * audit_head() gives belongs on another machine (act logs it daily; `vherd audit-log --verify
 * --head` compares).
 *
 * Order for a deed:
 *     audit_intent(a, &entry, key, &seq)  -> 0: it is on disk; now do it
 *     ... the deed ...
 *     audit_outcome(a, seq, AUDIT_DONE, "…")
 * After a crash audit_pending() lists the intents that have no outcome; whoever knows what became
 * of the deed closes each of them, once. (audit_open() would be libaudit's, which libvirt calls.)
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "store/store.h"

#define AUDIT_HASH_BYTES 32
#define AUDIT_TEXT_MAX 4096 /**< of one text, in bytes; longer ones are cut at a character */

/** The tables, for store_open(). */
extern const struct store_schema audit_schema;

enum audit_kind {
    AUDIT_INTENT,  /**< a deed that is about to be done */
    AUDIT_OUTCOME, /**< what became of it; `ref` names the intent */
    AUDIT_EVENT,   /**< what has no "before": login, refusal, account change */
    AUDIT_KIND_MAX,
    AUDIT_KIND_INVALID = -1,
};

enum audit_result {
    AUDIT_NONE, /**< of an intent */
    AUDIT_DONE,
    AUDIT_REFUSED,   /**< not allowed, or not sensible; nothing was done */
    AUDIT_FAILED,    /**< tried; `detail` says what is now true */
    AUDIT_CANCELLED, /**< by whom, says `detail` */
    AUDIT_UNKNOWN,   /**< the process ended in between */
    AUDIT_RESULT_MAX,
    AUDIT_RESULT_INVALID = -1,
};

/** "intent", "outcome", "event"; "", "done", "refused", "failed", "cancelled", "unknown". */
const char *audit_kind_name(enum audit_kind kind);
enum audit_kind audit_kind_parse(const char *name);
const char *audit_result_name(enum audit_result result);
enum audit_result audit_result_parse(const char *name);

/** What a caller says. Texts may be NULL (stored as ""); bytes that are not UTF-8 are mended. */
struct audit_entry {
    const char *principal; /**< grant's: "user:alice", "unix:1000" */
    const char *address;   /**< where it came from, as far as known */
    const char *verb;      /**< "vm start", "login" */
    const char *object;    /**< VM, account, token … */
    const char *detail;    /**< arguments as JSON, or a sentence; no secrets */
    enum audit_result result;
};

/** A record as it is kept; texts are valid during the callback. */
struct audit_record {
    int64_t seq; /**< 1, 2, 3 … without a gap */
    int64_t real_ns;
    enum audit_kind kind;
    int64_t ref; /**< of an outcome: its intent; else 0 */
    struct audit_entry entry;
    unsigned char hash[AUDIT_HASH_BYTES];
};

struct audit;

/** Over an open store (borrowed) that has audit_schema. The caller owns *ret. 0 or -errno. */
int audit_new(struct store *s, const struct clock *clock, struct audit **ret);
void audit_free(struct audit *a);

/**
 * Write an intent and fsync, before the deed. `key` (may be NULL) names the deed once and for all,
 * say a task's id: where a record with it exists already, -EEXIST comes back with that record's
 * number, and nothing is written. In a transaction of the caller it is on disk only
 * after store_commit(). 0 or -errno: then the deed must not be done.
 */
int audit_intent(struct audit *a, const struct audit_entry *e, const char *key, int64_t *ret_seq);

/** What became of it. -ENOENT: no such intent; -EEXIST: it has an outcome; nothing is written. */
int audit_outcome(struct audit *a, int64_t intent, enum audit_result result, const char *detail);

/** An event that stands for itself, fsynced. */
int audit_event(struct audit *a, const struct audit_entry *e);

/** Intents without outcome, oldest first, up to `max`; returns how many or -errno. */
int audit_pending(struct audit *a, int64_t *ret_seqs, size_t max);

/** One record; -ENOENT. The callback is called once or not at all. */
int audit_get(struct audit *a, int64_t seq, void (*each)(const struct audit_record *, void *),
              void *arg);

/** What to look for; NULL, 0 and negative values leave a field out. Texts must be equal. */
struct audit_filter {
    int64_t since_ns, until_ns; /**< real time, since <= t < until */
    int64_t after_seq;          /**< records behind this one */
    int64_t before_seq;         /**< records in front of this one */
    const char *principal, *verb, *object, *result;
    const char *text; /**< stands somewhere in any of its texts, case ignored (ASCII) */
    bool newest_first;
    size_t limit; /**< 0: no limit */
};

/** Records that match, in order; the callback returns false to end. 0 or -errno. */
int audit_search(struct audit *a, const struct audit_filter *f,
                 bool (*each)(const struct audit_record *, void *), void *arg);

/** What audit_verify() found. */
struct audit_report {
    int64_t records;  /**< that are well, from the first on */
    int64_t bad_seq;  /**< the first that is not, 0 where all are well */
    int64_t open;     /**< intents without outcome */
    int64_t head_seq; /**< the last record */
    unsigned char head[AUDIT_HASH_BYTES];
    char message[256]; /**< what is wrong, "" where all is well */
};

/** A head that was written down elsewhere: the chain must hold this hash at `seq`. */
struct audit_anchor {
    int64_t seq;
    unsigned char hash[AUDIT_HASH_BYTES];
};

/**
 * Compute the chain again. 0: whole (and holds the anchor, where one is given); -EUCLEAN: not, see
 * *ret; else -errno.
 */
int audit_verify(struct audit *a, const struct audit_anchor *anchor, struct audit_report *ret);

/** The last record's number (0: none yet) and hash. */
void audit_head(const struct audit *a, int64_t *ret_seq, unsigned char ret_hash[AUDIT_HASH_BYTES]);

/** One line of JSON for a record, with the hash in hex: what export and the API give. */
void audit_record_json(const struct audit_record *r, struct buf *out);

/** "SEQ:HEX" both ways; -EINVAL. */
void audit_anchor_format(int64_t seq, const unsigned char hash[AUDIT_HASH_BYTES], struct buf *out);
int audit_anchor_parse(const char *text, struct audit_anchor *ret);

#endif
