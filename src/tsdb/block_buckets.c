// SPDX-License-Identifier: GPL-3.0-or-later
// Buckets of a chunk, whole or only where a reader's windows are: a chunk holds a day or more, of
// which a long query with far steps looks at little. Columns are decoded one after the other into
// one scratch array, and put together only where they are needed.
#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "block.h"
#include "block_format.h"
#include "codec.h"
#include "fault.h"

struct reading {
    const struct block *b;
    const struct block_chunk *c;
    const struct codec_part *part;
    size_t n_parts;
    int64_t *scratch;
};

static size_t find(const int64_t *t_ms, size_t from, size_t n, int64_t least_ms)
{
    while (from < n) {
        size_t middle = from + (n - from) / 2;
        if (t_ms[middle] < least_ms)
            from = middle + 1;
        else
            n = middle;
    }
    return from;
}

static size_t add_part(struct codec_part *part, size_t n_parts, size_t from, size_t to)
{
    if (n_parts > 0 && part[n_parts - 1].to >= from) {
        part[n_parts - 1].to = to;
        return n_parts;
    }
    part[n_parts] = (struct codec_part){from, to};
    return n_parts + 1;
}

// Each part has an index that no other has: there are at most n.
static size_t find_parts(const int64_t *t_ms, size_t n, int64_t resolution_ms,
                         const struct query_hints *h, struct codec_part *part)
{
    size_t n_parts = 0, at = 0;
    if (h->window_ms <= 0 || h->window_ms + resolution_ms >= h->step_ms)
        return add_part(part, 0, 0, n);
    int64_t ahead_ms = t_ms[0] - resolution_ms - h->align_ms;
    int64_t end_ms = h->align_ms + (ahead_ms > 0 ? ahead_ms / h->step_ms * h->step_ms : 0);
    for (; end_ms - h->window_ms < t_ms[n - 1] && at < n; end_ms += h->step_ms) {
        size_t from = find(t_ms, at, n, end_ms - h->window_ms + 1);
        at = find(t_ms, from, n, end_ms + resolution_ms);
        if (at > from)
            n_parts = add_part(part, n_parts, from > 0 ? from - 1 : 0, at);
    }
    return n_parts > 0 && part[n_parts - 1].to == n ? n_parts : add_part(part, n_parts, n - 1, n);
}

static int whole(const struct reading *r, enum bucket_column column)
{
    size_t len = 0;
    const uint8_t *p = block_column(r->b, r->c->column[column], &len);
    int e = p ? codec_get_i64_parts(p, len, r->scratch, r->c->n, r->part, r->n_parts) : -EBADMSG;
    return e < 0 ? e : block_sound(r->b);
}

static int real(const struct reading *r, enum bucket_column column)
{
    size_t len = 0;
    const uint8_t *p = block_column(r->b, r->c->column[column], &len);
    int e = p ? codec_get_f64_parts(p, len, (double *)r->scratch, r->c->n, r->part, r->n_parts)
              : -EBADMSG;
    return e < 0 ? e : block_sound(r->b);
}

static int read_columns(const struct reading *r, bool with_values, struct query_bucket *out)
{
    const int64_t *i64 = r->scratch;
    const double *f64 = (const double *)r->scratch;
    int e = 0;
#define EACH(assignment)                                                                           \
    for (size_t k = 0, to = 0; e == 0 && k < r->n_parts; k++)                                      \
        for (size_t i = r->part[k].from; i < r->part[k].to; i++, to++)                             \
            assignment;
#define WHOLE(column_, assignment)                                                                 \
    e = e < 0 ? e : whole(r, column_);                                                             \
    EACH(assignment)
#define REAL(column_, field_)                                                                      \
    e = e < 0 ? e : real(r, column_);                                                              \
    EACH(out[to].field_ = f64[i])
    WHOLE(COLUMN_FIRST_MS, out[to].first_ms = out[to].end_ms - i64[i])
    WHOLE(COLUMN_LAST_MS, out[to].last_ms = out[to].end_ms - i64[i])
    REAL(COLUMN_FIRST, first)
    REAL(COLUMN_LAST, last)
    REAL(COLUMN_INCREASE, increase)
    WHOLE(COLUMN_COUNT, out[to].count = (uint32_t)i64[i])
    WHOLE(COLUMN_RESETS,
          (out[to].resets = (uint32_t)((uint64_t)i64[i] >> 1), out[to].stale = i64[i] & 1))
    if (!with_values) {
        EACH(out[to].min = out[to].max = out[to].sum = 0)
        return e;
    }
    REAL(COLUMN_MIN, min)
    REAL(COLUMN_MAX, max)
    REAL(COLUMN_SUM, sum)
#undef EACH
#undef WHOLE
#undef REAL
    return e;
}

int block_buckets_needed(const struct block *b, const struct block_chunk *c,
                         const struct query_hints *hints, struct query_bucket *out, size_t *ret_n)
{
    CLEANUP(freep) int64_t *scratch = malloc(c->n * sizeof(*scratch));
    CLEANUP(freep) struct codec_part *part = malloc(c->n * sizeof(*part));
    *ret_n = 0;
    if (!scratch || !part)
        return -ENOMEM;
    int e = block_times(b, c, scratch);
    if (e < 0)
        return e;
    size_t n_parts = find_parts(scratch, c->n, b->meta.resolution_ms, hints, part), n = 0;
    for (size_t k = 0; k < n_parts; k++)
        for (size_t i = part[k].from; i < part[k].to; i++)
            out[n++].end_ms = scratch[i];
    struct reading r = {b, c, part, n_parts, scratch};
    e = read_columns(&r, !hints->skip_values, out);
    if (fault_is_hit(b->guard))
        e = -EBADMSG;
    *ret_n = e == 0 ? n : 0;
    return e;
}

int block_buckets(const struct block *b, const struct block_chunk *c, struct query_bucket *out)
{
    static const struct query_hints all = {0};
    size_t n;
    return block_buckets_needed(b, c, &all, out, &n);
}
