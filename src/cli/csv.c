// SPDX-License-Identifier: GPL-3.0-or-later
#include "csv.h"

#include <string.h>

void csv_put(const char *field, struct buf *out)
{
    size_t len = strlen(field);
    bool plain =
        !strpbrk(field, ",\"\r\n") && (len == 0 || (field[0] != ' ' && field[len - 1] != ' '));
    if (plain) {
        buf_put(out, field, len);
        return;
    }
    buf_putc(out, '"');
    for (; *field; field++) {
        if (*field == '"')
            buf_putc(out, '"');
        buf_putc(out, *field);
    }
    buf_putc(out, '"');
}
