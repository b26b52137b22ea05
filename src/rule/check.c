// SPDX-License-Identifier: GPL-3.0-or-later
#include "rule/check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"

#define SELECTORS_MAX 128

void rule_findings_done(struct rule_findings *f)
{
    for (size_t i = 0; i < f->n; i++)
        free(f->item[i].message);
    free(f->item);
    *f = (struct rule_findings){0};
}

static void add(struct rule_findings *f, char *message)
{
    mem_grow(&f->item, &f->cap, f->n, sizeof(*f->item));
    f->item[f->n++] = (struct rule_finding){.message = message};
}

static size_t selectors(const struct rule *rule, struct promql_selector *s)
{
    struct promql_range at = {INT64_C(1) << 50, INT64_C(1) << 50, 0};
    size_t n = promql_selectors(rule->expr, &at, 0, s, SELECTORS_MAX);
    return MIN_OF(n, (size_t)SELECTORS_MAX);
}

struct rule_cost rule_cost(const struct rule *rule, int64_t interval_ms)
{
    struct promql_selector s[SELECTORS_MAX];
    size_t n = selectors(rule, s);
    struct rule_cost cost = {.selectors = (unsigned)n};
    for (size_t i = 0; i < n; i++) {
        // What a subquery around it makes the selector read counts too.
        int64_t span = s[i].range_ms > 0 ? s[i].end_ms - s[i].start_ms : 0;
        cost.samples_per_series += 1 + (double)span / (double)MAX_OF(interval_ms, INT64_C(1));
    }
    return cost;
}

static void check_metrics(const struct rule_group *g, const struct rule *rule, struct map *recorded,
                          const struct rule_check_options *o, struct rule_findings *ret)
{
    struct promql_selector s[SELECTORS_MAX];
    size_t n = selectors(rule, s);
    for (size_t i = 0; i < n && o->is_known; i++) {
        const char *metric = s[i].metric;
        if (!metric || o->is_known(o->arg, metric) || map_get(recorded, metric, strlen(metric)))
            continue;
        const char *like = o->similar ? o->similar(o->arg, metric) : NULL;
        add(ret,
            mem_printf("%s:%d:%d: %s: no metric of vherd and no rule here is called \"%s\"%s%s%s",
                       g->file, rule->expr_line, rule->expr_column, rule->name, metric,
                       like ? "; did you mean \"" : "", like ? like : "", like ? "\"?" : ""));
    }
}

// What is left of the annotations that are named like vherd's options: none that it knows.
static void check_options(const struct rule_group *g, const struct rule *rule,
                          struct rule_findings *ret)
{
    for (size_t i = 0; i < rule->n_annotations; i++) {
        const struct rule_text *t = &rule->annotation[i];
        if (strncmp(t->name, "vherd_", 6) == 0 || strncmp(t->name, "vherd:", 6) == 0)
            add(ret, mem_printf("%s:%d:%d: %s: vherd has no option \"%s\", only vherd_clear_expr, "
                                "vherd_min_hold and vherd_flap_window; it stays an annotation",
                                g->file, t->line, t->column, rule->name, t->name));
    }
}

// Name and labels, as promtool compares rules.
static char *identity(const struct rule_group *g, const struct rule *rule)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    buf_printf(&b, "%d %s", rule->is_alert, rule->name);
    for (size_t i = 0; i < g->n_labels; i++)
        buf_printf(&b, "\n%s=%s", g->label[i].name, g->label[i].source);
    for (size_t i = 0; i < rule->n_labels; i++)
        buf_printf(&b, "\n%s=%s", rule->label[i].name, rule->label[i].source);
    return buf_take(&b, NULL);
}

static void check_twice(const struct rule_group *g, const struct rule *rule, struct map *seen,
                        struct rule_findings *ret)
{
    CLEANUP(freep) char *key = identity(g, rule);
    size_t len = key ? strlen(key) : 0;
    if (!key || len > 60000)
        return;
    const struct rule *before = map_put(seen, key, len, (void *)rule);
    if (before && !rule->is_alert)
        add(ret, mem_printf("%s:%d:%d: %s: a rule with the same name and labels stands in line %d; "
                            "their series would collide",
                            g->file, rule->line, rule->column, rule->name, before->line));
}

int rule_check(const struct rule_files *files, const struct rule_check_options *options,
               struct rule_findings *ret)
{
    struct map *recorded = map_new(), *seen = map_new();
    static const char *const made[] = {"ALERTS", "ALERTS_FOR_STATE"};
    for (size_t i = 0; i < ARRAY_LEN(made); i++)
        map_put(recorded, made[i], strlen(made[i]), (void *)made[i]);
    for (size_t i = 0; i < files->n; i++)
        for (size_t k = 0; k < files->file[i]->n_groups; k++) {
            const struct rule_group *g = &files->file[i]->group[k];
            for (size_t m = 0; m < g->n_rules; m++)
                if (!g->rule[m].is_alert)
                    map_put(recorded, g->rule[m].name, strlen(g->rule[m].name), &g->rule[m]);
        }
    for (size_t i = 0; i < files->n; i++)
        for (size_t k = 0; k < files->file[i]->n_groups; k++) {
            const struct rule_group *g = &files->file[i]->group[k];
            for (size_t m = 0; m < g->n_rules; m++) {
                check_metrics(g, &g->rule[m], recorded, options, ret);
                check_options(g, &g->rule[m], ret);
                check_twice(g, &g->rule[m], seen, ret);
            }
        }
    map_free(recorded);
    map_free(seen);
    return 0;
}
