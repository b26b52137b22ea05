// SPDX-License-Identifier: GPL-3.0-or-later
// Requests of the API, as core passes them on. core has checked the grant; so does this, since core
// cannot be allowed what the asker is not.
#include "api.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define MEMBER_MAX 4096
#define ANSWER_MAX (16u * 1024 * 1024)

static void (*const handlers[VERB_MAX])(const struct api_call *c) = {
    [VERB_USER_LIST] = api_user_list,
    [VERB_USER_ADD] = api_user_add,
    [VERB_USER_SET] = api_user_set,
    [VERB_USER_REMOVE] = api_user_remove,
    [VERB_USER_PASSWORD] = api_user_password,
    [VERB_TOKEN_LIST] = api_token_list,
    [VERB_TOKEN_CREATE] = api_token_create,
    [VERB_TOKEN_REVOKE] = api_token_revoke,
    [VERB_TEMPLATE_LIST] = api_template_list,
    [VERB_TEMPLATE_SHOW] = api_template_show,
    [VERB_SCHEDULE_LIST] = api_schedule_list,
    [VERB_SCHEDULE_ADD] = api_schedule_add,
    [VERB_SCHEDULE_REMOVE] = api_schedule_remove,
    [VERB_SCHEDULE_RUN] = api_schedule_run,
    [VERB_SCHEDULE_PAUSE] = api_schedule_pause,
    [VERB_SCHEDULE_RESUME] = api_schedule_resume,
    [VERB_CONSOLE_READ] = api_console_read,
    [VERB_CONSOLE_WRITE] = api_console_write,
    [VERB_CONSOLE_CLOSE] = api_console_close,
    [VERB_AUDIT_LIST] = api_audit_list,
    [VERB_AUDIT_VERIFY] = api_audit_verify,
    [VERB_AUTO_SHOW] = api_auto_show,
    [VERB_AUTO_STOP] = api_auto_stop,
    [VERB_AUTO_START] = api_auto_start,
};

const char *api_member(const struct api_call *c, const char *name)
{
    return json_string_value(json_object_get(c->body, name));
}

bool api_is_admin(const struct api_call *c)
{
    return c->grant->role == ROLE_ADMIN && auth_covers_all(c->grant);
}

bool api_own_account(const struct api_call *c, char ret[ACCOUNT_NAME_MAX + 1], bool *ret_session)
{
    static const char *const kinds[] = {"token:", "user:"};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        size_t len = strlen(kinds[i]);
        if (strncmp(c->grant->principal, kinds[i], len) != 0)
            continue;
        const char *name = c->grant->principal + len;
        size_t n = strcspn(name, "/");
        if (n > ACCOUNT_NAME_MAX)
            return false;
        memcpy(ret, name, n);
        ret[n] = '\0';
        *ret_session = i == 1;
        return true;
    }
    return false;
}

void api_fail(const struct api_call *c, int error, const char *detail)
{
    static const struct {
        int error, status;
    } statuses[] = {{ENOENT, 404}, {EEXIST, 409}, {EINVAL, 400},
                    {E2BIG, 400},  {EPERM, 403},  {EACCES, 403}};
    int status = 503;
    for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
        if (statuses[i].error == error)
            status = statuses[i].status;
    core_problem(c->act, c->id, status, detail);
}

static const char *verb_name(const struct verb *verb)
{
    return verb->command ? verb->command : verb->path;
}

void api_refuse(const struct api_call *c, const char *object, const char *detail)
{
    const struct audit_entry e = {.principal = c->grant->principal,
                                  .address = c->request->address,
                                  .verb = verb_name(c->verb),
                                  .object = object,
                                  .detail = detail};
    state_refused(c->state, &e, act_now());
    core_problem(c->act, c->id, 403, "this needs another role or scope");
}

bool api_is_dry(const struct api_call *c)
{
    CLEANUP(freep) char *value = ipc_query_param(c->request->query, "dry_run");
    return json_is_true(json_object_get(c->body, "dry_run")) ||
           (value && strcmp(value, "0") != 0 && strcmp(value, "false") != 0);
}

void api_answer_plan(const struct api_call *c, const char *object, const char *detail)
{
    CLEANUP(buf_done) struct buf body;
    struct json j;
    bool told = detail && *detail && strcmp(detail, "{}") != 0;
    CLEANUP(freep)
    char *step =
        mem_printf("%s %s%s%s", verb_name(c->verb), object, told ? ": " : "", told ? detail : "");
    api_begin_answer(&body, &j);
    json_kv_bool(&j, "dry_run", true);
    json_key(&j, "would");
    json_array_begin(&j);
    json_text(&j, step);
    json_array_end(&j);
    api_answer(c, &body, &j);
}

int api_commit(const struct api_call *c, int r, const char *object, const char *detail,
               struct err *err)
{
    const struct audit_entry e = {.principal = c->grant->principal,
                                  .address = c->request->address,
                                  .verb = verb_name(c->verb),
                                  .object = object,
                                  .detail = detail,
                                  .result = AUDIT_DONE};
    if (r < 0 || api_is_dry(c)) {
        store_rollback(c->state->store);
        return r;
    }
    r = audit_event(c->state->audit, &e);
    if (r < 0)
        store_rollback(c->state->store);
    else
        r = store_commit(c->state->store);
    return r < 0 ? err_set(err, -r, "it could not be written down, and was not done: %s",
                           strerror(-r))
                 : 0;
}

void api_begin_answer(struct buf *body, struct json *j)
{
    buf_init(body, ANSWER_MAX);
    json_init(j, body);
    json_object_begin(j);
}

void api_answer(const struct api_call *c, struct buf *body, struct json *j)
{
    json_object_end(j);
    core_answer(c->act, c->id, 200, body);
}

// Reading the body

static const struct verb_param *find_param(const struct verb *verb, const char *name)
{
    for (const struct verb_param *p = verb->params; p->name; p++)
        if (strcmp(p->name, name) == 0)
            return p;
    return NULL;
}

static int check_member(const struct verb *verb, const char *name, const json_t *value,
                        struct err *err)
{
    const struct verb_param *p = find_param(verb, name);
    if (!p)
        return err_set(err, EINVAL, "there is no member \"%s\" here", name);
    if (p->type == VERB_TYPE_FLAG)
        return json_is_boolean(value) ? 0 : err_set(err, EINVAL, "%s must be true or false", name);
    if (!json_is_string(value))
        return err_set(err, EINVAL, "%s must be a text", name);
    if (json_string_length(value) > MEMBER_MAX)
        return err_set(err, EINVAL, "%s is longer than %d bytes", name, MEMBER_MAX);
    return 0;
}

static int read_body(const struct verb *verb, const char *text, json_t **ret, struct err *err)
{
    json_error_t why;
    const char *name;
    json_t *value;
    int r = 0;
    json_t *body = json_loads(*text ? text : "{}", JSON_REJECT_DUPLICATES, &why);
    if (!json_is_object(body))
        r = err_set(err, EINVAL, "the body must be a JSON object");
    json_object_foreach(body, name, value)
    {
        if (r == 0 && !verb->nested)
            r = check_member(verb, name, value, err);
    }
    if (r < 0)
        json_decref(body);
    else
        *ret = body;
    return r;
}

static void carry_out(struct api_call *c)
{
    struct err err = {0};
    if (c->verb->takes_json && read_body(c->verb, c->request->form, &c->body, &err) < 0) {
        core_problem(c->act, c->id, 400, err.message);
        return;
    }
    handlers[c->verb->id](c);
    json_decref(c->body);
}

static void route(struct act *a, uint32_t id, const struct ipc_request *request,
                  const struct grant *grant)
{
    CLEANUP(freep) char *object = NULL;
    const char *allow;
    enum verb_id verb = verb_match(request->method, request->path, &object, &allow);
    if (verb == VERB_INVALID || !handlers[verb]) {
        core_problem(a, id, 404, "there is nothing at this path");
        return;
    }
    struct api_call c = {a, &a->state, id, &verbs[verb], object, request, grant, NULL};
    enum auth_verdict verdict = auth_may_use(grant, &verbs[verb]);
    if (verdict == AUTH_UNKNOWN)
        core_problem(a, id, 401, "this needs a token");
    else if (verdict != AUTH_ALLOWED)
        api_refuse(&c, object, "role or scope");
    else if (!state_ready(&a->state, act_now()))
        core_problem(a, id, 503, a->state.err.message);
    else
        carry_out(&c);
}

void api_request(struct act *a, uint32_t id, const char *payload, size_t len)
{
    struct ipc_request request;
    struct grant grant;
    if (ipc_request_decode(payload, len, &request) < 0) {
        core_problem(a, id, 400, "the request is malformed");
        return;
    }
    int status = state_check_grant(&a->state, request.principal, &grant);
    if (status == 0) {
        if (!asks_request(a, id, &request, &grant))
            route(a, id, &request, &grant);
        grant_done(&grant);
    } else {
        core_problem(a, id, status, "this needs a token");
    }
    ipc_request_done(&request);
}

void api_refused(struct act *a, const char *payload, size_t len)
{
    struct ipc_request request;
    struct grant grant;
    CLEANUP(freep) char *object = NULL;
    const char *allow;
    if (ipc_request_decode(payload, len, &request) < 0)
        return;
    if (state_check_grant(&a->state, request.principal, &grant) == 0) {
        enum verb_id verb = verb_match(request.method, request.path, &object, &allow);
        const struct audit_entry e = {.principal = grant.principal,
                                      .address = request.address,
                                      .verb = verb == VERB_INVALID ? request.path
                                                                   : verb_name(&verbs[verb]),
                                      .object = object,
                                      .detail = "role or scope"};
        state_refused(&a->state, &e, act_now());
        grant_done(&grant);
    }
    ipc_request_done(&request);
}
