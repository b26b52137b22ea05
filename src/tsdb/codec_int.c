// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Whole numbers to bytes. One of three forms, whichever is shortest:
 *   line   first value and step: constants, timestamps on their schedule
 *   runs   of equal values (order 0) or equal differences (order 1): states, idle counters
 *   packs  of 128 residuals, each with the width that suits most of them, the others patched
 *          (frame of reference with exceptions: Zukowski et al., "Super-scalar RAM-CPU cache
 *          compression", 2006); residuals of order 0, 1, 2, or XOR with the value before
 */
#include <stdbool.h>
#include <string.h>

#include "base/mem.h"
#include "codec.h"
#include "codec_int.h"
#include "varint.h"

size_t codec_bound(size_t n)
{
    // A pack of full width, its head, and the heads of the column and of the doubles' form.
    return n * 8 + (n / PACK + 1) * (VARINT_MAX + 2) + 8 * VARINT_MAX + n / 8 + 64;
}

static int bits_of(uint64_t v)
{
    return v ? 64 - __builtin_clzll(v) : 0;
}

static uint64_t gcd(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

// The residual at i, for i >= the order's number of heads.
static inline uint64_t residual(const int64_t *x, size_t i, enum order order)
{
    const uint64_t *u = (const uint64_t *)x;
    switch (order) {
    case ORDER_0:
        return u[i];
    case ORDER_1:
        return u[i] - u[i - 1];
    case ORDER_2:
        return u[i] - 2 * u[i - 1] + u[i - 2];
    default:
        return u[i] ^ u[i - 1];
    }
}

/** How one pack is written. */
struct plan {
    uint64_t base; // subtracted; for XOR: the bits shifted out at the right
    int width;
    int exceptions;
    size_t bytes;
};

static struct plan plan_width(const uint64_t *d, size_t n, uint64_t base)
{
    int count[65] = {0}, widest = 0;
    for (size_t i = 0; i < n; i++)
        count[bits_of(d[i])]++;
    for (int w = 64; w > 0 && !widest; w--)
        widest = count[w] ? w : 0;
    struct plan best = {base, widest, 0, (n * (size_t)widest + 7) / 8};
    size_t patches = 0;
    int exceptions = 0;
    for (int w = widest - 1; w >= 0; w--) {
        // Bits above w: a little more for the numbers already out, and those of w + 1 bits.
        exceptions += count[w + 1];
        patches = 0;
        for (int b = w + 1; b <= widest; b++)
            patches += (size_t)count[b] * (1 + (size_t)(b - w + 6) / 7);
        size_t bytes = (n * (size_t)w + 7) / 8 + patches;
        if (bytes < best.bytes)
            best = (struct plan){base, w, exceptions, bytes};
        if ((size_t)exceptions * 4 > n)
            break;
    }
    best.bytes += 2;
    return best;
}

// Residuals of up to PACK values into d, base and factor taken out.
static struct plan plan_pack(const int64_t *x, size_t from, size_t n, enum order order,
                             uint64_t factor, uint64_t *d)
{
    uint64_t all = 0;
    int64_t min = INT64_MAX;
    for (size_t i = 0; i < n; i++) {
        d[i] = residual(x, from + i, order);
        all |= d[i];
        min = MIN_OF(min, (int64_t)d[i]);
    }
    if (order == ORDER_XOR) {
        uint64_t shift = all ? (uint64_t)__builtin_ctzll(all) : 0;
        for (size_t i = 0; i < n; i++)
            d[i] >>= shift;
        struct plan p = plan_width(d, n, shift);
        p.bytes += 1;
        return p;
    }
    for (size_t i = 0; i < n; i++)
        d[i] -= (uint64_t)min;
    if (factor > 1)
        for (size_t i = 0; i < n; i++)
            d[i] /= factor;
    struct plan p = plan_width(d, n, (uint64_t)min);
    p.bytes += varint_size(zigzag(min));
    return p;
}

// What divides all differences of residuals. Where one does not fit, only powers of two divide it
// whichever way it wraps around.
static uint64_t factor_of(const int64_t *x, size_t n, enum order order)
{
    uint64_t g = 0;
    bool wraps = false;
    if (order == ORDER_XOR)
        return 1;
    for (size_t i = heads_of[order] + 1; i < n && g != 1; i++) {
        int64_t d;
        wraps |= __builtin_sub_overflow((int64_t)residual(x, i, order),
                                        (int64_t)residual(x, i - 1, order), &d);
        uint64_t distance = d < 0 ? 0 - (uint64_t)d : (uint64_t)d;
        if (g == 0 || distance % g != 0)
            g = gcd(distance, g);
    }
    if (wraps)
        g &= 0 - g;
    return g ? g : 1;
}

static size_t cost_of_packs(const int64_t *x, size_t n, enum order order, uint64_t factor)
{
    uint64_t d[PACK];
    size_t bytes = 1 + varint_size(factor);
    for (size_t i = 0; i < heads_of[order] && i < n; i++)
        bytes += varint_size(zigzag(x[i]));
    for (size_t i = heads_of[order]; i < n; i += PACK)
        bytes += plan_pack(x, i, MIN_OF((size_t)PACK, n - i), order, factor, d).bytes;
    return bytes;
}

static size_t cost_of_runs(const int64_t *x, size_t n, enum order order, size_t limit)
{
    size_t bytes = 1 + (order == ORDER_1 ? varint_size(zigzag(x[0])) : 0), length = 0;
    uint64_t last = 0;
    for (size_t i = heads_of[order]; i < n; i++) {
        uint64_t d = residual(x, i, order);
        if (length == 0 || d != last) {
            bytes += varint_size(zigzag((int64_t)(d - last))) + varint_size(length);
            if (bytes > limit)
                return SIZE_MAX;
            length = 0;
            last = d;
        }
        length++;
    }
    return bytes;
}

static bool is_line(const int64_t *x, size_t n)
{
    for (size_t i = 2; i < n; i++)
        if (residual(x, i, ORDER_2) != 0)
            return false;
    return true;
}

static uint8_t *put_runs(const int64_t *x, size_t n, enum order order, uint8_t *p)
{
    *p++ = (uint8_t)(FORM_RUNS | order << 4);
    if (order == ORDER_1)
        p = svarint_put(p, x[0]);
    uint64_t last = 0;
    for (size_t i = heads_of[order]; i < n;) {
        uint64_t d = residual(x, i, order);
        size_t end = i + 1;
        while (end < n && residual(x, end, order) == d)
            end++;
        p = varint_put(p, end - i);
        p = svarint_put(p, (int64_t)(d - last));
        last = d;
        i = end;
    }
    return p;
}

static uint8_t *put_pack(const uint64_t *d, size_t n, const struct plan *plan, enum order order,
                         uint8_t *p)
{
    if (order == ORDER_XOR)
        *p++ = (uint8_t)plan->base;
    else
        p = svarint_put(p, (int64_t)plan->base);
    *p++ = (uint8_t)plan->width;
    *p++ = (uint8_t)plan->exceptions;
    int w = plan->width;
    uint64_t mask = w == 64 ? ~UINT64_C(0) : (UINT64_C(1) << w) - 1;
    unsigned __int128 window = 0;
    int filled = 0;
    for (size_t i = 0; i < n; i++) {
        window |= (unsigned __int128)(d[i] & mask) << filled;
        for (filled += w; filled >= 8; filled -= 8, window >>= 8)
            *p++ = (uint8_t)window;
    }
    if (filled > 0)
        *p++ = (uint8_t)window;
    for (size_t i = 0; i < n && plan->exceptions > 0; i++) {
        if (bits_of(d[i]) <= w)
            continue;
        *p++ = (uint8_t)i;
        p = varint_put(p, d[i] >> w);
    }
    return p;
}

static uint8_t *put_packs(const int64_t *x, size_t n, enum order order, uint64_t factor, uint8_t *p)
{
    uint64_t d[PACK];
    *p++ = (uint8_t)(FORM_PACKS | (unsigned)order << 4);
    p = varint_put(p, factor);
    for (size_t i = 0; i < heads_of[order] && i < n; i++)
        p = svarint_put(p, x[i]);
    for (size_t i = heads_of[order]; i < n; i += PACK) {
        size_t m = MIN_OF((size_t)PACK, n - i);
        struct plan plan = plan_pack(x, i, m, order, factor, d);
        p = put_pack(d, m, &plan, order, p);
    }
    return p;
}

size_t codec_put_i64(const int64_t *x, size_t n, uint8_t *out)
{
    uint8_t *p = out;
    if (is_line(x, n)) {
        *p++ = FORM_LINE;
        p = svarint_put(p, x[0]);
        p = svarint_put(p, n > 1 ? (int64_t)residual(x, 1, ORDER_1) : 0);
        return (size_t)(p - out);
    }
    size_t best = SIZE_MAX;
    uint64_t factor = 1;
    enum order order = ORDER_0;
    for (enum order o = ORDER_0; o < ORDER_MAX; o++) {
        uint64_t f = factor_of(x, n, o);
        size_t bytes = cost_of_packs(x, n, o, f);
        if (bytes < best) {
            best = bytes;
            order = o;
            factor = f;
        }
    }
    for (enum order o = ORDER_0; o <= ORDER_1; o++)
        if (cost_of_runs(x, n, o, best) < best)
            return (size_t)(put_runs(x, n, o, out) - out);
    return (size_t)(put_packs(x, n, order, factor, out) - out);
}
