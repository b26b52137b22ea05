// SPDX-License-Identifier: GPL-3.0-or-later
// A zone is a list of transitions and, for times behind the last one, a rule in POSIX' notation
// ("CET-1CEST,M3.5.0,M10.5.0/3").
#include "zone.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"

#define DIRECTORY "/usr/share/zoneinfo"
#define FILE_BYTES_MAX (256u * 1024)
#define HEADER 44
#define DAY_S INT64_C(86400)

struct change {
    int64_t at_s;
    int32_t offset_s;
};

// When summer time begins or ends: the n-th (5: last) weekday of a month, or a day of the year.
struct turn {
    char kind; // 'M', 'J' (1..365, no 29 February), '0' (0..365)
    int month, week, day;
    int32_t at_s; // local time of that day
};

struct zone {
    struct change *change;
    size_t n;
    int32_t first_s; // before the first change
    bool has_rule, has_summer;
    int32_t standard_s, summer_s;
    struct turn begins, ends;
};

// Days since 1970-01-01 of a date (Howard Hinnant's days_from_civil), and the year of a day.
static int64_t days_of(int64_t y, int m, int d)
{
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t yoe = y - era * 400;
    int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static int64_t year_of(int64_t day)
{
    int64_t y = 1970 + floor_div(day, 366);
    while (days_of(y + 1, 1, 1) <= day)
        y++;
    return y;
}

static bool is_leap(int64_t y)
{
    return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
}

static int64_t turn_day(const struct turn *t, int64_t year)
{
    if (t->kind == 'J')
        return days_of(year, 1, 1) + t->day - 1 + (is_leap(year) && t->day >= 60);
    if (t->kind == '0')
        return days_of(year, 1, 1) + t->day;
    int64_t first = days_of(year, t->month, 1);
    int weekday = (int)((first + 4) % 7 + 7) % 7; // 1970-01-01 was a Thursday
    int64_t day = first + (t->day - weekday + 7) % 7 + 7 * (t->week - 1);
    int64_t next = t->month == 12 ? days_of(year + 1, 1, 1) : days_of(year, t->month + 1, 1);
    return day >= next ? day - 7 : day;
}

static int32_t rule_offset(const struct zone *z, int64_t at_s)
{
    if (!z->has_summer)
        return z->standard_s;
    int64_t year = year_of(floor_div(at_s + z->standard_s, DAY_S));
    int64_t begins = turn_day(&z->begins, year) * DAY_S + z->begins.at_s - z->standard_s;
    int64_t ends = turn_day(&z->ends, year) * DAY_S + z->ends.at_s - z->summer_s;
    bool is_summer = begins < ends ? at_s >= begins && at_s < ends : at_s >= begins || at_s < ends;
    return is_summer ? z->summer_s : z->standard_s;
}

int32_t zone_offset(const struct zone *z, int64_t at_s)
{
    size_t low = 0, high = z->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (z->change[middle].at_s <= at_s)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == z->n && z->has_rule)
        return rule_offset(z, at_s);
    return low > 0 ? z->change[low - 1].offset_s : z->first_s;
}

// The rule at the end of a file

static bool read_abbreviation(const char **p)
{
    const char *s = *p;
    if (*s == '<') {
        s += strcspn(s, ">");
        if (*s != '>')
            return false;
        s++;
    } else {
        while (isalpha((unsigned char)*s))
            s++;
    }
    bool some = s - *p >= 3;
    *p = s;
    return some;
}

static bool read_number(const char **p, int most, int *ret)
{
    int n = 0, digits = 0;
    while (isdigit((unsigned char)**p) && digits++ < 4)
        n = n * 10 + *(*p)++ - '0';
    *ret = n;
    return digits > 0 && n <= most;
}

// [+-]hh[:mm[:ss]]
static bool read_clock(const char **p, int32_t *ret_s)
{
    int sign = 1, part[3] = {0, 0, 0};
    if (**p == '+' || **p == '-')
        sign = *(*p)++ == '-' ? -1 : 1;
    for (int i = 0; i < 3; i++) {
        if (i > 0 && **p != ':')
            break;
        *p += i > 0;
        if (!read_number(p, i == 0 ? 167 : 59, &part[i]))
            return false;
    }
    *ret_s = sign * (part[0] * 3600 + part[1] * 60 + part[2]);
    return true;
}

static bool read_turn(const char **p, struct turn *t)
{
    if (*(*p)++ != ',')
        return false;
    *t = (struct turn){.kind = '0', .at_s = 7200};
    bool ok;
    if (**p == 'M') {
        t->kind = *(*p)++;
        ok = read_number(p, 12, &t->month) && t->month > 0 && *(*p)++ == '.' &&
             read_number(p, 5, &t->week) && t->week > 0 && *(*p)++ == '.' &&
             read_number(p, 6, &t->day);
    } else {
        if (**p == 'J')
            t->kind = *(*p)++;
        ok = read_number(p, 365, &t->day);
    }
    if (ok && **p == '/') {
        (*p)++;
        ok = read_clock(p, &t->at_s);
    }
    return ok;
}

static bool read_rule(struct zone *z, const char *text)
{
    const char *p = text;
    int32_t west = 0;
    if (!read_abbreviation(&p) || !read_clock(&p, &west))
        return false;
    z->standard_s = -west;
    z->has_rule = true;
    if (!*p)
        return true;
    if (!read_abbreviation(&p))
        return false;
    z->summer_s = z->standard_s + 3600;
    if (*p != ',' && *p) {
        if (!read_clock(&p, &west))
            return false;
        z->summer_s = -west;
    }
    z->has_summer = read_turn(&p, &z->begins) && read_turn(&p, &z->ends) && !*p;
    return z->has_summer;
}

// The file

static uint32_t be32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t be64(const unsigned char *p)
{
    return (int64_t)((uint64_t)be32(p) << 32 | be32(p + 4));
}

struct counts {
    size_t isut, isstd, leap, times, types, chars;
};

static bool read_header(const unsigned char *p, size_t len, struct counts *c)
{
    if (len < HEADER || memcmp(p, "TZif", 4) != 0)
        return false;
    size_t *const all[] = {&c->isut, &c->isstd, &c->leap, &c->times, &c->types, &c->chars};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        *all[i] = be32(p + 20 + 4 * i);
        if (*all[i] > FILE_BYTES_MAX)
            return false;
    }
    return c->types > 0;
}

static size_t block_size(const struct counts *c, size_t time_size)
{
    return c->times * (time_size + 1) + c->types * 6 + c->chars + c->leap * (time_size + 4) +
           c->isstd + c->isut;
}

static bool read_block(struct zone *z, const unsigned char *p, const struct counts *c)
{
    const unsigned char *kinds = p + 8 * c->times, *types = kinds + c->times;
    z->change = mem_zalloc((c->times + 1) * sizeof(*z->change));
    z->first_s = (int32_t)be32(types);
    for (size_t i = 0; i < c->times; i++) {
        if (kinds[i] >= c->types)
            return false;
        z->change[i] =
            (struct change){be64(p + 8 * i), (int32_t)be32(types + (size_t)6 * kinds[i])};
        if (i > 0 && z->change[i].at_s <= z->change[i - 1].at_s)
            return false;
    }
    z->n = c->times;
    return true;
}

static bool read_footer(struct zone *z, const char *p, size_t len)
{
    if (len < 2 || p[0] != '\n')
        return false;
    const char *end = memchr(p + 1, '\n', len - 1);
    if (!end)
        return false;
    CLEANUP(freep) char *rule = mem_strndup(p + 1, (size_t)(end - p - 1));
    return !*rule || read_rule(z, rule);
}

static bool read_file(struct zone *z, const unsigned char *p, size_t len)
{
    struct counts c;
    // Version 2 and later: a block with short times, then one with long ones and the rule.
    if (!read_header(p, len, &c) || p[4] < '2' || block_size(&c, 4) > len - HEADER)
        return false;
    size_t skip = HEADER + block_size(&c, 4);
    p += skip;
    len -= skip;
    if (!read_header(p, len, &c) || block_size(&c, 8) > len - HEADER)
        return false;
    size_t size = HEADER + block_size(&c, 8);
    return read_block(z, p + HEADER, &c) && read_footer(z, (const char *)p + size, len - size);
}

int zone_read(const void *data, size_t len, struct zone **ret, struct err *err)
{
    struct zone *z = mem_zalloc(sizeof(*z));
    if (!read_file(z, data, len)) {
        zone_free(z);
        return err_set(err, EINVAL, "it is no time zone file");
    }
    *ret = z;
    return 0;
}

int zone_new(const char *name, struct zone **ret, struct err *err)
{
    CLEANUP(freep) char *path = mem_printf(DIRECTORY "/%s", name);
    CLEANUP(freep) char *data = NULL;
    size_t len = 0;
    if (!*name || strcmp(name, "UTC") == 0) {
        *ret = mem_zalloc(sizeof(**ret));
        return 0;
    }
    int r = fs_read_file(AT_FDCWD, path, FILE_BYTES_MAX, &data, &len);
    if (r < 0)
        return err_set(err, -r, "time zone \"%s\": %s", name,
                       r == -ENOENT ? "there is none of that name (package tzdata)" : strerror(-r));
    r = zone_read(data, len, ret, err);
    return r < 0 ? err_wrap(err, "time zone \"%s\"", name) : 0;
}

void zone_free(struct zone *z)
{
    if (!z)
        return;
    free(z->change);
    free(z);
}
