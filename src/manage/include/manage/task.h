// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef MANAGE_TASK_H
#define MANAGE_TASK_H

/*
 * Tasks as they are kept: queued → running → done, failed or cancelled; queued → cancelled. Every
 * change is on disk when its call returns, unless the caller holds a transaction. One thread.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "store/store.h"
#include "verb/deed.h"

/** The tables, for store_open(). */
extern const struct store_schema task_schema;

enum task_state {
    TASK_QUEUED,
    TASK_RUNNING,
    TASK_DONE,
    TASK_FAILED,
    TASK_CANCELLED,
    TASK_STATE_MAX,
    TASK_STATE_INVALID = -1,
};

/** "queued", "running", "done", "failed", "cancelled". */
const char *task_state_name(enum task_state state);
enum task_state task_state_parse(const char *name);
static inline bool task_is_over(enum task_state state)
{
    return state >= TASK_DONE;
}

struct task {
    int64_t id;              /**< 1, 2, 3 …; 0 = not added */
    const struct deed *deed; /**< NULL: a deed that this version does not know */
    enum task_state state;
    char *vm;                                 /**< its name when it was asked for */
    char *uuid;                               /**< "" = it did not exist yet */
    char *principal;                          /**< who asked */
    char *key;                                /**< NULL = none */
    char *batch;                              /**< NULL = none */
    int64_t parallel, max_failures;           /**< of the batch */
    int64_t after;                            /**< 0 = none */
    int64_t intent;                           /**< its record in the audit log */
    int64_t created_ns, started_ns, ended_ns; /**< real time; 0 = not yet */
    json_t *body;                             /**< owned */
    json_t *result;                           /**< owned; NULL until it is over */
    int64_t mends;   /**< tries to put things in order that were begun and came to nothing */
    char *message;   /**< why it failed and what is now true; NULL = nothing to say */
    double progress; /**< 0 to 1, negative = unknown; not kept on disk */
    char *phrase;    /**< what it is doing; not kept on disk */
};

void task_done(struct task *t);

/** Add; sets t->id. -EEXIST: this principal has used this key. */
int task_add(struct store *s, struct task *t);

/** The task of a principal's key: 0 or -ENOENT. */
int task_by_key(struct store *s, const char *principal, const char *key, int64_t *ret_id);

/** -ENOENT where there is none. Free with task_done(). */
int task_get(struct store *s, int64_t id, struct task *ret);

/** The tasks that are not over, oldest first. The caller frees with tasks_free(). */
int task_open(struct store *s, struct task **ret, size_t *ret_n);
void tasks_free(struct task *tasks, size_t n);

/** From queued to running. */
int task_start(struct store *s, int64_t id, int64_t now_ns);

/** It is over. -EALREADY where it was. `result` is borrowed, may be NULL. */
int task_finish(struct store *s, int64_t id, enum task_state state, const char *message,
                const json_t *result, int64_t now_ns);

/** Write t->mends, before a try is begun, so that one that ends the process counts as well. */
int task_mends(struct store *s, int64_t id, int64_t mends);

/** Add a note to its journal, and read all of them, in order. The caller owns *ret. */
int task_note(struct store *s, int64_t id, const json_t *note);
int task_notes(struct store *s, int64_t id, json_t **ret);

/** How many tasks of a batch have failed. */
int task_failures(struct store *s, const char *batch, int64_t *ret);

/**
 * The last task of a deed on a VM that failed after `since_ns`, in a batch whose name begins with
 * `batch_head`, and whose field `name` was that. -ENOENT: there is none.
 */
int task_last_failed(struct store *s, const struct deed *deed, const char *uuid,
                     const char *batch_head, const char *name, int64_t since_ns, int64_t *ret);

struct task_filter {
    const char *vm;    /**< name; NULL = any */
    const char *batch; /**< NULL = any */
    const char *by;    /**< who asked; NULL = any */
    int state;         /**< enum task_state, -1 = any */
    int64_t before;    /**< ids below; 0 = from the newest */
    size_t limit;      /**< at most */
};

/** Newest first; the callback returns false to end. */
int task_list(struct store *s, const struct task_filter *f,
              bool (*each)(const struct task *t, void *arg), void *arg);

/** Forget tasks that ended before this time, with their journals; their audit records stay. */
int task_prune(struct store *s, int64_t ended_before_ns);

/** One task as JSON; `whole` adds body and result. */
void task_json(const struct task *t, bool whole, int64_t now_ns, struct json *j);

#endif
