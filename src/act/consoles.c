// SPDX-License-Identifier: GPL-3.0-or-later
// Invariants: a VM has one console at most; its audit intent is on disk before it is opened, and
// its outcome is written once, when it ends; at most one request waits for what a guest says.
#include "consoles.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "act.h"
#include "api.h"
#include "base/base64.h"
#include "base/log.h"
#include "base/mem.h"
#include "verdict.h"

#define VERB "vm.console"
#define KEY_BYTES 16
#define OUT_MAX (256u * 1024) // said by the guest, not yet taken
#define IN_MAX (64u * 1024)   // typed, not yet taken by the guest
#define WAIT_NS (10 * NS_PER_S)
#define ABSENT_NS (40 * NS_PER_S) // a client that asks for nothing for so long is gone
#define PENDING_MAX 1024

struct console {
    struct work work; // first: a work is its console
    struct console *next;
    struct act *act;
    char key[2 * KEY_BYTES + 1]; // names it
    char principal[GRANT_PRINCIPAL_MAX + 1];
    struct virt_spec spec; // owned: what the right was decided by
    struct uuid uuid;
    bool force;
    int64_t intent; // 0: its outcome is written
    int64_t seen_ns;
    bool opening, ended, closing;
    struct conn *conn; // while opening
    int fd;
    uv_poll_t poll;
    struct buf out, in;
    uint64_t said, typed;
    char *message;       // why it ended
    uint32_t waiting;    // a request; 0 = none
    int64_t patience_ns; // when that is answered in any case
    // Written by the worker:
    int result;
    struct err err;
};

static void on_poll(uv_poll_t *handle, int status, int events);

/* Answers. */

static void answer_output(struct console *c, uint32_t id)
{
    CLEANUP(buf_done) struct buf text;
    CLEANUP(buf_done) struct buf body;
    struct json j;
    buf_init(&text, 2 * OUT_MAX);
    base64_encode(c->out.data, c->out.len, &text);
    api_begin_answer(&body, &j);
    json_kv_string(&j, "output", text.data ? text.data : "");
    json_kv_bool(&j, "open", !c->ended);
    if (c->ended && c->message)
        json_kv_string(&j, "message", c->message);
    json_object_end(&j);
    core_answer(c->act, id, 200, &body);
    buf_reset(&c->out);
}

static void answer_key(struct console *c, uint32_t id)
{
    CLEANUP(buf_done) struct buf body;
    struct json j;
    api_begin_answer(&body, &j);
    json_kv_string(&j, "console", c->key);
    json_kv_string(&j, "vm", c->spec.name);
    json_object_end(&j);
    core_answer(c->act, id, 200, &body);
}

static void answer_waiting(struct console *c)
{
    uint32_t id = c->waiting;
    c->waiting = 0;
    if (id != 0)
        answer_output(c, id);
}

/* Ending. */

static void on_closed(uv_handle_t *handle)
{
    struct console *c = handle->data;
    close(c->fd);
    virt_spec_done(&c->spec);
    buf_done(&c->out);
    buf_done(&c->in);
    free(c->message);
    free(c);
}

static void drop(struct act *a, struct console *c)
{
    struct console **at = &a->consoles.all;
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    a->consoles.n--;
    c->closing = true;
    if (c->fd >= 0) {
        uv_poll_stop(&c->poll);
        uv_close((uv_handle_t *)&c->poll, on_closed);
        return;
    }
    virt_spec_done(&c->spec);
    buf_done(&c->out);
    buf_done(&c->in);
    free(c->message);
    free(c);
}

static void write_outcome(struct console *c, enum audit_result result, const char *detail)
{
    int r = c->intent ? audit_outcome(c->act->state.audit, c->intent, result, detail) : 0;
    if (r < 0)
        log_error("the end of a console could not be written to the audit log: %s", strerror(-r));
    c->intent = 0;
}

// It carries nothing any more; what the guest said last may still be taken.
static void end(struct console *c, const char *why)
{
    if (c->ended)
        return;
    CLEANUP(freep)
    char *detail =
        mem_printf("%s; %ju bytes typed, %ju said", why, (uintmax_t)c->typed, (uintmax_t)c->said);
    c->ended = true;
    mem_strset(&c->message, why);
    if (c->fd >= 0) {
        uv_poll_stop(&c->poll);
        shutdown(c->fd, SHUT_RDWR);
    }
    write_outcome(c, AUDIT_DONE, detail);
    answer_waiting(c);
}

/* Moving bytes. */

static void watch(struct console *c)
{
    int events = (c->out.len < OUT_MAX / 2 ? UV_READABLE : 0) | (c->in.len > 0 ? UV_WRITABLE : 0);
    if (c->ended || c->fd < 0)
        return;
    if (events)
        uv_poll_start(&c->poll, events, on_poll);
    else
        uv_poll_stop(&c->poll);
}

// False where it is over.
static bool take_output(struct console *c)
{
    char piece[16384];
    ssize_t n = recv(c->fd, piece, sizeof(piece), MSG_DONTWAIT);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    buf_put(&c->out, piece, (size_t)n);
    c->said += (size_t)n;
    return n > 0;
}

static bool give_input(struct console *c)
{
    ssize_t n = c->in.len ? send(c->fd, c->in.data, c->in.len, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    buf_consume(&c->in, (size_t)n);
    return true;
}

static void on_poll(uv_poll_t *handle, int status, int events)
{
    struct console *c = handle->data;
    bool ok = status >= 0;
    if (ok && (events & UV_WRITABLE))
        ok = give_input(c);
    if (ok && (events & UV_READABLE))
        ok = take_output(c);
    if (!ok)
        end(c, "the line ended: the VM stopped, or somebody took it over");
    else if (c->out.len > 0)
        answer_waiting(c);
    watch(c);
}

/* Opening. */

static void work_open(struct work *w)
{
    struct console *c = (struct console *)w;
    c->result =
        virt_manage_of(c->act->ops)->console(c->conn->virt, &c->uuid, c->force, &c->fd, &c->err);
}

static void hand_over(struct work *w, void *arg)
{
    struct act *a = arg;
    struct console *c = (struct console *)w;
    uv_mutex_lock(&a->inbox.lock);
    c->work.next = a->consoles.back ? &a->consoles.back->work : NULL;
    a->consoles.back = c;
    uv_mutex_unlock(&a->inbox.lock);
    uv_async_send(&a->wake);
}

static struct console *of_vm(const struct act *a, const struct uuid *uuid)
{
    for (struct console *c = a->consoles.all; c; c = c->next)
        if (!c->ended && uuid_equal(&c->uuid, uuid))
            return c;
    return NULL;
}

static struct console *add(struct act *a, const struct grant *grant, struct virt_spec *spec,
                           const struct uuid *uuid, bool force)
{
    unsigned char key[KEY_BYTES];
    struct console *c = mem_zalloc(sizeof(*c));
    *c = (struct console){.act = a, .spec = *spec, .uuid = *uuid, .force = force, .fd = -1};
    *spec = (struct virt_spec){0};
    randombytes_buf(key, sizeof(key));
    sodium_bin2hex(c->key, sizeof(c->key), key, sizeof(key));
    memcpy(c->principal, grant->principal, sizeof(c->principal));
    buf_init(&c->out, OUT_MAX);
    buf_init(&c->in, IN_MAX);
    c->seen_ns = act_now();
    c->next = a->consoles.all;
    a->consoles.all = c;
    a->consoles.n++;
    return c;
}

static int write_intent(struct console *c, const char *address)
{
    const struct audit_entry entry = {.principal = c->principal,
                                      .address = address,
                                      .verb = VERB,
                                      .object = c->spec.name,
                                      .detail = c->force ? "attach, putting others off" : "attach"};
    return audit_intent(c->act->state.audit, &entry, NULL, &c->intent);
}

static void begin(struct console *c, uint32_t id, const char *address)
{
    struct act *a = c->act;
    if (write_intent(c, address) < 0) {
        core_problem(a, id, 503, "the audit log cannot be written");
        drop(a, c);
        return;
    }
    c->conn = link_use(a);
    c->work = (struct work){.run = work_open, .done = hand_over, .arg = a};
    if (c->conn && workers_submit(a->deeds.workers, &c->work) == 0) {
        c->opening = true;
        c->waiting = id;
        return;
    }
    if (c->conn)
        link_unuse(a, TAKE_PTR(c->conn));
    write_outcome(c, AUDIT_FAILED, "libvirt is not there, or no thread is free");
    core_problem(a, id, 503, "libvirt is not there, or no thread is free");
    drop(a, c);
}

void consoles_open(struct act *a, uint32_t id, const struct grant *grant, const char *address,
                   struct virt_spec *spec, const struct uuid *uuid, bool force)
{
    struct console *other = of_vm(a, uuid);
    if (other && (!force || other->opening)) {
        CLEANUP(freep)
        char *text =
            mem_printf("%s is attached to this console; force puts them off", other->principal);
        core_problem(a, id, 409, text);
        return;
    }
    if (a->consoles.n >= CONSOLES_MAX) {
        core_problem(a, id, 503, "too many consoles are attached");
        return;
    }
    if (other) {
        CLEANUP(freep) char *why = mem_printf("%s took the console over", grant->principal);
        end(other, why);
    }
    begin(add(a, grant, spec, uuid, force), id, address);
}

static void opened(struct act *a, struct console *c)
{
    uint32_t id = c->waiting;
    c->opening = false;
    c->waiting = 0;
    link_unuse(a, TAKE_PTR(c->conn));
    if (c->result < 0) {
        write_outcome(c, AUDIT_FAILED, c->err.message);
        if (id != 0)
            core_problem(a, id, core_status_of(c->err.code), c->err.message);
        drop(a, c);
        return;
    }
    uv_poll_init(&a->loop, &c->poll, c->fd);
    c->poll.data = c;
    c->seen_ns = act_now();
    if (id != 0)
        answer_key(c, id);
    else
        end(c, "the client went away");
    watch(c);
}

/* Time. */

// What was attached when vherd ended has no outcome yet.
static void close_record(const struct audit_record *r, void *arg)
{
    bool *ours = arg;
    *ours = r->entry.verb && strcmp(r->entry.verb, VERB) == 0;
}

static void recover(struct act *a)
{
    static int64_t pending[PENDING_MAX];
    int n = audit_pending(a->state.audit, pending, PENDING_MAX);
    for (int i = 0; i < n; i++) {
        bool ours = false;
        if (audit_get(a->state.audit, pending[i], close_record, &ours) == 0 && ours)
            (void)audit_outcome(a->state.audit, pending[i], AUDIT_UNKNOWN,
                                "vherd ended while it was attached");
    }
    a->consoles.recovered = true;
}

static void take_back(struct act *a)
{
    uv_mutex_lock(&a->inbox.lock);
    struct console *c = TAKE_PTR(a->consoles.back);
    uv_mutex_unlock(&a->inbox.lock);
    while (c) {
        struct console *next = (struct console *)c->work.next;
        opened(a, c);
        c = next;
    }
}

void consoles_step(struct act *a, int64_t now)
{
    if (!deeds_ready(a, now))
        return;
    if (!a->consoles.recovered)
        recover(a);
    take_back(a);
    for (struct console *c = a->consoles.all, *next; c; c = next) {
        next = c->next;
        if (c->opening)
            continue;
        if (c->waiting != 0 && now >= c->patience_ns)
            answer_waiting(c);
        bool absent = c->waiting == 0 && now - c->seen_ns >= ABSENT_NS;
        if (absent && !c->ended)
            end(c, "the client went away");
        else if (absent)
            drop(a, c);
    }
}

int64_t consoles_wake_ns(const struct act *a)
{
    int64_t wake = INT64_MAX;
    for (const struct console *c = a->consoles.all; c; c = c->next)
        if (!c->opening)
            wake = MIN_OF(wake, c->waiting ? c->patience_ns : c->seen_ns + ABSENT_NS);
    return wake;
}

void consoles_forget(struct act *a, uint32_t id)
{
    for (struct console *c = a->consoles.all; c; c = c->next)
        if (id == 0 || c->waiting == id)
            c->waiting = 0;
}

void consoles_end_all(struct act *a, const char *why)
{
    for (struct console *c = a->consoles.all; c; c = c->next)
        end(c, why);
}

/* Requests. */

// The one that the path names: whose it is, as long as they have the right.
static struct console *find(const struct api_call *call)
{
    for (struct console *c = call->act->consoles.all; c; c = c->next)
        if (!c->opening && strcmp(c->key, call->object) == 0 &&
            strcmp(c->principal, call->grant->principal) == 0 &&
            verdict_on(call->grant, ROLE_OPERATOR, &c->spec) == AUTH_ALLOWED) {
            c->seen_ns = act_now();
            return c;
        }
    api_fail(call, ENOENT, "no such console");
    return NULL;
}

void api_console_read(const struct api_call *call)
{
    struct console *c = find(call);
    if (!c)
        return;
    answer_waiting(c); // an earlier one gets what there is
    if (c->out.len > 0 || c->ended) {
        bool over = c->ended;
        answer_output(c, call->id);
        if (over)
            drop(call->act, c);
        else
            watch(c);
        return;
    }
    c->waiting = call->id;
    c->patience_ns = act_now() + WAIT_NS;
}

void api_console_write(const struct api_call *call)
{
    const char *input = api_member(call, "input");
    CLEANUP(buf_done) struct buf bytes;
    CLEANUP(buf_done) struct buf body;
    struct json j;
    buf_init(&bytes, IN_MAX);
    struct console *c = find(call);
    if (!c)
        return;
    if (!input || base64_decode(input, strlen(input), &bytes) < 0 || bytes.error) {
        api_fail(call, EINVAL, "input must be base64, of at most 3072 bytes");
        return;
    }
    if (c->ended || c->in.len + bytes.len > IN_MAX) {
        core_problem(call->act, call->id, c->ended ? 409 : 503,
                     c->ended ? c->message : "the guest takes no more input now");
        return;
    }
    buf_put(&c->in, bytes.data, bytes.len);
    c->typed += bytes.len;
    if (!give_input(c))
        end(c, "the line ended: the VM stopped, or somebody took it over");
    watch(c);
    api_begin_answer(&body, &j);
    api_answer(call, &body, &j);
}

void api_console_close(const struct api_call *call)
{
    CLEANUP(buf_done) struct buf body;
    struct json j;
    struct console *c = find(call);
    if (!c)
        return;
    end(c, "detached");
    drop(call->act, c);
    api_begin_answer(&body, &j);
    api_answer(call, &body, &j);
}
