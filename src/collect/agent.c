// SPDX-License-Identifier: GPL-3.0-or-later
// The agent lane: questions that libvirt refuses on a read-only connection go to act and come back
// as batches. The same way serves what a person asks for (the dirty page rate).
#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "net/batch_json.h"
#include "private.h"

static struct asked *take_asked(struct collector *c, uint32_t id)
{
    for (struct asked **at = &c->asked; *at; at = &(*at)->next) {
        if ((*at)->id == id) {
            struct asked *found = *at;
            *at = found->next;
            return found;
        }
    }
    return NULL;
}

static int send_question(struct collector *c, struct asked *asked, const char *verb, int seconds)
{
    if (!c->p.ask)
        return -ENOTCONN;
    char uuid[UUID_TEXT];
    uuid_format(&asked->uuid, uuid);
    CLEANUP(buf_done) struct buf body;
    buf_init(&body, 1024);
    struct json j;
    json_init(&j, &body);
    json_object_begin(&j);
    json_kv_string(&j, "uuid", uuid);
    if (seconds > 0)
        json_kv_u64(&j, "seconds", (uint64_t)seconds);
    json_object_end(&j);
    asked->id = ++c->last_ask;
    int r = c->p.ask(asked->id, verb, body.data, c->p.arg);
    if (r < 0)
        return r;
    asked->next = c->asked;
    c->asked = asked;
    return 0;
}

int collector_ask_vm(struct collector *c, const struct uuid *uuid, const char *verb, int seconds,
                     collector_asked *done, void *arg)
{
    struct asked *asked = mem_zalloc(sizeof(*asked));
    asked->uuid = *uuid;
    asked->done = done;
    asked->arg = arg;
    int r = send_question(c, asked, verb, seconds);
    if (r < 0)
        free(asked);
    return r;
}

void collector_forget(struct collector *c, const void *arg)
{
    for (struct asked *asked = c->asked; asked; asked = asked->next)
        if (asked->arg == arg)
            asked->done = NULL;
}

// The agent's answers, and its silence, renew the stamp that it shares with them.
static void forget_old_dirty_rate(struct collector *c, struct vm *vm)
{
    if (mono(c) - rec_of(vm)->dirty_rate_ns > c->herd->max_age_ns[LANE_AGENT])
        object_set_fact(&vm->obj, FACT_VM_DIRTY_RATE, NAN, vm->obj.updated_ns[LANE_AGENT]);
}

// What each question asks for: there is no answer to it now. What is asked seldom grows old by
// itself, but the users, whose stamp is the VM's.
static void forget_answers(struct collector *c, struct vm *vm, double is_up, int64_t now)
{
    forget_old_dirty_rate(c, vm);
    object_set_fact(&vm->obj, FACT_VM_AGENT_UP, is_up, now);
    object_set_fact(&vm->obj, FACT_VM_TIME_OFFSET, NAN, now);
    object_set_fact(&vm->obj, FACT_VM_USERS, NAN, now);
    object_set_attr(&vm->obj, ATTR_VM_GUEST_USERS, NULL);
}

// A ping says nothing of what the last full look was not told.
static void sweep_misses(struct vm *vm, bool is_info, int64_t now)
{
    static const char *const pings[] = {"guest_agent", "guest_time"};
    if (is_info)
        object_sweep(&vm->obj, KIND_MISS, LANE_AGENT, now);
    for (size_t i = 0; i < ARRAY_LEN(pings) && !is_info; i++) {
        struct object *miss = object_find(&vm->obj, KIND_MISS, pings[i]);
        if (miss && miss->updated_ns[LANE_AGENT] < now)
            object_remove(miss);
    }
}

static void apply_answer(struct collector *c, struct vm *vm, const struct asked *asked,
                         const char *body, size_t len)
{
    struct batch *b = batch_new();
    struct err err = {0};
    b->lane = LANE_AGENT;
    if (batch_decode_json(body, len, b, &err) == 0) {
        b->lane = LANE_AGENT;
        b->mono_ns = mono(c);
        if (asked->is_info)
            batch_sweep(b, &vm->obj, KIND_FS);
        batch_apply(b, &vm->obj);
        if (asked->call)
            sweep_misses(vm, asked->is_info, b->mono_ns);
        else
            rec_of(vm)->dirty_rate_ns = b->mono_ns;
    } else {
        log_warning("an answer of act is malformed: %s", err.message);
    }
    batch_free(b);
}

// The agent is there but its answer is not: that is a fact, and what it said before grows old.
static void note_silence(struct collector *c, struct vm *vm, int status)
{
    int64_t now = mono(c);
    if (status == 504)
        forget_answers(c, vm, 0, now);
    struct batch *b = batch_new();
    b->lane = LANE_AGENT;
    b->mono_ns = now;
    batch_unavailable(b, "guest_agent",
                      status == 504   ? "the agent does not answer in time"
                      : status == 409 ? "the agent is not connected"
                                      : "libvirt refused the question");
    batch_apply(b, &vm->obj);
    batch_free(b);
}

void agent_left(struct collector *c, struct vm *vm, int64_t now)
{
    rec_of(vm)->agent_info_ns = 0; // who comes next may be another guest
    forget_answers(c, vm, NAN, now);
    if (object_fact(&vm->obj, FACT_VM_AGENT_CONNECTED) == 0)
        note_silence(c, vm, 409);
    else
        sweep_misses(vm, true, now);
}

static const char *body_of(const char *payload, size_t len, size_t *ret_len)
{
    const char *nul = memchr(payload, '\0', len);
    if (!nul) {
        *ret_len = 0;
        return "";
    }
    *ret_len = len - (size_t)(nul + 1 - payload);
    return nul + 1;
}

void collector_answer(struct collector *c, uint32_t id, int status, const char *payload, size_t len)
{
    struct asked *asked = take_asked(c, id);
    if (!asked)
        return;
    c->changes++;
    size_t body_len;
    const char *body = body_of(payload, len, &body_len);
    struct vm *vm = herd_vm(c->herd, &asked->uuid);
    bool counts = true;
    if (asked->call)
        counts =
            lane_done(c->agent_lane, asked->call, status == 200 ? LANE_OK : LANE_ERROR, mono(c));
    if (vm && vm->active && counts && status == 200)
        apply_answer(c, vm, asked, body, body_len);
    else if (vm && vm->active && counts && asked->call)
        note_silence(c, vm, status);
    if (vm && asked->call)
        forget_old_dirty_rate(c, vm);
    if (asked->done)
        asked->done(asked->arg, status, body, body_len);
    free(asked);
}

void collector_act_lost(struct collector *c)
{
    static const char answer[] = "application/problem+json\0{\"detail\":\"act was restarted\"}";
    while (c->asked)
        collector_answer(c, c->asked->id, 503, answer, sizeof(answer) - 1);
}

static void ask_agent(struct collector *c, uint64_t call, const void *key, int64_t now)
{
    struct asked *asked = mem_zalloc(sizeof(*asked));
    memcpy(asked->uuid.b, key, UUID_BYTES);
    asked->call = call;
    struct vm *vm = herd_vm(c->herd, &asked->uuid);
    struct vm_rec *rec = rec_of(vm);
    bool is_info =
        rec->agent_info_ns == 0 || now - rec->agent_info_ns >= c->p.conf->agent.info_interval_ns;
    asked->is_info = is_info;
    if (send_question(c, asked, is_info ? "agent_info" : "agent_ping", 0) < 0) {
        lane_done(c->agent_lane, call, LANE_SKIPPED, now);
        free(asked);
        return;
    }
    if (!is_info)
        return;
    // The first look is followed by a ping soon, the clock's offset being asked for only there.
    if (rec->agent_info_ns == 0)
        lane_hasten(c->agent_lane, vm->uuid.b, UUID_BYTES, now);
    rec->agent_info_ns = now;
}

void agent_step(struct collector *c, int64_t now)
{
    const void *key;
    size_t len;
    uint64_t call;
    while (lane_expire(c->agent_lane, now, now, &key, &len)) {
        struct uuid uuid;
        memcpy(uuid.b, key, UUID_BYTES);
        struct vm *vm = herd_vm(c->herd, &uuid);
        if (vm)
            note_silence(c, vm, 504);
    }
    while ((call = lane_next(c->agent_lane, now, &key, &len)))
        ask_agent(c, call, key, now);
}

int64_t agent_wake(const struct collector *c, int64_t now)
{
    return lane_wake_ns(c->agent_lane, now);
}

void agent_done(struct collector *c)
{
    while (c->asked) {
        struct asked *next = c->asked->next;
        free(c->asked);
        c->asked = next;
    }
}
