// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/esc.h"

#include <errno.h>
#include <string.h>

#include "base/number.h"

#define REPLACEMENT "\xEF\xBF\xBD"

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

size_t esc_utf8_next(const char *s, size_t len, unsigned *ret_cp)
{
    static const unsigned least[5] = {0, 0, 0x80, 0x800, 0x10000};
    if (len == 0)
        return 0;
    unsigned char first = (unsigned char)s[0];
    size_t n = first < 0x80             ? 1
               : (first & 0xE0) == 0xC0 ? 2
               : (first & 0xF0) == 0xE0 ? 3
               : (first & 0xF8) == 0xF0 ? 4
                                        : 0;
    if (n == 0 || n > len)
        return 0;
    unsigned cp = n == 1 ? first : first & (0x7Fu >> n);
    for (size_t i = 1; i < n; i++) {
        if (!is_continuation(s[i]))
            return 0;
        cp = cp << 6 | ((unsigned char)s[i] & 0x3Fu);
    }
    if (n > 1 && (cp < least[n] || cp > 0x10FFFF || (cp >= 0xD800 && cp <= 0xDFFF)))
        return 0;
    if (ret_cp)
        *ret_cp = cp;
    return n;
}

typedef const char *replace_fn(unsigned cp);

// Copies valid runs whole; `replace` names the text for a code point that may not pass as it is.
static void escape(struct buf *b, const char *s, size_t len, replace_fn *replace,
                   void (*special)(struct buf *, unsigned))
{
    size_t run = 0, at = 0;
    while (at < len) {
        unsigned cp = 0;
        size_t n = esc_utf8_next(s + at, len - at, &cp);
        const char *other = n == 0 ? REPLACEMENT : replace(cp);
        if (other) {
            buf_put(b, s + run, at - run);
            if (other[0] == '\0')
                special(b, cp);
            else
                buf_puts(b, other);
            at += n ? n : 1;
            run = at;
        } else {
            at += n;
        }
    }
    buf_put(b, s + run, at - run);
}

static const char *replace_label(unsigned cp)
{
    switch (cp) {
    case '\\':
        return "\\\\";
    case '"':
        return "\\\"";
    case '\n':
        return "\\n";
    default:
        return NULL;
    }
}

void esc_label(struct buf *b, const char *s)
{
    escape(b, s, strlen(s), replace_label, NULL);
}

static void special_json(struct buf *b, unsigned cp)
{
    buf_printf(b, "\\u%04x", cp);
}

static const char *replace_json(unsigned cp)
{
    switch (cp) {
    case '\\':
        return "\\\\";
    case '"':
        return "\\\"";
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    default:
        return cp < 0x20 || cp == 0x7F || cp == 0x2028 || cp == 0x2029 ? "" : NULL;
    }
}

void esc_json(struct buf *b, const char *s, size_t len)
{
    escape(b, s, len, replace_json, special_json);
}

static const char *replace_html(unsigned cp)
{
    switch (cp) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return (cp < 0x20 && cp != '\t' && cp != '\n') || cp == 0x7F ? REPLACEMENT : NULL;
    }
}

void esc_html(struct buf *b, const char *s)
{
    escape(b, s, strlen(s), replace_html, NULL);
}

static void special_terminal(struct buf *b, unsigned cp)
{
    if (cp < 0x100)
        buf_printf(b, "\\x%02x", cp);
    else
        buf_printf(b, "\\u{%x}", cp);
}

static const char *replace_terminal(unsigned cp)
{
    if (cp < 0x20 || (cp >= 0x7F && cp < 0xA0))
        return "";
    // Line and paragraph separators, bidirectional controls, byte order mark.
    if ((cp >= 0x200E && cp <= 0x200F) || (cp >= 0x2028 && cp <= 0x202E) ||
        (cp >= 0x2066 && cp <= 0x2069) || cp == 0xFEFF || cp == 0x061C)
        return "";
    return NULL;
}

void esc_terminal(struct buf *b, const char *s)
{
    escape(b, s, strlen(s), replace_terminal, special_terminal);
}

char *esc_terminal_dup(const char *s)
{
    struct buf b;
    buf_init(&b, strlen(s) * 10 + 1);
    esc_terminal(&b, s);
    return buf_take(&b, NULL);
}

static const char *replace_roff(unsigned cp)
{
    switch (cp) {
    case '\\':
        return "\\e";
    case '-':
        return "\\-";
    case 0x2026:
        return "...";
    case '`':
        return "";
    default:
        return NULL;
    }
}

static void special_roff(struct buf *b, unsigned cp) {}

void esc_roff(struct buf *b, const char *s)
{
    while (*s) {
        size_t line = strcspn(s, "\n");
        if (*s == '.' || *s == '\'')
            buf_puts(b, "\\&");
        escape(b, s, line, replace_roff, special_roff);
        s += line;
        if (*s)
            buf_putc(b, *s++);
    }
}

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~", c));
}

void esc_url(struct buf *b, const char *s)
{
    static const char hex[] = "0123456789ABCDEF";
    for (; *s; s++) {
        if (is_unreserved(*s)) {
            buf_putc(b, *s);
        } else {
            unsigned char c = (unsigned char)*s;
            char escaped[3] = {'%', hex[c >> 4], hex[c & 15]};
            buf_put(b, escaped, sizeof(escaped));
        }
    }
}

long esc_url_decode(char *s, size_t len)
{
    size_t out = 0;
    for (size_t i = 0; i < len; i++) {
        if (s[i] == '%') {
            int high = i + 2 < len ? number_hex_digit(s[i + 1]) : -1;
            int low = i + 2 < len ? number_hex_digit(s[i + 2]) : -1;
            if (high < 0 || low < 0 || (high == 0 && low == 0))
                return -EINVAL;
            s[out++] = (char)(high << 4 | low);
            i += 2;
        } else {
            s[out++] = s[i];
        }
    }
    return (long)out;
}
