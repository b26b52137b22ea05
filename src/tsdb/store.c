// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Opening and closing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cond.h"
#include "base/mem.h"
#include "fault.h"
#include "store.h"

const int64_t resolution_ms[TSDB_RESOLUTIONS] = {0, RESOLUTION_MINUTE_MS, RESOLUTION_HOUR_MS};
const int64_t level_window_ms[LEVELS] = {2 * RESOLUTION_HOUR_MS, 2 * RESOLUTION_HOUR_MS,
                                         24 * RESOLUTION_HOUR_MS, 768 * RESOLUTION_HOUR_MS};

int resolution_index(int64_t ms)
{
    for (int i = 0; i < TSDB_RESOLUTIONS; i++)
        if (resolution_ms[i] == ms)
            return i;
    return -1;
}

void tsdb_options_init(struct tsdb_options *o)
{
    const int64_t day_ms = 24 * RESOLUTION_HOUR_MS;
    *o = (struct tsdb_options){
        .clock = &clock_system,
        .flush_ms = 1000,
        .fsync_ms = 5000,
        .head_ms = 15 * 60 * 1000,
        .late_ms = 2 * RESOLUTION_HOUR_MS,
        .memory_max_bytes = UINT64_C(512) << 20,
        .log_max_bytes = UINT64_C(1) << 30,
        .series_max = 2000000,
        .raw = {30 * day_ms, 0},
        .minute = {180 * day_ms, 0},
        .hour = {3 * 365 * day_ms, 0},
    };
}

int64_t store_now_ms(const struct tsdb *db)
{
    return clock_real_ns(db->o.clock) / NS_PER_MS;
}

int64_t store_mono_ms(const struct tsdb *db)
{
    return clock_mono_ns(db->o.clock) / NS_PER_MS;
}

static void close_fd(int fd)
{
    if (fd >= 0)
        close(fd);
}

static void free_view(struct view *v)
{
    for (size_t i = 0; v && i < v->n; i++)
        block_free(v->block[i]);
    for (size_t i = 0; v && i < v->n_deletions; i++)
        deletion_free(v->deletion[i]);
    view_free(v);
}

static void store_free(struct tsdb *db)
{
    log_done(&db->log);
    pins_done(&db->pins);
    free_view(db->view);
    head_done(&db->head);
    arena_free(db->sealed);
    buf_done(&db->stage);
    buf_done(&db->stage_series);
    free(db->repeat);
    for (size_t i = 0; i < db->n_notes; i++)
        free(db->note[i]);
    free(db->note);
    pthread_mutex_destroy(&db->notes_lock);
    pthread_mutex_destroy(&db->upkeep_lock);
    pthread_mutex_destroy(&db->tails_lock);
    pthread_cond_destroy(&db->upkeep_wake);
    pthread_cond_destroy(&db->upkeep_done);
    close_fd(db->blocks_dirfd);
    close_fd(db->log_dirfd);
    close_fd(db->lock_fd);
    close_fd(db->dirfd);
    free(db->path);
    free(db);
}

static struct tsdb *store_new(const char *directory, const struct tsdb_options *o)
{
    struct tsdb *db = mem_zalloc(sizeof(*db));
    db->source.ops = &source_ops;
    db->o = *o;
    db->path = mem_strdup(directory);
    db->dirfd = db->log_dirfd = db->blocks_dirfd = db->lock_fd = -1;
    db->next_serial = 1;
    pins_init(&db->pins);
    head_init(&db->head, &db->pins, o->series_max, o->late_ms);
    buf_init(&db->stage, SIZE_MAX / 2);
    buf_init(&db->stage_series, SIZE_MAX / 2);
    pthread_mutex_init(&db->notes_lock, NULL);
    pthread_mutex_init(&db->upkeep_lock, NULL);
    pthread_mutex_init(&db->tails_lock, NULL);
    cond_init(&db->upkeep_wake);
    pthread_cond_init(&db->upkeep_done, NULL);
    log_init(&db->log, -1, 1, o);
    return db;
}

static int start(struct tsdb *db, struct err *err)
{
    int r = log_start(&db->log);
    if (r == 0) {
        r = upkeep_start(db);
        if (r < 0)
            log_stop(&db->log);
    }
    return r < 0 ? err_set(err, -r, "starting a thread: %s", strerror(-r)) : 0;
}

int tsdb_open(const char *directory, const struct tsdb_options *o, struct tsdb **ret,
              struct err *err)
{
    struct tsdb *db = store_new(directory, o);
    fault_init();
    int r = directory_open(db, err);
    db->log.dirfd = db->log_dirfd;
    if (r == 0)
        r = recover_blocks(db, err);
    if (r == 0)
        r = recover_log(db, err);
    if (r == 0)
        r = start(db, err);
    if (r < 0)
        store_free(db);
    else
        *ret = db;
    return r;
}

void tsdb_close(struct tsdb *db)
{
    if (!db)
        return;
    upkeep_stop(db);
    log_stop(&db->log);
    store_free(db);
}

int store_snapshot(struct tsdb *db, const char *directory, struct err *err)
{
    int r = flush_head(db);
    if (r < 0)
        return err_set(err, -r, "writing %s: %s", db->path, strerror(-r));
    if (mkdir(directory, 0750) < 0)
        return err_set(err, errno, "%s: %s", directory, strerror(errno));
    CLEANUP(closep) int dirfd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    r = dirfd < 0 ? -errno : directory_copy(db, dirfd);
    return r < 0 ? err_set(err, -r, "%s: %s", directory, strerror(-r)) : 0;
}
