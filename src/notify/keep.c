// SPDX-License-Identifier: GPL-3.0-or-later
// What is stored: one JSON object under each key, and how it is read back.
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "private.h"

#define VALUE_MAX ((size_t)8 << 20)

void notify_changes_done(struct notify_changes *c)
{
    for (size_t i = 0; i < c->n; i++) {
        free(c->item[i].key);
        free(c->item[i].value);
    }
    free(c->item);
    *c = (struct notify_changes){0};
}

void notify_changes_take(struct notify *n, struct notify_changes *ret)
{
    *ret = n->changes;
    n->changes = (struct notify_changes){0};
}

// The last word on a key counts; values are taken over.
static void change(struct notify *n, const char *kind, char *key, char *value)
{
    struct notify_changes *c = &n->changes;
    if (n->is_loading) {
        free(key);
        free(value);
        return;
    }
    for (size_t i = c->n; i-- > 0 && c->n - i < 64;) {
        if (strcmp(c->item[i].kind, kind) == 0 && strcmp(c->item[i].key, key) == 0) {
            free(key);
            free(c->item[i].value);
            c->item[i].value = value;
            return;
        }
    }
    mem_grow(&c->item, &c->cap, c->n, sizeof(*c->item));
    c->item[c->n++] = (struct notify_change){kind, key, value};
}

void keep_put(struct notify *n, const char *kind, char *key, struct buf *value)
{
    change(n, kind, key, buf_take(value, NULL));
}

void keep_remove(struct notify *n, const char *kind, char *key)
{
    change(n, kind, key, NULL);
}

static char *entry_key(const struct entry *e)
{
    return mem_printf("%016" PRIx64, e->alert.fingerprint);
}

static void put_told(const struct notify *n, const struct entry *e, struct json *j)
{
    json_key(j, "told");
    json_object_begin(j);
    for (size_t i = 0; i < n->plan->n_receivers; i++) {
        if (!e->told[i].start_ms)
            continue;
        json_key(j, n->plan->receiver[i].name);
        json_array_begin(j);
        json_i64(j, e->told[i].start_ms);
        json_i64(j, e->told[i].at_ms);
        json_array_end(j);
    }
    json_object_end(j);
}

void keep_entry(struct notify *n, const struct entry *e)
{
    struct buf b;
    struct json j;
    buf_init(&b, VALUE_MAX);
    json_init(&j, &b);
    json_object_begin(&j);
    json_key(&j, "labels");
    alert_put_labels(e->alert.labels, &j);
    json_key(&j, "annotations");
    alert_put_labels(e->alert.annotations, &j);
    json_kv_i64(&j, "active", e->alert.active_at_ms);
    json_kv_i64(&j, "fired", e->alert.fired_at_ms);
    json_kv_i64(&j, "resolved", e->alert.resolved_at_ms);
    json_kv_bool(&j, "over", e->is_resolved);
    json_kv_f64(&j, "value", e->alert.value);
    json_kv_string(&j, "expr", e->alert.expr);
    json_kv_i64(&j, "lease", e->lease_ms);
    put_told(n, e, &j);
    if (e->ack_author) {
        json_kv_string(&j, "ack_author", e->ack_author);
        json_kv_string(&j, "ack_comment", e->ack_comment);
        json_kv_i64(&j, "ack", e->ack_ms);
    }
    json_object_end(&j);
    keep_put(n, "alert", entry_key(e), &b);
}

void keep_entry_gone(struct notify *n, const struct entry *e)
{
    keep_remove(n, "alert", entry_key(e));
}

void keep_group(struct notify *n, const struct group *g)
{
    struct buf b;
    struct json j;
    buf_init(&b, VALUE_MAX);
    json_init(&j, &b);
    json_object_begin(&j);
    json_kv_i64(&j, "last", g->last_ms);
    json_object_end(&j);
    keep_put(n, "group", mem_strdup(g->key), &b);
}

void keep_group_gone(struct notify *n, const struct group *g)
{
    keep_remove(n, "group", mem_strdup(g->key));
}

void keep_silence(struct notify *n, const struct silence *s)
{
    struct buf b;
    struct json j;
    buf_init(&b, VALUE_MAX);
    json_init(&j, &b);
    json_object_begin(&j);
    json_kv_string(&j, "matchers", s->text);
    json_kv_string(&j, "author", s->author);
    json_kv_string(&j, "comment", s->comment);
    json_kv_i64(&j, "starts", s->starts_ms);
    json_kv_i64(&j, "ends", s->ends_ms);
    json_object_end(&j);
    keep_put(n, "silence", mem_strdup(s->id), &b);
}

static char *message_key(const struct message *m)
{
    return mem_printf("%020" PRIu64, m->number);
}

void keep_message(struct notify *n, const struct message *m)
{
    struct buf b;
    struct json j;
    buf_init(&b, VALUE_MAX);
    json_init(&j, &b);
    json_object_begin(&j);
    json_kv_string(&j, "id", m->id);
    json_kv_string(&j, "receiver", m->receiver);
    json_kv_string(&j, "group", m->group_key);
    json_kv_i64(&j, "made", m->made_ms);
    json_kv_string(&j, "body", m->body);
    json_object_end(&j);
    keep_put(n, "message", message_key(m), &b);
}

void keep_message_gone(struct notify *n, const struct message *m)
{
    keep_remove(n, "message", message_key(m));
}

// Numbers are never given twice, also of messages that are delivered and gone.
void keep_number(struct notify *n)
{
    struct buf b;
    buf_init(&b, 64);
    buf_u64(&b, n->last_number);
    keep_put(n, "mark", mem_strdup("number"), &b);
}

void notify_keep_all(struct notify *n)
{
    size_t cursor = 0;
    const struct entry *e;
    while ((e = map_next(n->entries, &cursor)))
        keep_entry(n, e);
    for (const struct group *g = n->groups; g; g = g->next)
        if (g->last_ms)
            keep_group(n, g);
    for (size_t i = 0; i < n->n_silences; i++)
        keep_silence(n, n->silence[i]);
    for (const struct outbox *o = n->outboxes; o; o = o->next)
        for (const struct message *m = o->first; m; m = m->next)
            keep_message(n, m);
    keep_number(n);
}

// Reading back

struct labels *labels_of_json(const json_t *object)
{
    struct label label[LABELS_MAX];
    const char *name;
    json_t *value;
    size_t n = 0;
    json_object_foreach((json_t *)object, name, value)
    {
        if (n == LABELS_MAX || !json_is_string(value))
            return NULL;
        label[n++] = (struct label){name, json_string_value(value)};
    }
    return labels_new(label, n);
}

static int64_t number(const json_t *j, const char *key)
{
    return (int64_t)json_integer_value(json_object_get(j, key));
}

static const char *text(const json_t *j, const char *key)
{
    const char *s = json_string_value(json_object_get(j, key));
    return s ? s : "";
}

static void load_told(const struct notify *n, struct entry *e, const json_t *told)
{
    const char *name;
    json_t *pair;
    json_object_foreach((json_t *)told, name, pair)
    {
        size_t i = plan_receiver(n->plan, name);
        if (i < n->plan->n_receivers)
            e->told[i] = (struct told){(int64_t)json_integer_value(json_array_get(pair, 0)),
                                       (int64_t)json_integer_value(json_array_get(pair, 1))};
    }
}

static int load_entry(struct notify *n, const char *key, const json_t *j)
{
    struct alert a = {
        .labels = labels_of_json(json_object_get(j, "labels")),
        .annotations = labels_of_json(json_object_get(j, "annotations")),
        .active_at_ms = number(j, "active"),
        .fired_at_ms = number(j, "fired"),
        .resolved_at_ms = number(j, "resolved"),
        .value = json_number_value(json_object_get(j, "value")),
        .expr = (char *)text(j, "expr"),
        .group = (char *)"",
        .file = (char *)"",
    };
    bool over = json_is_true(json_object_get(j, "over"));
    char *end = NULL;
    a.fingerprint = strtoull(key, &end, 16);
    a.state = over ? ALERT_RESOLVED : ALERT_FIRING;
    int r = a.labels && a.annotations && *key && !*end ? 0 : -EPROTO;
    if (r == 0 && entry_of(n, a.fingerprint))
        r = -EEXIST;
    if (r == 0) {
        struct entry *e = entry_add(n, &a);
        e->is_resolved = over;
        e->lease_ms = number(j, "lease");
        load_told(n, e, json_object_get(j, "told"));
        if (*text(j, "ack_author")) {
            e->ack_author = mem_strdup(text(j, "ack_author"));
            e->ack_comment = mem_strdup(text(j, "ack_comment"));
            e->ack_ms = number(j, "ack");
        }
    }
    labels_free(a.labels);
    labels_free(a.annotations);
    return r;
}

static int load_group(struct notify *n, const char *key, const json_t *j)
{
    int64_t *last = mem_zalloc(sizeof(*last));
    *last = number(j, "last");
    free(map_put(n->last_ms, key, strlen(key), last));
    return 0;
}

static int load_mark(struct notify *n, const char *key, const json_t *j)
{
    if (strcmp(key, "number") == 0)
        n->last_number = MAX_OF(n->last_number, (uint64_t)json_integer_value(j));
    return 0;
}

int notify_load(struct notify *n, const char *kind, const char *key, const char *value)
{
    static const struct {
        const char *kind;
        int (*load)(struct notify *n, const char *key, const json_t *j);
    } loaders[] = {
        {"alert", load_entry},    {"group", load_group}, {"silence", silence_load},
        {"message", outbox_load}, {"mark", load_mark},
    };
    CLEANUP(json_decref_at) json_t *j = json_loads(value, JSON_DECODE_ANY, NULL);
    n->is_loading = true;
    for (size_t i = 0; j && i < ARRAY_LEN(loaders); i++)
        if (strcmp(loaders[i].kind, kind) == 0)
            return loaders[i].load(n, key, j);
    return -EPROTO;
}
