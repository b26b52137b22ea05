// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef MANAGE_SCHEDULE_H
#define MANAGE_SCHEDULE_H

/*
 * Deeds that are due again and again, as they are kept; and when one runs, which is pure. Every
 * change is on disk when its call returns, unless the caller holds a transaction. One thread.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/json.h"
#include "manage/cron.h"
#include "store/store.h"
#include "verb/deed.h"

/** The tables, for store_open(). */
extern const struct store_schema schedule_schema;

/** Later than this a run counts as missed: vherd or the machine was down. */
#define SCHEDULE_LATE_S 120

struct schedule {
    int64_t id;
    char *name;      /**< one principal has it once */
    char *principal; /**< whose rights count when it runs */
    char *cron;
    const struct deed *deed; /**< NULL: one that this version does not know */
    json_t *fields;          /**< owned: the deed's own */
    json_t *select;          /**< owned: see manage/select.h */
    int64_t parallel, max_failures;
    /** Of snapshots that it takes: the newest so many of each VM stay, and those of so many
     * seconds; 0 = no such limit. See manage/retention.h. */
    int64_t keep, keep_for_s;
    bool once;   /**< a missed time is made up for, once; else it is skipped */
    bool paused; /**< never due */
    int64_t created_s;
    int64_t due_s;  /**< real time */
    int64_t last_s; /**< when it last was due and looked at; 0 = never */
    char *message;  /**< what came of that; NULL = nothing yet */
};

void schedule_done(struct schedule *s);

/** Add; sets s->id. -EEXIST: this principal has one of that name. */
int schedule_add(struct store *st, struct schedule *s);
/** -ENOENT where there is none. Free with schedule_done(). */
int schedule_get(struct store *st, int64_t id, struct schedule *ret);
/** By id; of one principal, or of all (NULL). */
int schedule_each(struct store *st, const char *principal,
                  void (*each)(const struct schedule *s, void *arg), void *arg);
/** How many a principal has. */
int schedule_count(struct store *st, const char *principal, int64_t *ret);
int schedule_remove(struct store *st, int64_t id);
int schedule_pause(struct store *st, int64_t id, bool paused, int64_t due_s);
/** It was looked at: when it is due next, and what came of it. */
int schedule_looked(struct store *st, int64_t id, int64_t last_s, int64_t due_s,
                    const char *message);

/** What is to be done about a schedule now. */
enum schedule_verdict {
    SCHEDULE_WAIT,
    SCHEDULE_RUN,
    SCHEDULE_MISSED_RUN,  /**< it is late, and made up for */
    SCHEDULE_MISSED_SKIP, /**< it is late, and left out */
};

/**
 * Due at `due_s`, now it is `now_s`: what then, and when next (*ret_next; not set for
 * SCHEDULE_WAIT). However many times were missed, it runs once at most. Pure but for `local`, as in
 * cron_next().
 */
enum schedule_verdict schedule_judge(const struct cron *cron, bool once, int64_t due_s,
                                     int64_t now_s,
                                     struct tm *(*local)(const time_t *, struct tm *),
                                     int64_t *ret_next);

/**
 * The deed's fields for a run: %Y %m %d %H %M %S in `name` become the parts of the time, %% a %, so
 * that each snapshot has a name of its own. The caller owns *ret. -EINVAL: that gives no name.
 */
int schedule_fields(const struct schedule *s, const struct tm *when, json_t **ret, struct err *err);

void schedule_json(const struct schedule *s, struct json *j);

#endif
