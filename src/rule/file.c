// SPDX-License-Identifier: GPL-3.0-or-later
// From a tree of YAML to groups and rules. Each object has a table of its fields; what is wrong is
// collected, so that a person sees all of it at once.
#include "rule/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/esc.h"
#include "base/fs.h"
#include "base/map.h"
#include "base/mem.h"
#include "doc.h"
#include "reader.h"

#define ERRORS_MAX 100

void rule_errors_done(struct rule_errors *e)
{
    free(e->err);
    *e = (struct rule_errors){0};
}

void reader_fail(struct reader *r, const struct doc_node *n, const char *format, ...)
{
    struct err *err = reader_new_error(r->errors);
    if (!err)
        return;
    va_list args;
    char text[900];
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    int line = n ? n->line : 1, column = n ? n->column : 1;
    err_set_at(err, EINVAL, line, column, "%s:%d:%d: %s", r->name, line, column, text);
}

struct err *reader_new_error(struct rule_errors *e)
{
    if (e->n == ERRORS_MAX)
        return NULL;
    mem_grow(&e->err, &e->cap, e->n, sizeof(*e->err));
    e->err[e->n] = (struct err){0};
    return &e->err[e->n++];
}

bool reader_text(struct reader *r, const struct doc_node *n, const char *what, char **ret)
{
    if (n->kind != DOC_SCALAR) {
        reader_fail(r, n, "%s: a text is expected here", what);
        return false;
    }
    free(*ret);
    *ret = mem_strdup(doc_is_null(n) ? "" : n->text);
    return true;
}

bool reader_duration(struct reader *r, const struct doc_node *n, const char *what, int64_t *ret_ms)
{
    if (n->kind == DOC_SCALAR && promql_duration_parse(n->text, n->len, false, ret_ms) == 0)
        return true;
    reader_fail(r, n, "%s: not a valid duration string: \"%s\"", what,
                n->kind == DOC_SCALAR ? n->text : "");
    return false;
}

void reader_object(struct reader *r, const struct doc_node *map, const struct reader_field *field,
                   size_t n_fields, void *base, const char *what)
{
    map = doc_of(map);
    if (!map || doc_is_null(map))
        return;
    if (map->kind != DOC_MAP) {
        reader_fail(r, map, "%s: a mapping is expected here", what);
        return;
    }
    const struct doc_node *twice = doc_twice(map);
    if (twice)
        reader_fail(r, twice, "\"%s\" stands twice in this %s", doc_of(twice)->text, what);
    struct doc_walk w;
    doc_walk_begin(&w, map);
    while (doc_walk_next(&w)) {
        const struct reader_field *f = NULL;
        for (size_t i = 0; i < n_fields && w.key->kind == DOC_SCALAR && !f; i++)
            if (strcmp(field[i].name, w.key->text) == 0)
                f = &field[i];
        if (!f)
            reader_fail(r, w.key, "field %s not found in a %s",
                        w.key->kind == DOC_SCALAR ? w.key->text : "", what);
        else if (!doc_is_null(w.value) || f->takes_null)
            f->read(r, w.value, (char *)base + f->offset, f->name);
    }
}

void reader_take_text(struct reader *r, const struct doc_node *n, void *to, const char *name)
{
    (void)reader_text(r, n, name, to);
}

void reader_take_duration(struct reader *r, const struct doc_node *n, void *to, const char *name)
{
    (void)reader_duration(r, n, name, to);
}

static bool is_utf8(const char *s)
{
    size_t len = strlen(s);
    for (size_t at = 0; at < len;) {
        size_t n = esc_utf8_next(s + at, len - at, NULL);
        if (n == 0)
            return false;
        at += n;
    }
    return true;
}

// Rules

struct texts {
    struct rule_text *item;
    size_t n, cap;
};

// A rule while it is being read.
struct draft {
    struct rule rule;
    char *record, *alert;
    struct texts labels, annotations;
    const struct doc_node *node, *expr, *record_at;
    bool has_for, has_keep;
};

static void text_done(struct rule_text *t)
{
    free(t->name);
    free(t->source);
    rule_template_free(t->template);
}

static void texts_done(struct rule_text *item, size_t n)
{
    for (size_t i = 0; i < n; i++)
        text_done(&item[i]);
    free(item);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct rule_text *)a)->name, ((const struct rule_text *)b)->name);
}

static void take_texts(struct reader *r, const struct doc_node *n, void *to, const char *name)
{
    struct texts *texts = to;
    if (n->kind != DOC_MAP) {
        reader_fail(r, n, "%s: a mapping is expected here", name);
        return;
    }
    const struct doc_node *twice = doc_twice(n);
    if (twice)
        reader_fail(r, twice, "\"%s\" stands twice in %s", doc_of(twice)->text, name);
    struct doc_walk w;
    doc_walk_begin(&w, n);
    while (doc_walk_next(&w)) {
        struct rule_text t = {.line = w.value->line, .column = w.value->column};
        if (!reader_text(r, w.key, name, &t.name) || !reader_text(r, w.value, name, &t.source)) {
            text_done(&t);
            continue;
        }
        mem_grow(&texts->item, &texts->cap, texts->n, sizeof(t));
        texts->item[texts->n++] = t;
    }
    if (texts->n > 1)
        qsort(texts->item, texts->n, sizeof(*texts->item), by_name);
}

static void take_expr(struct reader *r, const struct doc_node *n, void *to, const char *name)
{
    struct draft *d = to;
    d->expr = n;
    (void)reader_text(r, n, name, &d->rule.expr_text);
}

static void take_record(struct reader *r, const struct doc_node *n, void *to, const char *name)
{
    struct draft *d = to;
    d->record_at = n;
    (void)reader_text(r, n, name, &d->record);
}

static void take_for(struct reader *r, const struct doc_node *n, void *to, const char *name)
{
    struct draft *d = to;
    d->has_for = reader_duration(r, n, name, &d->rule.for_ms) && d->rule.for_ms != 0;
}

static void take_keep(struct reader *r, const struct doc_node *n, void *to, const char *name)
{
    struct draft *d = to;
    d->has_keep =
        reader_duration(r, n, name, &d->rule.keep_firing_for_ms) && d->rule.keep_firing_for_ms != 0;
}

static const struct reader_field rule_fields[] = {
    {"record", take_record, 0},
    {"alert", reader_take_text, offsetof(struct draft, alert)},
    {"expr", take_expr, 0},
    {"for", take_for, 0},
    {"keep_firing_for", take_keep, 0},
    {"labels", take_texts, offsetof(struct draft, labels)},
    {"annotations", take_texts, offsetof(struct draft, annotations)},
};

static struct doc_node place_of(const struct rule_text *t)
{
    return (struct doc_node){.line = t->line, .column = t->column};
}

static void check_texts(struct reader *r, const struct texts *texts, bool is_label)
{
    for (size_t i = 0; i < texts->n; i++) {
        const struct rule_text *t = &texts->item[i];
        struct doc_node at = place_of(t);
        if (!*t->name || !is_utf8(t->name) || (is_label && strcmp(t->name, LABEL_METRIC_NAME) == 0))
            reader_fail(r, &at, "invalid %s name: %s", is_label ? "label" : "annotation", t->name);
        else if (!is_utf8(t->source))
            reader_fail(r, &at, "%s: invalid value: not UTF-8", t->name);
    }
}

static void parse_templates(struct reader *r, const struct texts *texts, const char *what)
{
    for (size_t i = 0; i < texts->n; i++) {
        struct rule_text *t = &texts->item[i];
        struct err err = {0};
        if (rule_template_parse(t->source, strlen(t->source), &t->template, &err) < 0) {
            struct doc_node at = place_of(t);
            reader_fail(r, &at, "%s \"%s\": %s", what, t->name, err.message);
        }
    }
}

// Where in the file a place in a scalar's text is; of folded texts only the scalar's own.
static struct doc_node place_in(const struct doc_node *n, const struct err *err)
{
    struct doc_node at = {.line = n->line, .column = n->column};
    if (n->is_block)
        at.line += err->line;
    else if (err->line == 1 && err->column > 0)
        at.column += err->column - 1 + !n->is_plain;
    return at;
}

static bool parse_expr(struct reader *r, const struct doc_node *n, const char *text,
                       struct promql_expr **ret)
{
    struct err err = {0};
    if (promql_parse(text, strlen(text), ret, &err) == 0)
        return true;
    struct doc_node at = place_in(n, &err);
    reader_fail(r, &at, "could not parse expression: %s", err.message);
    return false;
}

static void damping_duration(struct reader *r, const struct rule_text *t, int64_t *ret_ms)
{
    struct doc_node at = place_of(t);
    if (promql_duration_parse(t->source, strlen(t->source), false, ret_ms) < 0)
        reader_fail(r, &at, "%s: not a valid duration string: \"%s\"", t->name, t->source);
}

// "vherd:min_hold", or as Prometheus 2 lets annotations be called: "vherd_min_hold".
static bool is_option(const char *annotation, const char *name)
{
    return strncmp(annotation, "vherd", 5) == 0 && (annotation[5] == ':' || annotation[5] == '_') &&
           strcmp(annotation + 6, name) == 0;
}

bool rule_is_option(const char *annotation)
{
    return is_option(annotation, "clear_expr") || is_option(annotation, "min_hold") ||
           is_option(annotation, "flap_window");
}

// Takes vherd's own options out of the annotations.
static void take_damping(struct reader *r, struct draft *d)
{
    size_t kept = 0;
    for (size_t i = 0; i < d->annotations.n; i++) {
        struct rule_text *t = &d->annotations.item[i];
        struct doc_node at = place_of(t);
        if (is_option(t->name, "clear_expr"))
            (void)parse_expr(r, &at, t->source, &d->rule.damping.clear);
        else if (is_option(t->name, "min_hold"))
            damping_duration(r, t, &d->rule.damping.min_hold_ms);
        else if (is_option(t->name, "flap_window"))
            damping_duration(r, t, &d->rule.damping.flap_window_ms);
        else {
            d->annotations.item[kept++] = *t;
            continue;
        }
        text_done(t);
    }
    d->annotations.n = kept;
}

static void check_record(struct reader *r, const struct draft *d)
{
    if (d->annotations.n > 0)
        reader_fail(r, d->node, "invalid field 'annotations' in recording rule");
    if (d->has_for)
        reader_fail(r, d->node, "invalid field 'for' in recording rule");
    if (d->has_keep)
        reader_fail(r, d->node, "invalid field 'keep_firing_for' in recording rule");
    if (!is_utf8(d->record))
        reader_fail(r, d->record_at, "invalid recording rule name: not UTF-8");
    if (strpbrk(d->record, "{}"))
        reader_fail(r, d->record_at,
                    "braces present in the recording rule name; should it be in expr?: %s",
                    d->record);
}

static void check_rule(struct reader *r, struct draft *d)
{
    bool has_record = d->record && *d->record, has_alert = d->alert && *d->alert;
    if (has_record && has_alert)
        reader_fail(r, d->node, "only one of 'record' and 'alert' must be set");
    if (!has_record && !has_alert)
        reader_fail(r, d->node, "one of 'record' or 'alert' must be set");
    if (!d->rule.expr_text || !*d->rule.expr_text)
        reader_fail(r, d->node, "field 'expr' must be set in rule");
    else
        (void)parse_expr(r, d->expr, d->rule.expr_text, &d->rule.expr);
    if (d->rule.expr && promql_expr_type(d->rule.expr) != PROMQL_VECTOR &&
        promql_expr_type(d->rule.expr) != PROMQL_SCALAR)
        reader_fail(r, d->expr, "the expression gives a %s, not a vector or a number",
                    promql_type_name(promql_expr_type(d->rule.expr)));
    if (has_record)
        check_record(r, d);
    check_texts(r, &d->labels, true);
    check_texts(r, &d->annotations, false);
    d->rule.is_alert = has_alert;
    if (has_alert) {
        take_damping(r, d);
        parse_templates(r, &d->labels, "label");
        parse_templates(r, &d->annotations, "annotation");
    }
}

static void rule_done(struct rule *rule)
{
    free(rule->name);
    free(rule->expr_text);
    promql_expr_free(rule->expr);
    promql_expr_free(rule->damping.clear);
    texts_done(rule->label, rule->n_labels);
    texts_done(rule->annotation, rule->n_annotations);
}

static void take_rule(struct reader *r, const struct doc_node *n, struct rule *rule)
{
    struct draft d = {.node = n};
    reader_object(r, n, rule_fields, ARRAY_LEN(rule_fields), &d, "rule");
    check_rule(r, &d);
    d.rule.name = TAKE_PTR(*(d.rule.is_alert ? &d.alert : &d.record));
    if (!d.rule.name)
        d.rule.name = mem_strdup("");
    free(d.alert);
    free(d.record);
    d.rule.label = d.labels.item;
    d.rule.n_labels = d.labels.n;
    d.rule.annotation = d.annotations.item;
    d.rule.n_annotations = d.annotations.n;
    d.rule.line = n->line;
    d.rule.column = n->column;
    if (d.expr) {
        d.rule.expr_line = d.expr->line + d.expr->is_block;
        d.rule.expr_column = d.expr->column;
    }
    *rule = d.rule;
}

// Groups

struct group_draft {
    struct rule_group group;
    struct texts labels;
    size_t cap;
};

static void take_rules(struct reader *r, const struct doc_node *n, void *to, const char *name)
{
    struct group_draft *d = to;
    if (n->kind != DOC_LIST) {
        reader_fail(r, n, "%s: a list is expected here", name);
        return;
    }
    for (const struct doc_node *item = n->child; item; item = item->next) {
        if (r->count++ >= RULE_COUNT_MAX) {
            reader_fail(r, item, "more than %d rules", RULE_COUNT_MAX);
            return;
        }
        mem_grow(&d->group.rule, &d->cap, d->group.n_rules, sizeof(struct rule));
        take_rule(r, doc_of(item), &d->group.rule[d->group.n_rules++]);
    }
}

static void take_limit(struct reader *r, const struct doc_node *n, void *to, const char *name)
{
    char *end = NULL;
    errno = 0;
    long v = n->kind == DOC_SCALAR ? strtol(n->text, &end, 10) : -1;
    if (!end || *end || end == n->text || errno || v < 0)
        reader_fail(r, n, "%s: a whole number is expected here", name);
    else
        *(int64_t *)to = v;
}

static const struct reader_field group_fields[] = {
    {"name", reader_take_text, offsetof(struct group_draft, group.name)},
    {"interval", reader_take_duration, offsetof(struct group_draft, group.interval_ms)},
    {"query_offset", reader_take_duration, offsetof(struct group_draft, group.query_offset_ms)},
    {"limit", take_limit, offsetof(struct group_draft, group.limit)},
    {"labels", take_texts, offsetof(struct group_draft, labels)},
    {"rules", take_rules, 0},
};

static void take_group(struct reader *r, const struct doc_node *n, struct rule_group *ret)
{
    struct group_draft d = {.group = {.query_offset_ms = -1, .line = n->line, .column = n->column}};
    reader_object(r, n, group_fields, ARRAY_LEN(group_fields), &d, "group");
    check_texts(r, &d.labels, true);
    for (size_t i = 0; i < d.labels.n; i++) { // one that is no template is a text
        struct rule_text *t = &d.labels.item[i];
        struct err err;
        (void)rule_template_parse(t->source, strlen(t->source), &t->template, &err);
    }
    d.group.label = d.labels.item;
    d.group.n_labels = d.labels.n;
    d.group.file = mem_strdup(r->name);
    if (!d.group.name)
        d.group.name = mem_strdup("");
    if (!*d.group.name)
        reader_fail(r, n, "Groupname must not be empty");
    *ret = d.group;
}

struct file_draft {
    struct rule_file *file;
    size_t cap;
};

static void take_groups(struct reader *r, const struct doc_node *n, void *to, const char *name)
{
    struct file_draft *d = to;
    if (n->kind != DOC_LIST) {
        reader_fail(r, n, "%s: a list is expected here", name);
        return;
    }
    struct map *names = map_new();
    for (const struct doc_node *item = n->child; item; item = item->next) {
        mem_grow(&d->file->group, &d->cap, d->file->n_groups, sizeof(struct rule_group));
        struct rule_group *g = &d->file->group[d->file->n_groups++];
        take_group(r, doc_of(item), g);
        if (map_put(names, g->name, strlen(g->name), g))
            reader_fail(r, item, "groupname: \"%s\" is repeated in the same file", g->name);
    }
    map_free(names);
}

static const struct reader_field file_fields[] = {{"groups", take_groups, 0}};

static size_t leave_out(struct rule_group *g, const char *name)
{
    size_t kept = 0, before = g->n_rules;
    for (size_t i = 0; i < before; i++) {
        if (strcmp(g->rule[i].name, name) == 0)
            rule_done(&g->rule[i]);
        else
            g->rule[kept++] = g->rule[i];
    }
    g->n_rules = kept;
    return before - kept;
}

size_t rule_files_leave_out(struct rule_files *files, const char *name)
{
    size_t n = 0;
    for (size_t i = 0; i < files->n; i++)
        for (size_t k = 0; k < files->file[i]->n_groups; k++)
            n += leave_out(&files->file[i]->group[k], name);
    return n;
}

void rule_file_free(struct rule_file *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < f->n_groups; i++) {
        struct rule_group *g = &f->group[i];
        for (size_t k = 0; k < g->n_rules; k++)
            rule_done(&g->rule[k]);
        free(g->rule);
        texts_done(g->label, g->n_labels);
        free(g->name);
        free(g->file);
    }
    free(f->group);
    free(f->path);
    free(f);
}

int rule_file_parse(const char *path, const char *text, size_t len, struct rule_file **ret,
                    struct rule_errors *errors)
{
    struct doc doc;
    struct err err = {0};
    size_t before = errors->n;
    struct reader r = {.name = path, .errors = errors};
    struct file_draft d = {.file = mem_zalloc(sizeof(struct rule_file))};
    d.file->path = mem_strdup(path);
    int e = doc_read(path, text, len, &doc, &err);
    if (e < 0) {
        struct err *to = reader_new_error(errors);
        if (to)
            *to = err;
    } else {
        reader_object(&r, doc.root, file_fields, ARRAY_LEN(file_fields), &d, "rule file");
    }
    doc_done(&doc);
    if (errors->n > before) {
        rule_file_free(d.file);
        return e < 0 ? e : -EINVAL;
    }
    *ret = d.file;
    return 0;
}

int rule_file_load(const char *path, struct rule_file **ret, struct rule_errors *errors)
{
    CLEANUP(freep) char *text = NULL;
    size_t len = 0;
    int r = fs_read_file(AT_FDCWD, path, RULE_FILE_MAX, &text, &len);
    if (r < 0) {
        struct err *err = reader_new_error(errors);
        return err ? err_set(err, -r, "%s: %s", path, strerror(-r)) : r;
    }
    return rule_file_parse(path, text, len, ret, errors);
}
