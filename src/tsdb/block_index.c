// SPDX-License-Identifier: GPL-3.0-or-later
#include "block_index.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "block_format.h"
#include "varint.h"

struct symbol {
    uint32_t id;    // in order of appearance
    uint32_t place; // among the sorted ones
    char text[];
};

void index_init(struct index_build *b)
{
    *b = (struct index_build){.by_text = map_new()};
    buf_init(&b->rows, UINT32_MAX);
}

void index_done(struct index_build *b)
{
    for (size_t i = 0; i < b->n_symbols; i++)
        free(b->symbol[i]);
    map_free(b->by_text);
    free(b->symbol);
    free(b->series);
    free(b->id);
    buf_done(&b->rows);
}

static int note_symbol(struct index_build *b, const char *text, uint32_t *ret)
{
    size_t size = strlen(text) + 1;
    struct symbol *s = map_get(b->by_text, text, size);
    if (!s) {
        int r = mem_grow_capped(&b->symbol, &b->symbols_cap, b->n_symbols, sizeof(b->symbol[0]),
                                UINT32_MAX / 2);
        if (r < 0)
            return r;
        s = malloc(sizeof(*s) + size);
        if (!s)
            return -ENOMEM;
        s->id = (uint32_t)b->n_symbols;
        memcpy(s->text, text, size);
        b->symbol[b->n_symbols++] = s;
        map_put(b->by_text, text, size, s);
    }
    *ret = s->id;
    return 0;
}

static int add_id(struct index_build *b, const char *text)
{
    int r = mem_grow_capped(&b->id, &b->ids_cap, b->n_ids, sizeof(b->id[0]), UINT32_MAX);
    if (r == 0)
        r = note_symbol(b, text, &b->id[b->n_ids]);
    if (r == 0)
        b->n_ids++;
    return r;
}

// As labels_compare() has it: whether labels come behind those of the last series.
static bool comes_next(const struct index_build *b, const struct labels *labels)
{
    if (b->n_series == 0)
        return true;
    const struct index_series *last = &b->series[b->n_series - 1];
    const uint32_t *id = b->id + last->ids_at;
    for (uint32_t i = 0; i < last->n_labels && i < labels->n; i++) {
        int order = strcmp(b->symbol[id[2 * i]]->text, labels->label[i].name);
        if (order == 0)
            order = strcmp(b->symbol[id[2 * i + 1]]->text, labels->label[i].value);
        if (order != 0)
            return order < 0;
    }
    return last->n_labels < labels->n;
}

int index_add(struct index_build *b, const struct labels *labels, uint8_t kind, uint8_t scale)
{
    assert(comes_next(b, labels));
    int r = mem_grow_capped(&b->series, &b->series_cap, b->n_series, sizeof(b->series[0]),
                            UINT32_MAX / 2);
    if (r < 0)
        return r;
    struct index_series s = {labels->hash,        b->rows.len, b->n_ids, 0,
                             (uint16_t)labels->n, kind,        scale};
    for (uint32_t i = 0; i < labels->n && r == 0; i++) {
        r = add_id(b, labels->label[i].name);
        if (r == 0)
            r = add_id(b, labels->label[i].value);
    }
    if (r == 0)
        b->series[b->n_series++] = s;
    return r;
}

static int by_text(const void *a, const void *b)
{
    return strcmp((*(struct symbol *const *)a)->text, (*(struct symbol *const *)b)->text);
}

// Sort the symbols, and turn the series' numbers of texts into places among them.
static int sort_symbols(struct index_build *b)
{
    CLEANUP(freep) uint32_t *place = malloc((b->n_symbols + 1) * sizeof(*place));
    if (!place)
        return -ENOMEM;
    if (b->n_symbols > 0)
        qsort(b->symbol, b->n_symbols, sizeof(b->symbol[0]), by_text);
    for (size_t i = 0; i < b->n_symbols; i++)
        place[b->symbol[i]->id] = (uint32_t)i;
    for (size_t i = 0; i < b->n_ids; i++)
        b->id[i] = place[b->id[i]];
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
static void put_symbols(const struct index_build *b, struct buf *out)
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

static void put_one_series(const struct index_build *b, const struct index_series *s,
                           size_t rows_end, struct buf *out)
{
    uint8_t head[10];
    store64(head, s->hash);
    head[8] = s->kind;
    head[9] = s->scale;
    buf_put(out, head, sizeof(head));
    put_varint(out, s->n_labels);
    for (size_t i = 0; i < 2 * (size_t)s->n_labels; i++)
        put_varint(out, b->id[s->ids_at + i]);
    put_varint(out, s->n_chunks);
    if (rows_end > s->rows_at)
        buf_put(out, b->rows.data + s->rows_at, rows_end - s->rows_at);
}

static void put_series(const struct index_build *b, struct buf *out)
{
    size_t table = out->len, n = b->n_series;
    for (size_t i = 0; i <= n; i++)
        put_u32(out, 0);
    size_t start = out->len;
    for (size_t i = 0; i < n; i++) {
        set_u32(out, table + 4 * i, out->len - start);
        put_one_series(b, &b->series[i], i + 1 < n ? b->series[i + 1].rows_at : b->rows.len, out);
    }
    set_u32(out, table + 4 * n, out->len - start);
}

/** A value that a series has under some name. */
struct pair {
    uint32_t value;
    uint32_t series;
};

/** All labels of all series, by name, then by value, then by series. */
struct pairs {
    struct pair *pair;
    size_t *start; /**< of each symbol's pairs, it being their name; n_names + 1 of them */
    size_t n_names;
};

static int by_value(const void *a, const void *b)
{
    const struct pair *p = a, *q = b;
    if (p->value != q->value)
        return p->value < q->value ? -1 : 1;
    return (p->series > q->series) - (p->series < q->series);
}

static size_t same_until(const struct pairs *b, size_t i, size_t end)
{
    size_t next = i + 1;
    while (next < end && b->pair[next].value == b->pair[i].value)
        next++;
    return next;
}

static void put_postings(const struct pairs *b, size_t from, size_t end, struct buf *out)
{
    put_varint(out, end - from);
    for (size_t i = from, last = 0; i < end; last = b->pair[i++].series)
        put_varint(out, b->pair[i].series - last);
}

// The table of values of one name, the postings behind it.
static uint32_t put_values(const struct pairs *b, size_t from, size_t end, size_t start,
                           struct buf *out)
{
    uint32_t n_values = 0;
    size_t row = out->len;
    for (size_t i = from; i < end; i = same_until(b, i, end), n_values++)
        for (size_t k = 0; k < VALUE_ROW; k++)
            buf_putc(out, 0);
    for (size_t i = from, next; i < end; i = next, row += VALUE_ROW) {
        next = same_until(b, i, end);
        set_u32(out, row, b->pair[i].value);
        set_u32(out, row + 4, out->len - start);
        put_postings(b, i, next, out);
    }
    return n_values;
}

// Table of names; for each a table of values; the postings behind each table of values.
static uint32_t put_names(const struct pairs *b, struct buf *out)
{
    uint32_t n_names = 0;
    for (size_t i = 0; i < b->n_names; i++)
        n_names += b->start[i] < b->start[i + 1];
    size_t start = out->len, row = start;
    for (size_t i = 0; i < (size_t)n_names * NAME_ROW; i++)
        buf_putc(out, 0);
    for (size_t i = 0; i < b->n_names; i++) {
        if (b->start[i] == b->start[i + 1])
            continue;
        size_t at = out->len - start;
        uint32_t n_values = put_values(b, b->start[i], b->start[i + 1], start, out);
        set_u32(out, row, (uint32_t)i);
        set_u32(out, row + 4, n_values);
        set_u32(out, row + 8, at);
        row += NAME_ROW;
    }
    return n_names;
}

// Put into its place by name at once, which leaves only the values of one name to be sorted at a
// time: sorting takes as much memory again, and a store has labels by the million.
static int list_pairs(const struct index_build *b, struct pairs *ret)
{
    size_t *start = calloc(b->n_symbols + 2, sizeof(*start));
    ret->start = start;
    ret->n_names = b->n_symbols;
    ret->pair = malloc((b->n_ids / 2 + 1) * sizeof(ret->pair[0]));
    if (!ret->pair || !start)
        return -ENOMEM;
    for (size_t i = 0; i < b->n_ids; i += 2)
        start[b->id[i] + 2]++;
    for (size_t i = 2; i < b->n_symbols + 2; i++)
        start[i] += start[i - 1];
    // start[name + 1] is where the next one of that name goes, which ends at the next name's start.
    for (size_t i = 0; i < b->n_series; i++)
        for (size_t k = 0; k < b->series[i].n_labels; k++) {
            const uint32_t *id = &b->id[b->series[i].ids_at + 2 * k];
            ret->pair[start[id[0] + 1]++] = (struct pair){id[1], (uint32_t)i};
        }
    for (size_t i = 0; i < b->n_symbols; i++)
        if (start[i] < start[i + 1])
            qsort(ret->pair + start[i], start[i + 1] - start[i], sizeof(ret->pair[0]), by_value);
    return 0;
}

static void pairs_done(struct pairs *b)
{
    free(b->pair);
    free(b->start);
}

int index_put(struct index_build *b, uint64_t base, struct buf *out, struct index_sections *ret)
{
    struct pairs pairs = {0};
    if (b->rows.error)
        return b->rows.error;
    int r = sort_symbols(b);
    if (r == 0)
        r = list_pairs(b, &pairs);
    if (r < 0) {
        pairs_done(&pairs);
        return r;
    }
    ret->symbols = base + out->len;
    put_symbols(b, out);
    ret->series = base + out->len;
    put_series(b, out);
    ret->names = base + out->len;
    ret->n_names = put_names(&pairs, out);
    ret->n_symbols = (uint32_t)b->n_symbols;
    ret->end = base + out->len;
    pairs_done(&pairs);
    return out->error;
}
