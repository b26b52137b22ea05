// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef STORE_STORE_H
#define STORE_STORE_H

/*
 * A small layer over SQLite: one file, one connection, one thread. WAL mode with an fsync at each
 * commit, so that what was committed survives kill -9 and power loss. Several modules keep their
 * tables in one file, each with a schema of its own that is migrated by number.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/** Longest text or blob that is stored. */
#define STORE_VALUE_MAX (16u << 20)

/**
 * A module's tables: step i (from 0) brings version i to i + 1. Steps that were released are never
 * changed, only followed by more. Each runs in a transaction of its own.
 */
struct store_schema {
    const char *name; /**< "audit" */
    const char *const *steps;
    size_t n_steps;
};

struct store;

/**
 * Make sure that directory `path` (its parents exist but perhaps the last one) is there, belongs to
 * the effective user and is closed to everybody else (0700), and no symbolic link. 0 or -errno with
 * a sentence that says what to do.
 */
int store_directory(const char *path, struct err *err);

/**
 * Open or create `path`, lock it against a second process (`path` with ".lock"; kept until
 * store_close() or the end of the process), migrate. -EBUSY: another process has it; -EUCLEAN: no
 * database, or damaged; -EPROTO: a newer version of vherd wrote it. The caller owns *ret.
 */
int store_open(const char *path, const struct store_schema *const *schemas, size_t n,
               struct store **ret, struct err *err);
void store_close(struct store *s);

/**
 * Transactions nest: only the outermost commit writes, and fsyncs; a rollback at any depth makes
 * the outermost commit fail with -ECANCELED. 0 or -errno; after a failed commit nothing of the
 * transaction is stored.
 */
int store_begin(struct store *s);
int store_commit(struct store *s);
void store_rollback(struct store *s);

/** Call `done(arg)` after each outermost commit that succeeded; one caller, NULL to end it. */
void store_on_commit(struct store *s, void (*done)(void *arg), void *arg);

/** The path that it was opened by. */
const char *store_path(const struct store *s);

/** True between store_begin() and the outermost commit or rollback. */
bool store_in_transaction(const struct store *s);

/**
 * A statement being prepared, bound and walked. Statements are kept, by the address of their SQL
 * text, which must be a literal. One statement may be in use once at a time.
 */
struct store_query;

/** Take a statement; never NULL: what is wrong with it is told by store_next(). */
struct store_query *store_query(struct store *s, const char *sql);

/** Give it back. Usable with CLEANUP(); NULL allowed. */
void store_query_donep(struct store_query **q);

/** Bind the next parameter, from the left. Texts and blobs are copied; NULL is stored as NULL. */
void store_bind_text(struct store_query *q, const char *text);
void store_bind_i64(struct store_query *q, int64_t v);
void store_bind_blob(struct store_query *q, const void *data, size_t len);
void store_bind_null(struct store_query *q);

/** The next row: 1, or 0 at the end (also of what gives no rows), or -errno (see store_errno()). */
int store_next(struct store_query *q);

/** Columns of the row, from 0; valid until the next store_next(). A NULL gives NULL or 0. */
const char *store_text(struct store_query *q, int column);
int64_t store_i64(struct store_query *q, int column);
const void *store_blob(struct store_query *q, int column, size_t *ret_len);
bool store_is_null(struct store_query *q, int column);

/** Run a statement without parameters or rows; 0 or -errno. */
int store_exec(struct store *s, const char *sql);

/** Of the last INSERT; rows that the last statement changed. */
int64_t store_last_id(const struct store *s);
int64_t store_changes(const struct store *s);

/** What the last failure was, in SQLite's words, for logs. */
const char *store_message(const struct store *s);

/**
 * SQLite's result code as a negative errno: -EBUSY, -ENOSPC, -EIO, -EUCLEAN (damaged), -EEXIST
 * (not unique), -EINVAL (another constraint), -ENOMEM, -EROFS, -EACCES, …
 */
int store_errno(int sqlite_code);

#endif
