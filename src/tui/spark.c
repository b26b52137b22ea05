// SPDX-License-Identifier: GPL-3.0-or-later
#include "spark.h"

#include <math.h>

#include "base/mem.h"

#define LEVELS 8

static double number_at(const json_t *values, size_t i)
{
    const json_t *v = json_array_get(values, i);
    return json_is_number(v) ? json_number_value(v) : NAN;
}

static double mean(const json_t *values, size_t from, size_t to)
{
    double sum = 0;
    size_t n = 0;
    for (size_t i = from; i < to; i++) {
        double v = number_at(values, i);
        if (isfinite(v)) {
            sum += v;
            n++;
        }
    }
    return n ? sum / (double)n : NAN;
}

static double largest(const json_t *values)
{
    double top = 0;
    for (size_t i = 0; i < json_array_size(values); i++) {
        double v = number_at(values, i);
        if (isfinite(v) && v > top)
            top = v;
    }
    return top;
}

void spark_line(const json_t *values, size_t columns, double top, bool utf8, double *ret_top,
                struct buf *out)
{
    static const char *const blocks[LEVELS] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static const char ascii[LEVELS + 1] = "_.,-=+*#";
    size_t n = json_array_size(values);
    if (top <= 0)
        top = largest(values);
    if (ret_top)
        *ret_top = top;
    for (size_t c = 0; c < columns; c++) {
        // Fewer numbers than columns: they stand at the right, one each.
        size_t lead = n < columns ? columns - n : 0;
        size_t from = n < columns ? c - MIN_OF(c, lead) : c * n / columns;
        size_t to = n < columns ? from + (c >= lead) : (c + 1) * n / columns;
        double v = mean(values, from, to);
        double level = top > 0 ? v / top * (LEVELS - 1) : 0;
        size_t step = level >= LEVELS - 1 ? LEVELS - 1 : level > 0 ? (size_t)lround(level) : 0;
        if (!isfinite(v))
            buf_putc(out, ' ');
        else if (utf8)
            buf_puts(out, blocks[step]);
        else
            buf_putc(out, ascii[step]);
    }
}
