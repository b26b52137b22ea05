// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef CLI_VIEW_H
#define CLI_VIEW_H

/*
 * The daemon's objects for people: tables of many, labelled lines of one. Here, and in
 * table_cell(), texts are made safe for the terminal.
 */

#include <jansson.h>

#include "base/buf.h"
#include "tui/format.h"
#include "table.h"
#include "term.h"

typedef enum style view_style(const json_t *object);

struct view_column {
    struct table_column column;
    const char *field;
    format_fn *format;
    view_style *style; /**< NULL = plain */
};

/** Objects of an array as a table with a heading line (NULL = none). */
void view_table(const struct term *term, const char *heading, const json_t *objects,
                const struct view_column *columns, size_t n, struct buf *out);

/** "  LABEL  text" where `text` is not empty; long text is cut at the terminal's width. */
void view_line(const struct term *term, const char *label, const struct buf *text, enum style style,
               struct buf *out);

#define VIEW_PIECES_MAX 6

/** A labelled line out of several fields; pieces whose field is absent are left out. */
struct view_line_desc {
    const char *label;
    struct {
        const char *before; /**< words around the value */
        const char *field;  /**< NULL ends the pieces */
        format_fn *format;
        const char *after;
    } pieces[VIEW_PIECES_MAX];
};

void view_lines(const struct term *term, const json_t *object, const struct view_line_desc *lines,
                size_t n, struct buf *out);

/** A heading. */
void view_heading(const struct term *term, const char *text, struct buf *out);

/** "what: reason" lines of an `unavailable` list. */
void view_unavailable(const struct term *term, const json_t *list, struct buf *out);

/** The line that tells of libvirt being away, where it is. */
void view_libvirt_hint(const struct term *term, const json_t *answer, struct buf *out);

#endif
