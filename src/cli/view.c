// SPDX-License-Identifier: GPL-3.0-or-later
#include "view.h"

#include "base/esc.h"
#include "base/mem.h"

#define COLUMNS_MAX 32
#define LABEL_WIDTH 13
#define CELL_MAX 65536

void view_heading(const struct term *term, const char *text, struct buf *out)
{
    CLEANUP(freep) char *safe = esc_terminal_dup(text);
    term_put(term, STYLE_TITLE, safe, out);
    buf_putc(out, '\n');
}

void view_table(const struct term *term, const char *heading, const json_t *objects,
                const struct view_column *columns, size_t n, struct buf *out)
{
    struct table_column shapes[COLUMNS_MAX];
    n = MIN_OF(n, (size_t)COLUMNS_MAX);
    for (size_t c = 0; c < n; c++)
        shapes[c] = columns[c].column;
    struct table *table = table_new(shapes, n);
    CLEANUP(buf_done) struct buf cell;
    buf_init(&cell, CELL_MAX);
    size_t i;
    json_t *object;
    json_array_foreach(objects, i, object)
    {
        for (size_t c = 0; c < n; c++) {
            buf_reset(&cell);
            columns[c].format(object, columns[c].field, term->utf8, &cell);
            table_cell(table, cell.len ? cell.data : "",
                       columns[c].style ? columns[c].style(object) : STYLE_NONE);
        }
    }
    if (heading && i > 0)
        view_heading(term, heading, out);
    table_print(table, term, heading ? 2 : 0, out);
    table_free(table);
}

void view_line(const struct term *term, const char *label, const struct buf *text, enum style style,
               struct buf *out)
{
    if (text->len == 0)
        return;
    CLEANUP(freep) char *safe = esc_terminal_dup(text->data);
    CLEANUP(buf_done) struct buf shown;
    buf_init(&shown, CELL_MAX * 10);
    size_t room = term->width - MIN_OF(term->width, (size_t)LABEL_WIDTH + 2);
    if (width_text(safe) > room)
        width_put(&shown, safe, room, WIDTH_LEFT, term_ellipsis(term));
    else
        buf_puts(&shown, safe);
    buf_puts(out, "  ");
    width_put(out, label, LABEL_WIDTH, WIDTH_LEFT, "");
    term_put(term, style, shown.data ? shown.data : "", out);
    buf_putc(out, '\n');
}

static void put_pieces(const struct term *term, const json_t *object,
                       const struct view_line_desc *desc, struct buf *line)
{
    CLEANUP(buf_done) struct buf value;
    buf_init(&value, CELL_MAX);
    for (size_t p = 0; p < VIEW_PIECES_MAX && desc->pieces[p].field; p++) {
        buf_reset(&value);
        desc->pieces[p].format(object, desc->pieces[p].field, term->utf8, &value);
        if (value.len)
            buf_printf(line, "%s%s%s%s", line->len ? ", " : "", desc->pieces[p].before, value.data,
                       desc->pieces[p].after);
    }
}

void view_lines(const struct term *term, const json_t *object, const struct view_line_desc *lines,
                size_t n, struct buf *out)
{
    CLEANUP(buf_done) struct buf line;
    buf_init(&line, CELL_MAX);
    for (size_t i = 0; i < n; i++) {
        buf_reset(&line);
        put_pieces(term, object, &lines[i], &line);
        view_line(term, lines[i].label, &line, STYLE_NONE, out);
    }
}

void view_unavailable(const struct term *term, const json_t *list, struct buf *out)
{
    static const struct view_column columns[] = {
        {{"WHAT", WIDTH_LEFT, 0, 12}, "what", format_text, NULL},
        {{"VMS", WIDTH_RIGHT, 1, 0}, "vms", format_whole, NULL},
        {{"WHY", WIDTH_LEFT, 0, 10}, "reason", format_text, NULL},
    };
    view_table(term, "Not available", list, columns, ARRAY_LEN(columns), out);
}

void view_libvirt_hint(const struct term *term, const json_t *answer, struct buf *out)
{
    CLEANUP(buf_done) struct buf hint;
    buf_init(&hint, CELL_MAX);
    format_libvirt_hint(answer, term->utf8, &hint);
    if (hint.len == 0)
        return;
    CLEANUP(freep) char *safe = esc_terminal_dup(hint.data);
    term_put(term, STYLE_WARN, safe, out);
    buf_putc(out, '\n');
}
