// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef CORE_JOBS_H
#define CORE_JOBS_H

// Answers that take longer than the loop may: worked out by a few threads, sent in pieces as fast
// as the client takes them, so that neither the loop nor a slow client's answer is ever waited for.
// All functions here are the loop's.

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/buf.h"

struct jobs;

// What a worker may look at while it works.
struct job_limits {
    int64_t deadline_ns; // monotonic
    const atomic_bool *cancelled;
};

// One kind of answer; both are called by workers, one call at a time for each job.
struct job_ops {
    // Work, and put the beginning of the body into `out`; the HTTP status. *ret_more: next() gives
    // the rest.
    int (*run)(void *arg, const struct job_limits *limits, struct buf *out, bool *ret_more);
    // Another piece of some IPC_PIECE_BYTES. False: it was the last. May be NULL.
    bool (*next)(void *arg, struct buf *out);
    // Bytes that the job holds until its client has all of it; asked once run() is done. May be
    // NULL.
    size_t (*held)(const void *arg);
    void (*free)(void *arg);
    const char *failed_type; // content type of answers with a status from 400; NULL: as all others
};

struct jobs_params {
    uv_loop_t *loop;
    const char *type; // content type of answers
    // As peer_send().
    void (*send)(void *arg, int ipc_type, uint32_t id, int status, const void *a, size_t a_len,
                 const void *b, size_t b_len);
    void *arg;
};

struct jobs *jobs_new(const struct jobs_params *p);
void jobs_free(struct jobs *j); // waits for the workers; no answer is sent any more

// How many work at the same time, how many jobs there may be in all, and at how many bytes held by
// answers that slow clients still take no new job is let in.
void jobs_limit(struct jobs *j, size_t concurrency, size_t most, size_t most_held);

// Takes over `arg` in any case. 0, -EBUSY (there are as many as may be), -ENOMEM (they hold as much
// as they may).
int jobs_add(struct jobs *j, uint32_t id, const struct job_ops *ops, void *arg,
             int64_t deadline_ns);

// The client has taken a piece; the client is gone. Unknown ids are nothing.
void jobs_more(struct jobs *j, uint32_t id);
void jobs_forget(struct jobs *j, uint32_t id);
void jobs_forget_all(struct jobs *j);

size_t jobs_count(const struct jobs *j);

#endif
