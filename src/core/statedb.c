// SPDX-License-Identifier: GPL-3.0-or-later
// Invariants: a job is in exactly one of `todo`, the thread's hands, `over`; between the locks the
// thread alone touches `store`.
#include "statedb.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

struct queue {
    struct statedb_job *first, **last;
};

struct statedb {
    struct store *store; // NULL: jobs fail
    uv_async_t wake;
    uv_loop_t *loop;
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct queue todo, over;
    bool ending;
    bool *closed; // set once `wake` is closed
};

static void queue_init(struct queue *q)
{
    *q = (struct queue){NULL, &q->first};
}

static void queue_put(struct queue *q, struct statedb_job *job)
{
    job->next = NULL;
    *q->last = job;
    q->last = &job->next;
}

static struct statedb_job *queue_take(struct queue *q)
{
    struct statedb_job *all = q->first;
    queue_init(q);
    return all;
}

static int run_one(struct store *s, struct statedb_job *job)
{
    int r = store_begin(s);
    if (r < 0)
        return r;
    r = job->run(job, s);
    if (r < 0) {
        store_rollback(s);
        return r;
    }
    return store_commit(s);
}

// All in one transaction; false: nothing was stored.
static bool run_together(struct store *s, struct statedb_job *jobs)
{
    if (store_begin(s) < 0)
        return false;
    for (struct statedb_job *job = jobs; job; job = job->next) {
        if (job->run(job, s) < 0) {
            store_rollback(s);
            return false;
        }
        job->result = 0;
    }
    return store_commit(s) == 0;
}

static void run_all(struct store *s, struct statedb_job *jobs)
{
    if (jobs->next && run_together(s, jobs))
        return;
    for (struct statedb_job *job = jobs; job; job = job->next) {
        job->result = run_one(s, job);
        if (job->result < 0)
            log_warning("%s: %s", store_path(s), store_message(s));
    }
}

static void *work(void *arg)
{
    struct statedb *db = arg;
    pthread_setname_np(pthread_self(), "statedb");
    pthread_mutex_lock(&db->lock);
    for (;;) {
        while (!db->todo.first && !db->ending)
            pthread_cond_wait(&db->more, &db->lock);
        struct statedb_job *jobs = queue_take(&db->todo);
        if (!jobs)
            break;
        pthread_mutex_unlock(&db->lock);
        run_all(db->store, jobs);
        pthread_mutex_lock(&db->lock);
        while (jobs) {
            struct statedb_job *job = jobs;
            jobs = job->next;
            queue_put(&db->over, job);
        }
        uv_async_send(&db->wake);
    }
    pthread_mutex_unlock(&db->lock);
    return NULL;
}

static void finish(struct statedb *db)
{
    pthread_mutex_lock(&db->lock);
    struct statedb_job *jobs = queue_take(&db->over);
    pthread_mutex_unlock(&db->lock);
    while (jobs) {
        struct statedb_job *job = jobs;
        jobs = job->next;
        job->done(job, job->result);
    }
}

static void on_wake(uv_async_t *handle)
{
    finish(handle->data);
}

struct statedb *statedb_new(uv_loop_t *loop, const char *path,
                            const struct store_schema *const *schemas, size_t n, struct err *err)
{
    struct statedb *db = mem_zalloc(sizeof(*db));
    queue_init(&db->todo);
    queue_init(&db->over);
    pthread_mutex_init(&db->lock, NULL);
    pthread_cond_init(&db->more, NULL);
    db->loop = loop;
    uv_async_init(loop, &db->wake, on_wake);
    db->wake.data = db;
    if (path && store_open(path, schemas, n, &db->store, err) < 0)
        db->store = NULL;
    int r = db->store ? pthread_create(&db->thread, NULL, work, db) : 0;
    db->has_thread = db->store && r == 0;
    if (r > 0) {
        err_set(err, r, "%s: no thread: %s", path, strerror(r));
        store_close(TAKE_PTR(db->store));
    }
    return db;
}

static void on_closed(uv_handle_t *handle)
{
    struct statedb *db = handle->data;
    *db->closed = true;
}

void statedb_free(struct statedb *db)
{
    if (!db)
        return;
    pthread_mutex_lock(&db->lock);
    db->ending = true;
    pthread_cond_signal(&db->more);
    pthread_mutex_unlock(&db->lock);
    if (db->has_thread)
        pthread_join(db->thread, NULL);
    db->has_thread = false;
    finish(db);
    store_close(TAKE_PTR(db->store));
    bool closed = false;
    db->closed = &closed;
    uv_close((uv_handle_t *)&db->wake, on_closed);
    while (!closed)
        uv_run(db->loop, UV_RUN_NOWAIT);
    pthread_cond_destroy(&db->more);
    pthread_mutex_destroy(&db->lock);
    free(db);
}

bool statedb_is_open(const struct statedb *db)
{
    return db->has_thread;
}

struct store *statedb_store(struct statedb *db)
{
    return db->store;
}

void statedb_submit(struct statedb *db, struct statedb_job *job)
{
    if (!db->has_thread) {
        job->done(job, -ENODEV);
        return;
    }
    pthread_mutex_lock(&db->lock);
    queue_put(&db->todo, job);
    pthread_cond_signal(&db->more);
    pthread_mutex_unlock(&db->lock);
}
