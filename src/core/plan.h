// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef CORE_PLAN_H
#define CORE_PLAN_H

// What plans that are asked for and automatic ones share.

#include "core.h"
#include "place/history.h"
#include "place/plan.h"

// The herd as planners take it, on the loop; NULL while CPUs and memory of the host are not known.
// The caller frees it.
struct place_snapshot *plan_snapshot(const struct core *c);

// Stored history of a snapshot's VMs, for a worker.
struct plan_reader {
    struct query_source *source;
    const struct place_snapshot *s;
    const struct job_limits *limits;
    struct place_history history; // of the VM asked for last; place_history_done()
};

// As plan_history.of_vm; `arg` is a plan_reader.
int plan_read_history(void *arg, int32_t vm, struct rightsize_vm *ret, struct err *err);

// 0, or -ECANCELED, -ETIME with a sentence; `arg` is a plan_reader.
int plan_check_limits(void *arg, struct err *err);

#endif
