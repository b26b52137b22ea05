// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef CORE_EVENTS_H
#define CORE_EVENTS_H

// What happened: written to the event log, told to those who follow it, and to what depends on it.
// The loop's.

#include "model/event.h"
#include "statedb.h"

struct core;
struct events;
struct view;

// `c->statedb` is there. The caller frees with events_free(), after the statedb.
struct events *events_new(struct core *c);
void events_free(struct events *e);

// Note an event (its time: now, where it has none). Who follows sees it once it is on disk.
void events_note(struct events *e, const struct event *event);

// The same with a sentence made of printf's.
void events_say(struct events *e, enum event_kind kind, const char *name, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

// Called for each event, before it is on disk: what must not wait. One caller; NULL ends it.
// Rules hang here, so that an event that one depends on evaluates it at once.
typedef void events_poke(void *arg, const struct event *event);
void events_on_event(struct events *e, events_poke *poke, void *arg);

// How many of each kind there were since the start.
uint64_t events_count(const struct events *e, enum event_kind kind);

void events_retain(struct events *e);

// Followers whose client took a piece, or is gone. False: not one of them.
bool events_more(struct events *e, uint32_t id);
bool events_forget(struct events *e, uint32_t id);
void events_forget_all(struct events *e);

void view_events(const struct view *v);

#endif
