// SPDX-License-Identifier: GPL-3.0-or-later
#include "sim/world.h"

#include "base/mem.h"

#define ROUNDS_MAX 30

struct precopy precopy(uint64_t memory_bytes, uint64_t working_set_bytes,
                       uint64_t dirty_bytes_per_s, uint64_t bytes_per_s, double limit_s)
{
    struct precopy r = {0};
    double rate = (double)MAX_OF(bytes_per_s, 1), left = (double)memory_bytes;
    double most = (double)MIN_OF(working_set_bytes, memory_bytes), copied = 0;
    while (left > limit_s * rate && r.rounds < ROUNDS_MAX) {
        double round_s = left / rate;
        copied += left;
        r.duration_s += round_s;
        r.rounds++;
        double dirtied = round_s * (double)dirty_bytes_per_s;
        double next = dirtied < most ? dirtied : most;
        // Once a round dirties all that it copies, another one gains nothing.
        bool stuck = next >= left;
        left = next;
        if (stuck)
            break;
    }
    r.pause_s = left / rate;
    r.duration_s += r.pause_s;
    r.copied_bytes = (uint64_t)(copied + left);
    r.converged = r.pause_s <= limit_s;
    return r;
}
