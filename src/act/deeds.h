// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef ACT_DEEDS_H
#define ACT_DEEDS_H

// Deeds and their tasks. All of it belongs to the loop's thread, but for what a worker is given.

#include <jansson.h>
#include <stdatomic.h>
#include <uv.h>

#include "auth/grant.h"
#include "collect/workers.h"
#include "manage/run.h"
#include "manage/task.h"
#include "net/ipc.h"
#include "store/audit.h"

struct act;
struct conn;

/** Questions that wait for libvirt. */
#define ASKS_MAX 256
/** Tasks that are not over. */
#define TASKS_OPEN_MAX 5000
/** Threads for questions and tasks. */
#define DEED_THREADS 48

enum job_phase {
    JOB_QUEUED,
    JOB_RUNNING, // on a worker
    JOB_BROKEN,  // broke off: to be mended when libvirt is there
    JOB_MENDING, // on a worker
};

/** A task that is not over. */
struct job {
    struct work work; // first: a work is its job
    struct job *next;
    struct act *act;
    struct task task;
    enum job_phase phase;
    int64_t retry_ns; // when to try mending again
    atomic_bool cancel;
    struct conn *conn;
    struct manage_run run;
    json_t *notes; // owned; of a mending
    // Under the inbox's lock:
    double progress;
    const char *phrase; // a literal
    // Written by the worker before it hands the job back:
    struct err err;
    int result;
    bool lost;     // a mending broke off as libvirt went away
    char now[512]; // what is true after a mending, or why it came to nothing
};

/** A worker that wants a note written waits in it. */
struct note_wish {
    struct note_wish *next;
    struct job *job;
    const json_t *note;
    bool answered;
    int result;
};

/** A worker that asks the supervisor for a VM's process waits in it. */
struct stray_wish {
    struct stray_wish *next;
    unsigned id;
    struct uuid uuid;
    bool end;
    bool sent, answered;
    int result;
};

struct ask;

/** act's part in struct act. */
struct deeds {
    struct workers *workers;
    bool loaded;      // the tasks of the time before
    int64_t retry_ns; // when to try that again
    struct job *jobs; // oldest first
    struct ask *asks; // on workers
    size_t n_jobs, n_asks;
    uv_cond_t note_written; // with the inbox's lock
    // Under the inbox's lock, from workers:
    struct job *back;
    struct ask *asked;
    struct note_wish *wishes;
    struct stray_wish *strays; // until they are answered, or given up
    unsigned last_stray;
};

// deeds.c
void deeds_open(struct act *a);
bool deeds_ready(struct act *a, int64_t now); // the database is open and its tasks are known
int64_t act_real_ns(void);

// asks.c: deeds and questions about them; false where the request is none. Takes the grant.
bool asks_request(struct act *a, uint32_t id, const struct ipc_request *request,
                  struct grant *grant);
void asks_step(struct act *a);
void asks_forget(struct act *a, uint32_t id); // nobody waits for it any more; 0 = for all

// tasks.c
/** Takes the task over when it succeeds. `address`: where it was asked for, NULL: here. */
int tasks_add(struct act *a, struct task *t, const char *address, struct err *err);
struct job *tasks_find(struct act *a, int64_t id);
int tasks_cancel(struct act *a, int64_t id, struct err *err);
/** Cancel those that nobody asked for and that have not begun; how many. */
size_t tasks_cancel_auto(struct act *a);
void tasks_step(struct act *a, int64_t now);
int64_t tasks_wake_ns(const struct act *a);
/** Copies what a running one has said of itself into its task. */
void tasks_refresh(struct act *a, struct job *job);
// strays.c
/** For struct manage_run: on a worker; `a` is a struct act. Waits for the supervisor. */
int strays_ask(struct act *a, const struct uuid *uuid, bool end);
void strays_send(struct act *a); // what workers have asked
/** "ID N" of the supervisor. */
void strays_answer(struct act *a, const char *text);

/** Does a task that is not over touch the VM that is called so, by name or UUID? */
bool tasks_touch(const struct act *a, const char *vm);

// core.c
int core_status_of(int error);

#endif
