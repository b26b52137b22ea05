// SPDX-License-Identifier: GPL-3.0-or-later
// Numbers as Go writes them: the shortest digits that read back the same.
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/number.h"
#include "eval.h"

/** 0.d1d2d3… · 10^point */
struct digits {
    char digit[20];
    int n, point;
};

// Fails to read back only where more digits are needed.
static bool try_precision(double v, int precision, struct digits *ret)
{
    char text[40];
    double again;
    (void)snprintf(text, sizeof(text), "%.*e", precision - 1, v);
    if (precision < 17 && (number_parse_f64(text, &again) < 0 || again != v))
        return false;
    char *e = strchr(text, 'e');
    ret->n = 0;
    for (char *p = text; p < e; p++)
        if (*p != '.')
            ret->digit[ret->n++] = *p;
    while (ret->n > 1 && ret->digit[ret->n - 1] == '0')
        ret->n--;
    int64_t exponent = 0;
    const char *at = e + 1 + (e[1] == '+');
    (void)number_scan_i64(&at, &exponent);
    ret->point = (int)exponent + 1;
    return true;
}

static uint64_t pow10_u64(int n)
{
    uint64_t v = 1;
    while (n-- > 0)
        v *= 10;
    return v;
}

typedef unsigned __int128 wide;

static wide pow5(int n)
{
    wide v = 1;
    for (wide base = 5; n > 0; n >>= 1, base *= base)
        if (n & 1)
            v *= base;
    return v;
}

// q, a decimal of 17 digits, without its zeros at the end.
static void digits_of(uint64_t q, int point, struct digits *ret)
{
    char text[24];
    int n = 0;
    while (q % 10 == 0 && q > 0)
        q /= 10;
    for (uint64_t rest = q; rest > 0; rest /= 10)
        text[n++] = (char)('0' + rest % 10);
    ret->n = n;
    ret->point = point;
    for (int i = 0; i < n; i++)
        ret->digit[i] = text[n - 1 - i];
}

// A whole number below 2^53 has at most 16 digits, all of them exact.
static void digits_of_whole(uint64_t v, struct digits *ret)
{
    int point = 0;
    for (uint64_t rest = v; rest > 0; rest /= 10)
        point++;
    digits_of(v, point, ret);
}

/** v·10^k, for a k that leaves 17 digits before the point: q and rest / unit. */
struct scaled {
    uint64_t q;
    wide rest, unit;
    wide ulp;     /**< what one unit in the last place of v is, in the same unit */
    int exponent; /**< of v: v = d.ddd · 10^exponent */
};

// m·2^e with e < 0, times a power of ten: 5^k·m fits 128 bits.
static bool scale_up(uint64_t m, int e, int exponent, struct scaled *ret)
{
    for (;; exponent++) {
        int k = 16 - exponent, shift = -(e + k);
        if (k < 0 || k > 32 || shift <= 0)
            return false;
        wide power = pow5(k), product = power * m;
        if (product >> shift >= pow10_u64(17))
            continue;
        uint64_t q = (uint64_t)(product >> shift);
        *ret = (struct scaled){q, product - ((wide)q << shift), (wide)1 << shift, power, exponent};
        return true;
    }
}

// m·2^e with e >= 0, divided by a power of ten.
static bool scale_down(uint64_t m, int e, int exponent, struct scaled *ret)
{
    wide whole = (wide)m << e;
    if (e > 70)
        return false;
    for (;; exponent++) {
        int k = exponent - 16;
        if (k < 0 || k > 19)
            return false;
        wide unit = pow10_u64(k);
        if (whole / unit >= pow10_u64(17))
            continue;
        uint64_t q = (uint64_t)(whole / unit);
        *ret = (struct scaled){q, whole - unit * q, unit, (wide)1 << e, exponent};
        return true;
    }
}

/*
 * For numbers of ordinary size 128 bits hold them scaled to 17 digits, exactly. Whichever of 15, 16
 * and 17 digits is nearest and within half a unit in the last place of v reads back the same; 15
 * digits name one number at most, so that shorter ones are among those with zeros at the end.
 */
static bool shortest_by_128_bits(double v, struct digits *ret)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof(bits));
    int e = (int)(bits >> 52) - 1075;
    uint64_t m = (bits & ((UINT64_C(1) << 52) - 1)) | UINT64_C(1) << 52;
    int exponent = (int)floor((e + 52) * 0.30102999566398120);
    struct scaled s;
    // Of a power of two the neighbour below is nearer than that above: left to the slow way.
    if (v < 1e-14 || v > 1e35 || m == UINT64_C(1) << 52 ||
        !(e < 0 ? scale_up(m, e, exponent, &s) : scale_down(m, e, exponent, &s)))
        return false;
    for (uint64_t step = 100; step > 0; step /= 10) {
        uint64_t over = s.q % step;
        wide above = s.unit * over + s.rest, whole = s.unit * step;
        bool up = above * 2 >= whole;
        wide distance = up ? whole - above : above;
        if (distance * 2 > s.ulp || (distance * 2 == s.ulp && m % 2 != 0))
            continue;
        uint64_t rounded = s.q - over + (up ? step : 0);
        digits_of(rounded, s.exponent + 1 + (rounded >= pow10_u64(17)), ret);
        return true;
    }
    return false;
}

static struct digits shortest(double v) // v > 0, finite
{
    struct digits d;
    if (v < 9007199254740992.0 && v == trunc(v)) {
        digits_of_whole((uint64_t)v, &d);
        return d;
    }
    if (shortest_by_128_bits(v, &d))
        return d;
    for (int precision = v < DBL_MIN ? 1 : 15; !try_precision(v, precision, &d); precision++)
        ;
    return d;
}

static bool put_special(struct buf *out, double v)
{
    if (isnan(v))
        buf_puts(out, "NaN");
    else if (isinf(v))
        buf_puts(out, v > 0 ? "+Inf" : "-Inf");
    else if (v == 0)
        buf_puts(out, signbit(v) ? "-0" : "0");
    else
        return false;
    return true;
}

static void put_zeros(struct buf *out, int n)
{
    for (int i = 0; i < n; i++)
        buf_putc(out, '0');
}

static void put_fixed(struct buf *out, const struct digits *d)
{
    if (d->point <= 0) {
        buf_put(out, "0.", 2);
        put_zeros(out, -d->point);
        buf_put(out, d->digit, (size_t)d->n);
        return;
    }
    int whole = MIN_OF(d->point, d->n);
    buf_put(out, d->digit, (size_t)whole);
    put_zeros(out, d->point - whole);
    if (d->n > whole) {
        buf_putc(out, '.');
        buf_put(out, d->digit + whole, (size_t)(d->n - whole));
    }
}

static void put_exponent(struct buf *out, const struct digits *d)
{
    buf_putc(out, d->digit[0]);
    if (d->n > 1) {
        buf_putc(out, '.');
        buf_put(out, d->digit + 1, (size_t)d->n - 1);
    }
    int exponent = d->point - 1;
    buf_printf(out, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
}

void put_plain_number(struct buf *out, double v)
{
    if (put_special(out, v))
        return;
    struct digits d = shortest(fabs(v));
    if (v < 0)
        buf_putc(out, '-');
    put_fixed(out, &d);
}

void put_short_number(struct buf *out, double v)
{
    if (put_special(out, v))
        return;
    struct digits d = shortest(fabs(v));
    if (v < 0)
        buf_putc(out, '-');
    if (d.point - 1 < -4 || d.point - 1 >= 21)
        put_exponent(out, &d);
    else
        put_fixed(out, &d);
}

void put_json_number(struct buf *out, double v)
{
    if (put_special(out, v))
        return;
    struct digits d = shortest(fabs(v));
    if (v < 0)
        buf_putc(out, '-');
    if (fabs(v) < 1e-6 || fabs(v) >= 1e21)
        put_exponent(out, &d);
    else
        put_fixed(out, &d);
}
