// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef TOOL_SIM_H
#define TOOL_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum tool_format {
    TOOL_FORMAT_TEXT,
    TOOL_FORMAT_JSON,
    TOOL_FORMAT_CSV,
};

/** Options of `vherd sim run`. */
struct tool_sim_options {
    const char *const *policies; /**< to compare; none: the scenario's own */
    size_t policies_n;
    bool report; /**< the whole timeline, not only one line an hour or so */
    bool utf8;
    enum tool_format format;
    const char *told; /**< what rules told in it, in that format, to stand at the end; or NULL */
    /** Told now and then how much of all runs is done, and which policy's runs; NULL: nobody. */
    void (*progress)(void *arg, const char *policy, double done_ratio);
    void *arg;
};

/**
 * Simulate a scenario file and write timeline and summary, or a table of policies. 0 or -errno with
 * a message (file, line and column where the scenario is at fault).
 */
int tool_sim_run(const char *path, const struct tool_sim_options *options, struct buf *out,
                 struct err *err);

/** Options of `vherd sim cloudsim`. */
struct tool_cloudsim_options {
    const char *traces, *policy, *mode; /**< folder; NULL: "vherd"; NULL: "A" */
    const char *seed;                   /**< a number; NULL: 1 */
    bool timing;                        /**< CPU time too, which differs from run to run */
    enum tool_format format;
};

/** CloudSim's PlanetLab experiment on a folder of traces (sim/cloudsim.h). Same results. */
int tool_sim_cloudsim(const struct tool_cloudsim_options *options, struct buf *out,
                      struct err *err);

/** Options of `vherd sim queue`, as they were given; NULL: not given. */
struct tool_queue_options {
    const char *const *policies; /**< disciplines, with commas between; none: all */
    size_t policies_n;
    const char *trace;                        /**< place/queue_trace.h; NULL: generated */
    const char *rate, *mean, *service;        /**< 12 an hour, 4h, exponential */
    const char *requests, *priorities, *seed; /**< 100000, 3, 1 */
    const char *hosts, *vcpus, *memory;       /**< 1 host of 64 vCPUs and 256G */
    const char *ageing, *slice;               /**< 10m, 1h */
    enum tool_format format;
};

/** Requests for VMs through queue disciplines, and what theory expects. Same results. */
int tool_sim_queue(const struct tool_queue_options *options, struct buf *out, struct err *err);

#endif
