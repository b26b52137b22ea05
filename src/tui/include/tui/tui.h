// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef TUI_TUI_H
#define TUI_TUI_H

#include <stdbool.h>

#include "base/err.h"
#include "net/http.h"

struct tui_params {
    struct http_target target; /**< borrowed until tui_run() returns */
    bool color;
    bool utf8; /**< the locale's characters */
};

/**
 * `vherd top`: draws until the person quits, or SIGTERM, SIGINT or SIGHUP arrive; the terminal is
 * then as it was. A daemon that does not answer is shown and asked again. Returns 0, or -errno
 * where there is no terminal to draw on.
 */
int tui_run(const struct tui_params *params, struct err *err);

#endif
