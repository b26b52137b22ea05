// SPDX-License-Identifier: GPL-3.0-or-later
// Invariants: at most one save is under way; a message is handed out only when the save that holds
// it is done, so that what was told is never forgotten; transitions are marked as taken in the same
// save as what came of them.
#include "notices.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/number.h"
#include "core.h"
#include "rule/keep.h"
#include "store/keyed.h"

#define RETRY_MS 500
#define INSTANCE "instance"
#define TAKEN "taken"

struct notices {
    struct core *core;
    struct notify *notify;
    uv_timer_t timer;
    int64_t taken, taken_stored; // transitions
    uint64_t stored;             // number of the newest message that is on disk
    bool is_saving, is_ending, is_closed;
    bool told_failure;
};

static int64_t real_ms(void)
{
    return clock_real_ns(&clock_system) / NS_PER_MS;
}

static void pump(struct notices *n);

// Storing

struct save_job {
    struct statedb_job job;
    struct notices *notices;
    struct notify_changes changes;
    int64_t taken;
    uint64_t number;
};

static int save_run(struct statedb_job *job, struct store *s)
{
    struct save_job *save = (struct save_job *)job;
    CLEANUP(freep) char *taken = mem_printf("%" PRId64, save->taken);
    int r = keyed_put(s, "mark", TAKEN, taken);
    for (size_t i = 0; r == 0 && i < save->changes.n; i++) {
        const struct notify_change *c = &save->changes.item[i];
        r = keyed_put(s, c->kind, c->key, c->value);
    }
    return r;
}

static void save(struct notices *n);

static void save_done(struct statedb_job *job, int result)
{
    struct save_job *saved = (struct save_job *)job;
    struct notices *n = saved->notices;
    n->is_saving = false;
    if (result < 0 && result != -ENODEV && !n->told_failure)
        log_error("the state of notifications cannot be stored: %s; after a restart some may be "
                  "told twice",
                  strerror(-result));
    n->told_failure = result < 0;
    // Telling goes on in any case.
    n->stored = MAX_OF(n->stored, saved->number);
    n->taken_stored = saved->taken;
    notify_changes_done(&saved->changes);
    free(saved);
    if (n->is_ending)
        return;
    save(n);
    pump(n);
}

static void save(struct notices *n)
{
    if (n->is_saving)
        return;
    struct notify_changes changes;
    notify_changes_take(n->notify, &changes);
    if (changes.n == 0 && n->taken == n->taken_stored) {
        notify_changes_done(&changes);
        return;
    }
    struct save_job *job = mem_zalloc(sizeof(*job));
    *job = (struct save_job){.job = {.run = save_run, .done = save_done},
                             .notices = n,
                             .changes = changes,
                             .taken = n->taken,
                             .number = notify_number(n->notify)};
    n->is_saving = true;
    statedb_submit(n->core->statedb, &job->job);
}

// Sending

static bool has_sender(const struct notices *n)
{
    return n->core->send.ipc && !n->core->send.closing;
}

static void on_timer(uv_timer_t *timer)
{
    notices_step(timer->data);
}

static void schedule(struct notices *n)
{
    int64_t now = real_ms(), wake = notify_wake(n->notify, now);
    if (wake == INT64_MAX) {
        uv_timer_stop(&n->timer);
        return;
    }
    int64_t wait = MIN_OF(wake - now, INT64_C(3600000));
    if (wait <= 0)
        wait = n->is_saving || !has_sender(n) ? RETRY_MS : 1;
    uv_update_time(&n->core->loop);
    uv_timer_start(&n->timer, on_timer, (uint64_t)wait, 0);
}

static void pump(struct notices *n)
{
    struct notify_send m;
    while (has_sender(n) && notify_next(n->notify, real_ms(), n->stored, &m)) {
        CLEANUP(buf_done) struct buf head;
        buf_init(&head, 4096);
        buf_put(&head, m.id, strlen(m.id) + 1);
        buf_put(&head, m.receiver, strlen(m.receiver) + 1);
        peer_send(&n->core->send, IPC_NOTIFY, 0, 0, head.data, head.len, m.body,
                  strlen(m.body) + 1);
    }
    schedule(n);
}

void notices_step(struct notices *n)
{
    if (n->is_ending)
        return;
    notify_step(n->notify, real_ms());
    const char *words;
    while ((words = notify_given_up(n->notify))) {
        log_warning("notifications: %s", words);
        events_say(n->core->events, EVENT_NOTIFY, "given_up", "%s", words);
    }
    save(n);
    pump(n);
}

static const char *text_at(const char *payload, size_t len, size_t *at)
{
    const char *text = payload + *at;
    const char *end = *at < len ? memchr(text, '\0', len - *at) : NULL;
    if (!end)
        return NULL;
    *at = (size_t)(end - payload) + 1;
    return text;
}

static void note(struct notices *n, int outcome, const char *id, const char *words)
{
    static const char *const names[NOTIFY_OUTCOME_MAX] = {"delivered", "failed", "refused"};
    if (words)
        log_write(outcome == NOTIFY_DELIVERED ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING,
                  "notifications: %s", words);
    if (outcome == NOTIFY_DELIVERED)
        events_say(n->core->events, EVENT_NOTIFY, names[outcome], "message %s was delivered%s%s",
                   id, words ? "; " : "", words ? words : "");
    else if (words)
        events_say(n->core->events, EVENT_NOTIFY, names[outcome], "%s", words);
}

bool notices_result(struct notices *n, int outcome, const char *payload, size_t len)
{
    size_t at = 0;
    const char *id = text_at(payload, len, &at), *why = id ? text_at(payload, len, &at) : NULL;
    const char *pause = why ? text_at(payload, len, &at) : NULL;
    int64_t retry_ms = -1;
    if (!pause || number_parse_i64(pause, &retry_ms) < 0 || outcome >= NOTIFY_OUTCOME_MAX)
        return false;
    const char *words = notify_result(n->notify, id, (enum notify_outcome)outcome, why,
                                      MIN_OF(retry_ms, INT64_C(86400000)), real_ms());
    note(n, outcome, id, words);
    notices_step(n);
    return true;
}

void notices_lost_sender(struct notices *n)
{
    notify_lost_sender(n->notify, real_ms());
    schedule(n);
}

// Alerts

int64_t notices_taken(const struct notices *n)
{
    return n->taken;
}

bool notices_take(struct notices *n, const struct alert_transition *t)
{
    // Without a number it could not be stored; it is told all the same.
    if (t->seq > 0 && t->seq <= n->taken)
        return false;
    n->taken = MAX_OF(n->taken, t->seq);
    if (t->alert.state == ALERT_PENDING)
        return true;
    notify_alert(n->notify, &t->alert, real_ms());
    return true;
}

void notices_configure(struct notices *n, const struct conf *conf)
{
    struct err err = {0};
    if (notify_configure(n->notify, conf, real_ms(), &err) < 0)
        log_error("notifications: %s; the old routes stay", err.message);
    notices_step(n);
}

static void show_receiver(struct object *host, const struct notify_counts *r, int64_t now_ms,
                          int64_t now)
{
    struct object *o = object_child(host, KIND_RECEIVER, r->receiver);
    int64_t age_ms = r->oldest_ms ? MAX_OF(now_ms - r->oldest_ms, INT64_C(0)) : 0;
    object_set_fact(o, FACT_RECEIVER_SENT, (double)r->delivered, now);
    object_set_fact(o, FACT_RECEIVER_FAILED, (double)r->failed, now);
    object_set_fact(o, FACT_RECEIVER_GIVEN_UP, (double)(r->refused + r->expired), now);
    object_set_fact(o, FACT_RECEIVER_QUEUED, (double)r->queued, now);
    object_set_fact(o, FACT_RECEIVER_OLDEST_AGE, (double)(age_ms * NS_PER_MS), now);
}

void notices_measure(struct notices *n)
{
    struct object *host = n->core->herd->host;
    struct notify_counts r;
    int64_t now = clock_mono_ns(&clock_system), now_ms = real_ms();
    for (size_t i = 0; notify_counts(n->notify, i, &r); i++)
        show_receiver(host, &r, now_ms, now);
    object_sweep(host, KIND_RECEIVER, LANE_SELF, now);
}

struct notify *notices_notify(struct notices *n)
{
    return n->notify;
}

// Life

static int load(void *arg, const char *kind, const char *key, const char *value)
{
    struct notices *n = arg;
    if (strcmp(kind, "mark") == 0 && strcmp(key, TAKEN) == 0)
        (void)number_parse_i64(value, &n->taken), n->taken_stored = n->taken;
    else if (strcmp(kind, "mark") == 0 && strcmp(key, INSTANCE) == 0)
        return 0;
    else if (notify_load(n->notify, kind, key, value) == -EPROTO)
        log_warning("state of notifications: %s %s cannot be read and is left out", kind, key);
    return 0;
}

struct load_job {
    struct statedb_job job;
    struct notices *notices;
    struct notify_changes stored; // kinds are owned too
};

static int take_stored(void *arg, const char *kind, const char *key, const char *value)
{
    struct notify_changes *stored = arg;
    mem_grow(&stored->item, &stored->cap, stored->n, sizeof(*stored->item));
    stored->item[stored->n++] =
        (struct notify_change){mem_strdup(kind), mem_strdup(key), mem_strdup(value)};
    return 0;
}

static void stored_done(struct notify_changes *stored)
{
    for (size_t i = 0; i < stored->n; i++)
        free((char *)stored->item[i].kind);
    notify_changes_done(stored);
}

static int load_run(struct statedb_job *job, struct store *s)
{
    struct load_job *l = (struct load_job *)job;
    stored_done(&l->stored);
    return keyed_each(s, take_stored, &l->stored);
}

static void load_done(struct statedb_job *job, int result)
{
    struct load_job *l = (struct load_job *)job;
    struct notices *n = l->notices;
    if (result < 0)
        log_error("the state of notifications cannot be read: %s", strerror(-result));
    for (size_t i = 0; i < l->stored.n; i++)
        (void)load(n, l->stored.item[i].kind, l->stored.item[i].key, l->stored.item[i].value);
    stored_done(&l->stored);
    free(l);
    notify_loaded(n->notify, real_ms());
    notify_keep_all(n->notify);
    n->is_saving = false;
    notices_step(n);
}

void notices_load(struct notices *n)
{
    struct load_job *l = mem_zalloc(sizeof(*l));
    l->job = (struct statedb_job){.run = load_run, .done = load_done};
    l->notices = n;
    n->is_saving = true; // nothing is until it is read
    statedb_submit(n->core->statedb, &l->job);
}

// Drawn once for each database.
static char *instance_of(struct store *s)
{
    char *text = NULL;
    uint64_t drawn = 0;
    if (s && keyed_get(s, "mark", INSTANCE, &text) == 0)
        return text;
    if (getrandom(&drawn, sizeof(drawn), 0) < 0)
        drawn = (uint64_t)clock_real_ns(&clock_system);
    text = mem_printf("%016" PRIx64, drawn);
    if (s && keyed_put(s, "mark", INSTANCE, text) < 0)
        log_warning("%s: %s", store_path(s), store_message(s));
    return text;
}

static int catch_up(void *arg, const struct alert_transition *t)
{
    (void)notices_take(arg, t);
    return 0;
}

struct notices *notices_new(struct core *c)
{
    struct store *s = statedb_store(c->statedb);
    struct notices *n = mem_zalloc(sizeof(*n));
    struct err err = {0};
    CLEANUP(freep) char *instance = instance_of(s);
    const char *host = object_attr(c->herd->host, ATTR_HOST_NAME);
    n->core = c;
    if (notify_new(c->conf, host ? host : "localhost", instance, &n->notify, &err) < 0) {
        log_error("notifications: %s", err.message);
        free(n);
        return NULL;
    }
    // Above the numbers that a file which may be opened later has given already.
    CLEANUP(freep) char *number = s ? NULL : mem_printf("%" PRId64, real_ms());
    if (number)
        (void)notify_load(n->notify, "mark", "number", number);
    if (s && keyed_each(s, load, n) < 0)
        log_error("%s: %s", store_path(s), store_message(s));
    notify_loaded(n->notify, real_ms());
    // Stored by rules, but not yet taken when the last daemon ended.
    if (s && rule_keep_transitions(s, n->taken, SIZE_MAX / 2, catch_up, n) < 0)
        log_error("%s: %s", store_path(s), store_message(s));
    n->stored = notify_number(n->notify);
    uv_timer_init(&c->loop, &n->timer);
    n->timer.data = n;
    uv_timer_start(&n->timer, on_timer, RETRY_MS, 0);
    return n;
}

void notices_end(struct notices *n)
{
    notify_step(n->notify, real_ms());
    save(n);
    n->is_ending = true;
    uv_timer_stop(&n->timer);
}

static void on_closed(uv_handle_t *handle)
{
    ((struct notices *)handle->data)->is_closed = true;
}

void notices_free(struct notices *n)
{
    if (!n)
        return;
    uv_close((uv_handle_t *)&n->timer, on_closed);
    while (!n->is_closed)
        uv_run(&n->core->loop, UV_RUN_NOWAIT);
    notify_free(n->notify);
    free(n);
}
