// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * A tail reads segments by itself, from files. In each segment it goes through everything from the
 * beginning, for the descriptions of series, and hands out samples from its position on.
 */
#include "tsdb/tail.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "codec.h"
#include "store.h"

#define WINDOW_BYTES (1u << 20)
#define REFS_MAX (1u << 24)

struct described {
    uint32_t place; // among the labels, + 1; 0: unknown
    uint8_t kind, scale;
};

struct tsdb_tail {
    struct tsdb_tail *next;
    struct tsdb *db;
    char *name;
    struct tsdb_tail_position done; // under tails_lock
    bool is_told;                   // under tails_lock: that it loses log
    struct tsdb_tail_position at;   // handed out up to here
    int fd;                         // of segment at.segment
    uint64_t window_at;             // where in the file the window begins
    size_t window_len;
    uint8_t *window;
    struct described *ref;
    size_t n_refs;
    struct labels **labels;
    size_t n_labels, labels_cap;
    struct tsdb_tail_sample *sample;
    size_t n, cap;
    uint64_t skipped_segments, skipped_bytes;
};

int tsdb_tail_open(struct tsdb *db, const char *name, const struct tsdb_tail_position *from,
                   struct tsdb_tail **ret, struct err *err)
{
    struct tsdb_tail *t = mem_zalloc(sizeof(*t));
    t->db = db;
    t->name = mem_strdup(name);
    t->fd = -1;
    t->window = malloc(WINDOW_BYTES);
    if (!t->window) {
        tsdb_tail_close(t);
        return err_set(err, ENOMEM, "no memory to follow the log");
    }
    pthread_mutex_lock(&db->log.lock);
    bool is_beyond = from->segment > db->log.segment;
    pthread_mutex_unlock(&db->log.lock);
    if (!is_beyond)
        t->at = *from;
    t->done = t->at;
    pthread_mutex_lock(&db->tails_lock);
    t->next = db->tails;
    db->tails = t;
    pthread_mutex_unlock(&db->tails_lock);
    *ret = t;
    return 0;
}

static void forget_series(struct tsdb_tail *t)
{
    for (size_t i = 0; i < t->n_labels; i++)
        labels_free(t->labels[i]);
    t->n_labels = 0;
    if (t->n_refs > 0)
        memset(t->ref, 0, t->n_refs * sizeof(t->ref[0]));
}

void tsdb_tail_close(struct tsdb_tail *t)
{
    if (!t)
        return;
    pthread_mutex_lock(&t->db->tails_lock);
    for (struct tsdb_tail **at = &t->db->tails; *at; at = &(*at)->next)
        if (*at == t) {
            *at = t->next;
            break;
        }
    pthread_mutex_unlock(&t->db->tails_lock);
    forget_series(t);
    closep(&t->fd);
    free(t->labels);
    free(t->ref);
    free(t->window);
    free(t->sample);
    free(t->name);
    free(t);
}

// The first segment on the disk from a number on, and whether a later one exists. False: none.
static bool find_segment(struct tsdb *db, uint64_t from, struct log_segment *ret, bool *ret_is_full)
{
    struct log *l = &db->log;
    bool found = false;
    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < l->n_kept && !found; i++)
        if (l->kept[i].number >= from) {
            *ret = l->kept[i];
            *ret_is_full = i + 1 < l->n_kept;
            found = true;
        }
    pthread_mutex_unlock(&l->lock);
    return found;
}

static int begin_segment(struct tsdb_tail *t, uint64_t number, struct err *err)
{
    char name[LOG_NAME_BYTES];
    closep(&t->fd);
    log_name(number, name);
    t->fd = openat(t->db->log_dirfd, name, O_RDONLY | O_CLOEXEC);
    if (t->fd < 0)
        return err_set(err, errno, "log %s: %s", name, strerror(errno));
    if (t->at.segment != number)
        t->at = (struct tsdb_tail_position){number, LOG_HEADER};
    t->at.offset = MAX_OF(t->at.offset, (uint64_t)LOG_HEADER);
    forget_series(t);
    t->window_at = LOG_HEADER;
    t->window_len = 0;
    return 0;
}

static int describe(struct tsdb_tail *t, const struct log_series_record *s)
{
    if (s->ref >= REFS_MAX)
        return 0;
    if (s->ref >= t->n_refs) {
        size_t n = MAX_OF((size_t)s->ref + 1, t->n_refs * 2);
        struct described *ref = realloc(t->ref, n * sizeof(*ref));
        if (!ref)
            return -ENOMEM;
        memset(ref + t->n_refs, 0, (n - t->n_refs) * sizeof(*ref));
        t->ref = ref;
        t->n_refs = n;
    }
    if (t->ref[s->ref].place)
        return 0;
    struct labels *labels = labels_new(s->label, s->n);
    if (!labels)
        return 0;
    mem_grow(&t->labels, &t->labels_cap, t->n_labels, sizeof(t->labels[0]));
    t->labels[t->n_labels++] = labels;
    t->ref[s->ref] =
        (struct described){(uint32_t)t->n_labels, (uint8_t)s->of.kind, (uint8_t)s->of.scale};
    return 0;
}

static void hand_out(void *arg, int64_t t_ms, const struct log_sample *s)
{
    struct tsdb_tail *t = arg;
    const struct described *d = s->ref < t->n_refs ? &t->ref[s->ref] : NULL;
    if (!d || !d->place || d->kind != s->kind)
        return;
    mem_grow(&t->sample, &t->cap, t->n, sizeof(t->sample[0]));
    struct tsdb_tail_sample *out = &t->sample[t->n++];
    *out = (struct tsdb_tail_sample){d->place - 1, t_ms, s->v.f64};
    if (s->kind == TSDB_SCALED)
        codec_scale(&s->v.i64, 1, d->scale, &out->v);
}

// Records of the window, from its beginning; how many bytes of it are done with.
static int read_window(struct tsdb_tail *t, size_t max, size_t *ret_used)
{
    CLEANUP(freep) struct log_series_record *s = mem_zalloc(sizeof(*s));
    struct log_cursor c = {.data = t->window, .len = t->window_len};
    struct log_record record;
    int r = 0;
    uint64_t skipped = 0;
    while (r == 0 && t->n < max && log_next(&c, &record)) {
        uint64_t at = t->window_at + record.at;
        t->skipped_bytes += c.skipped_bytes - skipped;
        skipped = c.skipped_bytes;
        if (record.type == LOG_SERIES && log_read_series(&record, s) == 0)
            r = describe(t, s);
        else if (record.type == LOG_SAMPLES && at >= t->at.offset)
            log_read_samples(&record, hand_out, t);
        t->at.offset = MAX_OF(t->at.offset, t->window_at + c.at);
    }
    *ret_used = c.at;
    return r;
}

// Read on behind what is left of the window; false where the file has no more.
static int fill_window(struct tsdb_tail *t, uint64_t end, bool *ret_more)
{
    uint64_t at = t->window_at + t->window_len;
    size_t room = WINDOW_BYTES - t->window_len;
    *ret_more = false;
    if (at >= end || room == 0)
        return 0;
    ssize_t n = pread(t->fd, t->window + t->window_len, (size_t)MIN_OF((uint64_t)room, end - at),
                      (off_t)at);
    if (n < 0)
        return -errno;
    t->window_len += (size_t)n;
    *ret_more = n > 0;
    return 0;
}

static void consume(struct tsdb_tail *t, size_t used)
{
    memmove(t->window, t->window + used, t->window_len - used);
    t->window_at += used;
    t->window_len -= used;
}

// Read of one segment until there are samples or nothing more is there.
static int read_segment(struct tsdb_tail *t, const struct log_segment *segment, size_t max)
{
    for (bool more = true; more && t->n == 0;) {
        size_t used = 0;
        int r = fill_window(t, segment->bytes, &more);
        if (r == 0)
            r = read_window(t, max, &used);
        if (r < 0)
            return r;
        consume(t, used);
        if (used == 0 && t->window_len == WINDOW_BYTES) {
            // Damaged throughout: all but what may begin a record.
            size_t lost = WINDOW_BYTES - LOG_PAYLOAD_MAX - LOG_RECORD_HEAD;
            t->skipped_bytes += lost;
            consume(t, lost);
        }
        more |= used > 0;
    }
    return 0;
}

int tsdb_tail_next(struct tsdb_tail *t, size_t max, struct tsdb_tail_batch *ret, struct err *err)
{
    struct log_segment segment;
    bool is_full;
    t->n = 0;
    while (find_segment(t->db, t->at.segment, &segment, &is_full)) {
        if (t->at.segment > 0 && segment.number > t->at.segment)
            t->skipped_segments += segment.number - t->at.segment;
        if (t->fd < 0 || t->at.segment != segment.number) {
            int r = begin_segment(t, segment.number, err);
            if (r == -ENOENT) {
                // Deleted since it was found.
                t->at = (struct tsdb_tail_position){segment.number + 1, 0};
                t->skipped_segments++;
                continue;
            }
            if (r < 0)
                return r;
        }
        int r = read_segment(t, &segment, max);
        if (r < 0)
            return err_set(err, -r, "reading the log: %s", strerror(-r));
        if (t->n > 0 || !is_full)
            break;
        t->skipped_bytes += t->window_len;
        closep(&t->fd);
        t->fd = -1;
        t->at = (struct tsdb_tail_position){segment.number + 1, 0};
    }
    if (t->n == 0)
        return 0;
    *ret = (struct tsdb_tail_batch){(const struct labels *const *)t->labels,
                                    t->n_labels,
                                    t->sample,
                                    t->n,
                                    t->at,
                                    t->skipped_segments,
                                    t->skipped_bytes};
    t->skipped_segments = t->skipped_bytes = 0;
    return 1;
}

void tsdb_tail_done(struct tsdb_tail *t, const struct tsdb_tail_position *position)
{
    pthread_mutex_lock(&t->db->tails_lock);
    t->done = *position;
    pthread_mutex_unlock(&t->db->tails_lock);
}

uint64_t tsdb_tail_behind(const struct tsdb_tail *t)
{
    struct log *l = &t->db->log;
    uint64_t bytes = 0;
    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < l->n_kept; i++) {
        if (l->kept[i].number > t->at.segment)
            bytes += l->kept[i].bytes;
        else if (l->kept[i].number == t->at.segment)
            bytes += l->kept[i].bytes - MIN_OF(l->kept[i].bytes, t->at.offset);
    }
    pthread_mutex_unlock(&l->lock);
    return bytes;
}

// Up to where the log may be deleted for its size.
static uint64_t beyond_limit(struct tsdb *db)
{
    struct log *l = &db->log;
    uint64_t bytes = 0, up_to = 0;
    pthread_mutex_lock(&l->lock);
    for (size_t i = l->n_kept; i > 0 && !up_to; i--) {
        bytes += l->kept[i - 1].bytes;
        if (bytes > db->o.log_max_bytes)
            up_to = l->kept[i - 1].number;
    }
    pthread_mutex_unlock(&l->lock);
    return up_to;
}

uint64_t tails_need(struct tsdb *db, uint64_t covered)
{
    uint64_t up_to = covered, limit = beyond_limit(db);
    pthread_mutex_lock(&db->tails_lock);
    for (struct tsdb_tail *t = db->tails; t; t = t->next) {
        uint64_t read = t->done.segment > 0 ? t->done.segment - 1 : 0;
        bool loses = read < MIN_OF(limit, covered), was_told = t->is_told;
        // Until it has caught up: how much log there is now depends on the disk too.
        t->is_told = loses || (was_told && read < covered);
        if (read >= up_to)
            continue;
        up_to = MAX_OF(read, MIN_OF(limit, covered));
        if (loses && !was_told)
            store_note(db, "the log outgrew its limit: %s is behind and loses what it has not read",
                       t->name);
    }
    pthread_mutex_unlock(&db->tails_lock);
    return up_to;
}
