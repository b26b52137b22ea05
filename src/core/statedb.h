// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef CORE_STATEDB_H
#define CORE_STATEDB_H

// Core's state that must survive: events, alerts, notifications, in one SQLite file. A thread owns
// the file, since each commit waits for the disk and the loop must not. The loop hands over jobs,
// which are carried out in order; what is queued at the same time shares one commit. A file that
// cannot be opened, or for which the disk has no room, is tried again with growing pauses; jobs
// that wait are carried out then.

#include <uv.h>

#include "base/err.h"
#include "store/store.h"

struct statedb;

struct statedb_job {
    struct statedb_job *next; // of statedb
    // On the thread, within a transaction. 0 or -errno, which undoes what this job wrote. May be
    // called a second time after a first one was undone.
    int (*run)(struct statedb_job *job, struct store *s);
    // On the loop, after the commit; frees the job. -ENODEV: there is no database; -ENOBUFS: nor
    // may more jobs wait for it.
    void (*done)(struct statedb_job *job, int result);
    bool waits; // until the file can be opened or the disk has room, rather than fail
    int result; // of statedb
};

// So many jobs may wait.
#define STATEDB_WAITING_MAX 5000

// Open the file (its directory is made) and start the thread; the caller frees with statedb_free().
// Without a database (`path` NULL, or it cannot be opened: see `err`) jobs that do not wait fail
// with -ENODEV. `opened`: on the loop, when the file could be opened later; `schemas` are borrowed.
struct statedb *statedb_new(uv_loop_t *loop, const char *path,
                            const struct store_schema *const *schemas, size_t n,
                            void (*opened)(void *arg), void *arg, struct err *err);

// Carries out what is queued, calls all done(), ends the thread. The loop need not run.
void statedb_free(struct statedb *db);

// False: jobs fail or wait.
bool statedb_is_open(const struct statedb *db);

// Why jobs wait or fail: the file cannot be opened, or the disk is full; NULL where all is well or
// there is to be no file. Freed by the caller.
char *statedb_error(struct statedb *db);

// Queue a job. The loop's thread only.
void statedb_submit(struct statedb *db, struct statedb_job *job);

// For the start only, before anything was submitted: the file, to be read from.
struct store *statedb_store(struct statedb *db);

#endif
