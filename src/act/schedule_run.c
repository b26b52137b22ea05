// SPDX-License-Identifier: GPL-3.0-or-later
// What one run of a schedule adds for one VM, and which of its snapshots have become too many.
#include "schedule_run.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "manage/retention.h"

void schedule_run_look(struct schedule_run *run, json_t *vm)
{
    const struct virt_manage *manage = virt_manage_of(run->act->ops);
    const char *text = json_string_value(json_object_get(vm, "uuid"));
    struct virt_snapshot *all = NULL;
    struct uuid uuid;
    size_t n = 0;
    if (!uuid_parse(text, strlen(text), &uuid) ||
        manage->snapshots(run->conn->virt, &uuid, &all, &n, NULL) < 0)
        return;
    json_t *names = json_object();
    for (size_t i = 0; i < n; i++)
        json_object_set_new(names, all[i].name, json_true());
    json_object_set_new(vm, "snapshots", names);
    virt_snapshots_free(all, n);
}

#define AGAIN_NS (24 * 3600 * NS_PER_S) // a deletion that failed is not asked for before
#define ALL_MAY_FAIL 1000000            // one old snapshot that stays keeps nobody from a new one

// Takes `body`. The task's number, that of one added before vherd was killed, or -errno.
static int64_t add_task(struct schedule_run *run, const json_t *vm, const struct deed *deed,
                        json_t *body, const char *drops, int64_t after, struct err *err)
{
    struct act *a = run->act;
    const struct schedule *s = &run->schedule;
    const char *uuid = json_string_value(json_object_get(vm, "uuid"));
    int64_t id = 0;
    struct task t = {
        .deed = deed,
        .vm = mem_strdup(json_string_value(json_object_get(vm, "name"))),
        .uuid = mem_strdup(uuid),
        .principal = mem_strdup(s->principal),
        .key = mem_printf("schedule %jd %jd %s%s%s", (intmax_t)s->id, (intmax_t)run->due_s, uuid,
                          drops ? " without " : "", drops ? drops : ""),
        .batch = mem_strdup(run->batch),
        .parallel = s->parallel,
        .max_failures = drops ? ALL_MAY_FAIL : s->max_failures,
        .after = after,
        .body = body,
        .progress = -1,
    };
    bool again = task_by_key(a->state.store, t.principal, t.key, &id) == 0;
    int r = again ? 0 : tasks_add(a, &t, NULL, err);
    if (!again && r == 0)
        id = t.id;
    if (again || r < 0)
        task_done(&t);
    else
        run->added++;
    return r < 0 ? r : id;
}

// Of its snapshots of the VM those that are still there, the fresh one aside, oldest first; rows of
// others go.
static int list_there(struct schedule_run *run, const json_t *vm, const char *fresh,
                      struct retained **ret, size_t *ret_n)
{
    struct store *st = run->act->state.store;
    const char *uuid = json_string_value(json_object_get(vm, "uuid"));
    const json_t *there = json_object_get(vm, "snapshots");
    struct retained *all = NULL;
    size_t n = 0, kept = 0;
    int r = retention_list(st, run->schedule.id, uuid, &all, &n);
    for (size_t i = 0; i < n; i++) {
        bool is_fresh = strcmp(all[i].name, fresh) == 0;
        if (!is_fresh && json_object_get(there, all[i].name)) {
            all[kept++] = all[i];
            continue;
        }
        if (!is_fresh && r == 0)
            r = retention_forget(st, run->schedule.id, uuid, all[i].name);
        free(all[i].name);
    }
    *ret = all;
    *ret_n = kept;
    return r;
}

// Was deleting it tried in vain lately? That has been told then, by the task.
static bool is_stuck(struct schedule_run *run, const char *uuid, const char *name)
{
    CLEANUP(freep) char *head = mem_printf("schedule-%jd-", (intmax_t)run->schedule.id);
    int64_t since_ns = act_real_ns() - AGAIN_NS;
    if (task_last_failed(run->act->state.store, &deeds[DEED_SNAPSHOT_DELETE], uuid, head, name,
                         since_ns, &run->stuck_task) < 0)
        return false;
    run->stuck++;
    return true;
}

// Delete the schedule's own snapshots that are too many, when the new one (`after`) is there.
static int add_drops(struct schedule_run *run, const json_t *vm, int64_t after, struct err *err)
{
    const struct schedule *s = &run->schedule;
    const char *uuid = json_string_value(json_object_get(vm, "uuid"));
    const char *fresh = json_string_value(json_object_get(run->fields, "name"));
    struct retained *there = NULL;
    size_t n = 0;
    int64_t r = retention_note(run->act->state.store, s->id, uuid, fresh, run->due_s);
    if (r == 0 && json_object_get(vm, "snapshots"))
        r = list_there(run, vm, fresh, &there, &n);
    size_t excess = retention_excess(there, n, s->keep, s->keep_for_s, run->due_s);
    for (size_t i = 0; r >= 0 && i < excess && tasks_find(run->act, after); i++)
        if (!is_stuck(run, uuid, there[i].name))
            r = add_task(run, vm, &deeds[DEED_SNAPSHOT_DELETE],
                         json_pack("{s:s}", "name", there[i].name), there[i].name, after, err);
    retained_free(there, n);
    if (r < 0 && !err->code)
        err_set(err, (int)-r, "its old snapshots: %s", strerror((int)-r));
    return r < 0 ? (int)r : 0;
}

int schedule_run_add(struct schedule_run *run, const json_t *vm, struct err *err)
{
    int64_t id = add_task(run, vm, run->schedule.deed, json_deep_copy(run->fields), NULL, 0, err);
    if (id < 0 || !schedule_run_keeps(run))
        return id < 0 ? (int)id : 0;
    return add_drops(run, vm, id, err);
}
