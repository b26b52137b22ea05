// SPDX-License-Identifier: GPL-3.0-or-later
// Alerts, the groups they are in, and when a group is told.
// Invariants: an entry is in `entries` until it is over and in no group; what a receiver was told
// stands in the entry, so that groups can be made anew at any time. An Alertmanager forgets what it
// does not hear of: to it alerts are passed on whenever their rules say so, and it does the rest.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "private.h"

#define FULL_MS (60 * MS_PER_S)
#define KEY_MAX (128u * 1024)

struct entry *entry_of(const struct notify *n, uint64_t fingerprint)
{
    return map_get(n->entries, &fingerprint, sizeof(fingerprint));
}

void entry_free(struct entry *e)
{
    if (!e)
        return;
    alert_done(&e->alert);
    free(e->ack_author);
    free(e->ack_comment);
    free(e);
}

struct entry *entry_add(struct notify *n, const struct alert *a)
{
    struct entry *e = mem_zalloc(sizeof(*e));
    if (alert_copy(&e->alert, a) < 0)
        abort();
    map_put(n->entries, &e->alert.fingerprint, sizeof(e->alert.fingerprint), e);
    return e;
}

static void entry_drop(struct notify *n, struct entry *e)
{
    keep_entry_gone(n, e);
    map_remove(n->entries, &e->alert.fingerprint, sizeof(e->alert.fingerprint));
    entry_free(e);
}

// Groups

static void group_free(struct notify *n, struct group *g)
{
    for (struct group **at = &n->groups; *at; at = &(*at)->next) {
        if (*at == g) {
            *at = g->next;
            break;
        }
    }
    map_remove(n->group_map, g->key, strlen(g->key));
    for (size_t i = 0; i < g->n; i++)
        g->member[i]->n_groups--;
    free(g->member);
    free(g->key);
    labels_free(g->labels);
    free(g);
}

void groups_clear(struct notify *n)
{
    while (n->groups)
        group_free(n, n->groups);
}

static bool is_alertmanager(const struct notify *n, const struct route *r)
{
    return r->receiver < n->plan->n_receivers &&
           n->plan->receiver[r->receiver].type == CONF_RECEIVER_ALERTMANAGER;
}

static void touch(struct notify *n, struct group *g, int64_t now_ms)
{
    bool passes_on = is_alertmanager(n, g->route);
    int64_t wait = passes_on ? 0 : g->route->wait_ms;
    int64_t pause = passes_on ? 0 : g->route->interval_ms;
    int64_t due = now_ms + wait;
    if (g->last_ms)
        due = MAX_OF(due, g->last_ms + pause);
    g->due_ms = MIN_OF(g->due_ms, due);
}

static bool is_member(const struct group *g, const struct entry *e)
{
    for (size_t i = 0; i < g->n; i++)
        if (g->member[i] == e)
            return true;
    return false;
}

void groups_touch_of(struct notify *n, const struct entry *e, int64_t now_ms)
{
    for (struct group *g = n->groups; g; g = g->next)
        if (is_member(g, e))
            touch(n, g, now_ms);
}

void groups_touch_suppressed(struct notify *n, int64_t now_ms)
{
    for (struct group *g = n->groups; g; g = g->next)
        if (g->has_suppressed)
            touch(n, g, now_ms);
}

void groups_touch_passing(struct notify *n, const struct entry *e, int64_t now_ms)
{
    for (struct group *g = n->groups; g; g = g->next)
        if (is_alertmanager(n, g->route) && is_member(g, e))
            touch(n, g, now_ms);
}

static struct labels *group_labels(const struct route *r, const struct labels *l)
{
    struct label label[LABELS_MAX];
    size_t n = 0;
    if (r->by_all)
        return labels_new(l->label, l->n);
    for (size_t i = 0; i < r->group_by.n && n < LABELS_MAX; i++) {
        const char *value = labels_get(l, r->group_by.items[i]);
        bool again = false;
        for (size_t k = 0; k < n; k++)
            again |= strcmp(label[k].name, r->group_by.items[i]) == 0;
        if (value && !again)
            label[n++] = (struct label){r->group_by.items[i], value};
    }
    return labels_new(label, n);
}

static struct group *group_of(struct notify *n, const struct route *r, struct entry *e,
                              int64_t now_ms)
{
    struct labels *labels = group_labels(r, e->alert.labels);
    CLEANUP(buf_done) struct buf key;
    buf_init(&key, KEY_MAX);
    buf_printf(&key, "%s|%s|", n->plan->receiver[r->receiver].name, r->id);
    labels_format(labels, &key);
    struct group *g = map_get(n->group_map, key.data, key.len);
    if (g) {
        labels_free(labels);
        return g;
    }
    g = mem_zalloc(sizeof(*g));
    *g = (struct group){.route = r, .labels = labels, .due_ms = INT64_MAX};
    g->key = mem_strndup(key.data, key.len);
    const int64_t *last = map_get(n->last_ms, key.data, key.len);
    g->last_ms = last ? MIN_OF(*last, now_ms) : 0;
    map_put(n->group_map, key.data, key.len, g);
    struct group **at = &n->groups;
    while (*at)
        at = &(*at)->next;
    *at = g;
    return g;
}

static void join(struct notify *n, const struct route *r, struct entry *e, int64_t now_ms)
{
    if (r->receiver >= n->plan->n_receivers || (e->is_echo && !is_alertmanager(n, r)))
        return;
    struct group *g = group_of(n, r, e, now_ms);
    if (!is_member(g, e)) {
        mem_grow(&g->member, &g->cap, g->n, sizeof(struct entry *));
        g->member[g->n++] = e;
        e->n_groups++;
    }
    touch(n, g, now_ms);
}

// The first child that matches has it, and those behind it as long as they say `continue`.
static bool walk(struct notify *n, const struct route *r, struct entry *e, int64_t now_ms)
{
    bool taken = false;
    if (!matchers_match(&r->matchers, e->alert.labels))
        return false;
    for (size_t i = 0; i < r->n_children; i++) {
        bool matched = walk(n, &r->child[i], e, now_ms);
        taken |= matched;
        if (matched && !r->child[i].conf->go_on)
            break;
    }
    if (!taken)
        join(n, r, e, now_ms);
    return true;
}

void groups_join(struct notify *n, struct entry *e, int64_t now_ms)
{
    (void)walk(n, &n->plan->top, e, now_ms);
    if (e->n_groups == 0 && e->is_resolved)
        entry_drop(n, e);
}

// Telling

struct flushing {
    struct notify *n;
    struct group *g;
    size_t receiver;
    struct notify_item *item;
    size_t n_items, n_firing;
    bool passes_on;
    bool has_news, has_repeats;
    bool is_acknowledged; // all that fire are
};

static void put_item(struct flushing *f, struct entry *e)
{
    f->item[f->n_items++] = (struct notify_item){&e->alert, e->is_resolved, e->ack_author};
}

static void collect_firing(struct flushing *f, int64_t now_ms)
{
    f->is_acknowledged = true;
    f->g->has_suppressed = false;
    for (size_t i = 0; i < f->g->n; i++) {
        struct entry *e = f->g->member[i];
        if (e->is_resolved)
            continue;
        if (silence_of(f->n, e->alert.labels, now_ms) || inhibitor_of(f->n, e)) {
            f->g->has_suppressed = true;
            continue;
        }
        const struct told *told = &e->told[f->receiver];
        bool is_news = told->start_ms != e->alert.fired_at_ms, is_asked = e->again_ms > told->at_ms;
        if (f->passes_on && !is_news && !is_asked)
            continue;
        f->has_news |= is_news;
        f->has_repeats |= f->passes_on && is_asked;
        f->is_acknowledged &= e->ack_author != NULL;
        put_item(f, e);
    }
    f->n_firing = f->n_items;
}

// Who heard of the beginning hears of the end, silenced or not.
static void collect_resolved(struct flushing *f)
{
    for (size_t i = 0; i < f->g->n; i++) {
        struct entry *e = f->g->member[i];
        if (!e->is_resolved || !e->told[f->receiver].start_ms)
            continue;
        if (!f->n->plan->receiver[f->receiver].send_resolved) {
            e->told[f->receiver] = (struct told){0};
            keep_entry(f->n, e);
            continue;
        }
        if (e->is_echo)
            f->has_repeats = true;
        else
            f->has_news = true;
        put_item(f, e);
    }
}

int entry_compare(const struct alert *a, const struct alert *b)
{
    if (a->fired_at_ms != b->fired_at_ms)
        return a->fired_at_ms < b->fired_at_ms ? -1 : 1;
    return labels_compare(a->labels, b->labels);
}

static int by_age(const void *a, const void *b)
{
    return entry_compare(((const struct notify_item *)a)->alert,
                         ((const struct notify_item *)b)->alert);
}

static void make_message(struct flushing *f, int64_t now_ms)
{
    struct notify *n = f->n;
    const struct conf_receiver *r = &n->plan->receiver[f->receiver];
    struct buf body;
    uint64_t number = 0;
    char *id = message_id(n, &number);
    struct notify_draft draft = {.id = id,
                                 .receiver = r->name,
                                 .host = n->host,
                                 .external_url = n->plan->conf->notify.external_url,
                                 .group_key = f->g->key,
                                 .group_labels = f->g->labels,
                                 .item = f->item,
                                 .n = f->n_items,
                                 .max = (size_t)r->max_alerts,
                                 .passes_on = f->passes_on,
                                 .now_ms = now_ms};
    buf_init(&body, BODY_MAX);
    notify_message_put(&draft, &body);
    // Too long even so: fewer alerts in full.
    while (body.error && draft.max > 1) {
        draft.max /= 2;
        buf_reset(&body);
        notify_message_put(&draft, &body);
    }
    outbox_add(n, r->name, f->g->key, id, number, buf_take(&body, NULL), now_ms);
}

static void remember(struct flushing *f, int64_t now_ms)
{
    for (size_t i = 0; i < f->n_items; i++) {
        struct entry *e = (struct entry *)f->item[i].alert; // its first member
        struct told told = {e->is_resolved ? 0 : e->alert.fired_at_ms, now_ms};
        bool is_new = told.start_ms != e->told[f->receiver].start_ms;
        e->told[f->receiver] = told;
        if (is_new)
            keep_entry(f->n, e);
    }
    f->g->last_ms = now_ms;
    keep_group(f->n, f->g);
}

static void drop_resolved(struct notify *n, struct group *g, size_t receiver)
{
    size_t kept = 0;
    for (size_t i = 0; i < g->n; i++) {
        struct entry *e = g->member[i];
        if (!e->is_resolved || (e->told[receiver].start_ms && !e->is_echo)) {
            g->member[kept++] = e;
            continue;
        }
        if (--e->n_groups == 0)
            entry_drop(n, e);
    }
    g->n = kept;
}

static bool is_to_repeat(const struct flushing *f, int64_t now_ms)
{
    const struct group *g = f->g;
    bool is_due = f->passes_on ? f->has_repeats
                               : f->n_firing > 0 && !f->is_acknowledged && g->last_ms &&
                                     now_ms >= g->last_ms + g->route->repeat_ms;
    return is_due && !outbox_waits_for(f->n, f->n->plan->receiver[f->receiver].name, g->key);
}

static void schedule(const struct flushing *f, int64_t now_ms)
{
    struct group *g = f->g;
    g->due_ms = INT64_MAX;
    if (f->passes_on || f->n_firing == 0)
        return;
    if (!g->last_ms)
        g->last_ms = now_ms; // it was told before the last restart
    int64_t repeat = g->route->repeat_ms;
    g->due_ms = g->last_ms + repeat;
    if (g->due_ms <= now_ms)
        g->due_ms = now_ms + MIN_OF(repeat, FULL_MS);
}

void group_flush(struct notify *n, struct group *g, int64_t now_ms)
{
    struct flushing f = {
        .n = n, .g = g, .receiver = g->route->receiver, .passes_on = is_alertmanager(n, g->route)};
    int64_t quiet = f.passes_on ? 0 : route_quiet_until(g->route, now_ms);
    if (quiet) {
        g->due_ms = quiet;
        return;
    }
    if (outbox_of(n, n->plan->receiver[f.receiver].name)->n >= QUEUE_MAX) {
        g->due_ms = now_ms + FULL_MS;
        return;
    }
    CLEANUP(freep) struct notify_item *items = mem_zalloc((g->n + 1) * sizeof(*items));
    f.item = items;
    collect_firing(&f, now_ms);
    collect_resolved(&f);
    qsort(items, f.n_firing, sizeof(*items), by_age);
    qsort(items + f.n_firing, f.n_items - f.n_firing, sizeof(*items), by_age);
    bool tells = f.has_news || is_to_repeat(&f, now_ms);
    bool is_mute = n->plan->receiver[f.receiver].type == CONF_RECEIVER_NONE;
    if (tells && !is_mute)
        make_message(&f, now_ms);
    if (tells)
        remember(&f, now_ms);
    schedule(&f, now_ms);
    drop_resolved(n, g, f.receiver);
    if (g->n > 0)
        return;
    keep_group_gone(n, g);
    group_free(n, g);
}
