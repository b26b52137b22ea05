// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * The store's directory:
 *   lock         locked by the process that has the store open
 *   format       the version of all these files, for those that know an older one only
 *   log/         segments, N.log
 *   blocks/      RESOLUTION-START-END-SERIAL.blk
 *   deletions    what is deleted but may still stand in blocks
 *
 * Somebody may remove it under a running store. What is in blocks is mapped and what is not is in
 * the head, so all of it is written again.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/number.h"
#include "store.h"

#define FORMAT_VERSION 1
#define FORMAT_FILE "format"
#define FORMAT_MAX 256

/** Descriptors of one directory's parts, before they are the store's. */
struct opened {
    int dir, log, blocks, lock;
};

static void opened_done(struct opened *o)
{
    int fd[] = {o->dir, o->log, o->blocks, o->lock};
    for (size_t i = 0; i < ARRAY_LEN(fd); i++)
        closep(&fd[i]);
}

static int open_directory(int at, const char *path, int *ret)
{
    if (mkdirat(at, path, 0750) < 0 && errno != EEXIST)
        return -errno;
    *ret = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return *ret < 0 ? -errno : 0;
}

static bool is_same_file(int a, int b)
{
    struct stat p, q;
    return fstat(a, &p) == 0 && fstat(b, &q) == 0 && p.st_dev == q.st_dev && p.st_ino == q.st_ino;
}

// `held`: locked by us, maybe the same file; -1: none.
static int take_lock(const char *path, int dirfd, int held, int *ret, struct err *err)
{
    *ret = openat(dirfd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (*ret < 0)
        return err_set(err, errno, "%s/lock: %s", path, strerror(errno));
    if (held >= 0 && is_same_file(*ret, held))
        return dup3(held, *ret, O_CLOEXEC) < 0 ? err_set(err, errno, "%s", strerror(errno)) : 0;
    if (flock(*ret, LOCK_EX | LOCK_NB) < 0) {
        int code = errno == EWOULDBLOCK ? EBUSY : errno;
        return err_set(err, code, "%s: %s", path,
                       code == EBUSY ? "another process has this store open" : strerror(code));
    }
    return 0;
}

// Twice the same, so that a damaged digit keeps nobody from the samples.
static int write_format(int dirfd)
{
    char text[FORMAT_MAX];
    int len = snprintf(text, sizeof(text), "%d\n%d\n", FORMAT_VERSION, FORMAT_VERSION);
    CLEANUP(closep)
    int fd = openat(dirfd, FORMAT_FILE ".tmp", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (fd < 0)
        return -errno;
    int r = fs_write_all(fd, text, (size_t)len);
    if (r == 0 && (fsync(fd) < 0 || renameat(dirfd, FORMAT_FILE ".tmp", dirfd, FORMAT_FILE) < 0))
        r = -errno;
    return r;
}

// A newer vherd's files are left as they are. A full disk does not keep the store from opening.
static int check_format(const char *path, int dirfd, struct err *err)
{
    CLEANUP(freep) char *text = NULL;
    size_t len = 0;
    uint64_t first = 0, second = 0;
    int r = fs_read_file(dirfd, FORMAT_FILE, FORMAT_MAX, &text, &len);
    const char *p = text;
    if (r == 0 && number_scan_u64(&p, &first) && *p++ == '\n' && number_scan_u64(&p, &second) &&
        first == second && first > FORMAT_VERSION)
        return err_set(err, ENOTSUP,
                       "%s was written by a newer vherd (format %llu, this one knows %d); nothing "
                       "in it was changed",
                       path, (unsigned long long)first, FORMAT_VERSION);
    if (first != FORMAT_VERSION || second != FORMAT_VERSION)
        (void)write_format(dirfd);
    return 0;
}

static int open_all(const char *path, int held, struct opened *o, struct err *err)
{
    *o = (struct opened){-1, -1, -1, -1};
    int r = open_directory(AT_FDCWD, path, &o->dir);
    if (r < 0)
        return err_set(err, -r, "%s: %s", path, strerror(-r));
    r = take_lock(path, o->dir, held, &o->lock, err);
    if (r == 0)
        r = check_format(path, o->dir, err);
    if (r < 0)
        return r;
    r = open_directory(o->dir, "log", &o->log);
    if (r == 0)
        r = open_directory(o->dir, "blocks", &o->blocks);
    return r < 0 ? err_set(err, -r, "%s: %s", path, strerror(-r)) : 0;
}

int directory_open(struct tsdb *db, struct err *err)
{
    struct opened o;
    int r = open_all(db->path, -1, &o, err);
    if (r < 0) {
        opened_done(&o);
        return r;
    }
    db->dirfd = o.dir;
    db->log_dirfd = o.log;
    db->blocks_dirfd = o.blocks;
    db->lock_fd = o.lock;
    return 0;
}

static bool is_removed(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && st.st_nlink == 0;
}

bool directory_is_gone(struct tsdb *db)
{
    return is_removed(db->dirfd) || is_removed(db->log_dirfd) || is_removed(db->blocks_dirfd) ||
           log_is_gone(&db->log);
}

// Under its name only once it is whole.
static int copy_block(const struct block *b, int dirfd)
{
    CLEANUP(freep) char *fresh = mem_printf("%s.tmp", b->name);
    CLEANUP(closep) int fd = openat(dirfd, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (fd < 0)
        return -errno;
    for (size_t done = 0; done < b->size;) {
        ssize_t n = write(fd, b->data + done, b->size - done);
        if (n < 0 && errno != EINTR)
            return -errno;
        done += n > 0 ? (size_t)n : 0;
    }
    return fsync(fd) < 0 || renameat(dirfd, fresh, dirfd, b->name) < 0 ? -errno : 0;
}

static int link_block(struct tsdb *db, const struct block *b, int dirfd)
{
    return linkat(db->blocks_dirfd, b->name, dirfd, b->name, 0) == 0 ? 0 : copy_block(b, dirfd);
}

int directory_copy(struct tsdb *db, int dirfd)
{
    CLEANUP(closep) int blocks = -1;
    const struct view *v = view_get(db);
    int r = open_directory(dirfd, "blocks", &blocks);
    for (size_t i = 0; i < v->n && r == 0; i++)
        r = link_block(db, v->block[i], blocks);
    if (r == 0 && v->n_deletions > 0)
        r = deletions_write_at(dirfd, v->deletion, v->n_deletions);
    if (r == 0)
        r = write_format(dirfd);
    if (r == 0 && (fsync(blocks) < 0 || fsync(dirfd) < 0))
        r = -errno;
    return r;
}

static int copy_missing(struct tsdb *db, const struct opened *o, size_t *ret_n)
{
    const struct view *v = view_get(db);
    int r = 0;
    for (size_t i = 0; i < v->n && r == 0; i++) {
        if (faccessat(o->blocks, v->block[i]->name, F_OK, 0) == 0)
            continue;
        r = copy_block(v->block[i], o->blocks);
        *ret_n += r == 0;
    }
    if (r == 0 && v->n_deletions > 0)
        r = deletions_write_at(o->dir, v->deletion, v->n_deletions);
    return r == 0 && fsync(o->blocks) < 0 ? -errno : r;
}

// In place of the old ones, under the same numbers, which other threads may be using.
static int put_in_place(struct tsdb *db, const struct opened *o)
{
    const int pairs[][2] = {{o->dir, db->dirfd},
                            {o->log, db->log_dirfd},
                            {o->blocks, db->blocks_dirfd},
                            {o->lock, db->lock_fd}};
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
        if (dup3(pairs[i][0], pairs[i][1], O_CLOEXEC) < 0)
            return -errno;
    return 0;
}

int directory_restore(struct tsdb *db)
{
    CLEANUP(opened_done) struct opened o = {-1, -1, -1, -1};
    struct err err = {0};
    size_t copied = 0;
    if (log_give_up_file(&db->log))
        store_note(db,
                   "%s was removed, or files in it, while vherd has it open: what is in memory is "
                   "written again",
                   db->path);
    int r = open_all(db->path, db->lock_fd, &o, &err);
    if (r == 0)
        r = copy_missing(db, &o, &copied);
    if (r == 0)
        r = put_in_place(db, &o);
    if (r < 0)
        return r;
    log_begin_anew(&db->log);
    r = flush_head(db);
    if (r == 0)
        store_note(db, "%s is there again, with %zu blocks that were missing", db->path, copied);
    return r;
}
