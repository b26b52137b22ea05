// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef PLACE_QUEUEING_H
#define PLACE_QUEUEING_H

/*
 * What queueing theory expects of a queue in equilibrium. Times in seconds, rates per second.
 * Sources: Erlang's C formula; Pollaczek and Khinchine; Cobham (1954) for priorities; Allen and
 * Cunneen's approximation for M/G/c; Little's law L = λW throughout.
 */

#include "base/prng.h"
#include "place/queue.h"

struct queue_forecast {
    double
        utilisation_ratio; /**< ρ; from 1 on the queue grows without end and the rest is INFINITY */
    double wait_probability; /**< that an arrival has to wait at all */
    double wait_mean_s;
    double response_mean_s;
    double waiting_mean; /**< requests that wait */
    double inside_mean;  /**< that wait or run */
};

/** M/M/c: `servers` equal servers, exponential service. */
struct queue_forecast queue_mmc(double arrivals_per_s, double service_mean_s, int servers);

/** M/G/1: any service, of that mean and standard deviation. */
struct queue_forecast queue_mg1(double arrivals_per_s, double service_mean_s,
                                double service_deviation_s);

/** M/G/c approximately: M/M/c's waiting times (1 + C²)/2. Exact for c = 1 and for M/M/c. */
struct queue_forecast queue_mgc(double arrivals_per_s, double service_mean_s,
                                double service_deviation_s, int servers);

/** Time that an M/M/c arrival waits at most with that probability. */
double queue_mmc_wait_quantile_s(double arrivals_per_s, double service_mean_s, int servers,
                                 double probability);

/** A class of priority in M/G/1. */
struct queue_class {
    double arrivals_per_s;
    double service_mean_s;
    double service_deviation_s;
};

/** Mean wait of each class, most important first, without preemption; INFINITY where overloaded. */
void queue_priority_waits(const struct queue_class *classes, int n, double *ret_wait_mean_s);

/** How service times of generated requests are distributed. */
enum queue_service {
    QUEUE_EXPONENTIAL,
    QUEUE_DETERMINISTIC,
    QUEUE_HYPEREXPONENTIAL, /**< many short, some long: C² = 4 */
    QUEUE_ERLANG,           /**< of two stages: C² = 1/2 */
    QUEUE_SERVICES,
};

const char *queue_service_name(enum queue_service s);

/** Standard deviation over mean. */
double queue_service_variation(enum queue_service s);

/** Poisson arrivals that each need one CPU, priority 0, estimates that hold. */
void queue_generate(struct prng *p, double arrivals_per_s, double service_mean_s,
                    enum queue_service service, struct queue_request *ret, size_t n);

#endif
