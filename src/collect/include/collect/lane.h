// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef COLLECT_LANE_H
#define COLLECT_LANE_H

/*
 * When to call whom: the decisions of a lane that asks many objects, any of which may never
 * answer. Pure: time comes with each call; nothing here waits, reads or locks.
 *
 * Rules: at most one call under way per object and `max_in_flight` in all, one after the other
 * while they are quick and side by side when they are not; objects that have been answering quickly
 * may share one call, until it takes too long; objects are spread over the interval; a
 * call past its deadline is written off and its object quarantined with growing pauses; written-off
 * calls do not count as in flight, but objects that failed are only tried again while fewer than
 * `max_written_off` are out, and nobody is called at twice that number.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lane_policy {
    int64_t interval_ns;       /**< between calls to one object */
    int64_t deadline_ns;       /**< after which a call is written off */
    int64_t quarantine_min_ns; /**< first pause after a written-off call; doubles */
    int64_t quarantine_max_ns;
    int64_t
        patience_ns; /**< a further call starts beside others only when these have taken longer */
    int max_in_flight;
    int max_written_off;
};

struct lane_stats {
    uint64_t calls;
    uint64_t errors;   /**< answered in time, with a failure */
    uint64_t timeouts; /**< written off */
    uint64_t late;     /**< answers of written-off calls */
    int in_flight;     /**< within their deadline */
    int written_off;   /**< past it and not back */
    int quarantined;   /**< objects that wait for the end of a pause, or for a lost call */
};

enum lane_outcome {
    LANE_OK,
    LANE_ERROR,   /**< answered: failed */
    LANE_SKIPPED, /**< no call was made (its process is stopped): try again soon */
    LANE_STUCK,   /**< a shared call that was given up still holds it: as if written off */
};

struct call_lane;

struct call_lane *lane_new(const struct lane_policy *policy);
void lane_free(struct call_lane *l);

/** A changed policy applies from the next decision on. */
void lane_set_policy(struct call_lane *l, const struct lane_policy *policy);

/** Add an object (copied key); due at once. Nothing happens where it is there already. */
void lane_add(struct call_lane *l, const void *key, size_t len, int64_t now_ns);

/** Remove an object; an answer that comes later is late. */
void lane_remove(struct call_lane *l, const void *key, size_t len);

bool lane_has(const struct call_lane *l, const void *key, size_t len);

/** Blocked objects are not called; unblocking makes them due at once. */
void lane_block(struct call_lane *l, const void *key, size_t len, bool blocked, int64_t now_ns);

/** Make an object due at once (does not end a quarantine). */
void lane_hasten(struct call_lane *l, const void *key, size_t len, int64_t now_ns);

/**
 * The next call to make now: writes its key and length and returns the call's number, or 0 where
 * none is due or allowed. Call until it returns 0.
 */
uint64_t lane_next(struct call_lane *l, int64_t now_ns, const void **ret_key, size_t *ret_len);

/**
 * A further object for the call that lane_next() has just given out: one that is due and has been
 * steady. It has a number of its own, is done for itself, and does not count as in flight. 0: none.
 */
uint64_t lane_more(struct call_lane *l, int64_t now_ns, const void **ret_key, size_t *ret_len);

/** True where the object has answered quickly: once at first, after a failure thrice in a row. */
bool lane_steady(const struct call_lane *l, const void *key, size_t len);

/**
 * A shared call takes too long: give up this number of it without blame. The object is due at once
 * and not steady; the answer will be late. All numbers of the call count as one written-off call.
 */
void lane_part(struct call_lane *l, uint64_t call, int64_t now_ns);

/**
 * A call came back. True: the answer counts. False: it is late (written off or its object is
 * gone) and must be dropped. A late answer still shortens the quarantine to a fifth of its pause
 * (at least a second): the object lives.
 */
bool lane_done(struct call_lane *l, uint64_t call, enum lane_outcome outcome, int64_t now_ns);

/**
 * The next call that is past its deadline, written off by this; 0 where there is none. Only calls
 * that began before `answered_ns` are looked at: a daemon that has said nothing since then is
 * itself the suspect, not the object.
 */
uint64_t lane_expire(struct call_lane *l, int64_t now_ns, int64_t answered_ns, const void **ret_key,
                     size_t *ret_len);

/** True while some call is past its deadline but not written off, see lane_expire(). */
bool lane_overdue(const struct call_lane *l, int64_t now_ns);

/** True while the object is in quarantine or its call is lost. */
bool lane_quarantined(const struct call_lane *l, const void *key, size_t len);

/**
 * The other side is gone: all calls under way are given up without blame (their answers are
 * late), quarantines end, everybody is due again, spread over the interval.
 */
void lane_reset(struct call_lane *l, int64_t now_ns);

/** When lane_next() or lane_expire() may have something to say again; INT64_MAX: never. */
int64_t lane_wake_ns(const struct call_lane *l, int64_t now_ns);

struct lane_stats lane_stats(const struct call_lane *l);

#endif
