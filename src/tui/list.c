// SPDX-License-Identifier: GPL-3.0-or-later
// The list of VMs: which columns fit, which rows are in sight.
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "column.h"
#include "model.h"
#include "tui/api.h"
#include "tui/format.h"

#define SHOWN_MAX 32
#define NAME_LIKED 12

struct shown {
    bool column[SHOWN_MAX];
    size_t name_width;
};

static size_t total_width(const struct shown *shown)
{
    size_t sum = 0;
    for (size_t c = 0; c < tui_columns_count; c++)
        if (shown->column[c])
            sum += 1 + tui_columns[c].width;
    return sum;
}

static bool drop_one(struct shown *shown, size_t sort)
{
    size_t victim = SIZE_MAX;
    for (size_t c = 0; c < tui_columns_count; c++)
        if (shown->column[c] && tui_columns[c].drop > 0 && c != sort &&
            (victim == SIZE_MAX || tui_columns[c].drop > tui_columns[victim].drop))
            victim = c;
    if (victim == SIZE_MAX)
        return false;
    shown->column[victim] = false;
    return true;
}

// The first column of the screen belongs to the mark of flagged VMs.
static void choose_columns(size_t columns, size_t sort, struct shown *shown)
{
    for (size_t c = 0; c < tui_columns_count; c++)
        shown->column[c] = true;
    size_t liked = NAME_LIKED - tui_columns[COLUMN_NAME].width;
    while (total_width(shown) + liked > columns && drop_one(shown, sort))
        ;
    size_t others = total_width(shown) - tui_columns[COLUMN_NAME].width;
    shown->name_width = columns > others + 4 ? columns - others : 4;
}

static size_t width_of(const struct shown *shown, size_t c)
{
    return c == COLUMN_NAME ? shown->name_width : tui_columns[c].width;
}

static void put_titles(const struct tui_state *s, const struct shown *shown, struct page *out)
{
    page_line(out)->force = PAGE_PLAIN;
    for (size_t c = 0; c < tui_columns_count; c++) {
        if (!shown->column[c])
            continue;
        page_put(out, PAGE_HEADER, " ");
        page_cell(out, c == s->sort ? PAGE_SORT : PAGE_HEADER, tui_columns[c].title,
                  width_of(shown, c), tui_columns[c].align);
    }
}

static enum page_style style_of_state(const json_t *vm)
{
    static const struct {
        const char *state;
        enum page_style style;
    } styles[] = {{"running", PAGE_GOOD}, {"paused", PAGE_WARN},      {"crashed", PAGE_BAD},
                  {"blocked", PAGE_BAD},  {"in shutdown", PAGE_WARN}, {"shut off", PAGE_DIM}};
    const char *state = api_text(vm, "state");
    for (size_t i = 0; state && i < ARRAY_LEN(styles); i++)
        if (strcmp(state, styles[i].state) == 0)
            return styles[i].style;
    return PAGE_PLAIN;
}

static enum page_style style_of(const struct tui_column *column, const json_t *vm)
{
    if (column == &tui_columns[COLUMN_STATE])
        return style_of_state(vm);
    if (strcmp(column->field, "flag") == 0)
        return PAGE_BAD;
    double v = api_number(vm, column->judged_by ? column->judged_by : column->field);
    return column->bad > 0 && v >= column->bad     ? PAGE_BAD
           : column->warn > 0 && v >= column->warn ? PAGE_WARN
                                                   : PAGE_PLAIN;
}

static void put_vm(const struct tui_model *m, const json_t *vm, const struct shown *shown,
                   struct page *out)
{
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 65536);
    bool stale = tui_is_stale(m), flagged = api_text(vm, "flag") != NULL;
    for (size_t c = 0; c < tui_columns_count; c++) {
        const struct tui_column *column = &tui_columns[c];
        if (!shown->column[c])
            continue;
        page_put(out, PAGE_BAD, c == COLUMN_NAME && flagged ? "!" : " ");
        buf_reset(&text);
        if (!stale || c == COLUMN_NAME)
            column->format(vm, column->field, out->utf8, &text);
        // No flag is not a value that is missing.
        const char *absent = strcmp(column->field, "flag") == 0 ? "" : page_dash(out);
        page_cell(out, stale ? PAGE_DIM : style_of(column, vm), text.len ? text.data : absent,
                  width_of(shown, c), column->align);
    }
}

static size_t index_of(const json_t **vms, size_t n, const char *uuid)
{
    for (size_t i = 0; i < n; i++) {
        const char *id = api_text(vms[i], "uuid");
        if (id && strcmp(id, uuid) == 0)
            return i;
    }
    return 0;
}

static void keep_in_sight(struct tui_state *s, size_t at, size_t n, size_t height)
{
    if (at < s->top)
        s->top = at;
    if (height > 0 && at >= s->top + height)
        s->top = at - height + 1;
    if (s->top + height > n)
        s->top = n > height ? n - height : 0;
}

static void put_nothing(const struct tui_model *m, const struct tui_state *s, struct page *out)
{
    page_line(out);
    const char *why = !m->vms                                         ? "Waiting for the daemon"
                      : json_array_size(api_list(m->vms, "vms")) == 0 ? format_no_vms(m->vms)
                                                                      : "No VM matches the filter.";
    if (!m->vms && m->error)
        why = "";
    page_printf(out, PAGE_DIM, " %s", why);
}

void tui_compose_list(const struct tui_model *m, struct tui_state *s, size_t rows, struct page *out)
{
    size_t n = 0, end = out->n_lines + rows;
    struct shown shown = {0};
    CLEANUP(freep)
    const json_t **vms = tui_sorted(api_list(m->vms, "vms"), s->filter, s->sort, s->reverse, &n);
    choose_columns(out->columns, s->sort, &shown);
    if (rows > 1)
        put_titles(s, &shown, out);
    s->height = end - out->n_lines;
    size_t at = index_of(vms, n, s->selected);
    keep_in_sight(s, at, n, s->height);
    if (n == 0 && out->n_lines < end)
        put_nothing(m, s, out);
    for (size_t i = s->top; i < n && out->n_lines < end; i++) {
        page_line(out);
        put_vm(m, vms[i], &shown, out);
        if (i == at) {
            page_fill(out, out->columns);
            out->lines[out->n_lines - 1].force = PAGE_SELECTED;
        }
    }
    while (out->n_lines < end)
        page_line(out);
}
