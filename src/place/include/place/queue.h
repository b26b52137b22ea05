// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef PLACE_QUEUE_H
#define PLACE_QUEUE_H

/*
 * VM requests that do not fit at once wait in a queue. Its disciplines, played over a list of
 * requests with a discrete-event simulation: what each would mean for who waits how long.
 * place/queueing.h says what theory expects.
 *
 * Only round robin suspends what has begun. Under all others but backfilling the request that is
 * first in order holds back those behind it until it fits.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "place/snapshot.h"

enum queue_discipline {
    QUEUE_FCFS,        /**< first come, first served */
    QUEUE_SJF,         /**< shortest estimated run first */
    QUEUE_PRIORITY,    /**< greatest priority first, equals in order of arrival */
    QUEUE_AGEING,      /**< priority grows by 1 every `ageing_s` of waiting: nobody starves */
    QUEUE_ROUND_ROBIN, /**< runs `slice_s` at a time, then is suspended while others wait */
    QUEUE_BACKFILL,    /**< EASY: the first has a reservation; others may pass that do not delay it
                            (Lifka, "The ANL/IBM SP scheduling system", 1995) */
    QUEUE_DISCIPLINES,
    QUEUE_INVALID = -1,
};

const char *queue_discipline_name(enum queue_discipline d);
enum queue_discipline queue_discipline_parse(const char *name);

struct queue_request {
    double arrival_s;  /**< not before the request in front of it in the list */
    double service_s;  /**< how long it will run; > 0 */
    double estimate_s; /**< what it says of that; backfilling relies on it */
    struct place_vector need;
    int32_t priority; /**< greater is more important */

    double start_s;     /**< result: first start; NaN: never, it is larger than a host */
    double end_s;       /**< result */
    uint32_t suspended; /**< result: how often */
};

#define QUEUE_HOSTS_MAX 10000

/** Equal hosts; a request runs on one of them, the fullest that has room. */
struct queue_options {
    enum queue_discipline discipline;
    struct place_vector capacity; /**< of each host */
    size_t hosts;                 /**< 0: one */
    double ageing_s;              /**< of AGEING; > 0 */
    double slice_s;               /**< of ROUND_ROBIN; > 0 */
};

/** Over the requests that ran. Waiting is response minus service: suspensions are in it. */
struct queue_report {
    size_t served, impossible;
    double wait_mean_s, wait_p95_s, wait_max_s;
    double response_mean_s;
    double slowdown_mean;     /**< response / service, runs shorter than 10 s counted as 10 s */
    double utilisation_ratio; /**< of CPU, until the last end */
    double fairness;          /**< Jain's index of the slowdowns, 1 = all equal */
    double makespan_s;        /**< from first arrival to last end */
    uint64_t suspensions;
};

/** Play `n` requests, sorted by arrival; fills their results. 0, -EINVAL or -ENOMEM. */
int queue_run(const struct queue_options *options, struct queue_request *requests, size_t n,
              struct err *err);

/** Sum up requests that queue_run() has filled. 0 or -ENOMEM. */
int queue_report(const struct queue_options *options, const struct queue_request *requests,
                 size_t n, struct queue_report *ret);

/** Jain's index (Σx)² / (n Σx²) of `n` values >= 0; 1 for none. */
double queue_jain(const double *x, size_t n);

#endif
