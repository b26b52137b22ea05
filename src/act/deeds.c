// SPDX-License-Identifier: GPL-3.0-or-later
// What is known of deeds from the time before. Without the database deeds are refused.
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "act.h"
#include "base/log.h"
#include "base/mem.h"

#define KEEP_NS (INT64_C(90) * 86400 * NS_PER_S)
#define RETRY_NS (5 * NS_PER_S)

int64_t act_real_ns(void)
{
    return clock_real_ns(&clock_system);
}

static struct job *job_of(struct act *a, const struct task *t)
{
    struct job *job = mem_zalloc(sizeof(*job));
    job->act = a;
    job->task = *t;
    job->progress = -1;
    job->phase = t->state == TASK_QUEUED ? JOB_QUEUED : JOB_BROKEN;
    if (job->phase == JOB_BROKEN)
        err_set(&job->err, EINTR, "vherd ended in the middle of it");
    return job;
}

// Tasks of the time before; those under way broke off.
static int take_open(struct act *a, struct err *err)
{
    struct deeds *d = &a->deeds;
    struct task *tasks = NULL;
    size_t n = 0;
    int r = task_prune(a->state.store, act_real_ns() - KEEP_NS);
    if (r == 0)
        r = task_open(a->state.store, &tasks, &n);
    if (r < 0)
        return err_set(err, -r, "reading tasks: %s", store_message(a->state.store));
    struct job **at = &d->jobs;
    for (size_t i = 0; i < n; i++) {
        *at = job_of(a, &tasks[i]);
        at = &(*at)->next;
    }
    d->n_jobs = n;
    free(tasks); // what they hold is the jobs' now
    return 0;
}

void deeds_open(struct act *a)
{
    struct deeds *d = &a->deeds;
    d->workers = workers_new(DEED_THREADS);
    uv_cond_init(&d->note_written);
}

bool deeds_ready(struct act *a, int64_t now)
{
    struct deeds *d = &a->deeds;
    struct err err = {0};
    if (!state_ready(&a->state, now) || now < d->retry_ns)
        return false;
    if (d->loaded)
        return true;
    d->loaded = take_open(a, &err) == 0;
    if (!d->loaded) {
        log_warning("VMs cannot be managed: %s", err.message);
        d->retry_ns = now + RETRY_NS;
    }
    return d->loaded;
}
