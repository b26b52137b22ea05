// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef ACT_SCHEDULES_H
#define ACT_SCHEDULES_H

// Deeds that are due by time. All of it belongs to the loop's thread, but for what a run carries to
// its worker.

#include <stdint.h>

#include "base/err.h"
#include "manage/schedule.h"

struct act;
struct schedule_run;

struct schedules {
    struct schedule_run *runs; // on workers, or with tasks still to be added
    struct schedule_run *back; // under the inbox's lock, from workers
    int64_t look_ns;           // when to look at the clock again, monotonic
};

void schedules_step(struct act *a, int64_t now);
int64_t schedules_wake_ns(const struct act *a);

// One was added, or its time changed.
void schedules_changed(struct act *a);

// Run one now, whatever its time; the batch's name goes to *ret_batch (caller frees). Takes `s`.
int schedules_run_now(struct act *a, struct schedule *s, char **ret_batch, struct err *err);

#endif
