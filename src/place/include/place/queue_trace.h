// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef PLACE_QUEUE_TRACE_H
#define PLACE_QUEUE_TRACE_H

/*
 * Requests for VMs as a CSV file. Its first line names the columns, in any order:
 *
 *     arrival   seconds; not before the line above
 *     run       seconds that the VM will run; above 0
 *     vcpus     0.001 to 4096
 *     memory    bytes, or a text such as 8G; 0 if absent
 *     estimate  seconds that its owner says it will run; `run` if absent
 *     priority  a whole number, greater is more important; 0 if absent
 *
 * The first three must be there. Empty lines and lines that begin with # are passed over.
 */

#include "place/queue.h"

#define QUEUE_TRACE_MAX 5000000 /**< requests */

/**
 * Read `len` bytes; `file` stands in messages. The caller frees *ret. 0; -EINVAL with file, line
 * and column; -ENOMEM. What is returned is fit for queue_run().
 */
int queue_trace_parse(const char *file, const char *text, size_t len, struct queue_request **ret,
                      size_t *ret_n, struct err *err);

/** Means of a trace, for queueing theory. */
struct queue_trace_means {
    double arrivals_per_s; /**< 0 for fewer than two requests, or all at once */
    double service_s, service_deviation_s;
    struct place_vector need;
};

struct queue_trace_means queue_trace_means(const struct queue_request *requests, size_t n);

#endif
