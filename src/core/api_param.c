// SPDX-License-Identifier: GPL-3.0-or-later
#include "api_param.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/number.h"
#include "promql/promql.h"

// Beyond these a double's milliseconds do not fit.
#define SECONDS_MAX 9.2e15

static bool take_digits(const char **p, int n, int *ret)
{
    int v = 0;
    for (int i = 0; i < n; i++) {
        if (!isdigit((unsigned char)(*p)[i]))
            return false;
        v = v * 10 + ((*p)[i] - '0');
    }
    *p += n;
    *ret = v;
    return true;
}

static bool take_char(const char **p, const char *allowed)
{
    if (!**p || !strchr(allowed, **p))
        return false;
    ++*p;
    return true;
}

static bool take_date(const char **p, struct tm *tm)
{
    bool ok = take_digits(p, 4, &tm->tm_year) && take_char(p, "-") &&
              take_digits(p, 2, &tm->tm_mon) && take_char(p, "-") &&
              take_digits(p, 2, &tm->tm_mday) && take_char(p, "Tt") &&
              take_digits(p, 2, &tm->tm_hour) && take_char(p, ":") &&
              take_digits(p, 2, &tm->tm_min) && take_char(p, ":") && take_digits(p, 2, &tm->tm_sec);
    tm->tm_year -= 1900;
    tm->tm_mon -= 1;
    return ok;
}

// Up to nanoseconds, of which milliseconds are kept.
static bool take_fraction(const char **p, int *ret_ms)
{
    *ret_ms = 0;
    if (!take_char(p, "."))
        return true;
    int scale = 100;
    const char *first = *p;
    for (; isdigit((unsigned char)**p); ++*p, scale /= 10)
        *ret_ms += (**p - '0') * scale;
    return *p > first;
}

static bool take_zone(const char **p, int *ret_minutes)
{
    int hours = 0, minutes = 0;
    *ret_minutes = 0;
    if (take_char(p, "Zz"))
        return true;
    int sign = **p == '-' ? -1 : 1;
    if (!take_char(p, "+-") || !take_digits(p, 2, &hours) || !take_char(p, ":") ||
        !take_digits(p, 2, &minutes) || hours > 24 || minutes > 59)
        return false;
    *ret_minutes = sign * (hours * 60 + minutes);
    return true;
}

static int rfc3339_parse(const char *text, int64_t *ret_ms)
{
    struct tm tm = {0};
    int ms = 0, zone = 0;
    const char *p = text;
    if (!take_date(&p, &tm) || !take_fraction(&p, &ms) || !take_zone(&p, &zone) || *p)
        return -EINVAL;
    struct tm normal = tm;
    int64_t seconds = timegm(&normal);
    // timegm() moves 31 June to July.
    if (normal.tm_mday != tm.tm_mday || normal.tm_mon != tm.tm_mon || tm.tm_hour > 23 ||
        tm.tm_min > 59 || tm.tm_sec > 59)
        return -EINVAL;
    *ret_ms = (seconds - (int64_t)zone * 60) * 1000 + ms;
    return 0;
}

int api_time_parse(const char *text, int64_t *ret_ms)
{
    double seconds;
    static const struct {
        const char *text;
        int64_t ms;
    } named[] = {{"-292273086-05-16T16:47:06Z", API_TIME_MIN},
                 {"292277025-08-18T07:12:54.999999999Z", API_TIME_MAX},
                 {"+292277025-08-18T07:12:54.999999999Z", API_TIME_MAX}};
    if (number_parse_f64(text, &seconds) == 0) {
        if (fabs(seconds) > SECONDS_MAX / 4)
            return -EINVAL;
        double whole = floor(seconds);
        *ret_ms = (int64_t)whole * 1000 + (int64_t)round((seconds - whole) * 1000);
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(named); i++) {
        if (strcmp(named[i].text, text) == 0) {
            *ret_ms = named[i].ms;
            return 0;
        }
    }
    return rfc3339_parse(text, ret_ms);
}

int api_duration_parse(const char *text, int64_t *ret_ms)
{
    double seconds;
    if (number_parse_f64(text, &seconds) == 0) {
        if (fabs(seconds) > 9.2e9)
            return -EINVAL;
        *ret_ms = (int64_t)round(seconds * 1000);
        return 0;
    }
    return promql_duration_parse(text, strlen(text), false, ret_ms) < 0 ? -EINVAL : 0;
}

void api_time_put(struct buf *out, int64_t ms)
{
    int64_t part = ((ms % 1000) + 1000) % 1000;
    time_t seconds = (time_t)((ms - part) / 1000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    buf_printf(out, "%04d-%02d-%02dT%02d:%02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
               tm.tm_hour, tm.tm_min, tm.tm_sec);
    if (part != 0)
        buf_printf(out, ".%03" PRId64, part);
    buf_putc(out, 'Z');
}

static bool put_code_point(struct buf *out, unsigned cp)
{
    if (cp == 0 || cp > 0x10FFFF || (cp >= 0xD800 && cp <= 0xDFFF))
        return false;
    if (cp < 0x80) {
        buf_putc(out, (char)cp);
    } else if (cp < 0x800) {
        buf_putc(out, (char)(0xC0 | cp >> 6));
        buf_putc(out, (char)(0x80 | (cp & 0x3F)));
    } else if (cp < 0x10000) {
        buf_putc(out, (char)(0xE0 | cp >> 12));
        buf_putc(out, (char)(0x80 | (cp >> 6 & 0x3F)));
        buf_putc(out, (char)(0x80 | (cp & 0x3F)));
    } else {
        buf_putc(out, (char)(0xF0 | cp >> 18));
        buf_putc(out, (char)(0x80 | (cp >> 12 & 0x3F)));
        buf_putc(out, (char)(0x80 | (cp >> 6 & 0x3F)));
        buf_putc(out, (char)(0x80 | (cp & 0x3F)));
    }
    return true;
}

// One "_…_" at *p: "__" is '_', "_2e_" is the code point 0x2e.
static bool take_escape(const char **p, struct buf *out)
{
    unsigned cp = 0;
    int n = 0;
    const char *at = *p + 1;
    for (int digit; (digit = number_hex_digit(*at)) >= 0 && n < 6; at++, n++)
        cp = cp << 4 | (unsigned)digit;
    if (*at != '_' || (n > 0 && !put_code_point(out, cp)))
        return false;
    if (n == 0)
        buf_putc(out, '_');
    *p = at + 1;
    return true;
}

char *api_name_unescape(const char *name)
{
    if (strncmp(name, "U__", 3) != 0)
        return mem_strdup(name);
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, strlen(name) + 1);
    const char *p = name + 3;
    while (*p) {
        if (*p != '_')
            buf_putc(&out, *p++);
        else if (!take_escape(&p, &out))
            return NULL;
    }
    return out.len > 0 ? buf_take(&out, NULL) : NULL;
}

int api_param_time(const struct ipc_request *r, const char *name, int64_t *ret_ms, struct err *err)
{
    CLEANUP(freep) char *text = ipc_request_param(r, name);
    if (!text || !*text || api_time_parse(text, ret_ms) == 0)
        return 0;
    return err_set(err, EINVAL,
                   "invalid parameter \"%s\": cannot parse \"%s\" to a valid timestamp", name,
                   text);
}

int api_param_duration(const struct ipc_request *r, const char *name, int64_t *ret_ms,
                       struct err *err)
{
    CLEANUP(freep) char *text = ipc_request_param(r, name);
    if (!text || !*text || api_duration_parse(text, ret_ms) == 0)
        return 0;
    return err_set(err, EINVAL, "invalid parameter \"%s\": cannot parse \"%s\" to a valid duration",
                   name, text);
}

int api_param_limit(const struct ipc_request *r, const char *name, size_t *ret, struct err *err)
{
    CLEANUP(freep) char *text = ipc_request_param(r, name);
    int64_t n = 0;
    if (!text || !*text)
        return 0;
    if (number_parse_i64(text, &n) < 0)
        return err_set(err, EINVAL, "invalid parameter \"%s\": cannot parse \"%s\" to a number",
                       name, text);
    if (n < 0)
        return err_set(err, EINVAL, "invalid parameter \"%s\": limit must be non-negative", name);
    *ret = (size_t)n;
    return 0;
}

char *api_param_each(const struct ipc_request *r, const char *name, size_t *at)
{
    size_t form = strlen(r->form);
    const char *rest = *at <= form ? r->form + *at : NULL;
    char *value = rest ? ipc_query_param_next(&rest, name) : NULL;
    if (value) {
        *at = (size_t)(rest - r->form);
        return value;
    }
    // Positions behind the form stand for places in the query.
    rest = r->query + (*at > form ? *at - form - 1 : 0);
    value = ipc_query_param_next(&rest, name);
    *at = form + 1 + (size_t)(rest - r->query);
    return value;
}

static int need(const struct ipc_request *r, const char *name, const char *kind, struct err *err)
{
    CLEANUP(freep) char *text = ipc_request_param(r, name);
    if (text && *text)
        return 0;
    return err_set(err, EINVAL, "invalid parameter \"%s\": cannot parse \"\" to a valid %s", name,
                   kind);
}

int api_param_range(const struct ipc_request *r, struct api_range *ret, struct err *err)
{
    struct api_range range = {0};
    int e = need(r, "start", "timestamp", err);
    if (e == 0)
        e = api_param_time(r, "start", &range.start_ms, err);
    if (e == 0)
        e = need(r, "end", "timestamp", err);
    if (e == 0)
        e = api_param_time(r, "end", &range.end_ms, err);
    if (e == 0 && range.end_ms < range.start_ms)
        e = err_set(err, EINVAL,
                    "invalid parameter \"end\": end timestamp must not be before start time");
    if (e == 0)
        e = need(r, "step", "duration", err);
    if (e == 0)
        e = api_param_duration(r, "step", &range.step_ms, err);
    if (e < 0)
        return e;
    if (range.step_ms <= 0)
        return err_set(err, EINVAL,
                       "invalid parameter \"step\": zero or negative query resolution step widths "
                       "are not accepted. Try a positive integer");
    if ((range.end_ms - range.start_ms) / range.step_ms > PROMQL_POINTS_MAX)
        return err_set(err, EINVAL,
                       "exceeded maximum resolution of 11,000 points per timeseries. Try "
                       "decreasing the query resolution (?step=XX)");
    *ret = range;
    return 0;
}
