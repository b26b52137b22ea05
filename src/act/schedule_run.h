// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef ACT_SCHEDULE_RUN_H
#define ACT_SCHEDULE_RUN_H

// One run of a schedule, and what it adds for one VM.

#include <jansson.h>

#include "act.h"
#include "manage/schedule.h"

/** On its way: with a worker while it has a connection, then with the loop. */
struct schedule_run {
    struct work work; // first: a work is its run
    struct schedule_run *next;
    struct act *act;
    struct schedule schedule; // owned
    struct grant grant;       // owned
    json_t *fields;           // owned: of the deed
    int64_t due_s, next_s;
    bool late;
    char *batch;
    struct conn *conn; // NULL: it is back
    size_t at, added;
    size_t stuck;       // old snapshots whose deletion failed lately: they stay for now
    int64_t stuck_task; // the last such deletion's
    // Written by the worker:
    json_t *chosen; // owned
    struct err err;
    int result;
};

static inline bool schedule_run_keeps(const struct schedule_run *run)
{
    return run->schedule.keep > 0 || run->schedule.keep_for_s > 0;
}

/** On a worker: put the names of its snapshots into the chosen VM. Where they cannot be read, none
 * is deleted this time. */
void schedule_run_look(struct schedule_run *run, json_t *vm);

/** The VM's tasks: the deed, then what is too much after it. Again is well. 0 or -errno. */
int schedule_run_add(struct schedule_run *run, const json_t *vm, struct err *err);

#endif
