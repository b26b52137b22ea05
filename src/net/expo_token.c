// SPDX-License-Identifier: GPL-3.0-or-later
// The pieces of a line: blanks, names, quoted texts, numbers. Each step takes at least one byte or
// fails with its place.
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/esc.h"
#include "expo_private.h"

#define NUMBER_TEXT_MAX 4096

int expo_wrong_at(struct expo_parser *p, const char *at, int code, const char *what)
{
    int column = (int)(at - p->line_start) + 1;
    return err_set_at(p->err, code, p->line, column, "line %d, column %d: %s", p->line, column,
                      what);
}

int expo_wrong(struct expo_parser *p, const char *what)
{
    return expo_wrong_at(p, p->at, EINVAL, what);
}

// Blanks: free in text; exactly one in OpenMetrics, and only where it says so.

void expo_skip_blanks(struct expo_parser *p)
{
    while (!p->open_metrics && p->at < p->end && (*p->at == ' ' || *p->at == '\t'))
        p->at++;
}

bool expo_at_end(const struct expo_parser *p)
{
    return p->at == p->end;
}

bool expo_take(struct expo_parser *p, char wanted)
{
    if (expo_at_end(p) || *p->at != wanted)
        return false;
    p->at++;
    return true;
}

// At least one blank (exactly one in OpenMetrics).
bool expo_take_gap(struct expo_parser *p)
{
    if (p->open_metrics)
        return expo_take(p, ' ');
    const char *from = p->at;
    expo_skip_blanks(p);
    return p->at > from;
}

// Names

bool expo_is_name_byte(char c, bool first, bool colon)
{
    return isalpha((unsigned char)c) || c == '_' || (colon && c == ':') ||
           (!first && isdigit((unsigned char)c));
}

int expo_put_plain_name(struct expo_parser *p, bool colon, struct buf *out)
{
    const char *from = p->at;
    while (!expo_at_end(p) && expo_is_name_byte(*p->at, p->at == from, colon))
        p->at++;
    if (p->at == from)
        return expo_wrong(p,
                          expo_at_end(p) ? "a name is missing" : "a name cannot begin like this");
    buf_put(out, from, (size_t)(p->at - from));
    return 0;
}

// The inside of quotes, unescaped. Unknown escapes stay as they are.
int expo_put_quoted(struct expo_parser *p, struct buf *out, size_t *ret_chars)
{
    size_t chars = 0;
    const char *from = p->at;
    if (!expo_take(p, '"'))
        return expo_wrong(p, "a quote \" is missing");
    while (!expo_at_end(p) && *p->at != '"') {
        size_t n = esc_utf8_next(p->at, (size_t)(p->end - p->at), NULL);
        if (n == 0 || !*p->at)
            return expo_wrong(p, "this byte is not UTF-8 text");
        chars++;
        if (*p->at == '\\' && p->at + 1 < p->end && strchr("n\"\\", p->at[1]) && p->at[1]) {
            buf_putc(out, p->at[1] == 'n' ? '\n' : p->at[1]);
            p->at += 2;
        } else {
            buf_put(out, p->at, n);
            p->at += n;
        }
    }
    if (!expo_take(p, '"'))
        return expo_wrong_at(p, from, EINVAL, "this quote is not closed");
    if (ret_chars)
        *ret_chars += chars;
    return 0;
}

// Numbers

static size_t skip_digits(const char *s)
{
    return strspn(s, "0123456789");
}

// [sign] digits [. digits] [e [sign] digits], with a digit before or behind the point.
static bool is_real(const char *s)
{
    s += *s == '+' || *s == '-';
    size_t whole = skip_digits(s), part = 0;
    s += whole;
    if (*s == '.') {
        part = skip_digits(++s);
        s += part;
    }
    if (whole + part == 0)
        return false;
    if (*s == 'e' || *s == 'E') {
        s++;
        s += *s == '+' || *s == '-';
        size_t n = skip_digits(s);
        if (n == 0)
            return false;
        s += n;
    }
    return !*s;
}

static bool is_special(const char *s)
{
    bool sign = *s == '+' || *s == '-';
    return strcasecmp(s + sign, "inf") == 0 || strcasecmp(s + sign, "infinity") == 0 ||
           strcasecmp(s, "nan") == 0;
}

static bool read_word(struct expo_parser *p)
{
    const char *from = p->at;
    while (!expo_at_end(p) && *p->at != ' ' && *p->at != '\t')
        p->at++;
    buf_reset(&p->word);
    buf_put(&p->word, from, (size_t)(p->at - from));
    return p->word.len > 0 && p->word.len < NUMBER_TEXT_MAX && !p->word.error &&
           strlen(p->word.data) == p->word.len;
}

int expo_read_number(struct expo_parser *p, bool special, const char *what, double *ret)
{
    const char *from = p->at;
    if (!read_word(p) || (!is_real(p->word.data) && !(special && is_special(p->word.data))))
        return expo_wrong_at(p, from, EINVAL, what);
    *ret = strtod_l(p->word.data, NULL, p->locale);
    return 0;
}
