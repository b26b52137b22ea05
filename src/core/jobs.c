// SPDX-License-Identifier: GPL-3.0-or-later
// Invariants: a job is READY (in `ready`), WORKING (a worker's, or in `done`) or PAUSED (its client
// has as many pieces as it may). Only a WORKING job is touched by another thread, and of it the
// loop touches `cancelled` alone. A forgotten one that is WORKING goes when it comes back.
// A worker takes one ready job after the other until there is none, and the loop is woken once for
// all that are done by then: under load a job costs no change of threads, and one by itself wakes
// the loop once. `lock` guards the two
// lists and who owns a job, and is held for a few instructions.
#include "jobs.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/ipc.h"

// More than a piece, as what is put last may be of any length.
#define PIECE_MAX ((size_t)64 * 1024 * 1024)

enum job_state {
    JOB_READY,
    JOB_WORKING,
    JOB_PAUSED,
};

struct job {
    struct jobs *jobs;
    struct job *next, **link; // of all
    struct job *next_in_list; // of those that are READY, or done
    uint32_t id;
    enum job_state state;
    const struct job_ops *ops;
    void *arg;
    int64_t deadline_ns;
    atomic_bool cancelled;
    bool ran, begun, more;
    int status;
    unsigned credit; // pieces that may be sent
    size_t held;
    struct buf out;
};

struct list {
    struct job *first, **end;
};

struct jobs {
    struct jobs_params params;
    struct job *all;
    size_t count, workers, concurrency, most;
    size_t held, most_held;
    bool ending; // nothing new is taken while the last workers are waited for
    bool closed;
    uv_async_t wake;
    pthread_mutex_t lock;
    struct list ready, done;
};

struct worker {
    uv_work_t work;
    struct jobs *jobs;
};

static void list_add(struct list *l, struct job *job)
{
    job->next_in_list = NULL;
    *(l->first ? l->end : &l->first) = job;
    l->end = &job->next_in_list;
}

static struct job *list_take(struct list *l)
{
    struct job *job = l->first;
    if (job)
        l->first = job->next_in_list;
    return job;
}

static void list_remove(struct list *l, struct job *job)
{
    for (struct job **at = &l->first; *at; at = &(*at)->next_in_list) {
        if (*at != job)
            continue;
        *at = job->next_in_list;
        if (!*at)
            l->end = at;
        return;
    }
}

static void on_wake(uv_async_t *wake);

struct jobs *jobs_new(const struct jobs_params *p)
{
    struct jobs *j = mem_zalloc(sizeof(*j));
    j->params = *p;
    pthread_mutex_init(&j->lock, NULL);
    uv_async_init(p->loop, &j->wake, on_wake);
    uv_unref((uv_handle_t *)&j->wake);
    j->wake.data = j;
    j->concurrency = 1;
    j->most = j->most_held = SIZE_MAX;
    return j;
}

static void job_free(struct job *job)
{
    struct jobs *j = job->jobs;
    *job->link = job->next;
    if (job->next)
        job->next->link = job->link;
    j->count--;
    j->held -= job->held;
    job->ops->free(job->arg);
    buf_done(&job->out);
    free(job);
}

static void put_ready(struct job *job)
{
    struct jobs *j = job->jobs;
    pthread_mutex_lock(&j->lock);
    job->state = JOB_READY;
    list_add(&j->ready, job);
    pthread_mutex_unlock(&j->lock);
}

static void work_on(struct job *job)
{
    struct job_limits limits = {job->deadline_ns, &job->cancelled};
    if (!job->ran)
        job->status = job->ops->run(job->arg, &limits, &job->out, &job->more);
    else
        job->more = job->ops->next(job->arg, &job->out);
    job->ran = true;
}

// With the one that is done, if any, goes the next of those that are ready.
static struct job *take_next(struct jobs *j, struct job *done)
{
    pthread_mutex_lock(&j->lock);
    if (done)
        list_add(&j->done, done);
    struct job *job = list_take(&j->ready);
    if (job)
        job->state = JOB_WORKING;
    pthread_mutex_unlock(&j->lock);
    return job;
}

static void on_worker(uv_work_t *work)
{
    struct jobs *j = ((struct worker *)work->data)->jobs;
    struct job *done = NULL, *job;
    pthread_setname_np(pthread_self(), "pool");
    while ((job = take_next(j, done))) {
        if (done)
            uv_async_send(&j->wake);
        work_on(job);
        done = job;
    }
    // The last is seen by after_worker(), for which libuv wakes the loop anyway.
}

static void send_out(struct job *job)
{
    const struct jobs_params *p = &job->jobs->params;
    const struct buf *out = &job->out;
    bool broken = out->error != 0;
    if (!job->begun) {
        const char *type = p->type;
        if (job->status >= 400 && job->ops->failed_type)
            type = job->ops->failed_type;
        else if (job->status == 200 && job->ops->type)
            type = job->ops->type;
        p->send(p->arg, job->more ? IPC_BEGIN : IPC_RESPONSE, job->id, job->status, type,
                strlen(type) + 1, out->data, out->len);
        job->begun = true;
        if (!job->more)
            return;
    } else if (!broken) {
        p->send(p->arg, IPC_PIECE, job->id, 0, out->data, out->len, NULL, 0);
    }
    job->credit--;
    if (!job->more || broken)
        p->send(p->arg, IPC_END, job->id, broken, NULL, 0, NULL, 0);
}

static void dispatch(struct jobs *j);

static void finish(struct job *job)
{
    struct jobs *j = job->jobs;
    if (!job->begun && job->ops->held) {
        job->held = job->ops->held(job->arg);
        j->held += job->held;
    }
    if (!job->cancelled)
        send_out(job);
    bool over = job->cancelled || !job->more || job->out.error;
    buf_reset(&job->out);
    if (over)
        job_free(job);
    else if (job->credit > 0)
        put_ready(job);
    else
        job->state = JOB_PAUSED;
}

static void finish_done(struct jobs *j)
{
    pthread_mutex_lock(&j->lock);
    struct job *job = j->done.first;
    j->done.first = NULL;
    pthread_mutex_unlock(&j->lock);
    for (struct job *next; job; job = next) {
        next = job->next_in_list;
        finish(job);
    }
    dispatch(j);
}

static void on_wake(uv_async_t *wake)
{
    finish_done(wake->data);
}

static void after_worker(uv_work_t *work, int status)
{
    struct worker *w = work->data;
    struct jobs *j = w->jobs;
    free(w);
    j->workers--;
    finish_done(j);
}

// A worker that has just found nothing comes back here, where what came meanwhile is seen.
static void dispatch(struct jobs *j)
{
    pthread_mutex_lock(&j->lock);
    bool any = j->ready.first != NULL;
    pthread_mutex_unlock(&j->lock);
    if (!any || j->workers >= j->concurrency)
        return;
    struct worker *w = mem_zalloc(sizeof(*w));
    w->work.data = w;
    w->jobs = j;
    j->workers++;
    uv_queue_work(j->params.loop, &w->work, on_worker, after_worker);
}

static void on_closed(uv_handle_t *handle)
{
    ((struct jobs *)handle->data)->closed = true;
}

void jobs_free(struct jobs *j)
{
    if (!j)
        return;
    j->ending = true;
    jobs_forget_all(j);
    while (j->workers > 0)
        uv_run(j->params.loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&j->wake, on_closed);
    while (!j->closed)
        uv_run(j->params.loop, UV_RUN_ONCE);
    pthread_mutex_destroy(&j->lock);
    free(j);
}

void jobs_limit(struct jobs *j, size_t concurrency, size_t most, size_t most_held)
{
    j->concurrency = concurrency;
    j->most = most;
    j->most_held = most_held;
    dispatch(j);
}

int jobs_add(struct jobs *j, uint32_t id, const struct job_ops *ops, void *arg, int64_t deadline_ns)
{
    bool busy = j->ending || j->count >= j->most;
    if (busy || j->held > j->most_held) {
        ops->free(arg);
        return busy ? -EBUSY : -ENOMEM;
    }
    struct job *job = mem_zalloc(sizeof(*job));
    job->jobs = j;
    job->next = j->all;
    job->link = &j->all;
    if (j->all)
        j->all->link = &job->next;
    job->id = id;
    job->ops = ops;
    job->arg = arg;
    job->deadline_ns = deadline_ns;
    job->credit = IPC_PIECES_AHEAD;
    buf_init(&job->out, PIECE_MAX);
    j->all = job;
    j->count++;
    put_ready(job);
    dispatch(j);
    return 0;
}

static struct job *find(struct jobs *j, uint32_t id)
{
    struct job *job = j->all;
    while (job && job->id != id)
        job = job->next;
    return job;
}

void jobs_more(struct jobs *j, uint32_t id)
{
    struct job *job = find(j, id);
    if (!job)
        return;
    job->credit = MIN_OF(job->credit + 1, (unsigned)IPC_PIECES_AHEAD);
    pthread_mutex_lock(&j->lock);
    bool is_paused = job->state == JOB_PAUSED;
    pthread_mutex_unlock(&j->lock);
    if (is_paused) {
        put_ready(job);
        dispatch(j);
    }
}

static void forget(struct job *job)
{
    struct jobs *j = job->jobs;
    job->cancelled = true;
    pthread_mutex_lock(&j->lock);
    bool is_working = job->state == JOB_WORKING;
    if (job->state == JOB_READY)
        list_remove(&j->ready, job);
    pthread_mutex_unlock(&j->lock);
    if (!is_working)
        job_free(job);
}

void jobs_forget(struct jobs *j, uint32_t id)
{
    struct job *job = find(j, id);
    if (job)
        forget(job);
}

void jobs_forget_all(struct jobs *j)
{
    for (struct job *job = j->all, *next; job; job = next) {
        next = job->next;
        forget(job);
    }
}

size_t jobs_count(const struct jobs *j)
{
    return j->count;
}
