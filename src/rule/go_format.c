// SPDX-License-Identifier: GPL-3.0-or-later
// Go's fmt as far as templates meet it.
#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/esc.h"
#include "base/mem.h"
#include "base/number.h"
#include "value.h"

// C writes an exponent as Go does; what differs is "shortest" and the names of the infinite.
static void put_finite(struct buf *out, double v, char verb, int precision)
{
    char text[720];
    double again;
    if (precision < 0 && (verb == 'v' || verb == 'g' || verb == 'G')) {
        for (precision = 1; precision < 17; precision++) {
            (void)snprintf(text, sizeof(text), "%.*e", precision - 1, v);
            if (number_parse_f64(text, &again) == 0 && again == v)
                break;
        }
        int exponent = v == 0 ? 0 : (int)floor(log10(fabs(v)));
        (void)snprintf(text, sizeof(text), "%.*e", precision - 1, v);
        const char *e = strchr(text, 'e');
        if (e)
            exponent = (int)strtol(e + 1, NULL, 10);
        if (exponent < -4 || exponent >= 6) {
            buf_puts(out, text);
            return;
        }
        int decimals = MAX_OF(precision - 1 - exponent, 0);
        (void)snprintf(text, sizeof(text), "%.*f", decimals, v);
        buf_puts(out, text);
        return;
    }
    if (precision < 0 && (verb == 'e' || verb == 'E' || verb == 'f' || verb == 'F'))
        precision = 6;
    static const struct {
        char verb;
        const char *format;
    } formats[] = {{'g', "%.*g"}, {'G', "%.*G"}, {'e', "%.*e"}, {'E', "%.*E"}, {'f', "%.*f"}};
    size_t i = 0;
    char as = verb == 'v' ? 'g' : verb == 'F' ? 'f' : verb;
    while (formats[i].verb != as)
        i++;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    (void)snprintf(text, sizeof(text), formats[i].format, precision, v);
#pragma GCC diagnostic pop
    buf_puts(out, text);
}

void go_float(struct buf *out, double v, char verb, int precision)
{
    if (isnan(v))
        buf_puts(out, "NaN");
    else if (isinf(v))
        buf_puts(out, v < 0 ? "-Inf" : "+Inf");
    else
        put_finite(out, v, verb, precision);
}

void go_quote(struct buf *out, const char *s, size_t len)
{
    static const char plain[] = "\a\b\f\n\r\t\v\\\"", means[] = "abfnrtv\\\"";
    buf_putc(out, '"');
    for (size_t i = 0; i < len;) {
        size_t n = esc_utf8_next(s + i, len - i, NULL);
        const char *hit = s[i] ? strchr(plain, s[i]) : NULL;
        if (hit)
            buf_printf(out, "\\%c", means[hit - plain]);
        else if (n == 0 || (n == 1 && iscntrl((unsigned char)s[i])))
            buf_printf(out, "\\x%02x", (unsigned char)s[i]);
        else
            buf_put(out, s + i, n);
        i += MAX_OF(n, (size_t)1);
    }
    buf_putc(out, '"');
}

void go_time(struct buf *out, int64_t ms)
{
    int64_t rest = ms % 1000;
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;
    if (rest < 0) {
        rest += 1000;
        seconds--;
    }
    if (!gmtime_r(&seconds, &tm)) {
        buf_puts(out, "-");
        return;
    }
    buf_printf(out, "%04d-%02d-%02d %02d:%02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
               tm.tm_hour, tm.tm_min, tm.tm_sec);
    if (rest) {
        int digits = rest % 100 == 0 ? 1 : rest % 10 == 0 ? 2 : 3;
        int64_t cut = digits == 1 ? rest / 100 : digits == 2 ? rest / 10 : rest;
        buf_printf(out, ".%0*" PRId64, digits, cut);
    }
    buf_puts(out, " +0000 UTC");
}

static void fraction(struct buf *out, uint64_t ns, uint64_t unit)
{
    char text[24];
    int digits = 0;
    for (uint64_t u = unit; u > 1; u /= 10)
        digits++;
    (void)snprintf(text, sizeof(text), "%0*" PRIu64, digits, ns % unit);
    for (; digits > 0 && text[digits - 1] == '0'; digits--)
        text[digits - 1] = '\0';
    buf_u64(out, ns / unit);
    if (digits > 0)
        buf_printf(out, ".%s", text);
}

void go_duration(struct buf *out, int64_t ns)
{
    uint64_t u = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;
    if (u == 0) {
        buf_puts(out, "0s");
        return;
    }
    buf_puts(out, ns < 0 ? "-" : "");
    if (u < 1000000000) {
        uint64_t unit = u < 1000 ? 1 : u < 1000000 ? 1000 : 1000000;
        fraction(out, u, unit);
        buf_puts(out, unit == 1 ? "ns" : unit == 1000 ? "µs" : "ms");
        return;
    }
    uint64_t minutes = u / 60000000000u, hours = minutes / 60;
    if (hours)
        buf_printf(out, "%" PRIu64 "h", hours);
    if (minutes)
        buf_printf(out, "%" PRIu64 "m", minutes % 60);
    fraction(out, u % 60000000000u, 1000000000);
    buf_putc(out, 's');
}

// One directive: %[flags][width][.precision]verb
struct directive {
    bool minus, plus, sharp, space, zero;
    int width, precision; // -1: none
    char verb;
};

static const char *scan(const char *p, struct directive *d)
{
    *d = (struct directive){.width = -1, .precision = -1};
    for (; *p && strchr("-+# 0", *p); p++) {
        d->minus |= *p == '-';
        d->plus |= *p == '+';
        d->sharp |= *p == '#';
        d->space |= *p == ' ';
        d->zero |= *p == '0';
    }
    for (; isdigit((unsigned char)*p); p++)
        d->width = MIN_OF(MAX_OF(d->width, 0) * 10 + (*p - '0'), 1000);
    if (*p == '.') {
        d->precision = 0;
        for (p++; isdigit((unsigned char)*p); p++)
            d->precision = MIN_OF(d->precision * 10 + (*p - '0'), 300);
    }
    d->verb = *p;
    return *p ? p + 1 : p;
}

static void pad(struct buf *out, const char *text, size_t len, const struct directive *d,
                bool zeros)
{
    size_t columns = 0;
    for (size_t i = 0; i < len; i++)
        columns += ((unsigned char)text[i] & 0xc0) != 0x80;
    size_t fill = d->width > 0 && (size_t)d->width > columns ? (size_t)d->width - columns : 0;
    bool sign = len > 0 && (text[0] == '-' || text[0] == '+');
    if (d->minus) {
        buf_put(out, text, len);
        for (; fill > 0; fill--)
            buf_putc(out, ' ');
        return;
    }
    if (zeros && sign)
        buf_putc(out, text[0]);
    for (; fill > 0; fill--)
        buf_putc(out, zeros ? '0' : ' ');
    buf_put(out, text + (zeros && sign), len - (zeros && sign));
}

static void binary(struct buf *b, uint64_t v)
{
    char text[65];
    size_t n = sizeof(text);
    do
        text[--n] = (char)('0' + (v & 1));
    while ((v >>= 1));
    buf_put(b, text + n, sizeof(text) - n);
}

static bool format_integer(struct buf *b, int64_t v, const struct directive *d)
{
    uint64_t u = v < 0 ? -(uint64_t)v : (uint64_t)v;
    if (!strchr("dvbxXoc", d->verb))
        return false;
    buf_puts(b, v < 0 ? "-" : d->plus ? "+" : d->space ? " " : "");
    if (d->verb == 'x')
        buf_printf(b, "%s%" PRIx64, d->sharp ? "0x" : "", u);
    else if (d->verb == 'X')
        buf_printf(b, "%s%" PRIX64, d->sharp ? "0X" : "", u);
    else if (d->verb == 'o')
        buf_printf(b, "%" PRIo64, u);
    else if (d->verb == 'b')
        binary(b, u);
    else if (d->verb == 'c')
        buf_putc(b, u < 128 ? (char)u : '?');
    else
        buf_u64(b, u);
    return true;
}

static bool format_float(struct buf *b, double v, const struct directive *d)
{
    if (!strchr("vgGeEfF", d->verb))
        return false;
    if (d->plus && !signbit(v) && !isnan(v) && !isinf(v))
        buf_putc(b, '+');
    else if (d->space && !signbit(v))
        buf_putc(b, ' ');
    go_float(b, v, d->verb, d->precision);
    return true;
}

static bool format_text(struct buf *b, const char *s, size_t len, const struct directive *d)
{
    if (d->precision >= 0) {
        size_t at = 0;
        for (int i = 0; i < d->precision && at < len; i++)
            at += MAX_OF(esc_utf8_next(s + at, len - at, NULL), (size_t)1);
        len = at;
    }
    if (d->verb == 's' || d->verb == 'v')
        buf_put(b, s, len);
    else if (d->verb == 'q')
        go_quote(b, s, len);
    else if (d->verb == 'x' || d->verb == 'X')
        for (size_t i = 0; i < len; i++)
            buf_printf(b, d->verb == 'x' ? "%02x" : "%02X", (unsigned char)s[i]);
    else
        return false;
    return true;
}

static bool format_value(struct buf *b, const struct value *v, const struct directive *d)
{
    if (d->verb == 'T') {
        buf_puts(b, value_type(v));
        return true;
    }
    switch (v->kind) {
    case VALUE_INTEGER:
        return format_integer(b, v->integer, d);
    case VALUE_FLOAT:
        return format_float(b, v->number, d);
    case VALUE_TEXT:
        return format_text(b, v->text, v->len, d);
    case VALUE_BOOL:
        if (d->verb != 't' && d->verb != 'v')
            return false;
        value_print(b, v);
        return true;
    case VALUE_NIL:
        buf_puts(b, d->verb == 'v' ? "<nil>" : "");
        return d->verb == 'v';
    default:
        value_print(b, v);
        return true;
    }
}

// "%!d(float64=1.5)", as Go tells of a verb that does not fit.
static void bad_verb(struct buf *b, const struct value *v, char verb)
{
    buf_printf(b, "%%!%c(%s", verb, value_type(v));
    if (v->kind != VALUE_NIL) {
        buf_putc(b, '=');
        value_print(b, v);
    }
    buf_putc(b, ')');
}

void go_printf(struct run *r, struct buf *out, const char *format, const struct value *arg,
               size_t n)
{
    size_t at = 0;
    for (const char *p = format; *p;) {
        const char *percent = strchr(p, '%');
        buf_put(out, p, percent ? (size_t)(percent - p) : strlen(p));
        if (!percent)
            break;
        struct directive d;
        p = scan(percent + 1, &d);
        if (d.verb == '%') {
            buf_putc(out, '%');
        } else if (d.verb == '\0') {
            buf_puts(out, "%!(NOVERB)");
        } else if (at == n) {
            buf_printf(out, "%%!%c(MISSING)", d.verb);
        } else {
            struct buf one;
            const struct value *v = &arg[at++];
            buf_init(&one, RULE_EXPANDED_MAX);
            bool is_number = v->kind == VALUE_INTEGER || v->kind == VALUE_FLOAT;
            if (!format_value(&one, v, &d)) {
                buf_reset(&one);
                bad_verb(&one, v, d.verb);
            }
            pad(out, one.data ? one.data : "", one.len, &d, d.zero && is_number);
            buf_done(&one);
        }
    }
    if (at < n) {
        buf_puts(out, "%!(EXTRA ");
        for (size_t i = at; i < n; i++) {
            buf_printf(out, "%s%s=", i > at ? ", " : "", value_type(&arg[i]));
            value_print(out, &arg[i]);
        }
        buf_putc(out, ')');
    }
}
