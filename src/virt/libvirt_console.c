// SPDX-License-Identifier: GPL-3.0-or-later
// A guest's serial line through libvirt: a stream on a connection of its own, joined to a socket
// whose other end the caller gets. Both are served by the thread of libvirt's events, which never
// waits; taking the connection down may wait, and has a thread of its own.
// Invariants: `lock` is held in every callback; each direction has one buffer, and its source is
// not read while that is full; `refs` counts the callbacks that may still come, of stream, socket
// and connection, and the last one to go has everything taken down.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fs.h"
#include "libvirt_change.h"

#define PIECE 4096

struct piece {
    char data[PIECE];
    size_t len;
};

struct console {
    pthread_mutex_t lock;
    virConnectPtr conn;
    virStreamPtr stream;
    int fd;
    int watch;
    bool ended;
    bool added;  // the stream's callback
    bool closes; // the connection's
    atomic_int refs;
    struct piece to_guest, to_client;
};

/* Taking down. */

static void *take_down(void *arg)
{
    struct console *c = arg;
    pthread_setname_np(pthread_self(), "console-close");
    if (c->stream) {
        virStreamAbort(c->stream);
        virStreamFree(c->stream);
    }
    if (c->conn)
        virConnectClose(c->conn);
    close(c->fd);
    pthread_mutex_destroy(&c->lock);
    free(c);
    return NULL;
}

static void unref(void *arg)
{
    struct console *c = arg;
    pthread_t thread;
    pthread_attr_t detached;
    if (atomic_fetch_sub(&c->refs, 1) > 1)
        return;
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&thread, &detached, take_down, c) != 0)
        shutdown(c->fd, SHUT_RDWR); // the peer sees the end; better a leak than a wait here
    pthread_attr_destroy(&detached);
}

// A stream is not told of the loss of its connection. libvirt holds a lock here that end() needs,
// so ours is not taken: the socket's callback sees to the rest.
static void on_close(virConnectPtr conn, int reason, void *arg)
{
    struct console *c = arg;
    shutdown(c->fd, SHUT_RDWR);
}

// With the lock held. The callbacks go, and with them the rest.
static void end(struct console *c)
{
    if (c->ended)
        return;
    c->ended = true;
    shutdown(c->fd, SHUT_RDWR);
    if (c->added)
        virStreamEventRemoveCallback(c->stream);
    virEventRemoveHandle(c->watch);
    if (c->closes)
        virConnectUnregisterCloseCallback(c->conn, on_close);
}

/* Moving bytes. All with the lock held; false: it is over. */

static bool fill_from_guest(struct console *c)
{
    struct piece *p = &c->to_client;
    if (p->len == PIECE)
        return true;
    int n = virStreamRecv(c->stream, p->data + p->len, PIECE - p->len);
    p->len += n > 0 ? (size_t)n : 0;
    return n > 0 || n == -2;
}

static bool drain_to_client(struct console *c)
{
    struct piece *p = &c->to_client;
    ssize_t n = p->len ? send(c->fd, p->data, p->len, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    p->len -= (size_t)n;
    memmove(p->data, p->data + n, p->len);
    return true;
}

static bool fill_from_client(struct console *c)
{
    struct piece *p = &c->to_guest;
    if (p->len == PIECE)
        return true;
    ssize_t n = recv(c->fd, p->data + p->len, PIECE - p->len, MSG_DONTWAIT);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    p->len += (size_t)n;
    return n > 0;
}

static bool drain_to_guest(struct console *c)
{
    struct piece *p = &c->to_guest;
    int n = p->len ? virStreamSend(c->stream, p->data, p->len) : 0;
    if (n < 0)
        return n == -2;
    p->len -= (size_t)n;
    memmove(p->data, p->data + n, p->len);
    return true;
}

static void watch_both(struct console *c)
{
    int stream = VIR_STREAM_EVENT_ERROR | VIR_STREAM_EVENT_HANGUP;
    int socket = VIR_EVENT_HANDLE_ERROR | VIR_EVENT_HANDLE_HANGUP;
    stream |= c->to_client.len < PIECE ? VIR_STREAM_EVENT_READABLE : 0;
    stream |= c->to_guest.len > 0 ? VIR_STREAM_EVENT_WRITABLE : 0;
    socket |= c->to_guest.len < PIECE ? VIR_EVENT_HANDLE_READABLE : 0;
    socket |= c->to_client.len > 0 ? VIR_EVENT_HANDLE_WRITABLE : 0;
    virStreamEventUpdateCallback(c->stream, stream);
    virEventUpdateHandle(c->watch, socket);
}

static void on_stream(virStreamPtr stream, int events, void *arg)
{
    struct console *c = arg;
    pthread_mutex_lock(&c->lock);
    bool ok = !c->ended;
    if (ok && (events & VIR_STREAM_EVENT_READABLE))
        ok = fill_from_guest(c) && drain_to_client(c);
    if (ok && (events & VIR_STREAM_EVENT_WRITABLE))
        ok = drain_to_guest(c);
    if (ok && (events & (VIR_STREAM_EVENT_ERROR | VIR_STREAM_EVENT_HANGUP)))
        ok = false;
    if (ok)
        watch_both(c);
    else
        end(c);
    pthread_mutex_unlock(&c->lock);
}

static void on_socket(int watch, int fd, int events, void *arg)
{
    struct console *c = arg;
    pthread_mutex_lock(&c->lock);
    bool ok = !c->ended;
    if (ok && (events & VIR_EVENT_HANDLE_READABLE))
        ok = fill_from_client(c) && drain_to_guest(c);
    else if (ok && (events & (VIR_EVENT_HANDLE_ERROR | VIR_EVENT_HANDLE_HANGUP)))
        ok = false;
    if (ok && (events & VIR_EVENT_HANDLE_WRITABLE))
        ok = drain_to_client(c);
    if (ok)
        watch_both(c);
    else
        end(c);
    pthread_mutex_unlock(&c->lock);
}

/* Opening. */

static int open_stream(struct console *c, struct virt *v, const struct uuid *uuid, bool force,
                       struct err *err)
{
    c->conn = virConnectOpen(v->uri);
    if (!c->conn)
        return virt_libvirt_error(err, "connecting for the console");
    virConnectSetKeepAlive(c->conn, v->keepalive_s, 3);
    virDomainPtr d CLEANUP(domain_freep) = virDomainLookupByUUID(c->conn, uuid->b);
    if (!d)
        return virt_libvirt_error(err, "looking the VM up");
    int active = virDomainIsActive(d);
    if (active < 0)
        return virt_libvirt_error(err, "asking whether the VM runs");
    if (active == 0)
        return err_set(err, ESRCH, "the VM is not running");
    c->stream = virStreamNew(c->conn, VIR_STREAM_NONBLOCK);
    if (!c->stream)
        return virt_libvirt_error(err, "opening the console");
    unsigned flags = VIR_DOMAIN_CONSOLE_SAFE | (force ? VIR_DOMAIN_CONSOLE_FORCE : 0);
    if (virDomainOpenConsole(d, NULL, c->stream, flags) == 0)
        return 0;
    if (virGetLastErrorCode() == VIR_ERR_OPERATION_FAILED)
        return err_set(err, EBUSY, "the console is in use: %s", virGetLastErrorMessage());
    return virt_libvirt_error(err, "opening the console");
}

// From here on the events' thread may be in it.
static int join(struct console *c, struct err *err)
{
    pthread_mutex_lock(&c->lock);
    atomic_store(&c->refs, 3);
    c->watch = virEventAddHandle(c->fd, VIR_EVENT_HANDLE_READABLE, on_socket, c, unref);
    if (c->watch < 0) {
        pthread_mutex_unlock(&c->lock);
        take_down(c);
        return err_set(err, EIO, "watching the console");
    }
    c->closes = virConnectRegisterCloseCallback(c->conn, on_close, c, unref) == 0;
    if (!c->closes)
        atomic_fetch_sub(&c->refs, 1);
    c->added = virStreamEventAddCallback(c->stream,
                                         VIR_STREAM_EVENT_READABLE | VIR_STREAM_EVENT_ERROR |
                                             VIR_STREAM_EVENT_HANGUP,
                                         on_stream, c, unref) == 0;
    int r = c->added ? 0 : virt_libvirt_error(err, "watching the console");
    if (r < 0) {
        atomic_fetch_sub(&c->refs, 1);
        end(c);
    }
    pthread_mutex_unlock(&c->lock);
    return r;
}

int virt_libvirt_console(struct virt *v, const struct uuid *uuid, bool force, int *ret_fd,
                         struct err *err)
{
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
        return err_set(err, errno, "a socket for the console: %s", strerror(errno));
    struct console *c = mem_zalloc(sizeof(*c));
    pthread_mutex_init(&c->lock, NULL);
    c->fd = fds[1];
    int r = open_stream(c, v, uuid, force, err);
    if (r < 0)
        take_down(c);
    else
        r = join(c, err);
    if (r < 0)
        close(fds[0]);
    else
        *ret_fd = fds[0];
    return r;
}
