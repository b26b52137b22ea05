// SPDX-License-Identifier: GPL-3.0-or-later
#include "make.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define TEMPLATE_LABELS_MAX LABELS_MAX

int labels_by_hash(const void *a, const void *b)
{
    const struct labels *x = *(struct labels *const *)a, *y = *(struct labels *const *)b;
    return x->hash != y->hash ? (x->hash > y->hash ? 1 : -1) : labels_compare(x, y);
}

bool labels_any_twice(struct labels **l, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (labels_by_hash(&l[i - 1], &l[i]) == 0)
            return true;
    return false;
}

struct element element_of(const struct promql_result *result, size_t i)
{
    if (result->type == PROMQL_SCALAR)
        return (struct element){NULL, result->scalar};
    return (struct element){result->series[i].labels, result->series[i].v[0]};
}

size_t elements(const struct promql_result *result)
{
    return result->type == PROMQL_SCALAR ? 1 : result->n;
}

// Labels under construction: a few names, set or taken out.
struct builder {
    struct label label[TEMPLATE_LABELS_MAX + 8];
    size_t n;
};

static void builder_set(struct builder *b, const char *name, const char *value)
{
    for (size_t i = 0; i < b->n; i++)
        if (strcmp(b->label[i].name, name) == 0) {
            b->label[i].value = value;
            return;
        }
    if (b->n < ARRAY_LEN(b->label))
        b->label[b->n++] = (struct label){name, value};
}

static void builder_init(struct builder *b, const struct labels *from, bool with_name)
{
    b->n = 0;
    for (uint32_t i = 0; from && i < from->n; i++)
        if (with_name || strcmp(from->label[i].name, LABEL_METRIC_NAME) != 0)
            b->label[b->n++] = from->label[i];
}

struct labels *make_record(const struct rule_group *g, const struct rule *rule,
                           const struct labels *from)
{
    struct builder b;
    builder_init(&b, from, false);
    builder_set(&b, LABEL_METRIC_NAME, rule->name);
    for (size_t i = 0; i < g->n_labels; i++)
        builder_set(&b, g->label[i].name, g->label[i].source);
    for (size_t i = 0; i < rule->n_labels; i++)
        builder_set(&b, rule->label[i].name, rule->label[i].source);
    return labels_new(b.label, b.n);
}

static char *expand(const struct rule_text *t, const struct rule_template_env *env)
{
    struct err err = {0};
    struct buf out;
    if (!t->template || rule_template_is_constant(t->template))
        return mem_strdup(t->source);
    buf_init(&out, RULE_EXPANDED_MAX * 2);
    if (rule_template_expand(t->template, env, &out, &err) < 0) {
        buf_done(&out);
        return mem_printf("<error expanding template: %s>", err.message);
    }
    char *text = buf_take(&out, NULL);
    return text ? text : mem_strdup("");
}

static struct labels *expand_all(struct builder *b, const struct rule_text *const *lists,
                                 const size_t *n_of, size_t n_lists,
                                 const struct rule_template_env *env, const char *alertname)
{
    char *text[TEMPLATE_LABELS_MAX];
    size_t n = 0;
    for (size_t k = 0; k < n_lists; k++)
        for (size_t i = 0; i < n_of[k] && n < ARRAY_LEN(text); i++) {
            text[n] = expand(&lists[k][i], env);
            builder_set(b, lists[k][i].name, text[n++]);
        }
    if (alertname)
        builder_set(b, "alertname", alertname);
    struct labels *l = labels_new(b->label, b->n);
    while (n > 0)
        free(text[--n]);
    return l;
}

int make_alert(const struct make_params *p, const struct labels *from, double v,
               struct rule_seen_alert *ret, struct err *err)
{
    const struct rule_text *const lists[] = {p->group->label, p->rule->label};
    const size_t n_of[] = {p->group->n_labels, p->rule->n_labels};
    struct rule_template_env env = {
        .labels = from,
        .external_labels = p->env->external_labels,
        .external_url = p->env->external_url,
        .value = v,
        .now_ms = p->now_ms,
        .query = p->query,
        .arg = p->arg,
    };
    struct builder b;
    builder_init(&b, from, false);
    ret->value = v;
    ret->series = labels_new(b.label, b.n);
    ret->labels = expand_all(&b, lists, n_of, 2, &env, p->rule->name);
    b.n = 0;
    ret->annotations = expand_all(&b, (const struct rule_text *const[]){p->rule->annotation},
                                  (const size_t[]){p->rule->n_annotations},
                                  p->without_annotations ? 0 : 1, &env, NULL);
    if (!ret->series || !ret->labels || !ret->annotations)
        return err_set(err, E2BIG, "labels or annotations are too large");
    return 0;
}

struct labels *make_state(const struct alert *a, const char *name, const char *state)
{
    struct builder b;
    builder_init(&b, a->labels, true);
    builder_set(&b, LABEL_METRIC_NAME, name);
    if (state)
        builder_set(&b, "alertstate", state);
    return labels_new(b.label, b.n);
}
