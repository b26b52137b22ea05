// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/number.h"

#include <errno.h>
#include <locale.h>
#include <pthread.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

static const char *skip_blanks(const char *p)
{
    while (*p == ' ' || *p == '\t')
        p++;
    return p;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

int number_hex_digit(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool number_scan_u64(const char **p, uint64_t *ret)
{
    const char *s = skip_blanks(*p);
    if (!is_digit(*s))
        return false;
    uint64_t v = 0;
    for (; is_digit(*s); s++)
        if (__builtin_mul_overflow(v, 10u, &v) ||
            __builtin_add_overflow(v, (uint64_t)(*s - '0'), &v))
            return false;
    *p = s;
    *ret = v;
    return true;
}

bool number_scan_i64(const char **p, int64_t *ret)
{
    const char *s = skip_blanks(*p);
    bool negative = *s == '-';
    uint64_t v = 0;
    s += negative;
    if (!is_digit(*s) || !number_scan_u64(&s, &v) || v > (uint64_t)INT64_MAX + negative)
        return false;
    *p = s;
    *ret = negative ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

bool number_skip_words(const char **p, int n)
{
    const char *s = *p;
    while (n-- > 0) {
        s = skip_blanks(s);
        if (*s == '\0' || *s == '\n')
            return false;
        while (*s && *s != ' ' && *s != '\t' && *s != '\n')
            s++;
    }
    *p = s;
    return true;
}

int number_parse_u64(const char *s, uint64_t *ret)
{
    const char *p = s;
    uint64_t v = 0;
    if (!is_digit(*s))
        return -EINVAL;
    if (!number_scan_u64(&p, &v))
        return -ERANGE;
    if (*p)
        return -EINVAL;
    *ret = v;
    return 0;
}

int number_parse_i64(const char *s, int64_t *ret)
{
    const char *p = s;
    int64_t v = 0;
    if (!is_digit(*s) && !(*s == '-' && is_digit(s[1])))
        return -EINVAL;
    if (!number_scan_i64(&p, &v))
        return -ERANGE;
    if (*p)
        return -EINVAL;
    *ret = v;
    return 0;
}

static locale_t c_locale; // one per process, never freed

static void make_c_locale(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", NULL);
}

int number_parse_f64(const char *s, double *ret)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_c_locale);
    // strtod() knows more spellings than we do: blanks, "+1", "inf", "nan", "0x1p3".
    const char *digits = s + (*s == '-');
    if ((!is_digit(*digits) && *digits != '.') || (digits[0] == '0' && (digits[1] | 32) == 'x'))
        return -EINVAL;
    char *end = NULL;
    double v = strtod_l(s, &end, c_locale);
    if (end == s || *end)
        return -EINVAL;
    if (!isfinite(v))
        return -ERANGE;
    *ret = v;
    return 0;
}

struct suffix {
    const char *name;
    uint64_t factor;
};

static int parse_with_suffix(const char *s, const struct suffix *table, size_t n, uint64_t *ret)
{
    const char *p = s;
    uint64_t v = 0;
    if (!is_digit(*s))
        return -EINVAL;
    if (!number_scan_u64(&p, &v))
        return -ERANGE;
    for (size_t i = 0; i < n; i++)
        if (strcmp(p, table[i].name) == 0)
            return __builtin_mul_overflow(v, table[i].factor, ret) ? -ERANGE : 0;
    return -EINVAL;
}

int number_parse_duration(const char *s, int64_t *ret_ns)
{
    static const struct suffix units[] = {
        {"ms", 1000000},      {"s", 1000000000},     {"m", 60000000000},
        {"h", 3600000000000}, {"d", 86400000000000}, {"us", 1000},
    };
    uint64_t v = 0;
    int r = parse_with_suffix(s, units, ARRAY_LEN(units), &v);
    if (r < 0)
        return r;
    if (v > INT64_MAX)
        return -ERANGE;
    *ret_ns = (int64_t)v;
    return 0;
}

int number_parse_size(const char *s, uint64_t *ret_bytes)
{
    static const struct suffix units[] = {
        {"", 1}, {"K", 1024}, {"M", 1048576}, {"G", 1073741824}, {"T", 1099511627776},
    };
    uint64_t v = 0;
    int r = parse_with_suffix(s, units, ARRAY_LEN(units), &v);
    if (r == 0)
        *ret_bytes = v;
    return r;
}
