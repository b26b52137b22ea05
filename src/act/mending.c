// SPDX-License-Identifier: GPL-3.0-or-later
// Putting in order what broke off. A try is counted on disk before it is begun and stays counted
// when it comes to nothing, also by ending act, so that no task is tried for ever; what libvirt's
// loss or vherd's own end cuts short is counted back.
#include "mending.h"

#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"

#define PAUSE_MAX_NS (64 * NS_PER_S)
#define TRIES_QUICK 4 // then each pause is twice the last one
#define TRIES_MAX 10

static void work_mend(struct work *w)
{
    struct job *job = (struct job *)w;
    struct err why = {0};
    job->result = manage_mend(&job->run, job->notes, job->now, sizeof(job->now), &why);
    if (job->result == 0 || job->result == 1)
        return;
    // Asked before the loop can have replaced the connection.
    job->lost = !job->run.ops->alive(job->run.virt);
    snprintf(job->now, sizeof(job->now), "%.500s", why.message);
    log_warning("task %jd cannot be closed yet: %s", (intmax_t)job->task.id, why.message);
}

static int64_t pause_ns(int64_t mends)
{
    int64_t pause = MENDING_PAUSE_NS;
    for (int64_t i = TRIES_QUICK; i < mends && pause < PAUSE_MAX_NS; i++)
        pause *= 2;
    return pause;
}

// Tries that ended act, or that libvirt refused for reasons of its own, come to an end.
static void give_up(struct act *a, struct job *job)
{
    char left[512];
    manage_left(job->notes, left, sizeof(left));
    CLEANUP(freep)
    char *message =
        mem_printf("%s; putting things in order was tried %jd times without success%s%s "
                   "and is given up: the VM may be half-way%s%s",
                   job->err.message, (intmax_t)job->task.mends, *job->now ? ": " : "", job->now,
                   *left ? "; of this deed there may be left: " : "", left);
    log_error("task %jd is given up: %s", (intmax_t)job->task.id, message);
    tasks_finish(a, job, TASK_FAILED, message);
}

static void uncount(struct act *a, struct job *job)
{
    job->task.mends--;
    (void)task_mends(a->state.store, job->task.id, job->task.mends);
}

// False where the task was closed instead.
static bool start_mending(struct act *a, struct job *job, int64_t now)
{
    if (a->link.state != LINK_UP)
        return true;
    job->retry_ns = now + pause_ns(job->task.mends);
    json_decref(job->notes);
    job->notes = NULL;
    if (task_notes(a->state.store, job->task.id, &job->notes) < 0)
        return true;
    if (job->task.mends >= TRIES_MAX) {
        give_up(a, job);
        return false;
    }
    if (task_mends(a->state.store, job->task.id, job->task.mends + 1) < 0)
        return true;
    job->task.mends++;
    if (tasks_submit(a, job, work_mend))
        job->phase = JOB_MENDING;
    else
        uncount(a, job);
    return true;
}

// What became of the VM meanwhile, where its owner would be astonished; or NULL.
static const char *news(const struct job *job)
{
    static const char *const keys[] = {"restarted", "resumed"};
    const char *text = NULL;
    for (size_t i = 0; !text && i < ARRAY_LEN(keys); i++)
        text = json_string_value(json_object_get(job->run.result, keys[i]));
    return text;
}

void mending_end(struct act *a, struct job *job, int64_t now)
{
    if (job->result < 0) {
        job->phase = JOB_BROKEN;
        // That libvirt went away is no fault of the try.
        if (job->lost)
            uncount(a, job);
        job->retry_ns = now + pause_ns(job->task.mends);
        return;
    }
    const char *told = news(job);
    if (job->result == 1) {
        tasks_finish(a, job, TASK_DONE, told);
        return;
    }
    CLEANUP(freep)
    char *message =
        mem_printf("%s; %s%s%s", job->err.message, job->now, told ? "; " : "", told ? told : "");
    tasks_finish(a, job, job->err.code == ECANCELED ? TASK_CANCELLED : TASK_FAILED, message);
}

void mending_step(struct act *a, int64_t now)
{
    for (struct job *j = a->deeds.jobs, *next; j; j = next) {
        next = j->next;
        if (j->phase != JOB_BROKEN || now < j->retry_ns)
            continue;
        bool known = j->task.deed != NULL;
        if (known && start_mending(a, j, now))
            continue;
        if (!known)
            tasks_finish(a, j, TASK_FAILED, "this version of vherd does not know the deed");
        next = a->deeds.jobs; // it is gone, and may have taken out others
    }
}

void mending_stop(struct act *a)
{
    for (struct job *j = a->deeds.jobs; j; j = j->next)
        if (j->phase == JOB_MENDING)
            uncount(a, j);
}
