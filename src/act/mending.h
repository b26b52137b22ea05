// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef ACT_MENDING_H
#define ACT_MENDING_H

// Tasks that broke off, and what tasks.c lends for it.

#include "act.h"

/** Between the first tries. */
#define MENDING_PAUSE_NS (2 * NS_PER_S)

// mending.c
void mending_step(struct act *a, int64_t now);                 // begin what is due
void mending_end(struct act *a, struct job *job, int64_t now); // a try is back
void mending_stop(struct act *a);                              // vherd is told to end

// tasks.c
/** Close a task, take it and what follows from it out; where that cannot be written it stays. */
void tasks_finish(struct act *a, struct job *job, enum task_state state, const char *message);
/** Give it to a worker; false where it has to wait for libvirt or a thread. */
bool tasks_submit(struct act *a, struct job *job, void (*run)(struct work *w));

#endif
