// SPDX-License-Identifier: GPL-3.0-or-later
// A body against the fields of its deed. Depth is that of the table: an object in a list.
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/esc.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/similar.h"
#include "verb/deed.h"

#define FIELDS_MAX 32
#define NAME_MAX_BYTES 255

static int check_object(const struct field *const *lists, json_t *object, const char *where,
                        struct err *err);

static bool printable(const char *text, size_t len)
{
    for (size_t at = 0; at < len;) {
        unsigned cp = 0;
        size_t n = esc_utf8_next(text + at, len - at, &cp);
        if (n == 0 || cp < 0x20 || (cp >= 0x7f && cp < 0xa0))
            return false;
        at += n;
    }
    return true;
}

bool deed_name(const char *text, size_t len)
{
    return len > 0 && len <= NAME_MAX_BYTES && text[0] != '-' && text[0] != '.' &&
           !memchr(text, '/', len) && printable(text, len);
}

/* One check for each type; `value` is borrowed, `object` holds it under f->name. */

struct at {
    const struct field *f;
    const char *where; // "disks[1].", "" at the top
    json_t *object, *value;
};

static int wrong(const struct at *a, struct err *err, const char *allowed)
{
    return err_set(err, EINVAL, "%s%s must be %s", a->where, a->f->name, allowed);
}

static int check_name(const struct at *a, struct err *err)
{
    if (json_is_string(a->value) &&
        deed_name(json_string_value(a->value), json_string_length(a->value)))
        return 0;
    return wrong(a, err,
                 "a name of 1 to 255 bytes without '/' and control characters, and not beginning "
                 "with '-' or '.'");
}

static int check_text(const struct at *a, struct err *err)
{
    if (!json_is_string(a->value) || json_string_length(a->value) > (size_t)a->f->max ||
        !printable(json_string_value(a->value), json_string_length(a->value)))
        return err_set(err, EINVAL,
                       "%s%s must be a text of at most %jd bytes without control characters",
                       a->where, a->f->name, (intmax_t)a->f->max);
    return 0;
}

static int in_range(const struct at *a, int64_t n, const char *what, struct err *err)
{
    if (n >= a->f->min && n <= a->f->max)
        return 0;
    return err_set(err, EINVAL, "%s%s must be %s from %jd to %jd", a->where, a->f->name, what,
                   (intmax_t)a->f->min, (intmax_t)a->f->max);
}

static int check_integer(const struct at *a, struct err *err)
{
    int64_t n = json_is_integer(a->value) ? json_integer_value(a->value) : a->f->min - 1;
    return in_range(a, n, "a whole number", err);
}

static int check_size(const struct at *a, struct err *err)
{
    uint64_t bytes = 0;
    if (json_is_string(a->value)) {
        if (number_parse_size(json_string_value(a->value), &bytes) < 0 || bytes > INT64_MAX)
            return wrong(a, err, "a size in bytes, or such as \"512M\" or \"20G\"");
        json_object_set_new(a->object, a->f->name, json_integer((json_int_t)bytes));
        return in_range(a, (int64_t)bytes, "bytes", err);
    }
    int64_t n = json_is_integer(a->value) ? json_integer_value(a->value) : a->f->min - 1;
    return in_range(a, n, "bytes", err);
}

static int check_duration(const struct at *a, struct err *err)
{
    int64_t ns = 0;
    if (json_is_string(a->value)) {
        if (number_parse_duration(json_string_value(a->value), &ns) < 0)
            return wrong(a, err, "seconds, or a duration such as \"90s\" or \"5m\"");
        json_object_set_new(a->object, a->f->name, json_integer(ns / NS_PER_S));
        return in_range(a, ns / NS_PER_S, "seconds", err);
    }
    int64_t n = json_is_integer(a->value) ? json_integer_value(a->value) : a->f->min - 1;
    return in_range(a, n, "seconds", err);
}

static int check_bool(const struct at *a, struct err *err)
{
    return json_is_boolean(a->value) ? 0 : wrong(a, err, "true or false");
}

static int check_choice(const struct at *a, struct err *err)
{
    const char *text = json_string_value(a->value);
    for (size_t i = 0; text && a->f->choices[i]; i++)
        if (strcmp(a->f->choices[i], text) == 0)
            return 0;
    CLEANUP(buf_done) struct buf allowed;
    buf_init(&allowed, 1024);
    for (size_t i = 0; a->f->choices[i]; i++)
        buf_printf(&allowed, "%s%s", i ? (a->f->choices[i + 1] ? ", " : " or ") : "",
                   a->f->choices[i]);
    return wrong(a, err, allowed.data);
}

static int check_texts(const struct at *a, struct err *err)
{
    if (!json_is_array(a->value) || json_array_size(a->value) > (size_t)a->f->max)
        return err_set(err, EINVAL, "%s%s must be a list of at most %jd texts", a->where,
                       a->f->name, (intmax_t)a->f->max);
    for (size_t i = 0; i < json_array_size(a->value); i++) {
        const json_t *text = json_array_get(a->value, i);
        if (!json_is_string(text) || json_string_length(text) > FIELD_TEXTS_BYTES ||
            !printable(json_string_value(text), json_string_length(text)))
            return err_set(err, EINVAL,
                           "%s%s[%zu] must be a text of at most %d bytes without control "
                           "characters",
                           a->where, a->f->name, i, FIELD_TEXTS_BYTES);
    }
    return 0;
}

static int check_labels(const struct at *a, struct err *err)
{
    const char *name;
    json_t *value;
    if (!json_is_object(a->value) || json_object_size(a->value) > (size_t)a->f->max)
        return err_set(err, EINVAL, "%s%s must be an object of at most %jd texts", a->where,
                       a->f->name, (intmax_t)a->f->max);
    json_object_foreach(a->value, name, value)
    {
        size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
        if (name[n] || n == 0 || n > 63 || (*name >= '0' && *name <= '9'))
            return err_set(err, EINVAL,
                           "%s%s: a label's name has 1 to 63 letters, digits and '_', and does not "
                           "begin with a digit",
                           a->where, a->f->name);
        if (!json_is_string(value) || json_string_length(value) > NAME_MAX_BYTES ||
            !printable(json_string_value(value), json_string_length(value)))
            return err_set(err, EINVAL,
                           "%s%s: %s must be a text of at most %d bytes without control characters",
                           a->where, a->f->name, name, NAME_MAX_BYTES);
    }
    return 0;
}

static int check_member(const struct at *a, struct err *err)
{
    CLEANUP(freep) char *where = mem_printf("%s%s.", a->where, a->f->name);
    const struct field *const lists[] = {a->f->fields, NULL};
    return check_object(lists, a->value, where, err);
}

static int check_list(const struct at *a, struct err *err)
{
    if (!json_is_array(a->value) || json_array_size(a->value) > (size_t)a->f->max)
        return err_set(err, EINVAL, "%s%s must be a list of at most %jd objects", a->where,
                       a->f->name, (intmax_t)a->f->max);
    const struct field *const lists[] = {a->f->fields, NULL};
    for (size_t i = 0; i < json_array_size(a->value); i++) {
        CLEANUP(freep) char *where = mem_printf("%s%s[%zu].", a->where, a->f->name, i);
        int r = check_object(lists, json_array_get(a->value, i), where, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int (*const checks[FIELD_TYPE_MAX])(const struct at *a, struct err *err) = {
    [FIELD_NAME] = check_name,         [FIELD_TEXT] = check_text,
    [FIELD_INTEGER] = check_integer,   [FIELD_SIZE] = check_size,
    [FIELD_DURATION] = check_duration, [FIELD_BOOL] = check_bool,
    [FIELD_CHOICE] = check_choice,     [FIELD_LABELS] = check_labels,
    [FIELD_OBJECT] = check_member,     [FIELD_LIST] = check_list,
    [FIELD_TEXTS] = check_texts,
};

static const struct field *find(const struct field *const *lists, const char *name)
{
    for (; *lists; lists++)
        for (const struct field *f = *lists; f->name; f++)
            if (strcmp(f->name, name) == 0)
                return f;
    return NULL;
}

static int unknown(const struct field *const *lists, const char *where, const char *name,
                   struct err *err)
{
    const char *names[FIELDS_MAX];
    size_t n = 0;
    for (; *lists; lists++)
        for (const struct field *f = *lists; f->name && n < FIELDS_MAX; f++)
            names[n++] = f->name;
    const char *near = similar_best(name, names, n);
    return err_set(err, EINVAL, "there is no field %s%.64s%s%s%s", where, name,
                   near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

static int check_object(const struct field *const *lists, json_t *object, const char *where,
                        struct err *err)
{
    const char *name;
    json_t *value;
    void *next;
    if (!json_is_object(object))
        return err_set(err, EINVAL, "%s must be an object", *where ? where : "the body");
    json_object_foreach_safe(object, next, name, value)
    {
        const struct field *f = find(lists, name);
        if (!f)
            return unknown(lists, where, name, err);
        int r = checks[f->type](&(struct at){f, where, object, value}, err);
        if (r < 0)
            return r;
    }
    for (; *lists; lists++)
        for (const struct field *f = *lists; f->name; f++)
            if (f->required && !json_object_get(object, f->name))
                return err_set(err, EINVAL, "%s%s is missing: %s", where, f->name, f->help);
    return 0;
}

int deed_check(const struct deed *deed, json_t *body, struct err *err)
{
    const struct field *const lists[] = {deed->fields, deed_common_fields, NULL};
    return check_object(lists, body, "", err);
}

int fields_check(const struct field *fields, json_t *object, const char *where, struct err *err)
{
    const struct field *const lists[] = {fields, NULL};
    return check_object(lists, object, where, err);
}
