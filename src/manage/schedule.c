// SPDX-License-Identifier: GPL-3.0-or-later
#include "manage/schedule.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/row.h"

static const char *const steps[] = {
    "CREATE TABLE schedule(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, principal "
    "TEXT NOT NULL, cron TEXT NOT NULL, deed TEXT NOT NULL, fields TEXT NOT NULL, chosen TEXT NOT "
    "NULL, parallel INTEGER NOT NULL, max_failures INTEGER NOT NULL, once INTEGER NOT NULL, paused "
    "INTEGER NOT NULL, created INTEGER NOT NULL, due INTEGER NOT NULL, last INTEGER NOT NULL, "
    "message TEXT, UNIQUE(principal, name)) STRICT;",
    "ALTER TABLE schedule ADD COLUMN keep INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE schedule ADD COLUMN keep_for INTEGER NOT NULL DEFAULT 0;"
    "CREATE TABLE schedule_snapshot(schedule INTEGER NOT NULL REFERENCES schedule(id) ON DELETE "
    "CASCADE, uuid TEXT NOT NULL, name TEXT NOT NULL, made INTEGER NOT NULL, PRIMARY KEY(schedule, "
    "uuid, name)) STRICT;",
};

const struct store_schema schedule_schema = {"schedule", steps, ARRAY_LEN(steps)};

#define COLUMNS                                                                                    \
    "id, name, principal, cron, deed, fields, chosen, parallel, max_failures, once, paused, "      \
    "created, due, last, message, keep, keep_for"

void schedule_done(struct schedule *s)
{
    free(s->name);
    free(s->principal);
    free(s->cron);
    free(s->message);
    json_decref(s->fields);
    json_decref(s->select);
    *s = (struct schedule){0};
}

int schedule_add(struct store *st, struct schedule *s)
{
    struct store_query *q CLEANUP(store_query_donep) = store_query(
        st, "INSERT INTO schedule(name, principal, cron, deed, fields, chosen, parallel, "
            "max_failures, once, paused, created, due, keep, keep_for, last) "
            "VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,0)");
    store_bind_text(q, s->name);
    store_bind_text(q, s->principal);
    store_bind_text(q, s->cron);
    store_bind_text(q, s->deed->name);
    store_bind_json(q, s->fields);
    store_bind_json(q, s->select);
    store_bind_i64(q, s->parallel);
    store_bind_i64(q, s->max_failures);
    store_bind_i64(q, s->once);
    store_bind_i64(q, s->paused);
    store_bind_i64(q, s->created_s);
    store_bind_i64(q, s->due_s);
    store_bind_i64(q, s->keep);
    store_bind_i64(q, s->keep_for_s);
    int r = store_run(q);
    if (r == 0)
        s->id = store_last_id(st);
    return r;
}

static json_t *object_at(struct store_query *q, int column)
{
    json_t *value = store_json(q, column);
    return value ? value : json_object();
}

static void read_row(struct store_query *q, struct schedule *s)
{
    *s = (struct schedule){
        .id = store_i64(q, 0),
        .name = mem_strdup(store_text(q, 1)),
        .principal = mem_strdup(store_text(q, 2)),
        .cron = mem_strdup(store_text(q, 3)),
        .deed = deed_by_name(store_text(q, 4)),
        .fields = object_at(q, 5),
        .select = object_at(q, 6),
        .parallel = store_i64(q, 7),
        .max_failures = store_i64(q, 8),
        .once = store_i64(q, 9) != 0,
        .paused = store_i64(q, 10) != 0,
        .created_s = store_i64(q, 11),
        .due_s = store_i64(q, 12),
        .last_s = store_i64(q, 13),
        .message = mem_strdup(store_text(q, 14)),
        .keep = store_i64(q, 15),
        .keep_for_s = store_i64(q, 16),
    };
}

int schedule_get(struct store *st, int64_t id, struct schedule *ret)
{
    struct store_query *q CLEANUP(store_query_donep) =
        store_query(st, "SELECT " COLUMNS " FROM schedule WHERE id=?");
    store_bind_i64(q, id);
    int r = store_one(q);
    if (r == 0)
        read_row(q, ret);
    return r;
}

int schedule_each(struct store *st, const char *principal,
                  void (*each)(const struct schedule *s, void *arg), void *arg)
{
    struct store_query *q CLEANUP(store_query_donep) = store_query(
        st, "SELECT " COLUMNS " FROM schedule WHERE ?1 IS NULL OR principal=?1 ORDER BY id");
    store_bind_text(q, principal);
    int r;
    while ((r = store_next(q)) == 1) {
        struct schedule s;
        read_row(q, &s);
        each(&s, arg);
        schedule_done(&s);
    }
    return r;
}

int schedule_count(struct store *st, const char *principal, int64_t *ret)
{
    struct store_query *q CLEANUP(store_query_donep) =
        store_query(st, "SELECT count(*) FROM schedule WHERE principal=?");
    store_bind_text(q, principal);
    int r = store_one(q);
    if (r == 0)
        *ret = store_i64(q, 0);
    return r;
}

static int change(struct store *st, struct store_query *q)
{
    int r = store_run(q);
    return r == 0 && store_changes(st) == 0 ? -ENOENT : r;
}

int schedule_remove(struct store *st, int64_t id)
{
    struct store_query *q CLEANUP(store_query_donep) =
        store_query(st, "DELETE FROM schedule WHERE id=?");
    store_bind_i64(q, id);
    return change(st, q);
}

int schedule_pause(struct store *st, int64_t id, bool paused, int64_t due_s)
{
    struct store_query *q CLEANUP(store_query_donep) =
        store_query(st, "UPDATE schedule SET paused=?, due=? WHERE id=?");
    store_bind_i64(q, paused);
    store_bind_i64(q, due_s);
    store_bind_i64(q, id);
    return change(st, q);
}

int schedule_looked(struct store *st, int64_t id, int64_t last_s, int64_t due_s,
                    const char *message)
{
    struct store_query *q CLEANUP(store_query_donep) =
        store_query(st, "UPDATE schedule SET last=?, due=?, message=? WHERE id=?");
    store_bind_i64(q, last_s);
    store_bind_i64(q, due_s);
    store_bind_text(q, message);
    store_bind_i64(q, id);
    return change(st, q);
}

/* Pure. */

enum schedule_verdict schedule_judge(const struct cron *cron, bool once, int64_t due_s,
                                     int64_t now_s,
                                     struct tm *(*local)(const time_t *, struct tm *),
                                     int64_t *ret_next)
{
    if (now_s < due_s)
        return SCHEDULE_WAIT;
    // A clock that was set back far would have it wait for years.
    *ret_next = cron_next(cron, now_s, local);
    if (*ret_next < 0)
        *ret_next = INT64_MAX;
    if (now_s - due_s <= SCHEDULE_LATE_S)
        return SCHEDULE_RUN;
    return once ? SCHEDULE_MISSED_RUN : SCHEDULE_MISSED_SKIP;
}

// One of %Y %m %d %H %M %S %%; false for others.
static bool expand(char letter, const struct tm *t, struct buf *out)
{
    const struct {
        char letter;
        int value;
    } parts[] = {{'Y', t->tm_year + 1900}, {'m', t->tm_mon + 1}, {'d', t->tm_mday},
                 {'H', t->tm_hour},        {'M', t->tm_min},     {'S', t->tm_sec}};
    if (letter == '%')
        buf_putc(out, '%');
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (parts[i].letter == letter) {
            buf_printf(out, "%02d", parts[i].value);
            return true;
        }
    return letter == '%';
}

static int expand_name(const char *name, const struct tm *t, struct buf *out)
{
    for (const char *p = name; *p; p++) {
        if (*p != '%')
            buf_putc(out, *p);
        else if (!expand(*++p, t, out))
            return -EINVAL;
    }
    return out->error || !deed_name(out->data, out->len) ? -EINVAL : 0;
}

int schedule_fields(const struct schedule *s, const struct tm *when, json_t **ret, struct err *err)
{
    CLEANUP(buf_done) struct buf text;
    const char *name = json_string_value(json_object_get(s->fields, "name"));
    json_t *fields = json_deep_copy(s->fields);
    buf_init(&text, 256);
    if (name && strchr(name, '%')) {
        if (expand_name(name, when, &text) < 0) {
            json_decref(fields);
            return err_set(err, EINVAL,
                           "\"%s\" gives no name: %%Y %%m %%d %%H %%M %%S and %%%% are known",
                           name);
        }
        json_object_set_new(fields, "name", json_string(text.data));
    }
    *ret = fields;
    return 0;
}

static void put_value(struct json *j, const char *key, const json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT);
    json_key(j, key);
    json_raw(j, text ? text : "{}");
    free(text);
}

void schedule_json(const struct schedule *s, struct json *j)
{
    json_object_begin(j);
    json_kv_i64(j, "id", s->id);
    json_kv_string(j, "name", s->name);
    json_kv_string(j, "cron", s->cron);
    json_kv_string(j, "deed", s->deed ? s->deed->name : "unknown");
    json_kv_string(j, "by", s->principal);
    put_value(j, "fields", s->fields);
    put_value(j, "select", s->select);
    json_kv_i64(j, "parallel", s->parallel);
    json_kv_i64(j, "max_failures", s->max_failures);
    json_kv_string(j, "missed", s->once ? "once" : "skip");
    if (s->keep > 0)
        json_kv_i64(j, "keep", s->keep);
    if (s->keep_for_s > 0)
        json_kv_i64(j, "keep_for", s->keep_for_s);
    json_kv_bool(j, "paused", s->paused);
    json_kv_i64(j, "created", s->created_s);
    if (!s->paused && s->due_s < INT64_MAX)
        json_kv_i64(j, "due", s->due_s);
    if (s->last_s > 0)
        json_kv_i64(j, "last", s->last_s);
    if (s->message)
        json_kv_string(j, "message", s->message);
    json_object_end(j);
}
