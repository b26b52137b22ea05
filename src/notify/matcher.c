// SPDX-License-Identifier: GPL-3.0-or-later
// Reading and applying matchers. The reader consumes at least one byte a round.
#include "notify/matcher.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "regex/regex.h"

static const char *const ops[MATCHER_OP_MAX] = {"=", "!=", "=~", "!~"};

struct reader {
    const char *text, *at;
    struct err *err;
};

static int fail(const struct reader *r, const char *what)
{
    return err_set_at(r->err, EINVAL, 0, (int)(r->at - r->text) + 1,
                      "matcher \"%.200s\", column %d: %s", r->text, (int)(r->at - r->text) + 1,
                      what);
}

static void skip_blanks(struct reader *r)
{
    r->at += strspn(r->at, " \t\r\n");
}

static bool take(struct reader *r, const char *token)
{
    size_t n = strlen(token);
    if (strncmp(r->at, token, n) != 0)
        return false;
    r->at += n;
    return true;
}

static int read_name(struct reader *r, char **ret)
{
    size_t n = strspn(r->at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_:.-");
    if (n == 0)
        return fail(r, "the name of a label is missing");
    *ret = mem_strndup(r->at, n);
    r->at += n;
    return 0;
}

static int read_op(struct reader *r, enum matcher_op *ret)
{
    // The longer ones first.
    static const enum matcher_op order[] = {MATCHER_REGEX, MATCHER_NOT_REGEX, MATCHER_NOT_EQUAL,
                                            MATCHER_EQUAL};
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        if (take(r, ops[order[i]])) {
            *ret = order[i];
            return 0;
        }
    }
    return fail(r, "one of =, !=, =~, !~ is missing");
}

static int read_quoted(struct reader *r, struct buf *out)
{
    r->at++;
    while (*r->at && *r->at != '"') {
        char c = *r->at++;
        if (c == '\\' && *r->at) {
            c = *r->at++;
            if (c != '"' && c != '\\' && c != 'n')
                buf_putc(out, '\\');
            c = c == 'n' ? '\n' : c;
        }
        buf_putc(out, c);
    }
    return take(r, "\"") ? 0 : fail(r, "the quote at the end is missing");
}

static int read_value(struct reader *r, char **ret)
{
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, MATCHER_TEXT_MAX + 1);
    if (*r->at == '"') {
        int e = read_quoted(r, &b);
        if (e < 0)
            return e;
    } else {
        size_t n = strcspn(r->at, ",}\"{ \t\r\n");
        buf_put(&b, r->at, n);
        r->at += n;
    }
    *ret = mem_strndup(b.len ? b.data : "", b.len);
    return 0;
}

static void matcher_done(struct matcher *m)
{
    free(m->name);
    free(m->value);
    regex_free(m->regex);
}

static int compile(struct reader *r, struct matcher *m)
{
    struct err why = {0};
    if (m->op != MATCHER_REGEX && m->op != MATCHER_NOT_REGEX)
        return 0;
    if (regex_new(m->value, true, &m->regex, &why) < 0)
        return fail(r, why.message);
    return 0;
}

static int read_one(struct reader *r, struct matchers *m)
{
    struct matcher one = {0};
    if (m->n == MATCHERS_MAX)
        return fail(r, "too many matchers");
    int e = read_name(r, &one.name);
    skip_blanks(r);
    if (e == 0)
        e = read_op(r, &one.op);
    skip_blanks(r);
    if (e == 0)
        e = read_value(r, &one.value);
    if (e == 0)
        e = compile(r, &one);
    if (e < 0) {
        matcher_done(&one);
        return e;
    }
    mem_grow(&m->item, &m->cap, m->n, sizeof(*m->item));
    m->item[m->n++] = one;
    return 0;
}

static int read_all(struct reader *r, struct matchers *m)
{
    skip_blanks(r);
    bool braces = take(r, "{");
    for (;;) {
        skip_blanks(r);
        if (braces && take(r, "}"))
            break;
        int e = read_one(r, m);
        if (e < 0)
            return e;
        skip_blanks(r);
        if (take(r, ","))
            continue;
        if (braces && !take(r, "}"))
            return fail(r, "a comma or } is missing");
        break;
    }
    skip_blanks(r);
    return *r->at ? fail(r, "there is more than a matcher") : 0;
}

int matchers_add(struct matchers *m, const char *text, struct err *err)
{
    struct reader r = {text, text, err};
    if (strlen(text) > MATCHER_TEXT_MAX)
        return err_set(err, EINVAL, "a matcher is too long");
    size_t before = m->n;
    int e = read_all(&r, m);
    while (e < 0 && m->n > before)
        matcher_done(&m->item[--m->n]);
    return e;
}

void matchers_done(struct matchers *m)
{
    for (size_t i = 0; i < m->n; i++)
        matcher_done(&m->item[i]);
    free(m->item);
    *m = (struct matchers){0};
}

static bool holds(const struct matcher *m, const char *value)
{
    bool is = m->regex ? regex_match(m->regex, value, strlen(value)) : strcmp(m->value, value) == 0;
    return (m->op == MATCHER_NOT_EQUAL || m->op == MATCHER_NOT_REGEX) != is;
}

bool matchers_match(const struct matchers *m, const struct labels *labels)
{
    for (size_t i = 0; i < m->n; i++) {
        const char *value = labels_get(labels, m->item[i].name);
        if (!holds(&m->item[i], value ? value : ""))
            return false;
    }
    return true;
}

bool matchers_match_nothing_set(const struct matchers *m)
{
    for (size_t i = 0; i < m->n; i++)
        if (!holds(&m->item[i], ""))
            return false;
    return true;
}

void matchers_format(const struct matchers *m, struct buf *out)
{
    for (size_t i = 0; i < m->n; i++) {
        buf_printf(out, "%s%s%s\"", i ? "," : "", m->item[i].name, ops[m->item[i].op]);
        for (const char *c = m->item[i].value; *c; c++) {
            if (*c == '\n')
                buf_puts(out, "\\n");
            else
                buf_printf(out, *c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
        }
        buf_putc(out, '"');
    }
}
