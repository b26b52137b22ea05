// SPDX-License-Identifier: GPL-3.0-or-later
// Numbers as Prometheus' templates humanize them: four significant digits and a prefix.
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "value.h"

static const char *const large[] = {"k", "M", "G", "T", "P", "E", "Z", "Y"};
static const char *const binary[] = {"ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"};
static const char *const little[] = {"m", "u", "n", "p", "f", "a", "z", "y"};

static const char *scale_down(double *v, const char *const *prefix, double by)
{
    const char *p = "";
    for (size_t i = 0; i < ARRAY_LEN(large) && fabs(*v) >= by; i++) {
        p = prefix[i];
        *v /= by;
    }
    return p;
}

static const char *scale_up(double *v)
{
    const char *p = "";
    for (size_t i = 0; i < ARRAY_LEN(little) && fabs(*v) < 1; i++) {
        p = little[i];
        *v *= 1000;
    }
    return p;
}

void human_si(struct buf *out, double v)
{
    const char *prefix = "";
    if (v != 0 && isfinite(v))
        prefix = fabs(v) >= 1 ? scale_down(&v, large, 1000) : scale_up(&v);
    go_float(out, v, 'g', 4);
    buf_puts(out, prefix);
}

void human_1024(struct buf *out, double v)
{
    const char *prefix = "";
    if (fabs(v) > 1 && isfinite(v))
        prefix = scale_down(&v, binary, 1024);
    go_float(out, v, 'g', 4);
    buf_puts(out, prefix);
}

static void whole_seconds(struct buf *out, double v)
{
    int64_t s = (int64_t)v, minutes = s / 60 % 60, hours = s / 3600 % 24, days = s / 86400;
    if (days)
        buf_printf(out, "%" PRId64 "d %" PRId64 "h ", days, hours);
    else if (hours)
        buf_printf(out, "%" PRId64 "h ", hours);
    buf_printf(out, "%" PRId64 "m %" PRId64 "s", minutes, s % 60);
}

void human_duration(struct buf *out, double v)
{
    const char *prefix = "";
    if (!isfinite(v)) {
        go_float(out, v, 'g', 4);
        return;
    }
    if (fabs(v) >= 1) {
        buf_puts(out, v < 0 ? "-" : "");
        v = fabs(v);
        if (v >= 60 && v < 9e18) {
            whole_seconds(out, v);
            return;
        }
    } else if (v != 0) {
        prefix = scale_up(&v);
    }
    go_float(out, v, 'g', 4);
    buf_printf(out, "%ss", prefix);
}

void human_percentage(struct buf *out, double ratio)
{
    go_float(out, isfinite(ratio) ? ratio * 100 : ratio, 'g', 4);
    buf_puts(out, isfinite(ratio) ? "%" : "");
}
