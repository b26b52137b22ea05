// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef CLI_QUERY_H
#define CLI_QUERY_H

#include "command.h"

enum query_view {
    QUERY_TABLE,
    QUERY_CSV,
    QUERY_PLOT,
    QUERY_JSON,
};

/** What `vherd query` asks and how it shows it. */
struct query_settings {
    double time;       /**< of an instant query, Unix seconds; NaN = now */
    double range;      /**< seconds; 0 = an instant query */
    double start, end; /**< of a range query; NaN = `range` before `end`; NaN = now */
    double step;       /**< seconds; 0 = as many points as are sensible */
    enum query_view view;
};

/** Seconds of "90", "15s", "1h30m"; 0 or -EINVAL. */
int query_duration(const char *text, double *ret);

/** Unix seconds, "2026-11-25T18:30:00Z", "18:30" (today), "now", "-1h" (before now); `now` in Unix
 * seconds. 0 or -EINVAL. */
int query_time(const char *text, double now, double *ret);

/** The time that an option gives; *ret stays where the option was not given. 0, or -EINVAL with
 * err. */
int query_option_time(const struct cli *cli, const char *option, double *ret, struct err *err);

/** Ask and put the answer into cli->out. 0, or -errno with `err` set. */
int query_show(struct cli *cli, const struct query_settings *s, const char *expression,
               struct err *err);

/** Lines from the terminal until its end. An exit status. */
int query_prompt(struct cli *cli, struct query_settings *s);

/**
 * What may stand for the last word of `text` (its first `len` bytes): names of metrics and
 * functions, labels within braces, values of a label within quotes. The whole text up to there,
 * with each candidate in place of that word; sorted. *ret_word: where the word begins. The caller
 * frees array and texts.
 */
char **query_complete(struct cli *cli, const char *text, size_t len, size_t *ret_word,
                      size_t *ret_n);

#endif
