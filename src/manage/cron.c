// SPDX-License-Identifier: GPL-3.0-or-later
// cron's expressions. Each field is a set of bits.
#include "manage/cron.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/number.h"

#define MINUTE 60
#define HORIZON_S (INT64_C(5) * 366 * 86400)

static const char *const months[] = {"jan", "feb", "mar", "apr", "may", "jun", "jul",
                                     "aug", "sep", "oct", "nov", "dec", NULL};
static const char *const weekdays[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL};

static const struct part {
    const char *what;
    unsigned min, max;
    const char *const *names; // of min, min + 1, …
} parts[] = {
    {"minute", 0, 59, NULL},
    {"hour", 0, 23, NULL},
    {"day of the month", 1, 31, NULL},
    {"month", 1, 12, months},
    {"day of the week", 0, 7, weekdays},
};

static const struct {
    const char *word, *text;
} words[] = {
    {"@hourly", "0 * * * *"},   {"@daily", "0 0 * * *"},   {"@midnight", "0 0 * * *"},
    {"@weekly", "0 0 * * 0"},   {"@monthly", "0 0 1 * *"}, {"@yearly", "0 0 1 1 *"},
    {"@annually", "0 0 1 1 *"},
};

static int complain(const struct part *p, struct err *err)
{
    return err_set(err, EINVAL, "%s: *, numbers from %u to %u, ranges a-b, lists a,b, steps */n",
                   p->what, p->min, p->max);
}

static bool read_value(const struct part *p, const char **at, unsigned *ret)
{
    uint64_t n = 0;
    if (**at >= '0' && **at <= '9') {
        if (!number_scan_u64(at, &n) || n < p->min || n > p->max)
            return false;
        *ret = (unsigned)n;
        return true;
    }
    for (unsigned i = 0; p->names && p->names[i]; i++) {
        if (strncasecmp(*at, p->names[i], 3) != 0)
            continue;
        *at += 3;
        *ret = p->min + i;
        return true;
    }
    return false;
}

// One of the list's elements: *, a, a-b, each perhaps with /n.
static bool read_element(const struct part *p, const char **at, uint64_t *bits)
{
    unsigned first = p->min, last = p->max, step = 1;
    bool star = **at == '*';
    if (star) {
        ++*at;
    } else {
        if (!read_value(p, at, &first))
            return false;
        last = first;
        if (**at == '-') {
            ++*at;
            if (!read_value(p, at, &last) || last < first)
                return false;
            star = true;
        }
    }
    if (**at == '/') {
        uint64_t n = 0;
        ++*at;
        if (**at < '0' || **at > '9' || !number_scan_u64(at, &n) || n < 1 || n > p->max)
            return false;
        // "5/10" means from 5 on, as in most crons.
        last = star ? last : p->max;
        step = (unsigned)n;
    }
    for (unsigned i = first; i <= last; i += step)
        *bits |= UINT64_C(1) << i;
    return true;
}

static bool read_field(const struct part *p, const char **at, uint64_t *bits)
{
    do {
        if (!read_element(p, at, bits))
            return false;
    } while (**at == ',' && (++*at, true));
    return **at == ' ' || **at == '\t' || **at == '\0';
}

int cron_parse(const char *text, struct cron *ret, struct err *err)
{
    uint64_t bits[ARRAY_LEN(parts)] = {0};
    bool star[ARRAY_LEN(parts)] = {false};
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strcmp(text, words[i].word) == 0)
            text = words[i].text;
    const char *at = text;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        at += strspn(at, " \t");
        if (!*at)
            return err_set(err, EINVAL, "five fields are needed: minute hour day month weekday");
        star[i] = *at == '*';
        if (!read_field(&parts[i], &at, &bits[i]))
            return complain(&parts[i], err);
    }
    if (at[strspn(at, " \t")])
        return err_set(err, EINVAL, "there is something behind the fifth field");
    *ret = (struct cron){
        .minutes = bits[0],
        .hours = (uint32_t)bits[1],
        .days = (uint32_t)bits[2],
        .months = (uint16_t)bits[3],
        .weekdays = (uint8_t)((bits[4] | bits[4] >> 7) & 0x7f),
        .any_day = star[2],
        .any_weekday = star[4],
    };
    return 0;
}

static bool day_matches(const struct cron *c, const struct tm *t)
{
    bool day = c->days >> t->tm_mday & 1, weekday = c->weekdays >> t->tm_wday & 1;
    return c->any_day || c->any_weekday ? day && weekday : day || weekday;
}

int cron_matches(const struct cron *c, const struct tm *t)
{
    return (c->minutes >> t->tm_min & 1) && (c->hours >> t->tm_hour & 1) &&
           (c->months >> (t->tm_mon + 1) & 1) && day_matches(c, t);
}

int64_t cron_next(const struct cron *c, int64_t after_s,
                  struct tm *(*local)(const time_t *, struct tm *))
{
    int64_t t = (after_s / MINUTE + 1) * MINUTE;
    while (t - after_s < HORIZON_S) {
        struct tm tm;
        const time_t now = (time_t)t;
        if (!local(&now, &tm))
            return -ERANGE;
        if (cron_matches(c, &tm))
            return t;
        // Whole days that cannot fit are left out but for their last two hours, where clocks
        // change.
        bool fits = (c->months >> (tm.tm_mon + 1) & 1) && day_matches(c, &tm);
        t += !fits && tm.tm_hour < 21 ? (int64_t)(21 - tm.tm_hour) * 3600 : MINUTE;
    }
    return -ERANGE;
}
