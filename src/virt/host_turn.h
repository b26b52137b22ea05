// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef VIRT_HOST_TURN_H
#define VIRT_HOST_TURN_H

/*
 * Reading a kernel file costs mostly the fetching of what went cold since a second ago, whatever
 * its size. Sources that no rate is computed from take turns: each is read in every third sample,
 * so that it is at most two samples old, and in every sample where samples are far apart.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

#define TURNS 3
#define TURN_AGE_NS (5 * NS_PER_S / 2)

/** Zeroed memory is a valid one whose sources are all due. */
struct turns {
    unsigned now; /**< counts samples; begin it anywhere, to spread the load */
    bool due[TURNS];
    int64_t read_ns[TURNS];
};

/** Decide which turns are due at `mono_ns`; `all` of them where something has changed. */
static inline void turns_next(struct turns *t, int64_t mono_ns, bool all)
{
    t->now++;
    for (unsigned i = 0; i < TURNS; i++) {
        t->due[i] = all || t->read_ns[i] == 0 || t->now % TURNS == i ||
                    mono_ns - t->read_ns[i] >= TURN_AGE_NS;
        if (t->due[i])
            t->read_ns[i] = mono_ns;
    }
}

#endif
