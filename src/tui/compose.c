// SPDX-License-Identifier: GPL-3.0-or-later
// The whole screen out of its parts: host bar, list or page, status line.
#include <stdlib.h>
#include <string.h>

#include "base/human.h"
#include "base/mem.h"
#include "column.h"
#include "model.h"
#include "tui/api.h"
#include "tui/format.h"

void tui_model_done(struct tui_model *m)
{
    json_decref(m->vms);
    json_decref(m->host);
    json_decref(m->detail);
    free(m->error);
    free(m->detail_error);
    *m = (struct tui_model){0};
}

bool tui_is_stale(const struct tui_model *m)
{
    return !m->vms || m->age_s > TUI_STALE_S;
}

static size_t bar_lines(size_t rows)
{
    return rows >= 12 ? 3 : rows >= 8 ? 2 : rows >= 5 ? 1 : 0;
}

static void compose_page(struct tui_state *s, const struct page *whole, size_t rows,
                         struct page *out)
{
    size_t most = whole->n_lines > rows ? whole->n_lines - rows : 0;
    s->height = rows;
    s->scroll = MIN_OF(s->scroll, most);
    for (size_t i = 0; i < rows; i++) {
        if (s->scroll + i < whole->n_lines)
            page_copy(out, whole, s->scroll + i);
        else
            page_line(out);
    }
}

static void put_trouble(const struct tui_model *m, struct page *out)
{
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 65536);
    if (m->error) {
        buf_puts(&text, "daemon not reachable, retrying: ");
        buf_puts(&text, m->error);
    } else if (tui_is_stale(m) && m->vms) {
        buf_puts(&text, "the daemon does not answer; last data ");
        human_age(m->age_s, &text);
        buf_puts(&text, " old");
    } else {
        format_libvirt_hint(m->vms, out->utf8, &text);
    }
    if (text.len)
        page_put(out, PAGE_BANNER, text.data);
}

static void put_sort(const struct tui_state *s, struct page *out)
{
    const struct tui_column *c = &tui_columns[s->sort];
    bool down = c->text == s->reverse;
    const char *arrow = out->utf8 ? (down ? "▼" : "▲") : (down ? "v" : "^");
    CLEANUP(freep) char *text = mem_printf("%s%s", c->title, arrow);
    page_right(out, PAGE_DIM, text);
}

static void status_line(const struct tui_model *m, const struct tui_state *s, struct page *out)
{
    page_line(out);
    if (s->filtering || (s->mode == TUI_LIST && *s->filter)) {
        page_put(out, PAGE_TITLE, "/");
        page_put(out, PAGE_PLAIN, s->filter);
        page_put(out, PAGE_PLAIN, s->filtering ? "_ " : " ");
    }
    put_trouble(m, out);
    if (out->lines[out->n_lines - 1].columns > 0)
        return;
    static const char *const hints[TUI_MODE_MAX] = {
        [TUI_LIST] = "? help  / filter  < > sort  r reverse  Enter look into  q quit",
        [TUI_DETAIL] = "? help  Esc back  Up Down PgUp PgDn scroll  q quit",
        [TUI_HELP] = "Esc back  Up Down PgUp PgDn scroll",
    };
    page_put(out, PAGE_DIM, hints[s->mode]);
    if (s->mode == TUI_LIST)
        put_sort(s, out);
}

void tui_compose(const struct tui_model *m, struct tui_state *s, size_t rows, struct page *out)
{
    size_t bar = bar_lines(rows), status = rows >= 3;
    size_t middle = rows - bar - status;
    tui_compose_bar(m, bar, out);
    if (s->mode == TUI_LIST) {
        tui_compose_list(m, s, middle, out);
    } else {
        struct page whole;
        page_init(&whole, out->columns, out->utf8);
        if (s->mode == TUI_DETAIL)
            tui_compose_detail(m, &whole);
        else
            tui_compose_help(&whole);
        compose_page(s, &whole, middle, out);
        page_done(&whole);
    }
    if (status)
        status_line(m, s, out);
}
