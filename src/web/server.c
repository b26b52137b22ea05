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
#include "base/mem.h"
#include "conn.h"
#include "host.h"
#include "link.h"
#include "write.h"

#define FIRST_HEADER_NS (10 * NS_PER_S)
#define NEXT_HEADER_NS (30 * NS_PER_S)
#define RESPONSE_NS (30 * NS_PER_S)
// A client that reads slower than this is cut.
#define RESPONSE_BYTES_PER_S (64u * 1024)
// Memory that answers may take while slow clients read them; one more is still let in below it.
#define BODIES_MAX ((size_t)256 << 20)
// The same for bodies on their way in.
#define UPLOADS_MAX ((size_t)64 << 20)
#define UPLOAD_BYTES_PER_S (64u * 1024)
#define FINISH_NS (2 * NS_PER_S)
// Longer than the supervisor's longest pause before it starts core again.
#define WRITE_PATIENCE_NS (10 * NS_PER_S)
#define ORPHAN_NS (12 * NS_PER_S)
#define SWEEP_NS (250 * NS_PER_MS)
#define ACCEPTS_PER_TURN 64
#define RUNS_PER_TURN 16
#define LISTENERS_MAX 32
// Header, URI and MHD's own needs together; a longer header is answered 431.
#define CONN_MEMORY ((size_t)32 * 1024)
#define MHD_CONNECTIONS_MAX 30000u

struct listener {
    struct server *server;
    struct watch watch;
    bool is_unix;
};

struct server {
    struct loop *loop;
    const struct clock *clock;
    struct MHD_Daemon *mhd;
    struct watch mhd_watch;
    bool mhd_due; // something was resumed or added since MHD ran
    struct link link;

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
    struct conf_list hosts; // borrowed from the configuration in force
    struct write_door *door;
    size_t receive_max;  // of one body
    size_t upload_bytes; // of bodies that are being read
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

static void refuse(struct request *r, unsigned status, const char *detail)
{
    struct MHD_Response *response = answer_problem(status, detail);
    if (response && status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    if (response && status == MHD_HTTP_UNAUTHORIZED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
    if (response && status == MHD_HTTP_SERVICE_UNAVAILABLE)
        MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, "1");
    if (response && status == MHD_HTTP_CONTENT_TOO_LARGE)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    decide(r, status, response, 0);
}

static void core_wrote(struct request *r, const struct ipc_frame *frame, char *payload)
{
    struct samples_written written;
    struct writing *w = r->work;
    unsigned status = 0;
    if (w && samples_written_decode(payload ? payload : "", frame->len, &written) == 0) {
        struct MHD_Response *response = write_answer(&w->content, w->refused, &written, &status);
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
    struct MHD_Response *response = answer_from_core(payload, frame->len, r->gzip);
    if (response && frame->status >= 200 && frame->status <= 599)
        decide(r, frame->status, response, frame->len);
    else if (response)
        MHD_destroy_response(response);
    if (r->state == REQUEST_WAITING)
        refuse(r, MHD_HTTP_BAD_GATEWAY, "vherd's core gave an answer that is none");
}

static void core_lost(void *asker)
{
    refuse(asker, MHD_HTTP_SERVICE_UNAVAILABLE, "vherd's core is restarting; try again");
}

static const struct link_events link_events = {core_answered, core_lost};

static void ask_core(struct request *r, const struct question *question)
{
    const char *accept =
        MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);
    // HEAD is GET to core; MHD leaves the body out.
    struct ipc_request ask = {.method = "GET",
                              .path = question->path,
                              .query = question->query,
                              .accept = accept ? accept : "",
                              .principal = r->conn->peer.principal};
    if (link_ask(&r->conn->server->link, &ask, r, &r->id) < 0) {
        core_lost(r);
        return;
    }
    r->state = REQUEST_WAITING;
    set_deadline(r->conn, CONN_CORE, question->patience_ns);
    MHD_suspend_connection(r->mhd);
}

// Bodies

static struct refusal check_samples(const struct server *s, const struct request *r, size_t *max)
{
    *max = MIN_OF(*max, s->receive_max);
    return write_check(s->door, r);
}

static void write_samples(struct request *r);

// Verbs with a body: whether it may come (and a cap below the verb's own), and what is done once it
// is whole.
static const struct body_rule {
    enum verb_id verb;
    struct refusal (*check)(const struct server *s, const struct request *r, size_t *max);
    void (*whole)(struct request *r);
} body_rules[] = {
    {VERB_WRITE, check_samples, write_samples},
};

static const struct body_rule *rule_of(const char *method, const char *path)
{
    CLEANUP(freep) char *object = NULL;
    const char *allow;
    enum verb_id verb = verb_match(method, path, &object, &allow);
    for (size_t i = 0; i < ARRAY_LEN(body_rules); i++)
        if (body_rules[i].verb == verb)
            return &body_rules[i];
    return NULL;
}

static struct refusal check_upload(struct request *r, const struct body_rule *rule, size_t *max)
{
    struct server *s = r->conn->server;
    size_t len = request_body_length(r);
    *max = verbs[rule->verb].body_max;
    struct refusal refusal = rule->check(s, r, max);
    if (refusal.status == 0 && len > *max)
        return (struct refusal){MHD_HTTP_CONTENT_TOO_LARGE, "the request's body is too large"};
    if (refusal.status == 0 && s->upload_bytes + len > UPLOADS_MAX)
        return (struct refusal){MHD_HTTP_SERVICE_UNAVAILABLE, "too many requests at once"};
    return refusal;
}

static void begin_body(struct request *r, const char *method, const char *path)
{
    size_t max = 0;
    r->rule = rule_of(method, path);
    if (!r->rule) {
        refuse(r, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD are served");
        return;
    }
    struct refusal refusal = check_upload(r, r->rule, &max);
    if (refusal.status != 0) {
        refuse(r, refusal.status, refusal.detail);
        return;
    }
    r->has_body = true;
    buf_init(&r->body, max);
    set_deadline(r->conn, CONN_HEADER,
                 FIRST_HEADER_NS + (int64_t)(max / UPLOAD_BYTES_PER_S) * NS_PER_S);
    r->state = REQUEST_SEEN;
}

// False: more than may come; the connection is closed, as MHD has no other way in mid-body.
static bool take_piece(struct request *r, const char *data, size_t len)
{
    struct server *s = r->conn->server;
    if (s->upload_bytes + len > UPLOADS_MAX)
        return false;
    buf_put(&r->body, data, len);
    if (r->body.error)
        return false;
    s->upload_bytes += len;
    return true;
}

static void drop_body(struct request *r)
{
    if (r->conn && r->has_body)
        r->conn->server->upload_bytes -= r->body.len;
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
    struct refusal refusal = write_decode(r, out, &w->content, &why);
    memcpy(w->refused, why.message, sizeof(w->refused));
    const char *frame = refusal.status == 0 ? samples_finish(out, &len) : NULL;
    drop_body(r);
    r->has_body = false;
    if (refusal.status != 0) {
        refuse(r, refusal.status, refusal.detail);
    } else if (!frame || link_write(&s->link, frame, len, r, &r->id) < 0) {
        core_lost(r);
    } else {
        r->state = REQUEST_WAITING;
        set_deadline(r->conn, CONN_CORE, WRITE_PATIENCE_NS);
        MHD_suspend_connection(r->mhd);
    }
    samples_writer_free(out);
}

static void attach(struct request *r)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(r->mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    r->conn = info->socket_context;
    r->conn->request = r;
    r->conn->server->in_flight++;
}

static void begin_request(struct request *r, const char *method)
{
    attach(r);
    const char *encodings =
        MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT_ENCODING);
    r->gzip = r->conn->peer.kind == PEER_REMOTE && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0 &&
              answer_accepts_gzip(encodings);
    struct question question = {0};
    const struct server *s = r->conn->server;
    struct host_names names = {s->own_name, s->hosts.items, s->hosts.n};
    struct refusal refusal = request_check(r, &r->conn->peer, method, &names, &question);
    if (refusal.status != 0)
        refuse(r, refusal.status, refusal.detail);
    else if (strcmp(method, MHD_HTTP_METHOD_POST) == 0)
        begin_body(r, method, question.path);
    else if (s->body_bytes > BODIES_MAX)
        refuse(r, MHD_HTTP_SERVICE_UNAVAILABLE, "too many answers wait for slow clients");
    else
        ask_core(r, &question);
    free(question.storage);
}

static enum MHD_Result queue_answer(struct request *r)
{
    if (!r->response)
        return MHD_NO;
    r->state = REQUEST_ANSWERED;
    set_deadline(r->conn, CONN_RESPONSE,
                 RESPONSE_NS + (int64_t)(r->body_len / RESPONSE_BYTES_PER_S) * NS_PER_S);
    enum MHD_Result queued = MHD_queue_response(r->mhd, r->status, r->response);
    MHD_destroy_response(TAKE_PTR(r->response));
    return queued;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *mhd, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_len, void **context)
{
    struct request *r = *context;
    r->mhd = mhd;
    // MHD calls once for the header and again at the end of the request. An answer to the first
    // call makes it close the connection: right for a body, which is never wanted, only.
    if (r->state == REQUEST_NEW && !request_has_body(r)) {
        r->state = REQUEST_SEEN;
        return MHD_YES;
    }
    if (r->has_body && *upload_len > 0) {
        bool taken = take_piece(r, upload, *upload_len);
        *upload_len = 0;
        return taken ? MHD_YES : MHD_NO;
    }
    if (r->has_body)
        r->rule->whole(r);
    else if (r->state <= REQUEST_SEEN)
        begin_request(r, method);
    // A body of no length has no end that MHD would tell.
    if (r->has_body && !request_has_body(r))
        r->rule->whole(r);
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
        if (r->state == REQUEST_WAITING)
            link_cancel(&s->link, r->id);
        drop_body(r);
        s->in_flight--;
        s->body_bytes -= r->body_len;
        r->conn->request = NULL;
        set_deadline(r->conn, CONN_HEADER, NEXT_HEADER_NS);
    }
    if (r->response)
        MHD_destroy_response(r->response);
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
    const char *name = "loopback";
    if (is_unix) {
        struct ucred who;
        len = sizeof(who);
        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0)
            return -errno;
        ret->kind = PEER_UNIX;
        snprintf(ret->principal, sizeof(ret->principal), "unix:%u", (unsigned)who.uid);
        return 0;
    }
    if (host_is_loopback((const struct sockaddr *)&ret->addr)) {
        ret->kind = PEER_LOOPBACK;
    } else {
        ret->kind = PEER_REMOTE;
        name = "remote";
    }
    snprintf(ret->principal, sizeof(ret->principal), "%s", name);
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
static void admit(struct server *s, int fd, bool is_unix, const struct sockaddr_storage *addr,
                  socklen_t addr_len)
{
    CLEANUP(freep) struct conn *c = mem_zalloc(sizeof(*c));
    c->server = s;
    c->fd = fd;
    c->peer.addr = *addr;
    if (identify(fd, is_unix, &c->peer) < 0 || client_has_too_many(s, &c->peer)) {
        turn_away(fd);
        return;
    }
    s->adding = c;
    // MHD closes the socket where it fails.
    if (MHD_add_connection(s->mhd, fd, (const struct sockaddr *)addr, addr_len) == MHD_YES &&
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
            admit(s, fd, l->is_unix, &addr, len);
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
        refuse(c->request, MHD_HTTP_SERVICE_UNAVAILABLE, "vherd's core did not answer in time");
        set_deadline(c, CONN_RESPONSE, RESPONSE_NS);
        return;
    }
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

static void run_mhd(struct server *s)
{
    MHD_UNSIGNED_LONG_LONG wait = 1;
    for (int i = 0; i < RUNS_PER_TURN; i++) {
        s->mhd_due = false;
        (void)MHD_run(s->mhd);
        bool again = MHD_get_timeout(s->mhd, &wait) == MHD_YES && wait == 0;
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

static int start_mhd(struct server *s, struct err *err)
{
    s->mhd = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME,
                              0, NULL, NULL, on_request, s, MHD_OPTION_CONNECTION_LIMIT,
                              MHD_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONN_MEMORY,
                              MHD_OPTION_CONNECTION_TIMEOUT, 0u, MHD_OPTION_STRICT_FOR_CLIENT, 1,
                              MHD_OPTION_URI_LOG_CALLBACK, on_uri, s, MHD_OPTION_UNESCAPE_CALLBACK,
                              keep_escapes, NULL, MHD_OPTION_NOTIFY_COMPLETED, on_completed, s,
                              MHD_OPTION_NOTIFY_CONNECTION, on_connection, s,
                              MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
    if (!s->mhd)
        return err_set(err, EIO, "libmicrohttpd does not start");
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(s->mhd, MHD_DAEMON_INFO_EPOLL_FD);
    s->mhd_watch = (struct watch){.fd = info->epoll_fd, .ready = mhd_ready, .arg = s};
    int r = loop_watch(s->loop, &s->mhd_watch, EPOLLIN);
    return r < 0 ? err_set(err, -r, "epoll: %s", strerror(-r)) : 0;
}

int server_new(struct loop *loop, const struct clock *clock, const struct conf *conf,
               struct server **ret, struct err *err)
{
    struct server *s = mem_zalloc(sizeof(*s));
    s->loop = loop;
    s->clock = clock;
    s->accepting = true;
    s->hosts = conf->web.hosts;
    s->max = (size_t)conf->web.max_connections;
    s->next_sweep_ns = INT64_MAX;
    if (gethostname(s->own_name, sizeof(s->own_name) - 1) < 0)
        s->own_name[0] = '\0';
    s->receive_max = (size_t)conf->receive.max_body_bytes;
    link_init(&s->link, loop, &link_events);
    int r = write_door_new(conf, &s->door, err);
    if (r == 0)
        r = start_mhd(s, err);
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
    if (s->mhd) {
        run_mhd(s);
        (void)loop_watch(s->loop, &s->mhd_watch, 0);
        s->accepting = false;
        MHD_stop_daemon(s->mhd);
    }
    for (size_t i = 0; i < s->n_listeners; i++) {
        (void)loop_watch(s->loop, &s->listeners[i].watch, 0);
        close(s->listeners[i].watch.fd);
    }
    write_door_free(s->door);
    free(s);
}

int server_listen(struct server *s, int fd)
{
    CLEANUP(closep) int owned = fd;
    struct sockaddr_storage local;
    socklen_t len = sizeof(local);
    if (s->n_listeners == LISTENERS_MAX)
        return -E2BIG;
    if (getsockname(fd, (struct sockaddr *)&local, &len) < 0)
        return -errno;
    struct listener *l = &s->listeners[s->n_listeners];
    *l = (struct listener){.server = s, .is_unix = local.ss_family == AF_UNIX};
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

void server_configure(struct server *s, const struct conf *conf)
{
    s->hosts = conf->web.hosts;
    s->max = (size_t)conf->web.max_connections;
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
