// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * What of the log is safe from a loss of power: files go through a thread that fsyncs them, one at
 * a time, so that the one that writes waits for no disk but where it is asked to. Invariants:
 * 1. At most one file waits and one is in hand; a file that waits is fsynced with all that was
 *    written to it until then.
 * 2. A file whose fsync failed is not trusted again: the error stays until log_forgive().
 */
#include "log_private.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

// Of segments that log_delete() removed nobody needs anything, also what is still to be written.
bool log_is_deleted(struct log *l, uint64_t segment)
{
    pthread_mutex_lock(&l->lock);
    bool is_deleted = segment <= l->deleted_to;
    pthread_mutex_unlock(&l->lock);
    return is_deleted;
}

bool log_was_removed(struct log *l)
{
    struct stat st;
    return fstat(l->fd, &st) == 0 && st.st_nlink == 0 && !log_is_deleted(l, l->fd_segment);
}

static void note_sync(struct log *l, int r)
{
    if (r == 0)
        return;
    l->sync_error = r;
    l->sync_failures++;
}

// Takes and gives back the lock. The directory, too, where it has a new segment.
static int sync_fd(struct log *l, int fd)
{
    bool with_dir = l->dir_is_dirty;
    l->dir_is_dirty = false;
    pthread_mutex_unlock(&l->lock);
    int r = fdatasync(fd) < 0 || (with_dir && fsync(l->dirfd) < 0) ? -errno : 0;
    pthread_mutex_lock(&l->lock);
    l->dir_is_dirty |= r < 0 && with_dir;
    note_sync(l, r);
    return r;
}

int log_sync_file(struct log *l)
{
    if (l->fd < 0)
        return 0;
    if (log_was_removed(l))
        return -ESTALE;
    if (!l->is_dirty)
        return 0;
    pthread_mutex_lock(&l->lock);
    int r = sync_fd(l, l->fd);
    pthread_mutex_unlock(&l->lock);
    l->is_dirty = r < 0;
    return r;
}

// Hand the file to the thread that fsyncs; false: it has another one waiting already.
bool log_hand_to_sync(struct log *l)
{
    int fd = fcntl(l->fd, F_DUPFD_CLOEXEC, 0);
    pthread_mutex_lock(&l->lock);
    bool fits = fd >= 0 && (l->sync_fd < 0 || l->sync_segment == l->fd_segment);
    if (fits) {
        closep(&l->sync_fd);
        l->sync_fd = fd;
        l->sync_segment = l->fd_segment;
        l->is_dirty = false;
        pthread_cond_signal(&l->sync_wake);
    }
    pthread_mutex_unlock(&l->lock);
    if (!fits)
        closep(&fd);
    return fits;
}

// The thread that fsyncs in between, and no more than one file at a time.
void *log_run_sync(void *arg)
{
    struct log *l = arg;
    pthread_setname_np(pthread_self(), "store-sync");
    pthread_mutex_lock(&l->lock);
    while (!l->ends_syncing || l->sync_fd >= 0) {
        if (l->sync_fd < 0) {
            pthread_cond_wait(&l->sync_wake, &l->lock);
            continue;
        }
        int fd = l->sync_fd;
        l->sync_fd = -1;
        l->is_syncing = true;
        (void)sync_fd(l, fd);
        l->is_syncing = false;
        close(fd);
        pthread_cond_broadcast(&l->synced);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

// Have what was written fsynced, without waiting for it; true: it is under way.
bool log_begin_sync(struct log *l)
{
    if (l->fd < 0)
        return true;
    if (log_was_removed(l)) {
        pthread_mutex_lock(&l->lock);
        l->sync_error = -ESTALE;
        pthread_mutex_unlock(&l->lock);
        return true;
    }
    pthread_mutex_lock(&l->lock);
    bool is_free = l->sync_fd < 0 && !l->is_syncing;
    pthread_mutex_unlock(&l->lock);
    return is_free && (!l->is_dirty || log_hand_to_sync(l));
}

// Also what the other thread has in hand.
int log_sync_now(struct log *l)
{
    int r = log_sync_file(l);
    pthread_mutex_lock(&l->lock);
    while (l->sync_fd >= 0 || l->is_syncing)
        pthread_cond_wait(&l->synced, &l->lock);
    if (r == -ESTALE)
        l->sync_error = r;
    r = r < 0 ? r : l->sync_error;
    pthread_mutex_unlock(&l->lock);
    return r;
}

void log_end_sync_thread(struct log *l)
{
    pthread_mutex_lock(&l->lock);
    l->ends_syncing = true;
    pthread_cond_signal(&l->sync_wake);
    pthread_mutex_unlock(&l->lock);
    pthread_join(l->sync_thread, NULL);
}

uint64_t log_failures(struct log *l)
{
    pthread_mutex_lock(&l->lock);
    uint64_t failures = l->sync_error && l->sync_error != -ESTALE ? l->sync_failures : 0;
    pthread_mutex_unlock(&l->lock);
    return failures;
}

void log_forgive(struct log *l, uint64_t failures)
{
    pthread_mutex_lock(&l->lock);
    if (l->sync_failures == failures && l->sync_error != -ESTALE)
        l->sync_error = 0;
    pthread_mutex_unlock(&l->lock);
}
