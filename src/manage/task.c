// SPDX-License-Identifier: GPL-3.0-or-later
// Tasks in SQLite. Rows are written by the caller's one thread; a task that is over never changes.
#include "manage/task.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/row.h"

static const char *const steps[] = {
    "CREATE TABLE task(id INTEGER PRIMARY KEY AUTOINCREMENT, deed TEXT NOT NULL, state INTEGER NOT "
    "NULL, vm TEXT NOT NULL, uuid TEXT NOT NULL, principal TEXT NOT NULL, key TEXT, batch TEXT, "
    "parallel INTEGER NOT NULL, max_failures INTEGER NOT NULL, after INTEGER NOT NULL, intent "
    "INTEGER NOT NULL, created INTEGER NOT NULL, started INTEGER NOT NULL, ended INTEGER NOT NULL, "
    "body TEXT NOT NULL, result TEXT, message TEXT) STRICT;"
    "CREATE UNIQUE INDEX task_key ON task(principal, key) WHERE key IS NOT NULL;"
    "CREATE INDEX task_state ON task(state);"
    "CREATE INDEX task_batch ON task(batch) WHERE batch IS NOT NULL;"
    "CREATE TABLE task_note(task INTEGER NOT NULL REFERENCES task(id) ON DELETE CASCADE, n INTEGER "
    "NOT NULL, note TEXT NOT NULL, PRIMARY KEY(task, n)) STRICT;",
    "ALTER TABLE task ADD COLUMN mends INTEGER NOT NULL DEFAULT 0;",
};

const struct store_schema task_schema = {"task", steps, ARRAY_LEN(steps)};

#define COLUMNS                                                                                    \
    "id, deed, state, vm, uuid, principal, key, batch, parallel, max_failures, after, intent, "    \
    "created, started, ended, body, result, message, mends"

static const char *const state_names[] = {"queued", "running", "done", "failed", "cancelled"};

const char *task_state_name(enum task_state state)
{
    return state >= 0 && state < TASK_STATE_MAX ? state_names[state] : "unknown";
}

enum task_state task_state_parse(const char *name)
{
    for (int i = 0; i < TASK_STATE_MAX; i++)
        if (strcmp(state_names[i], name) == 0)
            return (enum task_state)i;
    return TASK_STATE_INVALID;
}

void task_done(struct task *t)
{
    free(t->vm);
    free(t->uuid);
    free(t->principal);
    free(t->key);
    free(t->batch);
    free(t->message);
    free(t->phrase);
    json_decref(t->body);
    json_decref(t->result);
    *t = (struct task){0};
}

void tasks_free(struct task *tasks, size_t n)
{
    for (size_t i = 0; i < n; i++)
        task_done(&tasks[i]);
    free(tasks);
}

int task_add(struct store *s, struct task *t)
{
    struct store_query *q CLEANUP(store_query_donep) = store_query(
        s, "INSERT INTO task(deed, state, vm, uuid, principal, key, batch, parallel, max_failures, "
           "after, intent, created, started, ended, body) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,0,0,?)");
    store_bind_text(q, t->deed->name);
    store_bind_i64(q, t->state);
    store_bind_text(q, t->vm);
    store_bind_text(q, t->uuid ? t->uuid : "");
    store_bind_text(q, t->principal);
    store_bind_text(q, t->key);
    store_bind_text(q, t->batch);
    store_bind_i64(q, t->parallel);
    store_bind_i64(q, t->max_failures);
    store_bind_i64(q, t->after);
    store_bind_i64(q, t->intent);
    store_bind_i64(q, t->created_ns);
    store_bind_json(q, t->body);
    int r = store_run(q);
    if (r == 0)
        t->id = store_last_id(s);
    return r;
}

static void read_row(struct store_query *q, struct task *t)
{
    *t = (struct task){
        .id = store_i64(q, 0),
        .deed = deed_by_name(store_text(q, 1)),
        .state = (enum task_state)store_i64(q, 2),
        .vm = mem_strdup(store_text(q, 3)),
        .uuid = mem_strdup(store_text(q, 4)),
        .principal = mem_strdup(store_text(q, 5)),
        .key = mem_strdup(store_text(q, 6)),
        .batch = mem_strdup(store_text(q, 7)),
        .parallel = store_i64(q, 8),
        .max_failures = store_i64(q, 9),
        .after = store_i64(q, 10),
        .intent = store_i64(q, 11),
        .created_ns = store_i64(q, 12),
        .started_ns = store_i64(q, 13),
        .ended_ns = store_i64(q, 14),
        .body = store_json(q, 15),
        .result = store_json(q, 16),
        .message = mem_strdup(store_text(q, 17)),
        .mends = store_i64(q, 18),
        .progress = -1,
    };
}

int task_by_key(struct store *s, const char *principal, const char *key, int64_t *ret_id)
{
    struct store_query *q CLEANUP(store_query_donep) =
        store_query(s, "SELECT id FROM task WHERE principal=? AND key=?");
    store_bind_text(q, principal);
    store_bind_text(q, key);
    int r = store_one(q);
    if (r == 0)
        *ret_id = store_i64(q, 0);
    return r;
}

int task_get(struct store *s, int64_t id, struct task *ret)
{
    struct store_query *q CLEANUP(store_query_donep) =
        store_query(s, "SELECT " COLUMNS " FROM task WHERE id=?");
    store_bind_i64(q, id);
    int r = store_one(q);
    if (r == 0)
        read_row(q, ret);
    return r;
}

int task_open(struct store *s, struct task **ret, size_t *ret_n)
{
    struct store_query *q CLEANUP(store_query_donep) =
        store_query(s, "SELECT " COLUMNS " FROM task WHERE state<2 ORDER BY id");
    struct task *tasks = NULL;
    size_t n = 0, cap = 0;
    int r;
    while ((r = store_next(q)) == 1) {
        mem_grow(&tasks, &cap, n, sizeof(*tasks));
        read_row(q, &tasks[n++]);
    }
    if (r < 0) {
        tasks_free(tasks, n);
        return r;
    }
    *ret = tasks;
    *ret_n = n;
    return 0;
}

int task_start(struct store *s, int64_t id, int64_t now_ns)
{
    struct store_query *q CLEANUP(store_query_donep) =
        store_query(s, "UPDATE task SET state=1, started=? WHERE id=? AND state=0");
    store_bind_i64(q, now_ns);
    store_bind_i64(q, id);
    int r = store_run(q);
    return r == 0 && store_changes(s) == 0 ? -EALREADY : r;
}

int task_finish(struct store *s, int64_t id, enum task_state state, const char *message,
                const json_t *result, int64_t now_ns)
{
    struct store_query *q CLEANUP(store_query_donep) = store_query(
        s, "UPDATE task SET state=?, message=?, result=?, ended=? WHERE id=? AND state<2");
    store_bind_i64(q, state);
    store_bind_text(q, message);
    store_bind_json(q, result);
    store_bind_i64(q, now_ns);
    store_bind_i64(q, id);
    int r = store_run(q);
    return r == 0 && store_changes(s) == 0 ? -EALREADY : r;
}

int task_mends(struct store *s, int64_t id, int64_t mends)
{
    struct store_query *q CLEANUP(store_query_donep) =
        store_query(s, "UPDATE task SET mends=? WHERE id=? AND state<2");
    store_bind_i64(q, mends);
    store_bind_i64(q, id);
    int r = store_run(q);
    return r == 0 && store_changes(s) == 0 ? -EALREADY : r;
}

int task_note(struct store *s, int64_t id, const json_t *note)
{
    struct store_query *q CLEANUP(store_query_donep) =
        store_query(s, "INSERT INTO task_note(task, n, note) SELECT ?1, 1 + count(*), ?2 FROM "
                       "task_note WHERE task=?1");
    store_bind_i64(q, id);
    store_bind_json(q, note);
    return store_run(q);
}

int task_notes(struct store *s, int64_t id, json_t **ret)
{
    struct store_query *q CLEANUP(store_query_donep) =
        store_query(s, "SELECT note FROM task_note WHERE task=? ORDER BY n");
    json_t *notes = json_array();
    int r;
    store_bind_i64(q, id);
    while ((r = store_next(q)) == 1)
        json_array_append_new(notes, store_json(q, 0));
    if (r < 0)
        json_decref(notes);
    else
        *ret = notes;
    return r;
}

int task_failures(struct store *s, const char *batch, int64_t *ret)
{
    struct store_query *q CLEANUP(store_query_donep) =
        store_query(s, "SELECT count(*) FROM task WHERE batch=? AND state=3");
    store_bind_text(q, batch);
    int r = store_one(q);
    if (r == 0)
        *ret = store_i64(q, 0);
    return r;
}

int task_last_failed(struct store *s, const struct deed *deed, const char *uuid,
                     const char *batch_head, const char *name, int64_t since_ns, int64_t *ret)
{
    struct store_query *q CLEANUP(store_query_donep) =
        store_query(s, "SELECT id FROM task WHERE deed=? AND uuid=? AND state=3 AND ended>? AND "
                       "substr(batch, 1, length(?4))=?4 AND json_extract(body, '$.name')=?5 "
                       "ORDER BY id DESC LIMIT 1");
    store_bind_text(q, deed->name);
    store_bind_text(q, uuid);
    store_bind_i64(q, since_ns);
    store_bind_text(q, batch_head);
    store_bind_text(q, name);
    int r = store_one(q);
    if (r == 0)
        *ret = store_i64(q, 0);
    return r;
}

int task_list(struct store *s, const struct task_filter *f,
              bool (*each)(const struct task *t, void *arg), void *arg)
{
    struct store_query *q CLEANUP(store_query_donep) = store_query(
        s, "SELECT " COLUMNS " FROM task WHERE (?1 IS NULL OR vm=?1) AND (?2 IS NULL OR batch=?2) "
           "AND (?3<0 OR state=?3) AND (?4=0 OR id<?4) AND (?6 IS NULL OR principal=?6) "
           "ORDER BY id DESC LIMIT ?5");
    store_bind_text(q, f->vm);
    store_bind_text(q, f->batch);
    store_bind_i64(q, f->state);
    store_bind_i64(q, f->before);
    store_bind_i64(q, (int64_t)f->limit);
    store_bind_text(q, f->by);
    int r;
    bool more = true;
    while (more && (r = store_next(q)) == 1) {
        struct task t;
        read_row(q, &t);
        more = each(&t, arg);
        task_done(&t);
    }
    return more ? r : 0;
}

int task_prune(struct store *s, int64_t ended_before_ns)
{
    struct store_query *notes CLEANUP(store_query_donep) =
        store_query(s, "DELETE FROM task_note WHERE task IN (SELECT id FROM task WHERE state>1 AND "
                       "ended<?)");
    store_bind_i64(notes, ended_before_ns);
    int r = store_run(notes);
    if (r < 0)
        return r;
    struct store_query *q CLEANUP(store_query_donep) =
        store_query(s, "DELETE FROM task WHERE state>1 AND ended<?");
    store_bind_i64(q, ended_before_ns);
    return store_run(q);
}

/* JSON. */

static void put_time(struct json *j, const char *key, int64_t ns)
{
    if (ns == 0)
        return;
    json_key(j, key);
    json_ns_as_s(j, ns / NS_PER_MS * NS_PER_MS);
}

static void put_value(struct json *j, const char *key, const json_t *value)
{
    char *text = value ? json_dumps(value, JSON_COMPACT) : NULL;
    if (!text)
        return;
    json_key(j, key);
    json_raw(j, text);
    free(text);
}

static void put_progress(const struct task *t, int64_t now_ns, struct json *j)
{
    if (t->phrase)
        json_kv_string(j, "doing", t->phrase);
    if (t->state != TASK_RUNNING || t->progress < 0)
        return;
    json_kv_f64(j, "progress", round(t->progress * 1000) / 1000);
    // As much again as it has taken for what is done.
    double gone_s = (double)(now_ns - t->started_ns) / (double)NS_PER_S;
    if (t->progress > 0.02 && gone_s > 0)
        json_kv_f64(j, "eta_seconds", round(gone_s * (1 - t->progress) / t->progress));
}

void task_json(const struct task *t, bool whole, int64_t now_ns, struct json *j)
{
    json_object_begin(j);
    json_kv_i64(j, "id", t->id);
    json_kv_string(j, "deed", t->deed ? t->deed->name : "unknown");
    json_kv_string(j, "vm", t->vm);
    if (t->uuid && *t->uuid)
        json_kv_string(j, "uuid", t->uuid);
    json_kv_string(j, "state", task_state_name(t->state));
    json_kv_string(j, "by", t->principal);
    if (t->batch)
        json_kv_string(j, "batch", t->batch);
    if (t->after)
        json_kv_i64(j, "after", t->after);
    put_time(j, "created", t->created_ns);
    put_time(j, "started", t->started_ns);
    put_time(j, "ended", t->ended_ns);
    put_progress(t, now_ns, j);
    if (t->message)
        json_kv_string(j, "message", t->message);
    if (whole)
        put_value(j, "body", t->body);
    if (whole)
        put_value(j, "result", t->result);
    json_object_end(j);
}
