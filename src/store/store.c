// SPDX-License-Identifier: GPL-3.0-or-later
// Opening, locking, migrating, transactions.
// Invariants: `depth` counts store_begin() without their end; SQLite is in a transaction exactly
// while it is over 0; no statement is between rows when the outermost commit runs.
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "store_private.h"

#define BUSY_MS 2000

int store_errno(int code)
{
    static const struct {
        int code;
        int error;
    } errors[] = {
        {SQLITE_CONSTRAINT_UNIQUE, EEXIST},
        {SQLITE_CONSTRAINT_PRIMARYKEY, EEXIST},
        {SQLITE_CONSTRAINT_ROWID, EEXIST},
        {SQLITE_BUSY, EBUSY},
        {SQLITE_LOCKED, EBUSY},
        {SQLITE_FULL, ENOSPC},
        {SQLITE_IOERR, EIO},
        {SQLITE_CORRUPT, EUCLEAN},
        {SQLITE_NOTADB, EUCLEAN},
        {SQLITE_CONSTRAINT, EINVAL},
        {SQLITE_NOMEM, ENOMEM},
        {SQLITE_READONLY, EROFS},
        {SQLITE_PERM, EACCES},
        {SQLITE_CANTOPEN, EACCES},
        {SQLITE_TOOBIG, EFBIG},
        {SQLITE_INTERRUPT, EINTR},
    };
    if (code == SQLITE_OK || code == SQLITE_ROW || code == SQLITE_DONE)
        return 0;
    // The extended codes first, then the primary one in their low byte.
    for (size_t i = 0; i < ARRAY_LEN(errors); i++)
        if (errors[i].code == code)
            return -errors[i].error;
    return code & ~0xFF ? store_errno(code & 0xFF) : -EINVAL;
}

const char *store_message(const struct store *s)
{
    return sqlite3_errmsg(s->db);
}

int store_directory(const char *path, struct err *err)
{
    struct stat st;
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return err_set(err, errno, "cannot make the directory %s: %s", path, strerror(errno));
    if (lstat(path, &st) < 0)
        return err_set(err, errno, "%s: %s", path, strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return err_set(err, ENOTDIR, "%s is not a directory", path);
    if (st.st_uid != geteuid())
        return err_set(err, EPERM, "%s belongs to another user (%u): accounts are not kept there",
                       path, (unsigned)st.st_uid);
    if (st.st_mode & 077)
        return err_set(err, EPERM, "%s is open to others: run `chmod 700 %s`", path, path);
    return 0;
}

static int lock(struct store *s, const char *path, struct err *err)
{
    CLEANUP(freep) char *name = mem_printf("%s.lock", path);
    s->lock_fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (s->lock_fd < 0)
        return err_set(err, errno, "cannot open %s: %s", name, strerror(errno));
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    if (errno == EWOULDBLOCK)
        return err_set(err, EBUSY, "another vherd uses %s", path);
    return err_set(err, errno, "cannot lock %s: %s", name, strerror(errno));
}

static int fail(struct store *s, int r, const char *path, struct err *err)
{
    return err_set(err, -r, "%s: %s", path, s->db ? sqlite3_errmsg(s->db) : strerror(-r));
}

static int configure(struct store *s)
{
    // FULL: the WAL is fsynced at each commit. A value that checks fail on is damaged.
    static const char *const pragmas[] = {
        "PRAGMA journal_mode=WAL",
        "PRAGMA synchronous=FULL",
        "PRAGMA foreign_keys=ON",
        "PRAGMA trusted_schema=OFF",
        "PRAGMA cell_size_check=ON",
        "PRAGMA secure_delete=ON",
        "PRAGMA wal_autocheckpoint=256",
        "PRAGMA cache_size=-512", // KiB
        "PRAGMA journal_size_limit=1048576",
        ("CREATE TABLE IF NOT EXISTS schema (name TEXT PRIMARY KEY, version INTEGER NOT NULL) "
         "WITHOUT ROWID"),
    };
    sqlite3_busy_timeout(s->db, BUSY_MS);
    sqlite3_limit(s->db, SQLITE_LIMIT_LENGTH, STORE_VALUE_MAX);
    sqlite3_limit(s->db, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    for (size_t i = 0; i < ARRAY_LEN(pragmas); i++) {
        int r = store_exec(s, pragmas[i]);
        if (r < 0)
            return r;
    }
    return 0;
}

static int version_of(struct store *s, const char *name, int64_t *ret)
{
    CLEANUP(store_query_donep)
    struct store_query *q = store_query(s, "SELECT version FROM schema WHERE name = ?");
    store_bind_text(q, name);
    int r = store_next(q);
    *ret = r == 1 ? store_i64(q, 0) : 0;
    return r < 0 ? r : 0;
}

static int write_version(struct store *s, const char *name, int64_t version)
{
    CLEANUP(store_query_donep)
    struct store_query *q =
        store_query(s, "INSERT INTO schema (name, version) VALUES (?, ?) "
                       "ON CONFLICT (name) DO UPDATE SET version = excluded.version");
    store_bind_text(q, name);
    store_bind_i64(q, version);
    return store_next(q);
}

static int step(struct store *s, const struct store_schema *schema, size_t i)
{
    int r = store_begin(s);
    if (r < 0)
        return r;
    r = store_exec(s, schema->steps[i]);
    if (r == 0)
        r = write_version(s, schema->name, (int64_t)i + 1);
    if (r == 0)
        return store_commit(s);
    store_rollback(s);
    return r;
}

static int migrate(struct store *s, const struct store_schema *schema, struct err *err)
{
    int64_t have = 0;
    int r = version_of(s, schema->name, &have);
    if (r < 0)
        return r;
    if (have < 0 || (uint64_t)have > schema->n_steps)
        return err_set(err, EPROTO,
                       "a newer vherd wrote this file (%s is at version %lld, this one knows %zu)",
                       schema->name, (long long)have, schema->n_steps);
    for (size_t i = (size_t)have; r == 0 && i < schema->n_steps; i++)
        r = step(s, schema, i);
    return r;
}

static int open_file(struct store *s, const char *path)
{
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
                      SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE;
    // SQLite takes the mode of its other files from this one.
    CLEANUP(closep) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    int r = store_errno(sqlite3_open_v2(path, &s->db, flags, NULL));
    return r < 0 ? r : configure(s);
}

int store_open(const char *path, const struct store_schema *const *schemas, size_t n,
               struct store **ret, struct err *err)
{
    struct store *s = mem_zalloc(sizeof(*s));
    s->lock_fd = -1;
    s->path = mem_strdup(path);
    int r = lock(s, path, err);
    if (r < 0) {
        store_close(s);
        return r;
    }
    r = open_file(s, path);
    for (size_t i = 0; r == 0 && i < n; i++)
        r = migrate(s, schemas[i], err);
    if (r < 0) {
        if (r != -EPROTO)
            r = fail(s, r, path, err);
        else
            err_wrap(err, "%s", path);
        store_close(s);
        return r;
    }
    *ret = s;
    return 0;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n_queries; i++)
        sqlite3_finalize(s->queries[i].stmt);
    if (s->db)
        sqlite3_close(s->db);
    closep(&s->lock_fd);
    free(s->path);
    free(s);
}

int store_exec(struct store *s, const char *sql)
{
    return store_errno(sqlite3_exec(s->db, sql, NULL, NULL, NULL));
}

int store_begin(struct store *s)
{
    if (s->depth == 0) {
        int r = store_exec(s, "BEGIN IMMEDIATE");
        if (r < 0)
            return r;
        s->broken = false;
    }
    s->depth++;
    return 0;
}

// Some failures (no space, I/O) make SQLite end the transaction by itself.
static void undo(struct store *s)
{
    if (!sqlite3_get_autocommit(s->db))
        (void)store_exec(s, "ROLLBACK");
}

int store_commit(struct store *s)
{
    if (--s->depth > 0)
        return 0;
    if (s->broken || sqlite3_get_autocommit(s->db)) {
        undo(s);
        return -ECANCELED;
    }
    int r = store_exec(s, "COMMIT");
    if (r < 0)
        undo(s);
    else if (s->committed)
        s->committed(s->committed_arg);
    return r;
}

void store_on_commit(struct store *s, void (*done)(void *arg), void *arg)
{
    s->committed = done;
    s->committed_arg = arg;
}

const char *store_path(const struct store *s)
{
    return s->path;
}

void store_rollback(struct store *s)
{
    s->broken = true;
    if (--s->depth == 0)
        undo(s);
}

bool store_in_transaction(const struct store *s)
{
    return s->depth > 0;
}

int64_t store_last_id(const struct store *s)
{
    return sqlite3_last_insert_rowid(s->db);
}

int64_t store_changes(const struct store *s)
{
    return sqlite3_changes64(s->db);
}
