// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef CLI_TERM_H
#define CLI_TERM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/** What standard output can show. */
struct term {
    bool tty;
    bool color;
    bool utf8;
    size_t width;  /**< columns; SIZE_MAX where lines may be of any length */
    size_t height; /**< lines; 24 where nothing says */
};

enum style {
    STYLE_NONE,
    STYLE_TITLE,
    STYLE_GOOD,
    STYLE_WARN,
    STYLE_BAD,
    STYLE_DIM,
    STYLE_MAX,
};

/**
 * Look at standard output and the environment. `color` is "always", "never", or "auto": on a
 * terminal unless NO_COLOR is set or TERM says dumb. Sets the character locale, for widths.
 */
void term_init(struct term *t, const char *color);

/** Text (already safe) in a style; plain where the terminal has no colours. */
void term_put(const struct term *t, enum style style, const char *text, struct buf *out);

/** What stands for a value that is absent, and for text that was cut. */
const char *term_dash(const struct term *t);
const char *term_ellipsis(const struct term *t);

#endif
