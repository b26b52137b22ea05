// SPDX-License-Identifier: GPL-3.0-or-later
// What a request comes to: core's answers, whole or in pieces, and refusals.
#include "private.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "answer.h"
#include "base/mem.h"
#include "base/number.h"

void request_decide(struct request *r, unsigned status, struct MHD_Response *response, size_t len)
{
    bool waiting = r->state == REQUEST_WAITING;
    r->status = status;
    r->response = response;
    r->body_len = len;
    r->conn->server->body_bytes += len;
    r->state = REQUEST_DECIDED;
    if (waiting) {
        MHD_resume_connection(r->mhd);
        r->conn->server->mhd_due = true;
    }
}

static const char *allowed(const struct request *r)
{
    const char *allow = r->question.allow;
    return !allow || strcmp(allow, MHD_HTTP_METHOD_GET) == 0 ? "GET, HEAD" : allow;
}

void request_refuse(struct request *r, unsigned status, const char *detail)
{
    struct MHD_Response *response = answer_problem(status, detail);
    if (response && status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, allowed(r));
    if (response && status == MHD_HTTP_UNAUTHORIZED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
    if (response && status == MHD_HTTP_SERVICE_UNAVAILABLE)
        MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, "1");
    if (response && status == MHD_HTTP_CONTENT_TOO_LARGE)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    request_decide(r, status, response, 0);
}

// Called by MHD while it sends, and by core's side when it ends a response early.
static void piece_taken(void *owner, size_t bytes)
{
    struct request *r = owner;
    struct server *s = r->conn->server;
    r->body_len -= bytes;
    s->body_bytes -= bytes;
    conn_set_deadline(r->conn, CONN_RESPONSE, RESPONSE_NS);
    link_more(&s->link, r->id);
}

static void stream_gone(void *owner)
{
    ((struct request *)owner)->stream = NULL;
}

static const struct stream_events stream_events = {piece_taken, stream_gone};

static void core_answered(void *asker, const struct ipc_frame *frame, char *payload)
{
    struct request *r = asker;
    if (frame->type == IPC_WRITTEN) {
        body_written(r, frame, payload);
        return;
    }
    struct MHD_Response *response = NULL;
    size_t type_len = payload ? strnlen(payload, frame->len) + 1 : 0;
    size_t len = frame->len - MIN_OF(type_len, frame->len);
    if (frame->type == IPC_BEGIN)
        r->stream =
            answer_begin(payload, frame->len, r->mhd, r->gzip, &stream_events, r, &response);
    else
        response = answer_from_core(payload, frame->len, r->gzip);
    if (response && frame->status == MHD_HTTP_UNAUTHORIZED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
    if (response && frame->status >= 200 && frame->status <= 599) {
        request_decide(r, frame->status, response, len);
        return;
    }
    if (frame->type == IPC_BEGIN)
        link_cancel(&r->conn->server->link, r->id);
    if (r->stream)
        stream_detach(TAKE_PTR(r->stream));
    if (response)
        MHD_destroy_response(response);
    request_refuse(r, MHD_HTTP_BAD_GATEWAY, "vherd's core gave an answer that is none");
}

// A compressed answer is made for each: it goes to other machines, of which few scrape.
static void core_shared(void *asker, const struct ipc_frame *frame, struct shared *answer)
{
    struct request *r = asker;
    char *copy = r->gzip ? malloc(answer->len) : NULL;
    struct MHD_Response *response =
        copy ? answer_from_core(memcpy(copy, answer->payload, answer->len), answer->len, true)
             : answer_shared(answer);
    if (response)
        request_decide(r, frame->status, response, answer->len);
    else
        request_refuse(r, MHD_HTTP_BAD_GATEWAY, "vherd's core gave an answer that is none");
}

static void core_continued(void *asker, char *payload, size_t len)
{
    struct request *r = asker;
    struct server *s = r->conn->server;
    if (!r->stream || len == 0) {
        free(payload);
        return;
    }
    r->body_len += len;
    s->body_bytes += len;
    s->mhd_due |= stream_put(r->stream, payload, payload, len);
}

void core_ended(void *asker, bool whole)
{
    struct request *r = asker;
    if (r->stream)
        r->conn->server->mhd_due |= stream_end(r->stream, whole);
}

void core_lost(void *asker)
{
    struct request *r = asker;
    if (r->stream)
        core_ended(r, false);
    else
        request_refuse(r, MHD_HTTP_SERVICE_UNAVAILABLE, "vherd's core is restarting; try again");
}

const struct link_events core_events = {core_answered, core_shared, core_continued, core_ended,
                                        core_lost};

const char *request_header(const struct request *r, const char *name)
{
    return MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, name);
}

// MHD does not look at a suspended connection.
static void client_hung_up(uint32_t events, void *arg)
{
    struct conn *c = arg;
    struct request *r = c->request;
    (void)loop_watch(c->server->loop, &c->hangup, 0);
    if (!r)
        return;
    link_cancel(&c->server->link, r->id);
    if (r->state == REQUEST_WAITING)
        request_refuse(r, MHD_HTTP_SERVICE_UNAVAILABLE, "the client is gone");
    else
        core_ended(r, false);
}

static void watch_client(struct conn *c)
{
    c->hangup = (struct watch){.fd = c->fd, .ready = client_hung_up, .arg = c};
    (void)loop_watch(c->server->loop, &c->hangup, EPOLLRDHUP);
}

void request_wait(struct request *r, int64_t patience_ns)
{
    bool waiting = r->state == REQUEST_WAITING;
    r->state = REQUEST_WAITING;
    conn_set_deadline(r->conn, CONN_CORE, patience_ns);
    if (!waiting)
        MHD_suspend_connection(r->mhd);
}

// A client that was cut off from a stream of events says which one it saw last.
static const char *resume(const struct request *r, char **ret_owned)
{
    const char *last = request_header(r, "Last-Event-ID");
    uint64_t seq = 0;
    if (r->question.verb != VERB_EVENTS || !last || number_parse_u64(last, &seq) < 0)
        return r->question.query;
    *ret_owned = mem_printf("after=%llu&%s", (unsigned long long)seq, r->question.query);
    return *ret_owned;
}

// With the grant that act gave, or the connection itself, of which core knows what it is worth.
void core_ask(struct request *r)
{
    struct server *s = r->conn->server;
    const struct question *question = &r->question;
    const char *accept = request_header(r, MHD_HTTP_HEADER_ACCEPT);
    // HEAD is GET to core; MHD leaves the body out.
    CLEANUP(freep) char *resumed = NULL;
    struct ipc_request ask = {.method = question->method,
                              .path = question->path,
                              .query = resume(r, &resumed),
                              .form = r->body.len > 0 ? r->body.data : "",
                              .accept = accept ? accept : "",
                              .principal = r->grant ? r->grant : "",
                              .address = r->conn->peer.address};
    if (link_ask(&s->link, &ask, r->grant ? -1 : r->conn->fd, r, &r->id) < 0) {
        core_lost(r);
        return;
    }
    request_wait(r, question->patience_ns + (question->is_query ? s->query_timeout_ns : 0));
    if (question->is_query)
        watch_client(r->conn);
}
