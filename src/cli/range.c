// SPDX-License-Identifier: GPL-3.0-or-later
#include "range.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/number.h"

#define NUMBER_MAX 64

static double factor_of(char suffix)
{
    static const char suffixes[] = "KMGT";
    const char *at = suffix ? strchr(suffixes, suffix) : NULL;
    double factor = 1;
    for (ptrdiff_t i = 0; at && i <= at - suffixes; i++)
        factor *= 1024;
    return factor;
}

static int read_number(const char *text, size_t len, double *ret)
{
    if (len == 0 || len > NUMBER_MAX)
        return -EINVAL;
    CLEANUP(freep) char *copy = mem_strndup(text, len);
    double factor = factor_of(copy[len - 1]);
    if (factor > 1 || copy[len - 1] == '%')
        copy[len - 1] = '\0';
    int r = number_parse_f64(copy, ret);
    *ret *= r == 0 ? factor : 1;
    return r < 0 ? -EINVAL : 0;
}

int range_parse(const char *text, struct range *ret)
{
    struct range r = {0, INFINITY, false, true};
    if (*text == '@') {
        r.inside = true;
        text++;
    }
    const char *colon = strchr(text, ':');
    const char *to = colon ? colon + 1 : text;
    if (colon && colon - text == 1 && *text == '~')
        r.from = -INFINITY;
    else if (colon && colon > text && read_number(text, (size_t)(colon - text), &r.from) < 0)
        return -EINVAL;
    if (*to ? read_number(to, strlen(to), &r.to) < 0 : !colon)
        return -EINVAL;
    if (r.from > r.to)
        return -EINVAL;
    *ret = r;
    return 0;
}

bool range_alerts(const struct range *r, double value)
{
    bool within = value >= r->from && value <= r->to;
    return r->is_set && within == r->inside;
}

void range_format(const struct range *r, struct buf *out)
{
    if (!r->is_set)
        return;
    buf_puts(out, r->inside ? "@" : "");
    if (isinf(r->from))
        buf_puts(out, "~:");
    else if (r->from != 0 || isinf(r->to)) {
        buf_f64(out, r->from);
        buf_putc(out, ':');
    }
    if (!isinf(r->to))
        buf_f64(out, r->to);
}
