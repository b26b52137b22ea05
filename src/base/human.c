// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/human.h"

#include <math.h>

#include "base/mem.h"

// Three significant digits, never an exponent; whole numbers below 1000 that are exact stay bare.
static void put_three(double v, struct buf *out)
{
    double a = fabs(v);
    buf_printf(out, "%.*f", a < 9.995 ? 2 : a < 99.95 ? 1 : 0, v);
}

static size_t scale(double *v, double base, size_t steps)
{
    size_t step = 0;
    while (fabs(*v) >= 999.5 && step < steps) {
        *v /= base;
        step++;
    }
    return step;
}

void human_bytes(double bytes, struct buf *out)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    if (!isfinite(bytes))
        return;
    size_t step = scale(&bytes, 1024, ARRAY_LEN(units) - 1);
    if (step == 0)
        buf_printf(out, "%.0f", bytes);
    else
        put_three(bytes, out);
    buf_printf(out, " %s", units[step]);
}

void human_bytes_short(double bytes, struct buf *out)
{
    static const char units[] = "BKMGTPE";
    if (!isfinite(bytes))
        return;
    size_t step = scale(&bytes, 1024, sizeof(units) - 2);
    if (step == 0)
        buf_printf(out, "%.0f", bytes);
    else
        buf_printf(out, "%.*f%c", fabs(bytes) < 99.95 ? 1 : 0, bytes, units[step]);
}

void human_percent(double ratio, struct buf *out)
{
    if (!isfinite(ratio))
        return;
    double percent = ratio * 100;
    buf_printf(out, "%.*f%%", fabs(percent) < 99.95 ? 1 : 0, percent);
}

void human_count(double n, struct buf *out)
{
    static const char *const units[] = {"", "k", "M", "G", "T", "P", "E"};
    if (!isfinite(n))
        return;
    bool whole = n == trunc(n) && fabs(n) < 999.5;
    size_t step = scale(&n, 1000, ARRAY_LEN(units) - 1);
    if (whole)
        buf_printf(out, "%.0f", n);
    else
        put_three(n, out);
    buf_puts(out, units[step]);
}

void human_latency(double seconds, bool utf8, struct buf *out)
{
    static const struct {
        double below;
        double factor;
        const char *unit, *ascii;
    } rows[] = {
        {999.5e-9, 1e9, "ns", "ns"},
        {999.5e-6, 1e6, "µs", "us"},
        {999.5e-3, 1e3, "ms", "ms"},
        {INFINITY, 1, "s", "s"},
    };
    if (!isfinite(seconds))
        return;
    size_t i = 0;
    while (fabs(seconds) >= rows[i].below && i + 1 < ARRAY_LEN(rows))
        i++;
    if (seconds == 0)
        i = 2;
    if (i == 0 || seconds == 0)
        buf_printf(out, "%.0f", seconds * rows[i].factor);
    else
        put_three(seconds * rows[i].factor, out);
    buf_printf(out, " %s", utf8 ? rows[i].unit : rows[i].ascii);
}

void human_age(double seconds, struct buf *out)
{
    static const struct {
        unsigned long long seconds;
        char unit;
    } units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
    if (!isfinite(seconds))
        return;
    unsigned long long left = seconds < 0 ? 0 : (unsigned long long)fmin(seconds, 1e15);
    size_t i = 0;
    while (i + 1 < ARRAY_LEN(units) && left < units[i].seconds)
        i++;
    buf_printf(out, "%llu%c", left / units[i].seconds, units[i].unit);
    left %= units[i].seconds;
    if (i + 1 < ARRAY_LEN(units) && left / units[i + 1].seconds > 0)
        buf_printf(out, " %llu%c", left / units[i + 1].seconds, units[i + 1].unit);
}
