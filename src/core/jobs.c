// SPDX-License-Identifier: GPL-3.0-or-later
// Invariants: a job is READY (in `ready`), WORKING (libuv's, on a worker) or PAUSED (its client
// has as many pieces as it may). Only a WORKING job is touched by another thread, and of it the
// loop touches `cancelled` alone. A forgotten one that is WORKING goes when it comes back.
#include "jobs.h"

#include <errno.h>
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
    uv_work_t work;
    struct jobs *jobs;
    struct job *next;       // of all
    struct job *next_ready; // of those that are READY
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

struct jobs {
    struct jobs_params params;
    struct job *all;
    struct job *ready, **ready_end;
    size_t count, working, concurrency, most;
    size_t held, most_held;
};

struct jobs *jobs_new(const struct jobs_params *p)
{
    struct jobs *j = mem_zalloc(sizeof(*j));
    j->params = *p;
    j->ready_end = &j->ready;
    j->concurrency = 1;
    j->most = j->most_held = SIZE_MAX;
    return j;
}

static void job_free(struct job *job)
{
    struct jobs *j = job->jobs;
    for (struct job **at = &j->all; *at; at = &(*at)->next) {
        if (*at == job) {
            *at = job->next;
            break;
        }
    }
    j->count--;
    j->held -= job->held;
    job->ops->free(job->arg);
    buf_done(&job->out);
    free(job);
}

static void put_ready(struct job *job)
{
    struct jobs *j = job->jobs;
    job->state = JOB_READY;
    job->next_ready = NULL;
    *j->ready_end = job;
    j->ready_end = &job->next_ready;
}

static void take_ready(struct jobs *j, struct job *job)
{
    for (struct job **at = &j->ready; *at; at = &(*at)->next_ready) {
        if (*at != job)
            continue;
        *at = job->next_ready;
        if (!*at)
            j->ready_end = at;
        return;
    }
}

static void on_worker(uv_work_t *work)
{
    struct job *job = work->data;
    struct job_limits limits = {job->deadline_ns, &job->cancelled};
    if (!job->ran)
        job->status = job->ops->run(job->arg, &limits, &job->out, &job->more);
    else
        job->more = job->ops->next(job->arg, &job->out);
    job->ran = true;
}

static void send_out(struct job *job)
{
    const struct jobs_params *p = &job->jobs->params;
    const struct buf *out = &job->out;
    bool broken = out->error != 0;
    if (!job->begun) {
        const char *failed = job->status >= 400 ? job->ops->failed_type : NULL;
        const char *type = failed ? failed : p->type;
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

static void after_work(uv_work_t *work, int status)
{
    struct job *job = work->data;
    struct jobs *j = job->jobs;
    j->working--;
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
    dispatch(j);
}

static void dispatch(struct jobs *j)
{
    while (j->ready && j->working < j->concurrency) {
        struct job *job = j->ready;
        take_ready(j, job);
        job->state = JOB_WORKING;
        j->working++;
        uv_queue_work(j->params.loop, &job->work, on_worker, after_work);
    }
}

void jobs_free(struct jobs *j)
{
    if (!j)
        return;
    jobs_forget_all(j);
    while (j->working > 0)
        uv_run(j->params.loop, UV_RUN_ONCE);
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
    if (j->count >= j->most || j->held > j->most_held) {
        ops->free(arg);
        return j->count >= j->most ? -EBUSY : -ENOMEM;
    }
    struct job *job = mem_zalloc(sizeof(*job));
    job->work.data = job;
    job->jobs = j;
    job->next = j->all;
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
    if (job->state == JOB_PAUSED) {
        put_ready(job);
        dispatch(j);
    }
}

static void forget(struct job *job)
{
    job->cancelled = true;
    if (job->state == JOB_WORKING)
        return;
    if (job->state == JOB_READY)
        take_ready(job->jobs, job);
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
