// SPDX-License-Identifier: GPL-3.0-or-later
// Whole numbers from bytes; codec_int.c writes them. Where only parts are wanted, packs between
// them are only added up: what a value is depends on all before it.
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "bits.h"
#include "codec.h"
#include "codec_int.h"
#include "varint.h"

/** Which values are wanted; asked in rising order. */
struct wanted {
    const struct codec_part *part;
    size_t n;
};

static bool wants(struct wanted *w, size_t from, size_t to)
{
    while (w->n > 0 && w->part->to <= from) {
        w->part++;
        w->n--;
    }
    return w->n > 0 && w->part->from < to;
}

static int get_line(const uint8_t *p, const uint8_t *end, int64_t *x, const struct wanted *w)
{
    uint64_t first = (uint64_t)svarint_get(&p, end), step = (uint64_t)svarint_get(&p, end);
    if (p != end)
        return -EBADMSG;
    for (size_t k = 0; k < w->n; k++)
        for (size_t i = w->part[k].from; i < w->part[k].to; i++)
            x[i] = (int64_t)(first + step * i);
    return 0;
}

bool codec_get_line(const uint8_t *p, size_t len, int64_t *ret_first, int64_t *ret_step)
{
    const uint8_t *end = p + len;
    if (len == 0 || (*p++ & 15) != FORM_LINE)
        return false;
    *ret_first = svarint_get(&p, end);
    *ret_step = svarint_get(&p, end);
    return p == end;
}

static int get_runs(const uint8_t *p, const uint8_t *end, int64_t *x, size_t n, enum order order,
                    struct wanted w)
{
    size_t i = 0;
    uint64_t value = 0, sum = 0;
    if (order > ORDER_1)
        return -EBADMSG;
    if (order == ORDER_1)
        x[i++] = (int64_t)(sum = (uint64_t)svarint_get(&p, end));
    while (p && i < n) {
        uint64_t length = varint_get(&p, end);
        value += (uint64_t)svarint_get(&p, end);
        if (!p || length == 0 || length > n - i)
            return -EBADMSG;
        size_t stop = i + length;
        if (!wants(&w, i, stop)) {
            sum += value * length;
            i = stop;
        } else if (order == ORDER_0) {
            for (; i < stop; i++)
                x[i] = (int64_t)value;
        } else {
            for (; i < stop; i++)
                x[i] = (int64_t)(sum += value);
        }
    }
    return p == end ? 0 : -EBADMSG;
}

/** One pack's bytes; `bits` may be read by words. */
struct pack {
    const uint8_t *bits, *exceptions;
    unsigned width, n_exceptions;
    uint8_t copy[PACK * 8 + BITS_READ_AHEAD];
};

static bool find_pack(const uint8_t *p, const uint8_t *end, size_t n, struct pack *ret)
{
    if (end - p < 2)
        return false;
    ret->width = p[0];
    ret->n_exceptions = p[1];
    p += 2;
    size_t bytes = (n * (size_t)ret->width + 7) / 8;
    if (ret->width > 64 || (size_t)(end - p) < bytes)
        return false;
    ret->bits = p;
    ret->exceptions = p + bytes;
    if ((size_t)(end - p) < bytes + BITS_READ_AHEAD) {
        // The last pack of a column: not one byte past its end is read.
        memcpy(ret->copy, p, bytes);
        memset(ret->copy + bytes, 0, BITS_READ_AHEAD);
        ret->bits = ret->copy;
    }
    return true;
}

// The next exception: an index and the bits above the pack's width. Moves *p; NULL: damaged.
static uint64_t next_exception(const struct pack *k, const uint8_t **p, const uint8_t *end,
                               size_t n, size_t *ret_at)
{
    const uint8_t *at = *p;
    *p = NULL;
    *ret_at = 0;
    if (end - at < 2 || k->width == 64 || *at >= n)
        return 0;
    *ret_at = *at++;
    uint64_t high = varint_get(&at, end);
    *p = at;
    return high << k->width;
}

// The pack's residuals, without base and factor; where the next pack begins.
static const uint8_t *get_pack(const struct pack *k, const uint8_t *end, size_t n, uint64_t *d)
{
    const uint8_t *p = k->exceptions;
    if (k->width == 0)
        memset(d, 0, n * sizeof(*d));
    else
        bits_get(k->bits, 0, n, k->width, d);
    for (unsigned i = 0; p && i < k->n_exceptions; i++) {
        size_t at;
        uint64_t high = next_exception(k, &p, end, n, &at);
        d[at] += high;
    }
    return p;
}

// The sum of the residuals, as get_pack() would give them.
static const uint8_t *sum_pack(const struct pack *k, const uint8_t *end, size_t n, uint64_t *ret)
{
    const uint8_t *p = k->exceptions;
    uint64_t sum = k->width > 0 ? bits_sum(k->bits, 0, n, k->width) : 0;
    for (unsigned i = 0; p && i < k->n_exceptions; i++) {
        size_t at;
        sum += next_exception(k, &p, end, n, &at);
    }
    *ret = sum;
    return p;
}

/** Where adding up stands. */
struct running {
    enum order order;
    uint64_t factor;
    uint64_t last, step; // the value before, and of order 2 its distance to the one before it
};

static void add_up(uint64_t *u, size_t n, uint64_t base, struct running *r)
{
    uint64_t last = r->last, step = r->step;
    if (r->order == ORDER_XOR) {
        for (size_t k = 0; k < n; k++)
            u[k] = last ^= u[k] << base;
    } else {
        if (r->factor != 1)
            for (size_t k = 0; k < n; k++)
                u[k] = u[k] * r->factor + base;
        else if (base != 0)
            for (size_t k = 0; k < n; k++)
                u[k] += base;
        if (r->order == ORDER_1)
            for (size_t k = 0; k < n; k++)
                u[k] = last += u[k];
        if (r->order == ORDER_2)
            for (size_t k = 0; k < n; k++)
                u[k] = last += step += u[k];
    }
    r->last = last;
    r->step = step;
}

static const uint8_t *skip_pack(const struct pack *k, const uint8_t *end, size_t n, uint64_t base,
                                struct running *r)
{
    if (r->order == ORDER_0 || r->order == ORDER_1) {
        uint64_t sum = 0;
        const uint8_t *p = sum_pack(k, end, n, &sum);
        r->last += r->order == ORDER_1 ? n * base + r->factor * sum : 0;
        return p;
    }
    uint64_t d[PACK];
    const uint8_t *p = get_pack(k, end, n, d);
    add_up(d, n, base, r);
    return p;
}

// Differences without exceptions, the usual case: only what is wanted is written, what lies before
// and behind it is added up. [from, to) holds all that is wanted of the pack.
static void add_up_part(const struct pack *k, size_t n, uint64_t base, size_t from, size_t to,
                        struct running *r, uint64_t *u)
{
    uint64_t sum = bits_sum(k->bits, 0, from, k->width);
    uint64_t last = r->last + from * base + r->factor * sum;
    bits_get(k->bits, from, to, k->width, u + from);
    for (size_t i = from; i < to; i++)
        u[i] = last += u[i] * r->factor + base;
    sum = bits_sum(k->bits, to, n, k->width);
    r->last = last + (n - to) * base + r->factor * sum;
}

static const uint8_t *read_pack(const struct pack *k, const uint8_t *end, size_t i, size_t n,
                                uint64_t base, const struct wanted *w, struct running *r,
                                uint64_t *u)
{
    if (r->order == ORDER_1 && k->n_exceptions == 0 && k->width > 0) {
        size_t from = w->part->from > i ? w->part->from - i : 0, to = 0;
        for (size_t part = 0; part < w->n && w->part[part].from < i + n; part++)
            to = MIN_OF(w->part[part].to - i, n);
        add_up_part(k, n, base, from, to, r, u + i);
        return k->exceptions;
    }
    const uint8_t *p = get_pack(k, end, n, u + i);
    add_up(u + i, n, base, r);
    return p;
}

static const uint8_t *get_base(const uint8_t *p, const uint8_t *end, enum order order,
                               uint64_t *ret)
{
    if (order != ORDER_XOR) {
        *ret = (uint64_t)svarint_get(&p, end);
        return p;
    }
    if (p == end || *p > 63)
        return NULL;
    *ret = *p++;
    return p;
}

static int get_packs(const uint8_t *p, const uint8_t *end, int64_t *x, size_t n, enum order order,
                     struct wanted w)
{
    if (order >= ORDER_MAX)
        return -EBADMSG;
    struct running r = {.order = order, .factor = varint_get(&p, end)};
    struct pack pack;
    size_t i = 0;
    for (; i < heads_of[order] && i < n; i++) {
        uint64_t head = (uint64_t)svarint_get(&p, end);
        x[i] = (int64_t)head;
        r.step = head - r.last;
        r.last = head;
    }
    while (p && i < n) {
        size_t m = MIN_OF((size_t)PACK, n - i);
        uint64_t base;
        p = get_base(p, end, order, &base);
        if (!p || !find_pack(p, end, m, &pack))
            return -EBADMSG;
        if (wants(&w, i, i + m)) {
            p = read_pack(&pack, end, i, m, base, &w, &r, (uint64_t *)x);
        } else {
            p = skip_pack(&pack, end, m, base, &r);
        }
        i += m;
    }
    return p == end ? 0 : -EBADMSG;
}

int codec_get_i64_parts(const uint8_t *p, size_t len, int64_t *x, size_t n,
                        const struct codec_part *part, size_t n_parts)
{
    if (len == 0 || n == 0)
        return -EBADMSG;
    const uint8_t *end = p + len;
    const struct wanted w = {part, n_parts};
    enum order order = *p >> 4;
    switch (*p++ & 15) {
    case FORM_LINE:
        return get_line(p, end, x, &w);
    case FORM_RUNS:
        return get_runs(p, end, x, n, order, w);
    case FORM_PACKS:
        return get_packs(p, end, x, n, order, w);
    default:
        return -EBADMSG;
    }
}

int codec_get_i64(const uint8_t *p, size_t len, int64_t *x, size_t n)
{
    const struct codec_part all = {0, n};
    return codec_get_i64_parts(p, len, x, n, &all, 1);
}
