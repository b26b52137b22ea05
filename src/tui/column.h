// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef TUI_COLUMN_H
#define TUI_COLUMN_H

/*
 * The columns of the list of VMs, one row of a table each: how to read, order, write and colour.
 */

#include <jansson.h>

#include "page.h"
#include "tui/format.h"

struct tui_column {
    char key; /**< sorts by it */
    const char *title;
    size_t width; /**< the name's grows */
    enum width_align align;
    int drop; /**< left out of a narrow screen, highest first; 0 = never */
    const char *field;
    bool text; /**< ordered as text, smallest first; numbers: largest first */
    format_fn *format;
    double warn, bad;      /**< from these on coloured; 0 = never */
    const char *judged_by; /**< the field that warn and bad look at; NULL = `field` */
    const char *help;
};

enum {
    COLUMN_NAME,
    COLUMN_STATE,
    COLUMN_CPU,
};

extern const struct tui_column tui_columns[];
extern const size_t tui_columns_count;

/**
 * The VMs of `vms` that match the filter, in order: absent values last, equal ones by name.
 * The caller frees the array; the objects are borrowed.
 */
const json_t **tui_sorted(const json_t *vms, const char *filter, size_t column, bool reverse,
                          size_t *ret_n);

#endif
