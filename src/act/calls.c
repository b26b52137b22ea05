// SPDX-License-Identifier: GPL-3.0-or-later
// Requests on their way through libvirt. A call runs on a worker until it comes back, however
// long; past its deadline it is answered for and written off, its late result dropped.
// Invariants: at most one call of a VM runs or is written off; at most ACT_IN_FLIGHT run; with
// ACT_WRITTEN_OFF written off no other starts.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "act.h"
#include "base/log.h"
#include "base/mem.h"

static size_t count(const struct act *a, enum call_state state)
{
    size_t n = 0;
    for (const struct call *c = a->calls; c; c = c->next)
        n += c->state == state;
    return n;
}

// The call of that VM that libvirt has, or NULL.
static struct call *of_vm(const struct act *a, const struct uuid *uuid)
{
    for (struct call *c = a->calls; c; c = c->next) {
        if (c->state != CALL_QUEUED && uuid_equal(&c->args.uuid, uuid))
            return c;
    }
    return NULL;
}

static void append(struct act *a, struct call *call)
{
    struct call **at = &a->calls;
    while (*at)
        at = &(*at)->next;
    *at = call;
}

static void drop(struct act *a, struct call *call)
{
    struct call **at = &a->calls;
    while (*at != call)
        at = &(*at)->next;
    *at = call->next;
    batch_free(call->out);
    free(call);
}

static void refuse(struct act *a, struct call *call, int status, const char *detail)
{
    if (!call->answered)
        core_problem(a, call->id, status, detail);
    call->answered = true;
}

void calls_request(struct act *a, uint32_t id, const char *payload, size_t len)
{
    struct arguments args;
    struct err err = {0};
    const struct reading *verb = verb_parse(payload, len, &args, &err);
    if (!verb) {
        core_problem(a, id, 400, err.message);
        return;
    }
    if (count(a, CALL_QUEUED) >= ACT_QUEUE) {
        core_problem(a, id, 503, "too many requests wait");
        return;
    }
    struct call *call = mem_zalloc(sizeof(*call));
    call->act = a;
    call->verb = verb;
    call->args = args;
    call->id = id;
    call->deadline_ns = act_now() + verb->deadline_ns(a->conf, &args);
    append(a, call);
}

void calls_cancel(struct act *a, uint32_t id)
{
    for (struct call *c = a->calls; c; c = c->next) {
        if (c->id == id)
            c->answered = true;
    }
}

void calls_forget_all(struct act *a)
{
    for (struct call *c = a->calls; c; c = c->next)
        c->answered = true;
}

/* On a worker. */

static void run(struct work *w)
{
    struct call *call = (struct call *)w;
    call->result = call->verb->run(call->act->ops, call->conn->virt, &call->args, call->agent_s,
                                   call->out, &call->err);
}

static void hand_over(struct work *w, void *arg)
{
    struct act *a = arg;
    struct call *call = (struct call *)w;
    uv_mutex_lock(&a->inbox.lock);
    // The list of calls goes on through `next`; this one is of its own.
    call->work.next = a->inbox.calls ? &a->inbox.calls->work : NULL;
    a->inbox.calls = call;
    uv_mutex_unlock(&a->inbox.lock);
    uv_async_send(&a->wake);
}

/* On the loop. */

static void finish(struct act *a, struct call *call)
{
    if (call->state == CALL_WRITTEN_OFF)
        call->conn->stuck--;
    // A call that fails because the connection went says nothing about its VM.
    if (call->result < 0 && !a->ops->alive(call->conn->virt))
        refuse(a, call, 503, "the connection to libvirt was lost");
    if (!call->answered)
        core_respond(a, call);
    link_unuse(a, call->conn);
    drop(a, call);
}

static void take_finished(struct act *a)
{
    uv_mutex_lock(&a->inbox.lock);
    struct call *call = TAKE_PTR(a->inbox.calls);
    uv_mutex_unlock(&a->inbox.lock);
    while (call) {
        struct call *next = (struct call *)call->work.next;
        finish(a, call);
        call = next;
    }
}

static void write_off(struct act *a, struct call *call)
{
    call->state = CALL_WRITTEN_OFF;
    link_note_stuck(a, call->conn);
    refuse(a, call, 504, "libvirt did not answer in time");
}

static void expire(struct act *a, int64_t now)
{
    for (struct call *c = a->calls, *next; c; c = next) {
        next = c->next;
        if (c->state == CALL_RUNNING && now >= c->deadline_ns) {
            write_off(a, c);
        } else if (c->state == CALL_QUEUED && (c->answered || now >= c->deadline_ns)) {
            refuse(a, c, 503, "no turn came in time");
            drop(a, c);
        }
    }
}

// The agent's patience ends before ours, so that libvirt's own answer comes first.
static int agent_seconds(const struct conf *conf)
{
    return (int)MAX_OF(conf->agent.deadline_ns / NS_PER_S - 1, 1);
}

static void start(struct act *a, struct call *call, int64_t now)
{
    call->conn = link_use(a);
    call->out = batch_new();
    call->agent_s = agent_seconds(a->conf);
    call->deadline_ns = now + call->verb->deadline_ns(a->conf, &call->args);
    call->work = (struct work){.run = run, .done = hand_over, .arg = a};
    call->state = CALL_RUNNING;
    if (workers_submit(a->workers, &call->work) == 0)
        return;
    refuse(a, call, 503, "no thread is free");
    link_unuse(a, call->conn);
    drop(a, call);
}

// True where the call may start; otherwise it is refused, or waits.
static bool may_start(struct act *a, struct call *call)
{
    const struct call *other = of_vm(a, &call->args.uuid);
    if (other && other->state == CALL_RUNNING)
        return false;
    if (other) {
        refuse(a, call, 504, "an earlier call to this VM has not come back");
        return false;
    }
    if (a->link.state != LINK_UP) {
        // While it opens for the first time nothing is known yet.
        if (a->link.err.code)
            refuse(a, call, 503, a->link.err.message);
        return false;
    }
    if (count(a, CALL_WRITTEN_OFF) >= ACT_WRITTEN_OFF) {
        refuse(a, call, 503, "too many calls to libvirt have not come back");
        return false;
    }
    return count(a, CALL_RUNNING) < ACT_IN_FLIGHT;
}

void calls_step(struct act *a, int64_t now)
{
    take_finished(a);
    expire(a, now);
    for (struct call *c = a->calls, *next; c; c = next) {
        next = c->next;
        if (c->state != CALL_QUEUED)
            continue;
        if (may_start(a, c))
            start(a, c, now);
        else if (c->answered)
            drop(a, c);
    }
}

int64_t calls_wake_ns(const struct act *a)
{
    int64_t wake = INT64_MAX;
    for (const struct call *c = a->calls; c; c = c->next) {
        if (c->state != CALL_WRITTEN_OFF)
            wake = MIN_OF(wake, c->deadline_ns);
    }
    return wake;
}
