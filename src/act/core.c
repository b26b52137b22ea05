// SPDX-License-Identifier: GPL-3.0-or-later
// The connection to core, which comes as a descriptor from the supervisor and comes again when core
// was restarted. Answers to a core that is gone are dropped.
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "act.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/batch_json.h"
#include "net/problem.h"

#define REQUEST_MAX (4u * 1024 * 1024)
#define ANSWER_MAX (16u * 1024 * 1024)

static void on_poll(uv_poll_t *handle, int status, int events);

static void watch(struct act *a)
{
    int events = UV_READABLE | (ipc_wants_write(a->core) ? UV_WRITABLE : 0);
    uv_poll_start(&a->core_poll, events, on_poll);
}

static void on_closed(uv_handle_t *handle)
{
    struct act *a = handle->data;
    ipc_free(TAKE_PTR(a->core));
    a->core_closing = false;
    int fd = a->waiting_fd;
    a->waiting_fd = -1;
    if (fd >= 0)
        core_connect(a, fd);
}

static void close_core(struct act *a)
{
    if (!a->core || a->core_closing)
        return;
    a->core_closing = true;
    calls_forget_all(a);
    asks_forget(a, 0);
    consoles_forget(a, 0);
    uv_poll_stop(&a->core_poll);
    uv_close((uv_handle_t *)&a->core_poll, on_closed);
}

void core_connect(struct act *a, int fd)
{
    if (a->core) {
        closep(&a->waiting_fd);
        a->waiting_fd = fd;
        close_core(a);
        return;
    }
    a->core = ipc_new(fd, REQUEST_MAX);
    uv_poll_init(&a->loop, &a->core_poll, fd);
    a->core_poll.data = a;
    watch(a);
    core_report(a);
}

// What follows `word` and its NUL, or NULL.
static const char *after_word(const struct ipc_frame *f, const char *word)
{
    size_t len = strlen(word) + 1;
    return f->len >= len && memcmp(f->payload, word, len) == 0 ? f->payload + len : NULL;
}

static void forget(struct act *a, uint32_t id)
{
    calls_cancel(a, id);
    asks_forget(a, id);
    consoles_forget(a, id);
}

static void take_frame(struct act *a, const struct ipc_frame *f)
{
    const char *request = after_word(f, "request"), *refused = after_word(f, "refused");
    if (f->type == IPC_REQUEST && request)
        api_request(a, f->id, request, f->len - (size_t)(request - f->payload));
    else if (f->type == IPC_REPORT && refused)
        api_refused(a, refused, f->len - (size_t)(refused - f->payload));
    else if (f->type == IPC_REQUEST)
        calls_request(a, f->id, f->payload, f->len);
    else if (f->type == IPC_CANCEL)
        forget(a, f->id);
}

static void on_poll(uv_poll_t *handle, int status, int events)
{
    struct act *a = handle->data;
    struct ipc_frame f;
    int r = status < 0 ? -EPIPE : 1;
    if (r > 0 && (events & UV_WRITABLE) && ipc_flush(a->core) < 0)
        r = -EPIPE;
    while (r > 0 && !a->core_closing) {
        r = ipc_recv(a->core, &f);
        if (r == 1)
            take_frame(a, &f);
    }
    if (r < 0)
        close_core(a);
    if (a->core && !a->core_closing)
        watch(a);
    act_step(a);
}

static void post(struct act *a, enum ipc_type type, uint32_t id, int status, const char *mime,
                 size_t mime_len, const struct buf *body)
{
    if (!a->core || a->core_closing || body->error)
        return;
    if (ipc_send(a->core, type, id, (uint16_t)status, mime, mime_len, body->data, body->len) < 0)
        close_core(a);
    else if (ipc_wants_write(a->core))
        watch(a);
}

void core_problem(struct act *a, uint32_t id, int status, const char *detail)
{
    CLEANUP(buf_done) struct buf body;
    buf_init(&body, ANSWER_MAX);
    problem_put(&body, status, detail);
    post(a, IPC_RESPONSE, id, status, PROBLEM_TYPE, sizeof(PROBLEM_TYPE), &body);
}

void core_answer(struct act *a, uint32_t id, int status, const struct buf *json)
{
    static const char mime[] = "application/json";
    if (json->error)
        core_problem(a, id, 502, "the answer is too large");
    else
        post(a, IPC_RESPONSE, id, status, mime, sizeof(mime), json);
}

static const struct {
    int error;
    int status;
} statuses[] = {
    {ENOENT, 404},       {ENOTCONN, 409}, {ESRCH, 409},  {EBUSY, 409},
    {EINVAL, 400},       {EEXIST, 409},   {EAGAIN, 503}, {ETIMEDOUT, 504},
    {ECONNREFUSED, 409}, {EDQUOT, 503},   {ENOSPC, 507},
};

int core_status_of(int error)
{
    for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
        if (statuses[i].error == error)
            return statuses[i].status;
    }
    return 502;
}

void core_respond(struct act *a, struct call *call)
{
    static const char mime[] = "application/json";
    if (call->result < 0) {
        core_problem(a, call->id, core_status_of(-call->result), call->err.message);
        return;
    }
    CLEANUP(buf_done) struct buf body;
    struct json j;
    buf_init(&body, ANSWER_MAX);
    json_init(&j, &body);
    batch_encode_json(call->out, &j);
    if (body.error)
        core_problem(a, call->id, 502, "the answer is too large");
    else
        post(a, IPC_RESPONSE, call->id, 200, mime, sizeof(mime), &body);
}

void core_report(struct act *a)
{
    CLEANUP(buf_done) struct buf body;
    struct json j;
    buf_init(&body, ANSWER_MAX);
    json_init(&j, &body);
    json_object_begin(&j);
    json_kv_bool(&j, "libvirt_up", a->link.state == LINK_UP);
    json_kv_string(&j, "message", a->link.err.message);
    json_object_end(&j);
    post(a, IPC_REPORT, 0, 0, "", 0, &body);
}
