// SPDX-License-Identifier: GPL-3.0-or-later
// What core asks for besides agent reads: deeds, tasks, a VM's definition and snapshots. An ask
// that needs libvirt goes to a worker, which finds the VM and looks at it; whether the asker may is
// decided back on the loop, from what libvirt says of the VM, not from what core says.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "act.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/number.h"
#include "manage/auto.h"
#include "manage/describe.h"
#include "manage/select.h"
#include "manage/template.h"
#include "verdict.h"

#define BODY_MAX (256u * 1024)
#define ANSWER_MAX (16u * 1024 * 1024)
#define LIST_MAX 1000

struct ask {
    struct work work; // first: a work is its ask
    struct ask *next; // of those on workers
    struct act *act;
    const struct asked *what;
    uint32_t id;
    bool forgotten;
    bool force;    // of a console
    char *address; // owned; where it came from
    struct conn *conn;
    const struct ipc_request *request; // only until its taking in is over
    json_t *body;                      // owned; of a deed; what is selected
    const struct deed *deed;           // NULL: a question
    char *vm;                          // owned; what the path names; NULL for a VM to be made
    struct grant grant;
    // Written by the worker:
    struct uuid uuid;
    bool found;
    bool touched; // an earlier task may change what a check would see
    struct virt_spec spec;
    json_t *steps;
    struct buf answer;
    struct err err;
    int result;
};

struct asked {
    const char *name;
    enum verb_role role;                          // of asks without a deed
    void (*now)(struct act *a, struct ask *ask);  // on the loop: the answer, at once
    void (*look)(struct ask *ask);                // on a worker, once the VM is found
    void (*then)(struct act *a, struct ask *ask); // on the loop, when it is back and allowed
    bool lists;                                   // about VMs that it chooses itself, by the scope
};

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static void ask_free(struct ask *ask)
{
    json_decref(ask->body);
    free(ask->vm);
    free(ask->address);
    json_decref(ask->steps);
    virt_spec_done(&ask->spec);
    grant_done(&ask->grant);
    buf_done(&ask->answer);
    free(ask);
}

static void refuse(struct act *a, struct ask *ask, int status, const char *detail)
{
    if (!ask->forgotten)
        core_problem(a, ask->id, status, detail);
}

static void fail(struct act *a, struct ask *ask, const struct err *err)
{
    refuse(a, ask, core_status_of(err->code), err->message);
}

static void reply(struct act *a, struct ask *ask, int status, const struct buf *body)
{
    if (ask->forgotten)
        return;
    if (body->error)
        core_problem(a, ask->id, 502, "the answer is too large");
    else
        core_answer(a, ask->id, status, body);
}

/* Tasks: answered at once. Who does not have all VMs in their scope sees what they asked for. */

static bool sees_task(const struct ask *ask, const struct task *t)
{
    return auth_covers_all(&ask->grant) || strcmp(t->principal, ask->grant.principal) == 0;
}

static void reply_task(struct act *a, struct ask *ask, int64_t id, int status)
{
    struct task stored = {0};
    struct job *job = tasks_find(a, id);
    int r = job ? 0 : task_get(a->state.store, id, &stored);
    if (r == 0 && !sees_task(ask, job ? &job->task : &stored))
        r = -ENOENT;
    if (r < 0) {
        task_done(&stored);
        refuse(a, ask, r == -ENOENT ? 404 : 502, r == -ENOENT ? "no such task" : strerror(-r));
        return;
    }
    if (job)
        tasks_refresh(a, job);
    CLEANUP(buf_done) struct buf body;
    struct json j;
    buf_init(&body, ANSWER_MAX);
    json_init(&j, &body);
    task_json(job ? &job->task : &stored, true, act_real_ns(), &j);
    reply(a, ask, status, &body);
    task_done(&stored);
}

// The path names the task.
static int64_t id_of(const struct ask *ask)
{
    uint64_t id = 0;
    return ask->vm && number_parse_u64(ask->vm, &id) == 0 && id <= INT64_MAX ? (int64_t)id : 0;
}

static void now_task(struct act *a, struct ask *ask)
{
    reply_task(a, ask, id_of(ask), 200);
}

// Is only asked what would be done, in the address or the body?
static bool is_dry(const struct ipc_request *r)
{
    CLEANUP(freep) char *value = ipc_query_param(r->query, "dry_run");
    json_t *body = r->form ? json_loads(r->form, 0, NULL) : NULL;
    bool dry = json_is_true(json_object_get(body, "dry_run"));
    json_decref(body);
    return dry || (value && strcmp(value, "0") != 0 && strcmp(value, "false") != 0);
}

static void reply_cancel_plan(struct act *a, struct ask *ask, const struct job *job)
{
    CLEANUP(buf_done) struct buf body;
    struct json j;
    CLEANUP(freep)
    char *step =
        mem_printf("cancel task %jd: %s %s, which %s", (intmax_t)job->task.id, job->task.deed->name,
                   job->task.vm, job->phase == JOB_QUEUED ? "waits" : "has begun");
    buf_init(&body, ANSWER_MAX);
    json_init(&j, &body);
    json_object_begin(&j);
    json_kv_bool(&j, "dry_run", true);
    json_key(&j, "would");
    json_array_begin(&j);
    json_text(&j, step);
    json_array_end(&j);
    json_object_end(&j);
    reply(a, ask, 200, &body);
}

static int cancel(struct act *a, const struct ask *ask, const struct job *job, struct err *err)
{
    CLEANUP(freep)
    char *object = mem_printf("%jd", (intmax_t)job->task.id),
         *detail = mem_printf("%s %s", job->task.deed->name, job->task.vm);
    const struct audit_entry entry = {.principal = ask->grant.principal,
                                      .address = ask->request->address,
                                      .verb = ask->what->name,
                                      .object = object,
                                      .detail = detail,
                                      .result = AUDIT_DONE};
    int r = audit_event(a->state.audit, &entry);
    return r < 0 ? err_set(err, -r, "it could not be written down, and was not done: %s",
                           strerror(-r))
                 : tasks_cancel(a, job->task.id, err);
}

static void now_cancel(struct act *a, struct ask *ask)
{
    struct err err = {0};
    int64_t id = id_of(ask);
    const struct job *job = tasks_find(a, id);
    if (!job || !sees_task(ask, &job->task))
        reply_task(a, ask, id, 200);
    else if (is_dry(ask->request))
        reply_cancel_plan(a, ask, job);
    else if (cancel(a, ask, job, &err) < 0)
        fail(a, ask, &err);
    else
        reply_task(a, ask, id, 200);
}

struct lister {
    struct act *act;
    struct json *j;
};

static bool list_one(const struct task *t, void *arg)
{
    struct lister *l = arg;
    struct job *job = tasks_find(l->act, t->id);
    if (job)
        tasks_refresh(l->act, job);
    task_json(job ? &job->task : t, false, act_real_ns(), l->j);
    return true;
}

static void now_tasks(struct act *a, struct ask *ask)
{
    CLEANUP(freep) char *state = ipc_query_param(ask->request->query, "state");
    CLEANUP(freep) char *vm = ipc_query_param(ask->request->query, "vm");
    CLEANUP(freep) char *batch = ipc_query_param(ask->request->query, "batch");
    CLEANUP(freep) char *before = ipc_query_param(ask->request->query, "before");
    uint64_t below = 0;
    if (before && (number_parse_u64(before, &below) < 0 || below > INT64_MAX)) {
        refuse(a, ask, 400, "before is the number of a task");
        return;
    }
    const struct task_filter filter = {
        .vm = vm,
        .batch = batch,
        .by = auth_covers_all(&ask->grant) ? NULL : ask->grant.principal,
        .state = state ? (int)task_state_parse(state) : -1,
        .before = (int64_t)below,
        .limit = LIST_MAX,
    };
    if (state && filter.state < 0) {
        refuse(a, ask, 400, "state is queued, running, done, failed or cancelled");
        return;
    }
    CLEANUP(buf_done) struct buf body;
    struct json j;
    buf_init(&body, ANSWER_MAX);
    json_init(&j, &body);
    json_object_begin(&j);
    json_key(&j, "tasks");
    json_array_begin(&j);
    int r = task_list(a->state.store, &filter, list_one, &(struct lister){a, &j});
    json_array_end(&j);
    json_object_end(&j);
    if (r < 0)
        refuse(a, ask, 502, strerror(-r));
    else
        reply(a, ask, 200, &body);
}

/* On a worker. */

static int find_vm(struct ask *ask)
{
    const struct virt_ops *ops = ask->act->ops;
    struct virt_domain *domains = NULL;
    size_t n = 0;
    struct uuid uuid;
    bool by_uuid = uuid_parse(ask->vm, strlen(ask->vm), &uuid);
    int r = ops->list(ask->conn->virt, &domains, &n, &ask->err);
    for (size_t i = 0; r == 0 && i < n; i++) {
        // As herd_vm_find(): the UUID comes first.
        bool meant = by_uuid && uuid_equal(&domains[i].uuid, &uuid);
        if (meant || (!ask->found && strcmp(domains[i].name, ask->vm) == 0)) {
            ask->uuid = domains[i].uuid;
            ask->found = true;
        }
        if (meant)
            break;
    }
    virt_domains_free(domains, n);
    if (r == 0 && ask->found)
        r = virt_manage_of(ops)->spec(ask->conn->virt, &ask->uuid, &ask->spec, &ask->err);
    else if (r == 0)
        r = err_set(&ask->err, ENOENT, "no VM is called \"%s\"", ask->vm);
    return r;
}

static int no_note(void *arg, const json_t *note)
{
    return 0;
}

static void no_progress(void *arg, double ratio, const char *phrase) {}

static bool never(void *arg)
{
    return false;
}

// What the deed itself is given.
static json_t *own_fields(const json_t *body)
{
    json_t *own = json_copy((json_t *)body);
    for (const struct field *f = deed_common_fields; f->name; f++)
        json_object_del(own, f->name);
    return own;
}

static int on_process(void *arg, const struct uuid *uuid, bool end)
{
    return strays_ask(((struct ask *)arg)->act, uuid, end);
}

static void look_at_deed(struct ask *ask)
{
    json_t *body = own_fields(ask->body);
    struct manage_run run = {
        .ops = ask->act->ops,
        .manage = virt_manage_of(ask->act->ops),
        .virt = ask->conn->virt,
        .deed = ask->deed,
        .uuid = ask->uuid,
        .vm = ask->found ? ask->spec.name : text_of(ask->body, "name"),
        .principal = ask->grant.principal,
        .body = body,
        .steps = ask->steps,
        .note = no_note,
        .progress = no_progress,
        .cancelled = never,
        .process = link_is_local(ask->act) ? on_process : NULL,
        .arg = ask,
    };
    ask->result = ask->touched ? 0 : manage_check(&run, &ask->err);
    json_decref(body);
}

static void look_at_definition(struct ask *ask)
{
    struct json j;
    struct virt_domain d = {0};
    ask->result = ask->act->ops->lookup(ask->conn->virt, &ask->uuid, &d, &ask->err);
    if (ask->result < 0)
        return;
    json_init(&j, &ask->answer);
    describe_spec(&ask->spec, virt_state_name(d.state), &j);
    virt_domain_done(&d);
}

static void look_at_snapshots(struct ask *ask)
{
    const struct virt_manage *manage = virt_manage_of(ask->act->ops);
    struct virt_snapshot *snapshots = NULL;
    size_t n = 0;
    struct json j;
    ask->result = manage->snapshots(ask->conn->virt, &ask->uuid, &snapshots, &n, &ask->err);
    if (ask->result < 0)
        return;
    json_init(&j, &ask->answer);
    json_object_begin(&j);
    json_kv_string(&j, "vm", ask->spec.name);
    json_key(&j, "snapshots");
    describe_snapshots(snapshots, n, act_real_ns() / NS_PER_S, &j);
    json_object_end(&j);
    virt_snapshots_free(snapshots, n);
}

static bool may_see(void *arg, const struct virt_spec *spec)
{
    return verdict_on(arg, ROLE_VIEWER, spec) == AUTH_ALLOWED;
}

static void look_at_selection(struct ask *ask)
{
    json_t *chosen = NULL;
    ask->result = select_run(ask->act->ops, ask->conn->virt, ask->body, may_see, &ask->grant,
                             &chosen, &ask->err);
    if (ask->result < 0)
        return;
    json_t *answer = json_pack("{s:o}", "vms", chosen);
    char *text = json_dumps(answer, JSON_COMPACT);
    buf_puts(&ask->answer, text ? text : "{}");
    free(text);
    json_decref(answer);
}

static void run_ask(struct work *w)
{
    struct ask *ask = (struct ask *)w;
    ask->result = ask->vm ? find_vm(ask) : 0;
    if (ask->result == 0)
        ask->what->look(ask);
}

static void hand_over(struct work *w, void *arg)
{
    struct act *a = arg;
    struct ask *ask = (struct ask *)w;
    uv_mutex_lock(&a->inbox.lock);
    ask->work.next = a->deeds.asked ? &a->deeds.asked->work : NULL;
    a->deeds.asked = ask;
    uv_mutex_unlock(&a->inbox.lock);
    uv_async_send(&a->wake);
}

/* Back on the loop. */

static void reply_plan(struct act *a, struct ask *ask)
{
    CLEANUP(buf_done) struct buf body;
    struct json j;
    size_t i;
    const json_t *step;
    buf_init(&body, ANSWER_MAX);
    json_init(&j, &body);
    json_object_begin(&j);
    json_kv_bool(&j, "dry_run", true);
    json_kv_string(&j, "deed", ask->deed->name);
    json_key(&j, "would");
    json_array_begin(&j);
    json_array_foreach(ask->steps, i, step) json_text(&j, json_string_value(step));
    json_array_end(&j);
    json_object_end(&j);
    reply(a, ask, 200, &body);
}

// The task that must be done first: 0 where it is; -errno with a sentence where it never will be.
static int read_after(struct act *a, const struct ask *ask, int64_t *ret, struct err *err)
{
    const json_t *after = json_object_get(ask->body, "after");
    int64_t id = json_integer_value(after);
    struct task t;
    *ret = 0;
    if (!after)
        return 0;
    const struct job *job = tasks_find(a, id);
    if (job && sees_task(ask, &job->task)) {
        *ret = id;
        return 0;
    }
    int r = job ? -ENOENT : task_get(a->state.store, id, &t);
    if (r < 0)
        return err_set(err, ENOENT, "after: there is no task %jd", (intmax_t)id);
    enum task_state state = t.state;
    bool seen = sees_task(ask, &t);
    task_done(&t);
    if (!seen)
        return err_set(err, ENOENT, "after: there is no task %jd", (intmax_t)id);
    return state == TASK_DONE
               ? 0
               : err_set(err, ESRCH, "after: task %jd is %s", (intmax_t)id, task_state_name(state));
}

static void add_task(struct act *a, struct ask *ask)
{
    const json_t *body = ask->body;
    char uuid[UUID_TEXT] = "";
    struct err err = {0};
    struct task t = {
        .deed = ask->deed,
        .vm = mem_strdup(ask->found ? ask->spec.name : text_of(body, "name")),
        .principal = mem_strdup(ask->grant.principal),
        .key = mem_strdup(text_of(body, "key")),
        .batch = mem_strdup(text_of(body, "batch")),
        .parallel = json_integer_value(json_object_get(body, "parallel")),
        .max_failures = json_integer_value(json_object_get(body, "max_failures")),
        .body = own_fields(body),
        .progress = -1,
    };
    if (ask->found)
        uuid_format(&ask->uuid, uuid);
    t.uuid = mem_strdup(uuid);
    int r = auto_is(t.principal)
                ? auto_allows(a->state.store, a->conf->plan.per_hour, act_real_ns(), &err)
                : 0;
    if (r == 0)
        r = read_after(a, ask, &t.after, &err);
    if (r == 0)
        r = tasks_add(a, &t, ask->address, &err);
    if (r < 0) {
        task_done(&t);
        fail(a, ask, &err);
        return;
    }
    reply_task(a, ask, t.id, 202);
}

static void then_deed(struct act *a, struct ask *ask)
{
    if (json_is_true(json_object_get(ask->body, "dry_run")))
        reply_plan(a, ask);
    else
        add_task(a, ask);
}

static void then_answer(struct act *a, struct ask *ask)
{
    reply(a, ask, 200, &ask->answer);
}

static void look_at_nothing(struct ask *ask) {}

// The VM is found and the asker may: only now is the line touched.
static void then_console(struct act *a, struct ask *ask)
{
    if (!ask->forgotten)
        consoles_open(a, ask->id, &ask->grant, ask->address, &ask->spec, &ask->uuid, ask->force);
}

static enum auth_verdict judge(const struct ask *ask)
{
    enum verb_role role = ask->deed ? ask->deed->role : ask->what->role;
    if (ask->what->lists)
        return ask->grant.role >= role ? AUTH_ALLOWED : AUTH_FORBIDDEN;
    if (!ask->found)
        return auth_allows(&ask->grant, role, NULL);
    return ask->deed ? verdict_on_deed(&ask->grant, ask->deed, ask->body, &ask->spec)
                     : verdict_on(&ask->grant, role, &ask->spec);
}

static void audit_refusal(struct act *a, const struct ask *ask)
{
    const struct audit_entry entry = {
        .principal = ask->grant.principal,
        .address = ask->address,
        .verb = ask->deed ? ask->deed->name : ask->what->name,
        .object = ask->vm,
        .result = AUDIT_REFUSED,
    };
    state_refused(&a->state, &entry, act_now());
}

// True where it is allowed; otherwise it has been answered.
static bool allowed(struct act *a, struct ask *ask)
{
    switch (judge(ask)) {
    case AUTH_ALLOWED:
        return true;
    case AUTH_HIDDEN: {
        CLEANUP(freep) char *text = mem_printf("no VM is called \"%s\"", ask->vm);
        audit_refusal(a, ask);
        refuse(a, ask, 404, text);
        return false;
    }
    case AUTH_UNKNOWN:
        refuse(a, ask, 401, "who asks is not known");
        return false;
    case AUTH_FORBIDDEN:
        break;
    }
    audit_refusal(a, ask);
    refuse(a, ask, 403, "this is not allowed");
    return false;
}

void asks_forget(struct act *a, uint32_t id)
{
    for (struct ask *ask = a->deeds.asks; ask; ask = ask->next)
        if (id == 0 || ask->id == id)
            ask->forgotten = true;
}

static void end(struct act *a, struct ask *ask)
{
    struct ask **at = &a->deeds.asks;
    while (*at != ask)
        at = &(*at)->next;
    *at = ask->next;
    link_unuse(a, ask->conn);
    a->deeds.n_asks--;
    // Who may not see the VM hears nothing of it, whatever went wrong.
    if (ask->result == -ENOENT && !ask->found && ask->vm)
        fail(a, ask, &ask->err);
    else if (allowed(a, ask) && ask->result < 0)
        fail(a, ask, &ask->err);
    else if (ask->result == 0 && judge(ask) == AUTH_ALLOWED)
        ask->what->then(a, ask);
    ask_free(ask);
}

void asks_step(struct act *a)
{
    uv_mutex_lock(&a->inbox.lock);
    struct ask *ask = TAKE_PTR(a->deeds.asked);
    uv_mutex_unlock(&a->inbox.lock);
    while (ask) {
        struct ask *next = (struct ask *)ask->work.next;
        end(a, ask);
        ask = next;
    }
}

/* Coming in. */

static const struct asked a_deed = {"deed", ROLE_ADMIN, NULL, look_at_deed, then_deed};

static const struct {
    enum verb_id verb;
    struct asked asked;
} questions[] = {
    {VERB_TASK_LIST, {"tasks", ROLE_VIEWER, now_tasks, NULL, NULL}},
    {VERB_TASK_SHOW, {"task", ROLE_VIEWER, now_task, NULL, NULL}},
    {VERB_TASK_CANCEL, {"task cancel", ROLE_OPERATOR, now_cancel, NULL, NULL}},
    {VERB_VM_DEFINITION, {"definition", ROLE_VIEWER, NULL, look_at_definition, then_answer}},
    {VERB_SNAPSHOT_LIST, {"snapshots", ROLE_VIEWER, NULL, look_at_snapshots, then_answer}},
    {VERB_CONSOLE_OPEN, {"vm.console", ROLE_OPERATOR, NULL, look_at_nothing, then_console}},
    {VERB_VM_SELECT, {"select", ROLE_VIEWER, NULL, look_at_selection, then_answer, true}},
};

// Is the task the deed that is asked for, on the same VM? A key says so only of one's own requests.
static bool is_of(struct act *a, const struct ask *ask, int64_t id)
{
    struct task t = {0};
    const char *vm = ask->vm ? ask->vm : text_of(ask->body, "name");
    if (task_get(a->state.store, id, &t) < 0)
        return true;
    bool same = t.deed == ask->deed && vm &&
                (strcmp(t.vm, vm) == 0 || (t.uuid && strcasecmp(t.uuid, vm) == 0));
    task_done(&t);
    return same;
}

// Asked before with the same key: the same task answers.
static bool answer_again(struct act *a, struct ask *ask)
{
    const char *key = text_of(ask->body, "key");
    int64_t id;
    if (!key || task_by_key(a->state.store, ask->grant.principal, key, &id) < 0)
        return false;
    if (is_of(a, ask, id))
        reply_task(a, ask, id, 200);
    else
        refuse(a, ask, 409, "this key was used for another deed, or for another VM");
    return true;
}

static void submit(struct act *a, struct ask *ask)
{
    ask->conn = link_use(a);
    if (!ask->conn) {
        refuse(a, ask, 503, a->link.err.code ? a->link.err.message : "libvirt is being connected");
        ask_free(ask);
        return;
    }
    const json_t *body = ask->body;
    ask->touched = ask->deed && !json_is_true(json_object_get(body, "dry_run")) &&
                   (json_object_get(body, "after") ||
                    tasks_touch(a, ask->vm ? ask->vm : text_of(body, "name")));
    ask->steps = json_array();
    buf_init(&ask->answer, ANSWER_MAX);
    ask->work = (struct work){.run = run_ask, .done = hand_over, .arg = a};
    if (workers_submit(a->deeds.workers, &ask->work) == 0) {
        a->deeds.n_asks++;
        ask->next = a->deeds.asks;
        a->deeds.asks = ask;
        return;
    }
    link_unuse(a, ask->conn);
    refuse(a, ask, 503, "no thread is free");
    ask_free(ask);
}

// What a template gives stands in the body from here on: in the task, and in its audit record.
static int take_template(struct act *a, struct ask *ask, struct err *err)
{
    const char *name = text_of(ask->body, "template");
    json_t *whole = NULL;
    if (ask->deed->id != DEED_CREATE || !name)
        return 0;
    CLEANUP(freep) char *folder = conf_templates_path(a->conf);
    int r = template_load(folder, name, &whole, err);
    if (r == 0)
        template_apply(json_object_get(whole, "fields"), ask->body);
    json_decref(whole);
    return r;
}

static int read_body(struct act *a, struct ask *ask, const char *text, struct err *err)
{
    json_error_t why;
    size_t len = strlen(text);
    if (len > BODY_MAX)
        return err_set(err, EINVAL, "the body has more than %u bytes", BODY_MAX);
    ask->body = len > 0 ? json_loadb(text, len, JSON_REJECT_DUPLICATES, &why) : json_object();
    if (!ask->body)
        return err_set_at(err, EINVAL, why.line, why.column, "the body is no JSON: %s (line %d)",
                          why.text, why.line);
    // Whether there is such a template is for those only who may make VMs.
    int r = ask->grant.role >= ask->deed->role ? take_template(a, ask, err) : 0;
    return r < 0 ? r : deed_check(ask->deed, ask->body, err);
}

// What a request selects stands in its address.
static int read_selection(struct ask *ask, struct err *err)
{
    static const char *const lists[] = {"vms", "match", "label"};
    CLEANUP(freep) char *all = ipc_query_param(ask->request->query, "all");
    ask->body = json_object();
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        const char *query = ask->request->query;
        json_t *words = json_array();
        char *word;
        while ((word = ipc_query_param_next(&query, lists[i]))) {
            json_array_append_new(words, json_string(word));
            free(word);
        }
        json_object_set_new(ask->body, lists[i], words);
    }
    if (all)
        json_object_set_new(ask->body, "all", json_true());
    return select_check(ask->body, err);
}

static void take(struct act *a, struct ask *ask)
{
    struct err err = {0};
    int r = ask->deed          ? read_body(a, ask, ask->request->form, &err)
            : ask->what->lists ? read_selection(ask, &err)
                               : 0;
    if (r == 0 && !deeds_ready(a, act_now()))
        r = err_set(&err, EAGAIN, "VMs cannot be managed now: %s", a->state.err.message);
    if (r == 0 && a->deeds.n_asks >= ASKS_MAX)
        r = err_set(&err, EAGAIN, "too many requests wait");
    if (r < 0) {
        fail(a, ask, &err);
        ask_free(ask);
    } else if (ask->what->now) {
        // core has looked at the role, which no scope narrows here; act does so for itself.
        if (ask->grant.role >= ask->what->role)
            ask->what->now(a, ask);
        else
            refuse(a, ask, 403, "this is not allowed");
        ask_free(ask);
    } else if (ask->deed && answer_again(a, ask)) {
        ask_free(ask);
    } else {
        CLEANUP(freep) char *force = ipc_query_param(ask->request->query, "force");
        ask->force = force != NULL;
        ask->address = mem_strdup(ask->request->address);
        ask->request = NULL;
        submit(a, ask);
    }
}

static const struct asked *find_question(const struct ipc_request *r, char **ret_object)
{
    const char *allow;
    enum verb_id verb = verb_match(r->method, r->path, ret_object, &allow);
    for (size_t i = 0; i < ARRAY_LEN(questions); i++)
        if (questions[i].verb == verb)
            return &questions[i].asked;
    return NULL;
}

bool asks_request(struct act *a, uint32_t id, const struct ipc_request *request,
                  struct grant *grant)
{
    char *object = NULL;
    const struct deed *deed =
        strcmp(request->method, "POST") == 0 ? deed_match(request->path, &object) : NULL;
    const struct asked *what = deed ? &a_deed : find_question(request, &object);
    if (!what) {
        free(object);
        return false;
    }
    struct ask *ask = mem_zalloc(sizeof(*ask));
    *ask = (struct ask){.act = a,
                        .what = what,
                        .id = id,
                        .request = request,
                        .deed = deed,
                        .vm = object,
                        .grant = *grant};
    *grant = (struct grant){0};
    take(a, ask);
    return true;
}
