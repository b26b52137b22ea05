// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef RULE_KEEP_H
#define RULE_KEEP_H

/*
 * State of alerts and their transitions in SQLite (store/store.h). One evaluation is one
 * transaction: state and transitions are there together or not at all.
 */

#include "rule/eval.h"
#include "store/store.h"

/** Tables `rule_alert`, `rule_mark`, `rule_transition`. */
extern const struct store_schema rule_schema;

/**
 * Put stored state into freshly made groups, of which none was evaluated. What is stored of rules
 * that are not among them stays until rule_keep_sweep(). 0 or -errno.
 */
int rule_keep_load(struct store *s, struct rule_group_run *group, size_t n, struct err *err);

/** Whether rule_keep_save() would write anything. */
bool rule_keep_is_due(const struct rule_group_run *g, const struct rule_update *update);

/**
 * Store what an evaluation changed: alerts of the group whose state changed, and the transitions of
 * `update`, whose `seq` is set. To be called within a transaction (store_begin());
 * rule_keep_saved() is called after its commit. 0 or -errno.
 */
int rule_keep_save(struct store *s, const struct rule_group_run *g, struct rule_update *update);
void rule_keep_saved(struct rule_group_run *g);

/**
 * Transitions after `seq`, oldest first, at most `max`: calls `each` with each (borrowed until it
 * returns); non-zero from it ends the walk and is returned. 0 or -errno.
 */
int rule_keep_transitions(struct store *s, int64_t seq, size_t max,
                          int (*each)(void *arg, const struct alert_transition *t), void *arg);

/** The same, newest first, from before `seq` (0: from the end): for history. */
int rule_keep_history(struct store *s, int64_t seq, size_t max,
                      int (*each)(void *arg, const struct alert_transition *t), void *arg);

/** Number of the last transition; 0: none. */
int64_t rule_keep_last(struct store *s);

/**
 * Forget transitions up to `seq` that are older than `before_ms`, and alerts of rules that have not
 * been evaluated since then. 0 or -errno.
 */
int rule_keep_sweep(struct store *s, int64_t seq, int64_t before_ms);

#endif
