// SPDX-License-Identifier: GPL-3.0-or-later
// A queue for each receiver. Its first message is tried until it is delivered, refused, or too old;
// those behind it wait, so that nobody hears of an end before the beginning.
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "private.h"

#define BACKOFF_MIN_MS MS_PER_S

static void message_free(struct message *m)
{
    if (!m)
        return;
    free(m->id);
    free(m->receiver);
    free(m->group_key);
    free(m->body);
    free(m->error);
    free(m);
}

struct outbox *outbox_of(struct notify *n, const char *receiver)
{
    struct outbox **at = &n->outboxes;
    for (; *at; at = &(*at)->next)
        if (strcmp((*at)->receiver, receiver) == 0)
            return *at;
    struct outbox *o = *at = mem_zalloc(sizeof(*o));
    o->receiver = mem_strdup(receiver);
    o->last = &o->first;
    return o;
}

static void append(struct outbox *o, struct message *m)
{
    *o->last = m;
    o->last = &m->next;
    o->n++;
}

static void drop_first(struct notify *n, struct outbox *o)
{
    struct message *m = o->first;
    o->first = m->next;
    o->n--;
    if (!o->first)
        o->last = &o->first;
    keep_message_gone(n, m);
    message_free(m);
}

void outboxes_clear(struct notify *n)
{
    while (n->outboxes) {
        struct outbox *o = n->outboxes;
        n->outboxes = o->next;
        while (o->first) {
            struct message *m = o->first;
            o->first = m->next;
            message_free(m);
        }
        free(o->receiver);
        free(o);
    }
}

char *message_id(struct notify *n, uint64_t *ret_number)
{
    *ret_number = ++n->last_number;
    keep_number(n);
    return mem_printf("%s-%" PRIu64, n->instance, *ret_number);
}

void outbox_add(struct notify *n, const char *receiver, const char *group_key, char *id,
                uint64_t number, char *body, int64_t now_ms)
{
    struct message *m = mem_zalloc(sizeof(*m));
    *m = (struct message){.number = number,
                          .id = id,
                          .receiver = mem_strdup(receiver),
                          .group_key = mem_strdup(group_key),
                          .body = body,
                          .made_ms = now_ms,
                          .due_ms = now_ms};
    append(outbox_of(n, receiver), m);
    keep_message(n, m);
}

// In the order of their numbers, which is that of their keys.
int outbox_load(struct notify *n, const char *key, const json_t *j)
{
    const char *id = NULL, *receiver = NULL, *group = "", *body = NULL;
    json_int_t made = 0;
    char *end = NULL;
    uint64_t number = strtoull(key, &end, 10);
    if (!*key || *end ||
        json_unpack((json_t *)j, "{s:s, s:s, s:s, s:I, s:s}", "id", &id, "receiver", &receiver,
                    "group", &group, "made", &made, "body", &body) < 0)
        return -EPROTO;
    struct message *m = mem_zalloc(sizeof(*m));
    *m = (struct message){.number = number,
                          .id = mem_strdup(id),
                          .receiver = mem_strdup(receiver),
                          .group_key = mem_strdup(group),
                          .body = mem_strdup(body),
                          .made_ms = made,
                          .due_ms = made};
    n->last_number = MAX_OF(n->last_number, number);
    append(outbox_of(n, receiver), m);
    return 0;
}

bool outbox_waits_for(const struct notify *n, const char *receiver, const char *group_key)
{
    for (const struct outbox *o = n->outboxes; o; o = o->next) {
        if (strcmp(o->receiver, receiver) != 0)
            continue;
        for (const struct message *m = o->first; m; m = m->next)
            if (strcmp(m->group_key, group_key) == 0)
                return true;
    }
    return false;
}

uint64_t notify_number(const struct notify *n)
{
    return n->last_number;
}

bool notify_next(struct notify *n, int64_t now_ms, uint64_t stored, struct notify_send *ret)
{
    for (struct outbox *o = n->outboxes; o; o = o->next) {
        struct message *m = o->first;
        // What is meant for a receiver that is no longer configured waits for its return.
        if (!m || m->under_way || m->due_ms > now_ms || m->number > stored ||
            plan_receiver(n->plan, o->receiver) == n->plan->n_receivers)
            continue;
        m->under_way = true;
        *ret = (struct notify_send){m->id, m->receiver, m->body, m->attempts + 1};
        return true;
    }
    return false;
}

// Doubled each time, give or take an eighth out of the id, so that receivers that died together
// are not all tried together.
static int64_t backoff_ms(const struct notify *n, const struct message *m)
{
    int64_t most = n->plan->conf->notify.max_backoff_ns / NS_PER_MS;
    int64_t pause = BACKOFF_MIN_MS << MIN_OF(m->attempts - 1, 30u);
    pause = MIN_OF(pause, most);
    return pause - pause / 8 + (int64_t)(m->number * 2654435761u % 1000) * pause / 4000;
}

static struct message *first_of(struct notify *n, const char *id, struct outbox **ret)
{
    for (struct outbox *o = n->outboxes; o; o = o->next) {
        if (o->first && strcmp(o->first->id, id) == 0) {
            *ret = o;
            return o->first;
        }
    }
    return NULL;
}

static const char *say(struct notify *n, char *words)
{
    free(n->words);
    n->words = words;
    return words;
}

const char *notify_result(struct notify *n, const char *id, enum notify_outcome outcome,
                          const char *why, int64_t retry_ms, int64_t now_ms)
{
    struct outbox *o = NULL;
    struct message *m = first_of(n, id, &o);
    const char *words = NULL;
    if (!m || !m->under_way)
        return NULL;
    m->under_way = false;
    if (outcome == NOTIFY_FAILED) {
        m->attempts++;
        o->failed++;
        m->due_ms = now_ms + MAX_OF(backoff_ms(n, m), retry_ms);
        mem_strset(&m->error, why);
        if (!o->is_failing)
            words = say(n, mem_printf("%s cannot be told: %s; trying again", o->receiver, why));
        o->is_failing = true;
        return words;
    }
    if (outcome == NOTIFY_REFUSED) {
        o->refused++;
        words = say(n, mem_printf("%s refuses message %s: %s", o->receiver, m->id, why));
    } else {
        o->delivered++;
        if (o->is_failing)
            words = say(n, mem_printf("%s can be told again", o->receiver));
        o->is_failing = false;
    }
    drop_first(n, o);
    return words;
}

void notify_lost_sender(struct notify *n, int64_t now_ms)
{
    for (struct outbox *o = n->outboxes; o; o = o->next)
        if (o->first && o->first->under_way) {
            o->first->under_way = false;
            o->first->due_ms = now_ms;
        }
}

void outboxes_expire(struct notify *n, int64_t now_ms)
{
    int64_t oldest = now_ms - n->plan->conf->notify.keep_trying_ns / NS_PER_MS;
    for (struct outbox *o = n->outboxes; o; o = o->next) {
        while (o->first && !o->first->under_way && o->first->attempts > 0 &&
               o->first->made_ms < oldest) {
            o->expired++;
            drop_first(n, o);
        }
    }
}

const char *notify_given_up(struct notify *n)
{
    for (struct outbox *o = n->outboxes; o; o = o->next) {
        uint64_t lost = o->expired - o->expired_told;
        o->expired_told = o->expired;
        if (lost > 0)
            return say(n, mem_printf("%s could not be told in time: %ju message%s given up",
                                     o->receiver, (uintmax_t)lost, lost == 1 ? " is" : "s are"));
    }
    return NULL;
}

int64_t outboxes_wake(const struct notify *n)
{
    int64_t wake = INT64_MAX;
    for (const struct outbox *o = n->outboxes; o; o = o->next)
        if (o->first && !o->first->under_way &&
            plan_receiver(n->plan, o->receiver) < n->plan->n_receivers)
            wake = MIN_OF(wake, o->first->due_ms);
    return wake;
}

int notify_test(struct notify *n, const char *receiver, int64_t now_ms, char **ret_id)
{
    if (plan_receiver(n->plan, receiver) == n->plan->n_receivers)
        return -ENOENT;
    struct buf body;
    uint64_t number = 0;
    char *id = message_id(n, &number);
    struct label label[] = {{"alertname", "VherdTest"}, {"severity", "none"}};
    struct label note[] = {{"summary", "This is a test. Nothing is wrong."},
                           {"description", "Somebody ran `vherd notify test`."}};
    struct labels *labels = labels_new(label, ARRAY_LEN(label));
    struct labels *annotations = labels_new(note, ARRAY_LEN(note));
    struct alert alert = {.fingerprint = labels->hash ^ number,
                          .labels = labels,
                          .annotations = annotations,
                          .state = ALERT_RESOLVED,
                          .active_at_ms = now_ms,
                          .fired_at_ms = now_ms,
                          .resolved_at_ms = now_ms,
                          .expr = (char *)"",
                          .group = (char *)"",
                          .file = (char *)""};
    struct notify_item item = {&alert, true, NULL};
    struct notify_draft draft = {.id = id,
                                 .receiver = receiver,
                                 .host = n->host,
                                 .external_url = n->plan->conf->notify.external_url,
                                 .group_key = "test",
                                 .group_labels = labels,
                                 .item = &item,
                                 .n = 1,
                                 .max = 1,
                                 .now_ms = now_ms,
                                 .is_test = true};
    buf_init(&body, BODY_MAX);
    notify_message_put(&draft, &body);
    *ret_id = mem_strdup(id);
    outbox_add(n, receiver, "test", id, number, buf_take(&body, NULL), now_ms);
    labels_free(labels);
    labels_free(annotations);
    return 0;
}

bool notify_counts(const struct notify *n, size_t i, struct notify_counts *ret)
{
    if (i >= n->plan->n_receivers)
        return false;
    const struct conf_receiver *r = &n->plan->receiver[i];
    const struct outbox *o = outbox_of((struct notify *)n, r->name);
    *ret = (struct notify_counts){.receiver = r->name,
                                  .type = conf_receiver_type_name(r->type),
                                  .delivered = o->delivered,
                                  .failed = o->failed,
                                  .refused = o->refused,
                                  .expired = o->expired,
                                  .queued = o->n,
                                  .oldest_ms = o->first ? o->first->made_ms : 0};
    return true;
}
