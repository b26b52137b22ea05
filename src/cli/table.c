// SPDX-License-Identifier: GPL-3.0-or-later
// Columns are as wide as their widest cell. Where the terminal is too narrow, first the columns
// that may be cut shrink, then columns are dropped, and last whatever is left is cut.
#include "table.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/esc.h"
#include "base/mem.h"

#define COLUMNS_MAX 32
#define GAP 2

struct cell {
    char *text;
    enum style style;
};

struct table {
    const struct table_column *columns;
    size_t n_columns;
    struct cell *cells;
    size_t n_cells, cap_cells;
};

struct layout {
    size_t width[COLUMNS_MAX];
    bool shown[COLUMNS_MAX];
};

struct table *table_new(const struct table_column *columns, size_t n)
{
    struct table *t = mem_zalloc(sizeof(*t));
    t->columns = columns;
    t->n_columns = MIN_OF(n, (size_t)COLUMNS_MAX);
    return t;
}

void table_free(struct table *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->n_cells; i++)
        free(t->cells[i].text);
    free(t->cells);
    free(t);
}

void table_cell(struct table *t, const char *text, enum style style)
{
    mem_grow(&t->cells, &t->cap_cells, t->n_cells, sizeof(*t->cells));
    t->cells[t->n_cells++] = (struct cell){.text = esc_terminal_dup(text), .style = style};
}

static const struct cell *cell_at(const struct table *t, size_t row, size_t column)
{
    return &t->cells[row * t->n_columns + column];
}

static void measure(const struct table *t, struct layout *l)
{
    for (size_t c = 0; c < t->n_columns; c++) {
        bool any = false;
        l->width[c] = width_text(t->columns[c].title);
        for (size_t r = 0; r < t->n_cells / t->n_columns; r++) {
            const char *text = cell_at(t, r, c)->text;
            l->width[c] = MAX_OF(l->width[c], width_text(text));
            any = any || *text;
        }
        l->shown[c] = any || t->columns[c].drop == 0;
    }
}

static size_t total(const struct table *t, const struct layout *l)
{
    size_t sum = 0;
    for (size_t c = 0; c < t->n_columns; c++)
        if (l->shown[c])
            sum += l->width[c] + (sum ? GAP : 0);
    return sum;
}

static void shrink(const struct table *t, struct layout *l, size_t room)
{
    for (size_t c = 0; c < t->n_columns; c++) {
        size_t least = (size_t)t->columns[c].least, now = total(t, l);
        if (now <= room || !l->shown[c] || least == 0 || l->width[c] <= least)
            continue;
        size_t give = MIN_OF(now - room, l->width[c] - least);
        l->width[c] -= give;
    }
}

static bool drop_one(const struct table *t, struct layout *l)
{
    size_t victim = t->n_columns;
    for (size_t c = 0; c < t->n_columns; c++)
        if (l->shown[c] && t->columns[c].drop > 0 &&
            (victim == t->n_columns || t->columns[c].drop > t->columns[victim].drop))
            victim = c;
    if (victim == t->n_columns)
        return false;
    l->shown[victim] = false;
    return true;
}

static void fit(const struct table *t, struct layout *l, size_t room)
{
    struct layout whole = *l;
    shrink(t, l, room);
    while (total(t, l) > room && drop_one(t, &whole)) {
        *l = whole;
        shrink(t, l, room);
    }
    for (size_t c = t->n_columns; c-- > 0 && total(t, l) > room;) {
        size_t over = total(t, l) - room;
        if (l->shown[c])
            l->width[c] -= MIN_OF(over, l->width[c]);
        l->shown[c] = l->shown[c] && l->width[c] > 0;
    }
}

static const char *shown_text(const struct table *t, const struct term *term,
                              const struct cell *cells, size_t c)
{
    const char *absent = t->columns[c].blank ? "" : term_dash(term);
    return *cells[c].text ? cells[c].text : absent;
}

// Nothing stands behind the last cell that has text: no blanks at the end of a line.
static void put_row(const struct table *t, const struct layout *l, const struct term *term,
                    size_t indent, const struct cell *cells, struct buf *out)
{
    CLEANUP(buf_done) struct buf piece;
    buf_init(&piece, 1 << 20);
    size_t last = 0;
    for (size_t c = 0; c < t->n_columns; c++)
        last = l->shown[c] && *shown_text(t, term, cells, c) ? c : last;
    buf_printf(out, "%*s", (int)indent, "");
    for (size_t c = 0; c <= last; c++) {
        if (!l->shown[c])
            continue;
        buf_reset(&piece);
        width_put(&piece, shown_text(t, term, cells, c), l->width[c], t->columns[c].align,
                  term_ellipsis(term));
        while (c == last && piece.len > 0 && piece.data[piece.len - 1] == ' ')
            piece.data[--piece.len] = '\0';
        if (piece.len)
            term_put(term, cells[c].style, piece.data, out);
        if (c < last)
            buf_puts(out, "  ");
    }
    buf_putc(out, '\n');
}

void table_print(const struct table *t, const struct term *term, size_t indent, struct buf *out)
{
    struct layout l = {0};
    struct cell titles[COLUMNS_MAX] = {0};
    size_t rows = t->n_cells / t->n_columns;
    if (rows == 0)
        return;
    measure(t, &l);
    if (term->width != SIZE_MAX)
        fit(t, &l, term->width > indent ? term->width - indent : 0);
    for (size_t c = 0; c < t->n_columns; c++)
        titles[c] = (struct cell){(char *)t->columns[c].title, STYLE_TITLE};
    put_row(t, &l, term, indent, titles, out);
    for (size_t r = 0; r < rows; r++)
        put_row(t, &l, term, indent, cell_at(t, r, 0), out);
}
