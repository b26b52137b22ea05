// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef MODEL_ALERT_H
#define MODEL_ALERT_H

/*
 * An alert as rules make it and notifications, the API and clients see it, and the transitions
 * between its states. Times are Unix milliseconds of evaluations; 0 = has not happened.
 *
 * Rules write each transition, with a number that only grows, in the same transaction as the state
 * that it leads to. Who takes transitions over remembers the last number beside what it made of
 * them, and asks for what follows: nothing is lost or taken twice, whoever is killed when.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "model/labels.h"

enum alert_state {
    ALERT_INACTIVE, /**< there is none, or not any more without having fired */
    ALERT_PENDING,  /**< seen, but not yet for as long as its rule asks */
    ALERT_FIRING,
    ALERT_RESOLVED, /**< fired and is over */
    ALERT_STATE_MAX,
};

/** "inactive", "pending", "firing", "resolved". */
const char *alert_state_name(enum alert_state state);

/** By its name; -EINVAL where it is none. */
int alert_state_of(const char *name);

/** One alert. Texts and labels are owned where alert_done() is to be called, else borrowed. */
struct alert {
    uint64_t fingerprint;       /**< labels->hash: the alert's identity over all its life */
    struct labels *labels;      /**< with `alertname`; without the daemon's external labels */
    struct labels *annotations; /**< templates expanded at the last evaluation that saw it */
    enum alert_state state;
    int64_t active_at_ms;   /**< first seen (pending) */
    int64_t fired_at_ms;    /**< of this firing; what Alertmanager calls startsAt */
    int64_t resolved_at_ms; /**< of ALERT_RESOLVED and of a pending one that went */
    int64_t ends_at_ms;     /**< firing: until when others may believe it without hearing more */
    double value;           /**< of the expression when it was last seen */
    char *expr;             /**< the rule's expression, for generatorURL */
    char *group;            /**< name of the rule's group */
    char *file;             /**< path of the rule file */
};

/** `alertname` of its labels, "" where there is none. */
const char *alert_name(const struct alert *a);

/** A copy that owns everything. 0 or -ENOMEM. */
int alert_copy(struct alert *ret, const struct alert *a);
void alert_done(struct alert *a);

/** A change of state, in the order in which they happened. */
struct alert_transition {
    int64_t seq;           /**< 1, 2, …; never given twice */
    int64_t at_ms;         /**< time of the evaluation */
    enum alert_state from; /**< alert.state is what it went to */
    struct alert alert;    /**< as it was after the change */
};

/**
 * The alert as a JSON object: labels, annotations, state, value (text, as Prometheus writes it),
 * activeAt, startsAt, endsAt, resolvedAt (RFC 3339, those that there are), fingerprint (hex),
 * expr, group, file.
 */
void alert_put(const struct alert *a, struct json *j);

/** Labels as a JSON object, sorted by name. NULL: {}. */
void alert_put_labels(const struct labels *l, struct json *j);

/** "2015-07-01T20:10:51.781Z"; milliseconds are left out where they are 0. */
void alert_put_time(struct buf *out, int64_t ms);

#endif
