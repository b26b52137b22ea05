// SPDX-License-Identifier: GPL-3.0-or-later
// The receivers of remote write: carries out what rw_step() says. A receiver holds one batch, as
// core sent it; the request is made of it anew for each attempt, since its version and what is too
// old may change.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "model/labels.h"
#include "model/relabel.h"
#include "net/rules.h"
#include "rw_step.h"
#include "send.h"

#define ANSWER_MAX (64u * 1024)
#define QUOTE_BYTES 512
#define METADATA_PER_REQUEST 2000
#define BODY_MAX ((size_t)256 << 20)

struct remote {
    struct remotes *all;
    uint32_t id;
    const struct conf_remote_write *conf;
    char *name;
    struct relabel *relabel;
    struct fetch_line *line;
    struct rw_step step;
    struct rw_request *request;
    char *frame; // the batch in hand
    size_t frame_len;
    struct buf body;
    int64_t wake_ns;
};

struct remotes {
    const struct conf *conf;
    struct outlet *outlet;
    struct remote *list;
    size_t n;
};

static int64_t now_ns(void)
{
    return clock_mono_ns(&clock_system);
}

// Requests out of batches

struct filling {
    struct remote *remote;
    int64_t oldest_ms;     // INT64_MIN: any age will do
    struct labels *labels; // of the series at hand; NULL: dropped
};

static bool has(const struct label *label, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(label[i].name, name) == 0)
            return true;
    return false;
}

// External labels first, then relabelling, as Prometheus does.
static int outer_labels(struct remote *r, const struct label *label, size_t n, struct labels **ret)
{
    const struct conf_pairs *outer = &r->all->conf->global.external_labels;
    struct label all[2 * LABELS_MAX];
    memcpy(all, label, n * sizeof(*label));
    for (size_t i = 0; i < outer->n && n < ARRAY_LEN(all); i++)
        if (!has(label, n, outer->items[i].name))
            all[n++] = (struct label){outer->items[i].name, outer->items[i].value};
    return relabel_apply(r->relabel, all, n, ret);
}

static int fill_sample(void *arg, const struct label *label, size_t n, int64_t t_ms, double v,
                       bool same)
{
    struct filling *f = arg;
    if (!same) {
        labels_free(TAKE_PTR(f->labels));
        if (outer_labels(f->remote, label, n, &f->labels) != 1)
            f->labels = NULL;
        if (f->labels && !labels_get(f->labels, LABEL_METRIC_NAME))
            labels_free(TAKE_PTR(f->labels));
    }
    if (!f->labels || t_ms < f->oldest_ms)
        return 0;
    return rw_request_put(f->remote->request, f->labels->label, f->labels->n, t_ms, v);
}

// The batch as a request; 0 or -errno.
static int fill(struct remote *r)
{
    static const struct samples_events events = {.sample = fill_sample};
    int64_t age_ns = r->conf->queue.sample_age_limit_ns;
    struct filling f = {.remote = r, .oldest_ms = INT64_MIN};
    if (age_ns > 0)
        f.oldest_ms = (clock_real_ns(&clock_system) - age_ns) / NS_PER_MS;
    rw_request_reset(r->request);
    int e = samples_read(r->frame, r->frame_len, &events, &f);
    labels_free(f.labels);
    return e;
}

static const char *const headers[RW_VERSION_MAX][4] = {
    [RW_1_0] = {"Content-Type: application/x-protobuf", "Content-Encoding: snappy",
                "X-Prometheus-Remote-Write-Version: 0.1.0", NULL},
    [RW_2_0] = {"Content-Type: application/x-protobuf;proto=io.prometheus.write.v2.Request",
                "Content-Encoding: snappy", "X-Prometheus-Remote-Write-Version: 2.0.0", NULL},
};

static void run(struct remote *r, struct rw_event *e);

// The receiver was not asked: as if the request had failed.
static void fail_here(struct remote *r)
{
    struct rw_event e = {.type = RW_GOT_RESULT, .retry_after_ns = -1};
    run(r, &e);
}

// No request can hold it, now or later.
static void refuse_here(struct remote *r)
{
    struct rw_event e = {.type = RW_GOT_RESULT, .status = 413, .retry_after_ns = -1};
    log_error("remote_write %s: a batch is too large for a request and is dropped", r->name);
    run(r, &e);
}

static void send_body(struct remote *r, enum rw_version v)
{
    struct fetch_request q = {.headers = headers[v],
                              .body = r->body.data,
                              .body_len = r->body.len,
                              .timeout_ns = r->conf->timeout_ns,
                              .limit_bytes = ANSWER_MAX};
    if (fetch_start(r->line, &q) < 0)
        fail_here(r);
}

static void post(struct remote *r)
{
    buf_reset(&r->body);
    int e = fill(r);
    if (e == 0 && rw_request_samples(r->request) == 0) {
        // All of it has become too old.
        struct rw_event done = {.type = RW_GOT_RESULT, .status = 204, .confirmed = true};
        r->step.batch_samples = 0;
        run(r, &done);
        return;
    }
    const struct rw_metadata *families = r->conf->metadata.send ? r->all->outlet->families : NULL;
    if (e == 0)
        e = rw_encode(r->request, r->step.version, families, &r->body);
    if (e == -E2BIG)
        refuse_here(r);
    else if (e < 0)
        fail_here(r);
    else
        send_body(r, r->step.version);
}

static void post_metadata(struct remote *r)
{
    buf_reset(&r->body);
    if (rw_encode_metadata(r->all->outlet->families, r->step.metadata_at,
                           r->step.params.metadata_per_request, &r->body) < 0)
        fail_here(r);
    else
        send_body(r, RW_1_0);
}

static void ask(struct remote *r)
{
    struct samples_ask a = {
        .from_start = !r->step.placed,
        .from = r->step.place,
        .max_samples = (uint32_t)r->conf->queue.max_samples_per_send,
    };
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 1024);
    memcpy(a.name, r->name, strlen(r->name));
    samples_ask_encode(&a, &b);
    struct ipc *core = r->all->outlet->core;
    if (!core || ipc_send(core, IPC_NEXT, r->id, 0, b.data, b.len, NULL, 0) < 0) {
        struct rw_event e = {.type = RW_LOST_CORE};
        run(r, &e);
    }
}

static void tell_core(struct remote *r)
{
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 1024);
    samples_position_put(&b, &r->step.place);
    free(TAKE_PTR(r->frame));
    if (r->all->outlet->core)
        (void)ipc_send(r->all->outlet->core, IPC_DONE, r->id, 0, b.data, b.len, r->name,
                       strlen(r->name));
}

static void tell_person(const struct remote *r, const struct rw_update *u)
{
    if (u->fell_back)
        log_warning("remote_write %s: the receiver does not confirm version 2.0; going on with "
                    "1.0",
                    r->name);
    if (u->recovered)
        log_info("remote_write %s: works again", r->name);
}

static void run(struct remote *r, struct rw_event *e)
{
    const struct rw_metadata *families = r->all->outlet->families;
    e->now_ns = now_ns();
    e->random = outlet_random(r->all->outlet);
    e->families = (uint32_t)rw_metadata_count(families);
    struct rw_update u = rw_step(&r->step, e);
    r->wake_ns = u.wake_ns;
    if (u.done)
        tell_core(r);
    tell_person(r, &u);
    if (u.deed == RW_ASK)
        ask(r);
    else if (u.deed == RW_POST)
        post(r);
    else if (u.deed == RW_POST_METADATA)
        post_metadata(r);
}

// Answers

// A receiver's words, as they are.
static void log_answer(const struct remote *r, const struct fetch_answer *a, const char *what)
{
    int n = (int)MIN_OF(a->len, (size_t)QUOTE_BYTES);
    if (a->status == 0)
        log_warning("remote_write %s: %s; %s", r->name, a->why ? a->why : "no answer", what);
    else
        log_warning("remote_write %s: HTTP status %d: %.*s; %s", r->name, a->status, n, a->body,
                    what);
}

static bool is_success(int status)
{
    return status >= 200 && status < 300;
}

static void answered(void *arg, const struct fetch_answer *a)
{
    struct remote *r = arg;
    struct rw_event e = {.type = RW_GOT_RESULT,
                         .status = a->status,
                         .retry_after_ns = a->retry_after_ns,
                         .confirmed = a->confirmed};
    bool again = a->status == 0 || a->status >= 500 ||
                 (a->status == 429 && r->conf->queue.retry_on_http_429);
    if (again && r->step.attempts == 0)
        log_answer(r, a, "trying again");
    else if (!again && !is_success(a->status) && a->status != 415)
        log_answer(r, a, "what was sent is dropped");
    else if (a->status == 415)
        log_answer(r, a, r->step.version == RW_2_0 ? "trying version 1.0" : "dropped");
    run(r, &e);
}

static int count_sample(void *arg, const struct label *label, size_t n, int64_t t_ms, double v,
                        bool same)
{
    return 0;
}

int remotes_batch(struct remotes *all, uint32_t id, const char *payload, size_t len)
{
    static const struct samples_events check = {.sample = count_sample};
    struct rw_event e = {.type = RW_GOT_BATCH};
    const char *frame = NULL;
    size_t frame_len = 0;
    if (id >= all->n || samples_batch_decode(payload, len, &e.batch, &frame, &frame_len) < 0 ||
        samples_read(frame, frame_len, &check, NULL) < 0)
        return -EPROTO;
    struct remote *r = &all->list[id];
    // Only what was asked for; never in place of a batch in hand.
    if (r->step.state != RW_ASKED)
        return 0;
    free(r->frame);
    r->frame = malloc(frame_len);
    if (!r->frame)
        return -EPROTO;
    memcpy(r->frame, frame, frame_len);
    r->frame_len = frame_len;
    if (e.batch.lost > 0)
        log_warning("remote_write %s: the log no longer has all that was to be sent", r->name);
    if (fill(r) == 0)
        e.samples = rw_request_samples(r->request);
    run(r, &e);
    return 0;
}

void remotes_lost_core(struct remotes *all)
{
    for (size_t i = 0; i < all->n; i++) {
        struct rw_event e = {.type = RW_LOST_CORE};
        run(&all->list[i], &e);
    }
}

int64_t remotes_turn(struct remotes *all, int64_t mono_ns)
{
    int64_t wake = INT64_MAX;
    for (size_t i = 0; i < all->n; i++) {
        struct remote *r = &all->list[i];
        if (r->wake_ns <= mono_ns) {
            struct rw_event e = {.type = RW_TICK};
            run(r, &e);
        }
        wake = MIN_OF(wake, r->wake_ns);
    }
    return wake == INT64_MAX ? wake
                             : MAX_OF((wake - mono_ns + NS_PER_MS - 1) / NS_PER_MS, INT64_C(0));
}

// Life

static int open_remote(struct remotes *all, struct remote *r, struct fetch_pool *pool,
                       struct err *err)
{
    const struct conf_remote_write *c = r->conf;
    struct rw_params params = {
        .version = c->message == CONF_RW_2_0 ? RW_2_0 : RW_1_0,
        .deadline_ns = c->queue.batch_send_deadline_ns,
        .min_backoff_ns = c->queue.min_backoff_ns,
        .max_backoff_ns = c->queue.max_backoff_ns,
        .retry_429 = c->queue.retry_on_http_429,
        .metadata = c->metadata.send,
        .metadata_interval_ns = c->metadata.send_interval_ns,
        .metadata_per_request = METADATA_PER_REQUEST,
    };
    r->all = all;
    r->name = rules_remote_name(c);
    r->request = rw_request_new();
    buf_init(&r->body, BODY_MAX);
    rw_step_init(&r->step, &params, now_ns());
    int e = rules_compile(&c->write_relabel_configs, &r->relabel, err);
    if (e == 0)
        e = fetch_line_new(pool, c->url, &c->http, answered, r, &r->line, err);
    return e < 0 ? err_wrap(err, "remote_write %s", r->name) : 0;
}

int remotes_new(const struct conf *conf, struct fetch_pool *pool, struct outlet *outlet,
                struct remotes **ret, struct err *err)
{
    struct remotes *all = mem_zalloc(sizeof(*all));
    const struct conf_remote_write *list = conf->remote_write.items;
    int e = 0;
    all->conf = conf;
    all->outlet = outlet;
    all->list = mem_zalloc((conf->remote_write.n + 1) * sizeof(*all->list));
    for (size_t i = 0; e == 0 && i < conf->remote_write.n; i++) {
        all->n = i + 1;
        all->list[i] = (struct remote){.id = (uint32_t)i, .conf = &list[i]};
        e = open_remote(all, &all->list[i], pool, err);
    }
    if (e < 0)
        remotes_free(all);
    else
        *ret = all;
    return e;
}

void remotes_free(struct remotes *all)
{
    if (!all)
        return;
    for (size_t i = 0; i < all->n; i++) {
        struct remote *r = &all->list[i];
        fetch_line_free(r->line);
        relabel_free(r->relabel);
        rw_request_free(r->request);
        buf_done(&r->body);
        free(r->frame);
        free(r->name);
    }
    free(all->list);
    free(all);
}
