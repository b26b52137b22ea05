// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Doubles. Most gauges are whole numbers or short decimals: those are kept as whole numbers of the
 * smallest power of ten that gives back the same bits, the few others apart (as in Afroozeh et al.,
 * "ALP: Adaptive Lossless floating-Point Compression", 2023). The rest are columns of bits.
 */
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "codec.h"
#include "model/query.h"
#include "tsdb/tsdb.h"
#include "varint.h"

#define DECIMALS_MAX 9
#define EXACT_MAX 9007199254740992.0 // 2^53

enum form {
    FORM_DECIMAL = 0x40,
    FORM_BITS = 0x41,
};

double codec_power_of_ten(int n)
{
    static const double power[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                   1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    return power[n];
}

static bool as_decimal(double v, double power, int64_t *ret)
{
    double scaled = v * power;
    if (!(fabs(scaled) < EXACT_MAX))
        return false;
    int64_t whole = (int64_t)__builtin_rint(scaled);
    double back = (double)whole / power;
    if (memcmp(&back, &v, sizeof(v)) != 0)
        return false;
    *ret = whole;
    return true;
}

// False where too many values are not of that power. Exceptions repeat the value before.
static bool to_whole(const double *x, size_t n, int decimals, int64_t *whole,
                     size_t *ret_exceptions)
{
    double power = codec_power_of_ten(decimals);
    int64_t last = 0;
    size_t exceptions = 0;
    for (size_t i = 0; i < n; i++) {
        if (!as_decimal(x[i], power, &last) && ++exceptions > 1 + n / 16)
            return false;
        whole[i] = last;
    }
    *ret_exceptions = exceptions;
    return true;
}

static uint8_t *put_exceptions(const double *x, const int64_t *whole, size_t n, double power,
                               uint8_t *p)
{
    size_t last = 0;
    for (size_t i = 0; i < n; i++) {
        double back = (double)whole[i] / power;
        if (memcmp(&back, &x[i], sizeof(back)) == 0)
            continue;
        uint64_t bits;
        memcpy(&bits, &x[i], sizeof(bits));
        p = varint_put(p, i - last);
        store64(p, bits);
        p += 8;
        last = i;
    }
    return p;
}

size_t codec_put_f64(const double *x, size_t n, uint8_t *out)
{
    int64_t small[256];
    CLEANUP(freep) int64_t *large = n > ARRAY_LEN(small) ? malloc(n * sizeof(*large)) : NULL;
    int64_t *whole = large ? large : small;
    uint8_t *p = out;
    size_t exceptions = 0;
    for (int decimals = 0; (large || n <= ARRAY_LEN(small)) && decimals <= DECIMALS_MAX;
         decimals++) {
        if (!to_whole(x, n, decimals, whole, &exceptions))
            continue;
        *p++ = FORM_DECIMAL;
        *p++ = (uint8_t)decimals;
        p = varint_put(p, exceptions);
        if (exceptions > 0)
            p = put_exceptions(x, whole, n, codec_power_of_ten(decimals), p);
        return (size_t)(p - out) + codec_put_i64(whole, n, p);
    }
    *p++ = FORM_BITS;
    return 1 + codec_put_i64((const int64_t *)x, n, p);
}

// Doubles of whole numbers below 2^51: added to the bits of 1.5 * 2^52 they are its last digits.
#define MAGIC_BITS UINT64_C(0x4338000000000000)
#define MAGIC 6755399441055744.0
#define AT_ONCE 16 // so that the compiler makes vectors of it

static inline __attribute__((always_inline)) bool are_small(const int64_t *x)
{
    uint64_t high = 0;
    for (size_t i = 0; i < AT_ONCE; i++)
        high |= ((uint64_t)x[i] + (UINT64_C(1) << 51)) >> 52;
    return high == 0;
}

static inline __attribute__((always_inline)) void convert_small(const int64_t *x, double power,
                                                                double *v)
{
    double scaled[AT_ONCE];
    for (size_t i = 0; i < AT_ONCE; i++) {
        uint64_t bits = (uint64_t)x[i] + MAGIC_BITS;
        memcpy(&scaled[i], &bits, sizeof(bits));
        scaled[i] -= MAGIC;
    }
    if (power == 1)
        memcpy(v, scaled, sizeof(scaled));
    else
        for (size_t i = 0; i < AT_ONCE; i++)
            v[i] = scaled[i] / power;
}

static inline __attribute__((always_inline)) void
convert_all(const int64_t *x, size_t n, double power, bool with_stale, double *v)
{
    size_t i = 0;
    while (i < n) {
        if (n - i >= AT_ONCE && are_small(x + i)) {
            convert_small(x + i, power, v + i);
            i += AT_ONCE;
            continue;
        }
        for (size_t end = MIN_OF(i + AT_ONCE, n); i < end; i++)
            v[i] = with_stale && x[i] == TSDB_STALE_I64 ? sample_stale() : (double)x[i] / power;
    }
}

// x and v may be the same memory.
#if defined(__x86_64__)
__attribute__((target("avx2"))) static void convert_wider(const int64_t *x, size_t n, double power,
                                                          bool with_stale, double *v)
{
    convert_all(x, n, power, with_stale, v);
}

static void convert(const int64_t *x, size_t n, double power, bool with_stale, double *v)
{
    if (__builtin_cpu_supports("avx2"))
        convert_wider(x, n, power, with_stale, v);
    else
        convert_all(x, n, power, with_stale, v);
}
#else
static void convert(const int64_t *x, size_t n, double power, bool with_stale, double *v)
{
    convert_all(x, n, power, with_stale, v);
}
#endif

static int get_decimal(const uint8_t *p, const uint8_t *end, double *x, size_t n,
                       const struct codec_part *part, size_t n_parts)
{
    if (p == end)
        return -EBADMSG;
    int decimals = *p++;
    uint64_t exceptions = varint_get(&p, end);
    if (!p || decimals > DECIMALS_MAX || exceptions > n)
        return -EBADMSG;
    const uint8_t *exception = p;
    for (uint64_t i = 0; i < exceptions; i++) {
        varint_get(&p, end);
        if (!p || end - p < 8)
            return -EBADMSG;
        p += 8;
    }
    int64_t *whole = (int64_t *)x;
    int r = codec_get_i64_parts(p, (size_t)(end - p), whole, n, part, n_parts);
    if (r < 0)
        return r;
    for (size_t i = 0; i < n_parts; i++)
        convert(whole + part[i].from, part[i].to - part[i].from, codec_power_of_ten(decimals),
                false, x + part[i].from);
    for (uint64_t i = 0, at = 0; i < exceptions; i++, exception += 8) {
        at += varint_get(&exception, end);
        if (at >= n)
            return -EBADMSG;
        uint64_t bits = load64(exception);
        memcpy(&x[at], &bits, sizeof(bits));
    }
    return 0;
}

int codec_get_f64(const uint8_t *p, size_t len, double *x, size_t n)
{
    struct codec_part all = {0, n};
    return codec_get_f64_parts(p, len, x, n, &all, 1);
}

int codec_get_f64_parts(const uint8_t *p, size_t len, double *x, size_t n,
                        const struct codec_part *part, size_t n_parts)
{
    if (len == 0 || n == 0)
        return -EBADMSG;
    if (*p == FORM_DECIMAL)
        return get_decimal(p + 1, p + len, x, n, part, n_parts);
    if (*p == FORM_BITS)
        return codec_get_i64_parts(p + 1, len - 1, (int64_t *)x, n, part, n_parts);
    return -EBADMSG;
}

void codec_scale(const int64_t *x, size_t n, int scale, double *v)
{
    convert(x, n, codec_power_of_ten(scale), true, v);
}
