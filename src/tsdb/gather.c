// SPDX-License-Identifier: GPL-3.0-or-later
// Collects the samples of one series from pieces, open buffers and chunks. Mostly they come sorted
// and are only appended.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "codec.h"
#include "store.h"

#define SAMPLES_MAX (SIZE_MAX / 64)

void gather_done(struct gather *g)
{
    free(g->t_ms);
    free(g->v);
    free(g->part);
    *g = (struct gather){0};
}

void gather_reset(struct gather *g, enum tsdb_kind kind, int scale, bool as_double)
{
    g->kind = as_double ? TSDB_DOUBLE : kind;
    g->scale = scale;
    g->as_double = as_double;
    g->n = 0;
    g->is_sorted = true;
}

static int reserve(struct gather *g, size_t more)
{
    if (g->cap - g->n >= more)
        return 0;
    size_t cap = MAX_OF(g->n + more, MAX_OF(g->cap * 2, (size_t)128));
    if (cap > SAMPLES_MAX)
        return -ENOMEM;
    int64_t *t_ms = realloc(g->t_ms, cap * sizeof(*t_ms));
    if (!t_ms)
        return -ENOMEM;
    g->t_ms = t_ms;
    union tsdb_value *v = realloc(g->v, cap * sizeof(*v));
    if (!v)
        return -ENOMEM;
    g->v = v;
    g->cap = cap;
    return 0;
}

// The n values behind the last one have been decoded: keep those in range.
static void accept(struct gather *g, size_t n, int64_t start_ms, int64_t end_ms)
{
    int64_t *t = g->t_ms + g->n;
    size_t from = 0;
    if (t[0] < start_ms) {
        size_t high = n;
        while (from < high) {
            size_t middle = from + (high - from) / 2;
            if (t[middle] < start_ms)
                from = middle + 1;
            else
                high = middle;
        }
    }
    while (n > from && t[n - 1] > end_ms)
        n--;
    if (n == from)
        return;
    if (from > 0) {
        memmove(t, t + from, (n - from) * sizeof(*t));
        memmove(g->v + g->n, g->v + g->n + from, (n - from) * sizeof(*g->v));
    }
    if (g->n > 0 && g->t_ms[g->n - 1] >= t[0])
        g->is_sorted = false;
    g->n += n - from;
}

static double as_read(union tsdb_value v, enum tsdb_kind kind, int scale)
{
    if (kind == TSDB_SCALED)
        codec_scale(&v.i64, 1, scale, &v.f64);
    return v.f64;
}

// Close up the parts of what was decoded behind the last sample.
static void accept_parts(struct gather *g, const struct codec_part *part, size_t n_parts)
{
    int64_t *t = g->t_ms + g->n;
    union tsdb_value *v = g->v + g->n;
    size_t n = 0;
    if (n_parts > 0 && g->n > 0 && g->t_ms[g->n - 1] >= t[part[0].from])
        g->is_sorted = false;
    for (size_t k = 0; k < n_parts; k++) {
        size_t from = part[k].from, more = part[k].to - from;
        if (from > n) {
            memmove(t + n, t + from, more * sizeof(*t));
            memmove(v + n, v + from, more * sizeof(*v));
        }
        n += more;
    }
    g->n += n;
}

int gather_chunk(struct gather *g, const struct block *b, const struct block_series *s,
                 const struct block_chunk *c, int64_t start_ms, int64_t end_ms,
                 const struct query_hints *hints)
{
    size_t n_parts = 0;
    if (c->max_ms < start_ms || c->min_ms > end_ms)
        return 0;
    int r = reserve(g, c->n);
    if (r == 0 && !g->part && !(g->part = malloc(BLOCK_CHUNK_VALUES * sizeof(*g->part))))
        r = -ENOMEM;
    if (r == 0)
        r = block_samples_needed(b, c, start_ms, end_ms, hints, g->t_ms + g->n, g->part, &n_parts);
    if (r < 0 || n_parts == 0)
        return r;
    if (g->kind == TSDB_DOUBLE)
        r = block_f64_parts(b, s, c, g->part, n_parts, &g->v[g->n].f64);
    else if (s->kind == TSDB_SCALED && s->scale == g->scale)
        r = block_i64_parts(b, c, g->part, n_parts, &g->v[g->n].i64);
    else
        r = -EBADMSG;
    if (r == 0)
        accept_parts(g, g->part, n_parts);
    return r;
}

static int gather_piece(struct gather *g, const struct piece *p, enum tsdb_kind kind, int scale,
                        int64_t start_ms, int64_t end_ms)
{
    if (piece_end(p) < start_ms || p->first_ms > end_ms)
        return 0;
    int r = reserve(g, p->n);
    if (r == 0)
        r = piece_times(p, g->t_ms + g->n);
    if (r == 0)
        r = kind == TSDB_SCALED ? piece_i64(p, &g->v[g->n].i64) : piece_f64(p, &g->v[g->n].f64);
    if (r < 0)
        return r;
    if (g->as_double && kind == TSDB_SCALED)
        codec_scale(&g->v[g->n].i64, p->n, scale, &g->v[g->n].f64);
    accept(g, p->n, start_ms, end_ms);
    return 0;
}

int gather_pieces(struct gather *g, const struct piece *newest, enum tsdb_kind kind, int scale,
                  int64_t start_ms, int64_t end_ms)
{
    size_t n = 0;
    const struct piece *near[64];
    CLEANUP(freep) const struct piece **many = NULL;
    for (const struct piece *p = newest; p; p = p->older)
        n++;
    if (n > ARRAY_LEN(near)) {
        many = malloc(n * sizeof(*many));
        if (!many)
            return -ENOMEM;
    }
    const struct piece **at = many ? many : near;
    size_t i = n;
    for (const struct piece *p = newest; p; p = p->older)
        at[--i] = p;
    int r = 0;
    for (i = 0; i < n && r == 0; i++)
        r = gather_piece(g, at[i], kind, scale, start_ms, end_ms);
    return r;
}

int gather_open(struct gather *g, const struct open *o, enum tsdb_kind kind, int scale,
                int64_t start_ms, int64_t end_ms)
{
    if (!o || o->n == 0)
        return 0;
    int r = reserve(g, o->n);
    if (r < 0)
        return r;
    for (size_t i = 0; i < o->n; i++) {
        g->t_ms[g->n + i] = open_time(o, i);
        g->v[g->n + i] = o->v[i];
        if (g->as_double)
            g->v[g->n + i].f64 = as_read(o->v[i], kind, scale);
    }
    accept(g, o->n, start_ms, end_ms);
    return 0;
}

struct ordered {
    int64_t t_ms;
    size_t place;
    union tsdb_value v;
};

static int by_time_and_place(const void *a, const void *b)
{
    const struct ordered *p = a, *q = b;
    if (p->t_ms != q->t_ms)
        return p->t_ms < q->t_ms ? -1 : 1;
    return (p->place > q->place) - (p->place < q->place);
}

int gather_sort(struct gather *g)
{
    if (g->is_sorted)
        return 0;
    CLEANUP(freep) struct ordered *o = malloc(g->n * sizeof(*o));
    if (!o)
        return -ENOMEM;
    for (size_t i = 0; i < g->n; i++)
        o[i] = (struct ordered){g->t_ms[i], i, g->v[i]};
    qsort(o, g->n, sizeof(*o), by_time_and_place);
    size_t kept = 0;
    for (size_t i = 0; i < g->n; i++) {
        if (kept > 0 && g->t_ms[kept - 1] == o[i].t_ms)
            continue;
        g->t_ms[kept] = o[i].t_ms;
        g->v[kept++] = o[i].v;
    }
    g->n = kept;
    g->is_sorted = true;
    return 0;
}

size_t gather_find(const struct gather *g, int64_t t_ms)
{
    size_t low = 0, high = g->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (g->t_ms[middle] < t_ms)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void gather_cut(struct gather *g, int64_t start_ms, int64_t end_ms)
{
    size_t from = gather_find(g, start_ms), to = from;
    while (to < g->n && g->t_ms[to] <= end_ms)
        to++;
    memmove(g->t_ms + from, g->t_ms + to, (g->n - to) * sizeof(*g->t_ms));
    memmove(g->v + from, g->v + to, (g->n - to) * sizeof(*g->v));
    g->n -= to - from;
}
