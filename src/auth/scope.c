// SPDX-License-Identifier: GPL-3.0-or-later
#include "auth/scope.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static const char *const kinds[SCOPE_KIND_MAX] = {
    [SCOPE_NAME] = "name:", [SCOPE_LABEL] = "label:", [SCOPE_OWNER] = "owner:"};

static const char *skip_one(const char *s)
{
    return s[0] == '\\' && s[1] ? s + 2 : s + 1;
}

// One character that is no star: does it fit? The pattern is not at its end.
static bool fits_one(const char *pattern, char c)
{
    if (*pattern == '?')
        return true;
    if (*pattern == '\\' && pattern[1])
        pattern++;
    return *pattern == c;
}

// "?" stands for one character of UTF-8.
static const char *next_char(const char *text, bool whole)
{
    text++;
    while (whole && ((unsigned char)*text & 0xC0) == 0x80)
        text++;
    return text;
}

bool scope_glob(const char *pattern, const char *text)
{
    // Where to go on when what follows the last star does not fit: one character later.
    const char *star = NULL, *from = NULL;
    while (*text) {
        if (*pattern == '*') {
            star = ++pattern;
            from = text;
        } else if (*pattern && fits_one(pattern, *text)) {
            text = next_char(text, *pattern == '?');
            pattern = skip_one(pattern);
        } else if (star) {
            pattern = star;
            text = ++from;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

static size_t term_length(const char *s)
{
    const char *at = s;
    while (*at && *at != ',')
        at = skip_one(at);
    return (size_t)(at - s);
}

// A name without escapes is written with them where it holds one of ours.
static char *unescape(const char *s, size_t len)
{
    char *text = mem_strndup(s, len), *out = text;
    for (const char *at = text; *at; at++) {
        if (*at == '\\' && at[1])
            at++;
        *out++ = *at;
    }
    *out = '\0';
    return text;
}

static int take_value(struct scope_term *t, const char *s, size_t len, struct err *err)
{
    if (t->kind == SCOPE_LABEL) {
        const char *equals = memchr(s, '=', len);
        size_t key_len = equals ? (size_t)(equals - s) : len;
        t->key = mem_strndup(s, key_len);
        t->pattern = equals ? mem_strndup(equals + 1, len - key_len - 1) : NULL;
        if (key_len == 0 || strpbrk(t->key, "\\*?"))
            return err_set(err, EINVAL, "a label in a scope needs a plain name: label:env=test");
        return 0;
    }
    if (len == 0)
        return err_set(err, EINVAL, "%s in a scope needs a value behind it", kinds[t->kind]);
    t->pattern = t->kind == SCOPE_OWNER ? unescape(s, len) : mem_strndup(s, len);
    return 0;
}

static int take_term(struct scope *s, const char *text, size_t len, struct err *err)
{
    if (s->n == SCOPE_TERMS_MAX)
        return err_set(err, E2BIG, "a scope has at most %d terms", SCOPE_TERMS_MAX);
    for (int kind = 0; kind < SCOPE_KIND_MAX; kind++) {
        size_t head = strlen(kinds[kind]);
        if (len < head || memcmp(text, kinds[kind], head) != 0)
            continue;
        struct scope_term *t = &s->term[s->n++];
        *t = (struct scope_term){.kind = (enum scope_kind)kind};
        return take_value(t, text + head, len - head, err);
    }
    return err_set(err, EINVAL,
                   "a scope is \"all\", \"none\", or terms such as name:web-*, label:env=test, "
                   "owner:alice with commas between, not \"%.*s\"",
                   (int)MIN_OF(len, (size_t)100), text);
}

int scope_parse(const char *text, struct scope *ret, struct err *err)
{
    *ret = (struct scope){0};
    if (strnlen(text, SCOPE_TEXT_MAX + 1) > SCOPE_TEXT_MAX)
        return err_set(err, E2BIG, "a scope is longer than %d bytes", SCOPE_TEXT_MAX);
    if (strcmp(text, "all") == 0) {
        ret->all = true;
        return 0;
    }
    if (strcmp(text, "none") == 0 || *text == '\0')
        return 0;
    for (;;) {
        size_t len = term_length(text);
        int r = take_term(ret, text, len, err);
        if (r < 0 || text[len] == '\0')
            return r;
        text += len + 1;
    }
}

void scope_done(struct scope *s)
{
    for (size_t i = 0; i < s->n; i++) {
        free(s->term[i].key);
        free(s->term[i].pattern);
    }
    *s = (struct scope){0};
}

static void put_escaped(const char *text, struct buf *out)
{
    for (; *text; text++) {
        if (*text == ',' || *text == '\\')
            buf_putc(out, '\\');
        buf_putc(out, *text);
    }
}

void scope_format(const struct scope *s, struct buf *out)
{
    if (s->all || s->n == 0)
        buf_puts(out, s->all ? "all" : "none");
    for (size_t i = 0; i < s->n; i++) {
        const struct scope_term *t = &s->term[i];
        buf_printf(out, "%s%s%s", i > 0 ? "," : "", kinds[t->kind], t->key ? t->key : "");
        if (t->kind == SCOPE_OWNER)
            put_escaped(t->pattern, out);
        else if (t->pattern)
            buf_printf(out, "%s%s", t->key ? "=" : "", t->pattern);
    }
}

static bool label_fits(const struct scope_term *t, const struct auth_object *o)
{
    for (size_t i = 0; i < o->n_labels; i++)
        if (strcmp(o->labels[i].name, t->key) == 0)
            return !t->pattern || scope_glob(t->pattern, o->labels[i].value);
    return false;
}

static bool term_fits(const struct scope_term *t, const struct auth_object *o)
{
    switch (t->kind) {
    case SCOPE_NAME:
        return o->vm && scope_glob(t->pattern, o->vm);
    case SCOPE_LABEL:
        return label_fits(t, o);
    default:
        return o->owner && *o->owner && strcmp(o->owner, t->pattern) == 0;
    }
}

bool scope_covers(const struct scope *s, const struct auth_object *o)
{
    if (s->all)
        return true;
    for (size_t i = 0; i < s->n; i++)
        if (term_fits(&s->term[i], o))
            return true;
    return false;
}
