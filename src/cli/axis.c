// SPDX-License-Identifier: GPL-3.0-or-later
#include "axis.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define DIGITS_FEW 3
#define DIGITS_MOST 17
// What steps a double of the largest value still tells apart.
#define RELATIVE_LEAST 1e-14
#define STEP_LEAST 1e-300
#define TOLERANCE 1e-9

struct scale {
    double factor;
    const char *text, *ascii;
};

static const struct scale bytes[] = {{1, " B"},        {0x1p10, " KiB"}, {0x1p20, " MiB"},
                                     {0x1p30, " GiB"}, {0x1p40, " TiB"}, {0x1p50, " PiB"},
                                     {0x1p60, " EiB"}};
static const struct scale seconds[] = {{1e-9, " ns"}, {1e-6, " µs", " us"}, {1e-3, " ms"},
                                       {1, " s"},     {60, " min"},         {3600, " h"},
                                       {86400, " d"}};
static const struct scale counts[] = {{1, ""},     {1e3, "k"},  {1e6, "M"}, {1e9, "G"},
                                      {1e12, "T"}, {1e15, "P"}, {1e18, "E"}};
static const struct scale percents[] = {{0.01, "%"}};

static const struct {
    const struct scale *scale;
    size_t n;
    const char *after;
} scales[UNIT_MAX] = {
    [UNIT_NONE] = {counts, ARRAY_LEN(counts), ""},
    [UNIT_BYTES] = {bytes, ARRAY_LEN(bytes), ""},
    [UNIT_BYTES_PER_SECOND] = {bytes, ARRAY_LEN(bytes), "/s"},
    [UNIT_SECONDS] = {seconds, ARRAY_LEN(seconds), ""},
    [UNIT_RATIO] = {percents, ARRAY_LEN(percents), ""},
    [UNIT_PER_SECOND] = {counts, ARRAY_LEN(counts), "/s"},
};

// The next larger round step, of one that is round or, to begin with, a power of ten below all.
static double next_step(double step, double factor, bool binary)
{
    if (binary && step >= 1)
        return step * 2;
    double power = pow(10, floor(log10(step / factor) + TOLERANCE)), digit = step / factor / power;
    double next = digit < 1.5 ? 2 : digit < 2.25 ? 2.5 : digit < 3.5 ? 5 : 10;
    return next * power * factor;
}

static double steps_below(double v, double step)
{
    return floor(v / step + TOLERANCE);
}

static double steps_above(double v, double step)
{
    return ceil(v / step - TOLERANCE);
}

static void choose_step(struct axis *a, double low, double high, size_t most, bool binary)
{
    double largest = fmax(fabs(low), fabs(high)), apart = (double)most - 1;
    double rough = fmax(high / apart - low / apart, largest * RELATIVE_LEAST);
    rough = fmax(rough, STEP_LEAST);
    double step = binary && rough >= 2 ? exp2(floor(log2(rough)) - 1)
                                       : pow(10, floor(log10(rough / a->factor)) - 1) * a->factor;
    while (steps_above(high, step) - steps_below(low, step) > apart)
        step = next_step(step, a->factor, binary);
    double first = steps_below(low, step), last = steps_above(high, step);
    last = fmax(last, first + 1);
    if (!isfinite(first * step))
        first++;
    if (!isfinite(last * step))
        last--;
    a->step = step;
    a->first_steps = first;
    a->n = (size_t)fmax(last - first, 0) + 1;
    a->low = first * step;
    a->high = last * step;
}

// Digits behind the point that a step needs.
static int digits_of(double step)
{
    for (int digits = 0; digits < DIGITS_MOST; digits++) {
        double whole = step * pow(10, digits);
        if (whole > 0.5 && fabs(whole - rint(whole)) < 1e-6 * whole)
            return digits;
    }
    return DIGITS_MOST;
}

static void name_unit(struct axis *a, const struct scale *s, enum unit unit, bool utf8)
{
    const char *text = !utf8 && s->ascii ? s->ascii : s->text;
    a->factor = s->factor;
    snprintf(a->unit, sizeof(a->unit), "%s%s", text, scales[unit].after);
    const char *zero = scales[unit].scale == counts ? "" : text;
    snprintf(a->zero_unit, sizeof(a->zero_unit), "%s%s", zero, scales[unit].after);
}

// Numbers too small or large for any prefix have an exponent, the same for all.
static void name_exponent(struct axis *a, double largest, enum unit unit)
{
    int exponent = (int)floor(log10(fmax(largest, STEP_LEAST)) + TOLERANCE);
    a->factor = pow(10, exponent);
    snprintf(a->unit, sizeof(a->unit), "e%d%s", exponent, scales[unit].after);
    snprintf(a->zero_unit, sizeof(a->zero_unit), "%s", scales[unit].after);
}

void axis_init(struct axis *a, double low, double high, size_t most, enum unit unit, bool utf8)
{
    const struct scale *s = scales[unit].scale;
    double largest = fmax(fabs(low), fabs(high));
    size_t at = scales[unit].n - 1;
    bool plain = unit == UNIT_NONE || unit == UNIT_PER_SECOND;
    most = MIN_OF(MAX_OF(most, (size_t)2), (size_t)AXIS_TICKS_MAX);
    while (at > 0 && s[at].factor > largest)
        at--;
    *a = (struct axis){0};
    if (plain && largest > 0 && (largest < 1e-3 || largest >= 1e21)) {
        name_exponent(a, largest, unit);
        choose_step(a, low, high, most, false);
        a->digits = digits_of(a->step / a->factor);
        return;
    }
    // A finer unit where ticks are close together and far from zero.
    for (;; at--) {
        name_unit(a, &s[at], unit, utf8);
        choose_step(a, low, high, most, unit_is_binary(unit));
        a->digits = digits_of(a->step / a->factor);
        if (at == 0 || a->digits <= DIGITS_FEW)
            return;
    }
}

double axis_tick(const struct axis *a, size_t i)
{
    return (a->first_steps + (double)i) * a->step;
}

void axis_label(const struct axis *a, size_t i, struct buf *out)
{
    double steps = a->first_steps + (double)i;
    if (steps == 0) // not -0
        buf_printf(out, "0%s", a->zero_unit);
    else
        buf_printf(out, "%.*f%s", a->digits, steps * (a->step / a->factor), a->unit);
}

double axis_place(const struct axis *a, double v)
{
    double span = a->high - a->low;
    return isfinite(span) ? (v - a->low) / span : (v / 2 - a->low / 2) / (a->high / 2 - a->low / 2);
}
