// SPDX-License-Identifier: GPL-3.0-or-later
// Options of the command line into the body of a deed. Fields with several words take '-' for '_';
// lists and labels are given one at a time, in the singular: --disk pool=default,size=10G.
#include <errno.h>
#include <string.h>

#include "base/esc.h"
#include "base/mem.h"
#include "base/number.h"
#include "command.h"

#define NAMES_MAX 256

static const char *const arguments[FIELD_TYPE_MAX] = {
    [FIELD_NAME] = "NAME",   [FIELD_TEXT] = "TEXT",     [FIELD_INTEGER] = "N",
    [FIELD_SIZE] = "SIZE",   [FIELD_DURATION] = "TIME", [FIELD_BOOL] = NULL,
    [FIELD_CHOICE] = "WORD", [FIELD_LABELS] = "K=V",    [FIELD_OBJECT] = "K=V",
    [FIELD_LIST] = "K=V",    [FIELD_TEXTS] = "TEXT",
};

// Given one at a time, in the singular.
static bool is_repeated(const struct field *f)
{
    return f->type == FIELD_LIST || f->type == FIELD_LABELS || f->type == FIELD_TEXTS;
}

// A field's name as an option. The texts are made once and kept: options point to them.
static const char *option_name(const struct field *f)
{
    static struct {
        const struct field *field;
        char *name;
    } names[NAMES_MAX];
    size_t i = 0;
    while (i < NAMES_MAX && names[i].field && names[i].field != f)
        i++;
    if (i == NAMES_MAX)
        return f->name;
    if (names[i].field)
        return names[i].name;
    char *name = mem_strndup(f->name, strlen(f->name) - is_repeated(f));
    for (char *c = name; *c; c++)
        if (*c == '_')
            *c = '-';
    names[i].field = f;
    names[i].name = name;
    return name;
}

bool deed_option(const struct deed *deed, size_t i, struct option_desc *ret,
                 const struct field **ret_field)
{
    size_t n = 0;
    while (deed->fields[n].name)
        n++;
    const struct field *f = i < n ? &deed->fields[i] : &deed_common_fields[i - n];
    if (!f->name)
        return false;
    // A field may have to become false: --autostart=no.
    static const char *const yes_no[] = {"yes", "no", NULL};
    *ret =
        (struct option_desc){option_name(f), arguments[f->type], f->help,
                             f->type == FIELD_BOOL && i < n ? yes_no : f->choices, is_repeated(f)};
    *ret_field = f;
    return true;
}

static json_t *value_of(const struct field *f, const char *text, struct err *err)
{
    int64_t n = 0;
    if (f->type == FIELD_BOOL && strcmp(text, "no") == 0)
        return json_false();
    if (f->type == FIELD_BOOL)
        return json_true();
    if (f->type == FIELD_INTEGER) {
        if (number_parse_i64(text, &n) == 0)
            return json_integer(n);
        err_set(err, EINVAL, "%s must be a whole number, not \"%s\"", f->name, text);
        return NULL;
    }
    // A bare number is seconds.
    if (f->type == FIELD_DURATION && number_parse_i64(text, &n) == 0)
        return json_integer(n);
    json_t *value = json_string(text);
    if (!value)
        err_set(err, EINVAL, "%s is not UTF-8", f->name);
    return value;
}

static const struct field *find(const struct field *fields, const char *name)
{
    while (fields->name && strcmp(fields->name, name) != 0)
        fields++;
    return fields->name ? fields : NULL;
}

// "pool=default,size=10G,read_only"
static json_t *object_of(const struct field *f, const char *text, struct err *err)
{
    json_t *object = json_object();
    while (*text) {
        size_t len = strcspn(text, ",");
        CLEANUP(freep) char *pair = mem_strndup(text, len);
        char *equals = strchr(pair, '=');
        if (equals)
            *equals = '\0';
        const struct field *member = find(f->fields, pair);
        json_t *value = member ? value_of(member, equals ? equals + 1 : "", err) : NULL;
        if (!member)
            err_set(err, EINVAL, "--%s has no field \"%s\"", option_name(f), pair);
        if (!value) {
            json_decref(object);
            return NULL;
        }
        json_object_set_new(object, pair, value);
        text += len + (text[len] == ',');
    }
    return object;
}

static int add_label(json_t *labels, const char *text, struct err *err)
{
    const char *equals = strchr(text, '=');
    CLEANUP(freep) char *name = mem_strndup(text, equals ? (size_t)(equals - text) : 0);
    if (!equals || json_object_set_new(labels, name, json_string(equals + 1)) < 0)
        return err_set(err, EINVAL, "a label is NAME=VALUE, not \"%s\"", text);
    return 0;
}

static json_t *container(json_t *body, const struct field *f)
{
    json_t *old = json_object_get(body, f->name);
    if (old)
        return old;
    json_t *fresh = f->type == FIELD_LABELS ? json_object() : json_array();
    json_object_set_new(body, f->name, fresh);
    return fresh;
}

static int add(json_t *body, const struct field *f, const char *text, struct err *err)
{
    if (f->type == FIELD_LABELS)
        return add_label(container(body, f), text, err);
    json_t *value = f->type == FIELD_LIST || f->type == FIELD_OBJECT ? object_of(f, text, err)
                                                                     : value_of(f, text, err);
    if (!value)
        return -EINVAL;
    if (f->type == FIELD_LIST || f->type == FIELD_TEXTS)
        return json_array_append_new(container(body, f), value);
    return json_object_set_new(body, f->name, value);
}

json_t *deed_body(const struct cli *cli, const struct deed *deed, struct err *err)
{
    json_t *body = json_object();
    struct option_desc o;
    const struct field *f;
    for (size_t i = 0; i < cli->n_given; i++)
        for (size_t k = 0; deed_option(deed, k, &o, &f); k++)
            if (strcmp(o.name, cli->given[i].name) == 0 &&
                add(body, f, cli->given[i].value, err) < 0) {
                json_decref(body);
                return NULL;
            }
    return body;
}

int deed_add_field(const struct deed *deed, const char *text, json_t *body, struct err *err)
{
    const char *equals = strchr(text, '=');
    CLEANUP(freep) char *name = mem_strndup(text, equals ? (size_t)(equals - text) : strlen(text));
    for (char *c = name; *c; c++)
        if (*c == '-')
            *c = '_';
    const struct field *f = find(deed->fields, name);
    if (!f)
        return err_set(err, EINVAL, "%s has no field \"%s\"", deed->name, name);
    return add(body, f, equals ? equals + 1 : "", err);
}

char *deed_path(const struct deed *deed, const char *vm)
{
    const char *open = strchr(deed->path, '{');
    if (!open)
        return mem_strdup(deed->path);
    CLEANUP(buf_done) struct buf path;
    buf_init(&path, 8192);
    buf_put(&path, deed->path, (size_t)(open - deed->path));
    esc_url(&path, vm);
    buf_puts(&path, strchr(open, '}') + 1);
    return buf_take(&path, NULL);
}
