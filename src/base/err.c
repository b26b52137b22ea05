// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/err.h"

#include <stdio.h>
#include <string.h>

static void mark_if_cut(struct err *err, int wanted)
{
    static const char ellipsis[] = "…";
    if (wanted < (int)sizeof(err->message))
        return;
    size_t at = sizeof(err->message) - sizeof(ellipsis);
    while (at > 0 && ((unsigned char)err->message[at] & 0xC0) == 0x80)
        at--; // not inside a character of several bytes
    memcpy(err->message + at, ellipsis, sizeof(ellipsis));
}

static int fill(struct err *err, int code, int line, int column, const char *format, va_list ap)
    __attribute__((format(printf, 5, 0)));

static int fill(struct err *err, int code, int line, int column, const char *format, va_list ap)
{
    if (!err)
        return -code;
    err->code = code;
    err->line = line;
    err->column = column;
    mark_if_cut(err, vsnprintf(err->message, sizeof(err->message), format, ap));
    return -code;
}

int err_set(struct err *err, int code, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    int r = fill(err, code, 0, 0, format, ap);
    va_end(ap);
    return r;
}

int err_set_at(struct err *err, int code, int line, int column, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    int r = fill(err, code, line, column, format, ap);
    va_end(ap);
    return r;
}

int err_wrap(struct err *err, const char *format, ...)
{
    if (!err)
        return 0;
    char inner[sizeof(err->message)];
    memcpy(inner, err->message, sizeof(inner));
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(err->message, sizeof(err->message), format, ap);
    va_end(ap);
    if (n < 0 || n >= (int)sizeof(err->message)) {
        mark_if_cut(err, n);
        return -err->code;
    }
    size_t at = (size_t)n;
    int m = snprintf(err->message + at, sizeof(err->message) - at, ": %s", inner);
    mark_if_cut(err, n + m);
    return -err->code;
}
