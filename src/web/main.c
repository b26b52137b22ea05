// SPDX-License-Identifier: GPL-3.0-or-later
// vherd-web: the door. It serves HTTP on sockets that the supervisor opened, and knows nothing but
// how to ask core. It confines itself before it reads the first byte from the network.
#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "loop.h"
#include "net/ipc.h"
#include "sandbox/sandbox.h"
#include "server.h"

#define LISTENERS_MAX 32

struct web {
    struct loop loop;
    struct watch control;
    struct conf *conf;
    struct server *server;   // NULL until all of the first round was said
    int core, act;           // held until there is a server, or -1
    char *certificate, *key; // for HTTPS, or NULL
    struct {
        int fd;
        bool is_tls;
    } listeners[LISTENERS_MAX];
    size_t n_listeners;
    bool started;
    bool stopping;
};

struct message {
    enum control_type type;
    char *text;
    int fd; // taken by who uses it
};

static int take_config(struct web *w, struct message *m, struct err *err)
{
    struct conf *conf = NULL;
    int r = conf_parse("configuration", m->text, strlen(m->text), &conf, err);
    if (r < 0)
        return r;
    if (w->server)
        server_configure(w->server, conf);
    conf_free(w->conf);
    w->conf = conf;
    log_set_level(conf->log.level);
    return 0;
}

static int take_peer(struct web *w, struct message *m, struct err *err)
{
    bool is_act = strcmp(m->text, "act") == 0;
    int *held = is_act ? &w->act : &w->core;
    if ((!is_act && strcmp(m->text, "core") != 0) || m->fd < 0)
        return err_set(err, EPROTO, "a peer that is neither core nor act");
    closep(held);
    if (!w->server)
        *held = m->fd;
    else if (is_act)
        server_connect_act(w->server, m->fd);
    else
        server_connect_core(w->server, m->fd);
    m->fd = -1;
    return 0;
}

static int take_listener(struct web *w, struct message *m, struct err *err)
{
    if (w->started || m->fd < 0 || w->n_listeners == LISTENERS_MAX)
        return err_set(err, EPROTO, "a listening socket out of turn");
    w->listeners[w->n_listeners].is_tls = strncmp(m->text, "tls ", 4) == 0;
    w->listeners[w->n_listeners++].fd = m->fd;
    m->fd = -1;
    return 0;
}

static int take_certificate(struct web *w, struct message *m, struct err *err)
{
    mem_strset(m->type == CONTROL_TLS_KEY ? &w->key : &w->certificate, m->text);
    return 0;
}

static int take_start(struct web *w, struct message *m, struct err *err)
{
    if (!w->conf)
        return err_set(err, EPROTO, "told to start without a configuration");
    w->started = true;
    return 0;
}

static int take_stop(struct web *w, struct message *m, struct err *err)
{
    w->stopping = true;
    return 0;
}

static int (*const takers[])(struct web *, struct message *, struct err *) = {
    [CONTROL_CONFIG] = take_config,       [CONTROL_PEER] = take_peer,
    [CONTROL_LISTEN] = take_listener,     [CONTROL_CERTIFICATE] = take_certificate,
    [CONTROL_TLS_KEY] = take_certificate, [CONTROL_START] = take_start,
    [CONTROL_STOP] = take_stop,
};

// Returns 0, -EAGAIN, or what is wrong with the channel. A message that cannot be followed is told
// and passed over.
static int take_message(struct web *w)
{
    struct message m = {.fd = -1};
    int r = control_recv(IPC_CONTROL_FD, &m.type, &m.text, &m.fd);
    if (r < 0)
        return r;
    struct err err = {0};
    if ((size_t)m.type < ARRAY_LEN(takers) && takers[m.type] && takers[m.type](w, &m, &err) < 0)
        log_error("message from the supervisor: %s", err.message);
    closep(&m.fd);
    free(m.text);
    return 0;
}

static void control_ready(uint32_t events, void *arg)
{
    struct web *w = arg;
    int r;
    do
        r = take_message(w);
    while (r == 0);
    // Without a supervisor there is nobody to serve for.
    if (r != -EAGAIN)
        w->stopping = true;
}

static int open_server(struct web *w, struct err *err)
{
    const struct server_tls tls = {w->certificate, w->key};
    int r = loop_init(&w->loop);
    if (r < 0)
        return err_set(err, -r, "epoll: %s", strerror(-r));
    r = server_new(&w->loop, &clock_system, w->conf, &tls, &w->server, err);
    if (w->key)
        explicit_bzero(w->key, strlen(w->key));
    if (r < 0)
        return r;
    for (size_t i = 0; i < w->n_listeners; i++) {
        r = server_listen(w->server, w->listeners[i].fd, w->listeners[i].is_tls);
        if (r < 0)
            return err_set(err, -r, "cannot serve a listening socket: %s", strerror(-r));
    }
    if (w->core >= 0)
        server_connect_core(w->server, w->core);
    if (w->act >= 0)
        server_connect_act(w->server, w->act);
    w->core = w->act = -1;
    w->control = (struct watch){.fd = IPC_CONTROL_FD, .ready = control_ready, .arg = w};
    r = fs_set_nonblock(IPC_CONTROL_FD);
    if (r == 0)
        r = loop_watch(&w->loop, &w->control, EPOLLIN);
    return r < 0 ? err_set(err, -r, "control channel: %s", strerror(-r)) : 0;
}

static int confine(struct web *w, struct err *err)
{
    CLEANUP(buf_done) struct buf words;
    buf_init(&words, 4096);
    // What the C library and jansson (for its hash tables) would otherwise read from a file later.
    tzset();
    json_object_seed(0);
    struct sandbox_plan plan = {.user = w->conf->web.user, .seccomp = w->conf->web.sandbox};
    int r = sandbox_enter(&plan, &words, err);
    if (r < 0)
        return r;
    r = control_send(IPC_CONTROL_FD, CONTROL_READY, words.data, -1);
    return r < 0 ? err_set(err, -r, "control channel: %s", strerror(-r)) : 0;
}

static int serve(struct web *w, struct err *err)
{
    int r = open_server(w, err);
    if (r == 0)
        r = confine(w, err);
    while (r == 0 && (!w->stopping || !server_finish(w->server))) {
        server_turn(w->server);
        if (!w->stopping && server_is_orphan(w->server))
            r = err_set(err, ENOTCONN, "web lost its connection to core");
    }
    return r;
}

static void done(struct web *w)
{
    server_free(w->server);
    loop_done(&w->loop);
    conf_free(w->conf);
    closep(&w->core);
    closep(&w->act);
    free(w->certificate);
    free(w->key);
}

int main(void)
{
    struct web w = {.loop.fd = -1, .core = -1, .act = -1};
    struct err err = {0};
    log_setup("vherd-web", LOG_LEVEL_INFO);
    signal(SIGPIPE, SIG_IGN);
    int r = 0;
    while (!w.started && !w.stopping && r == 0)
        r = take_message(&w);
    if (r == 0 && w.started) {
        r = serve(&w, &err);
        if (r < 0)
            (void)control_send(IPC_CONTROL_FD, CONTROL_FATAL, err.message, -1);
    }
    done(&w);
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
