// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Invariants:
 * 1. Records reach the file in the order of log_put(). What cannot be written stays in memory and
 * is tried again; nothing behind it is written before.
 * 2. A segment is only appended to by the process that made it.
 * 3. No lock is held across a system call on a file.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cond.h"
#include "base/mem.h"
#include "base/number.h"
#include "crc32c.h"
#include "log_private.h"
#include "varint.h"

#define RETRY_MS 1000
#define PART_BYTES ((1u << 20) - 64) /* whose buffer is no larger than 1 MiB */
#define SOON_BYTES (4u << 20)        /* more than this is not kept waiting for the next flush */

struct log_part {
    struct log_part *next;
    uint64_t segment;
    size_t written;
    struct buf data;
};

void log_name(uint64_t segment, char out[LOG_NAME_BYTES])
{
    snprintf(out, LOG_NAME_BYTES, "%08" PRIu64 ".log", segment);
}

bool log_parse_name(const char *name, uint64_t *ret)
{
    size_t len = strlen(name);
    if (len < 12 || strcmp(name + len - 4, ".log") != 0)
        return false;
    CLEANUP(freep) char *digits = mem_strndup(name, len - 4);
    char own[LOG_NAME_BYTES];
    if (number_parse_u64(digits, ret) < 0 || *ret == 0 || *ret > LOG_SEGMENT_MAX)
        return false;
    log_name(*ret, own);
    return strcmp(own, name) == 0;
}

void log_init(struct log *l, int dirfd, uint64_t segment, const struct tsdb_options *o)
{
    *l = (struct log){.dirfd = dirfd,
                      .segment = segment,
                      .unwritten_max = o->memory_max_bytes / 2,
                      .flush_ms = o->flush_ms,
                      .fsync_ms = o->fsync_ms,
                      .fd = -1,
                      .sync_fd = -1};
    pthread_mutex_init(&l->lock, NULL);
    cond_init(&l->wake);
    pthread_cond_init(&l->answered, NULL);
    pthread_cond_init(&l->sync_wake, NULL);
    pthread_cond_init(&l->synced, NULL);
}

static void part_free(struct log_part *part)
{
    buf_done(&part->data);
    free(part);
}

void log_done(struct log *l)
{
    while (l->taken) {
        struct log_part *next = l->taken->next;
        part_free(l->taken);
        l->taken = next;
    }
    while (l->first) {
        struct log_part *next = l->first->next;
        part_free(l->first);
        l->first = next;
    }
    free(l->kept);
    if (l->fd >= 0)
        close(l->fd);
    pthread_cond_destroy(&l->wake);
    pthread_cond_destroy(&l->answered);
    pthread_cond_destroy(&l->sync_wake);
    pthread_cond_destroy(&l->synced);
    pthread_mutex_destroy(&l->lock);
}

void log_put(struct log *l, const void *data, size_t len)
{
    pthread_mutex_lock(&l->lock);
    struct log_part *part = l->last;
    l->is_dropping |= l->unwritten_bytes + len > l->unwritten_max;
    if (l->is_dropping) {
        l->dropped_bytes += len;
    } else {
        if (!part || part->segment != l->segment || part->data.len + len > PART_BYTES) {
            part = mem_zalloc(sizeof(*part));
            part->segment = l->segment;
            buf_init(&part->data, SIZE_MAX / 2);
            *(l->last ? &l->last->next : &l->first) = part;
            l->last = part;
        }
        buf_put(&part->data, data, len);
        if (!l->unwritten_from)
            l->unwritten_from = l->segment;
        l->unwritten_bytes += len;
        l->waiting_bytes += len;
        if (l->waiting_bytes > SOON_BYTES && !l->error)
            pthread_cond_signal(&l->wake);
    }
    pthread_mutex_unlock(&l->lock);
}

void log_resume(struct log *l)
{
    pthread_mutex_lock(&l->lock);
    if (l->is_dropping && l->unwritten_bytes <= l->unwritten_max / 2) {
        l->is_dropping = false;
        l->segment++;
    }
    pthread_mutex_unlock(&l->lock);
}

uint64_t log_roll(struct log *l)
{
    pthread_mutex_lock(&l->lock);
    uint64_t full = l->segment++;
    pthread_mutex_unlock(&l->lock);
    return full;
}

bool log_holds(struct log *l, uint64_t up_to)
{
    pthread_mutex_lock(&l->lock);
    bool holds = (l->n_kept > 0 && l->kept[0].number <= up_to) ||
                 (l->unwritten_from > 0 && l->unwritten_from <= up_to);
    pthread_mutex_unlock(&l->lock);
    return holds;
}

void log_keep(struct log *l, uint64_t number, uint64_t bytes)
{
    pthread_mutex_lock(&l->lock);
    size_t i = l->n_kept;
    while (i > 0 && l->kept[i - 1].number >= number)
        i--;
    if (i < l->n_kept && l->kept[i].number == number) {
        l->kept[i].bytes = bytes;
    } else {
        mem_grow(&l->kept, &l->kept_cap, l->n_kept, sizeof(l->kept[0]));
        memmove(&l->kept[i + 1], &l->kept[i], (l->n_kept++ - i) * sizeof(l->kept[0]));
        l->kept[i] = (struct log_segment){number, bytes};
    }
    pthread_mutex_unlock(&l->lock);
}

static int write_at(int fd, const char *data, size_t len, uint64_t at, size_t *written)
{
    while (*written < len) {
        ssize_t n = pwrite(fd, data + *written, len - *written, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        *written += (size_t)n;
        at += (uint64_t)n;
    }
    return 0;
}

static int leave_segment(struct log *l)
{
    if (l->fd < 0)
        return 0;
    if (log_was_removed(l))
        return -ESTALE;
    int r = l->is_dirty && !log_hand_to_sync(l) ? log_sync_file(l) : 0;
    if (r == 0)
        closep(&l->fd);
    return r;
}

static int begin_segment(struct log *l, uint64_t number)
{
    int r = leave_segment(l);
    if (r < 0)
        return r;
    l->fd = -1;
    char name[LOG_NAME_BYTES];
    log_name(number, name);
    l->fd = openat(l->dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (l->fd < 0 && errno == EEXIST)
        // Ours, begun before the disk was full: its header is written again.
        l->fd = openat(l->dirfd, name, O_WRONLY | O_CLOEXEC);
    if (l->fd < 0)
        return -errno;
    uint8_t header[LOG_HEADER] = {0};
    memcpy(header, LOG_MAGIC, 8);
    store32(header + 8, LOG_VERSION);
    store64(header + 16, number);
    store32(header + 12, crc32c(0, header + 16, LOG_HEADER - 16));
    size_t written = 0;
    r = write_at(l->fd, (const char *)header, sizeof(header), 0, &written);
    if (r < 0) {
        close(l->fd);
        l->fd = -1;
        return r;
    }
    l->fd_segment = number;
    l->fd_at = LOG_HEADER;
    l->is_dirty = true;
    pthread_mutex_lock(&l->lock);
    l->dir_is_dirty = true;
    pthread_mutex_unlock(&l->lock);
    log_keep(l, number, l->fd_at);
    return 0;
}

static int write_part(struct log *l, struct log_part *part)
{
    if (part->data.error || log_is_deleted(l, part->segment))
        return 0;
    if (l->fd < 0 || l->fd_segment != part->segment) {
        int r = begin_segment(l, part->segment);
        if (r < 0)
            return r;
    }
    size_t before = part->written;
    int r = write_at(l->fd, part->data.data, part->data.len, l->fd_at, &part->written);
    l->fd_at += part->written - before;
    l->is_dirty = true;
    log_keep(l, l->fd_segment, l->fd_at);
    return r;
}

static void take_parts(struct log *l)
{
    struct log_part **end = &l->taken;
    while (*end)
        end = &(*end)->next;
    *end = l->first;
    l->first = l->last = NULL;
    l->waiting_bytes = 0;
}

static int write_all(struct log *l)
{
    while (l->taken) {
        struct log_part *part = l->taken;
        int r = write_part(l, part);
        if (r < 0)
            return r;
        l->taken = part->next;
        pthread_mutex_lock(&l->lock);
        l->unwritten_bytes -= part->data.len;
        const struct log_part *next = l->taken ? l->taken : l->first;
        l->unwritten_from = next ? next->segment : 0;
        pthread_mutex_unlock(&l->lock);
        part_free(part);
    }
    return 0;
}

static int64_t now_ms(void)
{
    return clock_mono_ns(&clock_system) / NS_PER_MS;
}

// Until it is time to write again, or somebody asks. Needs the lock.
static void pause_ms(struct log *l, int64_t ms)
{
    int64_t until_ns = (now_ms() + ms) * NS_PER_MS;
    while (!l->is_stopping && l->asks == l->answers && (l->error || l->waiting_bytes <= SOON_BYTES))
        if (!cond_wait_until(&l->wake, &l->lock, until_ns))
            return;
}

static void forget_file(struct log *l)
{
    closep(&l->fd);
    l->fd = -1;
    if (l->taken)
        l->taken->written = 0;
}

static void *run(void *arg)
{
    struct log *l = arg;
    pthread_setname_np(pthread_self(), "store-log");
    int64_t synced_ms = now_ms();
    bool is_stopping = false;
    while (!is_stopping) {
        pthread_mutex_lock(&l->lock);
        pause_ms(l, l->error ? RETRY_MS : l->flush_ms);
        is_stopping = l->is_stopping;
        uint64_t asks = l->asks;
        bool is_asked = asks != l->answers || is_stopping;
        take_parts(l);
        bool is_gone = l->is_gone;
        if (!is_gone && l->is_anew) {
            forget_file(l);
            l->is_anew = false;
        }
        pthread_mutex_unlock(&l->lock);

        int r = is_gone ? -ESTALE : write_all(l);
        if (r == 0 && is_asked)
            r = log_sync_now(l);
        bool is_due = now_ms() - synced_ms >= l->fsync_ms;
        if (is_asked || (r == 0 && is_due && log_begin_sync(l)))
            synced_ms = now_ms();
        pthread_mutex_lock(&l->lock);
        l->error = r < 0 ? r : l->sync_error;
        l->answers = asks;
        pthread_cond_broadcast(&l->answered);
        pthread_mutex_unlock(&l->lock);
    }
    return NULL;
}

bool log_is_gone(struct log *l)
{
    pthread_mutex_lock(&l->lock);
    bool is_gone = l->error == -ESTALE;
    pthread_mutex_unlock(&l->lock);
    return is_gone;
}

bool log_give_up_file(struct log *l)
{
    pthread_mutex_lock(&l->lock);
    bool was_written = !l->is_gone;
    l->is_gone = true;
    pthread_mutex_unlock(&l->lock);
    return was_written;
}

void log_begin_anew(struct log *l)
{
    pthread_mutex_lock(&l->lock);
    l->is_gone = false;
    l->is_anew = true;
    l->error = l->sync_error = 0;
    l->n_kept = 0;
    l->segment++;
    pthread_mutex_unlock(&l->lock);
}

int log_start(struct log *l)
{
    int r = -pthread_create(&l->sync_thread, NULL, log_run_sync, l);
    if (r < 0)
        return r;
    r = -pthread_create(&l->thread, NULL, run, l);
    if (r < 0)
        log_end_sync_thread(l);
    return r;
}

void log_stop(struct log *l)
{
    pthread_mutex_lock(&l->lock);
    l->is_stopping = true;
    pthread_cond_signal(&l->wake);
    pthread_mutex_unlock(&l->lock);
    pthread_join(l->thread, NULL);
    log_end_sync_thread(l);
}

int log_sync(struct log *l)
{
    pthread_mutex_lock(&l->lock);
    uint64_t ticket = ++l->asks;
    pthread_cond_signal(&l->wake);
    while (l->answers < ticket)
        pthread_cond_wait(&l->answered, &l->lock);
    int r = l->error;
    pthread_mutex_unlock(&l->lock);
    return r;
}

void log_delete(struct log *l, uint64_t up_to)
{
    pthread_mutex_lock(&l->lock);
    l->deleted_to = MAX_OF(l->deleted_to, up_to);
    size_t n = 0;
    while (n < l->n_kept && l->kept[n].number <= up_to)
        n++;
    CLEANUP(freep) struct log_segment *gone = mem_zalloc((n + 1) * sizeof(*gone));
    if (n > 0) {
        memcpy(gone, l->kept, n * sizeof(*gone));
        memmove(l->kept, l->kept + n, (l->n_kept -= n) * sizeof(l->kept[0]));
    }
    pthread_mutex_unlock(&l->lock);
    for (size_t i = 0; i < n; i++) {
        char name[LOG_NAME_BYTES];
        log_name(gone[i].number, name);
        unlinkat(l->dirfd, name, 0);
    }
}
