// SPDX-License-Identifier: GPL-3.0-or-later
#include "block_index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "block_format.h"
#include "varint.h"

struct symbol {
    const char *text;
    uint32_t place; // among the sorted ones
};

// One label of one series, for the postings.
struct pair {
    uint32_t name, value, series;
};

struct build {
    struct map *by_text; // text → struct symbol
    struct symbol **symbol;
    size_t n_symbols;
    struct pair *pair;
    size_t n_pairs;
};

static void build_done(struct build *b)
{
    size_t cursor = 0;
    if (b->by_text)
        for (void *s; (s = map_next(b->by_text, &cursor));)
            free(s);
    map_free(b->by_text);
    free(b->symbol);
    free(b->pair);
}

static int note_symbol(struct build *b, const char *text)
{
    size_t len = strlen(text) + 1;
    if (map_get(b->by_text, text, len))
        return 0;
    struct symbol *s = malloc(sizeof(*s));
    if (!s)
        return -ENOMEM;
    *s = (struct symbol){.text = text};
    map_put(b->by_text, text, len, s);
    return 0;
}

static uint32_t place_of(const struct build *b, const char *text)
{
    const struct symbol *s = map_get(b->by_text, text, strlen(text) + 1);
    return s->place;
}

static int by_text(const void *a, const void *b)
{
    return strcmp((*(struct symbol *const *)a)->text, (*(struct symbol *const *)b)->text);
}

static int collect_symbols(struct build *b, const struct index_series *series, size_t n)
{
    b->by_text = map_new();
    for (size_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < series[i].labels->n; k++) {
            int r = note_symbol(b, series[i].labels->label[k].name);
            if (r == 0)
                r = note_symbol(b, series[i].labels->label[k].value);
            if (r < 0)
                return r;
            b->n_pairs++;
        }
    b->n_symbols = map_count(b->by_text);
    b->symbol = malloc((b->n_symbols + 1) * sizeof(b->symbol[0]));
    b->pair = malloc((b->n_pairs + 1) * sizeof(b->pair[0]));
    if (!b->symbol || !b->pair)
        return -ENOMEM;
    size_t cursor = 0;
    for (size_t i = 0; i < b->n_symbols; i++)
        b->symbol[i] = map_next(b->by_text, &cursor);
    qsort(b->symbol, b->n_symbols, sizeof(b->symbol[0]), by_text);
    for (size_t i = 0; i < b->n_symbols; i++)
        b->symbol[i]->place = (uint32_t)i;
    return 0;
}

static void put_u32(struct buf *out, uint64_t v)
{
    uint8_t bytes[4];
    store32(bytes, (uint32_t)v);
    buf_put(out, bytes, sizeof(bytes));
}

static void set_u32(struct buf *out, size_t at, uint64_t v)
{
    if (!out->error)
        store32(out->data + at, (uint32_t)v);
}

// Offsets of n + 1 texts, then the texts with their NULs.
static void put_symbols(const struct build *b, struct buf *out)
{
    size_t at = 0;
    for (size_t i = 0; i < b->n_symbols; i++) {
        put_u32(out, at);
        at += strlen(b->symbol[i]->text) + 1;
    }
    put_u32(out, at);
    for (size_t i = 0; i < b->n_symbols; i++)
        buf_put(out, b->symbol[i]->text, strlen(b->symbol[i]->text) + 1);
}

static void put_varint(struct buf *out, uint64_t v)
{
    uint8_t bytes[VARINT_MAX];
    buf_put(out, bytes, (size_t)(varint_put(bytes, v) - bytes));
}

static void put_one_series(struct build *b, const struct index_series *s, uint32_t number,
                           const struct buf *rows, size_t rows_end, struct buf *out)
{
    uint8_t head[10];
    store64(head, s->labels->hash);
    head[8] = s->kind;
    head[9] = s->scale;
    buf_put(out, head, sizeof(head));
    put_varint(out, s->labels->n);
    for (uint32_t k = 0; k < s->labels->n; k++) {
        struct pair pair = {place_of(b, s->labels->label[k].name),
                            place_of(b, s->labels->label[k].value), number};
        b->pair[b->n_pairs++] = pair;
        put_varint(out, pair.name);
        put_varint(out, pair.value);
    }
    put_varint(out, s->n_chunks);
    if (rows_end > s->rows_at)
        buf_put(out, rows->data + s->rows_at, rows_end - s->rows_at);
}

static void put_series(struct build *b, const struct index_series *series, size_t n,
                       const struct buf *rows, struct buf *out)
{
    size_t table = out->len;
    b->n_pairs = 0;
    for (size_t i = 0; i <= n; i++)
        put_u32(out, 0);
    size_t start = out->len;
    for (size_t i = 0; i < n; i++) {
        set_u32(out, table + 4 * i, out->len - start);
        size_t rows_end = i + 1 < n ? series[i + 1].rows_at : rows->len;
        put_one_series(b, &series[i], (uint32_t)i, rows, rows_end, out);
    }
    set_u32(out, table + 4 * n, out->len - start);
}

static int by_pair(const void *a, const void *b)
{
    const struct pair *p = a, *q = b;
    if (p->name != q->name)
        return p->name < q->name ? -1 : 1;
    if (p->value != q->value)
        return p->value < q->value ? -1 : 1;
    return (p->series > q->series) - (p->series < q->series);
}

static size_t same_until(const struct build *b, size_t i, bool with_value)
{
    size_t end = i + 1;
    while (end < b->n_pairs && b->pair[end].name == b->pair[i].name &&
           (!with_value || b->pair[end].value == b->pair[i].value))
        end++;
    return end;
}

static void put_postings(const struct build *b, size_t from, size_t end, struct buf *out)
{
    put_varint(out, end - from);
    for (size_t i = from, last = 0; i < end; last = b->pair[i++].series)
        put_varint(out, b->pair[i].series - last);
}

// Table of names; for each a table of values; the postings behind each table of values.
static uint32_t put_names(struct build *b, struct buf *out)
{
    qsort(b->pair, b->n_pairs, sizeof(b->pair[0]), by_pair);
    uint32_t n_names = 0;
    for (size_t i = 0; i < b->n_pairs; i = same_until(b, i, false))
        n_names++;
    size_t start = out->len, row = start;
    for (size_t i = 0; i < (size_t)n_names * NAME_ROW; i++)
        buf_putc(out, 0);
    for (size_t i = 0, end; i < b->n_pairs; i = end, row += NAME_ROW) {
        end = same_until(b, i, false);
        uint32_t n_values = 0;
        for (size_t k = i; k < end; k = same_until(b, k, true))
            n_values++;
        set_u32(out, row, b->pair[i].name);
        set_u32(out, row + 4, n_values);
        set_u32(out, row + 8, out->len - start);
        size_t value_row = out->len;
        for (size_t k = 0; k < (size_t)n_values * VALUE_ROW; k++)
            buf_putc(out, 0);
        for (size_t k = i, next; k < end; k = next, value_row += VALUE_ROW) {
            next = same_until(b, k, true);
            set_u32(out, value_row, b->pair[k].value);
            set_u32(out, value_row + 4, out->len - start);
            put_postings(b, k, next, out);
        }
    }
    return n_names;
}

int index_put(const struct index_series *series, size_t n, const struct buf *rows, uint64_t base,
              struct buf *out, struct index_sections *ret)
{
    CLEANUP(build_done) struct build b = {0};
    int r = collect_symbols(&b, series, n);
    if (r < 0)
        return r;
    ret->symbols = base + out->len;
    put_symbols(&b, out);
    ret->series = base + out->len;
    put_series(&b, series, n, rows, out);
    ret->names = base + out->len;
    ret->n_names = put_names(&b, out);
    ret->n_symbols = (uint32_t)b.n_symbols;
    ret->end = base + out->len;
    return out->error;
}
