// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * The block thread: writes the head away when it is old or large, compacts, drops what is past its
 * retention, writes it away too where the log cannot be trusted any more, and does jobs that others
 * wait for. Everything that changes the set of files happens here.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cond.h"
#include "base/mem.h"
#include "store.h"

#define TICK_MS 2000 // what is asked for, and a head that is large, does not wait for it
#define TICK_MIN_MS 500
#define RETRY_MS 5000
#define HEAD_BYTES_MIN (2u << 20)
#define HEAD_BYTES_A_SERIES 160
#define JUMP_MS 60000
#define TRUST_MS 3600000

static int64_t monotonic_ms(void)
{
    return clock_mono_ns(&clock_system) / NS_PER_MS;
}

bool upkeep_is_stopping(struct tsdb *db)
{
    pthread_mutex_lock(&db->upkeep_lock);
    bool is_stopping = db->is_stopping;
    pthread_mutex_unlock(&db->upkeep_lock);
    return is_stopping;
}

bool upkeep_head_is_large(const struct tsdb *db)
{
    const struct head *h = &db->head;
    size_t limit = MAX_OF((size_t)HEAD_BYTES_MIN, (size_t)h->n_series * HEAD_BYTES_A_SERIES);
    return h->arena->bytes > MIN_OF(limit, (size_t)db->o.memory_max_bytes / 4);
}

void upkeep_ask(struct tsdb *db)
{
    pthread_mutex_lock(&db->upkeep_lock);
    db->is_asked = true;
    pthread_cond_signal(&db->upkeep_wake);
    pthread_mutex_unlock(&db->upkeep_lock);
}

static bool head_is_due(struct tsdb *db)
{
    struct head *h = &db->head;
    pthread_mutex_lock(&h->lock);
    bool is_due =
        h->frozen || upkeep_head_is_large(db) || head_is_crowded(h) ||
        (h->arena->samples > 0 && store_mono_ms(db) - db->rolled_mono_ms >= db->o.head_ms);
    pthread_mutex_unlock(&h->lock);
    return is_due;
}

// What retention takes for now. A clock that was just set may be wrong, and a wrong year must not
// cost the data: it counts once it has run for an hour without a jump; until then no more time has
// passed than the monotonic clock says.
static int64_t retention_now_ms(struct tsdb *db)
{
    int64_t real_ms = store_now_ms(db), mono_ms = store_mono_ms(db);
    int64_t expected_ms = db->trusted_real_ms + (mono_ms - db->trusted_mono_ms);
    int64_t drift_ms = real_ms - db->seen_real_ms - (mono_ms - db->seen_mono_ms);
    if (drift_ms > JUMP_MS || drift_ms < -JUMP_MS)
        db->jump_mono_ms = mono_ms;
    db->seen_real_ms = real_ms;
    db->seen_mono_ms = mono_ms;
    if (mono_ms - db->jump_mono_ms < TRUST_MS)
        return MIN_OF(real_ms, expected_ms);
    db->trusted_real_ms = real_ms;
    db->trusted_mono_ms = mono_ms;
    return real_ms;
}

static void drop(struct tsdb *db, struct block *b)
{
    view_publish(db, view_change(view_get(db), NULL, 0, &b, 1), false);
    unlinkat(db->blocks_dirfd, b->name, 0);
    pin_retire(&db->pins, (void (*)(void *))block_free, b);
}

// Samples whose roll-ups are due but not made yet, as of an import. They stay so long, but not
// where the disk is full or they cannot be read.
static bool is_awaited(const struct tsdb *db, const struct block *b, int64_t newest_ms)
{
    return b->meta.resolution_ms == 0 && b->meta.level == 0 && !b->is_bad && !db->disk_error &&
           b->meta.window_end_ms <= newest_ms - COMPACT_GRACE_MS;
}

static struct block *oldest(struct tsdb *db, int64_t resolution, uint64_t *ret_bytes)
{
    const struct view *v = view_get(db);
    pthread_mutex_lock(&db->head.lock);
    int64_t newest_ms = db->head.newest_ms;
    pthread_mutex_unlock(&db->head.lock);
    struct block *old = NULL;
    *ret_bytes = 0;
    for (size_t i = 0; i < v->n; i++) {
        struct block *b = v->block[i];
        if (b->meta.resolution_ms != resolution)
            continue;
        *ret_bytes += b->size;
        if (!is_awaited(db, b, newest_ms) && (!old || b->meta.max_ms < old->meta.max_ms))
            old = b;
    }
    return old;
}

void retention_step(struct tsdb *db)
{
    const struct tsdb_retention *kept[] = {&db->o.raw, &db->o.minute, &db->o.hour};
    int64_t now_ms = retention_now_ms(db);
    for (int i = 0; i < TSDB_RESOLUTIONS; i++) {
        uint64_t bytes;
        for (struct block *b; (b = oldest(db, resolution_ms[i], &bytes));) {
            bool is_old = kept[i]->age_ms > 0 && b->meta.max_ms < now_ms - kept[i]->age_ms;
            bool is_much = kept[i]->bytes > 0 && bytes > kept[i]->bytes;
            if (!is_old && !is_much)
                break;
            drop(db, b);
        }
    }
}

static int settle(struct tsdb *db)
{
    int r = flush_head(db);
    for (int more = 1; r == 0 && more > 0;) {
        more = compact_step(db);
        r = MIN_OF(more, 0);
    }
    return r;
}

static void do_job(struct tsdb *db, struct job *job)
{
    if (job->deletion)
        job->result = deletion_add(db, job->deletion, job->err);
    else if (job->snapshot)
        job->result = store_snapshot(db, job->snapshot, job->err);
    else if ((job->result = settle(db)) < 0)
        err_set(job->err, -job->result, "writing %s: %s", db->path, strerror(-job->result));
    pthread_mutex_lock(&db->upkeep_lock);
    db->job = NULL;
    job->is_done = true;
    pthread_cond_broadcast(&db->upkeep_done);
    pthread_mutex_unlock(&db->upkeep_lock);
}

static void wait_until(struct tsdb *db, int64_t until_ms)
{
    while (!db->is_stopping && !db->job && !db->is_asked)
        if (!cond_wait_until(&db->upkeep_wake, &db->upkeep_lock, until_ms * NS_PER_MS))
            return;
}

static int64_t next_ms(int64_t retry_ms, int64_t tick_ms)
{
    int64_t now_ms = monotonic_ms();
    return retry_ms > now_ms ? MIN_OF(retry_ms, now_ms + tick_ms) : now_ms + tick_ms;
}

static void *run(void *arg)
{
    struct tsdb *db = arg;
    int64_t retry_ms = 0;
    int64_t tick_ms = MIN_OF(MAX_OF(db->o.head_ms, (int64_t)TICK_MIN_MS), (int64_t)TICK_MS);
    pthread_setname_np(pthread_self(), "store-blocks");
    for (bool is_busy = false;;) {
        pthread_mutex_lock(&db->upkeep_lock);
        if (!is_busy)
            wait_until(db, next_ms(retry_ms, tick_ms));
        db->is_asked = false;
        struct job *job = db->job;
        bool is_stopping = db->is_stopping;
        pthread_mutex_unlock(&db->upkeep_lock);
        if (is_stopping)
            return NULL;
        if (job)
            do_job(db, job);
        is_busy = false;
        if (monotonic_ms() < retry_ms)
            continue;
        int r = 0;
        if (directory_is_gone(db)) {
            r = directory_restore(db);
            store_disk_error(db, r);
        }
        uint64_t failures = log_failures(&db->log);
        if (r == 0 && (failures > 0 || head_is_due(db))) {
            r = flush_head(db);
            db->rolled_mono_ms = store_mono_ms(db);
        }
        if (r == 0 && failures > 0)
            log_forgive(&db->log, failures);
        if (r == 0) {
            r = compact_step(db);
            is_busy = r > 0;
        }
        if (r < 0 && r != -ECANCELED)
            retry_ms = monotonic_ms() + RETRY_MS;
        retention_step(db);
    }
}

int upkeep_start(struct tsdb *db)
{
    db->rolled_mono_ms = store_mono_ms(db);
    db->seen_real_ms = store_now_ms(db);
    db->seen_mono_ms = db->trusted_mono_ms = db->jump_mono_ms = db->rolled_mono_ms;
    db->trusted_real_ms = MAX_OF(db->head.newest_ms, INT64_C(0));
    return -pthread_create(&db->upkeep_thread, NULL, run, db);
}

void upkeep_stop(struct tsdb *db)
{
    pthread_mutex_lock(&db->upkeep_lock);
    db->is_stopping = true;
    pthread_cond_signal(&db->upkeep_wake);
    pthread_mutex_unlock(&db->upkeep_lock);
    pthread_join(db->upkeep_thread, NULL);
}

int upkeep_job(struct tsdb *db, struct job *job)
{
    pthread_mutex_lock(&db->upkeep_lock);
    while (db->job)
        pthread_cond_wait(&db->upkeep_done, &db->upkeep_lock);
    db->job = job;
    pthread_cond_signal(&db->upkeep_wake);
    while (!job->is_done)
        pthread_cond_wait(&db->upkeep_done, &db->upkeep_lock);
    pthread_mutex_unlock(&db->upkeep_lock);
    return job->result;
}

int tsdb_settle(struct tsdb *db, struct err *err)
{
    struct job job = {.err = err};
    return upkeep_job(db, &job);
}

int tsdb_snapshot(struct tsdb *db, const char *directory, struct err *err)
{
    struct job job = {.snapshot = directory, .err = err};
    return upkeep_job(db, &job);
}
