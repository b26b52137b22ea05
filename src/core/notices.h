// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef CORE_NOTICES_H
#define CORE_NOTICES_H

// Notifications inside core: alerts go in, what src/notify decides is stored, then handed to
// vherd-send. The loop's.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/conf.h"
#include "model/alert.h"
#include "notify/notify.h"

struct core;
struct notices;
struct view;

// Reads what was stored; `c->statedb` and `c->events` are there. NULL where the configuration is
// refused (which was logged).
struct notices *notices_new(struct core *c);
// The statedb could be opened later: what is stored there joins what was made meanwhile.
void notices_load(struct notices *n);
// Before the statedb goes: nothing is decided any more. After it: the rest.
void notices_end(struct notices *n);
void notices_free(struct notices *n);

void notices_configure(struct notices *n, const struct conf *conf);

// The number of the last transition that was taken and stored; rules hand over those behind it.
int64_t notices_taken(const struct notices *n);

// Take a transition over. Returns false where its number was taken already.
bool notices_take(struct notices *n, const struct alert_transition *t);

// send's answer, and its end.
bool notices_result(struct notices *n, int outcome, const char *payload, size_t len);
void notices_lost_sender(struct notices *n);

// Something was said to `notify`: decide, store, send.
void notices_step(struct notices *n);
// Write the receivers' counters into the host's objects.
void notices_measure(struct notices *n);
struct notify *notices_notify(struct notices *n);

// notices_api.c
void view_notices_alerts(const struct view *v);
void view_ack(const struct view *v);
void view_silences(const struct view *v);
void view_silence_add(const struct view *v);
void view_silence_expire(const struct view *v);
void view_notify_status(const struct view *v);
void view_notify_test(const struct view *v);

#endif
