// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef CORE_RULES_H
#define CORE_RULES_H

// Rules at work inside core: a thread of their own evaluates groups at their times, and at once
// those that an event concerns. It reads the store through its source; what it writes goes to the
// loop, which appends it; what must survive goes to the state database. No sample waits for a rule.

#include "base/json.h"
#include "model/alert.h"
#include "store/store.h"

struct core;
struct rules;
struct view;
struct vm;

// Read the files of the configuration and start; after tell_open() and samples_open(). Without a
// store there are no rules.
void rules_begin(struct core *c);
// Ends the thread; the loop runs on until it has. Before tell_close().
void rules_end(struct core *c);
// The configuration has changed: read the files again. Any time.
void rules_reload(struct core *c);

// Alert transitions, in the transaction that stores them and the state that they led to: what is
// written into `s` here is there exactly if they are. Called on the state database's thread,
// perhaps a second time after a first was undone; `seq` of each is set. 0 or -errno, which undoes
// all and leaves the transitions to a later call. One caller; set before rules_begin() or never
// missed any by asking rule_keep_transitions() for what follows its own last number.
typedef int rules_told(void *arg, struct store *s, const struct alert_transition *t, size_t n);
// After the commit, on the loop, with copies that live until it returns. `send` are the alerts that
// an Alertmanager is to be told now, firing and resolved, those told before among them.
typedef void rules_stored(void *arg, const struct alert_transition *t, size_t n,
                          const struct alert *send, size_t n_send);
void rules_on_transitions(struct core *c, rules_told *told, rules_stored *stored, void *arg);

// Something happened to a VM that rules may depend on: its state is written to the store at once
// and the rules that read vherd_vm_state, vherd_vm_state_reason, vherd_event_total, or libvirt's
// names for the same, are evaluated. The loop's.
void rules_poke(struct core *c, struct vm *vm);

// Write how each group fares into the host's objects. Never waits for an evaluation, so that a
// thread that hangs is seen by its last evaluation growing old. The loop's.
void rules_measure(struct core *c);

// For the status: whether rules run, how many, late, failed.
void rules_view(const struct core *c, struct json *j);

// api_rules.c
void view_rules(const struct view *v);
void view_alerts(const struct view *v);
void view_alert_history(const struct view *v);

#endif
