// SPDX-License-Identifier: GPL-3.0-or-later
// libmicrohttpd speaks HTTP; this file runs it and keeps time, since MHD knows only inactivity,
// which a client that drips its header never shows.
// Invariants: `conns` holds every socket that MHD has; a request in REQUEST_WAITING is suspended in
// MHD and known to the link, and both end together. One thread.
#include "private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define FINISH_NS (2 * NS_PER_S)
#define ORPHAN_NS (12 * NS_PER_S)
#define SWEEP_NS (250 * NS_PER_MS)
#define RUNS_PER_TURN 16
#define TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"
// Header, URI and MHD's own needs together; a longer header is answered 431.
#define CONN_MEMORY ((size_t)32 * 1024)
#define MHD_CONNECTIONS_MAX 30000u

int64_t server_now_ns(const struct server *s)
{
    return clock_mono_ns(s->clock);
}

void conn_set_deadline(struct conn *c, enum conn_phase phase, int64_t after_ns)
{
    c->phase = phase;
    c->deadline_ns = server_now_ns(c->server) + after_ns;
    c->server->next_sweep_ns = MIN_OF(c->server->next_sweep_ns, c->deadline_ns);
}

static void expire(struct conn *c)
{
    if (c->phase == CONN_CORE && c->request && c->request->state == REQUEST_WAITING) {
        link_cancel(&c->server->link, c->request->id);
        gate_cancel(&c->server->gate, c->request->gate_id);
        c->request->gate_id = 0;
        request_refuse(c->request, MHD_HTTP_SERVICE_UNAVAILABLE,
                       "vherd's core did not answer in time");
        conn_set_deadline(c, CONN_RESPONSE, RESPONSE_NS);
        return;
    }
    if (c->request)
        core_ended(c->request, false);
    // MHD sees the end of the stream and closes.
    (void)shutdown(c->fd, SHUT_RDWR);
    conn_set_deadline(c, c->phase, RESPONSE_NS);
    c->server->mhd_due = true;
}

static void sweep(struct server *s)
{
    int64_t now = server_now_ns(s);
    if (now < s->next_sweep_ns)
        return;
    s->next_sweep_ns = INT64_MAX;
    for (struct conn *c = s->conns; c; c = c->next) {
        if (c->deadline_ns <= now)
            expire(c);
        s->next_sweep_ns = MIN_OF(s->next_sweep_ns, MAX_OF(c->deadline_ns, now + SWEEP_NS));
    }
    accept_update(s);
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
    int64_t wait = s->next_sweep_ns - server_now_ns(s);
    return wait <= 0 ? 0 : (int)MIN_OF((wait + NS_PER_MS - 1) / NS_PER_MS, INT64_C(60000));
}

static void watch_core(struct server *s)
{
    if (s->link.ipc)
        s->orphan_ns = 0;
    else if (s->orphan_ns == 0)
        s->orphan_ns = server_now_ns(s) + ORPHAN_NS;
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
    return s->orphan_ns != 0 && server_now_ns(s) >= s->orphan_ns;
}

static int start_mhd(struct server *s, struct engine *e, unsigned flags,
                     struct MHD_OptionItem *options, struct err *err)
{
    e->mhd = MHD_start_daemon(
        flags | MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
        exchange_request, s, MHD_OPTION_CONNECTION_LIMIT, MHD_CONNECTIONS_MAX,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONN_MEMORY, MHD_OPTION_CONNECTION_TIMEOUT, 0u,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_URI_LOG_CALLBACK, exchange_uri, s,
        MHD_OPTION_UNESCAPE_CALLBACK, exchange_escapes, NULL, MHD_OPTION_NOTIFY_COMPLETED,
        exchange_completed, s, MHD_OPTION_NOTIFY_CONNECTION, accept_connection, s,
        MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_ARRAY, options, MHD_OPTION_END);
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
    link_init(&s->link, loop, &core_events);
    gate_init(&s->gate, loop, login_answered);
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
    accept_update(s);
}

bool server_finish(struct server *s)
{
    if (s->finish_ns == 0) {
        s->accepting = false;
        accept_update(s);
        s->finish_ns = server_now_ns(s) + FINISH_NS;
    }
    s->next_sweep_ns = MIN_OF(s->next_sweep_ns, s->finish_ns);
    return s->in_flight == 0 || server_now_ns(s) >= s->finish_ns;
}
