// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef VIRT_HOST_PROBE_H
#define VIRT_HOST_PROBE_H

/*
 * Readings that may wait for a sick process or take long (its command line and memory map are
 * behind its memory lock): done on a thread beside the sampler. One that does not return is
 * written off, and a fresh thread takes over.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** One reading; embedded in a larger struct. Whoever runs it owns it. */
struct probe {
    struct probe *next;
    int64_t limit_ns;              /**< running for longer, it is written off */
    bool late;                     /**< it came back after it had been written off */
    void (*run)(struct probe *p);  /**< on the other thread */
    void (*free)(struct probe *p); /**< of the whole struct; on any thread */
};

struct prober;

struct prober *prober_new(void);

/** Stop; queued readings are freed, running ones when they return. Accepts NULL. */
void prober_free(struct prober *p);

/** Hand a reading over; the prober owns it until prober_take() gives it back. */
void prober_submit(struct prober *p, struct probe *probe);

/** A reading that is done, or NULL; the caller owns it. */
struct probe *prober_take(struct prober *p);

/** Wait until all is done, but no longer than `limit_ns`. True where all is done. */
bool prober_wait(struct prober *p, int64_t limit_ns);

/**
 * Write the running reading off where it is past its limit, so that the others go on; should it
 * return one day, prober_take() gives it with `late` set. Gives its address, for comparing only,
 * or NULL where there is none.
 */
const struct probe *prober_expire(struct prober *p);

#endif
