// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef VIRT_HOST_TURN_H
#define VIRT_HOST_TURN_H

/*
 * Reading a kernel file costs mostly the fetching of what went cold since a second ago, whatever
 * its size. Sources that no rate of the last second is computed from have a turn: they are read in
 * every fifth sample, so that they are at most four samples old, and in every sample where samples
 * are far apart; of a process whose guest rests in every tenth. All sources of one object have
 * theirs together (their facts are of LANE_TURN and share its stamp); objects begin at different
 * places, to spread the load.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

#define TURNS 5
#define TURN_AGE_NS (9 * NS_PER_S / 2)
#define TURNS_AT_REST 10
#define TURN_AGE_AT_REST_NS (19 * NS_PER_S / 2)

/** Zeroed memory is a valid one that is due. */
struct turns {
    unsigned now; /**< counts samples; begin it anywhere */
    int64_t read_ns;
};

/** Whether it is due at `mono_ns`. all: it is, as something has changed; rests: seldom. */
static inline bool turns_next_of(struct turns *t, int64_t mono_ns, bool all, bool rests)
{
    unsigned turns = rests ? TURNS_AT_REST : TURNS;
    int64_t age_ns = rests ? TURN_AGE_AT_REST_NS : TURN_AGE_NS;
    t->now++;
    if (!all && t->read_ns != 0 && t->now % turns != 0 && mono_ns - t->read_ns < age_ns)
        return false;
    t->read_ns = mono_ns;
    return true;
}

/** The same of what never rests. */
static inline bool turns_next(struct turns *t, int64_t mono_ns, bool all)
{
    return turns_next_of(t, mono_ns, all, false);
}

#endif
