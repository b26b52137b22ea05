// SPDX-License-Identifier: GPL-3.0-or-later
// Durations as Prometheus reads and writes them.
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/number.h"
#include "promql/promql.h"

static const struct {
    const char *name;
    int64_t ms;
    bool exact_only; /**< written only where nothing remains */
} units[] = {
    {"y", INT64_C(31536000000), true},
    {"w", 604800000, true},
    {"d", 86400000, false},
    {"h", 3600000, false},
    {"m", 60000, false},
    {"s", 1000, false},
    {"ms", 1, false},
};

// The largest duration of Go, in milliseconds.
#define DURATION_MAX_MS INT64_C(9223372036854)

static int parse_number(const char *text, size_t len, int64_t *ret_ms)
{
    char copy[64];
    double seconds;
    if (len == 0 || len >= sizeof(copy))
        return -EINVAL;
    memcpy(copy, text, len);
    copy[len] = '\0';
    int r = number_parse_f64(copy, &seconds);
    if (r < 0)
        return r;
    if (fabs(seconds) * 1000 > (double)DURATION_MAX_MS)
        return -ERANGE;
    *ret_ms = (int64_t)round(seconds * 1000);
    return 0;
}

// The unit at *p that follows those used so far; moves *p behind it. -1: none.
static int read_unit(const char **p, const char *end, size_t first)
{
    size_t len = 0;
    while (*p + len < end && isalpha((unsigned char)(*p)[len]))
        len++;
    for (size_t i = first; i < ARRAY_LEN(units); i++)
        if (strlen(units[i].name) == len && memcmp(units[i].name, *p, len) == 0) {
            *p += len;
            return (int)i;
        }
    return -1;
}

int promql_duration_parse(const char *text, size_t len, bool plain, int64_t *ret_ms)
{
    const char *p = text, *end = text + len;
    size_t next_unit = 0;
    bool is_too_large = false;
    int64_t sum = 0;
    if (len == 1 && text[0] == '0') {
        *ret_ms = 0;
        return 0;
    }
    while (p < end) {
        int64_t n = 0, part;
        const char *digits = p;
        for (; p < end && isdigit((unsigned char)*p); p++)
            is_too_large |=
                __builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, *p - '0', &n);
        int unit = p > digits ? read_unit(&p, end, next_unit) : -1;
        if (unit < 0)
            return plain ? parse_number(text, len, ret_ms) : -EINVAL;
        next_unit = (size_t)unit + 1;
        is_too_large |= __builtin_mul_overflow(n, units[unit].ms, &part) ||
                        __builtin_add_overflow(sum, part, &sum);
    }
    if (len == 0)
        return -EINVAL;
    if (is_too_large || sum > DURATION_MAX_MS)
        return -ERANGE;
    *ret_ms = sum;
    return 0;
}

void promql_duration_put(struct buf *out, int64_t ms)
{
    if (ms == 0) {
        buf_puts(out, "0s");
        return;
    }
    if (ms < 0)
        buf_putc(out, '-');
    uint64_t rest = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        uint64_t unit = (uint64_t)units[i].ms;
        if (rest < unit || (units[i].exact_only && rest % unit != 0))
            continue;
        buf_u64(out, rest / unit);
        buf_puts(out, units[i].name);
        rest %= unit;
    }
}
