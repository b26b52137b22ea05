// SPDX-License-Identifier: GPL-3.0-or-later
// Requests from web: routed by the verb table, answered by the views.
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "api.h"
#include "base/json.h"
#include "base/mem.h"
#include "core.h"
#include "verb/deed.h"

void answer(struct core *c, uint32_t id, int status, const char *type, const char *body, size_t len)
{
    peer_send(&c->web, IPC_RESPONSE, id, status, type, strlen(type) + 1, body, len);
}

void answer_problem(struct core *c, uint32_t id, int status, const char *format, ...)
{
    CLEANUP(freep) char *detail = NULL;
    va_list ap;
    va_start(ap, format);
    if (vasprintf(&detail, format, ap) < 0)
        detail = NULL;
    va_end(ap);
    CLEANUP(buf_done) struct buf body;
    buf_init(&body, 64 * 1024);
    problem_put(&body, status, detail);
    answer(c, id, status, PROBLEM_TYPE, body.data, body.len);
}

static void (*const views[VERB_MAX])(const struct view *v) = {
    [VERB_VM_LIST] = view_vms,
    [VERB_VM_SHOW] = view_vm,
    [VERB_HOST] = view_host,
    [VERB_STATUS] = view_status,
    [VERB_METRICS] = view_metrics,
    [VERB_VM_DIRTY_RATE] = view_dirty_rate,
    [VERB_HEALTHY] = view_healthy,
    [VERB_READY] = view_ready,
    [VERB_PAGE] = view_page,
    [VERB_OPENAPI] = view_openapi,
    [VERB_WHOAMI] = view_whoami,
    [VERB_QUERY] = view_query,
    [VERB_QUERY_RANGE] = view_query_range,
    [VERB_QUERY_EXEMPLARS] = view_query_exemplars,
    [VERB_FORMAT_QUERY] = view_format_query,
    [VERB_PARSE_QUERY] = view_parse_query,
    [VERB_SERIES] = view_series,
    [VERB_LABELS] = view_labels,
    [VERB_LABEL_VALUES] = view_label_values,
    [VERB_METADATA] = view_metadata,
    [VERB_TARGETS] = view_targets,
    [VERB_STATUS_BUILDINFO] = view_status_buildinfo,
    [VERB_STATUS_RUNTIMEINFO] = view_status_runtimeinfo,
    [VERB_STATUS_CONFIG] = view_status_config,
    [VERB_STATUS_FLAGS] = view_status_flags,
    [VERB_STATUS_TSDB] = view_status_tsdb,
    [VERB_PLAN] = view_plan,
    [VERB_EXPORT] = view_export,
    [VERB_SNAPSHOT] = view_snapshot,
    [VERB_STORE_DELETE] = view_store_delete,
    [VERB_EVENTS] = view_events,
    [VERB_ALERT_LIST] = view_notices_alerts,
    [VERB_ACK] = view_ack,
    [VERB_SILENCE_LIST] = view_silences,
    [VERB_SILENCE_ADD] = view_silence_add,
    [VERB_SILENCE_EXPIRE] = view_silence_expire,
    [VERB_NOTIFY_STATUS] = view_notify_status,
    [VERB_NOTIFY_TEST] = view_notify_test,
    [VERB_RULES] = view_rules,
    [VERB_ALERTS] = view_alerts,
    [VERB_ALERT_HISTORY] = view_alert_history,
};

// Labels of a VM, as many as a scope can ask for.
#define LABELS_SEEN 64

bool view_grant_covers(const struct grant *grant, const struct vm *vm)
{
    struct auth_label labels[LABELS_SEEN];
    size_t n = 0;
    OBJECT_FOREACH_CHILD (label, &vm->obj, KIND_LABEL) {
        const char *value = object_attr(label, ATTR_LABEL_VALUE);
        if (n < LABELS_SEEN)
            labels[n++] =
                (struct auth_label){object_attr(label, ATTR_LABEL_NAME), value ? value : ""};
    }
    const struct auth_object o = {.vm = object_attr(&vm->obj, ATTR_VM_NAME),
                                  .owner = object_attr(&vm->obj, ATTR_VM_OWNER),
                                  .labels = labels,
                                  .n_labels = n};
    return auth_covers(grant, &o);
}

bool view_covers(const struct view *v, const struct vm *vm)
{
    return v->is_open || auth_covers_all(v->grant) || view_grant_covers(v->grant, vm);
}

// /metrics may be open to who shows nothing, by the configuration.
static bool is_open(const struct core *c, const struct grant *g)
{
    enum conf_open open = c->conf->web.metrics;
    return open == CONF_OPEN_ALL ||
           (open == CONF_OPEN_LOOPBACK && strcmp(g->principal, "loopback") == 0);
}

static void refuse(const struct view *v, enum auth_verdict verdict)
{
    if (verdict == AUTH_UNKNOWN) {
        answer_problem(v->core, v->id, 401, "this needs a token");
        return;
    }
    answer_problem(v->core, v->id, 403, "this needs another role or scope");
    forward_refusal(v);
}

// False where it was answered already.
static bool check_vm(const struct view *v, const struct verb *verb)
{
    const struct vm *vm =
        verb->reach == VERB_REACH_VM ? herd_vm_find(v->core->herd, v->object) : NULL;
    // act looks for itself: a VM that was just made may not be known here yet.
    if (verb->reach != VERB_REACH_VM || verb->place == VERB_AT_ACT || (vm && view_covers(v, vm)))
        return true;
    answer_problem(v->core, v->id, 404, "no VM is called \"%s\"", v->object);
    return false;
}

static void answer_verb(struct view *v, const struct verb *verb)
{
    struct core *c = v->core;
    enum auth_verdict verdict = auth_may_use(v->grant, verb);
    if (verb->id == VERB_METRICS && v->grant->role == ROLE_NONE) {
        v->is_open = is_open(c, v->grant);
        verdict = v->is_open ? AUTH_ALLOWED : AUTH_UNKNOWN;
    }
    // Whether a VM is there is for those only who may know of any.
    if (verdict == AUTH_UNKNOWN || (verdict != AUTH_ALLOWED && verb->reach != VERB_REACH_VM))
        refuse(v, verdict);
    else if (!check_vm(v, verb))
        return;
    else if (verdict != AUTH_ALLOWED)
        refuse(v, verdict);
    else if (verb->place == VERB_AT_ACT)
        forward_request(v);
    else if (views[verb->id])
        views[verb->id](v);
    else
        answer_problem(c, v->id, 404, "there is nothing at this path; docs/api.md lists what is");
}

static void route(struct core *c, uint32_t id, const struct ipc_request *request,
                  const struct grant *grant)
{
    CLEANUP(freep) char *object = NULL;
    const char *allow = NULL;
    const char *method = strcmp(request->method, "HEAD") == 0 ? "GET" : request->method;
    enum verb_id verb = verb_match(method, request->path, &object, &allow);
    CLEANUP(freep) char *vm = NULL;
    const struct deed *deed = strcmp(method, "POST") == 0 ? deed_match(request->path, &vm) : NULL;
    // Who may is decided by act, by what libvirt says of the VM.
    if (deed && grant->role > ROLE_NONE)
        forward_request(&(struct view){c, id, request, vm, grant, false});
    else if (deed)
        refuse(&(struct view){c, id, request, vm, grant, false}, AUTH_UNKNOWN);
    else if (verb == VERB_INVALID && allow)
        answer_problem(c, id, 405, "this path answers %s only", allow);
    else if (verb == VERB_INVALID || verbs[verb].place == VERB_AT_WEB)
        answer_problem(c, id, 404, "there is nothing at this path; docs/api.md lists what is");
    else
        answer_verb(&(struct view){c, id, request, object, grant, false}, &verbs[verb]);
}

// What comes along counts only where no grant was shown, so that a token may be less than the
// connection is worth.
static int identify(struct core *c, const struct ipc_request *request, int fd, struct grant *ret)
{
    int64_t now = clock_mono_ns(&clock_system);
    if (*request->principal)
        return c->has_key ? grant_decode(request->principal, &c->key, now, ret) : -EKEYREJECTED;
    grant_anonymous(ret);
    if (fd >= 0)
        asker_of_connection(fd, &c->rules, now, ret);
    return 0;
}

static void take_request(struct core *c, const struct ipc_frame *f,
                         const struct ipc_request *request)
{
    struct grant grant;
    if (identify(c, request, f->fd, &grant) < 0) {
        answer_problem(c, f->id, 401, "this needs a token");
        return;
    }
    route(c, f->id, request, &grant);
    grant_done(&grant);
}

bool web_frame(struct peer *p, const struct ipc_frame *f)
{
    if (f->type == IPC_CANCEL) {
        dirty_forget(p->core, f->id);
        forward_forget(p->core, f->id);
        jobs_forget(p->core->jobs, f->id);
        if (p->core->events)
            (void)events_forget(p->core->events, f->id);
        return true;
    }
    if (f->type == IPC_MORE) {
        if (!p->core->events || !events_more(p->core->events, f->id))
            jobs_more(p->core->jobs, f->id);
        return true;
    }
    if ((f->type == IPC_IMPORT || f->type == IPC_IMPORT_TRY) && !p->core->stopping) {
        import_frame(p->core, f);
        return true;
    }
    int taken = p->core->flow ? flow_frame(p->core->flow, p, f) : 0;
    if (taken != 0)
        return taken == 1;
    struct ipc_request request;
    if (f->type != IPC_REQUEST || ipc_request_decode(f->payload, f->len, &request) < 0)
        return false;
    take_request(p->core, f, &request);
    ipc_request_done(&request);
    return true;
}

void web_gone(struct peer *p)
{
    while (p->core->waiting)
        dirty_forget(p->core, p->core->waiting->id);
    p->core->exposition.given = GIVEN_NOT;
    forward_web_gone(p->core);
    if (p->core->jobs)
        jobs_forget_all(p->core->jobs);
    if (p->core->events)
        events_forget_all(p->core->events);
    imports_forget_all(p->core->imports);
}
