// SPDX-License-Identifier: GPL-3.0-or-later
// The read-write connection: opened on a worker, as that may hang; lost, it is opened again with
// growing pauses. libvirt serves five calls at a time on one connection, so one on which calls
// hang is retired for a fresh one before it fills up.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "act.h"
#include "base/log.h"
#include "base/mem.h"

#define PAUSE_MIN_NS (NS_PER_S / 4)
#define KEEPALIVE_S 30 // a stopped daemon is noticed by deadlines; this is for one that vanished
#define STUCK_MAX 2

// A try at opening, or the closing of a connection.
struct attempt {
    struct work work;
    struct attempt *next;
    struct act *act;
    const struct virt_ops *ops;
    char *uri;
    struct virt *virt;
    struct err err;
};

static void hand_over(struct work *w, void *arg)
{
    struct act *a = arg;
    struct attempt *attempt = (struct attempt *)w;
    uv_mutex_lock(&a->inbox.lock);
    attempt->next = a->inbox.attempts;
    a->inbox.attempts = attempt;
    uv_mutex_unlock(&a->inbox.lock);
    uv_async_send(&a->wake);
}

static void attempt_free(struct attempt *attempt)
{
    free(attempt->uri);
    free(attempt);
}

// On a thread of the back end.
static void on_lost(const char *reason, void *arg)
{
    struct act *a = arg;
    uv_mutex_lock(&a->inbox.lock);
    a->inbox.lost = true;
    uv_mutex_unlock(&a->inbox.lock);
    uv_async_send(&a->wake);
}

static void run_open(struct work *w)
{
    struct attempt *attempt = (struct attempt *)w;
    const struct virt_params params = {
        .uri = attempt->uri,
        .read_write = true,
        .keepalive_s = KEEPALIVE_S,
        .listener = {.lost = on_lost, .arg = attempt->act},
        .clock = &clock_system,
    };
    if (attempt->ops->open(&params, &attempt->virt, &attempt->err) < 0)
        attempt->virt = NULL;
}

static void run_close(struct work *w)
{
    struct attempt *attempt = (struct attempt *)w;
    attempt->ops->close(attempt->virt);
}

static void close_over(struct work *w, void *arg)
{
    attempt_free((struct attempt *)w);
}

static struct attempt *attempt_new(struct act *a)
{
    struct attempt *attempt = mem_zalloc(sizeof(*attempt));
    attempt->act = a;
    attempt->ops = a->ops;
    attempt->uri = mem_strdup(a->uri);
    attempt->work.arg = a;
    return attempt;
}

static void close_virt(struct act *a, struct virt *virt)
{
    struct attempt *attempt = attempt_new(a);
    attempt->virt = virt;
    attempt->work.run = run_close;
    attempt->work.done = close_over;
    if (workers_submit(a->workers, &attempt->work) < 0)
        attempt_free(attempt); // better one connection too many than a wait here
}

static void drop_if_unused(struct act *a, struct conn *conn)
{
    if (!conn->retired || conn->users > 0)
        return;
    close_virt(a, conn->virt);
    free(conn);
}

static void retire(struct act *a)
{
    struct conn *conn = TAKE_PTR(a->link.conn);
    if (!conn)
        return;
    conn->retired = true;
    drop_if_unused(a, conn);
}

static void set_down(struct act *a, int64_t now)
{
    struct act_link *l = &a->link;
    l->state = LINK_DOWN;
    l->retry_ns = now + l->pause_ns;
    l->pause_ns = MIN_OF(MAX_OF(l->pause_ns * 2, PAUSE_MIN_NS), a->conf->libvirt.reconnect_max_ns);
}

static void start_opening(struct act *a, int64_t now)
{
    struct attempt *attempt = attempt_new(a);
    attempt->work.run = run_open;
    attempt->work.done = hand_over;
    if (workers_submit(a->workers, &attempt->work) < 0) {
        attempt_free(attempt);
        err_set(&a->link.err, EAGAIN, "no thread is free to connect to libvirt");
        set_down(a, now);
        return;
    }
    a->link.state = LINK_OPENING;
}

static void take_attempt(struct act *a, struct attempt *attempt, int64_t now)
{
    struct act_link *l = &a->link;
    bool is_news = l->err.code != attempt->err.code;
    if (attempt->virt && strcmp(attempt->uri, a->uri) != 0) {
        // The configuration changed meanwhile.
        close_virt(a, attempt->virt);
        l->state = LINK_DOWN;
    } else if (!attempt->virt) {
        if (is_news)
            log_warning("%s", attempt->err.message);
        l->err = attempt->err;
        set_down(a, now);
    } else {
        if (l->err.code)
            log_info("libvirt (%s): connected", a->uri);
        l->conn = mem_zalloc(sizeof(*l->conn));
        l->conn->virt = attempt->virt;
        l->state = LINK_UP;
        l->pause_ns = 0;
        l->err = (struct err){0};
    }
    core_report(a);
    attempt_free(attempt);
}

static bool take_inbox(struct act *a, int64_t now)
{
    uv_mutex_lock(&a->inbox.lock);
    struct attempt *attempts = TAKE_PTR(a->inbox.attempts);
    bool lost = a->inbox.lost;
    a->inbox.lost = false;
    uv_mutex_unlock(&a->inbox.lock);
    while (attempts) {
        struct attempt *next = attempts->next;
        take_attempt(a, attempts, now);
        attempts = next;
    }
    return lost;
}

void link_step(struct act *a, int64_t now)
{
    struct act_link *l = &a->link;
    bool lost = take_inbox(a, now);
    // `lost` may be about a connection that was retired meanwhile.
    if ((lost || l->state == LINK_UP) && l->conn && !a->ops->alive(l->conn->virt)) {
        err_set(&l->err, ENOTCONN, "the connection to libvirt was lost");
        log_warning("%s", l->err.message);
        retire(a);
        set_down(a, now);
        core_report(a);
    }
    if (l->state == LINK_DOWN && now >= l->retry_ns)
        start_opening(a, now);
}

int64_t link_wake_ns(const struct act *a)
{
    return a->link.state == LINK_DOWN ? a->link.retry_ns : INT64_MAX;
}

void link_reopen(struct act *a)
{
    retire(a);
    if (a->link.state == LINK_UP)
        a->link.state = LINK_DOWN;
    a->link.retry_ns = 0;
}

struct conn *link_use(struct act *a)
{
    struct conn *conn = a->link.conn;
    if (conn)
        conn->users++;
    return conn;
}

void link_unuse(struct act *a, struct conn *conn)
{
    conn->users--;
    drop_if_unused(a, conn);
}

void link_note_stuck(struct act *a, struct conn *conn)
{
    conn->stuck++;
    if (conn == a->link.conn && conn->stuck >= STUCK_MAX)
        link_reopen(a);
}

/* What a URI means. */

// "qemu+ssh://host/system": libvirt's client goes out, by itself or by a program.
bool link_needs_transport(const char *uri)
{
    const char *plus = strchr(uri, '+'), *slashes = strstr(uri, "://");
    return plus && slashes && plus < slashes && strncmp(plus, "+unix", 5) != 0;
}

bool link_has_host(const char *uri)
{
    const char *slashes = strstr(uri, "://");
    return slashes && slashes[3] != '/' && slashes[3] != '\0' && strncmp(uri, "simulate", 8);
}

bool link_is_local(const struct act *a)
{
    return strncmp(a->uri, "qemu", 4) == 0 && !link_needs_transport(a->uri) &&
           !link_has_host(a->uri);
}
