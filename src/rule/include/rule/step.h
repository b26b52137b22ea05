// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef RULE_STEP_H
#define RULE_STEP_H

/*
 * What becomes of a rule's alerts: a pure function of (state, now, what the evaluation saw). No
 * clock, no I/O. Prometheus' life of an alert, and beyond it: alerts survive gaps in the data,
 * hysteresis, minimum hold, flap damping.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/alert.h"
#include "rule/file.h"

/** How long a resolved alert is remembered, and told again, as Prometheus does. */
#define RULE_RESOLVED_KEPT_MS (15 * 60 * 1000)

/** Firings that are remembered for flap damping. */
#define RULE_FIRES_KEPT 2

/** An alert with what its rule remembers of it. Owns its alert and `series`. */
struct rule_alert {
    struct alert alert;
    struct labels *series; /**< labels of the query's result */
    uint64_t inputs;       /**< bit i: selector i had data for it when it became active */
    int64_t last_seen_ms;  /**< `expr` gave it */
    int64_t gone_since_ms; /**< `expr` has not given it since; 0: it does */
    int64_t gap_since_ms;  /**< its data are missing since; 0: they are there */
    int64_t keep_since_ms; /**< keep_firing_for counts from here; 0: does not */
    int64_t last_sent_ms;  /**< rule_step() asked to send it */
    int64_t fires_ms[RULE_FIRES_KEPT]; /**< latest firings, newest first; 0: none */
    uint64_t kept;                     /**< of rule_keep_save(): what of it is stored; 0: nothing */
};

/** State of one rule. */
struct rule_state {
    struct rule_alert *alert; /**< owned, sorted by fingerprint */
    size_t n, cap;
    int64_t last_eval_ms; /**< of the last evaluation that succeeded; 0: none */
};
void rule_state_done(struct rule_state *s);

/** The alert of these labels; NULL. */
struct rule_alert *rule_state_find(const struct rule_state *s, const struct labels *labels);

/** Pending and firing ones. */
size_t rule_state_active(const struct rule_state *s);

/** One element of the expression's result, with labels and annotations made. */
struct rule_seen_alert {
    struct labels *labels; /**< owned, as are the others; the step takes them over */
    struct labels *annotations;
    struct labels *series;
    double value;
};

/** How an alert that `expr` did not give stands. */
struct rule_absence {
    bool is_gap;     /**< data that were there when it became active are missing */
    bool is_settled; /**< gap_max_ms does not count for it */
    bool is_cleared; /**< the clear expression gave something for it (true where there is none) */
};

struct rule_seen {
    struct rule_seen_alert *alert; /**< no two with the same labels */
    size_t n;
    /** Asked for each active alert that is not among `alert`; may be NULL: no gap, cleared. */
    struct rule_absence (*absence)(void *arg, const struct rule_alert *alert);
    /** Asked when an alert becomes active: see rule_alert.inputs. May be NULL: 0. */
    uint64_t (*inputs)(void *arg, const struct labels *series);
    void *arg;
};

struct rule_step_params {
    const struct rule *rule;
    const struct rule_group *group;
    int64_t now_ms;          /**< time of the evaluation */
    int64_t interval_ms;     /**< of the group, as in force */
    int64_t resend_delay_ms; /**< firing and resolved alerts are told again after this */
    int64_t gap_max_ms;      /**< longest gap in the data that is bridged, if `for` is shorter; -1:
                                  none is, as in Prometheus */
    int64_t started_ms;      /**< gap_max_ms is for alerts that were last seen before this time */
    int64_t limit;           /**< 0: none */
};

/** What changed; `alert`s point into the state and hold until its next step. */
struct rule_update {
    struct alert_transition *transition; /**< seq 0; alerts borrowed */
    size_t n_transitions, cap_transitions;
    const struct alert **send; /**< what an Alertmanager is to be told now */
    size_t n_send, cap_send;
};
void rule_update_done(struct rule_update *u);

/**
 * One step. 0; -E2BIG (over the limit: err says so, nothing changed, nothing is sent) or -ENOMEM.
 * Takes over what `seen` owns in any case. Appends to `ret`.
 */
int rule_step(struct rule_state *state, const struct rule_step_params *params,
              struct rule_seen *seen, struct rule_update *ret, struct err *err);

/**
 * What a stop of `gap_ms` means (between the last evaluation and now): time in which nobody looked
 * does not count towards `for`. Pure.
 */
void rule_state_resume(struct rule_state *state, int64_t now_ms, int64_t interval_ms);

#endif
