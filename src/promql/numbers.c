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

// A whole number below 2^53 has at most 16 digits, all of them exact.
static void digits_of_whole(uint64_t v, struct digits *ret)
{
    char text[24];
    int n = snprintf(text, sizeof(text), "%llu", (unsigned long long)v);
    ret->point = n;
    while (n > 1 && text[n - 1] == '0')
        n--;
    ret->n = n;
    memcpy(ret->digit, text, (size_t)n);
}

static struct digits shortest(double v) // v > 0, finite
{
    struct digits d;
    if (v < 9007199254740992.0 && v == trunc(v)) {
        digits_of_whole((uint64_t)v, &d);
        return d;
    }
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

static void put_fixed(struct buf *out, const struct digits *d)
{
    if (d->point <= 0) {
        buf_puts(out, "0.");
        for (int i = d->point; i < 0; i++)
            buf_putc(out, '0');
        buf_put(out, d->digit, (size_t)d->n);
        return;
    }
    int whole = MIN_OF(d->point, d->n);
    buf_put(out, d->digit, (size_t)whole);
    for (int i = whole; i < d->point; i++)
        buf_putc(out, '0');
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
