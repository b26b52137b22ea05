// SPDX-License-Identifier: GPL-3.0-or-later
// A row for each alert that is pending, firing, or remembered; written when something of it that
// must survive changed, which is told by a hash of those fields. Values and annotations, which may
// change at each evaluation, are stored as they were then.
#include "rule/keep.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static const char *const steps[] = {
    "CREATE TABLE rule_alert ("
    " key TEXT NOT NULL, labels TEXT NOT NULL, state INTEGER NOT NULL, at INTEGER NOT NULL,"
    " annotations TEXT NOT NULL, series TEXT NOT NULL, inputs INTEGER NOT NULL,"
    " active INTEGER NOT NULL, fired INTEGER NOT NULL, resolved INTEGER NOT NULL,"
    " ends INTEGER NOT NULL, value INTEGER NOT NULL, seen INTEGER NOT NULL, gone INTEGER NOT NULL,"
    " gap INTEGER NOT NULL, keep INTEGER NOT NULL, sent INTEGER NOT NULL,"
    " fire0 INTEGER NOT NULL, fire1 INTEGER NOT NULL,"
    " PRIMARY KEY (key, labels)) WITHOUT ROWID;"
    "CREATE TABLE rule_mark (key TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE rule_transition ("
    " seq INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, was INTEGER NOT NULL,"
    " state INTEGER NOT NULL, labels TEXT NOT NULL, annotations TEXT NOT NULL,"
    " active INTEGER NOT NULL, fired INTEGER NOT NULL, resolved INTEGER NOT NULL,"
    " ends INTEGER NOT NULL, value INTEGER NOT NULL, expr TEXT NOT NULL, grp TEXT NOT NULL,"
    " file TEXT NOT NULL);"
    "CREATE INDEX rule_transition_at ON rule_transition (at);",
};

const struct store_schema rule_schema = {"rule", steps, ARRAY_LEN(steps)};

#define TEXT_MAX (512u * 1024)

static int64_t bits_of(double v)
{
    int64_t bits;
    memcpy(&bits, &v, sizeof(bits));
    return bits;
}

static double value_of(int64_t bits)
{
    double v;
    memcpy(&v, &bits, sizeof(v));
    return v;
}

static void bind_labels(struct store_query *q, const struct labels *l)
{
    struct json j;
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, TEXT_MAX);
    json_init(&j, &text);
    alert_put_labels(l, &j);
    store_bind_text(q, text.error ? "{}" : text.data);
}

static struct labels *labels_of(const char *text)
{
    struct label label[LABELS_MAX];
    size_t n = 0;
    const char *name;
    json_t *value, *all = json_loads(text ? text : "{}", 0, NULL);
    json_object_foreach(all, name, value) if (n < ARRAY_LEN(label) && json_is_string(value))
        label[n++] = (struct label){name, json_string_value(value)};
    struct labels *l = labels_new(label, n);
    json_decref(all);
    return l;
}

static uint64_t mix(uint64_t h, int64_t v)
{
    h = (h ^ (uint64_t)v) * UINT64_C(0x9e3779b97f4a7c15);
    return h ^ h >> 29;
}

// What must survive; never 0.
static uint64_t digest(const struct rule_alert *a)
{
    const int64_t fields[] = {a->alert.state,          a->alert.active_at_ms, a->alert.fired_at_ms,
                              a->alert.resolved_at_ms, a->gone_since_ms,      a->gap_since_ms,
                              a->keep_since_ms,        a->last_sent_ms,       a->fires_ms[0],
                              a->fires_ms[1]};
    uint64_t h = UINT64_C(0x243f6a8885a308d3);
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        h = mix(h, fields[i]);
    return h ? h : 1;
}

static bool has_pending(const struct rule_group_run *g)
{
    for (size_t i = 0; i < g->n_runs; i++)
        for (size_t k = 0; k < g->run[i].state.n; k++)
            if (g->run[i].state.alert[k].alert.state == ALERT_PENDING)
                return true;
    return false;
}

bool rule_keep_is_due(const struct rule_group_run *g, const struct rule_update *update)
{
    if (update->n_transitions > 0 || has_pending(g))
        return true;
    for (size_t i = 0; i < g->n_runs; i++)
        for (size_t k = 0; k < g->run[i].state.n; k++)
            if (g->run[i].state.alert[k].kept != digest(&g->run[i].state.alert[k]))
                return true;
    return false;
}

void rule_keep_saved(struct rule_group_run *g)
{
    for (size_t i = 0; i < g->n_runs; i++)
        for (size_t k = 0; k < g->run[i].state.n; k++)
            g->run[i].state.alert[k].kept = digest(&g->run[i].state.alert[k]);
}

static int finish(struct store_query *q)
{
    int r = store_next(q);
    store_query_donep(&q);
    return r < 0 ? r : 0;
}

static int save_alert(struct store *s, const char *key, const struct rule_alert *a, int64_t at)
{
    struct store_query *q = store_query(
        s, "INSERT OR REPLACE INTO rule_alert (key, labels, state, at, annotations, series, inputs,"
           " active, fired, resolved, ends, value, seen, gone, gap, keep, sent, fire0, fire1)"
           " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
    const int64_t times[] = {
        a->alert.active_at_ms,   a->alert.fired_at_ms, a->alert.resolved_at_ms, a->alert.ends_at_ms,
        bits_of(a->alert.value), a->last_seen_ms,      a->gone_since_ms,        a->gap_since_ms,
        a->keep_since_ms,        a->last_sent_ms,      a->fires_ms[0],          a->fires_ms[1]};
    store_bind_text(q, key);
    bind_labels(q, a->alert.labels);
    store_bind_i64(q, a->alert.state);
    store_bind_i64(q, at);
    bind_labels(q, a->alert.annotations);
    bind_labels(q, a->series);
    store_bind_i64(q, (int64_t)a->inputs);
    for (size_t i = 0; i < ARRAY_LEN(times); i++)
        store_bind_i64(q, times[i]);
    return finish(q);
}

static int remove_alert(struct store *s, const char *key, const struct rule_alert *a)
{
    struct store_query *q = store_query(s, "DELETE FROM rule_alert WHERE key = ? AND labels = ?");
    store_bind_text(q, key);
    bind_labels(q, a->alert.labels);
    return finish(q);
}

static int save_mark(struct store *s, const char *key, int64_t at)
{
    struct store_query *q =
        store_query(s, "INSERT OR REPLACE INTO rule_mark (key, at) VALUES (?, ?)");
    store_bind_text(q, key);
    store_bind_i64(q, at);
    return finish(q);
}

static int save_transition(struct store *s, struct alert_transition *t)
{
    const struct alert *a = &t->alert;
    struct store_query *q = store_query(
        s, "INSERT INTO rule_transition (at, was, state, labels, annotations, active, fired,"
           " resolved, ends, value, expr, grp, file) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)");
    const int64_t times[] = {a->active_at_ms, a->fired_at_ms, a->resolved_at_ms, a->ends_at_ms,
                             bits_of(a->value)};
    store_bind_i64(q, t->at_ms);
    store_bind_i64(q, t->from);
    store_bind_i64(q, a->state);
    bind_labels(q, a->labels);
    bind_labels(q, a->annotations);
    for (size_t i = 0; i < ARRAY_LEN(times); i++)
        store_bind_i64(q, times[i]);
    store_bind_text(q, a->expr);
    store_bind_text(q, a->group);
    store_bind_text(q, a->file);
    int r = finish(q);
    if (r == 0)
        t->seq = store_last_id(s);
    return r;
}

static int save_rule(struct store *s, const struct rule_run *run)
{
    int r = 0;
    bool any = false;
    for (size_t i = 0; i < run->state.n && r == 0; i++) {
        const struct rule_alert *a = &run->state.alert[i];
        any |= a->alert.state == ALERT_PENDING;
        if (a->kept == digest(a))
            continue;
        any = true;
        // One that is over without a past is forgotten.
        bool is_over = a->alert.state == ALERT_INACTIVE && !a->fires_ms[0];
        r = is_over ? remove_alert(s, run->key, a)
                    : save_alert(s, run->key, a, run->state.last_eval_ms);
    }
    return r == 0 && any ? save_mark(s, run->key, run->state.last_eval_ms) : r;
}

int rule_keep_save(struct store *s, const struct rule_group_run *g, struct rule_update *update)
{
    int r = 0;
    for (size_t i = 0; i < g->n_runs && r == 0; i++)
        if (g->run[i].rule->is_alert && g->run[i].state.n > 0)
            r = save_rule(s, &g->run[i]);
    for (size_t i = 0; i < update->n_transitions && r == 0; i++)
        r = save_transition(s, &update->transition[i]);
    return r;
}

// Columns of rule_alert from `active` on.
static void take_times(struct store_query *q, struct rule_alert *a)
{
    int64_t *const times[] = {&a->alert.active_at_ms,
                              &a->alert.fired_at_ms,
                              &a->alert.resolved_at_ms,
                              &a->alert.ends_at_ms,
                              NULL,
                              &a->last_seen_ms,
                              &a->gone_since_ms,
                              &a->gap_since_ms,
                              &a->keep_since_ms,
                              &a->last_sent_ms,
                              &a->fires_ms[0],
                              &a->fires_ms[1]};
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        int64_t v = store_i64(q, 5 + (int)i);
        if (times[i])
            *times[i] = v;
        else
            a->alert.value = value_of(v);
    }
}

static int by_fingerprint(const void *a, const void *b)
{
    uint64_t x = ((const struct rule_alert *)a)->alert.fingerprint;
    uint64_t y = ((const struct rule_alert *)b)->alert.fingerprint;
    return (x > y) - (x < y);
}

static int load_rule(struct store *s, const struct rule_group *g, struct rule_run *run)
{
    struct rule_state *state = &run->state;
    struct store_query *q = store_query(
        s,
        "SELECT labels, state, annotations, series, inputs, active, fired, resolved, ends, value,"
        " seen, gone, gap, keep, sent, fire0, fire1 FROM rule_alert WHERE key = ?");
    store_bind_text(q, run->key);
    int r;
    while ((r = store_next(q)) > 0) {
        int64_t which = store_i64(q, 1);
        struct rule_alert a = {.inputs = (uint64_t)store_i64(q, 4)};
        a.alert =
            (struct alert){.labels = labels_of(store_text(q, 0)),
                           .annotations = labels_of(store_text(q, 2)),
                           .state = which >= 0 && which < ALERT_STATE_MAX ? (enum alert_state)which
                                                                          : ALERT_INACTIVE,
                           .expr = mem_strdup(run->rule->expr_text),
                           .group = mem_strdup(g->name),
                           .file = mem_strdup(g->file)};
        a.series = labels_of(store_text(q, 3));
        take_times(q, &a);
        a.alert.fingerprint = a.alert.labels ? a.alert.labels->hash : 0;
        a.kept = digest(&a);
        mem_grow(&state->alert, &state->cap, state->n, sizeof(a));
        state->alert[state->n++] = a;
    }
    store_query_donep(&q);
    if (state->n > 1)
        qsort(state->alert, state->n, sizeof(*state->alert), by_fingerprint);
    if (r < 0 || state->n == 0)
        return r;
    q = store_query(s, "SELECT at FROM rule_mark WHERE key = ?");
    store_bind_text(q, run->key);
    r = store_next(q);
    if (r > 0)
        state->last_eval_ms = store_i64(q, 0);
    store_query_donep(&q);
    return r < 0 ? r : 0;
}

int rule_keep_load(struct store *s, struct rule_group_run *group, size_t n, struct err *err)
{
    int r = 0;
    for (size_t i = 0; i < n && r == 0; i++)
        for (size_t k = 0; k < group[i].n_runs && r == 0; k++)
            if (group[i].run[k].rule->is_alert)
                r = load_rule(s, group[i].group, &group[i].run[k]);
    return r < 0 ? err_set(err, -r, "reading alerts: %s", store_message(s)) : 0;
}

#define TRANSITION_COLUMNS                                                                         \
    "seq, at, was, state, labels, annotations, active, fired, resolved, ends, value, expr, grp, "  \
    "file"

static int walk(struct store_query *q, int (*each)(void *arg, const struct alert_transition *t),
                void *arg)
{
    int r;
    while ((r = store_next(q)) > 0) {
        struct alert_transition t = {
            .seq = store_i64(q, 0),
            .at_ms = store_i64(q, 1),
            .from =
                (enum alert_state)MIN_OF((uint64_t)store_i64(q, 2), (uint64_t)ALERT_STATE_MAX - 1),
            .alert = {.state = (enum alert_state)MIN_OF((uint64_t)store_i64(q, 3),
                                                        (uint64_t)ALERT_STATE_MAX - 1),
                      .labels = labels_of(store_text(q, 4)),
                      .annotations = labels_of(store_text(q, 5)),
                      .active_at_ms = store_i64(q, 6),
                      .fired_at_ms = store_i64(q, 7),
                      .resolved_at_ms = store_i64(q, 8),
                      .ends_at_ms = store_i64(q, 9),
                      .value = value_of(store_i64(q, 10)),
                      .expr = mem_strdup(store_text(q, 11)),
                      .group = mem_strdup(store_text(q, 12)),
                      .file = mem_strdup(store_text(q, 13))},
        };
        t.alert.fingerprint = t.alert.labels ? t.alert.labels->hash : 0;
        int stop = each(arg, &t);
        alert_done(&t.alert);
        if (stop)
            return stop;
    }
    return r;
}

int rule_keep_transitions(struct store *s, int64_t seq, size_t max,
                          int (*each)(void *arg, const struct alert_transition *t), void *arg)
{
    CLEANUP(store_query_donep)
    struct store_query *q = store_query(
        s, "SELECT " TRANSITION_COLUMNS " FROM rule_transition WHERE seq > ? ORDER BY seq LIMIT ?");
    store_bind_i64(q, seq);
    store_bind_i64(q, (int64_t)max);
    return walk(q, each, arg);
}

int rule_keep_history(struct store *s, int64_t seq, size_t max,
                      int (*each)(void *arg, const struct alert_transition *t), void *arg)
{
    CLEANUP(store_query_donep)
    struct store_query *q =
        store_query(s, "SELECT " TRANSITION_COLUMNS
                       " FROM rule_transition WHERE seq < ? ORDER BY seq DESC LIMIT ?");
    store_bind_i64(q, seq > 0 ? seq : INT64_MAX);
    store_bind_i64(q, (int64_t)max);
    return walk(q, each, arg);
}

int64_t rule_keep_last(struct store *s)
{
    CLEANUP(store_query_donep)
    struct store_query *q = store_query(s, "SELECT coalesce(max(seq), 0) FROM rule_transition");
    return store_next(q) > 0 ? store_i64(q, 0) : 0;
}

int rule_keep_sweep(struct store *s, int64_t seq, int64_t before_ms)
{
    struct store_query *q = store_query(s, "DELETE FROM rule_transition WHERE seq <= ? AND at < ?");
    store_bind_i64(q, seq);
    store_bind_i64(q, before_ms);
    int r = finish(q);
    if (r < 0)
        return r;
    q = store_query(s, "DELETE FROM rule_alert WHERE state IN (0, 3) AND resolved < ?");
    store_bind_i64(q, before_ms);
    return finish(q);
}
