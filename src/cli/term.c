// SPDX-License-Identifier: GPL-3.0-or-later
#include "term.h"

#include <langinfo.h>
#include <locale.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/number.h"

static size_t terminal_width(void)
{
    struct winsize size;
    uint64_t columns = 0;
    const char *env = getenv("COLUMNS");
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    if (env && number_parse_u64(env, &columns) == 0 && columns > 0 && columns < 100000)
        return columns;
    return 80;
}

static size_t terminal_height(void)
{
    struct winsize size;
    uint64_t lines = 0;
    const char *env = getenv("LINES");
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0)
        return size.ws_row;
    if (env && number_parse_u64(env, &lines) == 0 && lines > 0 && lines < 100000)
        return lines;
    return 24;
}

static bool wants_color(const struct term *t, const char *color)
{
    const char *no_color = getenv("NO_COLOR"), *name = getenv("TERM");
    if (strcmp(color, "auto") != 0)
        return strcmp(color, "always") == 0;
    return t->tty && !(no_color && *no_color) && name && *name && strcmp(name, "dumb") != 0;
}

// Names are UTF-8 whatever the locale says, so that their widths need a locale that knows it.
static bool init_locale(void)
{
    setlocale(LC_CTYPE, "");
    bool utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    if (!utf8)
        setlocale(LC_CTYPE, "C.UTF-8");
    return utf8;
}

void term_init(struct term *t, const char *color)
{
    t->utf8 = init_locale();
    t->tty = isatty(STDOUT_FILENO);
    t->width = t->tty ? terminal_width() : SIZE_MAX;
    t->height = terminal_height();
    t->color = wants_color(t, color);
}

void term_put(const struct term *t, enum style style, const char *text, struct buf *out)
{
    static const char *const codes[STYLE_MAX] = {"", "1", "32", "33", "31", "2"};
    if (t->color && style != STYLE_NONE)
        buf_printf(out, "\x1b[%sm%s\x1b[0m", codes[style], text);
    else
        buf_puts(out, text);
}

const char *term_dash(const struct term *t)
{
    return t->utf8 ? "–" : "-";
}

const char *term_ellipsis(const struct term *t)
{
    return t->utf8 ? "…" : "~";
}
