// SPDX-License-Identifier: GPL-3.0-or-later
// Invariants: a job is in exactly one of `todo`, the thread's hands, `over`; between the locks the
// thread alone touches `store`. While the file is not open, `todo` holds jobs that wait for it;
// what is in `held` waits for room on the disk, and no job that would wait too overtakes it.
#include "statedb.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/cond.h"
#include "base/log.h"
#include "base/mem.h"

#define RETRY_MIN_S 1u
#define RETRY_MAX_S 60u

struct queue {
    struct statedb_job *first, **last;
};

struct statedb {
    struct store *store; // NULL: not opened yet, or there is none
    char *path;
    const struct store_schema *const *schemas;
    size_t n_schemas;
    void (*opened)(void *arg); // the loop's, as are these
    void *arg;
    bool is_open;
    size_t n_waiting;
    uv_async_t wake;
    uv_loop_t *loop;
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct queue todo, over;
    char *error;    // why the file is not open or takes no more; NULL
    bool is_opened; // by the thread, later
    struct queue held;
    size_t n_held;
    unsigned pause_s; // until it is tried again, at `retry_ns`
    int64_t retry_ns;
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

static bool lacks_room(const struct statedb_job *job)
{
    return job->waits && job->result == -ENOSPC;
}

static void run_all(struct store *s, struct statedb_job *jobs)
{
    bool is_full = false;
    if (jobs->next && run_together(s, jobs))
        return;
    for (struct statedb_job *job = jobs; job; job = job->next) {
        job->result = is_full && job->waits ? -ENOSPC : run_one(s, job);
        is_full |= lacks_room(job);
        if (job->result < 0 && !lacks_room(job))
            log_warning("%s: %s", store_path(s), store_message(s));
    }
}

static int open_store(struct statedb *db, struct err *err)
{
    const char *slash = strrchr(db->path, '/');
    CLEANUP(freep) char *directory = mem_strndup(db->path, slash ? (size_t)(slash - db->path) : 0);
    if (*directory && mkdir(directory, 0750) < 0 && errno != EEXIST)
        return err_set(err, errno, "%s: %s", directory, strerror(errno));
    return store_open(db->path, db->schemas, db->n_schemas, &db->store, err);
}

static void pause_longer(struct statedb *db)
{
    db->pause_s = db->pause_s ? MIN_OF(2 * db->pause_s, RETRY_MAX_S) : RETRY_MIN_S;
    db->retry_ns = clock_mono_ns(&clock_system) + db->pause_s * NS_PER_S;
}

static void well_again(struct statedb *db)
{
    free(TAKE_PTR(db->error));
    db->pause_s = 0;
    log_warning("%s can be written again: events and alerts are kept", db->path);
}

// The lock is held; at the end it is tried a last time.
static void open_later(struct statedb *db)
{
    while (!db->store) {
        pause_longer(db);
        while (!db->ending && cond_wait_until(&db->more, &db->lock, db->retry_ns)) {
        }
        bool is_last = db->ending;
        struct err err = {0};
        pthread_mutex_unlock(&db->lock);
        int r = open_store(db, &err);
        pthread_mutex_lock(&db->lock);
        if (r < 0)
            mem_strset(&db->error, err.message);
        if (r < 0 && is_last)
            return;
    }
    well_again(db);
    db->is_opened = true;
    uv_async_send(&db->wake);
}

static void hold(struct statedb *db, struct statedb_job *job)
{
    queue_put(&db->held, job);
    db->n_held++;
}

static bool is_due(const struct statedb *db)
{
    return clock_mono_ns(&clock_system) >= db->retry_ns;
}

// Returns whether what is held is to be tried. The lock is held.
static bool wait_for_jobs(struct statedb *db)
{
    while (!db->todo.first && !db->ending && !(db->held.first && is_due(db))) {
        if (db->held.first)
            (void)cond_wait_until(&db->more, &db->lock, db->retry_ns);
        else
            pthread_cond_wait(&db->more, &db->lock);
    }
    return !db->held.first || db->ending || is_due(db);
}

static struct statedb_job *choose(struct statedb *db, bool is_time)
{
    struct queue chosen;
    queue_init(&chosen);
    struct statedb_job *held = is_time ? queue_take(&db->held) : NULL, *next;
    db->n_held = is_time ? 0 : db->n_held;
    for (struct statedb_job *job = held; job; job = next) {
        next = job->next;
        queue_put(&chosen, job);
    }
    for (struct statedb_job *job = queue_take(&db->todo); job; job = next) {
        next = job->next;
        if (job->waits && !is_time && db->n_held < STATEDB_WAITING_MAX)
            hold(db, job);
        else
            queue_put(&chosen, job);
    }
    return chosen.first;
}

static void put_back(struct statedb *db, struct statedb_job *jobs, bool is_time)
{
    for (struct statedb_job *job = jobs, *next; job; job = next) {
        next = job->next;
        if (lacks_room(job) && !db->ending && db->n_held < STATEDB_WAITING_MAX)
            hold(db, job);
        else
            queue_put(&db->over, job);
    }
    if (!is_time)
        return;
    if (db->held.first && !db->error) {
        db->error = mem_printf("%s: %s", db->path, strerror(ENOSPC));
        log_error("%s; events wait in memory and alerts are not kept, it is tried again",
                  db->error);
    }
    if (db->held.first)
        pause_longer(db);
    else if (db->error)
        well_again(db);
}

static void *work(void *arg)
{
    struct statedb *db = arg;
    pthread_setname_np(pthread_self(), "statedb");
    pthread_mutex_lock(&db->lock);
    if (!db->store)
        open_later(db);
    while (db->store) {
        bool is_time = wait_for_jobs(db);
        struct statedb_job *jobs = choose(db, is_time);
        if (!jobs && db->ending)
            break;
        if (!jobs)
            continue;
        pthread_mutex_unlock(&db->lock);
        run_all(db->store, jobs);
        pthread_mutex_lock(&db->lock);
        put_back(db, jobs, is_time);
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
    struct statedb *db = handle->data;
    pthread_mutex_lock(&db->lock);
    bool is_new = db->is_opened && !db->is_open;
    pthread_mutex_unlock(&db->lock);
    if (is_new) {
        db->is_open = true;
        db->opened(db->arg);
    }
    finish(db);
}

// Of a file that could not be opened to the end.
static void give_up_waiting(struct statedb *db)
{
    size_t n = 0;
    for (struct statedb_job *job = queue_take(&db->todo), *next; job; job = next, n++) {
        next = job->next;
        job->done(job, -ENODEV);
    }
    if (n > 0)
        log_error("%s; %zu events that waited are lost", db->error, n);
}

struct statedb *statedb_new(uv_loop_t *loop, const char *path,
                            const struct store_schema *const *schemas, size_t n,
                            void (*opened)(void *arg), void *arg, struct err *err)
{
    struct statedb *db = mem_zalloc(sizeof(*db));
    queue_init(&db->todo);
    queue_init(&db->over);
    queue_init(&db->held);
    cond_init(&db->more);
    pthread_mutex_init(&db->lock, NULL);
    db->loop = loop;
    db->path = mem_strdup(path);
    db->schemas = schemas;
    db->n_schemas = n;
    db->opened = opened;
    db->arg = arg;
    uv_async_init(loop, &db->wake, on_wake);
    db->wake.data = db;
    if (!path)
        return db;
    if (open_store(db, err) < 0)
        db->error = mem_strdup(err->message);
    db->is_open = db->store != NULL;
    int r = pthread_create(&db->thread, NULL, work, db);
    db->has_thread = r == 0;
    if (r > 0) {
        err_set(err, r, "%s: no thread: %s", path, strerror(r));
        db->is_open = false;
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
    give_up_waiting(db);
    store_close(TAKE_PTR(db->store));
    bool closed = false;
    db->closed = &closed;
    uv_close((uv_handle_t *)&db->wake, on_closed);
    while (!closed)
        uv_run(db->loop, UV_RUN_NOWAIT);
    pthread_cond_destroy(&db->more);
    pthread_mutex_destroy(&db->lock);
    free(db->error);
    free(db->path);
    free(db);
}

bool statedb_is_open(const struct statedb *db)
{
    return db->is_open;
}

char *statedb_error(struct statedb *db)
{
    pthread_mutex_lock(&db->lock);
    char *error = mem_strdup(db->error);
    pthread_mutex_unlock(&db->lock);
    return error;
}

struct store *statedb_store(struct statedb *db)
{
    return db->is_open ? db->store : NULL;
}

void statedb_submit(struct statedb *db, struct statedb_job *job)
{
    if (!db->is_open) {
        bool waits = job->waits && db->has_thread;
        if (!waits || db->n_waiting == STATEDB_WAITING_MAX) {
            job->done(job, waits ? -ENOBUFS : -ENODEV);
            return;
        }
        db->n_waiting++;
    }
    pthread_mutex_lock(&db->lock);
    queue_put(&db->todo, job);
    pthread_cond_signal(&db->more);
    pthread_mutex_unlock(&db->lock);
}
