// SPDX-License-Identifier: GPL-3.0-or-later
#include "unit.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

#include "base/human.h"
#include "base/mem.h"

static const struct {
    const char *suffix;
    enum unit plain, rate;
} suffixes[] = {
    {"_bytes_total", UNIT_BYTES, UNIT_BYTES_PER_SECOND},
    {"_bytes", UNIT_BYTES, UNIT_BYTES_PER_SECOND},
    {"_seconds_total", UNIT_SECONDS, UNIT_RATIO},
    {"_seconds", UNIT_SECONDS, UNIT_RATIO},
    {"_ratio", UNIT_RATIO, UNIT_PER_SECOND},
    {"_total", UNIT_NONE, UNIT_PER_SECOND},
};

// Calls that give a rate, and words that leave no unit.
static const char *const rates[] = {"rate", "irate", "deriv"};
static const char *const unitless[] = {"count",  "count_values", "count_over_time", "bool",
                                       "absent", "changes",      "resets",          "group"};

static bool is_one_of(const char *word, size_t len, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strlen(words[i]) == len && strncmp(words[i], word, len) == 0)
            return true;
    return false;
}

static bool is_word_char(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == ':';
}

// -1 where the word has none of the suffixes.
static int suffix_of(const char *word, size_t len)
{
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        size_t n = strlen(suffixes[i].suffix);
        if (len > n && strncmp(word + len - n, suffixes[i].suffix, n) == 0)
            return (int)i;
    }
    return -1;
}

// Behind what stands in quotes or braces.
static const char *skip_quoted(const char *p)
{
    char end = *p == '{' ? '}' : *p;
    for (p++; *p && *p != end; p++) {
        if (*p == '\\' && end != '`' && p[1])
            p++;
        else if (end == '}' && strchr("\"'`", *p))
            p = skip_quoted(p) - 1;
    }
    return *p ? p + 1 : p;
}

enum unit unit_of_expression(const char *expression)
{
    bool is_rate = false;
    enum unit unit = UNIT_NONE;
    int found = -1;
    for (const char *p = expression; *p;) {
        if (strchr("\"'`{", *p)) {
            p = skip_quoted(p);
            continue;
        }
        if (*p == '/')
            return UNIT_NONE;
        if (!is_word_char(*p)) {
            p++;
            continue;
        }
        const char *word = p;
        while (is_word_char(*p))
            p++;
        size_t len = (size_t)(p - word);
        if (is_one_of(word, len, unitless, ARRAY_LEN(unitless)))
            return UNIT_NONE;
        is_rate = is_rate || is_one_of(word, len, rates, ARRAY_LEN(rates));
        int s = *p == '(' ? -1 : suffix_of(word, len);
        if (s < 0)
            continue;
        if (found >= 0 && suffixes[found].plain != suffixes[s].plain)
            return UNIT_NONE;
        found = s;
    }
    if (found >= 0)
        unit = is_rate ? suffixes[found].rate : suffixes[found].plain;
    return unit;
}

static void put_per_second(double v, struct buf *out)
{
    human_count(v, out);
    buf_puts(out, "/s");
}

void unit_put(enum unit unit, double v, bool utf8, struct buf *out)
{
    if (!isfinite(v)) {
        buf_f64(out, v);
        return;
    }
    if (v < 0) {
        buf_putc(out, '-');
        v = -v;
    }
    switch (unit) {
    case UNIT_BYTES:
    case UNIT_BYTES_PER_SECOND:
        human_bytes(v, out);
        buf_puts(out, unit == UNIT_BYTES ? "" : "/s");
        break;
    case UNIT_SECONDS:
        if (v >= 60)
            human_age(v, out);
        else
            human_latency(v, utf8, out);
        break;
    case UNIT_RATIO:
        human_percent(v, out);
        break;
    case UNIT_PER_SECOND:
        put_per_second(v, out);
        break;
    default:
        human_count(v, out);
        break;
    }
}

const char *unit_name(enum unit unit)
{
    static const char *const names[UNIT_MAX] = {
        [UNIT_NONE] = "",           [UNIT_BYTES] = "bytes", [UNIT_BYTES_PER_SECOND] = "bytes/s",
        [UNIT_SECONDS] = "seconds", [UNIT_RATIO] = "%",     [UNIT_PER_SECOND] = "per second",
    };
    return names[unit];
}

bool unit_is_binary(enum unit unit)
{
    return unit == UNIT_BYTES || unit == UNIT_BYTES_PER_SECOND;
}
