// SPDX-License-Identifier: GPL-3.0-or-later
// Numbers, strings and durations: a token's text into what it means.
#include <errno.h>
#include <math.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/number.h"
#include "parser.h"

static void put_rune(struct buf *out, uint32_t c)
{
    if (c < 0x80)
        buf_putc(out, (char)c);
    else if (c < 0x800)
        buf_printf(out, "%c%c", (int)(0xC0 | c >> 6), (int)(0x80 | (c & 0x3F)));
    else if (c < 0x10000)
        buf_printf(out, "%c%c%c", (int)(0xE0 | c >> 12), (int)(0x80 | (c >> 6 & 0x3F)),
                   (int)(0x80 | (c & 0x3F)));
    else
        buf_printf(out, "%c%c%c%c", (int)(0xF0 | c >> 18), (int)(0x80 | (c >> 12 & 0x3F)),
                   (int)(0x80 | (c >> 6 & 0x3F)), (int)(0x80 | (c & 0x3F)));
}

// The escape at s[1], by Go's rules; its length, 0 where it is none.
static size_t unescape(const char *s, size_t len, char quote, struct buf *out)
{
    static const char named[] = "a\ab\bf\fn\nr\rt\tv\v\\\\";
    char c = s[1];
    if (c == quote) {
        buf_putc(out, c);
        return 2;
    }
    for (size_t i = 0; i + 1 < sizeof(named); i += 2)
        if (named[i] == c) {
            buf_putc(out, named[i + 1]);
            return 2;
        }
    bool is_octal = c >= '0' && c <= '7';
    size_t n = is_octal ? 3 : c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    size_t at = is_octal ? 1 : 2;
    uint32_t v = 0;
    if (n == 0 || at + n > len)
        return 0;
    for (size_t i = 0; i < n; i++) {
        int digit = number_hex_digit(s[at + i]);
        if (digit < 0 || (is_octal && digit > 7))
            return 0;
        v = v * (is_octal ? 8 : 16) + (uint32_t)digit;
    }
    if (c == 'x' || is_octal) {
        if (v > 255)
            return 0;
        buf_putc(out, (char)v);
    } else {
        if (v > 0x10FFFF || (v >= 0xD800 && v < 0xE000))
            return 0;
        put_rune(out, v);
    }
    return at + n;
}

const char *parser_unquote(struct parser *p, const struct token *t)
{
    const char *s = p->lexer.text + t->start + 1;
    size_t len = t->end - t->start - 2;
    char quote = s[-1];
    if (quote == '`')
        return arena_text(p->arena, s, len);
    struct buf out;
    buf_init(&out, len * 4 + 8);
    bool is_fine = true;
    for (size_t i = 0, n; i < len && is_fine; i += n) {
        n = 1;
        if (s[i] != '\\')
            buf_putc(&out, s[i]);
        else
            is_fine = (n = unescape(s + i, len - i, quote, &out)) > 0;
    }
    is_fine = is_fine && !out.error && !memchr(out.data ? out.data : "", 0, out.len);
    const char *text = is_fine ? arena_text(p->arena, out.data ? out.data : "", out.len) : NULL;
    buf_done(&out);
    if (!text)
        parser_fail(p, t->start, "error unquoting string %.*s: invalid syntax",
                    (int)MIN_OF(t->end - t->start, 200u), p->lexer.text + t->start);
    return text;
}

double parser_number(struct parser *p, const struct token *t)
{
    char text[400];
    size_t n = 0;
    if (t->end - t->start >= sizeof(text))
        parser_fail(p, t->start, "error parsing number: too long");
    for (uint32_t i = t->start; i < t->end; i++)
        if (p->lexer.text[i] != '_')
            text[n++] = p->lexer.text[i];
    text[n] = '\0';
    if (strcasecmp(text, "inf") == 0)
        return INFINITY;
    if (strcasecmp(text, "nan") == 0)
        return NAN;
    bool is_hex = text[0] == '0' && (text[1] | 32) == 'x';
    size_t whole = strspn(text, "0123456789");
    bool is_octal = text[0] == '0' && whole == n && strspn(text, "01234567") == n;
    if (is_hex || is_octal) {
        double v = 0;
        for (const char *c = text + (is_hex ? 2 : 0); *c; c++)
            v = v * (is_hex ? 16 : 8) + number_hex_digit(*c);
        return v;
    }
    double v;
    int r = number_parse_f64(text, &v);
    if (r == -ERANGE)
        return INFINITY;
    if (r < 0)
        parser_fail(p, t->start, "error parsing number: \"%s\"", text);
    return v;
}

void parser_refuse_duration_expression(struct parser *p)
{
    if (p->token.kind == TOKEN_OPERATOR || p->token.kind == TOKEN_LEFT_PAREN ||
        p->token.kind == TOKEN_IDENTIFIER)
        parser_fail(p, p->token.start, "experimental duration expression is not enabled");
}

// A duration, or a number of seconds.
int64_t parser_duration(struct parser *p, bool must_be_positive, const char *context,
                        const char *expected)
{
    struct token t = p->token;
    if (t.kind != TOKEN_NUMBER && t.kind != TOKEN_DURATION) {
        if (t.kind != TOKEN_IDENTIFIER || p->lexer.brackets)
            parser_refuse_duration_expression(p);
        parser_unexpected(p, context, expected);
    }
    int64_t ms;
    if (t.kind == TOKEN_NUMBER) {
        double seconds = parser_number(p, &t);
        if (!(fabs(seconds) * 1000 <= 9223372036854.0))
            parser_fail(p, t.start, "duration out of range");
        ms = (int64_t)round(seconds * 1000);
    } else if (promql_duration_parse(p->lexer.text + t.start, t.end - t.start, false, &ms) < 0) {
        parser_fail(p, t.start, "duration out of range");
    }
    if (must_be_positive && ms <= 0)
        parser_fail(p, t.start, "duration must be greater than 0");
    parser_advance(p);
    return ms;
}

struct node *parser_number_node(struct parser *p)
{
    struct token t = p->token;
    struct node *node = parser_new_node(p, NODE_NUMBER, t.start);
    if (t.kind == TOKEN_NUMBER) {
        node->number = parser_number(p, &t);
    } else {
        int64_t ms;
        if (promql_duration_parse(p->lexer.text + t.start, t.end - t.start, false, &ms) < 0)
            parser_fail(p, t.start, "duration out of range");
        node->number = (double)ms / 1000;
        node->is_duration = true;
    }
    parser_advance(p);
    node->end = p->last_end;
    parser_set_depth(p, node);
    return node;
}
