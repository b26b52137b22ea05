// SPDX-License-Identifier: GPL-3.0-or-later
// promtool's test files: tables of fields.
#include "test_file.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/mem.h"
#include "base/number.h"

#define DEFAULT_INTERVAL_MS 60000

static void take_pairs(struct reader *r, const struct doc_node *n, void *to, const char *name)
{
    struct test_pairs *pairs = to;
    struct doc_walk w;
    if (n->kind != DOC_MAP) {
        reader_fail(r, n, "%s: a mapping is expected here", name);
        return;
    }
    doc_walk_begin(&w, n);
    while (doc_walk_next(&w)) {
        char *key = NULL, *value = NULL;
        if (!reader_text(r, w.key, name, &key) || !reader_text(r, w.value, name, &value)) {
            free(key);
            continue;
        }
        mem_grow(&pairs->item, &pairs->cap, pairs->n, sizeof(*pairs->item));
        pairs->item[pairs->n++] = (struct label){key, value};
    }
}

static void pairs_done(struct test_pairs *pairs)
{
    for (size_t i = 0; i < pairs->n; i++) {
        free((char *)pairs->item[i].name);
        free((char *)pairs->item[i].value);
    }
    free(pairs->item);
}

static bool is_list(struct reader *r, const struct doc_node *n, const char *name)
{
    if (n->kind == DOC_LIST)
        return true;
    reader_fail(r, n, "%s: a list is expected here", name);
    return false;
}

static void take_texts(struct reader *r, const struct doc_node *n, void *to, const char *name)
{
    struct test_texts *texts = to;
    if (!is_list(r, n, name))
        return;
    for (const struct doc_node *item = n->child; item; item = item->next) {
        char *text = NULL;
        if (!reader_text(r, doc_of(item), name, &text))
            continue;
        mem_grow(&texts->text, &texts->cap, texts->n, sizeof(char *));
        texts->text[texts->n++] = text;
    }
}

static void take_number(struct reader *r, const struct doc_node *n, void *to, const char *name)
{
    static const struct {
        const char *text;
        double v;
    } named[] = {{".nan", NAN}, {".inf", INFINITY}, {"+.inf", INFINITY}, {"-.inf", -INFINITY}};
    const char *text = n->kind == DOC_SCALAR ? n->text : "";
    for (size_t i = 0; i < ARRAY_LEN(named); i++)
        if (strcasecmp(text, named[i].text) == 0) {
            *(double *)to = named[i].v;
            return;
        }
    if (number_parse_f64(text, to) < 0)
        reader_fail(r, n, "%s: \"%s\" is not a number", name, text);
}

static void take_bool(struct reader *r, const struct doc_node *n, void *to, const char *name)
{
    const char *text = n->kind == DOC_SCALAR ? n->text : "";
    if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
        reader_fail(r, n, "%s: true or false is expected here", name);
    *(bool *)to = strcmp(text, "true") == 0;
}

// RFC 3339, or seconds since 1970.
static void take_time(struct reader *r, const struct doc_node *n, void *to, const char *name)
{
    const char *text = n->kind == DOC_SCALAR ? n->text : "";
    int64_t *ret_ms = to;
    double seconds;
    if (number_parse_f64(text, &seconds) == 0 && fabs(seconds) < 9e12) {
        *ret_ms = (int64_t)llround(seconds * 1000);
        return;
    }
    struct tm tm = {0};
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    double fraction = 0;
    char *end = (char *)rest;
    if (rest && *rest == '.')
        fraction = strtod(rest, &end);
    int64_t offset = 0;
    int hours, minutes, used = 0;
    bool ok = rest && *end == 'Z' && end[1] == '\0';
    if (rest && !ok && (*end == '+' || *end == '-') &&
        sscanf(end + 1, "%2d:%2d%n", &hours, &minutes, &used) == 2 && end[1 + used] == '\0') {
        offset = (hours * 3600 + minutes * 60) * (*end == '-' ? -1 : 1);
        ok = true;
    }
    if (!ok)
        reader_fail(r, n, "%s: \"%s\" is no time (RFC 3339, or seconds since 1970)", name, text);
    else
        *ret_ms = ((int64_t)timegm(&tm) - offset) * 1000 + (int64_t)(fraction * 1000);
}

static const struct reader_field series_fields[] = {
    {"series", reader_take_text, offsetof(struct test_series, series)},
    {"values", reader_take_text, offsetof(struct test_series, values)},
};

static void take_series(struct reader *r, const struct doc_node *n, void *to, const char *name)
{
    struct test_group *g = to;
    if (!is_list(r, n, name))
        return;
    for (const struct doc_node *item = n->child; item; item = item->next) {
        mem_grow(&g->series, &g->cap_series, g->n_series, sizeof(*g->series));
        struct test_series *s = &g->series[g->n_series++];
        *s = (struct test_series){.line = item->line};
        reader_object(r, item, series_fields, ARRAY_LEN(series_fields), s, "series");
    }
}

static const struct reader_field expected_alert_fields[] = {
    {"exp_labels", take_pairs, offsetof(struct test_alert, labels)},
    {"exp_annotations", take_pairs, offsetof(struct test_alert, annotations)},
};

static void take_expected_alerts(struct reader *r, const struct doc_node *n, void *to,
                                 const char *name)
{
    struct test_alert_case *c = to;
    if (!is_list(r, n, name))
        return;
    for (const struct doc_node *item = n->child; item; item = item->next) {
        mem_grow(&c->expected, &c->cap, c->n, sizeof(*c->expected));
        struct test_alert *a = &c->expected[c->n++];
        *a = (struct test_alert){0};
        reader_object(r, item, expected_alert_fields, ARRAY_LEN(expected_alert_fields), a, "alert");
    }
}

static const struct reader_field alert_fields[] = {
    {"eval_time", reader_take_duration, offsetof(struct test_alert_case, eval_ms)},
    {"alertname", reader_take_text, offsetof(struct test_alert_case, alertname)},
    {"exp_alerts", take_expected_alerts, 0},
};

static void take_alerts(struct reader *r, const struct doc_node *n, void *to, const char *name)
{
    struct test_group *g = to;
    if (!is_list(r, n, name))
        return;
    for (const struct doc_node *item = n->child; item; item = item->next) {
        mem_grow(&g->alert, &g->cap_alerts, g->n_alerts, sizeof(*g->alert));
        struct test_alert_case *c = &g->alert[g->n_alerts++];
        *c = (struct test_alert_case){.line = item->line};
        reader_object(r, item, alert_fields, ARRAY_LEN(alert_fields), c, "alert test");
        if (!c->alertname || !*c->alertname)
            reader_fail(r, item,
                        "an item under alert_rule_test misses required attribute alertname");
    }
}

static const struct reader_field sample_fields[] = {
    {"labels", reader_take_text, offsetof(struct test_sample, labels)},
    {"value", take_number, offsetof(struct test_sample, value)},
    {"histogram", reader_take_text, offsetof(struct test_sample, histogram)},
};

static void take_samples(struct reader *r, const struct doc_node *n, void *to, const char *name)
{
    struct test_expr_case *c = to;
    if (!is_list(r, n, name))
        return;
    for (const struct doc_node *item = n->child; item; item = item->next) {
        mem_grow(&c->expected, &c->cap, c->n, sizeof(*c->expected));
        struct test_sample *s = &c->expected[c->n++];
        *s = (struct test_sample){0};
        reader_object(r, item, sample_fields, ARRAY_LEN(sample_fields), s, "sample");
    }
}

static const struct reader_field expr_fields[] = {
    {"expr", reader_take_text, offsetof(struct test_expr_case, expr)},
    {"eval_time", reader_take_duration, offsetof(struct test_expr_case, eval_ms)},
    {"exp_samples", take_samples, 0},
};

static void take_exprs(struct reader *r, const struct doc_node *n, void *to, const char *name)
{
    struct test_group *g = to;
    if (!is_list(r, n, name))
        return;
    for (const struct doc_node *item = n->child; item; item = item->next) {
        mem_grow(&g->expr, &g->cap_exprs, g->n_exprs, sizeof(*g->expr));
        struct test_expr_case *c = &g->expr[g->n_exprs++];
        *c = (struct test_expr_case){.line = item->line};
        reader_object(r, item, expr_fields, ARRAY_LEN(expr_fields), c, "expression test");
    }
}

static const struct reader_field group_fields[] = {
    {"name", reader_take_text, offsetof(struct test_group, name)},
    {"interval", reader_take_duration, offsetof(struct test_group, interval_ms)},
    {"start_timestamp", take_time, offsetof(struct test_group, start_ms)},
    {"input_series", take_series, 0},
    {"alert_rule_test", take_alerts, 0},
    {"promql_expr_test", take_exprs, 0},
    {"external_labels", take_pairs, offsetof(struct test_group, external_labels)},
    {"external_url", reader_take_text, offsetof(struct test_group, external_url)},
};

static void take_groups(struct reader *r, const struct doc_node *n, void *to, const char *name)
{
    struct test_file *f = to;
    if (!is_list(r, n, name))
        return;
    for (const struct doc_node *item = n->child; item; item = item->next) {
        mem_grow(&f->group, &f->cap, f->n, sizeof(*f->group));
        struct test_group *g = &f->group[f->n++];
        *g = (struct test_group){.line = item->line};
        reader_object(r, item, group_fields, ARRAY_LEN(group_fields), g, "test");
    }
}

static const struct reader_field file_fields[] = {
    {"rule_files", take_texts, offsetof(struct test_file, rule_files)},
    {"evaluation_interval", reader_take_duration, offsetof(struct test_file, interval_ms)},
    {"group_eval_order", take_texts, offsetof(struct test_file, order)},
    {"fuzzy_compare", take_bool, offsetof(struct test_file, is_fuzzy)},
    {"tests", take_groups, 0},
};

int test_file_read(const char *path, const char *text, size_t len, struct test_file *ret,
                   struct rule_errors *errors)
{
    struct doc doc;
    struct err err = {0};
    struct reader r = {.name = path, .errors = errors};
    *ret = (struct test_file){0};
    int e = doc_read(path, text, len, &doc, &err);
    if (e < 0) {
        struct err *to = reader_new_error(errors);
        if (to)
            *to = err;
    } else {
        reader_object(&r, doc.root, file_fields, ARRAY_LEN(file_fields), ret, "test file");
    }
    doc_done(&doc);
    if (ret->interval_ms == 0)
        ret->interval_ms = DEFAULT_INTERVAL_MS;
    return errors->n > 0 ? -EINVAL : 0;
}

static void group_done(struct test_group *g)
{
    for (size_t i = 0; i < g->n_series; i++) {
        free(g->series[i].series);
        free(g->series[i].values);
    }
    for (size_t i = 0; i < g->n_alerts; i++) {
        for (size_t k = 0; k < g->alert[i].n; k++) {
            pairs_done(&g->alert[i].expected[k].labels);
            pairs_done(&g->alert[i].expected[k].annotations);
        }
        free(g->alert[i].expected);
        free(g->alert[i].alertname);
    }
    for (size_t i = 0; i < g->n_exprs; i++) {
        for (size_t k = 0; k < g->expr[i].n; k++) {
            free(g->expr[i].expected[k].labels);
            free(g->expr[i].expected[k].histogram);
        }
        free(g->expr[i].expected);
        free(g->expr[i].expr);
    }
    free(g->series);
    free(g->alert);
    free(g->expr);
    pairs_done(&g->external_labels);
    free(g->external_url);
    free(g->name);
}

static void texts_done(struct test_texts *t)
{
    for (size_t i = 0; i < t->n; i++)
        free(t->text[i]);
    free(t->text);
}

void test_file_done(struct test_file *f)
{
    for (size_t i = 0; i < f->n; i++)
        group_done(&f->group[i]);
    free(f->group);
    texts_done(&f->rule_files);
    texts_done(&f->order);
    *f = (struct test_file){0};
}
