// SPDX-License-Identifier: GPL-3.0-or-later
// At the start: which files are there, which can be read, and what the log holds beyond the blocks.
// What cannot be read is renamed to NAME.bad and named; nothing is deleted but unfinished files.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/number.h"
#include "fault.h"
#include "store.h"

#define BAD_SUFFIX ".bad"

static bool ends_with(const char *name, const char *suffix)
{
    size_t n = strlen(name), k = strlen(suffix);
    return n > k && strcmp(name + n - k, suffix) == 0;
}

// The number between the last '-' and the suffix: no later block may take it again. Names of others
// may hold any number.
static void note_serial(struct tsdb *db, const char *name)
{
    const char *dash = strrchr(name, '-');
    uint64_t serial = 0;
    const char *p = dash ? dash + 1 : name;
    if (dash && number_scan_u64(&p, &serial) && serial < UINT64_MAX / 2)
        db->next_serial = MAX_OF(db->next_serial, serial + 1);
}

static void set_aside(struct tsdb *db, int dirfd, const char *name, const char *why)
{
    CLEANUP(freep) char *bad = mem_printf("%s" BAD_SUFFIX, name);
    renameat(dirfd, name, dirfd, bad);
    db->unreadable++;
    store_note(db, "%s cannot be read (%s) and is set aside as %s", name, why, bad);
}

static void recover_block(struct tsdb *db, const char *name, struct view **v)
{
    struct block *b = NULL;
    struct err err = {0};
    int r = block_open(db->blocks_dirfd, name, &b, &err);
    if (r == -EBADMSG) {
        set_aside(db, db->blocks_dirfd, name, err.message);
        return;
    }
    if (r < 0 || resolution_index(b->meta.resolution_ms) < 0) {
        db->unreadable++;
        store_note(db, "block %s is left out: %s", name, r < 0 ? err.message : "its resolution");
        block_free(b);
        return;
    }
    db->log_covered = MAX_OF(db->log_covered, b->meta.log_covered);
    db->last_deletion = MAX_OF(db->last_deletion, b->meta.deletions);
    db->head.newest_ms = MAX_OF(db->head.newest_ms, b->meta.max_ms);
    struct view *next = view_change(*v, &b, 1, NULL, 0);
    view_free(*v);
    *v = next;
}

// Without the list what was deleted would be back, and the next deletion would replace it.
static int add_deletions(struct tsdb *db, struct err *err)
{
    CLEANUP(freep) struct deletion **d = NULL;
    size_t n = 0;
    int r = deletions_read(db, &d, &n);
    if (r < 0)
        return err_set(err, -r, "reading %s/deletions: %s", db->path, strerror(-r));
    for (size_t i = 0; i < n; i++)
        db->last_deletion = MAX_OF(db->last_deletion, d[i]->number);
    struct view *next = view_with_deletions(db->view, d, n);
    view_free(db->view);
    db->view = next;
    return 0;
}

int recover_blocks(struct tsdb *db, struct err *err)
{
    int fd = openat(db->blocks_dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    if (!d)
        return err_set(err, errno, "reading %s/blocks: %s", db->path, strerror(errno));
    struct view *v = view_change(NULL, NULL, 0, NULL, 0);
    for (struct dirent *entry; (entry = readdir(d));) {
        note_serial(db, entry->d_name);
        if (ends_with(entry->d_name, ".tmp"))
            unlinkat(db->blocks_dirfd, entry->d_name, 0);
        else if (ends_with(entry->d_name, BLOCK_SUFFIX))
            recover_block(db, entry->d_name, &v);
    }
    closedir(d);
    db->view = v;
    return add_deletions(db, err);
}

/** What a segment's numbers mean here. */
struct replay {
    struct tsdb *db;
    uint32_t *ref; // by the segment's refs: ours + 1, 0: unknown
    size_t n;
    uint64_t samples, unknown, refused;
};

static void describe(struct replay *r, const struct log_series_record *s)
{
    if (s->ref > r->db->o.series_max * 2u)
        return;
    if (s->ref >= r->n) {
        size_t n = MAX_OF((size_t)s->ref + 1, r->n * 2);
        uint32_t *ref = realloc(r->ref, n * sizeof(*ref));
        if (!ref)
            return;
        memset(ref + r->n, 0, (n - r->n) * sizeof(*ref));
        r->ref = ref;
        r->n = n;
    }
    uint32_t own;
    if (!r->ref[s->ref] && head_series(&r->db->head, s->label, s->n, &s->of, &own) == 0) {
        r->ref[s->ref] = own + 1;
        head_slot(&r->db->head, own)->holds--;
    }
}

static void replay_sample(void *arg, int64_t t_ms, const struct log_sample *sample)
{
    struct replay *r = arg;
    struct head *h = &r->db->head;
    uint32_t own = sample->ref < r->n ? r->ref[sample->ref] : 0;
    struct series *s = own ? head_slot(h, own - 1) : NULL;
    if (!s || s->kind != sample->kind) {
        r->unknown++;
        return;
    }
    enum head_verdict verdict = head_append_old(h, s, own - 1, t_ms, sample->v);
    r->samples += verdict == HEAD_STORED;
    r->refused += verdict == HEAD_NO_MEMORY;
}

static void replay(struct replay *r, const uint8_t *data, size_t len, struct log_cursor *c)
{
    struct log_record record;
    CLEANUP(freep) struct log_series_record *s = mem_zalloc(sizeof(*s));
    log_cursor_init(c, data, len);
    while (log_next(c, &record))
        if (record.type == LOG_SERIES && log_read_series(&record, s) == 0)
            describe(r, s);
    log_cursor_init(c, data, len);
    while (log_next(c, &record))
        if (record.type == LOG_SAMPLES || record.type == LOG_HISTORY)
            log_read_samples(&record, replay_sample, r);
}

static void report(struct tsdb *db, const struct replay *r, const struct log_cursor *c,
                   const char *name, bool is_last)
{
    uint64_t torn = c->len - c->at;
    db->replayed += r->samples;
    if (c->skips > 0)
        store_note(db, "log %s: %llu bytes in %llu places are damaged and skipped", name,
                   (unsigned long long)c->skipped_bytes, (unsigned long long)c->skips);
    if (torn > 0)
        store_note(db, "log %s: the last %llu bytes are %s and skipped", name,
                   (unsigned long long)torn, is_last ? "not whole" : "damaged");
    if (r->unknown > 0)
        store_note(db, "log %s: %llu samples are lost with the description of their series", name,
                   (unsigned long long)r->unknown);
    if (r->refused > 0)
        store_note(db, "log %s: no memory for %llu samples", name, (unsigned long long)r->refused);
    db->unreadable += c->skips + (torn > 0 && !is_last);
}

static void replay_segment(struct tsdb *db, uint64_t segment, bool is_last)
{
    char name[LOG_NAME_BYTES];
    log_name(segment, name);
    CLEANUP(closep) int fd = openat(db->log_dirfd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0) {
        store_note(db, "log %s: %s", name, strerror(errno));
        db->unreadable++;
        return;
    }
    if (!S_ISREG(st.st_mode)) {
        store_note(db, "log %s is not a file", name);
        db->unreadable++;
        return;
    }
    log_keep(&db->log, segment, (uint64_t)st.st_size);
    if (segment <= db->log_covered)
        return;
    if (st.st_size == 0) {
        store_note(db, "log %s is empty", name);
        return;
    }
    size_t len = (size_t)st.st_size;
    uint8_t *data = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED) {
        store_note(db, "log %s: %s", name, strerror(errno));
        db->unreadable++;
        return;
    }
    struct replay r = {.db = db};
    struct log_cursor c;
    int guard = fault_guard(data, len);
    replay(&r, data, len, &c);
    if (fault_is_hit(guard))
        store_note(db, "log %s: the disk does not give back all of it: %s", name, strerror(EIO));
    fault_release(guard);
    report(db, &r, &c, name, is_last);
    free(r.ref);
    munmap(data, len);
}

static int by_number(const void *a, const void *b)
{
    uint64_t p = *(const uint64_t *)a, q = *(const uint64_t *)b;
    return (p > q) - (p < q);
}

int recover_log(struct tsdb *db, struct err *err)
{
    int fd = openat(db->log_dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    if (!d)
        return err_set(err, errno, "reading %s/log: %s", db->path, strerror(errno));
    CLEANUP(freep) uint64_t *segment = NULL;
    size_t n = 0, cap = 0;
    for (struct dirent *entry; (entry = readdir(d));) {
        uint64_t number;
        if (!log_parse_name(entry->d_name, &number))
            continue;
        mem_grow(&segment, &cap, n, sizeof(segment[0]));
        segment[n++] = number;
    }
    closedir(d);
    if (n > 0)
        qsort(segment, n, sizeof(segment[0]), by_number);
    for (size_t i = 0; i < n; i++)
        replay_segment(db, segment[i], i + 1 == n);
    head_recovered(&db->head);
    uint64_t last = n > 0 ? segment[n - 1] : 0;
    db->log.segment = MAX_OF(last, db->log_covered) + 1;
    return 0;
}
