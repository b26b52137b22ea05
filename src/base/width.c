// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/width.h"

#include <string.h>
#include <wchar.h>

#include "base/esc.h"

static size_t step(const char *s, size_t len, size_t *ret_columns)
{
    unsigned cp = 0;
    size_t n = esc_utf8_next(s, len, &cp);
    int columns = n ? wcwidth((wchar_t)cp) : 1;
    *ret_columns = columns < 0 ? 1 : (size_t)columns;
    return n ? n : 1;
}

size_t width_fit(const char *s, size_t columns, size_t *ret_columns)
{
    size_t len = strlen(s), at = 0, taken = 0;
    while (at < len) {
        size_t width;
        size_t n = step(s + at, len - at, &width);
        if (taken + width > columns)
            break;
        taken += width;
        at += n;
    }
    if (ret_columns)
        *ret_columns = taken;
    return at;
}

size_t width_text(const char *s)
{
    size_t columns;
    width_fit(s, SIZE_MAX / 2, &columns);
    return columns;
}

static void put_blanks(struct buf *out, size_t n)
{
    while (n-- > 0)
        buf_putc(out, ' ');
}

void width_put(struct buf *out, const char *s, size_t columns, enum width_align align,
               const char *ellipsis)
{
    size_t taken;
    size_t bytes = width_fit(s, columns, &taken);
    bool cut = s[bytes] != '\0';
    if (cut && columns > 0)
        bytes = width_fit(s, columns - 1, &taken);
    size_t blanks = columns - taken - (cut && columns > 0);
    if (align == WIDTH_RIGHT)
        put_blanks(out, blanks);
    buf_put(out, s, bytes);
    if (cut && columns > 0)
        buf_puts(out, ellipsis);
    if (align == WIDTH_LEFT)
        put_blanks(out, blanks);
}
