// SPDX-License-Identifier: GPL-3.0-or-later
// Messages on their way out. core hands over one at a time for each receiver and hears what became
// of it. What was delivered lately is remembered, so that a core that was killed in between and
// asks again is answered without telling anybody twice.
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "notify/message.h"
#include "notify/notify.h"
#include "runner.h"
#include "send.h"

#define ANSWER_MAX (64u * 1024)
#define BODY_MAX ((size_t)16 << 20)
#define QUOTE_BYTES 200
#define DELIVERED_KEPT 256
// As Prometheus: four times the interval in which it is told again.
#define JOURNAL_SOCKET "/run/systemd/journal/socket"

struct told;

// One address of a receiver; an Alertmanager may have several.
struct way {
    struct told *told;
    struct fetch_line *line;
    bool is_open; // an answer is awaited
};

struct told {
    struct tells *all;
    size_t number;
    const struct conf_receiver *conf;
    char *secret, *from;
    struct way *way;
    size_t n_ways;
    char *id; // of the message under way; NULL: none
    json_t *message;
    struct buf body;
    // Of the attempt so far:
    bool any_delivered, any_refused;
    int64_t retry_ms;
    char *why;
};

struct tells {
    const struct conf *conf;
    struct outlet *outlet;
    struct told *list;
    size_t n;
    struct ipc *runner;
    int journal; // -1: none
    char *delivered[DELIVERED_KEPT];
    size_t next_delivered;
};

static int64_t real_ms(void)
{
    return clock_real_ns(&clock_system) / NS_PER_MS;
}

// Outcomes

static bool was_delivered(const struct tells *t, const char *id)
{
    for (size_t i = 0; i < DELIVERED_KEPT; i++)
        if (t->delivered[i] && strcmp(t->delivered[i], id) == 0)
            return true;
    return false;
}

static void tell_core(struct tells *t, const char *id, enum notify_outcome outcome, const char *why,
                      int64_t retry_ms)
{
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 64 * 1024);
    buf_put(&b, id, strlen(id) + 1);
    buf_put(&b, why, strlen(why) + 1);
    buf_i64(&b, retry_ms);
    buf_putc(&b, '\0');
    if (t->outlet->core)
        (void)ipc_send(t->outlet->core, IPC_NOTIFIED, 0, (uint16_t)outcome, b.data, b.len, NULL, 0);
}

static void finish(struct told *r, enum notify_outcome outcome, const char *why, int64_t retry_ms)
{
    struct tells *t = r->all;
    if (outcome == NOTIFY_DELIVERED) {
        free(t->delivered[t->next_delivered]);
        t->delivered[t->next_delivered] = mem_strdup(r->id);
        t->next_delivered = (t->next_delivered + 1) % DELIVERED_KEPT;
    }
    tell_core(t, r->id, outcome, why ? why : "", retry_ms);
    json_decref(TAKE_PTR(r->message));
    free(TAKE_PTR(r->id));
    free(TAKE_PTR(r->why));
}

// Over HTTP and SMTP

static bool is_refusal(const struct told *r, int status)
{
    // This message, not the way to the receiver, is what is wrong.
    static const int http[] = {400, 413, 415, 422}, mail[] = {552, 554};
    bool is_mail = r->conf->type == CONF_RECEIVER_EMAIL;
    const int *list = is_mail ? mail : http;
    for (size_t i = 0; i < (is_mail ? ARRAY_LEN(mail) : ARRAY_LEN(http)); i++)
        if (list[i] == status)
            return true;
    return false;
}

static char *words_of(const struct told *r, const struct fetch_answer *a)
{
    int n = (int)MIN_OF(a->len, (size_t)QUOTE_BYTES);
    while (n > 0 && strchr("\r\n ", a->body[n - 1]))
        n--;
    if (r->conf->type == CONF_RECEIVER_EMAIL)
        return mem_printf("%s%s%.*s", a->why ? a->why : "no answer", n ? ": " : "", n, a->body);
    if (a->status == 0)
        return mem_strdup(a->why ? a->why : "no answer");
    return mem_printf("HTTP status %d%s%.*s", a->status, n ? ": " : "", n, a->body);
}

static bool is_success(const struct told *r, const struct fetch_answer *a)
{
    if (r->conf->type == CONF_RECEIVER_EMAIL)
        return !a->why;
    return a->status >= 200 && a->status < 300;
}

// All ways have answered: one that took it is enough.
static void settle(struct told *r)
{
    for (size_t i = 0; i < r->n_ways; i++)
        if (r->way[i].is_open)
            return;
    enum notify_outcome outcome = r->any_delivered ? NOTIFY_DELIVERED
                                  : r->any_refused ? NOTIFY_REFUSED
                                                   : NOTIFY_FAILED;
    finish(r, outcome, r->any_delivered ? NULL : r->why, r->retry_ms);
}

static void answered(void *arg, const struct fetch_answer *a)
{
    struct way *w = arg;
    struct told *r = w->told;
    w->is_open = false;
    if (is_success(r, a)) {
        r->any_delivered = true;
    } else {
        r->any_refused |= is_refusal(r, a->status);
        if (a->retry_after_ns >= 0)
            r->retry_ms = MAX_OF(r->retry_ms, a->retry_after_ns / NS_PER_MS);
        free(r->why);
        r->why = words_of(r, a);
    }
    settle(r);
}

static void post(struct told *r, const char *const *headers)
{
    struct fetch_request q = {.headers = headers,
                              .body = r->body.data,
                              .body_len = r->body.len,
                              .timeout_ns = r->conf->timeout_ns,
                              .limit_bytes = ANSWER_MAX};
    for (size_t i = 0; i < r->n_ways; i++)
        r->way[i].is_open = fetch_start(r->way[i].line, &q) == 0;
    settle(r);
}

static int send_webhook(struct told *r, const char *text)
{
    CLEANUP(buf_done) struct buf signature;
    CLEANUP(freep) char *id = mem_printf("X-Vherd-Message: %s", r->id);
    buf_init(&signature, 1024);
    buf_puts(&r->body, text);
    if (r->body.error)
        return r->body.error;
    buf_puts(&signature, "X-Vherd-Signature: ");
    if (r->secret)
        notify_sign(r->secret, real_ms() / 1000, r->body.data, r->body.len, &signature);
    const char *const headers[] = {"Content-Type: application/json", id,
                                   r->secret ? signature.data : NULL, NULL};
    post(r, headers);
    return 0;
}

static int send_alertmanager(struct told *r, const char *text)
{
    static const char *const headers[] = {"Content-Type: application/json", NULL};
    int e = notify_form_alertmanager(r->message, real_ms(), &r->body);
    if (e == 0)
        post(r, headers);
    return e;
}

static int send_email(struct told *r, const char *text)
{
    int e = notify_form_mail(r->message, r->from, &r->conf->email.to, real_ms(), &r->body);
    if (e < 0)
        return e;
    struct fetch_mail m = {.from = r->from,
                           .to = &r->conf->email.to,
                           .data = r->body.data,
                           .len = r->body.len,
                           .timeout_ns = r->conf->timeout_ns};
    r->way[0].is_open = fetch_start_mail(r->way[0].line, &m) == 0;
    settle(r);
    return 0;
}

// On this machine

static int send_exec(struct told *r, const char *text)
{
    return r->all->runner
               ? runner_ask(r->all->runner, (uint32_t)r->number, r->number, text, strlen(text))
               : -EPIPE;
}

static int send_nagios(struct told *r, const char *text)
{
    bool nsca = !*r->conf->nagios.command_file;
    int e = notify_form_nagios(r->message, r->conf, real_ms(), nsca, &r->body);
    if (e == 0)
        e = r->all->runner ? runner_ask(r->all->runner, (uint32_t)r->number, r->number,
                                        r->body.data, r->body.len)
                           : -EPIPE;
    return e;
}

struct journal_state {
    int fd, error;
};

static void write_entry(void *arg, const char *entry, size_t n)
{
    struct journal_state *s = arg;
    if (send(s->fd, entry, n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        s->error = -errno;
}

static int send_journal(struct told *r, const char *text)
{
    struct journal_state s = {r->all->journal, r->all->journal < 0 ? -ENOENT : 0};
    if (s.error == 0) {
        int e = notify_form_journal(r->message, write_entry, &s);
        s.error = e < 0 ? e : s.error;
    }
    if (s.error < 0)
        finish(r, NOTIFY_FAILED, strerror(-s.error), -1);
    else
        finish(r, NOTIFY_DELIVERED, NULL, -1);
    return 0;
}

static int send_none(struct told *r, const char *text)
{
    finish(r, NOTIFY_DELIVERED, NULL, -1);
    return 0;
}

static int (*const senders[CONF_RECEIVER_TYPE_MAX])(struct told *r, const char *text) = {
    [CONF_RECEIVER_NONE] = send_none,
    [CONF_RECEIVER_WEBHOOK] = send_webhook,
    [CONF_RECEIVER_ALERTMANAGER] = send_alertmanager,
    [CONF_RECEIVER_EMAIL] = send_email,
    [CONF_RECEIVER_EXEC] = send_exec,
    [CONF_RECEIVER_JOURNAL] = send_journal,
    [CONF_RECEIVER_NAGIOS] = send_nagios,
};

static void begin(struct told *r, const char *id, const char *text)
{
    r->id = mem_strdup(id);
    r->any_delivered = r->any_refused = false;
    r->retry_ms = -1;
    buf_reset(&r->body);
    r->message = json_loads(text, 0, NULL);
    int e = r->message ? senders[r->conf->type](r, text) : -EPROTO;
    if (e < 0)
        finish(r, e == -EPIPE ? NOTIFY_FAILED : NOTIFY_REFUSED, strerror(-e), -1);
}

static struct told *find(const struct tells *t, const char *name)
{
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->list[i].conf->name, name) == 0)
            return &t->list[i];
    return NULL;
}

int tells_take(struct tells *t, const char *payload, size_t len)
{
    const char *texts[3] = {NULL};
    size_t at = 0;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        const char *end = memchr(payload + at, '\0', len - at);
        if (!end)
            return -EPROTO;
        texts[i] = payload + at;
        at = (size_t)(end - payload) + 1;
    }
    struct told *r = find(t, texts[1]);
    if (was_delivered(t, texts[0]))
        tell_core(t, texts[0], NOTIFY_DELIVERED, "", -1);
    else if (!r)
        tell_core(t, texts[0], NOTIFY_FAILED, "the sender does not know this receiver yet", 1000);
    else if (!r->id)
        begin(r, texts[0], texts[2]);
    else if (strcmp(r->id, texts[0]) != 0)
        tell_core(t, texts[0], NOTIFY_FAILED, "another message is under way", 1000);
    // The same one again: its outcome will come.
    return 0;
}

// The runner's answers

int tells_read(struct tells *t)
{
    struct ipc_frame f;
    int r = ipc_flush(t->runner);
    while (r == 0 && (r = ipc_recv(t->runner, &f)) == 1) {
        r = 0;
        if (f.type != IPC_NOTIFIED || f.id >= t->n || !t->list[f.id].id)
            return -EPROTO;
        CLEANUP(freep) char *why = mem_strndup(f.payload ? f.payload : "", f.len);
        finish(&t->list[f.id], f.status ? NOTIFY_FAILED : NOTIFY_DELIVERED, f.status ? why : NULL,
               -1);
    }
    return r;
}

struct ipc *tells_runner(const struct tells *t)
{
    return t->runner;
}

// Life

static int open_way(struct told *r, struct fetch_pool *pool, const char *url,
                    const struct conf_http *http, struct err *err)
{
    struct way *w = &r->way[r->n_ways++];
    w->told = r;
    return fetch_line_new(pool, url, http, answered, w, &w->line, err);
}

static int open_webhook(struct told *r, struct fetch_pool *pool, struct err *err)
{
    CLEANUP(freep) char *url = mem_strdup(r->conf->webhook.url);
    int e = 0;
    if (*r->conf->webhook.secret_file)
        e = fetch_secret(r->conf->webhook.secret_file, &r->secret, err);
    if (e == 0 && *r->conf->webhook.url_file) {
        free(TAKE_PTR(url));
        e = fetch_secret(r->conf->webhook.url_file, &url, err);
    }
    return e < 0 ? e : open_way(r, pool, url, &r->conf->webhook.http, err);
}

static int open_alertmanager(struct told *r, struct fetch_pool *pool, struct err *err)
{
    const struct conf_list *urls = &r->conf->alertmanager.urls;
    int e = 0;
    for (size_t i = 0; e == 0 && i < urls->n; i++) {
        size_t n = strlen(urls->items[i]);
        while (n > 0 && urls->items[i][n - 1] == '/')
            n--;
        CLEANUP(freep) char *url = mem_printf("%.*s/api/v2/alerts", (int)n, urls->items[i]);
        e = open_way(r, pool, url, &r->conf->alertmanager.http, err);
    }
    return e;
}

static int open_email(struct told *r, struct fetch_pool *pool, struct err *err)
{
    char host[256] = "localhost";
    struct way *w = &r->way[r->n_ways++];
    w->told = r;
    (void)gethostname(host, sizeof(host) - 1);
    r->from = *r->conf->email.from ? mem_strdup(r->conf->email.from) : mem_printf("vherd@%s", host);
    return fetch_mail_line_new(pool, r->conf, answered, w, &w->line, err);
}

static int open_told(struct told *r, struct fetch_pool *pool, struct err *err)
{
    static int (*const openers[CONF_RECEIVER_TYPE_MAX])(struct told *, struct fetch_pool *,
                                                        struct err *) = {
        [CONF_RECEIVER_WEBHOOK] = open_webhook,
        [CONF_RECEIVER_ALERTMANAGER] = open_alertmanager,
        [CONF_RECEIVER_EMAIL] = open_email,
    };
    buf_init(&r->body, BODY_MAX);
    r->way = mem_zalloc((r->conf->alertmanager.urls.n + 1) * sizeof(*r->way));
    int e = openers[r->conf->type] ? openers[r->conf->type](r, pool, err) : 0;
    return e < 0 ? err_wrap(err, "receiver %s", r->conf->name) : 0;
}

// Connected before the sandbox, which lets nobody make such a socket.
static int open_journal(void)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX, .sun_path = JOURNAL_SOCKET};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const char *other = getenv("VHERD_JOURNAL_SOCKET");
    if (other && strlen(other) < sizeof(to.sun_path))
        memcpy(to.sun_path, other, strlen(other) + 1);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
        closep(&fd), fd = -1;
    return fd;
}

int tells_new(const struct conf *conf, struct fetch_pool *pool, struct outlet *outlet,
              struct tells **ret, struct err *err)
{
    struct tells *t = mem_zalloc(sizeof(*t));
    const struct conf_receiver *list = conf->notify.receivers.items;
    t->conf = conf;
    t->outlet = outlet;
    t->journal = -1;
    t->list = mem_zalloc((conf->notify.receivers.n + 1) * sizeof(*t->list));
    // While this process has one thread, and no secret.
    int e = runner_start(conf, &t->runner, err);
    for (size_t i = 0; e == 0 && i < conf->notify.receivers.n; i++) {
        t->n = i + 1;
        t->list[i] = (struct told){.all = t, .number = i, .conf = &list[i]};
        if (list[i].type == CONF_RECEIVER_JOURNAL && t->journal < 0)
            t->journal = open_journal();
        e = open_told(&t->list[i], pool, err);
    }
    if (e < 0)
        tells_free(t);
    else
        *ret = t;
    return e;
}

void tells_free(struct tells *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->n; i++) {
        struct told *r = &t->list[i];
        for (size_t k = 0; k < r->n_ways; k++)
            fetch_line_free(r->way[k].line);
        free(r->way);
        free(r->secret);
        free(r->from);
        free(r->id);
        free(r->why);
        json_decref(r->message);
        buf_done(&r->body);
    }
    for (size_t i = 0; i < DELIVERED_KEPT; i++)
        free(t->delivered[i]);
    free(t->list);
    ipc_free(t->runner);
    closep(&t->journal);
    free(t);
}
