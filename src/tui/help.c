// SPDX-License-Identifier: GPL-3.0-or-later
// The help page, out of the tables of keys and columns.
#include "column.h"
#include "keys.h"

void tui_compose_help(struct page *out)
{
    page_line(out);
    page_put(out, PAGE_TITLE, "Keys");
    for (size_t i = 0; i < tui_bindings_count; i++) {
        if (!tui_bindings[i].help)
            continue;
        page_line(out);
        page_cell(out, PAGE_WARN, tui_bindings[i].names, 10, WIDTH_LEFT);
        page_put(out, PAGE_PLAIN, tui_bindings[i].help);
    }
    page_line(out);
    page_line(out);
    page_put(out, PAGE_TITLE, "Columns, and the key that sorts by each (again: the other way)");
    for (size_t i = 0; i < tui_columns_count; i++) {
        page_line(out);
        page_printf(out, PAGE_WARN, "%c ", tui_columns[i].key);
        page_cell(out, PAGE_PLAIN, tui_columns[i].title, 8, WIDTH_LEFT);
        page_put(out, PAGE_PLAIN, tui_columns[i].help);
    }
    page_line(out);
    page_line(out);
    page_printf(out, PAGE_PLAIN,
                "%s stands for a value that is absent or too old. K, M, G are "
                "1024-fold.",
                page_dash(out));
    page_line(out);
    page_put(out, PAGE_PLAIN, "Narrow screens leave columns out; the one that sorts stays.");
}
