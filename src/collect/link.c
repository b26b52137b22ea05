// SPDX-License-Identifier: GPL-3.0-or-later
// The connection to libvirt: opened on a worker (opening may hang), watched by keepalive, events
// and a ping, opened again with growing pauses. Calls that hang do not hold up others on it: virt
// gives each its own channel.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "private.h"

#define PAUSE_MIN_NS (NS_PER_S / 4)
#define OPEN_DEADLINE_NS (10 * NS_PER_S)
#define STUCK_ATTEMPTS_MAX 3
#define PING_EVERY_NS (10 * NS_PER_S)
#define RESYNC_NS (60 * NS_PER_S)
// The daemon asks after five silent seconds itself: we need to ask only one that does not.
#define KEEPALIVE_S 6

static void set_status(struct collector *c, const char *status, const char *message)
{
    struct link *l = &c->link;
    if (l->status != status || !l->since_real_ns) {
        l->status = status;
        l->since_real_ns = clock_real_ns(c->p.clock);
    }
    mem_strset(&l->message, message);
    object_set_attr(c->herd->host, ATTR_HOST_LIBVIRT_STATUS, status);
    object_set_attr(c->herd->host, ATTR_HOST_LIBVIRT_MESSAGE, message);
    c->herd->libvirt_up = l->state == LINK_UP;
    object_set_fact(c->herd->host, FACT_HOST_LIBVIRT_UP, l->state == LINK_UP, mono(c));
}

// Closing, on a worker since it may wait for the other side.

struct close_job {
    struct work work;
    struct virt *virt;
    const struct virt_ops *ops;
};

static void close_run(struct work *w)
{
    struct close_job *job = (struct close_job *)w;
    job->ops->close(job->virt);
}

static void close_over(struct work *w, void *arg)
{
    free(w);
}

static void close_virt(struct collector *c, struct virt *virt)
{
    if (!virt)
        return;
    if (!c->workers) { // the end: every call on it has come back, the last one just now
        c->p.virt->close(virt);
        return;
    }
    struct close_job *job = mem_zalloc(sizeof(*job));
    *job = (struct close_job){{.run = close_run, .done = close_over}, virt, c->p.virt};
    if (workers_submit(c->workers, &job->work) < 0)
        free(job); // every thread hangs: the connection stays open rather than this thread waits
}

static struct conn *conn_new(struct virt *virt)
{
    struct conn *conn = mem_zalloc(sizeof(*conn));
    conn->virt = virt;
    return conn;
}

struct conn *link_use(struct conn *conn)
{
    conn->users++;
    return conn;
}

static void conn_free_if_unused(struct collector *c, struct conn *conn)
{
    if (!conn->retired || conn->users > 0)
        return;
    for (struct conn **at = &c->link.old; *at; at = &(*at)->next) {
        if (*at == conn) {
            *at = conn->next;
            break;
        }
    }
    close_virt(c, conn->virt);
    free(conn);
}

void link_unuse(struct collector *c, struct conn *conn)
{
    conn->users--;
    conn_free_if_unused(c, conn);
}

static void conn_retire(struct collector *c, struct conn **slot)
{
    struct conn *conn = *slot;
    if (!conn)
        return;
    *slot = NULL;
    conn->retired = true;
    conn->next = c->link.old;
    c->link.old = conn;
    conn_free_if_unused(c, conn);
}

// Events come on libvirt's thread; the copy crosses over.

struct event_msg {
    struct msg msg;
    uint64_t generation;
    struct virt_event event;
    char *name, *detail, *device;
};

static void event_deliver(struct collector *c, struct msg *m)
{
    struct event_msg *em = (struct event_msg *)m;
    if (em->generation == c->link.generation) {
        c->link.answered_ns = mono(c);
        inventory_event(c, &em->event);
    }
    free(em->name);
    free(em->detail);
    free(em->device);
    free(em);
}

struct listener_arg {
    struct collector *c;
    uint64_t generation;
};

static void on_event(const struct virt_event *e, void *arg)
{
    struct listener_arg *l = arg;
    struct event_msg *em = mem_zalloc(sizeof(*em));
    em->msg.deliver = event_deliver;
    em->generation = l->generation;
    em->event = *e;
    em->event.name = em->name = mem_strdup(e->name);
    em->event.detail = em->detail = mem_strdup(e->detail);
    em->event.device = em->device = mem_strdup(e->device);
    inbox_post(l->c, &em->msg);
}

struct lost_msg {
    struct msg msg;
    uint64_t generation;
    char *reason;
};

static void link_lost(struct collector *c, const char *status, const char *reason)
{
    struct link *l = &c->link;
    int64_t now = mono(c);
    l->generation++;
    conn_retire(c, &l->main);
    l->state = LINK_DOWN;
    l->ping_ns = 0;
    l->pause_ns = PAUSE_MIN_NS;
    l->retry_ns = now + l->pause_ns;
    set_status(c, status, reason);
    lane_reset(c->stats_lane, now);
    lane_reset(c->config_lane, now);
    lane_reset(c->stored_lane, now);
    // Events were missed.
    for (size_t i = 0; i < c->herd->n_vms; i++)
        rec_of(c->herd->vms[i])->stored_ns = 0;
    lane_reset(c->pool_lane, now);
}

static void lost_deliver(struct collector *c, struct msg *m)
{
    struct lost_msg *lm = (struct lost_msg *)m;
    if (lm->generation == c->link.generation && c->link.state == LINK_UP)
        link_lost(c, "lost", lm->reason);
    free(lm->reason);
    free(lm);
}

static void on_lost(const char *reason, void *arg)
{
    struct listener_arg *l = arg;
    struct lost_msg *lm = mem_zalloc(sizeof(*lm));
    lm->msg.deliver = lost_deliver;
    lm->generation = l->generation;
    lm->reason = mem_strdup(reason);
    inbox_post(l->c, &lm->msg);
}

// Opening, versions and the first listing in one job.

struct open_job {
    struct work work;
    struct msg msg;
    struct collector *c;
    uint64_t attempt;
    uint64_t generation;
    char *uri;
    struct virt *virt;
    struct virt_domain *domains;
    size_t n_domains;
    struct batch *versions;
    int64_t started_ns;
    int result;
    struct err err;
};

static void open_job_free(struct open_job *job)
{
    virt_domains_free(job->domains, job->n_domains);
    batch_free(job->versions);
    free(job->uri);
    free(job);
}

static int open_virt(struct open_job *job)
{
    // Lives as long as the process may still hear of this connection; a few bytes per connection.
    struct listener_arg *arg = mem_zalloc(sizeof(*arg));
    *arg = (struct listener_arg){job->c, job->generation};
    struct virt_params params = {
        .uri = job->uri,
        .events = true,
        .keepalive_s = KEEPALIVE_S,
        .listener = {on_event, on_lost, arg},
        .clock = job->c->p.clock,
    };
    int r = job->c->p.virt->open(&params, &job->virt, &job->err);
    if (r < 0)
        free(arg);
    return r;
}

static void open_run(struct work *w)
{
    struct open_job *job = (struct open_job *)w;
    const struct virt_ops *ops = job->c->p.virt;
    int r = open_virt(job);
    if (r == 0)
        r = ops->list(job->virt, &job->domains, &job->n_domains, &job->err);
    if (r == 0)
        r = ops->versions(job->virt, job->versions, &job->err);
    job->result = r;
}

static void open_over(struct work *w, void *arg)
{
    struct open_job *job = (struct open_job *)w;
    inbox_post(job->c, &job->msg);
}

static const char *status_of_error(int result)
{
    switch (-result) {
    case ENOENT:
        return "not installed";
    case ECONNREFUSED:
        return "not running";
    case EACCES:
    case EPERM:
        return "permission denied";
    default:
        return "failed";
    }
}

static void open_failed(struct collector *c, const char *status, const char *message)
{
    struct link *l = &c->link;
    int64_t most = c->p.conf->libvirt.reconnect_max_ns;
    l->state = LINK_DOWN;
    l->tried = true;
    l->pause_ns = MIN_OF(l->pause_ns ? 2 * l->pause_ns : PAUSE_MIN_NS, most);
    l->retry_ns = mono(c) + l->pause_ns;
    set_status(c, status, message);
}

static void link_is_up(struct collector *c, struct open_job *job)
{
    struct link *l = &c->link;
    int64_t now = mono(c);
    bool is_again = l->tried && c->herd->host->updated_ns[LANE_STATE] != 0;
    l->main = conn_new(TAKE_PTR(job->virt));
    l->state = LINK_UP;
    l->pause_ns = 0;
    l->tried = true;
    l->answered_ns = l->pinged_ns = now;
    l->resync_ns = now + RESYNC_NS;
    c->reconnects += is_again;
    set_status(c, "connected", "");
    job->versions->mono_ns = now;
    batch_apply(job->versions, c->herd->host);
    inventory_domains(c, job->domains, job->n_domains, job->started_ns);
    lane_reset(c->pool_lane, now);
}

static void open_deliver(struct collector *c, struct msg *m)
{
    struct open_job *job = (struct open_job *)((char *)m - offsetof(struct open_job, msg));
    struct link *l = &c->link;
    bool is_current = job->generation == l->generation && job->attempt == l->attempt;
    if (!is_current) {
        l->stuck_attempts--;
    } else if (job->result == 0) {
        link_is_up(c, job);
    } else {
        open_failed(c, status_of_error(job->result), job->err.message);
    }
    close_virt(c, job->virt);
    open_job_free(job);
}

static void open_start(struct collector *c, int64_t now)
{
    struct link *l = &c->link;
    struct open_job *job = mem_zalloc(sizeof(*job));
    job->work = (struct work){.run = open_run, .done = open_over};
    job->msg.deliver = open_deliver;
    job->c = c;
    job->uri = mem_strdup(c->uri);
    job->versions = batch_new();
    job->versions->host = true;
    job->started_ns = now;
    l->generation++;
    l->attempt++;
    l->state = LINK_OPENING;
    l->attempt_ns = now;
    job->generation = l->generation;
    job->attempt = l->attempt;
    if (workers_submit(c->workers, &job->work) < 0) {
        open_job_free(job);
        open_failed(c, "failed", "no free thread: too many calls to libvirt hang");
    }
}

// Ping and full listing: one job, so that a listing also proves that the daemon answers.

struct ping_job {
    struct work work;
    struct msg msg;
    struct collector *c;
    struct conn *conn;
    uint64_t generation;
    bool resync;
    int64_t started_ns;
    struct batch *versions;
    struct virt_domain *domains;
    size_t n_domains;
    int result;
    struct err err;
};

static void ping_run(struct work *w)
{
    struct ping_job *job = (struct ping_job *)w;
    const struct virt_ops *ops = job->c->p.virt;
    struct virt *v = job->conn->virt;
    job->result = job->resync ? ops->list(v, &job->domains, &job->n_domains, &job->err)
                              : ops->versions(v, job->versions, &job->err);
}

static void ping_over(struct work *w, void *arg)
{
    struct ping_job *job = (struct ping_job *)w;
    inbox_post(job->c, &job->msg);
}

static void ping_deliver(struct collector *c, struct msg *m)
{
    struct ping_job *job = (struct ping_job *)((char *)m - offsetof(struct ping_job, msg));
    bool is_current = job->generation == c->link.generation;
    if (is_current) {
        c->link.ping_ns = 0;
        if (job->result == 0)
            link_answered(c, job->started_ns);
        if (job->result == 0 && job->resync)
            inventory_domains(c, job->domains, job->n_domains, job->started_ns);
    }
    link_unuse(c, job->conn);
    virt_domains_free(job->domains, job->n_domains);
    batch_free(job->versions);
    free(job);
}

static void ping_start(struct collector *c, bool resync, int64_t now)
{
    struct ping_job *job = mem_zalloc(sizeof(*job));
    job->work = (struct work){.run = ping_run, .done = ping_over};
    job->msg.deliver = ping_deliver;
    job->c = c;
    job->conn = link_use(c->link.main);
    job->generation = c->link.generation;
    job->resync = resync;
    job->started_ns = now;
    job->versions = batch_new();
    job->versions->host = true;
    c->link.ping_ns = c->link.pinged_ns = now;
    if (workers_submit(c->workers, &job->work) < 0) {
        c->link.ping_ns = 0;
        link_unuse(c, job->conn);
        batch_free(job->versions);
        free(job);
    }
}

void link_answered(struct collector *c, int64_t started_ns)
{
    // An answer proves that the daemon was well at some time after the question was put.
    if (started_ns > c->link.answered_ns)
        c->link.answered_ns = started_ns;
}

static void step_up(struct collector *c, int64_t now)
{
    struct link *l = &c->link;
    if (!c->p.virt->alive(l->main->virt)) {
        link_lost(c, "lost", "the connection to libvirt was closed");
        return;
    }
    if (l->ping_ns)
        return;
    bool is_suspect = lane_overdue(c->stats_lane, now) || lane_overdue(c->config_lane, now);
    if (now >= l->resync_ns) {
        l->resync_ns = now + RESYNC_NS;
        ping_start(c, true, now);
    } else if (is_suspect || now - MAX_OF(l->pinged_ns, l->answered_ns) >= PING_EVERY_NS) {
        ping_start(c, false, now);
    }
}

void link_step(struct collector *c, int64_t now)
{
    struct link *l = &c->link;
    if (l->state == LINK_DOWN && now >= l->retry_ns && l->stuck_attempts < STUCK_ATTEMPTS_MAX)
        open_start(c, now);
    else if (l->state == LINK_OPENING && now - l->attempt_ns >= OPEN_DEADLINE_NS) {
        l->stuck_attempts++;
        l->attempt++;
        open_failed(c, "not answering", "libvirt does not answer");
    } else if (l->state == LINK_UP) {
        step_up(c, now);
    }
}

int64_t link_wake(const struct collector *c)
{
    const struct link *l = &c->link;
    if (l->state == LINK_DOWN)
        return l->stuck_attempts < STUCK_ATTEMPTS_MAX ? l->retry_ns : INT64_MAX;
    if (l->state == LINK_OPENING)
        return l->attempt_ns + OPEN_DEADLINE_NS;
    return MIN_OF(l->resync_ns, MAX_OF(l->pinged_ns, l->answered_ns) + PING_EVERY_NS);
}

void link_init(struct collector *c)
{
    c->link.state = LINK_DOWN;
    set_status(c, "connecting", "");
}

void link_done(struct collector *c)
{
    c->link.generation++;
    conn_retire(c, &c->link.main);
    free(c->link.message);
    c->link.message = NULL;
}
