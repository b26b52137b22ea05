// SPDX-License-Identifier: GPL-3.0-or-later
#include "page.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/esc.h"
#include "base/mem.h"

#define TEXT_MAX 65536

void page_init(struct page *p, size_t columns, bool utf8)
{
    *p = (struct page){.columns = columns, .utf8 = utf8};
}

void page_done(struct page *p)
{
    for (size_t i = 0; i < p->n_lines; i++) {
        buf_done(&p->lines[i].text);
        free(p->lines[i].spans);
    }
    free(p->lines);
    *p = (struct page){0};
}

struct page_line *page_line(struct page *p)
{
    mem_grow(&p->lines, &p->cap_lines, p->n_lines, sizeof(*p->lines));
    struct page_line *line = &p->lines[p->n_lines++];
    *line = (struct page_line){0};
    buf_init(&line->text, TEXT_MAX);
    return line;
}

static struct page_line *last_line(struct page *p)
{
    return p->n_lines ? &p->lines[p->n_lines - 1] : page_line(p);
}

static void begin_span(struct page_line *line, enum page_style style)
{
    if (line->n_spans && line->spans[line->n_spans - 1].style == style)
        return;
    mem_grow(&line->spans, &line->cap_spans, line->n_spans, sizeof(*line->spans));
    line->spans[line->n_spans++] = (struct page_span){line->text.len, style};
}

// Every character outside ASCII becomes as many '?' as it takes columns.
static void to_ascii(const char *text, struct buf *out)
{
    size_t len = strlen(text);
    for (size_t at = 0; at < len;) {
        size_t n = esc_utf8_next(text + at, len - at, NULL);
        n = n ? n : 1;
        if (n == 1) {
            buf_putc(out, text[at]);
        } else {
            CLEANUP(freep) char *one = mem_strndup(text + at, n);
            for (size_t i = width_text(one); i > 0; i--)
                buf_putc(out, '?');
        }
        at += n;
    }
}

static void make_safe(const struct page *p, const char *text, struct buf *out)
{
    CLEANUP(buf_done) struct buf safe;
    buf_init(&safe, TEXT_MAX);
    esc_terminal(&safe, text);
    if (p->utf8 && safe.len)
        buf_put(out, safe.data, safe.len);
    else if (safe.len)
        to_ascii(safe.data, out);
}

// Appends safe text, in `columns` columns at most.
static void append(struct page *p, enum page_style style, const char *safe)
{
    struct page_line *line = last_line(p);
    size_t taken = 0;
    size_t bytes = width_fit(safe, p->columns - MIN_OF(p->columns, line->columns), &taken);
    if (bytes == 0)
        return;
    begin_span(line, style);
    buf_put(&line->text, safe, bytes);
    line->columns += taken;
}

void page_put(struct page *p, enum page_style style, const char *text)
{
    CLEANUP(buf_done) struct buf safe;
    buf_init(&safe, TEXT_MAX);
    make_safe(p, text, &safe);
    append(p, style, safe.len ? safe.data : "");
}

void page_printf(struct page *p, enum page_style style, const char *format, ...)
{
    char text[4096];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    page_put(p, style, text);
}

void page_cell(struct page *p, enum page_style style, const char *text, size_t columns,
               enum width_align align)
{
    CLEANUP(buf_done) struct buf safe, cell;
    buf_init(&safe, TEXT_MAX);
    buf_init(&cell, TEXT_MAX);
    make_safe(p, text, &safe);
    width_put(&cell, safe.len ? safe.data : "", MIN_OF(columns, p->columns), align,
              p->utf8 ? "…" : "~");
    append(p, style, cell.len ? cell.data : "");
}

void page_fill(struct page *p, size_t column)
{
    struct page_line *line = last_line(p);
    if (column > line->columns)
        page_cell(p, PAGE_PLAIN, "", column - line->columns, WIDTH_LEFT);
}

void page_right(struct page *p, enum page_style style, const char *text)
{
    size_t width = width_text(text);
    if (last_line(p)->columns + width + 1 > p->columns)
        return;
    page_fill(p, p->columns - width);
    page_put(p, style, text);
}

void page_copy(struct page *p, const struct page *from, size_t i)
{
    const struct page_line *source = &from->lines[i];
    page_line(p)->force = source->force;
    for (size_t s = 0; s < source->n_spans; s++) {
        size_t start = source->spans[s].from;
        size_t end = s + 1 < source->n_spans ? source->spans[s + 1].from : source->text.len;
        CLEANUP(freep) char *piece = mem_strndup(source->text.data + start, end - start);
        append(p, source->spans[s].style, piece);
    }
}

const char *page_dash(const struct page *p)
{
    return p->utf8 ? "–" : "-";
}
