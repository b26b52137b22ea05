// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef PROMQL_MEMORY_H
#define PROMQL_MEMORY_H

/*
 * A query_source in memory: for tests of rules (`rules test`) and of the language itself. One
 * thread fills it; then several may read it.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/labels.h"
#include "model/query.h"

struct promql_memory;

struct promql_memory *promql_memory_new(void);
void promql_memory_free(struct promql_memory *m);

/** The source; lives as long as the memory. */
struct query_source *promql_memory_source(struct promql_memory *m);

/**
 * Append a sample to the series of these labels (copied), which is made where it is new. Times of
 * one series go up; a sample at the time of the last one replaces it. 0, -EINVAL (earlier than the
 * last one), -ENOMEM.
 */
int promql_memory_append(struct promql_memory *m, const struct labels *labels, int64_t t_ms,
                         double v);

/**
 * From now on give what is older than `before_ms` as buckets of this resolution only (borders at
 * multiples of it), as a store does whose raw data are gone. 0: samples again.
 */
void promql_memory_roll_up(struct promql_memory *m, int64_t before_ms, int64_t resolution_ms);

/** Whether buckets are given to readers whose hints allow it, also where samples exist. */
void promql_memory_allow_buckets(struct promql_memory *m, int64_t resolution_ms);

/** Series and samples held. */
size_t promql_memory_series(const struct promql_memory *m);
size_t promql_memory_samples(const struct promql_memory *m);

#endif
