// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef MANAGE_AUTO_H
#define MANAGE_AUTO_H

/*
 * What holds deeds that nobody has asked for in check: a stop switch, which outlives restarts, and
 * a limit of deeds within any hour. Such deeds come with a grant whose principal begins with
 * DEED_BY_ITSELF, which no account's does. act asks here before it makes a task of one,
 * so that whoever decides, core or what it became, cannot do more.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "store/store.h"

#define AUTO_REASON_MAX 1000 /**< bytes */

/** The table, for store_open(). */
extern const struct store_schema auto_schema;

/** The switch. */
struct auto_switch {
    bool stopped;
    int64_t since_ns; /**< real time of the last change; 0: never changed */
    char *by;         /**< principal; owned, NULL: never changed */
    char *reason;     /**< owned, NULL: none was given */
};

/** Free what it holds. Usable with CLEANUP(). */
void auto_switch_done(struct auto_switch *s);

/** Has nobody asked for what this principal asks? */
bool auto_is(const char *principal);

/** 0 or -errno of the database. */
int auto_read(struct store *s, struct auto_switch *ret);
int auto_write(struct store *s, bool stopped, const char *by, const char *reason, int64_t now_ns);

/** Tasks that were made without being asked for within the hour before `now_ns`. */
int auto_recent(struct store *s, int64_t now_ns, int64_t *ret);

/**
 * May one more be made? 0; -ECONNREFUSED (stopped, by whom and since when), -EDQUOT (the limit is
 * reached), or the database's error; with a sentence.
 */
int auto_allows(struct store *s, int64_t per_hour, int64_t now_ns, struct err *err);

#endif
