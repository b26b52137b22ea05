// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef TSDB_TIMELINE_H
#define TSDB_TIMELINE_H

/*
 * Which time a sample gets when the wall clock is set. Pure: no clock is read here.
 *
 * Time only goes where nothing has been written yet: a clock that is set forward is followed at
 * once (a gap), one that is set back into a gap is followed, one that is set back into written time
 * is not: the line goes on from its end by the monotonic clock until the wall clock has caught up.
 * So no two samples of one series get the same time and no interval is negative.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIMELINE_STRETCHES 8

/** Written time, closed on both sides. */
struct timeline_stretch {
    int64_t start_ms, end_ms;
};

struct timeline {
    int64_t back_max_ms; /**< set back by more than this (1970): not believed */
    struct timeline_stretch stretch[TIMELINE_STRETCHES]; /**< sorted, the oldest dropped first */
    size_t n;
    size_t at;       /**< the stretch that is being written */
    int64_t mono_ms; /**< of the last step */
    int64_t last_ms; /**< what the last step gave */
    bool started;
};

/** `newest_ms`: the end of what is stored already; 0 for none. */
void timeline_init(struct timeline *l, int64_t newest_ms, int64_t back_max_ms);

/**
 * The time of the samples taken now. `gap_ms`: a pause longer than this begins a new stretch.
 * *ret_offset_ms (may be NULL): how far that is ahead of the wall clock, 0 in ordinary times.
 */
int64_t timeline_step(struct timeline *l, int64_t mono_ms, int64_t real_ms, int64_t gap_ms,
                      int64_t *ret_offset_ms);

#endif
