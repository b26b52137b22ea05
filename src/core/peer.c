// SPDX-License-Identifier: GPL-3.0-or-later
// A peer comes as a descriptor from the supervisor and may come again after it died.
#include <errno.h>
#include <unistd.h>

#include "base/log.h"
#include "core.h"

static void on_poll(uv_poll_t *handle, int status, int events);

static void watch(struct peer *p)
{
    int events = UV_READABLE | (ipc_wants_write(p->ipc) ? UV_WRITABLE : 0);
    uv_poll_start(&p->poll, events, on_poll);
}

static void on_poll(uv_poll_t *handle, int status, int events)
{
    struct peer *p = handle->data;
    int r = status < 0 ? -EPIPE : 0;
    if (r == 0 && (events & UV_WRITABLE))
        r = ipc_flush(p->ipc);
    struct ipc_frame f;
    while (r == 0 && p->ipc) {
        r = ipc_recv(p->ipc, &f);
        if (r == 0)
            break;
        if (r == 1)
            r = p->frame(p, &f) ? 0 : -EPROTO;
    }
    if (!p->ipc)
        return;
    if (r < 0) {
        if (r == -EPROTO)
            log_warning("%s sent something malformed; the connection is dropped", p->name);
        peer_close(p);
    } else {
        watch(p);
    }
}

void peer_init(struct peer *p, struct core *c, const char *name,
               bool (*frame)(struct peer *, const struct ipc_frame *), void (*gone)(struct peer *))
{
    *p = (struct peer){.core = c, .name = name, .waiting_fd = -1, .frame = frame, .gone = gone};
}

static void on_closed(uv_handle_t *handle)
{
    struct peer *p = handle->data;
    ipc_free(p->ipc);
    p->ipc = NULL;
    p->closing = false;
    int fd = p->waiting_fd;
    p->waiting_fd = -1;
    if (fd >= 0)
        peer_connect(p, fd);
}

void peer_close(struct peer *p)
{
    if (!p->ipc || p->closing)
        return;
    p->closing = true;
    p->gone(p);
    uv_poll_stop(&p->poll);
    uv_close((uv_handle_t *)&p->poll, on_closed);
}

void peer_connect(struct peer *p, int fd)
{
    if (p->ipc) {
        if (p->waiting_fd >= 0)
            close(p->waiting_fd);
        p->waiting_fd = fd;
        peer_close(p);
        return;
    }
    p->ipc = ipc_new(fd, IPC_PAYLOAD_MAX);
    if (p->takes_fds)
        ipc_accept_fds(p->ipc);
    uv_poll_init(&p->core->loop, &p->poll, fd);
    p->poll.data = p;
    watch(p);
}

void peer_send(struct peer *p, enum ipc_type type, uint32_t id, int status, const void *a,
               size_t a_len, const void *b, size_t b_len)
{
    if (!p->ipc || p->closing)
        return;
    int r = ipc_send(p->ipc, type, id, (uint16_t)status, a, a_len, b, b_len);
    if (r < 0)
        peer_close(p);
    else if (ipc_wants_write(p->ipc))
        watch(p);
}
