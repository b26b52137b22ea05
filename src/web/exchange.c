// SPDX-License-Identifier: GPL-3.0-or-later
// A request from its first line to its end, as MHD tells of it.
#include "private.h"

#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "host.h"
#include "origin.h"
#include "verb/verb.h"

#define NEXT_HEADER_NS (30 * NS_PER_S)
// A client that reads slower than this is cut.
#define RESPONSE_BYTES_PER_S (64u * 1024)
// Memory that answers may take while slow clients read them; one more is still let in below it.
#define BODIES_MAX ((size_t)256 << 20)

// A page of another origin in somebody's browser: may it ask at all?
static bool check_origin(struct request *r, const char *method)
{
    const struct server *s = r->conn->server;
    const char *origin = request_header(r, MHD_HTTP_HEADER_ORIGIN);
    if (!origin)
        return true;
    r->is_cross_origin = origin_is_allowed(origin, s->origins.items, s->origins.n);
    // A page may send a form wherever it likes; reading the answer is what it needs leave for.
    return r->is_cross_origin || strcmp(method, MHD_HTTP_METHOD_POST) != 0 ||
           origin_is_own(origin, request_header(r, MHD_HTTP_HEADER_HOST));
}

static bool wants_gzip(const struct request *r, const char *method)
{
    return (r->conn->peer.kind == PEER_REMOTE || r->question.is_query) &&
           strcmp(method, MHD_HTTP_METHOD_HEAD) != 0 &&
           answer_accepts_gzip(request_header(r, MHD_HTTP_HEADER_ACCEPT_ENCODING));
}

// A browser asks in advance whether a page of another origin may.
static void answer_preflight(struct request *r)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    if (response) {
        MHD_add_response_header(response, MHD_HTTP_HEADER_ACCESS_CONTROL_ALLOW_METHODS,
                                "GET, HEAD, POST");
        MHD_add_response_header(response, MHD_HTTP_HEADER_ACCESS_CONTROL_ALLOW_HEADERS,
                                "Accept, Authorization, Content-Type");
        MHD_add_response_header(response, MHD_HTTP_HEADER_ACCESS_CONTROL_MAX_AGE, "600");
    }
    request_decide(r, MHD_HTTP_NO_CONTENT, response, 0);
}

// Decides whether core is asked; what is refused is REQUEST_DECIDED afterwards.
static void open_request(struct request *r, const char *method)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(r->mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    r->conn = info->socket_context;
    r->conn->request = r;
    r->conn->server->in_flight++;
    const struct server *s = r->conn->server;
    struct host_names names = {s->own_name, s->hosts.items, s->hosts.n};
    struct refusal refusal = request_check(r, &r->conn->peer, method, &names, &r->question);
    bool may_ask = check_origin(r, method);
    r->gzip = wants_gzip(r, method);
    if (r->is_cross_origin && strcmp(method, MHD_HTTP_METHOD_OPTIONS) == 0 &&
        refusal.status == MHD_HTTP_METHOD_NOT_ALLOWED)
        answer_preflight(r);
    else if (refusal.status != 0)
        request_refuse(r, refusal.status, refusal.detail);
    else if (!may_ask)
        request_refuse(r, MHD_HTTP_FORBIDDEN,
                       "pages of this origin may not ask; web.origins would have to name it");
    else if (r->conn->peer.kind == PEER_REMOTE &&
             !limit_take(s->limit, (const struct sockaddr *)&r->conn->peer.addr, s->rate_limit,
                         server_now_ns(s)))
        request_refuse(r, MHD_HTTP_TOO_MANY_REQUESTS, "too many requests from this address");
    else if (s->body_bytes > BODIES_MAX)
        request_refuse(r, MHD_HTTP_SERVICE_UNAVAILABLE, "too many answers wait for slow clients");
    else if (r->question.body_max > 0)
        body_begin(r);
}

static enum MHD_Result queue_answer(struct request *r)
{
    if (!r->response)
        return MHD_NO;
    if (r->is_cross_origin) {
        MHD_add_response_header(r->response, MHD_HTTP_HEADER_ACCESS_CONTROL_ALLOW_ORIGIN,
                                request_header(r, MHD_HTTP_HEADER_ORIGIN));
        MHD_add_response_header(r->response, MHD_HTTP_HEADER_VARY, MHD_HTTP_HEADER_ORIGIN);
    }
    r->state = REQUEST_ANSWERED;
    conn_set_deadline(r->conn, CONN_RESPONSE,
                      RESPONSE_NS + (int64_t)(r->body_len / RESPONSE_BYTES_PER_S) * NS_PER_S);
    enum MHD_Result queued = MHD_queue_response(r->mhd, r->status, r->response);
    MHD_destroy_response(TAKE_PTR(r->response));
    return queued;
}

static void end_request(struct request *r)
{
    if (r->state == REQUEST_DECIDED)
        return;
    if (body_is_samples(r))
        body_write(r);
    else
        login_proceed(r);
}

// MHD calls once for the header, for each part of a body, and again at the end of the request. An
// answer to the first call makes it close the connection: right where a body is refused, only.
enum MHD_Result exchange_request(void *cls, struct MHD_Connection *mhd, const char *url,
                                 const char *method, const char *version, const char *upload,
                                 size_t *upload_len, void **context)
{
    struct request *r = *context;
    r->mhd = mhd;
    if (r->state == REQUEST_NEW && !request_has_body(r)) {
        r->state = REQUEST_SEEN;
    } else if (r->state == REQUEST_NEW) {
        open_request(r, method);
    } else if (*upload_len > 0) {
        if (!body_take(r, upload, *upload_len))
            return MHD_NO;
        *upload_len = 0;
    } else if (r->state <= REQUEST_BODY) {
        if (r->state == REQUEST_SEEN)
            open_request(r, method);
        end_request(r);
    }
    return r->state == REQUEST_DECIDED ? queue_answer(r) : MHD_YES;
}

void *exchange_uri(void *cls, const char *uri, struct MHD_Connection *mhd)
{
    struct request *r = mem_zalloc(sizeof(*r));
    r->uri = mem_strdup(uri);
    return r;
}

void exchange_completed(void *cls, struct MHD_Connection *mhd, void **context,
                        enum MHD_RequestTerminationCode why)
{
    struct request *r = TAKE_PTR(*context);
    if (!r)
        return;
    if (r->conn) {
        struct server *s = r->conn->server;
        if (r->conn->hangup.events != 0)
            (void)loop_watch(s->loop, &r->conn->hangup, 0);
        if (r->stream)
            stream_detach(r->stream);
        if (r->id != 0)
            link_cancel(&s->link, r->id);
        body_drop(r);
        if (r->gate_id != 0)
            gate_cancel(&s->gate, r->gate_id);
        s->in_flight--;
        s->body_bytes -= r->body_len;
        r->conn->request = NULL;
        conn_set_deadline(r->conn, CONN_HEADER, NEXT_HEADER_NS);
    }
    if (r->response)
        MHD_destroy_response(r->response);
    gate_question_done(&r->shown);
    free(r->user);
    free(r->grant);
    free(r->question.storage);
    free(r->work);
    free(r->uri);
    free(r);
}

size_t exchange_escapes(void *cls, struct MHD_Connection *mhd, char *text)
{
    return strlen(text);
}
