// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef AUDIT_PRIVATE_H
#define AUDIT_PRIVATE_H

// What the files of the audit log share.

#include "store/audit.h"

struct audit {
    struct store *store;
    const struct clock *clock;
    int head_fd;   // of the file that repeats the head
    bool appended; // since that was written
};

/** audit_head.c: the head once more in a file of its own, written after each commit, so that
 * records which vanish from the end of the database (a damaged WAL is cut) are missed. */
int audit_head_open(struct audit *a);
void audit_head_close(struct audit *a);
/** What the file says; -ENOENT: empty, -EUCLEAN: damaged. */
int audit_head_file(const struct audit *a, struct audit_anchor *ret);

/** Columns in the order of AUDIT_COLUMNS, for audit_row(). */
#define AUDIT_COLUMNS                                                                              \
    "seq, time_ns, kind, ref, key, principal, address, verb, object, detail, result, hash"

/** The record that the row holds, its texts valid until the next; also its key (NULL: none). */
void audit_row(struct store_query *q, struct audit_record *ret, const char **ret_key);

/** SHA-256 over the hash before and everything a record says. */
void audit_hash(const unsigned char before[AUDIT_HASH_BYTES], const struct audit_record *r,
                const char *key, unsigned char ret[AUDIT_HASH_BYTES]);

/** The head as it is written down beside the chain; seq 0 where there is none yet. 0 or -errno. */
int audit_read_head(struct store *s, int64_t *ret_seq, unsigned char ret_hash[AUDIT_HASH_BYTES]);

/** Valid UTF-8 of at most AUDIT_TEXT_MAX bytes, cut at a character; "" for NULL. Caller frees. */
char *audit_clean(const char *text);

#endif
