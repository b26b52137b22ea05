// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef TUI_MODEL_H
#define TUI_MODEL_H

/*
 * What `vherd top` knows and how it is set, apart from any terminal: composing a screen is a
 * function of both and of the screen's size.
 */

#include <jansson.h>
#include <stdbool.h>

#include "base/uuid.h"
#include "page.h"

#define TUI_FILTER_MAX 64
/** Answers older than this are no longer shown as if they were of now. */
#define TUI_STALE_S 5.0

/** The daemon's last answers; every one may be missing. */
struct tui_model {
    json_t *vms;    /**< of /vms */
    json_t *host;   /**< of /host */
    json_t *detail; /**< of the VM that is looked into */
    char *error;    /**< why the last request failed; NULL = it did not */
    char *detail_error;
    double age_s; /**< since the last answer of /vms */
};

void tui_model_done(struct tui_model *m);

enum tui_mode {
    TUI_LIST,
    TUI_DETAIL,
    TUI_HELP,
    TUI_MODE_MAX,
};

struct tui_state {
    enum tui_mode mode;
    enum tui_mode help_from; /**< where help goes back to */
    size_t sort;             /**< index into tui_columns */
    bool reverse;
    bool filtering; /**< keys go into the filter */
    char filter[TUI_FILTER_MAX + 1];
    char selected[UUID_TEXT]; /**< the VM under the cursor, "" = the first */
    size_t top;               /**< first row of the list on the screen */
    size_t scroll;            /**< first line of a detail or help page on the screen */
    size_t height;            /**< rows that the last screen had for the list or page */
    bool quit;
};

void tui_state_init(struct tui_state *s);

/** Keys beyond characters, as tui_key() takes them. */
enum tui_special {
    TUI_KEY_UP = 0x110000, /**< above all code points */
    TUI_KEY_DOWN,
    TUI_KEY_PAGE_UP,
    TUI_KEY_PAGE_DOWN,
    TUI_KEY_HOME,
    TUI_KEY_END,
    TUI_KEY_ENTER,
    TUI_KEY_ESCAPE,
    TUI_KEY_BACKSPACE,
    TUI_KEY_F1,
};

/** A key was pressed: a code point or one of the above. */
void tui_key(struct tui_state *s, const struct tui_model *m, unsigned key);

/** The UUID of the VM whose detail is wanted, NULL where none is. */
const char *tui_wanted_detail(const struct tui_state *s);

/**
 * Exactly `rows` lines onto `out` (empty, of the screen's width). Moves `top` and `scroll` so that
 * the cursor stays in sight.
 */
void tui_compose(const struct tui_model *m, struct tui_state *s, size_t rows, struct page *out);

/* Parts of a screen, each in a file of its own. */

/** The host's lines at the top; at most 3. */
void tui_compose_bar(const struct tui_model *m, size_t lines, struct page *out);

/** The list with its title line, `rows` lines. */
void tui_compose_list(const struct tui_model *m, struct tui_state *s, size_t rows,
                      struct page *out);

/** Everything about a VM, as many lines as it takes. */
void tui_compose_detail(const struct tui_model *m, struct page *out);

/** The keys and columns, out of their tables. */
void tui_compose_help(struct page *out);

/** True where numbers are too old to be shown. */
bool tui_is_stale(const struct tui_model *m);

#endif
