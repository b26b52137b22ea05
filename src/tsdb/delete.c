// SPDX-License-Identifier: GPL-3.0-or-later
// Deletions: remembered in the file `deletions` until no file holds a sample they cover. The file
// is written aside and renamed.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "crc32c.h"
#include "regex/regex.h"
#include "store.h"
#include "varint.h"

#define FILE_NAME "deletions"
#define ASIDE_NAME FILE_NAME ".tmp"
#define MAGIC "VHERDDEL"
#define FILE_MAX (4u << 20)
#define MATCHERS_MAX 64
#define DELETIONS_MAX 1000

void deletion_free(void *p)
{
    struct deletion *d = p;
    if (!d)
        return;
    for (size_t i = 0; i < d->n; i++) {
        free((char *)d->matcher[i].name);
        free((char *)d->matcher[i].value);
        regex_free((struct regex *)d->matcher[i].regex);
    }
    free(d->matcher);
    free(d);
}

DEFINE_FREEP(struct deletion, deletion_free, deletion_freep)

bool deletion_matches(const struct deletion *d, const struct labels *labels)
{
    return query_matches(d->matcher, d->n, labels);
}

static int set_matcher(struct query_matcher *m, enum query_match match, const char *name,
                       const char *value, struct err *err)
{
    struct regex *regex = NULL;
    bool is_regex = match == QUERY_REGEX || match == QUERY_NOT_REGEX;
    int r = is_regex ? regex_new(value, true, &regex, err) : 0;
    if (r == 0)
        *m = (struct query_matcher){match, mem_strdup(name), mem_strdup(value), regex};
    return r;
}

static void put_varint(struct buf *out, uint64_t v)
{
    uint8_t bytes[VARINT_MAX];
    buf_put(out, bytes, (size_t)(varint_put(bytes, v) - bytes));
}

static void put_text(struct buf *out, const char *text)
{
    size_t size = strlen(text) + 1;
    put_varint(out, size);
    buf_put(out, text, size);
}

static void encode(struct buf *out, struct deletion *const *d, size_t n)
{
    buf_put(out, MAGIC "\0\0\0\0", 12);
    put_varint(out, n);
    for (size_t i = 0; i < n; i++) {
        put_varint(out, d[i]->number);
        put_varint(out, zigzag(d[i]->start_ms));
        put_varint(out, zigzag(d[i]->end_ms));
        put_varint(out, d[i]->n);
        for (size_t k = 0; k < d[i]->n; k++) {
            put_varint(out, d[i]->matcher[k].match);
            put_text(out, d[i]->matcher[k].name);
            put_text(out, d[i]->matcher[k].value);
        }
    }
    if (!out->error)
        store32(out->data + 8, crc32c(0, out->data + 12, out->len - 12));
}

static int write_aside(int dirfd, struct deletion *const *d, size_t n)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, FILE_MAX);
    encode(&out, d, n);
    if (out.error)
        return out.error;
    CLEANUP(closep)
    int fd = openat(dirfd, ASIDE_NAME, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (fd < 0)
        return -errno;
    int r = fs_write_all(fd, out.data, out.len);
    return r == 0 && fsync(fd) < 0 ? -errno : r;
}

// *ret_is_new: it has its place, and where that cannot be made sure a start may find it there.
static int replace(int dirfd, struct deletion *const *d, size_t n, bool *ret_is_new)
{
    int r = write_aside(dirfd, d, n);
    if (r == 0 && renameat(dirfd, ASIDE_NAME, dirfd, FILE_NAME) < 0)
        r = -errno;
    *ret_is_new = r == 0;
    if (r < 0)
        unlinkat(dirfd, ASIDE_NAME, 0); // the room that it takes is wanted
    return r == 0 && fsync(dirfd) < 0 ? -errno : r;
}

int deletions_write_at(int dirfd, struct deletion *const *d, size_t n)
{
    bool is_new;
    return replace(dirfd, d, n, &is_new);
}

int deletions_write(struct tsdb *db, struct deletion *const *d, size_t n)
{
    return deletions_write_at(db->dirfd, d, n);
}

static const char *get_text(const uint8_t **p, const uint8_t *end)
{
    uint64_t size = varint_get(p, end);
    if (!*p || size == 0 || size > (uint64_t)(end - *p) || (*p)[size - 1] != '\0') {
        *p = NULL;
        return "";
    }
    const char *text = (const char *)*p;
    *p += size;
    return text;
}

static int decode_one(const uint8_t **p, const uint8_t *end, struct deletion **ret)
{
    CLEANUP(deletion_freep) struct deletion *d = mem_zalloc(sizeof(*d));
    d->number = varint_get(p, end);
    d->start_ms = svarint_get(p, end);
    d->end_ms = svarint_get(p, end);
    uint64_t n = varint_get(p, end);
    if (!*p || n > MATCHERS_MAX)
        return -EBADMSG;
    d->matcher = mem_zalloc((n + 1) * sizeof(d->matcher[0]));
    for (; d->n < n; d->n++) {
        uint64_t match = varint_get(p, end);
        const char *name = get_text(p, end), *value = get_text(p, end);
        if (!*p || match > QUERY_NOT_REGEX ||
            set_matcher(&d->matcher[d->n], (enum query_match)match, name, value, NULL) < 0)
            return -EBADMSG;
    }
    *ret = TAKE_PTR(d);
    return 0;
}

static int decode(const uint8_t *data, size_t len, struct deletion **d, size_t *ret_n)
{
    if (len < 13 || memcmp(data, MAGIC, 8) != 0 ||
        load32(data + 8) != crc32c(0, data + 12, len - 12))
        return -EBADMSG;
    const uint8_t *p = data + 12, *end = data + len;
    uint64_t n = varint_get(&p, end);
    if (!p || n > DELETIONS_MAX)
        return -EBADMSG;
    for (uint64_t i = 0; i < n; i++, ++*ret_n) {
        int r = decode_one(&p, end, &d[i]);
        if (r < 0)
            return r;
    }
    return 0;
}

int deletions_read(struct tsdb *db, struct deletion ***ret, size_t *ret_n)
{
    CLEANUP(freep) char *data = NULL;
    size_t len = 0, n = 0;
    int r = fs_read_file(db->dirfd, FILE_NAME, FILE_MAX, &data, &len);
    *ret = mem_zalloc((DELETIONS_MAX + 1) * sizeof(**ret));
    if (r == 0)
        r = decode((const uint8_t *)data, len, *ret, &n);
    if (r == -EBADMSG || r == -EFBIG) {
        renameat(db->dirfd, FILE_NAME, db->dirfd, FILE_NAME ".bad");
        db->unreadable++;
        store_note(db,
                   "the list of deletions was damaged and is set aside as %s.bad: what was "
                   "deleted but not yet removed is back",
                   FILE_NAME);
        r = 0;
    }
    *ret_n = n;
    return r == -ENOENT ? 0 : r;
}

static int make(const struct query_matcher *matcher, size_t n, int64_t start_ms, int64_t end_ms,
                struct deletion **ret, struct err *err)
{
    CLEANUP(deletion_freep) struct deletion *d = mem_zalloc(sizeof(*d));
    d->start_ms = start_ms;
    d->end_ms = end_ms;
    d->matcher = mem_zalloc((n + 1) * sizeof(d->matcher[0]));
    for (; d->n < n; d->n++) {
        const struct query_matcher *m = &matcher[d->n];
        int r = set_matcher(&d->matcher[d->n], m->match, m->name, m->value, err);
        if (r < 0)
            return r;
    }
    *ret = TAKE_PTR(d);
    return 0;
}

static int add(struct tsdb *db, struct deletion *d, struct err *err)
{
    struct view *v = view_get(db);
    if (v->n_deletions >= DELETIONS_MAX)
        return err_set(err, E2BIG, "%d deletions are not carried out yet", DELETIONS_MAX);
    CLEANUP(freep) struct deletion **all = mem_zalloc((v->n_deletions + 1) * sizeof(*all));
    memcpy(all, v->deletion, v->n_deletions * sizeof(*all));
    all[v->n_deletions] = d;
    bool is_new, may_come = false;
    int r = replace(db->dirfd, all, v->n_deletions + 1, &is_new);
    if (r < 0 && is_new) // what is refused must not be done by the next start
        may_come = deletions_write(db, v->deletion, v->n_deletions) < 0;
    if (r < 0)
        return err_set(err, -r, "writing %s/%s: %s; nothing was deleted%s", db->path, FILE_NAME,
                       strerror(-r), may_come ? ", but the next start may delete it" : "");
    view_publish(db, view_with_deletions(v, all, v->n_deletions + 1), false);
    return 0;
}

int tsdb_delete(struct tsdb *db, const struct query_matcher *matcher, size_t n, int64_t start_ms,
                int64_t end_ms, struct err *err)
{
    CLEANUP(deletion_freep) struct deletion *d = NULL;
    if (n == 0 || n > MATCHERS_MAX || start_ms > end_ms)
        return err_set(err, EINVAL, "a deletion needs 1 to %d matchers and a range", MATCHERS_MAX);
    int r = make(matcher, n, start_ms, end_ms, &d, err);
    if (r < 0)
        return r;
    // Samples still to come are not meant.
    pthread_mutex_lock(&db->head.lock);
    d->end_ms = MIN_OF(d->end_ms, db->head.newest_ms);
    pthread_mutex_unlock(&db->head.lock);
    struct job job = {.deletion = d, .err = err};
    r = upkeep_job(db, &job);
    if (r == 0)
        TAKE_PTR(d);
    return r;
}

int deletion_add(struct tsdb *db, struct deletion *d, struct err *err)
{
    d->number = db->last_deletion + 1;
    d->flushes = db->flushes;
    int r = add(db, d, err);
    if (r == 0)
        db->last_deletion++;
    return r;
}

bool tsdb_is_deleted(struct tsdb *db, const struct labels *labels, int64_t start_ms, int64_t end_ms)
{
    struct pin pin;
    bool is_deleted = false;
    pin_enter(&db->pins, &pin);
    pthread_mutex_lock(&db->head.lock);
    const struct view *v = db->view;
    pthread_mutex_unlock(&db->head.lock);
    for (size_t i = 0; i < v->n_deletions && !is_deleted; i++)
        is_deleted = v->deletion[i]->start_ms <= end_ms && start_ms <= v->deletion[i]->end_ms &&
                     deletion_matches(v->deletion[i], labels);
    pin_leave(&db->pins, &pin);
    return is_deleted;
}
