// SPDX-License-Identifier: GPL-3.0-or-later
// What a person sees of it, as JSON.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "private.h"

static void put_ms(struct json *j, const char *key, int64_t ms)
{
    struct buf b;
    if (ms <= 0 || ms == INT64_MAX)
        return;
    buf_init(&b, 64);
    alert_put_time(&b, ms);
    json_kv_string(j, key, b.data);
    buf_done(&b);
}

static const char *state_of(const struct silence *s, int64_t now_ms)
{
    return now_ms < s->starts_ms ? "pending" : now_ms < s->ends_ms ? "active" : "expired";
}

void notify_put_silences(const struct notify *n, const struct notify_sight *sight, int64_t now_ms,
                         struct json *j)
{
    json_object_begin(j);
    json_key(j, "silences");
    json_array_begin(j);
    for (size_t i = 0; i < n->n_silences; i++) {
        const struct silence *s = n->silence[i];
        if (sight && !sight->silence(sight->arg, &s->matchers))
            continue;
        json_object_begin(j);
        json_kv_string(j, "id", s->id);
        json_kv_string(j, "state", state_of(s, now_ms));
        json_kv_string(j, "matchers", s->text);
        json_kv_string(j, "author", s->author);
        json_kv_string(j, "comment", s->comment);
        put_ms(j, "starts", s->starts_ms);
        put_ms(j, "ends", s->ends_ms);
        json_object_end(j);
    }
    json_array_end(j);
    json_object_end(j);
}

static void put_told(const struct notify *n, const struct entry *e, struct json *j)
{
    json_key(j, "told");
    json_array_begin(j);
    for (size_t i = 0; i < n->plan->n_receivers; i++)
        if (e->told[i].start_ms)
            json_text(j, n->plan->receiver[i].name);
    json_array_end(j);
}

static void put_entry(const struct notify *n, const struct entry *e, int64_t now_ms, struct json *j)
{
    char fingerprint[17];
    const struct silence *silence = silence_of(n, e->alert.labels, now_ms);
    const struct entry *inhibitor = inhibitor_of(n, e);
    snprintf(fingerprint, sizeof(fingerprint), "%016" PRIx64, e->alert.fingerprint);
    json_object_begin(j);
    json_kv_string(j, "fingerprint", fingerprint);
    json_kv_string(j, "state", e->is_resolved ? "resolved" : "firing");
    json_key(j, "labels");
    alert_put_labels(e->alert.labels, j);
    json_key(j, "annotations");
    alert_put_labels(e->alert.annotations, j);
    put_ms(j, "startsAt", e->alert.fired_at_ms);
    if (e->is_resolved)
        put_ms(j, "resolvedAt", e->alert.resolved_at_ms);
    if (silence)
        json_kv_string(j, "silenced_by", silence->id);
    if (inhibitor) {
        snprintf(fingerprint, sizeof(fingerprint), "%016" PRIx64, inhibitor->alert.fingerprint);
        json_kv_string(j, "inhibited_by", fingerprint);
    }
    if (e->ack_author) {
        json_kv_string(j, "acknowledged_by", e->ack_author);
        json_kv_string(j, "acknowledged_comment", e->ack_comment);
        put_ms(j, "acknowledgedAt", e->ack_ms);
    }
    put_told(n, e, j);
    json_object_end(j);
}

void notify_put_alerts(const struct notify *n, const struct notify_sight *sight, int64_t now_ms,
                       struct json *j)
{
    size_t cursor = 0;
    const struct entry *e;
    json_object_begin(j);
    json_key(j, "alerts");
    json_array_begin(j);
    while ((e = map_next(n->entries, &cursor)))
        if (!sight || sight->alert(sight->arg, e->alert.labels))
            put_entry(n, e, now_ms, j);
    json_array_end(j);
    json_object_end(j);
}

static void put_queue(const struct outbox *o, struct json *j)
{
    const struct message *m = o->first;
    json_kv_u64(j, "queued", o->n);
    json_kv_u64(j, "delivered", o->delivered);
    json_kv_u64(j, "failed", o->failed);
    json_kv_u64(j, "refused", o->refused);
    json_kv_u64(j, "expired", o->expired);
    if (!m)
        return;
    json_kv_string(j, "next_id", m->id);
    put_ms(j, "waiting_since", m->made_ms);
    json_kv_u64(j, "attempts", m->attempts);
    json_kv_bool(j, "under_way", m->under_way);
    if (!m->under_way)
        put_ms(j, "next_attempt", m->due_ms);
    if (m->error)
        json_kv_string(j, "error", m->error);
}

void notify_put_status(const struct notify *n, int64_t now_ms, struct json *j)
{
    size_t groups = 0;
    for (const struct group *g = n->groups; g; g = g->next)
        groups++;
    json_object_begin(j);
    json_kv_u64(j, "alerts", map_count(n->entries));
    json_kv_u64(j, "groups", groups);
    json_key(j, "receivers");
    json_array_begin(j);
    for (size_t i = 0; i < n->plan->n_receivers; i++) {
        const struct conf_receiver *r = &n->plan->receiver[i];
        json_object_begin(j);
        json_kv_string(j, "receiver", r->name);
        json_kv_string(j, "type", conf_receiver_type_name(r->type));
        put_queue(outbox_of((struct notify *)n, r->name), j);
        json_object_end(j);
    }
    json_array_end(j);
    json_object_end(j);
}
