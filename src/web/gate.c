// SPDX-License-Identifier: GPL-3.0-or-later
#include "gate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"

// A grant lasts for 30 s (auth/grant.h); core must still take it after it was found here.
#define KEEP_NS (20 * NS_PER_S)
#define GRANTS_MAX 4096

struct kept {
    char *key, *grant, *csrf;
    int64_t until_ns;
};

static void kept_free(struct kept *k)
{
    if (!k)
        return;
    explicit_bzero(k->key, strlen(k->key));
    free(k->key);
    free(k->grant);
    free(k->csrf);
    free(k);
}

static void drop_all(struct gate *g)
{
    size_t cursor = 0;
    struct kept *k;
    while ((k = map_next(g->grants, &cursor)))
        kept_free(k);
    map_free(g->grants);
    g->grants = map_new();
}

static char *key_of(const struct gate_question *q)
{
    return mem_printf("%d %s", (int)q->kind, q->secret);
}

void gate_init(struct gate *g, struct loop *loop,
               void (*answered)(void *asker, const struct verdict *v))
{
    *g =
        (struct gate){.loop = loop, .answered = answered, .askers = map_new(), .grants = map_new()};
}

static void disconnect(struct gate *g)
{
    static const struct verdict away = {503, "", "", "", 1};
    if (!g->ipc)
        return;
    (void)loop_watch(g->loop, &g->watch, 0);
    ipc_free(TAKE_PTR(g->ipc));
    drop_all(g);
    struct map *askers = g->askers;
    g->askers = map_new();
    size_t cursor = 0;
    void *asker;
    while ((asker = map_next(askers, &cursor)))
        g->answered(asker, &away);
    map_free(askers);
}

void gate_done(struct gate *g)
{
    disconnect(g);
    drop_all(g);
    map_free(g->grants);
    map_free(g->askers);
}

static int take_answer(struct gate *g, const struct ipc_frame *frame)
{
    struct gate_answer a;
    if (frame->type == IPC_REPORT) {
        drop_all(g); // some right was taken away
        return 0;
    }
    if (frame->type != IPC_RESPONSE || gate_answer_decode(frame->payload, frame->len, &a) < 0)
        return -EPROTO;
    void *asker = map_remove(g->askers, &frame->id, sizeof(frame->id));
    if (asker)
        g->answered(asker, &(struct verdict){frame->status, a.grant, a.session, a.csrf, a.retry_s});
    gate_answer_done(&a);
    return 0;
}

static void gate_ready(uint32_t events, void *arg)
{
    struct gate *g = arg;
    struct ipc_frame frame;
    int r = events & EPOLLOUT ? ipc_flush(g->ipc) : 0;
    while (r == 0 && (r = ipc_recv(g->ipc, &frame)) == 1)
        r = take_answer(g, &frame);
    if (r < 0)
        disconnect(g);
    else
        (void)loop_watch(g->loop, &g->watch, EPOLLIN | (ipc_wants_write(g->ipc) ? EPOLLOUT : 0));
}

void gate_connect(struct gate *g, int fd)
{
    disconnect(g);
    g->ipc = ipc_new(fd, GATE_PAYLOAD_MAX);
    g->watch = (struct watch){.fd = fd, .ready = gate_ready, .arg = g};
    if (loop_watch(g->loop, &g->watch, EPOLLIN) < 0)
        disconnect(g);
}

bool gate_known(struct gate *g, const struct gate_question *q, int64_t now_ns, struct verdict *ret)
{
    CLEANUP(freep) char *key = key_of(q);
    const struct kept *k = map_get(g->grants, key, strlen(key));
    if (!k || now_ns >= k->until_ns)
        return false;
    *ret = (struct verdict){200, k->grant, "", k->csrf, 0};
    return true;
}

int gate_ask(struct gate *g, const struct gate_question *q, void *asker, uint32_t *ret_id)
{
    CLEANUP(buf_done) struct buf b;
    if (!g->ipc)
        return -EPIPE;
    buf_init(&b, GATE_PAYLOAD_MAX);
    gate_question_encode(q, &b);
    if (b.error)
        return b.error;
    if (++g->last_id == 0)
        ++g->last_id;
    int r = ipc_send(g->ipc, IPC_REQUEST, g->last_id, 0, b.data, b.len, NULL, 0);
    explicit_bzero(b.data, b.len);
    if (r < 0)
        return r;
    *ret_id = g->last_id;
    map_put(g->askers, ret_id, sizeof(*ret_id), asker);
    if (ipc_wants_write(g->ipc))
        (void)loop_watch(g->loop, &g->watch, EPOLLIN | EPOLLOUT);
    return 0;
}

void gate_cancel(struct gate *g, uint32_t id)
{
    (void)map_remove(g->askers, &id, sizeof(id));
}

void gate_forget(struct gate *g, const struct gate_question *q)
{
    CLEANUP(freep) char *key = key_of(q);
    kept_free(map_remove(g->grants, key, strlen(key)));
}

void gate_keep(struct gate *g, const struct gate_question *q, const struct verdict *v,
               int64_t now_ns)
{
    gate_forget(g, q);
    if (map_count(g->grants) >= GRANTS_MAX)
        drop_all(g);
    struct kept *k = mem_zalloc(sizeof(*k));
    *k = (struct kept){key_of(q), mem_strdup(v->grant), mem_strdup(v->csrf), now_ns + KEEP_NS};
    map_put(g->grants, k->key, strlen(k->key), k);
}
