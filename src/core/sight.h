// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef CORE_SIGHT_H
#define CORE_SIGHT_H

// Which VMs whoever asks may hear of: what alerts, events and silences are filtered by. A copy, so
// that a worker may use it and a stream outlives the request; NULL stands for all there is. Only
// what belongs to a VM of the scope is seen: nothing of the host, of others, or of several at once.

#include "model/event.h"
#include "model/labels.h"

struct core;
struct matchers;
struct sight;
struct view;

// Of the VMs that there are now. To be freed; NULL where the asker may hear of everything. On the
// loop, as is all but the asking, which any thread may do; a reference is an owner more.
struct sight *sight_new(const struct view *v);
struct sight *sight_ref(struct sight *s);
void sight_free(struct sight *s);

// A VM may have come, or have another owner, since: look it up by the event's UUID.
void sight_renew(struct sight *s, const struct core *c, const struct event *e);

// A UUID decides where there is one, since names are given again.
bool sight_of_event(const void *sight, const struct event *e);

// By the labels `uuid` or `domain`; those of other hosts (`job`, `instance`) are not seen.
bool sight_of_alert(const void *sight, const struct labels *l);

// Those that are for one VM by its name or UUID.
bool sight_of_silence(const void *sight, const struct matchers *m);

#endif
