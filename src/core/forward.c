// SPDX-License-Identifier: GPL-3.0-or-later
// Requests that act answers: passed on with the asker's grant, which act checks by itself.
// Their ids have the highest bit set, which the collector's questions never reach.
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core.h"

#define FORWARD_BIT 0x80000000u
#define FORWARDS_MAX 256
#define REQUEST_MAX (4u * 1024 * 1024)

// One that waits for act's answer.
struct forward {
    struct forward *next;
    uint32_t id;     // towards act
    uint32_t web_id; // towards web
};

static struct forward *take(struct core *c, uint32_t id, uint32_t web_id)
{
    for (struct forward **at = &c->forwards; *at; at = &(*at)->next) {
        struct forward *f = *at;
        if (f->id == id || (id == 0 && f->web_id == web_id)) {
            *at = f->next;
            return f;
        }
    }
    return NULL;
}

static size_t count(const struct core *c)
{
    size_t n = 0;
    for (const struct forward *f = c->forwards; f; f = f->next)
        n++;
    return n;
}

static void encode(const struct view *v, const char *word, struct buf *out)
{
    CLEANUP(buf_done) struct buf grant;
    struct ipc_request request = *v->request;
    buf_init(&grant, GRANT_TEXT_MAX);
    grant_encode(v->grant, &v->core->key, &grant);
    request.principal = grant.data ? grant.data : "";
    buf_put(out, word, strlen(word) + 1);
    ipc_request_encode(&request, out);
    if (grant.error)
        out->error = grant.error;
}

void forward_request(const struct view *v)
{
    struct core *c = v->core;
    CLEANUP(buf_done) struct buf payload;
    buf_init(&payload, REQUEST_MAX);
    if (!c->act.ipc || c->act.closing || count(c) >= FORWARDS_MAX) {
        answer_problem(c, v->id, 503, "the process that does this is restarting; try again");
        return;
    }
    encode(v, "request", &payload);
    if (payload.error) {
        answer_problem(c, v->id, 503, "the request does not fit into memory");
        return;
    }
    struct forward *f = mem_zalloc(sizeof(*f));
    *f = (struct forward){c->forwards, FORWARD_BIT | ++c->last_forward, v->id};
    c->forwards = f;
    peer_send(&c->act, IPC_REQUEST, f->id, 0, payload.data, payload.len, NULL, 0);
}

void forward_refusal(const struct view *v)
{
    CLEANUP(buf_done) struct buf payload;
    buf_init(&payload, REQUEST_MAX);
    encode(v, "refused", &payload);
    if (!payload.error)
        peer_send(&v->core->act, IPC_REPORT, 0, 0, payload.data, payload.len, NULL, 0);
}

bool forward_answer(struct core *c, const struct ipc_frame *f)
{
    if (!(f->id & FORWARD_BIT))
        return false;
    CLEANUP(freep) struct forward *forward = take(c, f->id, 0);
    if (forward)
        peer_send(&c->web, IPC_RESPONSE, forward->web_id, f->status, f->payload, f->len, NULL, 0);
    return true;
}

void forward_forget(struct core *c, uint32_t web_id)
{
    CLEANUP(freep) struct forward *f = take(c, 0, web_id);
    if (f)
        peer_send(&c->act, IPC_CANCEL, f->id, 0, NULL, 0, NULL, 0);
}

void forward_web_gone(struct core *c)
{
    while (c->forwards)
        forward_forget(c, c->forwards->web_id);
}

void forward_act_gone(struct core *c)
{
    while (c->forwards) {
        CLEANUP(freep) struct forward *f = c->forwards;
        c->forwards = f->next;
        answer_problem(c, f->web_id, 503,
                       "the process that does this went away before it answered; whether it was "
                       "done is in the audit log");
    }
}
