// SPDX-License-Identifier: GPL-3.0-or-later
// Parts of a date, in UTC.
#include <math.h>
#include <stdint.h>

#include "call.h"

struct date {
    int64_t year;
    int month, day; /**< from 1 */
    int64_t days;   /**< since 1970-01-01 */
    int64_t second; /**< of the day */
};

// Howard Hinnant's days_to_civil: years begin in March, so that the leap day is the last.
static struct date date_of(double seconds)
{
    int64_t at = (int64_t)seconds;
    struct date d = {.days = at / 86400, .second = at % 86400};
    if (d.second < 0) {
        d.second += 86400;
        d.days--;
    }
    int64_t z = d.days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t of_era = z - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153;
    d.day = (int)(of_year - (153 * month + 2) / 5 + 1);
    d.month = (int)(month < 10 ? month + 3 : month - 9);
    d.year = year + era * 400 + (d.month <= 2);
    return d;
}

static bool is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_before(int64_t year, int month)
{
    static const int days[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};
    return days[month - 1] + (month > 2 && is_leap(year));
}

static double year(const struct date *d)
{
    return (double)d->year;
}

static double month(const struct date *d)
{
    return d->month;
}

static double day_of_month(const struct date *d)
{
    return d->day;
}

static double day_of_year(const struct date *d)
{
    return days_before(d->year, d->month) + d->day;
}

static double day_of_week(const struct date *d)
{
    return (double)(((d->days + 4) % 7 + 7) % 7); // 1970-01-01 was a Thursday
}

static double days_in_month(const struct date *d)
{
    int end = d->month == 12 ? 365 + is_leap(d->year) : days_before(d->year, d->month + 1);
    return end - days_before(d->year, d->month);
}

static double hour(const struct date *d)
{
    return (double)(d->second / 3600);
}

static double minute(const struct date *d)
{
    return (double)(d->second / 60 % 60);
}

// Beyond these seconds a year has no meaning that anybody would expect.
#define SECONDS_MAX 1e15

static void apply(const struct grid *g, double *v, double (*part)(const struct date *))
{
    for (size_t k = 0; k < g->n; k++) {
        if (is_absent(v[k]))
            continue;
        if (!(fabs(v[k]) < SECONDS_MAX)) {
            v[k] = NAN;
            continue;
        }
        struct date d = date_of(v[k]);
        v[k] = part(&d);
    }
}

// Without an argument: of the time of evaluation.
static void dates(struct query *q, const struct node *node, const struct grid *g, struct value *ret,
                  double (*part)(const struct date *))
{
    if (node->n_args > 0) {
        eval(q, node->arg[0], g, ret);
    } else {
        ret->n = 1;
        ret->col = arena_zalloc(&q->arena, 1, sizeof(*ret->col));
        ret->col[0] = (struct column){query_labels(q, NULL, 0), query_steps(q, g), false};
        for (size_t k = 0; k < g->n; k++)
            ret->col[0].v[k] = (double)grid_time(g, k) / 1000;
    }
    for (size_t i = 0; i < ret->n; i++)
        apply(g, ret->col[i].v, part);
    value_drop_names(q, g, ret);
}

#define DATE_FUNCTION(name)                                                                        \
    void call_##name(struct query *q, const struct node *node, const struct grid *g,               \
                     struct value *ret)                                                            \
    {                                                                                              \
        dates(q, node, g, ret, name);                                                              \
    }

DATE_FUNCTION(year)
DATE_FUNCTION(month)
DATE_FUNCTION(day_of_month)
DATE_FUNCTION(day_of_year)
DATE_FUNCTION(day_of_week)
DATE_FUNCTION(days_in_month)
DATE_FUNCTION(hour)
DATE_FUNCTION(minute)
