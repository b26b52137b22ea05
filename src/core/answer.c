// SPDX-License-Identifier: GPL-3.0-or-later
// Requests from web: routed by the verb table, answered by the views.
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "api.h"
#include "base/json.h"
#include "base/mem.h"
#include "core.h"

void answer(struct core *c, uint32_t id, int status, const char *type, const char *body, size_t len)
{
    peer_send(&c->web, IPC_RESPONSE, id, status, type, strlen(type) + 1, body, len);
}

static const char *title_of(int status)
{
    static const struct {
        int status;
        const char *title;
    } titles[] = {
        {400, "Bad Request"},         {403, "Forbidden"},       {404, "Not Found"},
        {405, "Method Not Allowed"},  {409, "Conflict"},        {502, "Bad Gateway"},
        {503, "Service Unavailable"}, {504, "Gateway Timeout"},
    };
    for (size_t i = 0; i < ARRAY_LEN(titles); i++)
        if (titles[i].status == status)
            return titles[i].title;
    return "Error";
}

void problem_put(struct buf *out, int status, const char *detail)
{
    struct json j;
    json_init(&j, out);
    json_object_begin(&j);
    json_kv_string(&j, "type", "about:blank");
    json_kv_string(&j, "title", title_of(status));
    json_kv_i64(&j, "status", status);
    json_kv_string(&j, "detail", detail);
    json_object_end(&j);
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
};

// Until accounts exist, a place in the network may read, and only who passed the permissions of the
// Unix socket may ask for more.
static bool may(const char *principal, enum verb_role role)
{
    if (strncmp(principal, "unix:", 5) == 0)
        return true;
    if (strcmp(principal, "loopback") == 0)
        return role <= ROLE_VIEWER;
    return role == ROLE_NONE;
}

static void route(struct core *c, uint32_t id, const struct ipc_request *request)
{
    CLEANUP(freep) char *object = NULL;
    const char *allow = NULL;
    const char *method = strcmp(request->method, "HEAD") == 0 ? "GET" : request->method;
    enum verb_id verb = verb_match(method, request->path, &object, &allow);
    if (verb == VERB_INVALID && allow)
        answer_problem(c, id, 405, "this path answers %s only", allow);
    else if (verb == VERB_INVALID)
        answer_problem(c, id, 404, "there is nothing at this path; docs/api.md lists what is");
    else if (!may(request->principal, verbs[verb].role))
        answer_problem(c, id, 403, "this is answered on the Unix socket only");
    else if (!views[verb])
        answer_problem(c, id, 404, "this is not answered by core");
    else
        views[verb](&(struct view){c, id, request, object});
}

bool web_frame(struct peer *p, const struct ipc_frame *f)
{
    if (f->type == IPC_CANCEL) {
        dirty_forget(p->core, f->id);
        jobs_forget(p->core->jobs, f->id);
        return true;
    }
    if (f->type == IPC_MORE) {
        jobs_more(p->core->jobs, f->id);
        return true;
    }
    int taken = p->core->flow ? flow_frame(p->core->flow, p, f) : 0;
    if (taken != 0)
        return taken == 1;
    struct ipc_request request;
    if (f->type != IPC_REQUEST || ipc_request_decode(f->payload, f->len, &request) < 0)
        return false;
    route(p->core, f->id, &request);
    ipc_request_done(&request);
    return true;
}

void web_gone(struct peer *p)
{
    while (p->core->waiting)
        dirty_forget(p->core, p->core->waiting->id);
    if (p->core->jobs)
        jobs_forget_all(p->core->jobs);
}
