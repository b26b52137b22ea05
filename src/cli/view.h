// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef CLI_VIEW_H
#define CLI_VIEW_H

/*
 * The daemon's objects for people: tables of many, labelled lines of one. A format writes nothing
 * where the field is absent.
 */

#include <jansson.h>

#include "base/buf.h"
#include "table.h"
#include "term.h"

typedef void view_format(const struct term *term, const json_t *object, const char *field,
                         struct buf *out);

view_format view_text;     /**< a text, made safe */
view_format view_state;    /**< a VM's state with a reason that matters */
view_format view_bytes;    /**< "1.50 MiB" */
view_format view_rate;     /**< "1.50 MiB/s" */
view_format view_percent;  /**< a ratio */
view_format view_cores;    /**< CPUs in use, as percent of one CPU */
view_format view_count;    /**< "12.3k" */
view_format view_whole;    /**< a whole number, all digits */
view_format view_latency;  /**< "1.25 ms" */
view_format view_duration; /**< seconds as "3m 10s" */
view_format view_size;     /**< bytes that come as a text */
view_format view_yes_no;   /**< 0 or 1 */
view_format view_since;    /**< Unix time as time of day and age; needs "time" in the object */

typedef enum style view_style(const json_t *object);

struct view_column {
    struct table_column column;
    const char *field;
    view_format *format;
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
        view_format *format;
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
