// SPDX-License-Identifier: GPL-3.0-or-later
// act's database: tasks and the audit log. Without it act goes on reading, and refuses deeds.
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "act.h"
#include "base/log.h"
#include "base/mem.h"

#define KEEP_NS (INT64_C(90) * 86400 * NS_PER_S)

int64_t act_real_ns(void)
{
    return clock_real_ns(&clock_system);
}

static int open_database(struct deeds *d, const char *directory, struct err *err)
{
    static const struct store_schema *const schemas[] = {&audit_schema, &task_schema};
    CLEANUP(freep) char *path = mem_printf("%s/act.db", directory);
    int r = store_directory(directory, err);
    if (r == 0)
        r = store_open(path, schemas, ARRAY_LEN(schemas), &d->store, err);
    if (r < 0)
        return r;
    r = audit_new(d->store, &clock_system, &d->audit);
    if (r == 0)
        return 0;
    store_close(TAKE_PTR(d->store));
    return err_set(err, -r, "the audit log in %s: %s", path, strerror(-r));
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
    int r = task_prune(d->store, act_real_ns() - KEEP_NS);
    if (r == 0)
        r = task_open(d->store, &tasks, &n);
    if (r < 0)
        return err_set(err, -r, "reading tasks: %s", store_message(d->store));
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
    CLEANUP(freep) char *directory = conf_act_state(a->conf);
    d->workers = workers_new(DEED_THREADS);
    uv_cond_init(&d->note_written);
    int r = open_database(d, directory, &d->err);
    if (r == 0)
        r = take_open(a, &d->err);
    if (r == 0)
        return;
    log_warning("VMs cannot be managed: %s", d->err.message);
    audit_free(TAKE_PTR(d->audit));
    store_close(TAKE_PTR(d->store));
}
