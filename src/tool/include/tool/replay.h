// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef TOOL_REPLAY_H
#define TOOL_REPLAY_H

/*
 * Recorded history as `vherd list` would have shown it: each VM's brief fields, step by step.
 */

#include <jansson.h>

#include "tool/history.h"

struct tool_replay_options {
    int64_t start_ms, end_ms;
    int64_t step_ms; /**< > 0 */
};

/**
 * The VMs at one time, {"time": seconds, "vms": […]}, with the names of fields that the API has.
 * Rates are over the step. Borrowed. Negative ends the replay and is its result.
 */
typedef int tool_replay_fn(void *arg, int64_t t_ms, const json_t *answer);

/** 0, what `show` returned, or what history_walk() returns. */
int tool_replay(struct history *h, const struct tool_replay_options *o, tool_replay_fn *show,
                void *arg, struct err *err);

#endif
