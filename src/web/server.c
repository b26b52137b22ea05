// SPDX-License-Identifier: GPL-3.0-or-later
// libmicrohttpd speaks HTTP; this file accepts, limits, and keeps time, since MHD knows only
// inactivity, which a client that drips its header never shows.
// Invariants: `conns` holds every socket that MHD has; a request in REQUEST_WAITING is suspended in
// MHD and known to the link, and both end together; MHD and the link are never entered from each
// other's callbacks, only marked (`mhd_due`). One thread.
#include "server.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "answer.h"
#include "base/json.h"
#include "base/mem.h"
#include "conn.h"
#include "credential.h"
#include "gate.h"
#include "host.h"
#include "limit.h"
#include "import.h"
#include "link.h"
#include "origin.h"
#include "verb/verb.h"
#include "write.h"

#define FIRST_HEADER_NS (10 * NS_PER_S)
#define NEXT_HEADER_NS (30 * NS_PER_S)
#define RESPONSE_NS (30 * NS_PER_S)
// A client that reads slower than this is cut.
#define RESPONSE_BYTES_PER_S (64u * 1024)
// Memory that answers may take while slow clients read them; one more is still let in below it.
#define BODIES_MAX ((size_t)256 << 20)
// Bodies on their way in: their memory, and how slowly one may come.
#define UPLOADS_MAX ((size_t)64 << 20)
#define UPLOAD_BYTES_PER_S (64u * 1024)
#define BODY_NS (30 * NS_PER_S)
#define FINISH_NS (2 * NS_PER_S)
// Longer than the supervisor's longest pause before it starts core again.
#define WRITE_PATIENCE_NS (10 * NS_PER_S)
// While the store merges what came before.
#define IMPORT_PATIENCE_NS (110 * NS_PER_S)
#define ORPHAN_NS (12 * NS_PER_S)
#define SWEEP_NS (250 * NS_PER_MS)
#define ACCEPTS_PER_TURN 64
#define RUNS_PER_TURN 16
#define LISTENERS_MAX 32
#define TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"
// Header, URI and MHD's own needs together; a longer header is answered 431.
#define CONN_MEMORY ((size_t)32 * 1024)
#define MHD_CONNECTIONS_MAX 30000u

struct listener {
    struct server *server;
    struct watch watch;
    bool is_unix;
    bool is_tls;
};

// MHD speaks either HTTP or HTTPS.
enum { PLAIN, TLS, ENGINES };

struct engine {
    struct MHD_Daemon *mhd; // NULL: there is no certificate
    struct watch watch;
};

struct server {
    struct loop *loop;
    const struct clock *clock;
    struct engine engines[ENGINES];
    bool mhd_due; // something was resumed or added since MHD ran
    struct link link;
    struct gate gate; // to act
    struct limit *limit;
    int64_t rate_limit; // requests a second

    struct listener listeners[LISTENERS_MAX];
    size_t n_listeners;
    bool accepting;

    struct conn *conns;
    struct conn *adding; // while MHD takes it over
    size_t n_tcp, n_unix, max;
    int64_t next_sweep_ns; // INT64_MAX: nothing to wait for
    int64_t finish_ns;     // 0: not yet told to end
    int64_t orphan_ns;     // when to stop hoping for core; 0: it is there
    size_t in_flight;
    size_t body_bytes; // of answers that clients have not taken yet
    char own_name[256];
    // Borrowed from the configuration in force.
    struct conf_list hosts, origins;
    int64_t query_timeout_ns;
    struct write_door *door;
    size_t receive_max;  // of one body with samples
    size_t upload_bytes; // of bodies that are being read
};

// Verbs whose body is samples.
static const struct intake {
    struct refusal (*check)(const struct write_door *d, const struct request *r);
    struct refusal (*decode)(const struct request *r, struct samples_writer *out,
                             struct rw_content *content, struct err *why);
    struct MHD_Response *(*answer)(const struct rw_content *content, const char *refused,
                                   const struct samples_written *written, unsigned *ret_status);
    int (*hand_over)(struct link *l, const char *frame, size_t len, void *asker, uint32_t *ret_id);
    int64_t patience_ns;
} intakes[VERB_MAX] = {
    [VERB_WRITE] = {write_check, write_decode, write_answer, link_write, WRITE_PATIENCE_NS},
    [VERB_IMPORT] = {import_check, import_decode, import_answer, link_import, IMPORT_PATIENCE_NS},
};

// What is kept of a body with samples until core has them.
struct writing {
    struct rw_content content;
    char refused[sizeof(((struct err *)NULL)->message)];
};

static int64_t now_ns(const struct server *s)
{
    return clock_mono_ns(s->clock);
}

static void set_deadline(struct conn *c, enum conn_phase phase, int64_t after_ns)
{
    c->phase = phase;
    c->deadline_ns = now_ns(c->server) + after_ns;
    c->server->next_sweep_ns = MIN_OF(c->server->next_sweep_ns, c->deadline_ns);
}

// Requests

static void decide(struct request *r, unsigned status, struct MHD_Response *response, size_t len)
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

static void refuse(struct request *r, unsigned status, const char *detail)
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
    decide(r, status, response, 0);
}

// Called by MHD while it sends, and by core's side when it ends a response early.
static void piece_taken(void *owner, size_t bytes)
{
    struct request *r = owner;
    struct server *s = r->conn->server;
    r->body_len -= bytes;
    s->body_bytes -= bytes;
    set_deadline(r->conn, CONN_RESPONSE, RESPONSE_NS);
    link_more(&s->link, r->id);
}

static void stream_gone(void *owner)
{
    ((struct request *)owner)->stream = NULL;
}

static const struct stream_events stream_events = {piece_taken, stream_gone};

static void core_wrote(struct request *r, const struct ipc_frame *frame, char *payload)
{
    struct samples_written written;
    struct writing *w = r->work;
    unsigned status = 0;
    if (w && samples_written_decode(payload ? payload : "", frame->len, &written) == 0) {
        struct MHD_Response *response =
            intakes[r->question.verb].answer(&w->content, w->refused, &written, &status);
        if (response)
            decide(r, status, response, 0);
    }
    free(payload);
    if (r->state == REQUEST_WAITING)
        refuse(r, MHD_HTTP_BAD_GATEWAY, "vherd's core gave an answer that is none");
}

static void core_answered(void *asker, const struct ipc_frame *frame, char *payload)
{
    struct request *r = asker;
    if (frame->type == IPC_WRITTEN) {
        core_wrote(r, frame, payload);
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
        decide(r, frame->status, response, len);
        return;
    }
    if (frame->type == IPC_BEGIN)
        link_cancel(&r->conn->server->link, r->id);
    if (r->stream)
        stream_detach(TAKE_PTR(r->stream));
    if (response)
        MHD_destroy_response(response);
    refuse(r, MHD_HTTP_BAD_GATEWAY, "vherd's core gave an answer that is none");
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

static void core_ended(void *asker, bool whole)
{
    struct request *r = asker;
    if (r->stream)
        r->conn->server->mhd_due |= stream_end(r->stream, whole);
}

static void core_lost(void *asker)
{
    struct request *r = asker;
    if (r->stream)
        core_ended(r, false);
    else
        refuse(r, MHD_HTTP_SERVICE_UNAVAILABLE, "vherd's core is restarting; try again");
}

static const struct link_events link_events = {core_answered, core_continued, core_ended,
                                               core_lost};

static const char *header_of(const struct request *r, const char *name)
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
        refuse(r, MHD_HTTP_SERVICE_UNAVAILABLE, "the client is gone");
    else
        core_ended(r, false);
}

static void watch_client(struct conn *c)
{
    c->hangup = (struct watch){.fd = c->fd, .ready = client_hung_up, .arg = c};
    (void)loop_watch(c->server->loop, &c->hangup, EPOLLRDHUP);
}

static void wait_for(struct request *r, int64_t patience_ns)
{
    bool waiting = r->state == REQUEST_WAITING;
    r->state = REQUEST_WAITING;
    set_deadline(r->conn, CONN_CORE, patience_ns);
    if (!waiting)
        MHD_suspend_connection(r->mhd);
}

// With the grant that act gave, or the connection itself, of which core knows what it is worth.
static void ask_core(struct request *r)
{
    struct server *s = r->conn->server;
    const struct question *question = &r->question;
    const char *accept = header_of(r, MHD_HTTP_HEADER_ACCEPT);
    // HEAD is GET to core; MHD leaves the body out.
    struct ipc_request ask = {.method = question->method,
                              .path = question->path,
                              .query = question->query,
                              .form = r->body.len > 0 ? r->body.data : "",
                              .accept = accept ? accept : "",
                              .principal = r->grant ? r->grant : "",
                              .address = r->conn->peer.address};
    if (link_ask(&s->link, &ask, r->grant ? -1 : r->conn->fd, r, &r->id) < 0) {
        core_lost(r);
        return;
    }
    wait_for(r, question->patience_ns + (question->is_query ? s->query_timeout_ns : 0));
    if (question->is_query)
        watch_client(r->conn);
}

// Credentials

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
        refuse(r, MHD_HTTP_UNAUTHORIZED, "no such token or session, or no such name and password");
        return;
    }
    MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, seconds);
    decide(r,
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
    const char *sent = header_of(r, CREDENTIAL_CSRF_HEADER);
    if (v->status != MHD_HTTP_OK)
        refuse_credential(r, v);
    else if (r->shown.kind == GATE_SESSION &&
             (r->is_cross_origin ||
              (!is_read(r) &&
               !credential_may_change(v->csrf, sent, header_of(r, "Sec-Fetch-Site")))))
        refuse(r, MHD_HTTP_FORBIDDEN,
               "a session's request that changes something needs its " CREDENTIAL_CSRF_HEADER);
    else {
        r->grant = mem_strdup(v->grant);
        ask_core(r);
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
    decide(r, MHD_HTTP_OK, response, 0);
}

static void act_answered(void *asker, const struct verdict *v)
{
    struct request *r = asker;
    struct gate *g = &r->conn->server->gate;
    bool is_door = r->question.verb == VERB_LOGIN || r->question.verb == VERB_LOGOUT;
    r->gate_id = 0;
    if (r->question.verb == VERB_LOGOUT)
        gate_forget(g, &(struct gate_question){.kind = GATE_SESSION, .secret = r->shown.secret});
    else if (v->status == MHD_HTTP_OK && !is_door)
        gate_keep(g, &r->shown, v, now_ns(r->conn->server));
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
        wait_for(r, r->question.patience_ns);
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
    if (!credential_may_login(header_of(r, "Sec-Fetch-Site")) || r->is_cross_origin) {
        refuse(r, MHD_HTTP_FORBIDDEN, "pages of another origin may not log in");
        return;
    }
    if (credential_read_login(r->body.data ? r->body.data : "", r->body.len, &user, &password) <
        0) {
        refuse(r, MHD_HTTP_BAD_REQUEST, "the body must hold user and password");
        return;
    }
    show(r, GATE_LOGIN, password, user);
    ask_act(r);
}

// Who asks? Then core or act is asked.
static void proceed(struct request *r)
{
    struct server *s = r->conn->server;
    enum gate_kind kind;
    char *secret = NULL;
    struct verdict known;
    if (r->body.len > 0 && strlen(r->body.data) != r->body.len) {
        refuse(r, MHD_HTTP_BAD_REQUEST, "the body holds a NUL");
        return;
    }
    if (r->question.verb == VERB_LOGIN) {
        log_in(r);
        return;
    }
    int shown = credential_read(header_of(r, MHD_HTTP_HEADER_AUTHORIZATION),
                                header_of(r, MHD_HTTP_HEADER_COOKIE), &kind, &secret);
    if (shown < 0 || (shown == 0 && r->question.verb == VERB_LOGOUT)) {
        refuse(r, MHD_HTTP_UNAUTHORIZED, "this needs a token: Authorization: Bearer …");
        return;
    }
    if (shown == 0) {
        ask_core(r);
        return;
    }
    show(r, r->question.verb == VERB_LOGOUT ? GATE_LOGOUT : kind, secret, NULL);
    if (gate_known(&s->gate, &r->shown, now_ns(s), &known))
        take_verdict(r, &known);
    else
        ask_act(r);
}

// A page of another origin in somebody's browser: may it ask at all?
static bool check_origin(struct request *r, const char *method)
{
    const struct server *s = r->conn->server;
    const char *origin = header_of(r, MHD_HTTP_HEADER_ORIGIN);
    if (!origin)
        return true;
    r->is_cross_origin = origin_is_allowed(origin, s->origins.items, s->origins.n);
    // A page may send a form wherever it likes; reading the answer is what it needs leave for.
    return r->is_cross_origin || strcmp(method, MHD_HTTP_METHOD_POST) != 0 ||
           origin_is_own(origin, header_of(r, MHD_HTTP_HEADER_HOST));
}

static bool wants_gzip(const struct request *r, const char *method)
{
    return (r->conn->peer.kind == PEER_REMOTE || r->question.is_query) &&
           strcmp(method, MHD_HTTP_METHOD_HEAD) != 0 &&
           answer_accepts_gzip(header_of(r, MHD_HTTP_HEADER_ACCEPT_ENCODING));
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
    decide(r, MHD_HTTP_NO_CONTENT, response, 0);
}

// Bodies

// Refuses, or gets ready to read.
static void begin_body(struct request *r)
{
    struct server *s = r->conn->server;
    enum verb_id verb = r->question.verb;
    size_t len = request_body_length(r), max = r->question.body_max;
    struct refusal refusal = {0};
    if (verb == VERB_WRITE)
        max = s->receive_max;
    if (verb >= 0 && verb < VERB_MAX && intakes[verb].check)
        refusal = intakes[verb].check(s->door, r);
    if (refusal.status == 0 && len > max)
        refusal = (struct refusal){MHD_HTTP_CONTENT_TOO_LARGE,
                                   "the request is larger than receive.max_body"};
    if (refusal.status == 0 && s->upload_bytes + len > UPLOADS_MAX)
        refusal = (struct refusal){MHD_HTTP_SERVICE_UNAVAILABLE, "too many requests at once"};
    if (refusal.status != 0) {
        refuse(r, refusal.status, refusal.detail);
        return;
    }
    buf_init(&r->body, max);
    set_deadline(r->conn, CONN_BODY, BODY_NS + (int64_t)(max / UPLOAD_BYTES_PER_S) * NS_PER_S);
    r->state = REQUEST_BODY;
}

// False: more than may come; the connection is closed, as MHD has no other way in mid-body.
static bool take_piece(struct request *r, const char *data, size_t len)
{
    struct server *s = r->conn->server;
    if (r->state != REQUEST_BODY || s->upload_bytes + len > UPLOADS_MAX)
        return false;
    buf_put(&r->body, data, len);
    if (r->body.error)
        return false;
    s->upload_bytes += len;
    return true;
}

static void drop_body(struct request *r)
{
    if (r->conn)
        r->conn->server->upload_bytes -= r->body.len;
    if (r->body.data) // a password, perhaps
        explicit_bzero(r->body.data, r->body.len);
    buf_done(&r->body);
}

static void write_samples(struct request *r)
{
    struct server *s = r->conn->server;
    struct writing *w = mem_zalloc(sizeof(*w));
    struct samples_writer *out = samples_writer_new(SAMPLES_FRAME_MAX);
    struct err why = {0};
    size_t len = 0;
    r->work = w;
    const struct intake *intake = &intakes[r->question.verb];
    struct refusal refusal = intake->decode(r, out, &w->content, &why);
    memcpy(w->refused, why.message, sizeof(w->refused));
    const char *frame = refusal.status == 0 ? samples_finish(out, &len) : NULL;
    drop_body(r);
    if (refusal.status != 0) {
        refuse(r, refusal.status, refusal.detail);
    } else if (!frame || intake->hand_over(&s->link, frame, len, r, &r->id) < 0) {
        core_lost(r);
    } else {
        wait_for(r, intake->patience_ns);
    }
    samples_writer_free(out);
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
        refuse(r, refusal.status, refusal.detail);
    else if (!may_ask)
        refuse(r, MHD_HTTP_FORBIDDEN,
               "pages of this origin may not ask; web.origins would have to name it");
    else if (r->conn->peer.kind == PEER_REMOTE &&
             !limit_take(s->limit, (const struct sockaddr *)&r->conn->peer.addr, s->rate_limit,
                         now_ns(s)))
        refuse(r, MHD_HTTP_TOO_MANY_REQUESTS, "too many requests from this address");
    else if (s->body_bytes > BODIES_MAX)
        refuse(r, MHD_HTTP_SERVICE_UNAVAILABLE, "too many answers wait for slow clients");
    else if (r->question.body_max > 0)
        begin_body(r);
}

static enum MHD_Result queue_answer(struct request *r)
{
    if (!r->response)
        return MHD_NO;
    if (r->is_cross_origin) {
        MHD_add_response_header(r->response, MHD_HTTP_HEADER_ACCESS_CONTROL_ALLOW_ORIGIN,
                                header_of(r, MHD_HTTP_HEADER_ORIGIN));
        MHD_add_response_header(r->response, MHD_HTTP_HEADER_VARY, MHD_HTTP_HEADER_ORIGIN);
    }
    r->state = REQUEST_ANSWERED;
    set_deadline(r->conn, CONN_RESPONSE,
                 RESPONSE_NS + (int64_t)(r->body_len / RESPONSE_BYTES_PER_S) * NS_PER_S);
    enum MHD_Result queued = MHD_queue_response(r->mhd, r->status, r->response);
    MHD_destroy_response(TAKE_PTR(r->response));
    return queued;
}

static void end_request(struct request *r)
{
    if (r->state == REQUEST_DECIDED)
        return;
    enum verb_id verb = r->question.verb;
    if (verb >= 0 && verb < VERB_MAX && intakes[verb].decode)
        write_samples(r);
    else
        proceed(r);
}

// MHD calls once for the header, for each part of a body, and again at the end of the request. An
// answer to the first call makes it close the connection: right where a body is refused, only.
static enum MHD_Result on_request(void *cls, struct MHD_Connection *mhd, const char *url,
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
        if (!take_piece(r, upload, *upload_len))
            return MHD_NO;
        *upload_len = 0;
    } else if (r->state <= REQUEST_BODY) {
        if (r->state == REQUEST_SEEN)
            open_request(r, method);
        end_request(r);
    }
    return r->state == REQUEST_DECIDED ? queue_answer(r) : MHD_YES;
}

static void *on_uri(void *cls, const char *uri, struct MHD_Connection *mhd)
{
    struct request *r = mem_zalloc(sizeof(*r));
    r->uri = mem_strdup(uri);
    return r;
}

static void on_completed(void *cls, struct MHD_Connection *mhd, void **context,
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
        drop_body(r);
        if (r->gate_id != 0)
            gate_cancel(&s->gate, r->gate_id);
        s->in_flight--;
        s->body_bytes -= r->body_len;
        r->conn->request = NULL;
        set_deadline(r->conn, CONN_HEADER, NEXT_HEADER_NS);
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

// request_check() decodes the address itself, from the text that came.
static size_t keep_escapes(void *cls, struct MHD_Connection *mhd, char *text)
{
    return strlen(text);
}

// Connections

static void update_accepting(struct server *s)
{
    for (size_t i = 0; i < s->n_listeners; i++) {
        struct listener *l = &s->listeners[i];
        bool room = s->accepting && (l->is_unix ? s->n_unix : s->n_tcp) < s->max;
        (void)loop_watch(s->loop, &l->watch, room ? EPOLLIN : 0);
    }
}

static void on_connection(void *cls, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct server *s = cls;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        struct conn *c = TAKE_PTR(s->adding);
        *context = c;
        c->next = s->conns;
        if (c->next)
            c->next->prev = c;
        s->conns = c;
        *(c->peer.kind == PEER_UNIX ? &s->n_unix : &s->n_tcp) += 1;
        set_deadline(c, CONN_HEADER, FIRST_HEADER_NS);
        return;
    }
    struct conn *c = TAKE_PTR(*context);
    if (!c)
        return;
    *(c->prev ? &c->prev->next : &s->conns) = c->next;
    if (c->next)
        c->next->prev = c->prev;
    *(c->peer.kind == PEER_UNIX ? &s->n_unix : &s->n_tcp) -= 1;
    free(c);
    update_accepting(s);
}

// IPv4 by address, IPv6 by its /64, which is what one customer usually has.
static bool same_client(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    if (a->ss_family != b->ss_family)
        return false;
    if (a->ss_family == AF_INET)
        return ((const struct sockaddr_in *)a)->sin_addr.s_addr ==
               ((const struct sockaddr_in *)b)->sin_addr.s_addr;
    const struct in6_addr *x = &((const struct sockaddr_in6 *)a)->sin6_addr;
    const struct in6_addr *y = &((const struct sockaddr_in6 *)b)->sin6_addr;
    return memcmp(x, y, IN6_IS_ADDR_V4MAPPED(x) ? 16 : 8) == 0;
}

static bool client_has_too_many(const struct server *s, const struct peer *peer)
{
    if (peer->kind != PEER_REMOTE)
        return false;
    size_t n = 0, most = MAX_OF(s->max / 4, (size_t)4);
    for (const struct conn *c = s->conns; c; c = c->next)
        n += c->peer.kind == PEER_REMOTE && same_client(&c->peer.addr, &peer->addr);
    return n >= most;
}

static int identify(int fd, bool is_unix, struct peer *ret)
{
    socklen_t len = sizeof(ret->local);
    if (getsockname(fd, (struct sockaddr *)&ret->local, &len) < 0)
        return -errno;
    const struct sockaddr *addr = (const struct sockaddr *)&ret->addr;
    if (is_unix) {
        ret->kind = PEER_UNIX;
        snprintf(ret->address, sizeof(ret->address), "unix");
        return 0;
    }
    ret->kind = host_is_loopback(addr) ? PEER_LOOPBACK : PEER_REMOTE;
    host_address(addr, ret->address, sizeof(ret->address));
    return 0;
}

static void turn_away(int fd)
{
    static const char text[] = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 10\r\n"
                               "Content-Length: 0\r\nConnection: close\r\n\r\n";
    (void)send(fd, text, sizeof(text) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    close(fd);
}

// Takes over the socket in any case.
static void admit(const struct listener *l, int fd, const struct sockaddr_storage *addr,
                  socklen_t addr_len)
{
    struct server *s = l->server;
    struct MHD_Daemon *mhd = s->engines[l->is_tls ? TLS : PLAIN].mhd;
    CLEANUP(freep) struct conn *c = mem_zalloc(sizeof(*c));
    c->server = s;
    c->fd = fd;
    c->peer.addr = *addr;
    c->peer.is_tls = l->is_tls;
    if (identify(fd, l->is_unix, &c->peer) < 0 || client_has_too_many(s, &c->peer)) {
        turn_away(fd);
        return;
    }
    s->adding = c;
    // MHD closes the socket where it fails.
    if (MHD_add_connection(mhd, fd, (const struct sockaddr *)addr, addr_len) == MHD_YES &&
        !s->adding)
        c = NULL; // MHD holds it now
    s->adding = NULL;
    s->mhd_due = true;
}

static void listener_ready(uint32_t events, void *arg)
{
    struct listener *l = arg;
    struct server *s = l->server;
    for (int i = 0; i < ACCEPTS_PER_TURN && l->watch.events != 0; i++) {
        struct sockaddr_storage addr = {0};
        socklen_t len = sizeof(addr);
        int fd = accept4(l->watch.fd, (struct sockaddr *)&addr, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            admit(l, fd, &addr, len);
            update_accepting(s);
            continue;
        }
        if (errno == ECONNABORTED || errno == EINTR)
            continue;
        if (errno != EAGAIN) {
            // Out of descriptors or memory: leave callers in the queue until the next sweep.
            (void)loop_watch(s->loop, &l->watch, 0);
            s->next_sweep_ns = MIN_OF(s->next_sweep_ns, now_ns(s) + NS_PER_S);
        }
        return;
    }
}

// Time

static void expire(struct conn *c)
{
    if (c->phase == CONN_CORE && c->request && c->request->state == REQUEST_WAITING) {
        link_cancel(&c->server->link, c->request->id);
        gate_cancel(&c->server->gate, c->request->gate_id);
        c->request->gate_id = 0;
        refuse(c->request, MHD_HTTP_SERVICE_UNAVAILABLE, "vherd's core did not answer in time");
        set_deadline(c, CONN_RESPONSE, RESPONSE_NS);
        return;
    }
    if (c->request)
        core_ended(c->request, false);
    // MHD sees the end of the stream and closes.
    (void)shutdown(c->fd, SHUT_RDWR);
    set_deadline(c, c->phase, RESPONSE_NS);
    c->server->mhd_due = true;
}

static void sweep(struct server *s)
{
    int64_t now = now_ns(s);
    if (now < s->next_sweep_ns)
        return;
    s->next_sweep_ns = INT64_MAX;
    for (struct conn *c = s->conns; c; c = c->next) {
        if (c->deadline_ns <= now)
            expire(c);
        s->next_sweep_ns = MIN_OF(s->next_sweep_ns, MAX_OF(c->deadline_ns, now + SWEEP_NS));
    }
    update_accepting(s);
}

// True where there is more to do at once.
static bool run_engine(struct engine *e)
{
    MHD_UNSIGNED_LONG_LONG wait = 1;
    if (!e->mhd)
        return false;
    (void)MHD_run(e->mhd);
    return MHD_get_timeout(e->mhd, &wait) == MHD_YES && wait == 0;
}

static void run_mhd(struct server *s)
{
    for (int i = 0; i < RUNS_PER_TURN; i++) {
        bool again = false;
        s->mhd_due = false;
        for (size_t k = 0; k < ENGINES; k++)
            again |= run_engine(&s->engines[k]);
        if (!again && !s->mhd_due)
            return;
    }
    s->mhd_due = true;
}

static void mhd_ready(uint32_t events, void *arg)
{
    struct server *s = arg;
    s->mhd_due = true;
}

static int timeout_ms(const struct server *s)
{
    if (s->mhd_due)
        return 0;
    if (s->next_sweep_ns == INT64_MAX)
        return -1;
    int64_t wait = s->next_sweep_ns - now_ns(s);
    return wait <= 0 ? 0 : (int)MIN_OF((wait + NS_PER_MS - 1) / NS_PER_MS, INT64_C(60000));
}

static void watch_core(struct server *s)
{
    if (s->link.ipc)
        s->orphan_ns = 0;
    else if (s->orphan_ns == 0)
        s->orphan_ns = now_ns(s) + ORPHAN_NS;
    if (s->orphan_ns != 0)
        s->next_sweep_ns = MIN_OF(s->next_sweep_ns, s->orphan_ns);
}

void server_turn(struct server *s)
{
    loop_run_once(s->loop, timeout_ms(s));
    if (s->mhd_due)
        run_mhd(s);
    sweep(s);
    watch_core(s);
}

bool server_is_orphan(const struct server *s)
{
    return s->orphan_ns != 0 && now_ns(s) >= s->orphan_ns;
}

// Life

static int start_mhd(struct server *s, struct engine *e, unsigned flags,
                     struct MHD_OptionItem *options, struct err *err)
{
    e->mhd = MHD_start_daemon(
        flags | MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
        on_request, s, MHD_OPTION_CONNECTION_LIMIT, MHD_CONNECTIONS_MAX,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONN_MEMORY, MHD_OPTION_CONNECTION_TIMEOUT, 0u,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_URI_LOG_CALLBACK, on_uri, s,
        MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
        s, MHD_OPTION_NOTIFY_CONNECTION, on_connection, s, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
        MHD_OPTION_ARRAY, options, MHD_OPTION_END);
    if (!e->mhd)
        return err_set(err, EIO, "libmicrohttpd does not start");
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(e->mhd, MHD_DAEMON_INFO_EPOLL_FD);
    e->watch = (struct watch){.fd = info->epoll_fd, .ready = mhd_ready, .arg = s};
    int r = loop_watch(s->loop, &e->watch, EPOLLIN);
    return r < 0 ? err_set(err, -r, "epoll: %s", strerror(-r)) : 0;
}

static int start_engines(struct server *s, const struct server_tls *tls, struct err *err)
{
    struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    struct MHD_OptionItem secure[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)tls->certificate},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)tls->key},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)TLS_PRIORITIES},
        {MHD_OPTION_END, 0, NULL},
    };
    int r = start_mhd(s, &s->engines[PLAIN], 0, none, err);
    if (r == 0 && tls->key)
        r = start_mhd(s, &s->engines[TLS], MHD_USE_TLS, secure, err);
    return r;
}

static void stop_engine(struct server *s, struct engine *e)
{
    if (!e->mhd)
        return;
    (void)loop_watch(s->loop, &e->watch, 0);
    MHD_stop_daemon(TAKE_PTR(e->mhd));
}

static void take_conf(struct server *s, const struct conf *conf)
{
    s->hosts = conf->web.hosts;
    s->origins = conf->web.origins;
    s->max = (size_t)conf->web.max_connections;
    s->query_timeout_ns = conf->query.timeout_ns;
    s->rate_limit = conf->web.rate_limit;
}

int server_new(struct loop *loop, const struct clock *clock, const struct conf *conf,
               const struct server_tls *tls, struct server **ret, struct err *err)
{
    struct server *s = mem_zalloc(sizeof(*s));
    s->loop = loop;
    s->clock = clock;
    s->accepting = true;
    take_conf(s, conf);
    s->next_sweep_ns = INT64_MAX;
    if (gethostname(s->own_name, sizeof(s->own_name) - 1) < 0)
        s->own_name[0] = '\0';
    s->receive_max = (size_t)conf->receive.max_body_bytes;
    link_init(&s->link, loop, &link_events);
    gate_init(&s->gate, loop, act_answered);
    s->limit = limit_new();
    int r = write_door_new(conf, &s->door, err);
    if (r == 0)
        r = start_engines(s, tls, err);
    if (r < 0) {
        server_free(s);
        return r;
    }
    *ret = s;
    return 0;
}

void server_free(struct server *s)
{
    if (!s)
        return;
    // MHD must not be stopped with suspended connections: losing core decides them all.
    link_done(&s->link);
    gate_done(&s->gate);
    run_mhd(s);
    s->accepting = false;
    for (size_t i = 0; i < ENGINES; i++)
        stop_engine(s, &s->engines[i]);
    for (size_t i = 0; i < s->n_listeners; i++) {
        (void)loop_watch(s->loop, &s->listeners[i].watch, 0);
        close(s->listeners[i].watch.fd);
    }
    write_door_free(s->door);
    limit_free(s->limit);
    free(s);
}

int server_listen(struct server *s, int fd, bool is_tls)
{
    CLEANUP(closep) int owned = fd;
    struct sockaddr_storage local;
    socklen_t len = sizeof(local);
    if (s->n_listeners == LISTENERS_MAX)
        return -E2BIG;
    if (getsockname(fd, (struct sockaddr *)&local, &len) < 0)
        return -errno;
    if (is_tls && !s->engines[TLS].mhd)
        return -EPROTO;
    struct listener *l = &s->listeners[s->n_listeners];
    *l = (struct listener){.server = s, .is_unix = local.ss_family == AF_UNIX, .is_tls = is_tls};
    l->watch = (struct watch){.fd = fd, .ready = listener_ready, .arg = l};
    int r = loop_watch(s->loop, &l->watch, EPOLLIN);
    if (r < 0)
        return r;
    s->n_listeners++;
    owned = -1;
    return 0;
}

void server_connect_core(struct server *s, int fd)
{
    link_connect(&s->link, fd);
}

void server_connect_act(struct server *s, int fd)
{
    gate_connect(&s->gate, fd);
}

void server_configure(struct server *s, const struct conf *conf)
{
    take_conf(s, conf);
    update_accepting(s);
}

bool server_finish(struct server *s)
{
    if (s->finish_ns == 0) {
        s->accepting = false;
        update_accepting(s);
        s->finish_ns = now_ns(s) + FINISH_NS;
    }
    s->next_sweep_ns = MIN_OF(s->next_sweep_ns, s->finish_ns);
    return s->in_flight == 0 || now_ns(s) >= s->finish_ns;
}
