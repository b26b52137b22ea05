// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef TUI_PAGE_H
#define TUI_PAGE_H

/*
 * Lines of styled text, composed without a terminal. Every text that is put passes
 * esc_terminal(); no line is wider than the page.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/width.h"

enum page_style {
    PAGE_PLAIN,
    PAGE_TITLE,    /**< headings */
    PAGE_HEADER,   /**< the line of column titles */
    PAGE_SORT,     /**< the title of the column that sorts */
    PAGE_SELECTED, /**< the row under the cursor */
    PAGE_GOOD,
    PAGE_WARN,
    PAGE_BAD,
    PAGE_DIM,
    PAGE_BANNER, /**< what must not be overlooked */
    PAGE_STYLE_MAX,
};

/** From byte `from` of the line on, up to the next span. */
struct page_span {
    size_t from;
    enum page_style style;
};

struct page_line {
    struct buf text;
    struct page_span *spans;
    size_t n_spans, cap_spans;
    size_t columns;        /**< taken so far */
    enum page_style force; /**< style of the whole line where it is not PAGE_PLAIN */
};

struct page {
    struct page_line *lines;
    size_t n_lines, cap_lines;
    size_t columns;
    bool utf8; /**< false: everything outside ASCII becomes '?' */
};

void page_init(struct page *p, size_t columns, bool utf8);
void page_done(struct page *p);

/** Begin a new line at the end. */
struct page_line *page_line(struct page *p);

/** Append to the last line, cut at the page's width. */
void page_put(struct page *p, enum page_style style, const char *text);
void page_printf(struct page *p, enum page_style style, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** Append in exactly `columns` columns. */
void page_cell(struct page *p, enum page_style style, const char *text, size_t columns,
               enum width_align align);

/** Blanks up to a column. */
void page_fill(struct page *p, size_t column);

/** Append `text` so that it ends at the page's right edge, where it fits. */
void page_right(struct page *p, enum page_style style, const char *text);

/** Copy line `i` of another page to the end of this one. */
void page_copy(struct page *p, const struct page *from, size_t i);

/** What stands for an absent value. */
const char *page_dash(const struct page *p);

#endif
