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
    size_t i = 0;
    while (i + 1 < ARRAY_LEN(units) && (ns == 0 || ns % units[i].ns != 0))
        i++;
    buf_i64(out, ns / units[i].ns);
    buf_puts(out, units[i].name);
}

void conf_size_format(int64_t bytes, struct buf *out)
{
    static const char units[] = "TGMK";
    int shift = 40;
    while (shift > 0 && (bytes == 0 || bytes % (INT64_C(1) << shift) != 0))
        shift -= 10;
    buf_i64(out, bytes >> shift);
    if (shift)
        buf_putc(out, units[4 - shift / 10]);
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

static int size_set(const struct conf_key *key, void *at, const struct conf_scalar *scalar,
                    struct buf *why)
{
    uint64_t v = 0;
    int r = number_parse_size(scalar->text, &v);
    if (r == 0 && v > INT64_MAX)
        r = -ERANGE;
    return set_in_range(key, at, (int64_t)v, r, "is not a size", scalar, why);
}

static void size_encode(const struct conf_key *key, const void *at, struct buf *out)
{
    conf_size_format(*(const int64_t *)at, out);
}

static void size_allowed(const struct conf_key *key, struct buf *out)
{
    buf_puts(out, "bytes, or a whole number with K, M, G or T, from ");
    conf_size_format(key->min, out);
    buf_puts(out, " to ");
    conf_size_format(key->max, out);
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

static const struct type_ops types[CONF_TYPE_MAX] = {
    [CONF_TEXT] = {text_set, text_encode, text_allowed},
    [CONF_BOOL] = {bool_set, bool_encode, bool_allowed},
    [CONF_INTEGER] = {integer_set, integer_encode, integer_allowed},
    [CONF_DURATION] = {duration_set, duration_encode, duration_allowed},
    [CONF_SIZE] = {size_set, size_encode, size_allowed},
    [CONF_CHOICE] = {choice_set, choice_encode, choice_allowed},
    [CONF_LIST] = {list_set, list_encode, list_allowed},
};

int conf_value_set(const struct conf_key *key, struct conf *c, const struct conf_scalar *scalar,
                   struct buf *why)
{
    return types[key->type].set(key, (char *)c + key->offset, scalar, why);
}

void conf_value_encode(const struct conf_key *key, const struct conf *c, struct buf *out)
{
    types[key->type].encode(key, (const char *)c + key->offset, out);
}

void conf_value_allowed(const struct conf_key *key, struct buf *out)
{
    types[key->type].allowed(key, out);
}

void conf_value_clear(const struct conf_key *key, struct conf *c)
{
    if (key->type != CONF_LIST)
        return;
    struct conf_list *list = (void *)((char *)c + key->offset);
    for (size_t i = 0; i < list->n; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct conf_list){0};
}

void conf_value_done(const struct conf_key *key, struct conf *c)
{
    conf_value_clear(key, c);
    if (key->type == CONF_TEXT)
        mem_strset((char **)((char *)c + key->offset), NULL);
}

static void set_initial(const struct conf_key *key, struct conf *c, const char *text, size_t len)
{
    CLEANUP(freep) char *copy = mem_strndup(text, len);
    CLEANUP(buf_done) struct buf why;
    buf_init(&why, 4096);
    struct conf_scalar scalar = {.text = copy, .len = len};
    if (conf_value_set(key, c, &scalar, &why) < 0)
        abort(); // the table contradicts itself
}

void conf_value_default(const struct conf_key *key, struct conf *c)
{
    conf_value_clear(key, c);
    if (key->type != CONF_LIST) {
        set_initial(key, c, key->initial, strlen(key->initial));
        return;
    }
    for (const char *word = key->initial; *word;) {
        size_t n = strcspn(word, " ");
        set_initial(key, c, word, n);
        word += n + strspn(word + n, " ");
    }
}
