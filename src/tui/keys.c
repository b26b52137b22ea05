// SPDX-License-Identifier: GPL-3.0-or-later
// What keys do: a table, and the filter's line, which takes all characters while it is open.
#include "keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "column.h"
#include "tui/api.h"

#define IN(mode) (1u << (mode))
#define ALL (IN(TUI_LIST) | IN(TUI_DETAIL) | IN(TUI_HELP))
#define CTRL(c) ((c)&0x1F)

static void select_row(struct tui_state *s, const json_t *vm)
{
    const char *uuid = api_text(vm, "uuid");
    snprintf(s->selected, sizeof(s->selected), "%s", uuid ? uuid : "");
}

static size_t selected_row(const struct tui_state *s, const json_t **vms, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *uuid = api_text(vms[i], "uuid");
        if (uuid && strcmp(uuid, s->selected) == 0)
            return i;
    }
    return 0;
}

static void move_cursor(struct tui_state *s, const struct tui_model *m, long by)
{
    size_t n = 0;
    CLEANUP(freep)
    const json_t **vms = tui_sorted(api_list(m->vms, "vms"), s->filter, s->sort, s->reverse, &n);
    if (n == 0)
        return;
    long at = (long)selected_row(s, vms, n) + by;
    at = MAX_OF(0L, MIN_OF(at, (long)n - 1));
    select_row(s, vms[at]);
}

static void scroll_page(struct tui_state *s, long by)
{
    // tui_compose() brings what is too far back to the end.
    long at = (long)MIN_OF(s->scroll, (size_t)100000) + by;
    s->scroll = at > 0 ? (size_t)at : 0;
}

static void move(struct tui_state *s, const struct tui_model *m, int by)
{
    if (s->mode == TUI_LIST)
        move_cursor(s, m, by);
    else
        scroll_page(s, by);
}

static void move_pages(struct tui_state *s, const struct tui_model *m, int pages)
{
    int height = s->height > 1 ? (int)MIN_OF(s->height - 1, (size_t)10000) : 1;
    move(s, m, pages * height);
}

static void move_ends(struct tui_state *s, const struct tui_model *m, int direction)
{
    move(s, m, direction * 1000000);
}

static void sort_next(struct tui_state *s, const struct tui_model *m, int by)
{
    s->sort = (s->sort + (size_t)((int)tui_columns_count + by)) % tui_columns_count;
}

static void sort_reverse(struct tui_state *s, const struct tui_model *m, int unused)
{
    s->reverse = !s->reverse;
}

static void filter_begin(struct tui_state *s, const struct tui_model *m, int unused)
{
    s->filtering = true;
}

static void detail_open(struct tui_state *s, const struct tui_model *m, int unused)
{
    move_cursor(s, m, 0);
    if (!*s->selected)
        return;
    s->mode = TUI_DETAIL;
    s->scroll = 0;
}

static void help_open(struct tui_state *s, const struct tui_model *m, int unused)
{
    s->help_from = s->mode;
    s->mode = TUI_HELP;
    s->scroll = 0;
}

static void back(struct tui_state *s, const struct tui_model *m, int unused)
{
    if (s->mode == TUI_LIST)
        s->filter[0] = '\0';
    s->mode = s->mode == TUI_HELP ? s->help_from : TUI_LIST;
    s->scroll = 0;
}

static void quit(struct tui_state *s, const struct tui_model *m, int unused)
{
    s->quit = true;
}

const struct tui_binding tui_bindings[] = {
    {ALL, {TUI_KEY_UP, 'k'}, "Up k", move, -1, "one line up"},
    {ALL, {TUI_KEY_DOWN, 'j'}, "Down j", move, 1, "one line down"},
    {ALL, {TUI_KEY_PAGE_UP, CTRL('B')}, "PgUp ^B", move_pages, -1, "one screen up"},
    {ALL, {TUI_KEY_PAGE_DOWN, CTRL('F'), ' '}, "PgDn ^F", move_pages, 1, "one screen down"},
    {ALL, {TUI_KEY_HOME, 'g'}, "Home g", move_ends, -1, "to the beginning"},
    {ALL, {TUI_KEY_END, 'G'}, "End G", move_ends, 1, "to the end"},
    {IN(TUI_LIST), {TUI_KEY_ENTER}, "Enter", detail_open, 0, "look into the VM"},
    {IN(TUI_LIST), {'/'}, "/", filter_begin, 0, "filter by name, state, guest's host name, UUID"},
    {IN(TUI_LIST), {'<'}, "<", sort_next, -1, "sort by the column to the left"},
    {IN(TUI_LIST), {'>'}, ">", sort_next, 1, "sort by the column to the right"},
    {IN(TUI_LIST), {'r'}, "r", sort_reverse, 0, "the other way round"},
    {ALL, {TUI_KEY_ESCAPE, TUI_KEY_BACKSPACE}, "Esc", back, 0, "back; clear the filter"},
    {ALL, {'?', 'h', TUI_KEY_F1}, "? h F1", help_open, 0, "this help"},
    {IN(TUI_LIST) | IN(TUI_DETAIL), {'q', CTRL('C')}, "q", quit, 0, "quit"},
    {IN(TUI_HELP), {'q', CTRL('C'), TUI_KEY_ENTER}, "", back, 0, NULL},
};
const size_t tui_bindings_count = ARRAY_LEN(tui_bindings);

static void filter_remove_last(struct tui_state *s)
{
    size_t n = strlen(s->filter);
    while (n > 0 && ((unsigned char)s->filter[n - 1] & 0xC0) == 0x80)
        n--;
    s->filter[n > 0 ? n - 1 : 0] = '\0';
}

static size_t encode_utf8(unsigned cp, char out[4])
{
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    size_t n = cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
    static const unsigned char first[5] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = n - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (cp & 0x3F));
        cp >>= 6;
    }
    out[0] = (char)(first[n] | cp);
    return n;
}

static void filter_add(struct tui_state *s, unsigned cp)
{
    char text[4];
    size_t len = strlen(s->filter), n = encode_utf8(cp, text);
    if (len + n > TUI_FILTER_MAX)
        return;
    memcpy(s->filter + len, text, n);
    s->filter[len + n] = '\0';
}

static bool filter_key(struct tui_state *s, unsigned key)
{
    if (key == TUI_KEY_ENTER || key == TUI_KEY_ESCAPE)
        s->filtering = false;
    if (key == TUI_KEY_ESCAPE || key == CTRL('U'))
        s->filter[0] = '\0';
    else if (key == TUI_KEY_BACKSPACE)
        filter_remove_last(s);
    else if (key >= ' ' && key != 0x7F && key < TUI_KEY_UP)
        filter_add(s, key);
    else if (key != TUI_KEY_ENTER && key != TUI_KEY_ESCAPE)
        return false;
    s->top = 0;
    return true;
}

static bool sort_key(struct tui_state *s, unsigned key)
{
    for (size_t c = 0; c < tui_columns_count; c++) {
        if ((unsigned char)tui_columns[c].key != key)
            continue;
        s->reverse = s->sort == c ? !s->reverse : false;
        s->sort = c;
        return true;
    }
    return false;
}

void tui_key(struct tui_state *s, const struct tui_model *m, unsigned key)
{
    if (s->filtering && filter_key(s, key))
        return;
    for (size_t i = 0; i < tui_bindings_count; i++) {
        const struct tui_binding *b = &tui_bindings[i];
        for (size_t k = 0; k < ARRAY_LEN(b->keys) && b->keys[k]; k++)
            if (b->keys[k] == key && (b->modes & IN(s->mode))) {
                b->act(s, m, b->argument);
                return;
            }
    }
    if (s->mode == TUI_LIST)
        sort_key(s, key);
}

void tui_state_init(struct tui_state *s)
{
    *s = (struct tui_state){.sort = COLUMN_CPU};
}

const char *tui_wanted_detail(const struct tui_state *s)
{
    bool behind_help = s->mode == TUI_HELP && s->help_from == TUI_DETAIL;
    return (s->mode == TUI_DETAIL || behind_help) && *s->selected ? s->selected : NULL;
}
