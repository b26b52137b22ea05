// SPDX-License-Identifier: GPL-3.0-or-later
// Listening sockets, and who is let in.
#include "private.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fs.h"
#include "host.h"

#define FIRST_HEADER_NS (10 * NS_PER_S)
#define ACCEPTS_PER_TURN 64

void accept_update(struct server *s)
{
    for (size_t i = 0; i < s->n_listeners; i++) {
        struct listener *l = &s->listeners[i];
        bool room = s->accepting && (l->is_unix ? s->n_unix : s->n_tcp) < s->max;
        (void)loop_watch(s->loop, &l->watch, room ? EPOLLIN : 0);
    }
}

void accept_connection(void *cls, struct MHD_Connection *mhd, void **context,
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
        conn_set_deadline(c, CONN_HEADER, FIRST_HEADER_NS);
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
    accept_update(s);
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
            accept_update(s);
            continue;
        }
        if (errno == ECONNABORTED || errno == EINTR)
            continue;
        if (errno != EAGAIN) {
            // Out of descriptors or memory: leave callers in the queue until the next sweep.
            (void)loop_watch(s->loop, &l->watch, 0);
            s->next_sweep_ns = MIN_OF(s->next_sweep_ns, server_now_ns(s) + NS_PER_S);
        }
        return;
    }
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
