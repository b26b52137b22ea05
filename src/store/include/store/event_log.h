// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef STORE_EVENT_LOG_H
#define STORE_EVENT_LOG_H

/*
 * The event log: what happened, in the order in which it was told, kept by age and size. A number
 * is never given twice, also after the event that had it is gone, so that who follows the log can
 * say where it was.
 */

#include "model/event.h"
#include "store/store.h"

/** The table, for store_open(). */
extern const struct store_schema event_log_schema;

/**
 * Add one; *ret_seq gets its number. Texts are cut at EVENT_TEXT_MAX; `detail` must be JSON and is
 * left out where it is longer. In a transaction of the caller it is on disk after its commit.
 */
int event_log_add(struct store *s, const struct event *e, int64_t *ret_seq);

/** What to look for; NULL, 0 and EVENT_KIND_INVALID leave a field out. */
struct event_filter {
    int64_t since_ns, until_ns; /**< since <= t < until */
    int64_t after_seq;
    enum event_kind kind;
    const char *vm; /**< its name or UUID */
    bool newest_first;
    size_t limit; /**< 0: none */
    /** Further condition, for whoever may not see all; NULL: none. */
    bool (*may)(const void *arg, const struct event *e);
    const void *arg;
};

/** True where the event passes, but for `limit` and order. */
bool event_matches(const struct event_filter *f, const struct event *e);

/** Events that match, in order; the callback (texts are valid within) returns false to end. */
int event_log_search(struct store *s, const struct event_filter *f,
                     bool (*each)(const struct event *, void *), void *arg);

/** The last number that was given; 0: none. -errno on failure. */
int64_t event_log_last(struct store *s);

/** Forget what is older than `before_ns`, and the oldest beyond `max_bytes` (0: no limit). */
int event_log_retain(struct store *s, int64_t before_ns, int64_t max_bytes);

#endif
