// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef VIRT_HOST_TURN_H
#define VIRT_HOST_TURN_H

/*
 * Reading a kernel file costs mostly the fetching of what went cold since a second ago, whatever
 * its size. Sources that no rate of the last second is computed from have a turn: every five
 * seconds as a rule (kernel.detail_interval), those of a process whose guest rests half as often;
 * in every sample where samples are far apart, or where a turn each second is asked for. All
 * sources of one object have their turn together (their facts are of LANE_TURN and share its
 * stamp); objects begin at different places, to spread the load.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

#define TURN_SAMPLE_NS (NS_PER_S * 9 / 10) /* samples that follow sooner are not counted */

/** Zeroed memory is a valid one that is due. */
struct turns {
    unsigned now; /**< counts samples that are nearly a second apart; begin it anywhere */
    int64_t seen_ns, counted_ns, read_ns;
};

/** Samples from one turn to the next, where they are a second apart. */
static inline unsigned turns_of(int64_t every_ns)
{
    return every_ns > NS_PER_S ? (unsigned)(every_ns / NS_PER_S) : 1;
}

/** How old a reading may become before the next sample makes another; samples are so far apart. */
static inline int64_t turn_age_ns(int64_t every_ns, int64_t interval_ns)
{
    return every_ns - (interval_ns < NS_PER_S ? interval_ns : NS_PER_S) / 2;
}

/** The pause between turns of what rests. */
static inline int64_t turn_at_rest_ns(int64_t every_ns)
{
    return every_ns > NS_PER_S ? 2 * every_ns : every_ns;
}

/** Whether it is due at `mono_ns`. all: it is, as something has changed. */
static inline bool turns_next(struct turns *t, int64_t mono_ns, int64_t every_ns, bool all)
{
    int64_t age_ns = turn_age_ns(every_ns, mono_ns - t->seen_ns);
    t->seen_ns = mono_ns;
    bool counts = mono_ns - t->counted_ns >= TURN_SAMPLE_NS;
    if (counts) {
        t->now++;
        t->counted_ns = mono_ns;
    }
    bool has_turn = counts && t->now % turns_of(every_ns) == 0;
    if (!all && t->read_ns != 0 && !has_turn && mono_ns - t->read_ns < age_ns)
        return false;
    t->read_ns = mono_ns;
    return true;
}

#endif
