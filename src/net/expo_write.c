// SPDX-License-Identifier: GPL-3.0-or-later
#include "net/expo_write.h"

#include <stdlib.h>
#include <string.h>

#include "base/esc.h"
#include "base/mem.h"

void expo_put_name(const char *name, size_t len, bool is_plain, struct buf *out)
{
    if (is_plain) {
        buf_put(out, name, len);
        return;
    }
    CLEANUP(freep) char *text = mem_strndup(name, len);
    buf_putc(out, '"');
    esc_label(out, text);
    buf_putc(out, '"');
}

void expo_put_series(const struct labels *l, struct buf *out)
{
    const char *metric = labels_get(l, LABEL_METRIC_NAME);
    char before = '{';
    if (metric && labels_is_plain_metric(metric)) {
        buf_puts(out, metric);
    } else if (metric) {
        buf_putc(out, '{');
        expo_put_name(metric, strlen(metric), false, out);
        before = ',';
    }
    for (uint32_t i = 0; i < l->n; i++) {
        const char *name = l->label[i].name;
        if (strcmp(name, LABEL_METRIC_NAME) == 0)
            continue;
        buf_putc(out, before);
        before = ',';
        expo_put_name(name, strlen(name), labels_is_plain_name(name), out);
        buf_puts(out, "=\"");
        esc_label(out, l->label[i].value);
        buf_putc(out, '"');
    }
    buf_puts(out, before == ',' ? "} " : " ");
}

void expo_put_sample(double v, int64_t t_ms, struct buf *out)
{
    int part = abs((int)(t_ms % 1000));
    buf_f64(out, v);
    buf_puts(out, t_ms < 0 ? " -" : " ");
    buf_i64(out, llabs(t_ms / 1000));
    if (part)
        buf_printf(out, ".%03d", part);
    buf_putc(out, '\n');
}
