// SPDX-License-Identifier: GPL-3.0-or-later
// Who asks: a token, a session, or the connection alone; act says what a credential is worth.
#include "private.h"

#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "base/json.h"
#include "credential.h"
#include "verb/verb.h"

static void refuse_credential(struct request *r, const struct verdict *v)
{
    CLEANUP(freep) char *seconds = mem_printf("%u", MAX_OF(v->retry_s, 1u));
    struct MHD_Response *response = NULL;
    if (v->status == MHD_HTTP_TOO_MANY_REQUESTS)
        response = answer_problem(MHD_HTTP_TOO_MANY_REQUESTS, "too many tries failed; wait");
    else if (v->status != MHD_HTTP_UNAUTHORIZED)
        response = answer_problem(MHD_HTTP_SERVICE_UNAVAILABLE,
                                  "tokens and sessions cannot be checked now; try again");
    if (!response) {
        request_refuse(r, MHD_HTTP_UNAUTHORIZED,
                       "no such token or session, or no such name and password");
        return;
    }
    MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, seconds);
    request_decide(r,
                   v->status == MHD_HTTP_TOO_MANY_REQUESTS ? MHD_HTTP_TOO_MANY_REQUESTS
                                                           : MHD_HTTP_SERVICE_UNAVAILABLE,
                   response, 0);
}

static bool is_read(const struct request *r)
{
    return strcmp(r->question.method, MHD_HTTP_METHOD_GET) == 0;
}

static void take_verdict(struct request *r, const struct verdict *v)
{
    const char *sent = request_header(r, CREDENTIAL_CSRF_HEADER);
    if (v->status != MHD_HTTP_OK)
        refuse_credential(r, v);
    else if (r->shown.kind == GATE_SESSION &&
             (r->is_cross_origin ||
              (!is_read(r) &&
               !credential_may_change(v->csrf, sent, request_header(r, "Sec-Fetch-Site")))))
        request_refuse(
            r, MHD_HTTP_FORBIDDEN,
            "a session's request that changes something needs its " CREDENTIAL_CSRF_HEADER);
    else {
        r->grant = mem_strdup(v->grant);
        core_ask(r);
    }
}

static void answer_session(struct request *r, const struct verdict *v)
{
    static const char mime[] = "application/json";
    CLEANUP(buf_done) struct buf body;
    struct json j;
    size_t len = 0;
    buf_init(&body, 4096);
    buf_put(&body, mime, sizeof(mime));
    json_init(&j, &body);
    json_object_begin(&j);
    if (*v->csrf)
        json_kv_string(&j, "csrf", v->csrf);
    json_object_end(&j);
    char *payload = buf_take(&body, &len);
    struct MHD_Response *response = payload ? answer_from_core(payload, len, false) : NULL;
    CLEANUP(freep) char *cookie = credential_cookie(v->session, r->conn->peer.is_tls);
    if (response)
        MHD_add_response_header(response, MHD_HTTP_HEADER_SET_COOKIE, cookie);
    request_decide(r, MHD_HTTP_OK, response, 0);
}

void login_answered(void *asker, const struct verdict *v)
{
    struct request *r = asker;
    struct gate *g = &r->conn->server->gate;
    bool is_door = r->question.verb == VERB_LOGIN || r->question.verb == VERB_LOGOUT;
    r->gate_id = 0;
    if (r->question.verb == VERB_LOGOUT)
        gate_forget(g, &(struct gate_question){.kind = GATE_SESSION, .secret = r->shown.secret});
    else if (v->status == MHD_HTTP_OK && !is_door)
        gate_keep(g, &r->shown, v, server_now_ns(r->conn->server));
    if (is_door && v->status == MHD_HTTP_OK)
        answer_session(r, v);
    else if (is_door)
        refuse_credential(r, v);
    else
        take_verdict(r, v);
}

static void ask_act(struct request *r)
{
    static const struct verdict away = {MHD_HTTP_SERVICE_UNAVAILABLE, "", "", "", 1};
    if (gate_ask(&r->conn->server->gate, &r->shown, r, &r->gate_id) < 0)
        refuse_credential(r, &away);
    else
        request_wait(r, r->question.patience_ns);
}

static void show(struct request *r, enum gate_kind kind, char *secret, char *user)
{
    gate_question_done(&r->shown);
    free(r->user);
    r->user = user;
    r->shown = (struct gate_question){.kind = kind,
                                      .secret = secret,
                                      .user = user ? user : "",
                                      .address = r->conn->peer.address,
                                      .storage = secret};
}

static void log_in(struct request *r)
{
    char *user = NULL, *password = NULL;
    if (!credential_may_login(request_header(r, "Sec-Fetch-Site")) || r->is_cross_origin) {
        request_refuse(r, MHD_HTTP_FORBIDDEN, "pages of another origin may not log in");
        return;
    }
    if (credential_read_login(r->body.data ? r->body.data : "", r->body.len, &user, &password) <
        0) {
        request_refuse(r, MHD_HTTP_BAD_REQUEST, "the body must hold user and password");
        return;
    }
    show(r, GATE_LOGIN, password, user);
    ask_act(r);
}

// Who asks? Then core or act is asked.
void login_proceed(struct request *r)
{
    struct server *s = r->conn->server;
    enum gate_kind kind;
    char *secret = NULL;
    struct verdict known;
    if (r->body.len > 0 && strlen(r->body.data) != r->body.len) {
        request_refuse(r, MHD_HTTP_BAD_REQUEST, "the body holds a NUL");
        return;
    }
    if (r->question.verb == VERB_LOGIN) {
        log_in(r);
        return;
    }
    int shown = credential_read(request_header(r, MHD_HTTP_HEADER_AUTHORIZATION),
                                request_header(r, MHD_HTTP_HEADER_COOKIE), &kind, &secret);
    if (shown < 0 || (shown == 0 && r->question.verb == VERB_LOGOUT)) {
        request_refuse(r, MHD_HTTP_UNAUTHORIZED, "this needs a token: Authorization: Bearer …");
        return;
    }
    if (shown == 0) {
        core_ask(r);
        return;
    }
    show(r, r->question.verb == VERB_LOGOUT ? GATE_LOGOUT : kind, secret, NULL);
    if (gate_known(&s->gate, &r->shown, server_now_ns(s), &known))
        take_verdict(r, &known);
    else
        ask_act(r);
}
