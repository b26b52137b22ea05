// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef NOTIFY_NOTIFY_H
#define NOTIFY_NOTIFY_H

/*
 * Who is told what, when: routing, grouping, inhibition, silences, acknowledgements, quiet hours,
 * repetition, and a queue for each receiver. Pure: time and what happened go in, what is to be
 * stored and sent comes out. No clock, no I/O, no thread.
 *
 * Who runs it stores notify_changes (key and value, or its removal) in one transaction together
 * with the number of the last transition that was taken, before the messages of that call are
 * sent. After a restart it puts what was stored back (notify_load()) and hands over the
 * transitions behind that number. So a kill between any two steps loses nothing, and a message is
 * decided once. A message may reach its receiver a second time only where the kill fell between
 * delivery and the storing of its outcome; it then carries the same id.
 *
 * Times are Unix milliseconds.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "conf/conf.h"
#include "model/alert.h"
#include "notify/matcher.h"

struct notify;

/** What is to be stored, and to be given to notify_load() after a restart. */
struct notify_change {
    const char *kind; /**< "alert", "group", "silence", "ack", "message", "mark" */
    char *key;
    char *value; /**< JSON; NULL: remove */
};
struct notify_changes {
    struct notify_change *item;
    size_t n, cap;
};
void notify_changes_done(struct notify_changes *c);

/** A message on its way: valid until its outcome is told. */
struct notify_send {
    const char *id;       /**< the same at each attempt, and in the message itself */
    const char *receiver; /**< its name */
    const char *body;     /**< JSON, see docs/notifications.md */
    unsigned attempt;     /**< from 1 */
};

/** What is wrong with a configuration, with its line; 0 or -EINVAL. */
int notify_check(const struct conf *conf, struct err *err);

/**
 * Without alerts, for a configuration that notify_check() found well. `host`: this host's name, for
 * messages. `instance`: unique to the database, part of messages' ids. The caller frees.
 */
int notify_new(const struct conf *conf, const char *host, const char *instance, struct notify **ret,
               struct err *err);
void notify_free(struct notify *n);

/** Another configuration: alerts find their groups anew; what was told is not told again. */
int notify_configure(struct notify *n, const struct conf *conf, int64_t now_ms, struct err *err);

/** Put back what was stored; 0, -EPROTO or, of an alert that is known, -EEXIST (it is skipped).
 * After the last one: notify_loaded(). */
int notify_load(struct notify *n, const char *kind, const char *key, const char *value);
void notify_loaded(struct notify *n, int64_t now_ms);

/** Where changes were lost: everything is to be stored, as notify_changes_take() then says. */
void notify_keep_all(struct notify *n);

/** An alert is firing, or resolved; other states end it. The alert is copied. */
void notify_alert(struct notify *n, const struct alert *a, int64_t now_ms);

/**
 * Its rule says after an evaluation that this alert should be sent again (struct rule_update). One
 * that fires is known to be there still: what is not heard of for a quarter of an hour, or until
 * its ends_at_ms where that is later, is over, as its rule is gone. Receivers of the kind
 * "alertmanager" get it again as it is now, also one that is over and of which they were told;
 * others do not.
 */
void notify_alert_heard(struct notify *n, const struct alert *a, int64_t now_ms);

/** Time has passed, or something above was said: decide. Call notify_changes_take() after it. */
void notify_step(struct notify *n, int64_t now_ms);

/** When notify_step() has something to do at the latest; INT64_MAX: when something happens. */
int64_t notify_wake(const struct notify *n, int64_t now_ms);

/** What is to be stored since the last call. */
void notify_changes_take(struct notify *n, struct notify_changes *ret);

/** The number of the newest message: what is stored with it may be handed out up to here. */
uint64_t notify_number(const struct notify *n);

/**
 * The next message to hand to the sender now, of those up to number `stored`; false: none. One
 * message a receiver is under way at a time, in order, so that a receiver that is dead holds up
 * nobody else.
 */
bool notify_next(struct notify *n, int64_t now_ms, uint64_t stored, struct notify_send *ret);

enum notify_outcome {
    NOTIFY_DELIVERED,
    NOTIFY_FAILED,  /**< to be tried again */
    NOTIFY_REFUSED, /**< this message will never be taken: it is given up */
    NOTIFY_OUTCOME_MAX,
};

/** Words about messages that notify_step() gave up since the last call, of one receiver at a time:
 * ask until it is NULL. Valid until the next call. */
const char *notify_given_up(struct notify *n);

/** What became of an attempt. `retry_ms`: the receiver's wish, -1 = none. Unknown ids are nothing.
 * Returns what a person should be told, or NULL; valid until the next call. */
const char *notify_result(struct notify *n, const char *id, enum notify_outcome outcome,
                          const char *why, int64_t retry_ms, int64_t now_ms);

/** The sender is gone: what was under way is tried again. */
void notify_lost_sender(struct notify *n, int64_t now_ms);

/** A message to a receiver that tells nothing but that it works. -ENOENT: no such receiver. Its id
 * goes to `ret_id` (freed by the caller). */
int notify_test(struct notify *n, const char *receiver, int64_t now_ms, char **ret_id);

/* Silences and acknowledgements */

struct notify_silence {
    const char *id; /**< of a new one: ignored */
    const char *matchers;
    const char *author, *comment;
    int64_t starts_ms, ends_ms;
};

/** 0 with the new id (freed by the caller), or -EINVAL. */
int notify_silence_add(struct notify *n, const struct notify_silence *s, int64_t now_ms,
                       char **ret_id, struct err *err);
/** What that would come to: how many alerts that fire it holds for, or -EINVAL. Changes nothing. */
int notify_silence_try(const struct notify *n, const struct notify_silence *s, int64_t now_ms,
                       struct err *err);
/** 0, or -ENOENT: no silence of that id is active or pending. */
int notify_silence_find(const struct notify *n, const char *id, int64_t now_ms);
/** Ends now. -ENOENT. */
int notify_silence_expire(struct notify *n, const char *id, int64_t now_ms);

/**
 * Somebody takes care of alerts that fire: they are not told again while they fire. `fingerprint`
 * in hex, or matchers. Returns how many there were, or -EINVAL.
 */
int notify_ack(struct notify *n, const char *alerts, const char *author, const char *comment,
               int64_t now_ms, struct err *err);

/** How many there would be, or -EINVAL. Changes nothing. */
int notify_ack_try(const struct notify *n, const char *alerts, struct err *err);

/** Is there a receiver of that name? */
bool notify_has_receiver(const struct notify *n, const char *name);

/* What a person sees */

/** Whom a list is for: what they may see. `arg` NULL with functions that take it for everything. */
struct notify_sight {
    bool (*alert)(const void *arg, const struct labels *l);
    bool (*silence)(const void *arg, const struct matchers *m);
    const void *arg;
};

/** {"silences":[…]}; {"alerts":[…]} with silenced, inhibited, acknowledged, receivers;
 * {"receivers": […]} with their queues. `sight` NULL: all. */
void notify_put_silences(const struct notify *n, const struct notify_sight *sight, int64_t now_ms,
                         struct json *j);
void notify_put_alerts(const struct notify *n, const struct notify_sight *sight, int64_t now_ms,
                       struct json *j);
void notify_put_status(const struct notify *n, int64_t now_ms, struct json *j);

/** Counters for metrics, by receiver; NULL past the end. */
struct notify_counts {
    const char *receiver;
    const char *type;
    uint64_t delivered, failed, refused, expired;
    size_t queued;
    int64_t oldest_ms; /**< when the oldest message in the queue was made; 0: none */
};
bool notify_counts(const struct notify *n, size_t i, struct notify_counts *ret);

#endif
