// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef VIRT_HOST_TURN_H
#define VIRT_HOST_TURN_H

/*
 * Reading a kernel file costs mostly the fetching of what went cold since a second ago, whatever
 * its size. Sources that can wait have a turn: the host's slow ones in every fifth sample, those of
 * a process whose guest rests in every tenth; in every sample where samples are far apart. Of a
 * guest at work everything is read each time. All sources of one object have their turn together
 * (their facts are of LANE_TURN and share its stamp); objects begin at different places, to spread
 * the load.
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

/** Whether it is due at `mono_ns`, as one of so many or being so old. all: something has changed.
 */
static inline bool turns_due(struct turns *t, int64_t mono_ns, bool all, unsigned turns,
                             int64_t age_ns)
{
    t->now++;
    if (!all && t->read_ns != 0 && t->now % turns != 0 && mono_ns - t->read_ns < age_ns)
        return false;
    t->read_ns = mono_ns;
    return true;
}

/** Whether one of the host's slow sources is due at `mono_ns`. */
static inline bool turns_next(struct turns *t, int64_t mono_ns, bool all)
{
    return turns_due(t, mono_ns, all, TURNS, TURN_AGE_NS);
}

/** Whether a process is due at `mono_ns`: always, unless its guest rests. */
static inline bool turns_next_guest(struct turns *t, int64_t mono_ns, bool all, bool rests)
{
    return turns_due(t, mono_ns, all || !rests, TURNS_AT_REST, TURN_AGE_AT_REST_NS);
}

#endif
