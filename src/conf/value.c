// SPDX-License-Identifier: GPL-3.0-or-later
// The types of values: one row of functions each.
#include "keys.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/esc.h"
#include "base/mem.h"
#include "base/number.h"

#define QUOTE_MAX 60
#define PAIRS_MAX 256
#define PAIR_NAME_MAX 256
#define OBJECTS_MAX 4096

struct type_ops {
    int (*set)(const struct conf_key *key, void *at, const struct conf_scalar *scalar,
               struct buf *why);
    void (*encode)(const struct conf_key *key, const void *at, struct buf *out);
    void (*allowed)(const struct conf_key *key, struct buf *out);
};

static const struct type_ops types[CONF_TYPE_MAX];

void conf_duration_format(int64_t ns, struct buf *out)
{
    static const struct {
        const char *name;
        int64_t ns;
    } units[] = {{"d", 86400 * NS_PER_S}, {"h", 3600 * NS_PER_S}, {"m", 60 * NS_PER_S},
                 {"s", NS_PER_S},         {"ms", NS_PER_MS},      {"us", 1000}};
    size_t i = ns == 0 ? 3 : 0; // "0s"
    while (i + 1 < ARRAY_LEN(units) && ns % units[i].ns != 0)
        i++;
    buf_i64(out, ns / units[i].ns);
    buf_puts(out, units[i].name);
}

static int refuse(const struct conf_key *key, const struct conf_scalar *scalar, const char *what,
                  const char *allowed, struct buf *why, int code)
{
    size_t n = 0, len = strlen(scalar->text);
    while (n < len && n < QUOTE_MAX) {
        size_t step = esc_utf8_next(scalar->text + n, len - n, NULL);
        n += step ? step : 1;
    }
    buf_putc(why, '"');
    buf_put(why, scalar->text, n);
    buf_printf(why, "%s\" %s; allowed: ", n < len ? "…" : "", what);
    if (allowed)
        buf_puts(why, allowed);
    else
        conf_value_allowed(key, why);
    return -code;
}

// Bytes that a line of a terminal, and the YAML that we write, can hold as they are.
static bool is_plain_text(const struct conf_scalar *scalar)
{
    if (strlen(scalar->text) != scalar->len)
        return false;
    for (size_t i = 0; i < scalar->len;) {
        unsigned cp = 0;
        size_t n = esc_utf8_next(scalar->text + i, scalar->len - i, &cp);
        if (n == 0 || (cp & 0xFFFE) == 0xFFFE)
            return false;
        i += n;
    }
    CLEANUP(freep) char *shown = esc_terminal_dup(scalar->text);
    return shown && strcmp(shown, scalar->text) == 0;
}

static int check_text(const struct conf_key *key, const struct conf_scalar *scalar, struct buf *why)
{
    if (scalar->len > CONF_TEXT_MAX)
        return refuse(key, scalar, "is too long", "at most 4096 bytes", why, ERANGE);
    if (!is_plain_text(scalar))
        return refuse(key, scalar, "holds control characters", "one line of UTF-8", why, EINVAL);
    const char *allowed = key->check ? key->check(scalar->text) : NULL;
    return allowed ? refuse(key, scalar, "does not fit", allowed, why, EINVAL) : 0;
}

static int text_set(const struct conf_key *key, void *at, const struct conf_scalar *scalar,
                    struct buf *why)
{
    int r = check_text(key, scalar, why);
    if (r == 0)
        mem_strset(at, scalar->text);
    return r;
}

static void encode_quoted(const char *text, struct buf *out)
{
    buf_putc(out, '"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            buf_putc(out, '\\');
        buf_putc(out, *text);
    }
    buf_putc(out, '"');
}

static void text_encode(const struct conf_key *key, const void *at, struct buf *out)
{
    encode_quoted(*(char *const *)at, out);
}

static void text_allowed(const struct conf_key *key, struct buf *out)
{
    // No check takes a control character, so that each tells what it would take.
    const char *allowed = key->check ? key->check("\x01") : NULL;
    buf_puts(out, allowed ? allowed : "text");
}

static int bool_set(const struct conf_key *key, void *at, const struct conf_scalar *scalar,
                    struct buf *why)
{
    bool yes = strcmp(scalar->text, "true") == 0;
    if (scalar->quoted || (!yes && strcmp(scalar->text, "false") != 0))
        return refuse(key, scalar, "is neither true nor false", NULL, why, EINVAL);
    *(bool *)at = yes;
    return 0;
}

static void bool_encode(const struct conf_key *key, const void *at, struct buf *out)
{
    buf_puts(out, *(const bool *)at ? "true" : "false");
}

static void bool_allowed(const struct conf_key *key, struct buf *out)
{
    buf_puts(out, "true or false");
}

static int set_in_range(const struct conf_key *key, int64_t *at, int64_t v, int parsed,
                        const char *kind, const struct conf_scalar *scalar, struct buf *why)
{
    if (parsed == -EINVAL || scalar->len != strlen(scalar->text))
        return refuse(key, scalar, kind, NULL, why, EINVAL);
    if (parsed < 0 || v < key->min || v > key->max)
        return refuse(key, scalar, "is out of range", NULL, why, ERANGE);
    *at = v;
    return 0;
}

static int integer_set(const struct conf_key *key, void *at, const struct conf_scalar *scalar,
                       struct buf *why)
{
    int64_t v = 0;
    int r = scalar->quoted ? -EINVAL : number_parse_i64(scalar->text, &v);
    return set_in_range(key, at, v, r, "is not a whole number", scalar, why);
}

static void integer_encode(const struct conf_key *key, const void *at, struct buf *out)
{
    buf_i64(out, *(const int64_t *)at);
}

static void integer_allowed(const struct conf_key *key, struct buf *out)
{
    buf_printf(out, "a whole number from %lld to %lld", (long long)key->min, (long long)key->max);
}

static int duration_set(const struct conf_key *key, void *at, const struct conf_scalar *scalar,
                        struct buf *why)
{
    int64_t v = 0;
    int r = number_parse_duration(scalar->text, &v);
    return set_in_range(key, at, v, r, "is not a duration", scalar, why);
}

static void duration_encode(const struct conf_key *key, const void *at, struct buf *out)
{
    conf_duration_format(*(const int64_t *)at, out);
}

static void duration_allowed(const struct conf_key *key, struct buf *out)
{
    buf_puts(out, "a whole number with a unit (ms, s, m, h or d), from ");
    conf_duration_format(key->min, out);
    buf_puts(out, " to ");
    conf_duration_format(key->max, out);
}

static int choice_index(const struct conf_key *key, const struct conf_scalar *scalar)
{
    for (int i = 0; key->choices[i]; i++)
        if (strlen(key->choices[i]) == scalar->len && strcmp(key->choices[i], scalar->text) == 0)
            return i;
    return -1;
}

static int choice_set(const struct conf_key *key, void *at, const struct conf_scalar *scalar,
                      struct buf *why)
{
    int i = choice_index(key, scalar);
    if (i < 0)
        return refuse(key, scalar, "is not known", NULL, why, EINVAL);
    *(enum log_level *)at = (enum log_level)i;
    return 0;
}

static void choice_encode(const struct conf_key *key, const void *at, struct buf *out)
{
    buf_puts(out, key->choices[*(const enum log_level *)at]);
}

static void choice_allowed(const struct conf_key *key, struct buf *out)
{
    for (size_t i = 0; key->choices[i]; i++)
        buf_printf(out, "%s%s", i == 0 ? "" : key->choices[i + 1] ? ", " : " or ", key->choices[i]);
}

static int list_set(const struct conf_key *key, void *at, const struct conf_scalar *scalar,
                    struct buf *why)
{
    struct conf_list *list = at;
    if (key->choices && choice_index(key, scalar) < 0)
        return refuse(key, scalar, "is not known", NULL, why, EINVAL);
    int r = check_text(key, scalar, why);
    if (r < 0)
        return r;
    for (size_t i = 0; i < list->n; i++)
        if (strcmp(list->items[i], scalar->text) == 0)
            return refuse(key, scalar, "is given twice", NULL, why, EINVAL);
    if (list->n == CONF_LIST_MAX)
        return refuse(key, scalar, "is one too many", "at most 64 items", why, ERANGE);
    char **items = realloc(list->items, (list->n + 1) * sizeof(*items));
    if (!items)
        return -ENOMEM;
    list->items = items;
    list->items[list->n++] = mem_strdup(scalar->text);
    return 0;
}

static void list_encode(const struct conf_key *key, const void *at, struct buf *out)
{
    const struct conf_list *list = at;
    buf_putc(out, '[');
    for (size_t i = 0; i < list->n; i++) {
        buf_puts(out, i ? ", " : "");
        if (key->choices)
            buf_puts(out, list->items[i]);
        else
            encode_quoted(list->items[i], out);
    }
    buf_putc(out, ']');
}

static void list_allowed(const struct conf_key *key, struct buf *out)
{
    buf_puts(out, "a list of ");
    if (key->choices)
        choice_allowed(key, out);
    else
        text_allowed(key, out);
}

static int size_set(const struct conf_key *key, void *at, const struct conf_scalar *scalar,
                    struct buf *why)
{
    // Prometheus writes MB and MiB for the same.
    CLEANUP(freep) char *text = mem_strdup(scalar->text);
    size_t n = strlen(text);
    if (n > 2 && text[n - 1] == 'B')
        text[n - (text[n - 2] == 'i' ? 2 : 1)] = '\0';
    uint64_t v = 0;
    int r = number_parse_size(text, &v);
    if (r == 0 && v > INT64_MAX)
        r = -ERANGE;
    return set_in_range(key, at, (int64_t)v, r, "is not a size", scalar, why);
}

static void size_put(int64_t v, struct buf *out)
{
    static const char units[] = "TGM";
    for (size_t i = 0; v != 0 && i < sizeof(units) - 1; i++) {
        int64_t unit = INT64_C(1) << (40 - 10 * i);
        if (v % unit == 0) {
            buf_i64(out, v / unit);
            buf_putc(out, units[i]);
            return;
        }
    }
    buf_i64(out, v);
}

static void size_encode(const struct conf_key *key, const void *at, struct buf *out)
{
    size_put(*(const int64_t *)at, out);
}

static void size_allowed(const struct conf_key *key, struct buf *out)
{
    buf_puts(out, "bytes, or a number with K, M, G or T, from ");
    size_put(key->min, out);
    buf_puts(out, " to ");
    size_put(key->max, out);
}

static int pairs_set(const struct conf_key *key, void *at, const struct conf_scalar *scalar,
                     struct buf *why)
{
    return scalar->len == 0 ? 0 : refuse(key, scalar, "is no mapping", NULL, why, EINVAL);
}

static void pairs_encode(const struct conf_key *key, const void *at, struct buf *out)
{
    const struct conf_pairs *pairs = at;
    buf_putc(out, '{');
    for (size_t i = 0; i < pairs->n; i++) {
        bool again = i > 0 && strcmp(pairs->items[i - 1].name, pairs->items[i].name) == 0;
        if (!again) {
            buf_puts(out, i ? ", " : "");
            encode_quoted(pairs->items[i].name, out);
        }
        bool more = i + 1 < pairs->n && strcmp(pairs->items[i + 1].name, pairs->items[i].name) == 0;
        buf_puts(out, again ? ", " : key->multi ? ": [" : ": ");
        encode_quoted(pairs->items[i].value, out);
        buf_puts(out, key->multi && !more ? "]" : "");
    }
    buf_putc(out, '}');
}

static void pairs_allowed(const struct conf_key *key, struct buf *out)
{
    buf_puts(out, key->multi ? "a mapping of names to texts or lists of texts"
                             : "a mapping of names to texts");
}

static int object_set(const struct conf_key *key, void *at, const struct conf_scalar *scalar,
                      struct buf *why)
{
    return refuse(key, scalar, "is no mapping", NULL, why, EINVAL);
}

static void encode_object(const struct conf_object *object, const void *at, struct buf *out,
                          void (*encode)(const struct conf_key *, const void *, struct buf *),
                          const char *quote)
{
    CLEANUP(buf_done) struct buf text, initial;
    CLEANUP(freep) void *defaults = mem_zalloc(object->size);
    buf_init(&text, out->limit);
    buf_init(&initial, out->limit);
    conf_object_default(object, defaults);
    buf_putc(out, '{');
    for (size_t i = 0, n = 0; i < object->n_keys; i++) {
        buf_reset(&text);
        buf_reset(&initial);
        encode(&object->keys[i], at, &text);
        encode(&object->keys[i], defaults, &initial);
        // Defaults go without saying.
        if (!object->keys[i].required && text.len == initial.len &&
            memcmp(text.data, initial.data, text.len) == 0)
            continue;
        buf_printf(out, "%s%s%s%s: ", n++ ? ", " : "", quote, object->keys[i].name, quote);
        buf_put(out, text.data, text.len);
    }
    buf_putc(out, '}');
    conf_object_done(object, defaults);
}

static void object_encode(const struct conf_key *key, const void *at, struct buf *out)
{
    encode_object(key->object, at, out, conf_value_encode, "");
}

static void object_allowed(const struct conf_key *key, struct buf *out)
{
    buf_printf(out, "a mapping, see `%s`", key->object->name);
}

static void objects_encode(const struct conf_key *key, const void *at, struct buf *out)
{
    const struct conf_array *array = at;
    buf_putc(out, '[');
    for (size_t i = 0; i < array->n; i++) {
        buf_puts(out, i ? ", " : "");
        object_encode(key, (const char *)array->items + i * key->object->size, out);
    }
    buf_putc(out, ']');
}

static void objects_allowed(const struct conf_key *key, struct buf *out)
{
    buf_printf(out, "a list of mappings, see `%s`", key->object->name);
}

static const struct type_ops types[CONF_TYPE_MAX] = {
    [CONF_TEXT] = {text_set, text_encode, text_allowed},
    [CONF_BOOL] = {bool_set, bool_encode, bool_allowed},
    [CONF_INTEGER] = {integer_set, integer_encode, integer_allowed},
    [CONF_DURATION] = {duration_set, duration_encode, duration_allowed},
    [CONF_CHOICE] = {choice_set, choice_encode, choice_allowed},
    [CONF_LIST] = {list_set, list_encode, list_allowed},
    [CONF_SIZE] = {size_set, size_encode, size_allowed},
    [CONF_PAIRS] = {pairs_set, pairs_encode, pairs_allowed},
    [CONF_OBJECT] = {object_set, object_encode, object_allowed},
    [CONF_OBJECTS] = {object_set, objects_encode, objects_allowed},
};

static void *at(const struct conf_key *key, void *base)
{
    return (char *)base + key->offset;
}

int conf_value_set(const struct conf_key *key, void *base, const struct conf_scalar *scalar,
                   struct buf *why)
{
    return types[key->type].set(key, at(key, base), scalar, why);
}

void conf_value_encode(const struct conf_key *key, const void *base, struct buf *out)
{
    types[key->type].encode(key, (const char *)base + key->offset, out);
}

void conf_value_allowed(const struct conf_key *key, struct buf *out)
{
    types[key->type].allowed(key, out);
}

int conf_pairs_add(const struct conf_key *key, void *base, const struct conf_scalar *name,
                   const struct conf_scalar *value, bool again, struct buf *why)
{
    struct conf_pairs *pairs = at(key, base);
    struct conf_key plain = {.section = key->section, .name = key->name, .type = CONF_TEXT};
    int r = check_text(key, name, why);
    if (r == 0)
        r = check_text(&plain, value, why);
    if (r < 0)
        return r;
    if (name->len == 0 || name->len > PAIR_NAME_MAX)
        return refuse(&plain, name, "is no name", "names of 1 to 256 bytes", why, EINVAL);
    for (size_t i = 0; !again && i < pairs->n; i++)
        if (strcmp(pairs->items[i].name, name->text) == 0)
            return refuse(&plain, name, "is given twice", NULL, why, EINVAL);
    if (pairs->n == PAIRS_MAX)
        return refuse(&plain, name, "is one too many", "at most 256 names", why, ERANGE);
    struct conf_pair *items = realloc(pairs->items, (pairs->n + 1) * sizeof(*items));
    if (!items)
        return -ENOMEM;
    pairs->items = items;
    items[pairs->n++] = (struct conf_pair){mem_strdup(name->text), mem_strdup(value->text)};
    return 0;
}

void *conf_array_add(const struct conf_key *key, void *base)
{
    struct conf_array *array = at(key, base);
    size_t size = key->object->size;
    if (array->n == OBJECTS_MAX)
        return NULL;
    void *items = realloc(array->items, (array->n + 1) * size);
    if (!items)
        return NULL;
    array->items = items;
    void *item = (char *)items + array->n++ * size;
    memset(item, 0, size);
    conf_object_default(key->object, item);
    return item;
}

void conf_object_default(const struct conf_object *object, void *base)
{
    for (size_t i = 0; i < object->n_keys; i++)
        conf_value_default(&object->keys[i], base);
}

void conf_object_done(const struct conf_object *object, void *base)
{
    for (size_t i = 0; i < object->n_keys; i++)
        conf_value_done(&object->keys[i], base);
}

static void clear_list(const struct conf_key *key, void *base)
{
    struct conf_list *list = at(key, base);
    for (size_t i = 0; i < list->n; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct conf_list){0};
}

static void clear_pairs(const struct conf_key *key, void *base)
{
    struct conf_pairs *pairs = at(key, base);
    for (size_t i = 0; i < pairs->n; i++) {
        free(pairs->items[i].name);
        free(pairs->items[i].value);
    }
    free(pairs->items);
    *pairs = (struct conf_pairs){0};
}

static void clear_objects(const struct conf_key *key, void *base)
{
    struct conf_array *array = at(key, base);
    for (size_t i = 0; i < array->n; i++)
        conf_object_done(key->object, (char *)array->items + i * key->object->size);
    free(array->items);
    *array = (struct conf_array){0};
}

static void clear_text(const struct conf_key *key, void *base)
{
    mem_strset(at(key, base), NULL);
}

static void clear_object(const struct conf_key *key, void *base)
{
    conf_object_done(key->object, at(key, base));
}

static void (*const done[CONF_TYPE_MAX])(const struct conf_key *, void *) = {
    [CONF_TEXT] = clear_text,     [CONF_LIST] = clear_list,       [CONF_PAIRS] = clear_pairs,
    [CONF_OBJECT] = clear_object, [CONF_OBJECTS] = clear_objects,
};

void conf_value_done(const struct conf_key *key, void *base)
{
    if (done[key->type])
        done[key->type](key, base);
}

void conf_value_clear(const struct conf_key *key, void *base)
{
    if (key->type == CONF_LIST || key->type == CONF_PAIRS || key->type == CONF_OBJECTS)
        conf_value_done(key, base);
}

static void set_initial(const struct conf_key *key, void *base, const char *text, size_t len)
{
    CLEANUP(freep) char *copy = mem_strndup(text, len);
    CLEANUP(buf_done) struct buf why;
    buf_init(&why, 4096);
    struct conf_scalar scalar = {.text = copy, .len = len};
    if (conf_value_set(key, base, &scalar, &why) < 0)
        abort(); // the table contradicts itself
}

void conf_value_default(const struct conf_key *key, void *base)
{
    conf_value_clear(key, base);
    if (key->type == CONF_OBJECT) {
        conf_object_default(key->object, at(key, base));
        return;
    }
    if (key->type == CONF_PAIRS || key->type == CONF_OBJECTS)
        return;
    if (key->required && key->type == CONF_TEXT) {
        // What must be given has no default that would be allowed.
        mem_strset(at(key, base), "");
        return;
    }
    if (key->type != CONF_LIST) {
        set_initial(key, base, key->initial, strlen(key->initial));
        return;
    }
    for (const char *word = key->initial; *word;) {
        size_t n = strcspn(word, " ");
        set_initial(key, base, word, n);
        word += n + strspn(word + n, " ");
    }
}

void conf_key_path(const struct conf_key *key, struct buf *out)
{
    buf_printf(out, "%s%s%s", key->section, *key->section ? "." : "", key->name);
}

// JSON. Texts, lists of texts, numbers and booleans are the same in YAML as we write it; words,
// durations and sizes want quotes, and a list of words around each.

static void put_json_text(const char *text, struct buf *out)
{
    buf_putc(out, '"');
    esc_json(out, text, strlen(text));
    buf_putc(out, '"');
}

static void list_json(const struct conf_key *key, const void *at, struct buf *out)
{
    const struct conf_list *list = at;
    buf_putc(out, '[');
    for (size_t i = 0; i < list->n; i++) {
        buf_puts(out, i ? "," : "");
        put_json_text(list->items[i], out);
    }
    buf_putc(out, ']');
}

static void objects_json(const struct conf_key *key, const void *at, struct buf *out)
{
    const struct conf_array *array = at;
    buf_putc(out, '[');
    for (size_t i = 0; i < array->n; i++) {
        buf_puts(out, i ? "," : "");
        encode_object(key->object, (const char *)array->items + i * key->object->size, out,
                      conf_value_encode_json, "\"");
    }
    buf_putc(out, ']');
}

static void object_json(const struct conf_key *key, const void *at, struct buf *out)
{
    encode_object(key->object, at, out, conf_value_encode_json, "\"");
}

static void quoted_json(const struct conf_key *key, const void *at, struct buf *out)
{
    buf_putc(out, '"');
    types[key->type].encode(key, at, out);
    buf_putc(out, '"');
}

static void (*const json[CONF_TYPE_MAX])(const struct conf_key *, const void *, struct buf *) = {
    [CONF_DURATION] = quoted_json, [CONF_CHOICE] = quoted_json,   [CONF_SIZE] = quoted_json,
    [CONF_LIST] = list_json,       [CONF_OBJECTS] = objects_json, [CONF_OBJECT] = object_json,
};

void conf_value_encode_json(const struct conf_key *key, const void *base, struct buf *out)
{
    const void *value = (const char *)base + key->offset;
    (json[key->type] ? json[key->type] : types[key->type].encode)(key, value, out);
}
