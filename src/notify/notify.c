// SPDX-License-Identifier: GPL-3.0-or-later
#include "notify/notify.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "private.h"

#define LEASE_MS (15 * 60 * MS_PER_S)
#define LEASE_LOOK_MS (60 * MS_PER_S)

static void last_clear(struct notify *n)
{
    size_t cursor = 0;
    int64_t *last;
    while (n->last_ms && (last = map_next(n->last_ms, &cursor)))
        free(last);
    map_free(n->last_ms);
    n->last_ms = map_new();
}

int notify_new(const struct conf *conf, const char *host, const char *instance, struct notify **ret,
               struct err *err)
{
    struct plan *plan = NULL;
    int r = plan_new(conf, &plan, err);
    if (r < 0)
        return r;
    struct notify *n = mem_zalloc(sizeof(*n));
    n->plan = plan;
    n->host = mem_strdup(host);
    n->instance = mem_strdup(instance);
    n->entries = map_new();
    n->group_map = map_new();
    n->last_ms = map_new();
    n->next_silence_ms = INT64_MAX;
    *ret = n;
    return 0;
}

void notify_free(struct notify *n)
{
    if (!n)
        return;
    groups_clear(n);
    size_t cursor = 0;
    struct entry *e;
    while ((e = map_next(n->entries, &cursor)))
        entry_free(e);
    map_free(n->entries);
    map_free(n->group_map);
    last_clear(n);
    map_free(n->last_ms);
    silences_clear(n);
    outboxes_clear(n);
    notify_changes_done(&n->changes);
    plan_free(n->plan);
    free(n->words);
    free(n->host);
    free(n->instance);
    free(n);
}

static int by_age(const void *a, const void *b)
{
    return entry_compare(&(*(struct entry *const *)a)->alert, &(*(struct entry *const *)b)->alert);
}

// Joining may drop an entry, so the walk is over a copy.
static void join_all(struct notify *n, int64_t now_ms)
{
    size_t count = map_count(n->entries), cursor = 0, filled = 0;
    CLEANUP(freep) struct entry **all = mem_zalloc((count + 1) * sizeof(struct entry *));
    struct entry *e;
    while ((e = map_next(n->entries, &cursor)))
        all[filled++] = e;
    if (filled > 0)
        qsort(all, filled, sizeof(struct entry *), by_age);
    for (size_t i = 0; i < filled; i++)
        groups_join(n, all[i], now_ms);
}

void notify_loaded(struct notify *n, int64_t now_ms)
{
    size_t cursor = 0;
    struct entry *e;
    n->is_loading = false;
    while ((e = map_next(n->entries, &cursor)))
        e->until_ms = now_ms + MAX_OF(e->lease_ms, LEASE_MS);
    join_all(n, now_ms);
    silences_schedule(n, now_ms);
    last_clear(n);
}

// What each receiver was told stays, by the receivers' names.
static void carry_told(struct entry *e, const struct plan *from, const struct plan *to)
{
    struct told told[RECEIVERS_MAX] = {{0, 0}};
    for (size_t i = 0; i < from->n_receivers; i++) {
        size_t k = plan_receiver(to, from->receiver[i].name);
        if (k < to->n_receivers)
            told[k] = e->told[i];
    }
    memcpy(e->told, told, sizeof(told));
}

int notify_configure(struct notify *n, const struct conf *conf, int64_t now_ms, struct err *err)
{
    struct plan *plan = NULL;
    int r = plan_new(conf, &plan, err);
    if (r < 0)
        return r;
    size_t cursor = 0;
    struct entry *e;
    while ((e = map_next(n->entries, &cursor)))
        carry_told(e, n->plan, plan);
    for (const struct group *g = n->groups; g; g = g->next) {
        int64_t *last = mem_zalloc(sizeof(*last));
        *last = g->last_ms;
        free(map_put(n->last_ms, g->key, strlen(g->key), last));
        keep_group_gone(n, g);
    }
    groups_clear(n);
    plan_free(n->plan);
    n->plan = plan;
    join_all(n, now_ms);
    for (const struct group *g = n->groups; g; g = g->next)
        if (g->last_ms)
            keep_group(n, g);
    last_clear(n);
    return 0;
}

static void hear(struct entry *e, const struct alert *a, int64_t now_ms)
{
    e->lease_ms = MAX_OF(a->ends_at_ms - now_ms, LEASE_MS);
    e->until_ms = now_ms + e->lease_ms;
}

static void take_over(struct entry *e, const struct alert *a)
{
    alert_done(&e->alert);
    if (alert_copy(&e->alert, a) < 0)
        abort();
}

// Whom it was passed on to, and is once more: nothing is left of it afterwards.
static void echo(struct notify *n, const struct alert *a, int64_t now_ms)
{
    struct entry *e = entry_add(n, a);
    e->is_resolved = e->is_echo = true;
    for (size_t i = 0; i < n->plan->n_receivers; i++)
        if (n->plan->receiver[i].type == CONF_RECEIVER_ALERTMANAGER)
            e->told[i] = (struct told){a->fired_at_ms, a->resolved_at_ms};
    groups_join(n, e, now_ms);
}

void notify_alert_heard(struct notify *n, const struct alert *a, int64_t now_ms)
{
    struct entry *e = entry_of(n, a->fingerprint);
    if (a->state == ALERT_FIRING && e && !e->is_resolved) {
        take_over(e, a);
        hear(e, a, now_ms);
        e->again_ms = now_ms;
        groups_touch_passing(n, e, now_ms);
    } else if (a->state == ALERT_RESOLVED && !e &&
               now_ms - a->resolved_at_ms >= n->plan->resend_ms &&
               !silence_of(n, a->labels, now_ms)) {
        echo(n, a, now_ms);
    }
}

static void end(struct notify *n, struct entry *e, int64_t at_ms, int64_t now_ms)
{
    e->is_resolved = true;
    e->alert.state = ALERT_RESOLVED;
    e->alert.resolved_at_ms = at_ms;
    keep_entry(n, e);
    groups_touch_of(n, e, now_ms);
    // Its groups may have gone with an earlier configuration.
    groups_join(n, e, now_ms);
}

// One a call: ending it may change what is walked over.
static bool end_one_forgotten(struct notify *n, int64_t now_ms)
{
    size_t cursor = 0;
    struct entry *e;
    while ((e = map_next(n->entries, &cursor))) {
        if (!e->is_resolved && e->until_ms <= now_ms) {
            end(n, e, now_ms, now_ms);
            return true;
        }
    }
    return false;
}

static void end_forgotten(struct notify *n, int64_t now_ms)
{
    if (now_ms < n->next_lease_ms)
        return;
    n->next_lease_ms = now_ms + LEASE_LOOK_MS;
    while (end_one_forgotten(n, now_ms))
        ;
    groups_touch_suppressed(n, now_ms);
}

static void take_firing(struct notify *n, struct entry *e, const struct alert *a, int64_t now_ms)
{
    if (e && (e->is_resolved || e->alert.fired_at_ms != a->fired_at_ms)) {
        // It fires anew: nobody has taken care of this one yet.
        mem_strset(&e->ack_author, NULL);
        mem_strset(&e->ack_comment, NULL);
    }
    if (e)
        take_over(e, a);
    else
        e = entry_add(n, a);
    e->is_resolved = e->is_echo = false;
    hear(e, a, now_ms);
    keep_entry(n, e);
    groups_join(n, e, now_ms);
}

void notify_alert(struct notify *n, const struct alert *a, int64_t now_ms)
{
    struct entry *e = entry_of(n, a->fingerprint);
    if (a->state == ALERT_FIRING) {
        take_firing(n, e, a, now_ms);
    } else if (e && !e->is_resolved) {
        end(n, e, a->resolved_at_ms ? a->resolved_at_ms : now_ms, now_ms);
    }
    groups_touch_suppressed(n, now_ms);
}

void notify_step(struct notify *n, int64_t now_ms)
{
    end_forgotten(n, now_ms);
    silences_sweep(n, now_ms);
    outboxes_expire(n, now_ms);
    for (struct group *g = n->groups, *next; g; g = next) {
        next = g->next;
        if (g->due_ms <= now_ms)
            group_flush(n, g, now_ms);
    }
}

int64_t notify_wake(const struct notify *n, int64_t now_ms)
{
    int64_t wake = MIN_OF(n->next_silence_ms, outboxes_wake(n));
    for (const struct group *g = n->groups; g; g = g->next)
        wake = MIN_OF(wake, g->due_ms);
    if (map_count(n->entries) > 0)
        wake = MIN_OF(wake, n->next_lease_ms);
    return wake == INT64_MAX ? wake : MAX_OF(wake, now_ms);
}
