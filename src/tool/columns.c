// SPDX-License-Identifier: GPL-3.0-or-later
#include "columns.h"

#include <math.h>

#include "base/human.h"
#include "base/mem.h"

void column_age(double v, struct buf *out)
{
    human_age(v, out);
}

void column_fixed(double v, struct buf *out)
{
    buf_printf(out, "%.1f", v);
}

void column_ratio(double v, struct buf *out)
{
    human_percent(v, out);
}

void column_small_ratio(double v, struct buf *out)
{
    buf_printf(out, "%.5f%%", v * 100);
}

void column_count(double v, struct buf *out)
{
    buf_f64(out, v);
}

void column_latency(double v, struct buf *out)
{
    if (v > 0)
        human_latency(v, false, out);
    else
        buf_puts(out, "–");
}

void column_seconds(double v, struct buf *out)
{
    if (isinf(v))
        buf_puts(out, "∞");
    else if (v == 0)
        buf_puts(out, "0");
    else if (v < 60)
        human_latency(v, false, out);
    else
        human_age(v, out);
}

void column_gib(double v, struct buf *out)
{
    human_bytes(v * 1024 * 1024 * 1024, out);
}

static double value_of(const struct column *c, const void *of)
{
    const char *at = (const char *)of + c->offset;
    switch (c->width) {
    case COLUMN_U64:
        return (double)*(const uint64_t *)at;
    case COLUMN_U32:
        return *(const uint32_t *)at;
    default:
        return *(const double *)at;
    }
}

void column_cell(const struct column *c, const void *of, size_t columns, enum width_align align,
                 struct buf *out)
{
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 200);
    c->put(value_of(c, of), &text);
    width_put(out, text.data ? text.data : "", columns, align, "~");
}

void columns_json(const struct column *columns, size_t n, const void *of, struct json *j)
{
    for (size_t i = 0; i < n; i++) {
        json_key(j, columns[i].key);
        json_f64(j, value_of(&columns[i], of));
    }
}

void columns_csv(const struct column *columns, size_t n, const void *of, struct buf *out)
{
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            buf_putc(out, ',');
        if (of)
            buf_f64(out, value_of(&columns[i], of));
        else
            buf_puts(out, columns[i].key);
    }
    buf_putc(out, '\n');
}
