// SPDX-License-Identifier: GPL-3.0-or-later
// Rules at work: set up from files, state moved from an old set to a new one, when a group is due.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "rule/eval.h"

#define SELECTORS_MAX 128
#define VECTOR_TEXT_MAX 4096

const char *rule_health_name(enum rule_health h)
{
    static const char *const names[RULE_HEALTH_MAX] = {"unknown", "ok", "err"};
    return names[h];
}

bool rule_reads(const struct rule *rule, const char *metric)
{
    struct promql_selector s[SELECTORS_MAX];
    struct promql_range now = {0, 0, 0};
    size_t n = promql_selectors(rule->expr, &now, 0, s, SELECTORS_MAX);
    for (size_t i = 0; i < MIN_OF(n, (size_t)SELECTORS_MAX); i++)
        if (!s[i].metric || strcmp(s[i].metric, metric) == 0)
            return true;
    return n > SELECTORS_MAX;
}

static bool has_query(const struct rule_text *t, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strstr(t[i].source, "query"))
            return true;
    return false;
}

// Whether rule `at` may read what one before it writes: by name, where names are known.
static bool reads_earlier(const struct rule_group *g, size_t at)
{
    const struct rule *rule = &g->rule[at];
    bool alerts = false;
    if (at == 0)
        return false;
    if (has_query(rule->label, rule->n_labels) ||
        has_query(rule->annotation, rule->n_annotations) || rule->damping.clear)
        return true;
    for (size_t i = 0; i < at; i++) {
        if (g->rule[i].is_alert)
            alerts = true;
        else if (rule_reads(rule, g->rule[i].name))
            return true;
    }
    return alerts && (rule_reads(rule, "ALERTS") || rule_reads(rule, "ALERTS_FOR_STATE"));
}

// Group, kind, name and labels, and a number where that is not enough.
static char *key_of(const struct rule_group *g, const struct rule *rule, struct map *used)
{
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 60000);
    buf_printf(&b, "%s\n%s\n%s", g->name, rule->is_alert ? "alert" : "record", rule->name);
    for (size_t i = 0; i < rule->n_labels; i++)
        buf_printf(&b, "\n%s=%s", rule->label[i].name, rule->label[i].source);
    size_t bare = MIN_OF(b.len, (size_t)50000);
    char *key = mem_strndup(b.data, bare);
    for (unsigned n = 2; map_get(used, key, strlen(key)); n++) {
        free(key);
        key = mem_printf("%.*s\n#%u", (int)bare, b.data, n);
    }
    return key;
}

// Rules that compare the same vector with numbers of their own share its evaluation.
static void share_vectors(struct rule_group_run *g)
{
    struct map *count = map_new();
    for (size_t i = 0; i < g->n_runs; i++) {
        struct rule_run *run = &g->run[i];
        struct buf text;
        buf_init(&text, VECTOR_TEXT_MAX);
        bool is_one = promql_threshold(run->rule->expr, &run->threshold, &text) && !text.error;
        run->vector_text = is_one ? buf_take(&text, NULL) : NULL;
        buf_done(&text);
        if (!run->vector_text)
            continue;
        size_t len = strlen(run->vector_text);
        struct rule_run *first = map_put(count, run->vector_text, len, run);
        struct err err;
        struct rule_run *both[] = {first, run};
        for (size_t k = 0; first && k < ARRAY_LEN(both); k++)
            if (!both[k]->vector)
                (void)promql_parse(run->vector_text, len, &both[k]->vector, &err);
    }
    map_free(count);
}

static void set_up(struct rule_group_run *run, const struct rule_group *g,
                   const struct rule_env *env, struct map *used)
{
    *run = (struct rule_group_run){
        .group = g,
        .n_runs = g->n_rules,
        .interval_ms = g->interval_ms ? g->interval_ms : env->interval_ms,
        .run = mem_zalloc((g->n_rules + 1) * sizeof(struct rule_run)),
    };
    for (size_t i = 0; i < g->n_rules; i++) {
        run->run[i] = (struct rule_run){.rule = &g->rule[i]};
        run->run[i].key = key_of(g, &g->rule[i], used);
        run->run[i].reads_earlier = reads_earlier(g, i);
        map_put(used, run->run[i].key, strlen(run->run[i].key), &run->run[i]);
    }
    share_vectors(run);
}

int rule_groups_new(const struct rule_files *files, const struct rule_env *env,
                    struct rule_group_run **ret, size_t *ret_n)
{
    size_t n = 0;
    for (size_t i = 0; i < files->n; i++)
        n += files->file[i]->n_groups;
    struct rule_group_run *group = calloc(n + 1, sizeof(*group));
    if (!group)
        return -ENOMEM;
    struct map *used = map_new();
    n = 0;
    for (size_t i = 0; i < files->n; i++)
        for (size_t k = 0; k < files->file[i]->n_groups; k++)
            set_up(&group[n++], &files->file[i]->group[k], env, used);
    map_free(used);
    *ret = group;
    *ret_n = n;
    return 0;
}

static void free_written(struct rule_run *run)
{
    for (size_t i = 0; i < run->n_written; i++)
        labels_free(run->written[i]);
    free(TAKE_PTR(run->written));
    run->n_written = 0;
}

void rule_groups_free(struct rule_group_run *group, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < group[i].n_runs; k++) {
            struct rule_run *run = &group[i].run[k];
            rule_state_done(&run->state);
            free_written(run);
            promql_expr_free(run->vector);
            free(run->vector_text);
            free(run->last_error);
            free(run->key);
        }
        free(group[i].run);
    }
    free(group);
}

static void adopt(struct rule_run *to, struct rule_run *from)
{
    to->state = from->state;
    from->state = (struct rule_state){0};
    to->written = TAKE_PTR(from->written);
    to->n_written = from->n_written;
    from->n_written = 0;
    to->health = from->health;
    to->last_error = TAKE_PTR(from->last_error);
    to->last_eval_ms = from->last_eval_ms;
    to->eval_ns = from->eval_ns;
    to->evaluations = from->evaluations;
    to->failures = from->failures;
}

void rule_groups_adopt(struct rule_group_run *to, size_t n_to, struct rule_group_run *from,
                       size_t n_from)
{
    struct map *old = map_new();
    for (size_t i = 0; i < n_from; i++)
        for (size_t k = 0; k < from[i].n_runs; k++)
            map_put(old, from[i].run[k].key, strlen(from[i].run[k].key), &from[i].run[k]);
    for (size_t i = 0; i < n_to; i++) {
        for (size_t k = 0; k < to[i].n_runs; k++) {
            struct rule_run *run = map_get(old, to[i].run[k].key, strlen(to[i].run[k].key));
            if (run)
                adopt(&to[i].run[k], run);
        }
        for (size_t k = 0; k < n_from; k++)
            if (strcmp(from[k].group->name, to[i].group->name) == 0 &&
                strcmp(from[k].group->file, to[i].group->file) == 0) {
                to[i].last_eval_ms = from[k].last_eval_ms;
                to[i].eval_ns = from[k].eval_ns;
                to[i].evaluations = from[k].evaluations;
                to[i].missed = from[k].missed;
            }
    }
    map_free(old);
}

int64_t rule_group_due(const struct rule_group_run *g, int64_t now_ms)
{
    uint64_t hash = UINT64_C(1469598103934665603); // FNV-1a
    for (const char *s = g->group->name; *s; s++)
        hash = (hash ^ (unsigned char)*s) * UINT64_C(1099511628211);
    for (const char *s = g->group->file; *s; s++)
        hash = (hash ^ (unsigned char)*s) * UINT64_C(1099511628211);
    int64_t interval = MAX_OF(g->interval_ms, INT64_C(1));
    int64_t phase = (int64_t)(hash % (uint64_t)interval);
    int64_t base = now_ms - phase;
    int64_t k = base >= 0 ? base / interval : -((-base + interval - 1) / interval);
    return (k + 1) * interval + phase;
}
