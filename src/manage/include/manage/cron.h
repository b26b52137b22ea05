// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef MANAGE_CRON_H
#define MANAGE_CRON_H

#include <stdint.h>
#include <time.h>

#include "base/err.h"

/**
 * When something is due, in cron's words: minute hour day-of-month month day-of-week, each *, a
 * number, a range a-b, a list a,b, a step (star or range, slash, n); months jan–dec and days
 * sun–sat also by name; 7 is Sunday. As in cron(5): where both day fields are restricted, either
 * may fit. Also
 * @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually.
 */
struct cron {
    uint64_t minutes; /**< bit n = minute n */
    uint32_t hours;
    uint32_t days;                /**< bit 1 to 31 */
    uint16_t months;              /**< bit 1 to 12 */
    uint8_t weekdays;             /**< bit 0 = Sunday */
    uint8_t any_day, any_weekday; /**< the field began with * */
};

/** Read an expression; -EINVAL with the field and what is allowed. */
int cron_parse(const char *text, struct cron *ret, struct err *err);

/** Is it due in the minute of this broken-down time? */
int cron_matches(const struct cron *c, const struct tm *t);

/**
 * The first due minute (seconds since 1970) after `after_s` in the local time that `local` gives;
 * -ERANGE where there is none within five years (30 February). A minute that a clock change skips
 * is not due; one that comes twice is due twice. Pure but for `local`, which is localtime_r() or a
 * stand-in.
 */
int64_t cron_next(const struct cron *c, int64_t after_s,
                  struct tm *(*local)(const time_t *, struct tm *));

#endif
