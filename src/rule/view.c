// SPDX-License-Identifier: GPL-3.0-or-later
// Rules and alerts as Prometheus' API shows them.
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/number.h"
#include "rule/eval.h"

static void put_time(struct json *j, const char *key, int64_t ms)
{
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 64);
    if (ms)
        alert_put_time(&text, ms);
    else
        buf_puts(&text, "0001-01-01T00:00:00Z");
    json_kv_string(j, key, text.data);
}

// strconv.FormatFloat(v, 'e', -1, 64)
static void put_value(struct json *j, double v)
{
    char text[40];
    double again;
    if (isnan(v))
        (void)snprintf(text, sizeof(text), "NaN");
    else if (isinf(v))
        (void)snprintf(text, sizeof(text), v < 0 ? "-Inf" : "+Inf");
    else
        for (int precision = 0; precision < 17; precision++) {
            (void)snprintf(text, sizeof(text), "%.*e", precision, v);
            if (number_parse_f64(text, &again) == 0 && again == v)
                break;
        }
    json_kv_string(j, "value", text);
}

static void put_alert(const struct rule_alert *a, struct json *j)
{
    json_object_begin(j);
    json_key(j, "labels");
    alert_put_labels(a->alert.labels, j);
    json_key(j, "annotations");
    alert_put_labels(a->alert.annotations, j);
    json_kv_string(j, "state", alert_state_name(a->alert.state));
    put_time(j, "activeAt", a->alert.active_at_ms);
    if (a->keep_since_ms)
        put_time(j, "keepFiringSince", a->keep_since_ms);
    put_value(j, a->alert.value);
    json_object_end(j);
}

static bool is_shown(const struct rule_alert *a)
{
    return a->alert.state == ALERT_PENDING || a->alert.state == ALERT_FIRING;
}

static enum alert_state state_of(const struct rule_state *s)
{
    enum alert_state most = ALERT_INACTIVE;
    for (size_t i = 0; i < s->n; i++)
        if (is_shown(&s->alert[i]) && s->alert[i].alert.state > most)
            most = s->alert[i].alert.state;
    return most;
}

// The group's labels and the rule's own, which win.
static void put_texts(const struct rule_text *a, size_t n_a, const struct rule_text *b, size_t n_b,
                      struct json *j)
{
    json_object_begin(j);
    for (size_t i = 0; i < n_a; i++) {
        bool is_hidden = false;
        for (size_t k = 0; k < n_b; k++)
            is_hidden |= strcmp(a[i].name, b[k].name) == 0;
        if (!is_hidden)
            json_kv_string(j, a[i].name, a[i].source);
    }
    for (size_t i = 0; i < n_b; i++)
        json_kv_string(j, b[i].name, b[i].source);
    json_object_end(j);
}

static void put_alerting(const struct rule_run *run, bool exclude_alerts, struct json *j)
{
    const struct rule *rule = run->rule;
    json_kv_string(j, "state", alert_state_name(state_of(&run->state)));
    json_kv_f64(j, "duration", (double)rule->for_ms / 1000);
    json_kv_f64(j, "keepFiringFor", (double)rule->keep_firing_for_ms / 1000);
    json_key(j, "annotations");
    put_texts(NULL, 0, rule->annotation, rule->n_annotations, j);
    json_key(j, "alerts");
    json_array_begin(j);
    for (size_t i = 0; i < run->state.n && !exclude_alerts; i++)
        if (is_shown(&run->state.alert[i]))
            put_alert(&run->state.alert[i], j);
    json_array_end(j);
}

static void put_rule(const struct rule_group *g, const struct rule_run *run, bool exclude_alerts,
                     struct json *j)
{
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 4 * PROMQL_TEXT_MAX);
    promql_print(run->rule->expr, &text);
    json_object_begin(j);
    json_kv_string(j, "name", run->rule->name);
    json_kv_string(j, "query", text.data);
    json_key(j, "labels");
    put_texts(g->label, g->n_labels, run->rule->label, run->rule->n_labels, j);
    if (run->rule->is_alert)
        put_alerting(run, exclude_alerts, j);
    json_kv_string(j, "health", rule_health_name(run->health));
    if (run->last_error)
        json_kv_string(j, "lastError", run->last_error);
    json_kv_f64(j, "evaluationTime", (double)run->eval_ns / 1e9);
    put_time(j, "lastEvaluation", run->last_eval_ms);
    json_kv_string(j, "type", run->rule->is_alert ? "alerting" : "recording");
    json_object_end(j);
}

/* What a filter leaves. */

static bool is_among(const struct rule_words *words, const char *text)
{
    for (size_t i = 0; i < words->n; i++)
        if (strcmp(words->text[i], text) == 0)
            return true;
    return words->n == 0;
}

static bool labels_fit(const struct rule_filter *f, const struct rule_group *g,
                       const struct rule *rule)
{
    struct label label[LABELS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < rule->n_labels && n < LABELS_MAX; i++)
        label[n++] = (struct label){rule->label[i].name, rule->label[i].source};
    size_t own = n;
    for (size_t i = 0; i < g->n_labels && n < LABELS_MAX; i++) {
        bool is_hidden = false;
        for (size_t k = 0; k < own; k++)
            is_hidden |= strcmp(label[k].name, g->label[i].name) == 0;
        if (!is_hidden)
            label[n++] = (struct label){g->label[i].name, g->label[i].source};
    }
    struct labels *l = labels_new(label, n);
    bool fit = l && f->labels(f->arg, l);
    labels_free(l);
    return fit;
}

static bool shows_rule(const struct rule_filter *f, const struct rule_group *g,
                       const struct rule *rule)
{
    return (!f->type || rule->is_alert == (strcmp(f->type, "alert") == 0)) &&
           is_among(&f->names, rule->name) && (!f->labels || labels_fit(f, g, rule));
}

static bool shows_group(const struct rule_filter *f, const struct rule_group_run *g)
{
    if (!is_among(&f->groups, g->group->name) || !is_among(&f->files, g->group->file))
        return false;
    for (size_t k = 0; k < g->n_runs; k++)
        if (shows_rule(f, g->group, g->run[k].rule))
            return true;
    return false;
}

// What names a group to who asks for the rest of a long answer.
static void group_token(const struct rule_group *g, char ret[17])
{
    const struct label label[] = {{"file", g->file}, {"group", g->name}};
    struct labels *l = labels_new(label, ARRAY_LEN(label));
    (void)snprintf(ret, 17, "%016" PRIx64, l ? l->hash : 0);
    labels_free(l);
}

static void put_group(const struct rule_group_run *g, const struct rule_filter *f, struct json *j)
{
    json_object_begin(j);
    json_kv_string(j, "name", g->group->name);
    json_kv_string(j, "file", g->group->file);
    json_key(j, "rules");
    json_array_begin(j);
    for (size_t k = 0; k < g->n_runs; k++)
        if (shows_rule(f, g->group, g->run[k].rule))
            put_rule(g->group, &g->run[k], f->exclude_alerts, j);
    json_array_end(j);
    json_kv_f64(j, "interval", (double)g->interval_ms / 1000);
    json_kv_i64(j, "limit", g->group->limit);
    json_kv_f64(j, "evaluationTime", (double)g->eval_ns / 1e9);
    put_time(j, "lastEvaluation", g->last_eval_ms);
    json_object_end(j);
}

// The group that a token names; n: none.
static size_t find_token(const struct rule_group_run *group, size_t n, const char *token)
{
    char text[17];
    size_t i = 0;
    for (; i < n; i++) {
        group_token(group[i].group, text);
        if (strcmp(text, token) == 0)
            break;
    }
    return i;
}

int rule_groups_put(const struct rule_group_run *group, size_t n, const struct rule_filter *filter,
                    struct json *j)
{
    char next[17] = "";
    size_t first = filter->group_token ? find_token(group, n, filter->group_token) : 0, shown = 0;
    if (filter->group_token && first == n)
        return -ENOENT;
    json_object_begin(j);
    json_key(j, "groups");
    json_array_begin(j);
    for (size_t i = first; i < n && !*next; i++) {
        if (!shows_group(filter, &group[i]))
            continue;
        if (filter->group_limit && shown++ == filter->group_limit)
            group_token(group[i].group, next);
        else
            put_group(&group[i], filter, j);
    }
    json_array_end(j);
    if (*next)
        json_kv_string(j, "groupNextToken", next);
    json_object_end(j);
    return 0;
}

void rule_alerts_put(const struct rule_group_run *group, size_t n,
                     bool (*may)(const void *arg, const struct labels *l), const void *arg,
                     struct json *j)
{
    json_object_begin(j);
    json_key(j, "alerts");
    json_array_begin(j);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < group[i].n_runs; k++) {
            const struct rule_state *s = &group[i].run[k].state;
            for (size_t m = 0; m < s->n; m++)
                if (is_shown(&s->alert[m]) && may(arg, s->alert[m].alert.labels))
                    put_alert(&s->alert[m], j);
        }
    json_array_end(j);
    json_object_end(j);
}
