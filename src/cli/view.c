// SPDX-License-Identifier: GPL-3.0-or-later
#include "view.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/esc.h"
#include "base/human.h"
#include "base/mem.h"
#include "base/number.h"
#include "tui/api.h"

#define COLUMNS_MAX 32
#define LABEL_WIDTH 13
#define CELL_MAX 65536

void view_text(const struct term *term, const json_t *object, const char *field, struct buf *out)
{
    const char *text = api_text(object, field);
    if (text)
        esc_terminal(out, text);
}

void view_state(const struct term *term, const json_t *object, const char *field, struct buf *out)
{
    api_state(object, out);
}

void view_bytes(const struct term *term, const json_t *object, const char *field, struct buf *out)
{
    human_bytes(api_number(object, field), out);
}

void view_rate(const struct term *term, const json_t *object, const char *field, struct buf *out)
{
    double v = api_number(object, field);
    human_bytes(v, out);
    buf_puts(out, isnan(v) ? "" : "/s");
}

void view_percent(const struct term *term, const json_t *object, const char *field, struct buf *out)
{
    human_percent(api_number(object, field), out);
}

void view_cores(const struct term *term, const json_t *object, const char *field, struct buf *out)
{
    human_percent(api_number(object, field), out);
}

void view_count(const struct term *term, const json_t *object, const char *field, struct buf *out)
{
    human_count(api_number(object, field), out);
}

void view_whole(const struct term *term, const json_t *object, const char *field, struct buf *out)
{
    double v = api_number(object, field);
    if (!isnan(v))
        buf_printf(out, "%.0f", v);
}

void view_latency(const struct term *term, const json_t *object, const char *field, struct buf *out)
{
    human_latency(api_number(object, field), term->utf8, out);
}

void view_duration(const struct term *term, const json_t *object, const char *field,
                   struct buf *out)
{
    human_age(api_number(object, field), out);
}

void view_size(const struct term *term, const json_t *object, const char *field, struct buf *out)
{
    const char *text = api_text(object, field);
    double bytes = NAN;
    if (text && number_parse_f64(text, &bytes) == 0)
        human_bytes(bytes, out);
}

void view_yes_no(const struct term *term, const json_t *object, const char *field, struct buf *out)
{
    double v = api_number(object, field);
    if (!isnan(v))
        buf_puts(out, v != 0 ? "yes" : "no");
}

void view_since(const struct term *term, const json_t *object, const char *field, struct buf *out)
{
    double since = api_number(object, field), now = api_number(object, "time");
    api_time_of_day(since, now, out);
    if (isnan(since) || isnan(now))
        return;
    buf_puts(out, " (");
    human_age(now - since, out);
    buf_puts(out, ")");
}

void view_heading(const struct term *term, const char *text, struct buf *out)
{
    term_put(term, STYLE_TITLE, text, out);
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
            columns[c].format(term, object, columns[c].field, &cell);
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
    CLEANUP(buf_done) struct buf shown;
    buf_init(&shown, CELL_MAX);
    size_t room = term->width - MIN_OF(term->width, (size_t)LABEL_WIDTH + 2);
    if (width_text(text->data) > room)
        width_put(&shown, text->data, room, WIDTH_LEFT, term_ellipsis(term));
    else
        buf_puts(&shown, text->data);
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
        desc->pieces[p].format(term, object, desc->pieces[p].field, &value);
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
        {{"WHAT", WIDTH_LEFT, 0, 12}, "what", view_text, NULL},
        {{"VMS", WIDTH_RIGHT, 1, 0}, "vms", view_whole, NULL},
        {{"WHY", WIDTH_LEFT, 0, 10}, "reason", view_text, NULL},
    };
    view_table(term, "Not available", list, columns, ARRAY_LEN(columns), out);
}

void view_libvirt_hint(const struct term *term, const json_t *answer, struct buf *out)
{
    CLEANUP(buf_done) struct buf hint;
    buf_init(&hint, CELL_MAX);
    api_libvirt_hint(answer, term->utf8, &hint);
    if (hint.len == 0)
        return;
    term_put(term, STYLE_WARN, hint.data, out);
    buf_putc(out, '\n');
}
