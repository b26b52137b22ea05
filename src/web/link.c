// SPDX-License-Identifier: GPL-3.0-or-later
// core is trusted to speak the protocol, not to stay: a broken connection loses its questions and
// waits for the supervisor to bring another.
#include "link.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "verb/verb.h"

#define REQUEST_MAX (VERB_FORM_MAX + 64u * 1024)

void link_init(struct link *l, struct loop *loop, const struct link_events *events)
{
    *l = (struct link){.loop = loop, .events = events, .askers = map_new()};
}

static struct shared *shared_new(char *payload, size_t len)
{
    struct shared *s = mem_zalloc(sizeof(*s));
    *s = (struct shared){1, len, payload};
    return s;
}

struct shared *shared_ref(struct shared *s)
{
    s->holds++;
    return s;
}

void shared_unref(void *shared)
{
    struct shared *s = shared;
    if (!s || --s->holds > 0)
        return;
    free(s->payload);
    free(s);
}

static void disconnect(struct link *l)
{
    if (!l->ipc)
        return;
    (void)loop_watch(l->loop, &l->watch, 0);
    ipc_free(TAKE_PTR(l->ipc));
    shared_unref(TAKE_PTR(l->shared));
    // Those that are told may ask again: they find a fresh map.
    struct map *askers = l->askers;
    l->askers = map_new();
    size_t cursor = 0;
    void *asker;
    while ((asker = map_next(askers, &cursor)))
        l->events->lost(asker);
    map_free(askers);
}

void link_done(struct link *l)
{
    disconnect(l);
    map_free(l->askers);
}

static bool is_shared(const struct ipc_frame *frame)
{
    return frame->type == IPC_SHARED || frame->type == IPC_AGAIN;
}

static void take_answer(struct link *l, const struct ipc_frame *frame)
{
    if (frame->type == IPC_SHARED) {
        shared_unref(l->shared);
        l->shared = shared_new(ipc_take_payload(l->ipc), frame->len);
    }
    bool is_last = frame->type == IPC_RESPONSE || frame->type == IPC_WRITTEN ||
                   frame->type == IPC_END || is_shared(frame);
    if (!is_last && frame->type != IPC_BEGIN && frame->type != IPC_PIECE)
        return;
    void *asker = is_last ? map_remove(l->askers, &frame->id, sizeof(frame->id))
                          : map_get(l->askers, &frame->id, sizeof(frame->id));
    if (!asker)
        return;
    if (frame->type == IPC_END)
        l->events->end(asker, frame->status == 0);
    else if (is_shared(frame) && l->shared)
        l->events->share(asker, frame, l->shared);
    else if (frame->type == IPC_PIECE)
        l->events->piece(asker, ipc_take_payload(l->ipc), frame->len);
    else
        l->events->answer(asker, frame, ipc_take_payload(l->ipc));
}

static void link_ready(uint32_t events, void *arg)
{
    struct link *l = arg;
    struct ipc_frame frame;
    int r = 0;
    if (events & EPOLLOUT)
        r = ipc_flush(l->ipc);
    while (r == 0 && (r = ipc_recv(l->ipc, &frame)) == 1) {
        take_answer(l, &frame);
        r = 0;
    }
    if (r == -EPROTO)
        log_error("core sent what is no frame; waiting for another connection");
    if (r < 0)
        disconnect(l);
    else
        (void)loop_watch(l->loop, &l->watch, EPOLLIN | (ipc_wants_write(l->ipc) ? EPOLLOUT : 0));
}

void link_connect(struct link *l, int fd)
{
    disconnect(l);
    l->ipc = ipc_new(fd, IPC_PAYLOAD_MAX);
    l->watch = (struct watch){.fd = fd, .ready = link_ready, .arg = l};
    if (loop_watch(l->loop, &l->watch, EPOLLIN) < 0)
        disconnect(l);
}

// `fd`: goes along, or -1.
static int ask(struct link *l, enum ipc_type type, const char *data, size_t len, int fd,
               void *asker, uint32_t *ret_id)
{
    if (!l->ipc)
        return -EPIPE;
    // 0 would ask for no answer.
    if (++l->last_id == 0)
        l->last_id = 1;
    uint32_t id = l->last_id;
    int sent = ipc_send_fd(l->ipc, type, id, 0, data, len, NULL, 0, fd);
    // A broken connection is taken down by the loop, which hears of it at once.
    if (sent < 0)
        return sent;
    map_put(l->askers, &id, sizeof(id), asker);
    *ret_id = id;
    if (ipc_wants_write(l->ipc))
        (void)loop_watch(l->loop, &l->watch, EPOLLIN | EPOLLOUT);
    return 0;
}

int link_ask(struct link *l, const struct ipc_request *r, int fd, void *asker, uint32_t *ret_id)
{
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, REQUEST_MAX);
    ipc_request_encode(r, &b);
    return b.error ? b.error : ask(l, IPC_REQUEST, b.data, b.len, fd, asker, ret_id);
}

int link_write(struct link *l, const char *frame, size_t len, void *asker, uint32_t *ret_id)
{
    return ask(l, IPC_SAMPLES, frame, len, -1, asker, ret_id);
}

int link_import(struct link *l, const char *frame, size_t len, void *asker, uint32_t *ret_id)
{
    return ask(l, IPC_IMPORT, frame, len, -1, asker, ret_id);
}

int link_import_try(struct link *l, const char *frame, size_t len, void *asker, uint32_t *ret_id)
{
    return ask(l, IPC_IMPORT_TRY, frame, len, -1, asker, ret_id);
}

static void tell(struct link *l, enum ipc_type type, uint32_t id)
{
    if (ipc_send(l->ipc, type, id, 0, NULL, 0, NULL, 0) == 0 && ipc_wants_write(l->ipc))
        (void)loop_watch(l->loop, &l->watch, EPOLLIN | EPOLLOUT);
}

void link_more(struct link *l, uint32_t id)
{
    if (l->ipc && map_get(l->askers, &id, sizeof(id)))
        tell(l, IPC_MORE, id);
}

void link_cancel(struct link *l, uint32_t id)
{
    if (map_remove(l->askers, &id, sizeof(id)) && l->ipc)
        tell(l, IPC_CANCEL, id);
}
