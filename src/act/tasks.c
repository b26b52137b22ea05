// SPDX-License-Identifier: GPL-3.0-or-later
// Tasks on their way. Invariants: a task's row says running before its worker starts, and is over
// only when nothing of it runs any more; its audit outcome is written in the same transaction. A
// deed that fails, or broke off, is mended before its task is closed.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "act.h"
#include "base/log.h"
#include "base/mem.h"
#include "manage/auto.h"
#include "manage/queue.h"
#include "mending.h"

struct job *tasks_find(struct act *a, int64_t id)
{
    struct job *job = a->deeds.jobs;
    while (job && job->task.id != id)
        job = job->next;
    return job;
}

bool tasks_touch(const struct act *a, const char *vm)
{
    for (const struct job *j = a->deeds.jobs; j; j = j->next)
        if (strcmp(j->task.uuid, vm) == 0 || strcmp(j->task.vm, vm) == 0)
            return true;
    return false;
}

void tasks_refresh(struct act *a, struct job *job)
{
    uv_mutex_lock(&a->inbox.lock);
    job->task.progress = job->progress;
    const char *phrase = job->phrase;
    uv_mutex_unlock(&a->inbox.lock);
    mem_strset(&job->task.phrase, job->phase == JOB_BROKEN || job->phase == JOB_MENDING
                                      ? "putting things in order"
                                      : phrase);
}

/* Adding. */

static int store_task(struct act *a, struct task *t, const char *address, struct err *err)
{
    char *detail = json_dumps(t->body, JSON_COMPACT);
    const struct audit_entry entry = {.principal = t->principal,
                                      .address = address,
                                      .verb = t->deed->name,
                                      .object = t->vm,
                                      .detail = detail};
    int r = store_begin(a->state.store);
    if (r == 0) {
        r = audit_intent(a->state.audit, &entry, NULL, &t->intent);
        if (r == 0)
            r = task_add(a->state.store, t);
        if (r == 0)
            r = store_commit(a->state.store);
        else
            store_rollback(a->state.store);
    }
    free(detail);
    if (r == -EEXIST)
        return err_set(err, EEXIST, "this key has been used");
    return r < 0
               ? err_set(err, -r, "nothing was done, as it cannot be written to the audit log: %s",
                         strerror(-r))
               : 0;
}

int tasks_add(struct act *a, struct task *t, const char *address, struct err *err)
{
    struct deeds *d = &a->deeds;
    if (d->n_jobs >= TASKS_OPEN_MAX)
        return err_set(err, EAGAIN, "%d tasks are not over; try again later", TASKS_OPEN_MAX);
    t->created_ns = act_real_ns();
    int r = store_task(a, t, address, err);
    if (r < 0)
        return r;
    struct job *job = mem_zalloc(sizeof(*job));
    job->act = a;
    job->task = *t;
    job->progress = -1;
    struct job **at = &d->jobs;
    while (*at)
        at = &(*at)->next;
    *at = job;
    d->n_jobs++;
    return 0;
}

/* On a worker. */

// vherd's own end, or libvirt's, rather than a failure of the deed.
static bool is_interruption(int code)
{
    static const int codes[] = {EINTR, ENOTCONN, EPIPE, ECONNRESET, ECONNREFUSED};
    for (size_t i = 0; i < ARRAY_LEN(codes); i++)
        if (code == codes[i])
            return true;
    return false;
}

static void hand_over(struct work *w, void *arg)
{
    struct act *a = arg;
    struct job *job = (struct job *)w;
    uv_mutex_lock(&a->inbox.lock);
    job->work.next = a->deeds.back ? &a->deeds.back->work : NULL;
    a->deeds.back = job;
    uv_mutex_unlock(&a->inbox.lock);
    uv_async_send(&a->wake);
}

static int on_note(void *arg, const json_t *note)
{
    struct job *job = arg;
    struct act *a = job->act;
    struct note_wish wish = {.job = job, .note = note};
    uv_mutex_lock(&a->inbox.lock);
    wish.next = a->deeds.wishes;
    a->deeds.wishes = &wish;
    uv_async_send(&a->wake);
    while (!wish.answered)
        uv_cond_wait(&a->deeds.note_written, &a->inbox.lock);
    uv_mutex_unlock(&a->inbox.lock);
    return wish.result;
}

static void on_progress(void *arg, double ratio, const char *phrase)
{
    struct job *job = arg;
    uv_mutex_lock(&job->act->inbox.lock);
    job->progress = ratio;
    job->phrase = phrase;
    uv_mutex_unlock(&job->act->inbox.lock);
}

static bool is_cancelled(void *arg)
{
    return atomic_load(&((struct job *)arg)->cancel);
}

static int on_process(void *arg, const struct uuid *uuid, bool end)
{
    return strays_ask(((struct job *)arg)->act, uuid, end);
}

static void work_do(struct work *w)
{
    struct job *job = (struct job *)w;
    // Things may have changed since it was asked for.
    job->result = manage_check(&job->run, &job->err);
    json_array_clear(job->run.steps);
    if (job->result == 0)
        job->result = manage_do(&job->run, &job->err);
}

/* On the loop. */

static void write_notes(struct act *a)
{
    uv_mutex_lock(&a->inbox.lock);
    struct note_wish *wishes = TAKE_PTR(a->deeds.wishes);
    uv_mutex_unlock(&a->inbox.lock);
    if (!wishes)
        return;
    for (struct note_wish *w = wishes; w; w = w->next)
        w->result = task_note(a->state.store, w->job->task.id, w->note);
    uv_mutex_lock(&a->inbox.lock);
    // A wish lives on its worker's stack until it is answered.
    for (struct note_wish *w = wishes, *next; w; w = next) {
        next = w->next;
        w->answered = true;
    }
    uv_cond_broadcast(&a->deeds.note_written);
    uv_mutex_unlock(&a->inbox.lock);
}

static void drop(struct act *a, struct job *job)
{
    struct job **at = &a->deeds.jobs;
    while (*at != job)
        at = &(*at)->next;
    *at = job->next;
    a->deeds.n_jobs--;
    json_decref(job->run.steps);
    json_decref(job->run.result);
    json_decref(job->notes);
    task_done(&job->task);
    free(job);
}

static const enum audit_result audit_results[TASK_STATE_MAX] = {
    [TASK_DONE] = AUDIT_DONE,
    [TASK_FAILED] = AUDIT_FAILED,
    [TASK_CANCELLED] = AUDIT_CANCELLED,
};

static int store_end(struct act *a, struct job *job, enum task_state state, const char *message)
{
    int r = store_begin(a->state.store);
    if (r < 0)
        return r;
    r = task_finish(a->state.store, job->task.id, state, message, job->run.result, act_real_ns());
    if (r == 0)
        r = audit_outcome(a->state.audit, job->task.intent, audit_results[state], message);
    if (r == 0)
        return store_commit(a->state.store);
    store_rollback(a->state.store);
    return r;
}

static void cancel_queued(struct act *a, int64_t after, const char *batch, const char *why);

// What follows from a task that did not succeed: those that wait for it, and its batch.
static void spread(struct act *a, const struct task *t, enum task_state state)
{
    int64_t failures = 0;
    CLEANUP(freep)
    char *why = mem_printf("task %jd, which had to be done first, %s", (intmax_t)t->id,
                           state == TASK_FAILED ? "failed" : "was cancelled");
    cancel_queued(a, t->id, NULL, why);
    if (!t->batch || state != TASK_FAILED ||
        task_failures(a->state.store, t->batch, &failures) < 0 || failures <= t->max_failures)
        return;
    CLEANUP(freep)
    char *many = mem_printf("%jd tasks of its batch failed", (intmax_t)failures);
    cancel_queued(a, 0, t->batch, many);
}

static void release(struct act *a, const struct task *t)
{
    for (struct job *j = a->deeds.jobs; j; j = j->next)
        if (j->task.after == t->id)
            j->task.after = 0;
}

void tasks_finish(struct act *a, struct job *job, enum task_state state, const char *message)
{
    int r = store_end(a, job, state, message);
    if (r < 0) {
        // It stays open; after a restart it is mended and closed.
        log_error("task %jd: its end cannot be written: %s", (intmax_t)job->task.id, strerror(-r));
        job->phase = JOB_BROKEN;
        job->retry_ns = act_now() + MENDING_PAUSE_NS;
        return;
    }
    struct task t = job->task;
    job->task = (struct task){0};
    drop(a, job);
    if (state == TASK_DONE)
        release(a, &t);
    else
        spread(a, &t, state);
    task_done(&t);
}

static void cancel_queued(struct act *a, int64_t after, const char *batch, const char *why)
{
    struct job *j = a->deeds.jobs;
    while (j) {
        bool hit = j->phase == JOB_QUEUED &&
                   ((after && j->task.after == after) ||
                    (batch && j->task.batch && strcmp(j->task.batch, batch) == 0));
        if (hit) {
            tasks_finish(a, j, TASK_CANCELLED, why);
            j = a->deeds.jobs; // that may have taken out others
        } else {
            j = j->next;
        }
    }
}

int tasks_cancel(struct act *a, int64_t id, struct err *err)
{
    struct job *job = tasks_find(a, id);
    if (!job)
        return err_set(err, ESRCH, "the task is over");
    if (job->phase == JOB_QUEUED)
        tasks_finish(a, job, TASK_CANCELLED, "cancelled before it began");
    else
        atomic_store(&job->cancel, true);
    return 0;
}

size_t tasks_cancel_auto(struct act *a)
{
    size_t n = 0;
    struct job *next;
    for (struct job *job = a->deeds.jobs; job; job = next) {
        next = job->next;
        if (!auto_is(job->task.principal) || job->phase != JOB_QUEUED)
            continue;
        tasks_finish(a, job, TASK_CANCELLED, "cancelled: nothing is to be done by itself any more");
        n++;
    }
    return n;
}

static void fill_run(struct act *a, struct job *job)
{
    // What the deed found out stays, through its mending.
    json_t *result = job->run.result ? job->run.result : json_object();
    json_decref(job->run.steps);
    job->run = (struct manage_run){
        .ops = a->ops,
        .manage = virt_manage_of(a->ops),
        .virt = job->conn->virt,
        .deed = job->task.deed,
        .vm = job->task.vm,
        .principal = job->task.principal,
        .body = job->task.body,
        .steps = json_array(),
        .result = result,
        .interrupted = is_interruption(job->err.code),
        .note = on_note,
        .progress = on_progress,
        .cancelled = is_cancelled,
        .process = link_is_local(a) ? on_process : NULL,
        .arg = job,
    };
    (void)uuid_parse(job->task.uuid, strlen(job->task.uuid), &job->run.uuid);
}

bool tasks_submit(struct act *a, struct job *job, void (*run)(struct work *w))
{
    job->conn = link_use(a);
    if (!job->conn)
        return false;
    fill_run(a, job);
    job->work = (struct work){.run = run, .done = hand_over, .arg = a};
    if (workers_submit(a->deeds.workers, &job->work) == 0)
        return true;
    link_unuse(a, TAKE_PTR(job->conn));
    return false;
}

static void start(struct act *a, struct job *job, int64_t now)
{
    if (!job->task.deed) {
        job->phase = JOB_BROKEN; // closed there
        return;
    }
    int64_t real_ns = act_real_ns();
    int r = task_start(a->state.store, job->task.id, real_ns);
    if (r < 0) {
        log_error("task %jd cannot be started: %s", (intmax_t)job->task.id, strerror(-r));
        return;
    }
    job->task.state = TASK_RUNNING;
    job->task.started_ns = real_ns;
    job->err = (struct err){0};
    if (tasks_submit(a, job, work_do)) {
        job->phase = JOB_RUNNING;
        return;
    }
    err_set(&job->err, EAGAIN, "it could not be started");
    job->phase = JOB_BROKEN;
    job->retry_ns = now;
}

static void end_of_deed(struct act *a, struct job *job, int64_t now)
{
    if (job->result == 0) {
        tasks_finish(a, job, TASK_DONE, NULL);
        return;
    }
    job->phase = JOB_BROKEN;
    job->retry_ns = now;
}

static void take_back(struct act *a, int64_t now)
{
    uv_mutex_lock(&a->inbox.lock);
    struct job *job = TAKE_PTR(a->deeds.back);
    uv_mutex_unlock(&a->inbox.lock);
    while (job) {
        struct job *next = (struct job *)job->work.next;
        link_unuse(a, TAKE_PTR(job->conn));
        if (job->phase == JOB_RUNNING)
            end_of_deed(a, job, now);
        else
            mending_end(a, job, now);
        job = next;
    }
}

static void start_queued(struct act *a, int64_t now)
{
    struct deeds *d = &a->deeds;
    if (a->link.state != LINK_UP || d->n_jobs == 0)
        return;
    CLEANUP(freep) struct queue_item *items = mem_zalloc(d->n_jobs * sizeof(*items));
    CLEANUP(freep) struct job **jobs = mem_zalloc(d->n_jobs * sizeof(*jobs));
    CLEANUP(freep) size_t *chosen = mem_zalloc(d->n_jobs * sizeof(*chosen));
    size_t n = 0;
    for (struct job *j = d->jobs; j; j = j->next) {
        const struct task *t = &j->task;
        jobs[n] = j;
        items[n++] = (struct queue_item){
            .id = t->id,
            .vm = *t->uuid ? t->uuid : t->vm,
            .other = t->deed ? manage_other_name(t->deed, t->body) : NULL,
            .batch = t->batch,
            .parallel = t->parallel,
            .after = t->after,
            .running = j->phase != JOB_QUEUED,
        };
    }
    size_t n_chosen = queue_pick(items, n, (size_t)a->conf->act.parallel, chosen);
    for (size_t i = 0; i < n_chosen; i++)
        start(a, jobs[chosen[i]], now);
}

void tasks_step(struct act *a, int64_t now)
{
    strays_send(a);
    if (!deeds_ready(a, now))
        return;
    write_notes(a);
    take_back(a, now);
    mending_step(a, now);
    start_queued(a, now);
}

int64_t tasks_wake_ns(const struct act *a)
{
    int64_t wake = INT64_MAX;
    for (const struct job *j = a->deeds.jobs; j; j = j->next)
        if (j->phase == JOB_BROKEN && a->link.state == LINK_UP)
            wake = MIN_OF(wake, j->retry_ns);
    return wake;
}
