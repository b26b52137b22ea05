// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef SEND_RW_STEP_H
#define SEND_RW_STEP_H

/*
 * What one receiver of remote write is due: a pure state machine. It is told what happened and the
 * time, and answers what to do next. It holds one batch at a time, so that an unreachable receiver
 * costs the memory of one; the rest waits in the log, of which it knows its place only.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/remote_write.h"

struct rw_params {
    enum rw_version version;
    int64_t deadline_ns; /**< how long an incomplete batch may wait */
    int64_t min_backoff_ns, max_backoff_ns;
    bool retry_429;
    bool metadata; /**< 1.0: send metadata by themselves, each: */
    int64_t metadata_interval_ns;
    uint32_t metadata_per_request;
};

enum rw_state_name {
    RW_IDLE,    /**< until `due_ns` */
    RW_ASKED,   /**< waits for core */
    RW_SENDING, /**< waits for the receiver: a batch */
    RW_TELLING, /**< waits for the receiver: metadata */
    RW_BACKOFF, /**< holds a batch until `due_ns` */
};

struct rw_stats {
    uint64_t sent;     /**< samples that a receiver took */
    uint64_t dropped;  /**< samples that it refused for good */
    uint64_t retries;  /**< requests repeated */
    uint64_t requests; /**< requests in all */
    uint64_t lost;     /**< samples that the log no longer had */
};

struct rw_step {
    struct rw_params params;
    enum rw_state_name state;
    enum rw_version version; /**< in use; falls back to 1.0 for good */
    int64_t due_ns;
    int64_t metadata_due_ns;
    uint32_t metadata_at;          /**< families told in this round */
    uint32_t attempts;             /**< failures of this batch in a row */
    bool placed;                   /**< `place` is known */
    struct samples_position place; /**< all before it is dealt with */
    struct samples_batch batch;    /**< what is in hand */
    uint64_t batch_samples;
    struct rw_stats stats;
};

enum rw_event_type {
    RW_TICK,       /**< time has passed */
    RW_GOT_BATCH,  /**< core answered */
    RW_GOT_RESULT, /**< the receiver answered, or the request failed */
    RW_LOST_CORE,  /**< the connection to core broke: its answer will not come */
};

struct rw_event {
    enum rw_event_type type;
    int64_t now_ns;    /**< monotonic */
    uint32_t random;   /**< for jitter */
    uint32_t families; /**< RW_TICK: how many there are to tell */
    struct samples_batch batch;
    uint64_t samples;       /**< RW_GOT_BATCH: how many it holds, after relabelling */
    int status;             /**< HTTP status, 0: no answer */
    int64_t retry_after_ns; /**< -1: none given */
    bool confirmed;         /**< the answer had X-Prometheus-Remote-Write-*-Written */
};

enum rw_deed {
    RW_WAIT, /**< until `wake_ns` or an event */
    RW_ASK,  /**< ask core for what follows `place` (what core has kept, unless `placed`) */
    RW_POST, /**< send the batch, in `version` */
    RW_POST_METADATA, /**< send families from `metadata_at` on */
};

struct rw_update {
    enum rw_deed deed;
    int64_t wake_ns;   /**< when to tick next; INT64_MAX: not at all */
    bool done;         /**< tell core that all before `place` is dealt with */
    bool dropped;      /**< the batch was refused for good: tell a person */
    bool failed_first; /**< the first failure in a row: tell a person */
    bool recovered;    /**< the first success after failures */
    bool fell_back;    /**< from 2.0 to 1.0, just now */
};

void rw_step_init(struct rw_step *s, const struct rw_params *params, int64_t now_ns);

/** One event in, one deed out. */
struct rw_update rw_step(struct rw_step *s, const struct rw_event *e);

/** The pause before attempt number `attempt` (1 is the first repetition): doubled each time, within
 * the bounds, give or take a quarter. */
int64_t rw_backoff_ns(const struct rw_params *p, uint32_t attempt, uint32_t random);

#endif
