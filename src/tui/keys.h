// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef TUI_KEYS_H
#define TUI_KEYS_H

#include "model.h"

/** What a key does; the table is also the help page. */
struct tui_binding {
    unsigned modes;    /**< bits 1 << enum tui_mode */
    unsigned keys[4];  /**< 0 ends */
    const char *names; /**< "Up k" */
    void (*act)(struct tui_state *s, const struct tui_model *m, int argument);
    int argument;
    const char *help;
};

extern const struct tui_binding tui_bindings[];
extern const size_t tui_bindings_count;

#endif
