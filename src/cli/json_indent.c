// SPDX-License-Identifier: GPL-3.0-or-later
// JSON for a person's terminal. The text is known to parse; numbers and the order of members stay
// as the daemon wrote them.
#include <string.h>

#include "base/esc.h"
#include "base/mem.h"
#include "command.h"

static void new_line(struct buf *out, size_t depth)
{
    buf_putc(out, '\n');
    for (size_t i = 0; i < depth; i++)
        buf_puts(out, "  ");
}

static void put_escaped(unsigned cp, struct buf *out)
{
    if (cp < 0x10000) {
        buf_printf(out, "\\u%04x", cp);
    } else {
        cp -= 0x10000;
        buf_printf(out, "\\u%04x\\u%04x", 0xD800 + (cp >> 10), 0xDC00 + (cp & 0x3FF));
    }
}

// A character of a string: as it is where esc_terminal() leaves it alone.
static size_t put_character(const char *text, size_t len, struct buf *out)
{
    unsigned cp = 0;
    size_t n = esc_utf8_next(text, len, &cp);
    if (n == 0) {
        buf_puts(out, "\\ufffd");
        return 1;
    }
    char one[5] = {0};
    memcpy(one, text, n);
    CLEANUP(buf_done) struct buf safe;
    buf_init(&safe, 64);
    esc_terminal(&safe, one);
    if (safe.len == n && memcmp(safe.data, one, n) == 0)
        buf_put(out, one, n);
    else
        put_escaped(cp, out);
    return n;
}

static size_t put_string(const char *text, size_t len, struct buf *out)
{
    size_t at = 1;
    buf_putc(out, '"');
    while (at < len && text[at] != '"') {
        if (text[at] == '\\' && at + 1 < len) {
            buf_put(out, text + at, 2);
            at += 2;
        } else if ((unsigned char)text[at] < 0x80 && text[at] >= ' ' && text[at] != 0x7F) {
            buf_putc(out, text[at++]);
        } else {
            at += put_character(text + at, len - at, out);
        }
    }
    buf_putc(out, '"');
    return MIN_OF(at + 1, len);
}

static size_t skip_blanks(const char *text, size_t at, size_t len)
{
    while (at < len && strchr(" \t\r\n", text[at]))
        at++;
    return at;
}

void json_indent(const char *text, size_t len, struct buf *out)
{
    size_t depth = 0;
    for (size_t at = 0; at < len;) {
        char c = text[at];
        if (c == '"') {
            at += put_string(text + at, len - at, out);
            continue;
        }
        at++;
        if (c == '{' || c == '[') {
            size_t next = skip_blanks(text, at, len);
            buf_putc(out, c);
            if (next < len && (text[next] == '}' || text[next] == ']')) {
                buf_putc(out, text[next]);
                at = next + 1;
            } else {
                new_line(out, ++depth);
            }
        } else if (c == '}' || c == ']') {
            depth -= depth > 0;
            new_line(out, depth);
            buf_putc(out, c);
        } else if (c == ',') {
            buf_putc(out, c);
            new_line(out, depth);
        } else if (c == ':') {
            buf_puts(out, ": ");
        } else if (!strchr(" \t\r\n", c)) {
            buf_putc(out, c);
        }
    }
}
