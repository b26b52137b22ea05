// SPDX-License-Identifier: GPL-3.0-or-later
// web's questions about credentials. Passwords are checked one at a time on libuv's pool: each
// takes 64 MiB and a while. Invariants: at most one struct login runs; those that wait stand in
// `logins`, oldest first.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "act.h"
#include "base/mem.h"
#include "gate.h"
#include "net/gate.h"

#define LOGINS_MAX 16
#define ADDRESS_WAIT_MAX_NS (300 * NS_PER_S)
// Shorter, since anybody can make others' names wait.
#define ACCOUNT_WAIT_MAX_NS (30 * NS_PER_S)

struct login {
    uv_work_t work; // first
    struct login *next;
    struct gate *gate;
    unsigned connection; // of gate, when it was asked
    uint32_t id;
    struct gate_question question;
    char hash[PASSWORD_HASH_SIZE];
    bool fits;
};

static void on_poll(uv_poll_t *handle, int status, int events);

static void watch(struct gate *g)
{
    int events = UV_READABLE | (ipc_wants_write(g->ipc) ? UV_WRITABLE : 0);
    uv_poll_start(&g->poll, events, on_poll);
}

static void on_closed(uv_handle_t *handle)
{
    struct gate *g = handle->data;
    ipc_free(TAKE_PTR(g->ipc));
    g->closing = false;
    int fd = g->waiting_fd;
    g->waiting_fd = -1;
    if (fd >= 0)
        gate_connect(g, fd);
}

static void close_gate(struct gate *g)
{
    if (!g->ipc || g->closing)
        return;
    g->closing = true;
    g->connection++;
    uv_poll_stop(&g->poll);
    uv_close((uv_handle_t *)&g->poll, on_closed);
}

static void answer(struct gate *g, uint32_t id, int status, const struct gate_answer *a)
{
    CLEANUP(buf_done) struct buf body;
    buf_init(&body, GATE_PAYLOAD_MAX);
    gate_answer_encode(a, &body);
    if (!g->ipc || g->closing)
        return;
    if (body.error ||
        ipc_send(g->ipc, IPC_RESPONSE, id, (uint16_t)status, body.data, body.len, NULL, 0) < 0)
        close_gate(g);
    else if (ipc_wants_write(g->ipc))
        watch(g);
    if (body.data)
        explicit_bzero(body.data, body.len);
}

static void refuse(struct gate *g, uint32_t id, int status, unsigned retry_s)
{
    answer(g, id, status,
           &(struct gate_answer){.grant = "", .session = "", .csrf = "", .retry_s = retry_s});
}

static void answer_grant(struct gate *g, uint32_t id, struct grant *grant, const char *session,
                         const char *csrf)
{
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, GRANT_TEXT_MAX);
    grant->expires_ns = act_now() + GRANT_LIFETIME_NS;
    grant_encode(grant, &g->state->key, &text);
    if (text.error)
        refuse(g, id, 503, 1);
    else
        answer(g, id, 200,
               &(struct gate_answer){.grant = text.data, .session = session, .csrf = csrf});
    grant_done(grant);
}

static void audit_refusal(struct gate *g, const struct gate_question *q, const char *verb,
                          const char *detail)
{
    CLEANUP(freep) char *who = *q->user ? mem_printf("user:%s", q->user) : mem_strdup("unknown");
    const struct audit_entry e = {
        .principal = who, .address = q->address, .verb = verb, .object = q->user, .detail = detail};
    state_refused(g->state, &e, act_now());
}

static void take_token(struct gate *g, uint32_t id, const struct gate_question *q)
{
    struct grant grant;
    int r = token_verify(g->state->accounts, q->secret, &grant);
    if (r == 0) {
        answer_grant(g, id, &grant, "", "");
        return;
    }
    if (r == -EACCES)
        audit_refusal(g, q, "token", "no such token, or it has ended");
    refuse(g, id, r == -EACCES ? 401 : 503, 1);
}

static void take_session(struct gate *g, uint32_t id, const struct gate_question *q)
{
    struct grant grant;
    char csrf[CSRF_TEXT_SIZE];
    int r = session_verify(g->state->accounts, q->secret, csrf, &grant);
    if (r == 0)
        answer_grant(g, id, &grant, "", csrf);
    else
        refuse(g, id, r == -EACCES ? 401 : 503, 1);
}

static void take_logout(struct gate *g, uint32_t id, const struct gate_question *q)
{
    struct grant grant = {0};
    char csrf[CSRF_TEXT_SIZE];
    int r = session_verify(g->state->accounts, q->secret, csrf, &grant);
    if (r == 0)
        r = session_close(g->state->accounts, q->secret);
    if (r == 0) {
        const struct audit_entry e = {.principal = grant.principal,
                                      .address = q->address,
                                      .verb = "logout",
                                      .result = AUDIT_DONE};
        (void)audit_event(g->state->audit, &e);
    }
    grant_done(&grant);
    refuse(g, id, r == 0 ? 200 : r == -EACCES ? 401 : 503, 1);
}

// Logging in

static void login_free(struct login *l)
{
    gate_question_done(&l->question);
    explicit_bzero(l->hash, sizeof(l->hash));
    free(l);
}

static void on_pool(uv_work_t *work)
{
    struct login *l = (struct login *)work;
    pthread_setname_np(pthread_self(), "pool");
    l->fits = password_check(l->hash, l->question.secret);
}

static void start_next(struct gate *g);

// Both at once: no session without its record.
static int open_session(struct gate *g, const struct login *l, char session[TOKEN_TEXT_SIZE],
                        char csrf[CSRF_TEXT_SIZE])
{
    struct act_state *s = g->state;
    CLEANUP(freep) char *who = mem_printf("user:%s", l->question.user);
    const struct audit_entry e = {.principal = who,
                                  .address = l->question.address,
                                  .verb = "login",
                                  .object = l->question.user,
                                  .result = AUDIT_DONE};
    struct err err;
    int r = store_begin(s->store);
    if (r < 0)
        return r;
    r = session_open(s->accounts, l->question.user, session, csrf, &err);
    if (r == 0)
        r = audit_event(s->audit, &e);
    if (r == 0)
        return store_commit(s->store);
    store_rollback(s->store);
    return r;
}

static void admit(struct gate *g, const struct login *l)
{
    char session[TOKEN_TEXT_SIZE], csrf[CSRF_TEXT_SIZE];
    struct grant grant;
    // The account may have been changed while the password was checked.
    char now[PASSWORD_HASH_SIZE];
    int r = account_password(g->state->accounts, l->question.user, now);
    if (r == 0 && strcmp(now, l->hash) != 0)
        r = -EACCES;
    if (r == 0)
        r = open_session(g, l, session, csrf);
    if (r == 0)
        r = session_verify(g->state->accounts, session, csrf, &grant);
    if (r == 0)
        answer_grant(g, l->id, &grant, session, csrf);
    else
        refuse(g, l->id, r == -EACCES ? 401 : 503, 1);
    explicit_bzero(session, sizeof(session));
}

static void on_checked(uv_work_t *work, int status)
{
    struct login *l = (struct login *)work;
    struct gate *g = l->gate;
    char key[64];
    backoff_address_key(l->question.address, key);
    g->running = false;
    bool is_asked = l->connection == g->connection;
    if (!state_ready(g->state, act_now())) {
        if (is_asked)
            refuse(g, l->id, 503, 5);
    } else if (l->fits) {
        backoff_succeeded(g->accounts, l->question.user);
        backoff_succeeded(g->addresses, key);
        if (is_asked)
            admit(g, l);
    } else {
        backoff_failed(g->accounts, l->question.user, act_now());
        backoff_failed(g->addresses, key, act_now());
        audit_refusal(g, &l->question, "login", "wrong name or password");
        if (is_asked)
            refuse(g, l->id, 401, 0);
    }
    login_free(l);
    start_next(g);
}

static void start_next(struct gate *g)
{
    struct login *l = g->logins;
    if (g->running || !l)
        return;
    g->logins = l->next;
    g->n_logins--;
    g->running = true;
    if (!g->state->accounts || account_password(g->state->accounts, l->question.user, l->hash) < 0)
        l->hash[0] = '\0';
    uv_queue_work(g->loop, &l->work, on_pool, on_checked);
}

static void take_login(struct gate *g, uint32_t id, struct gate_question *q)
{
    char key[64];
    backoff_address_key(q->address, key);
    int64_t now = act_now();
    int64_t wait = MAX_OF(backoff_wait_ns(g->accounts, q->user, now),
                          *key ? backoff_wait_ns(g->addresses, key, now) : 0);
    if (wait > 0 || g->n_logins >= LOGINS_MAX) {
        audit_refusal(g, q, "login", "too many failed before");
        refuse(g, id, 429, (unsigned)(wait / NS_PER_S) + 1);
        return;
    }
    if (!account_name_valid(q->user)) {
        audit_refusal(g, q, "login", "wrong name or password");
        refuse(g, id, 401, 0);
        return;
    }
    struct login *l = mem_zalloc(sizeof(*l)), **at = &g->logins;
    l->gate = g;
    l->connection = g->connection;
    l->id = id;
    l->question = *q;
    *q = (struct gate_question){0};
    while (*at)
        at = &(*at)->next;
    *at = l;
    g->n_logins++;
    start_next(g);
}

static bool take_frame(struct gate *g, const struct ipc_frame *f)
{
    struct gate_question q;
    if (f->type == IPC_CANCEL)
        return true;
    if (f->type != IPC_REQUEST || gate_question_decode(f->payload, f->len, &q) < 0)
        return false;
    if (!state_ready(g->state, act_now()) || !g->state->has_key)
        refuse(g, f->id, 503, 5);
    else if (q.kind == GATE_TOKEN)
        take_token(g, f->id, &q);
    else if (q.kind == GATE_SESSION)
        take_session(g, f->id, &q);
    else if (q.kind == GATE_LOGOUT)
        take_logout(g, f->id, &q);
    else
        take_login(g, f->id, &q);
    gate_question_done(&q);
    return true;
}

static void on_poll(uv_poll_t *handle, int status, int events)
{
    struct gate *g = handle->data;
    struct ipc_frame f;
    int r = status < 0 ? -EPIPE : 1;
    if (r > 0 && (events & UV_WRITABLE) && ipc_flush(g->ipc) < 0)
        r = -EPIPE;
    while (r > 0 && !g->closing) {
        r = ipc_recv(g->ipc, &f);
        if (r == 1 && !take_frame(g, &f))
            r = -EPROTO;
    }
    if (r < 0)
        close_gate(g);
    if (g->ipc && !g->closing)
        watch(g);
}

void gate_init(struct gate *g, uv_loop_t *loop, struct act_state *state)
{
    *g = (struct gate){.loop = loop, .state = state, .waiting_fd = -1};
    g->accounts = backoff_new(ACCOUNT_WAIT_MAX_NS);
    g->addresses = backoff_new(ADDRESS_WAIT_MAX_NS);
}

void gate_connect(struct gate *g, int fd)
{
    if (g->ipc) {
        closep(&g->waiting_fd);
        g->waiting_fd = fd;
        close_gate(g);
        return;
    }
    g->ipc = ipc_new(fd, GATE_PAYLOAD_MAX);
    uv_poll_init(g->loop, &g->poll, fd);
    g->poll.data = g;
    watch(g);
}

void gate_flush(struct gate *g)
{
    if (!g->ipc || g->closing)
        return;
    if (ipc_send(g->ipc, IPC_REPORT, 0, 0, NULL, 0, NULL, 0) < 0)
        close_gate(g);
    else if (ipc_wants_write(g->ipc))
        watch(g);
}
