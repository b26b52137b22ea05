// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef MAIN_CHILD_H
#define MAIN_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

enum child_state {
    CHILD_DOWN,     /**< no process; started at `due_ns` */
    CHILD_STARTING, /**< not yet ready; given up at `due_ns` */
    CHILD_READY,
    CHILD_STOPPING, /**< told to end; pressed harder at `due_ns` */
};

/** One of our processes. */
struct child {
    const char *name;    /**< "core" */
    const char *program; /**< "vherd-core" */
    enum child_state state;
    pid_t pid;
    int control; /**< our end of its control channel, non-blocking; -1 while down */
    int64_t due_ns;
    int64_t started_ns;
    int64_t backoff_ns; /**< the pause before the next start */
    int pressed;        /**< signals sent while stopping */
    bool planned;       /**< its end was wanted: start again at once */
    unsigned restarts;
    char *sandbox; /**< what it said when it became ready; owned */
    char *fatal;   /**< its last words; owned */
};

/** Start its program with the control channel at descriptor 3 and nothing else but stderr. */
int child_spawn(struct child *c, struct err *err);

/** Forget a process that has been reaped. */
void child_gone(struct child *c);

void child_done(struct child *c);

#endif
