// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef COLLECT_SAMPLER_H
#define COLLECT_SAMPLER_H

/*
 * The one-second lane: a thread of its own ("sampler"), woken by an absolute timer. It owns the
 * struct host and all its descriptors; batches leave through a sink that never blocks it.
 */

#include <stdint.h>

#include "base/err.h"
#include "virt/host.h"

struct sampler_params {
    const struct host_ops *ops;
    struct host_params host;
    int64_t interval_ns;
    int64_t scan_interval_ns;
    int64_t slow_interval_ns;
    struct host_sink sink;
};

/** How the sampler keeps time; whole since its start. */
struct sampler_stats {
    uint64_t taken;
    uint64_t missed;     /**< instants that passed before the sampler came to them */
    int64_t lateness_ns; /**< of the last sample's begin */
    int64_t duration_ns; /**< of the last sample */
};

struct sampler;

/** Open the host and start the thread. The caller owns *ret. */
int sampler_start(const struct sampler_params *params, struct sampler **ret, struct err *err);

/** Stop and join the thread, close the host, free. Accepts NULL. */
void sampler_stop(struct sampler *s);

/** Ask for a scan for new processes now, from any thread; returns at once. */
void sampler_scan_soon(struct sampler *s);

/** From the next sample on. */
void sampler_set_intervals(struct sampler *s, int64_t interval_ns, int64_t scan_interval_ns,
                           int64_t slow_interval_ns);

struct sampler_stats sampler_stats(struct sampler *s);

#endif
