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

static const char pairs[] =
    "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
    "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
    "8081828384858687888990919293949596979899";

static const uint64_t pow10_u64[] = {
    UINT64_C(1),
    UINT64_C(10),
    UINT64_C(100),
    UINT64_C(1000),
    UINT64_C(10000),
    UINT64_C(100000),
    UINT64_C(1000000),
    UINT64_C(10000000),
    UINT64_C(100000000),
    UINT64_C(1000000000),
    UINT64_C(10000000000),
    UINT64_C(100000000000),
    UINT64_C(1000000000000),
    UINT64_C(10000000000000),
    UINT64_C(100000000000000),
    UINT64_C(1000000000000000),
    UINT64_C(10000000000000000),
    UINT64_C(100000000000000000),
    UINT64_C(1000000000000000000),
    UINT64_C(10000000000000000000),
};

/** 0.d1d2d3… · 10^point, the n digits being those of m; the last is not 0. */
struct decimal {
    uint64_t m;
    int n, point;
};

static int count_digits(uint64_t v) // v > 0
{
    int n = (64 - __builtin_clzll(v)) * 1233 >> 12; // times log10(2)
    return n + (v >= pow10_u64[n]);
}

// The last n digits of v, ending before `end`.
static char *digits_before(char *end, uint64_t v, int n)
{
    for (; n >= 4; n -= 4, v /= 10000) {
        unsigned part = (unsigned)(v % 10000);
        memcpy(end -= 2, pairs + 2 * (part % 100), 2);
        memcpy(end -= 2, pairs + 2 * (part / 100), 2);
    }
    for (; n >= 2; n -= 2, v /= 100)
        memcpy(end -= 2, pairs + 2 * (v % 100), 2);
    if (n > 0)
        *--end = (char)('0' + v % 10);
    return end;
}

char *write_u64(char *out, uint64_t v)
{
    int n = v > 0 ? count_digits(v) : 1;
    (void)digits_before(out + n, v, n);
    return out + n;
}

// q, a decimal of so many digits, without its zeros at the end.
static struct decimal without_zeros(uint64_t q, int n, int point)
{
    static const int steps[] = {8, 8, 4, 2, 1};
    for (size_t i = 0; i < ARRAY_LEN(steps); i++)
        if (q % pow10_u64[steps[i]] == 0) {
            q /= pow10_u64[steps[i]];
            n -= steps[i];
        }
    return (struct decimal){q, n, point};
}

// Fails to read back only where more digits are needed.
static bool try_precision(double v, int precision, struct decimal *ret)
{
    char text[40];
    double again;
    (void)snprintf(text, sizeof(text), "%.*e", precision - 1, v);
    if (precision < 17 && (number_parse_f64(text, &again) < 0 || again != v))
        return false;
    char *e = strchr(text, 'e');
    uint64_t m = 0;
    for (char *p = text; p < e; p++)
        if (*p != '.')
            m = m * 10 + (uint64_t)(*p - '0');
    int64_t exponent = 0;
    const char *at = e + 1 + (e[1] == '+');
    (void)number_scan_i64(&at, &exponent);
    *ret = without_zeros(m, precision, (int)exponent + 1);
    return true;
}

typedef unsigned __int128 wide;

#define POW5_27 UINT64_C(7450580596923828125)
#define MORE(n) ((wide)POW5_27 * (n))

static const wide pow5[] = {
    1,
    5,
    25,
    125,
    625,
    3125,
    15625,
    78125,
    390625,
    1953125,
    9765625,
    48828125,
    244140625,
    1220703125,
    UINT64_C(6103515625),
    UINT64_C(30517578125),
    UINT64_C(152587890625),
    UINT64_C(762939453125),
    UINT64_C(3814697265625),
    UINT64_C(19073486328125),
    UINT64_C(95367431640625),
    UINT64_C(476837158203125),
    UINT64_C(2384185791015625),
    UINT64_C(11920928955078125),
    UINT64_C(59604644775390625),
    UINT64_C(298023223876953125),
    UINT64_C(1490116119384765625),
    POW5_27,
    MORE(5),
    MORE(25),
    MORE(125),
    MORE(625),
    MORE(3125),
};

#undef MORE

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
        wide product = pow5[k] * m;
        if (product >> shift >= pow10_u64[17])
            continue;
        uint64_t q = (uint64_t)(product >> shift);
        *ret =
            (struct scaled){q, product - ((wide)q << shift), (wide)1 << shift, pow5[k], exponent};
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
        wide unit = pow10_u64[k];
        if (whole / unit >= pow10_u64[17])
            continue;
        uint64_t q = (uint64_t)(whole / unit);
        *ret = (struct scaled){q, whole - unit * q, unit, (wide)1 << e, exponent};
        return true;
    }
}

// The nearest multiple of `step`; false where it names another number.
static inline __attribute__((always_inline)) bool round_to(const struct scaled *s, uint64_t step,
                                                           bool is_even, uint64_t *ret)
{
    uint64_t over = s->q % step;
    wide above = s->unit * over + s->rest, whole = s->unit * step;
    // What lies in the middle goes to the even digit, as in Go.
    bool up = above * 2 > whole || (above * 2 == whole && s->q / step % 2 != 0);
    wide twice = (up ? whole - above : above) * 2;
    *ret = s->q - over + (up ? step : 0);
    return twice < s->ulp || (twice == s->ulp && is_even);
}

/*
 * For numbers of ordinary size 128 bits hold them scaled to 17 digits, exactly. Whichever of 15, 16
 * and 17 digits is nearest and within half a unit in the last place of v reads back the same; 15
 * digits name one number at most, so that shorter ones are among those with zeros at the end.
 */
static bool shortest_by_128_bits(double v, struct decimal *ret)
{
    uint64_t bits, q;
    memcpy(&bits, &v, sizeof(bits));
    int e = (int)(bits >> 52) - 1075;
    uint64_t m = (bits & ((UINT64_C(1) << 52) - 1)) | UINT64_C(1) << 52;
    int exponent = (e + 52) * 78913 >> 18; // times log10(2)
    struct scaled s;
    // Of a power of two the neighbour below is nearer than that above: left to the slow way.
    if (v < 1e-14 || v > 1e35 || m == UINT64_C(1) << 52 ||
        !(e < 0 ? scale_up(m, e, exponent, &s) : scale_down(m, e, exponent, &s)))
        return false;
    bool is_even = m % 2 == 0;
    if (!round_to(&s, 100, is_even, &q) && !round_to(&s, 10, is_even, &q) &&
        !round_to(&s, 1, is_even, &q))
        return false;
    bool carried = q >= pow10_u64[17];
    *ret = without_zeros(q, 17 + carried, s.exponent + 1 + carried);
    return true;
}

static struct decimal shortest(double v) // v > 0, finite
{
    struct decimal d;
    if (shortest_by_128_bits(v, &d))
        return d;
    for (int precision = v < DBL_MIN ? 1 : 15; !try_precision(v, precision, &d); precision++)
        ;
    return d;
}

static char *put_text(char *out, const char *text)
{
    size_t n = strlen(text);
    memcpy(out, text, n);
    return out + n;
}

static char *put_special(char *out, double v)
{
    if (isnan(v))
        return put_text(out, "NaN");
    if (isinf(v))
        return put_text(out, v > 0 ? "+Inf" : "-Inf");
    return put_text(out, signbit(v) ? "-0" : "0");
}

static char *put_fixed(char *out, const struct decimal *d)
{
    if (d->point <= 0) {
        out = put_text(out, "0.");
        memset(out, '0', (size_t)-d->point);
        out += -d->point + d->n;
        (void)digits_before(out, d->m, d->n);
        return out;
    }
    if (d->point >= d->n) {
        (void)digits_before(out + d->n, d->m, d->n);
        memset(out + d->n, '0', (size_t)(d->point - d->n));
        return out + d->point;
    }
    uint64_t unit = pow10_u64[d->n - d->point];
    (void)digits_before(out + d->point, d->m / unit, d->point);
    out[d->point] = '.';
    (void)digits_before(out + d->n + 1, d->m % unit, d->n - d->point);
    return out + d->n + 1;
}

static char *put_exponent(char *out, const struct decimal *d)
{
    uint64_t unit = pow10_u64[d->n - 1];
    *out++ = (char)('0' + d->m / unit);
    if (d->n > 1) {
        *out++ = '.';
        out += d->n - 1;
        (void)digits_before(out, d->m % unit, d->n - 1);
    }
    int exponent = d->point - 1;
    *out++ = 'e';
    *out++ = exponent < 0 ? '-' : '+';
    if (abs(exponent) < 10)
        *out++ = '0';
    return write_u64(out, (uint64_t)abs(exponent));
}

// Whether a number is written with an exponent.
typedef bool (*with_exponent)(double abs_v, const struct decimal *d);

static bool never(double abs_v, const struct decimal *d)
{
    return false;
}

static bool as_percent_g(double abs_v, const struct decimal *d)
{
    return d->point - 1 < -4 || d->point - 1 >= 21;
}

static bool as_json(double abs_v, const struct decimal *d)
{
    return abs_v < 1e-6 || abs_v >= 1e21;
}

static inline __attribute__((always_inline)) char *put_number(char *out, double v,
                                                              with_exponent wants)
{
    double abs_v = fabs(v);
    if (!(abs_v > 0 && abs_v <= DBL_MAX))
        return put_special(out, v);
    if (v < 0)
        *out++ = '-';
    // A whole number below 2^53 has at most 16 digits, all of them exact.
    if (abs_v < 9007199254740992.0 && abs_v == (double)(uint64_t)abs_v)
        return write_u64(out, (uint64_t)abs_v);
    struct decimal d = shortest(abs_v);
    return wants(abs_v, &d) ? put_exponent(out, &d) : put_fixed(out, &d);
}

char *write_plain_number(char *out, double v)
{
    return put_number(out, v, never);
}

char *write_json_number(char *out, double v)
{
    return put_number(out, v, as_json);
}

void put_plain_number(struct buf *out, double v)
{
    char text[PLAIN_NUMBER_MAX];
    buf_put(out, text, (size_t)(put_number(text, v, never) - text));
}

void put_short_number(struct buf *out, double v)
{
    char text[JSON_NUMBER_MAX];
    buf_put(out, text, (size_t)(put_number(text, v, as_percent_g) - text));
}

void put_json_number(struct buf *out, double v)
{
    char text[JSON_NUMBER_MAX];
    buf_put(out, text, (size_t)(put_number(text, v, as_json) - text));
}
