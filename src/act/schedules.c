// SPDX-License-Identifier: GPL-3.0-or-later
// Schedules on their way. A run finds its VMs on a worker, by libvirt's list and the owner's rights
// as they are now, and adds a task for each. Invariants: one run of a schedule at a time; its due
// time moves on only when all of its tasks are added, and each task has a key made of schedule, due
// time and VM, so that a run that was cut short adds the rest, and nothing twice.
#include "schedules.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "act.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/number.h"
#include "manage/select.h"
#include "schedule_run.h"
#include "verdict.h"

#define LOOK_NS (60 * NS_PER_S) // the clock may be set meanwhile
#define NOT_READY_NS NS_PER_S   // until the database is looked at again
#define RETRY_NS (5 * NS_PER_S)
#define TASKS_PER_TURN 16 // each is an fsync
#define GROUPS_MAX 1024

static int64_t real_s(void)
{
    return act_real_ns() / NS_PER_S;
}

/* Whose rights. */

static void grant_all(struct grant *g, enum verb_role role)
{
    g->role = role;
    g->scope.all = g->limit.all = true;
}

static bool is_member(uid_t uid, const char *group_name)
{
    const struct group *group = *group_name ? getgrnam(group_name) : NULL;
    gid_t wanted = group ? group->gr_gid : 0;
    const struct passwd *who = group ? getpwuid(uid) : NULL;
    gid_t groups[GROUPS_MAX];
    int n = GROUPS_MAX;
    if (!who || getgrouplist(who->pw_name, who->pw_gid, groups, &n) < 0)
        return false;
    for (int i = 0; i < n; i++)
        if (groups[i] == wanted)
            return true;
    return false;
}

// As core decides for a connection to the Unix socket.
static int unix_standing(const struct act *a, const char *principal, struct grant *g)
{
    uint64_t uid = 0;
    if (number_parse_u64(principal + strlen("unix:"), &uid) < 0 || uid > UINT32_MAX)
        return -EACCES;
    *g = (struct grant){0};
    memcpy(g->principal, principal, MIN_OF(strlen(principal), sizeof(g->principal) - 1));
    if (uid == 0 || uid == geteuid())
        grant_all(g, ROLE_ADMIN);
    else if (is_member((uid_t)uid, a->conf->web.socket_group))
        grant_all(g, (enum verb_role)a->conf->web.socket_role);
    return g->role == ROLE_NONE ? -EACCES : 0;
}

static int standing(struct act *a, const char *principal, struct grant *ret)
{
    int r = strncmp(principal, "unix:", 5) == 0
                ? unix_standing(a, principal, ret)
                : account_standing(a->state.accounts, principal, ret);
    if (r == 0)
        ret->expires_ns = INT64_MAX;
    return r;
}

/* What came of it. */

static void looked(struct act *a, const struct schedule *s, int64_t next_s, const char *message)
{
    int r = schedule_looked(a->state.store, s->id, real_s(), next_s, message);
    if (r < 0 && r != -ENOENT)
        log_error("schedule %s cannot be written: %s", s->name, strerror(-r));
}

static void refused(struct act *a, const struct schedule *s, int64_t next_s, const char *why)
{
    const struct audit_entry entry = {.principal = s->principal,
                                      .verb = s->deed ? s->deed->name : "schedule",
                                      .object = s->name,
                                      .detail = why,
                                      .result = AUDIT_REFUSED};
    state_refused(&a->state, &entry, act_now());
    looked(a, s, next_s, why);
}

static void run_free(struct schedule_run *run)
{
    schedule_done(&run->schedule);
    grant_done(&run->grant);
    json_decref(run->fields);
    json_decref(run->chosen);
    free(run->batch);
    free(run);
}

/* On a worker. */

static bool may(void *arg, const struct virt_spec *spec)
{
    const struct schedule_run *run = arg;
    return verdict_on_deed(&run->grant, run->schedule.deed, run->fields, spec) == AUTH_ALLOWED;
}

static void work_select(struct work *w)
{
    struct schedule_run *run = (struct schedule_run *)w;
    run->result = select_run(run->act->ops, run->conn->virt, run->schedule.select, may, run,
                             &run->chosen, &run->err);
    size_t i;
    json_t *vm;
    if (run->result < 0 || !schedule_run_keeps(run))
        return;
    json_array_foreach(run->chosen, i, vm)
    {
        schedule_run_look(run, vm);
    }
}

static void hand_over(struct work *w, void *arg)
{
    struct act *a = arg;
    struct schedule_run *run = (struct schedule_run *)w;
    uv_mutex_lock(&a->inbox.lock);
    run->work.next = a->schedules.back ? &a->schedules.back->work : NULL;
    a->schedules.back = run;
    uv_mutex_unlock(&a->inbox.lock);
    uv_async_send(&a->wake);
}

/* Beginning. */

static bool is_under_way(const struct act *a, int64_t id)
{
    for (const struct schedule_run *run = a->schedules.runs; run; run = run->next)
        if (run->schedule.id == id)
            return true;
    return false;
}

static bool has_open_tasks(const struct act *a, int64_t id)
{
    CLEANUP(freep) char *head = mem_printf("schedule-%jd-", (intmax_t)id);
    for (const struct job *j = a->deeds.jobs; j; j = j->next)
        if (j->task.batch && strncmp(j->task.batch, head, strlen(head)) == 0)
            return true;
    return false;
}

static int prepare(struct act *a, struct schedule_run *run, struct err *err)
{
    const struct schedule *s = &run->schedule;
    const time_t due = (time_t)run->due_s;
    struct tm when;
    if (!s->deed)
        return err_set(err, EPERM, "this version of vherd does not know the deed");
    if (standing(a, s->principal, &run->grant) < 0 || run->grant.role < s->deed->role)
        return err_set(err, EPERM, "%s may not do this (any more)", s->principal);
    if (has_open_tasks(a, s->id))
        return err_set(err, EBUSY, "left out: tasks of the run before are not over");
    if (!localtime_r(&due, &when))
        return err_set(err, EINVAL, "this time has no date");
    return schedule_fields(s, &when, &run->fields, err);
}

// Takes `s`. 0: it is on its way; -errno: what is wrong, in words; -EAGAIN: not now.
static int start(struct act *a, struct schedule *s, int64_t due_s, int64_t next_s, bool late,
                 struct err *err)
{
    struct schedule_run *run = mem_zalloc(sizeof(*run));
    *run = (struct schedule_run){
        .act = a, .schedule = *s, .due_s = due_s, .next_s = next_s, .late = late};
    *s = (struct schedule){0};
    run->batch = mem_printf("schedule-%jd-%jd", (intmax_t)run->schedule.id, (intmax_t)due_s);
    int r = prepare(a, run, err);
    if (r == 0)
        run->conn = link_use(a);
    if (r == 0 && !run->conn)
        r = err_set(err, EAGAIN, "libvirt is not there");
    run->work = (struct work){.run = work_select, .done = hand_over, .arg = a};
    if (r == 0 && workers_submit(a->deeds.workers, &run->work) < 0) {
        link_unuse(a, TAKE_PTR(run->conn));
        r = err_set(err, EAGAIN, "no thread is free");
    }
    if (r < 0) {
        *s = run->schedule; // back to the caller
        run->schedule = (struct schedule){0};
        run_free(run);
        return r;
    }
    run->next = a->schedules.runs;
    a->schedules.runs = run;
    return 0;
}

// One that is due. Takes `s`.
static void begin(struct act *a, struct schedule *s, int64_t next_s, bool late, int64_t now)
{
    struct err err = {0};
    int r = start(a, s, s->due_s, next_s, late, &err);
    if (r == -EAGAIN)
        a->schedules.look_ns = MIN_OF(a->schedules.look_ns, now + RETRY_NS);
    else if (r == -EPERM)
        refused(a, s, next_s, err.message);
    else if (r < 0)
        looked(a, s, next_s, err.message);
    schedule_done(s);
}

/* Ending. */

static void finish(struct act *a, struct schedule_run *run, const char *why)
{
    struct schedule_run **at = &a->schedules.runs;
    while (*at != run)
        at = &(*at)->next;
    *at = run->next;
    CLEANUP(freep)
    char *message = why ? mem_printf("%zu tasks; then: %s", run->added, why)
                        : mem_printf("%s%zu tasks in the batch %s", run->late ? "late: " : "",
                                     run->added, run->batch);
    CLEANUP(freep)
    char *stuck =
        mem_printf("%s; %zu old snapshots stay, as deleting them failed (task %jd); that is tried "
                   "again after a day",
                   message, run->stuck, (intmax_t)run->stuck_task);
    if (!why && run->stuck > 0)
        mem_strset(&message, stuck);
    looked(a, &run->schedule, run->next_s,
           !why && json_array_size(run->chosen) == 0 ? "no VM fits" : message);
    run_free(run);
}

// False where there is more to add in the next turn.
static bool go_on(struct act *a, struct schedule_run *run)
{
    struct err err = {0};
    if (run->result < 0) {
        finish(a, run, run->err.message);
        return true;
    }
    for (int i = 0; i < TASKS_PER_TURN && run->at < json_array_size(run->chosen); i++)
        if (schedule_run_add(run, json_array_get(run->chosen, run->at++), &err) < 0) {
            finish(a, run, err.message);
            return true;
        }
    if (run->at < json_array_size(run->chosen))
        return false;
    finish(a, run, NULL);
    return true;
}

static void take_back(struct act *a)
{
    uv_mutex_lock(&a->inbox.lock);
    struct schedule_run *run = TAKE_PTR(a->schedules.back);
    uv_mutex_unlock(&a->inbox.lock);
    while (run) {
        struct schedule_run *next = (struct schedule_run *)run->work.next;
        link_unuse(a, TAKE_PTR(run->conn));
        run = next;
    }
}

static void add_tasks(struct act *a, int64_t now)
{
    for (struct schedule_run *run = a->schedules.runs, *next; run; run = next) {
        next = run->next;
        if (!run->conn && !go_on(a, run))
            a->schedules.look_ns = now;
    }
}

/* The clock. */

struct list {
    struct schedule *items;
    size_t n, cap;
    int64_t earliest_s;
    const struct act *act;
};

static json_t *copy(const json_t *value)
{
    return json_deep_copy(value);
}

static void collect(const struct schedule *s, void *arg)
{
    struct list *l = arg;
    if (s->paused || is_under_way(l->act, s->id))
        return;
    l->earliest_s = MIN_OF(l->earliest_s, s->due_s);
    if (s->due_s > real_s())
        return;
    mem_grow(&l->items, &l->cap, l->n, sizeof(*l->items));
    struct schedule *mine = &l->items[l->n++];
    *mine = *s;
    mine->name = mem_strdup(s->name);
    mine->principal = mem_strdup(s->principal);
    mine->cron = mem_strdup(s->cron);
    mine->message = mem_strdup(s->message);
    mine->fields = copy(s->fields);
    mine->select = copy(s->select);
}

static void judge(struct act *a, struct schedule *s, int64_t now)
{
    struct cron cron;
    struct err err = {0};
    int64_t next_s = 0;
    if (cron_parse(s->cron, &cron, &err) < 0) {
        looked(a, s, INT64_MAX, err.message);
        schedule_done(s);
        return;
    }
    switch (schedule_judge(&cron, s->once, s->due_s, real_s(), localtime_r, &next_s)) {
    case SCHEDULE_RUN:
        begin(a, s, next_s, false, now);
        return;
    case SCHEDULE_MISSED_RUN:
        begin(a, s, next_s, true, now);
        return;
    case SCHEDULE_MISSED_SKIP:
        looked(a, s, next_s, "missed, and left out: vherd or libvirt was not there at that time");
        break;
    case SCHEDULE_WAIT:
        break;
    }
    schedule_done(s);
}

void schedules_step(struct act *a, int64_t now)
{
    struct list list = {.earliest_s = INT64_MAX, .act = a};
    if (!deeds_ready(a, now)) {
        // A time that is past would make the loop spin.
        a->schedules.look_ns = now + NOT_READY_NS;
        return;
    }
    take_back(a);
    bool due = now >= a->schedules.look_ns;
    if (due)
        a->schedules.look_ns = now + LOOK_NS;
    add_tasks(a, now);
    if (!due)
        return;
    (void)schedule_each(a->state.store, NULL, collect, &list);
    for (size_t i = 0; i < list.n; i++)
        judge(a, &list.items[i], now);
    free(list.items);
    int64_t wait_s = list.earliest_s - MIN_OF(real_s(), list.earliest_s);
    if (wait_s > 0 && wait_s < LOOK_NS / NS_PER_S)
        a->schedules.look_ns = MIN_OF(a->schedules.look_ns, now + wait_s * NS_PER_S);
}

int64_t schedules_wake_ns(const struct act *a)
{
    return a->schedules.look_ns;
}

void schedules_changed(struct act *a)
{
    a->schedules.look_ns = 0;
}

int schedules_run_now(struct act *a, struct schedule *s, char **ret_batch, struct err *err)
{
    int64_t now_s = real_s(), next_s = s->due_s;
    if (is_under_way(a, s->id))
        return err_set(err, EBUSY, "it is running already");
    char *batch = mem_printf("schedule-%jd-%jd", (intmax_t)s->id, (intmax_t)now_s);
    int r = start(a, s, now_s, next_s, false, err);
    if (r < 0)
        free(batch);
    else
        *ret_batch = batch;
    return r;
}
