// SPDX-License-Identifier: GPL-3.0-or-later
// Requests that act answers: passed on with the asker's grant, which act checks by itself.
// Their ids have the highest bit set, which the collector's questions never reach.
#include <errno.h>
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
    uint32_t id;        // towards act
    uint32_t web_id;    // towards web
    forward_done *done; // of one that core itself asked
    void *arg;
};

static struct forward *take(struct core *c, uint32_t id, uint32_t web_id)
{
    for (struct forward **at = &c->forwards; *at; at = &(*at)->next) {
        struct forward *f = *at;
        if (f->id == id || (id == 0 && !f->done && f->web_id == web_id)) {
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

static void encode_for(const struct core *c, const struct ipc_request *asked,
                       const struct grant *who, const char *word, struct buf *out)
{
    CLEANUP(buf_done) struct buf grant;
    struct ipc_request request = *asked;
    buf_init(&grant, GRANT_TEXT_MAX);
    grant_encode(who, &c->key, &grant);
    request.principal = grant.data ? grant.data : "";
    buf_put(out, word, strlen(word) + 1);
    ipc_request_encode(&request, out);
    if (grant.error)
        out->error = grant.error;
}

static void encode(const struct view *v, const char *word, struct buf *out)
{
    encode_for(v->core, v->request, v->grant, word, out);
}

static bool can_send(const struct core *c)
{
    return c->act.ipc && !c->act.closing && count(c) < FORWARDS_MAX;
}

static void send_request(struct core *c, const struct forward *what, const struct buf *payload)
{
    struct forward *f = mem_zalloc(sizeof(*f));
    *f = *what;
    f->next = c->forwards;
    f->id = FORWARD_BIT | ++c->last_forward;
    c->forwards = f;
    peer_send(&c->act, IPC_REQUEST, f->id, 0, payload->data, payload->len, NULL, 0);
}

int forward_own(struct core *c, const struct ipc_request *request, const struct grant *grant,
                forward_done *done, void *arg)
{
    CLEANUP(buf_done) struct buf payload;
    buf_init(&payload, REQUEST_MAX);
    if (!c->has_key || !can_send(c))
        return -EAGAIN;
    encode_for(c, request, grant, "request", &payload);
    if (payload.error)
        return -ENOMEM;
    send_request(c, &(struct forward){.done = done, .arg = arg}, &payload);
    return 0;
}

void forward_request(const struct view *v)
{
    struct core *c = v->core;
    CLEANUP(buf_done) struct buf payload;
    buf_init(&payload, REQUEST_MAX);
    if (!can_send(c)) {
        answer_problem(c, v->id, 503, "the process that does this is restarting; try again");
        return;
    }
    encode(v, "request", &payload);
    if (payload.error) {
        answer_problem(c, v->id, 503, "the request does not fit into memory");
        return;
    }
    send_request(c, &(struct forward){.web_id = v->id}, &payload);
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
    if (forward && forward->done)
        forward->done(c, f->status, f->payload, f->len, forward->arg);
    else if (forward)
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
    struct forward *next;
    for (struct forward *f = c->forwards; f; f = next) {
        next = f->next;
        if (!f->done)
            forward_forget(c, f->web_id);
    }
}

void forward_act_gone(struct core *c)
{
    while (c->forwards) {
        CLEANUP(freep) struct forward *f = c->forwards;
        c->forwards = f->next;
        if (f->done)
            f->done(c, 503, "", 0, f->arg);
        else
            answer_problem(
                c, f->web_id, 503,
                "the process that does this went away before it answered; whether it was "
                "done is in the audit log");
    }
}
