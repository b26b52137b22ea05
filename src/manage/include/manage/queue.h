// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef MANAGE_QUEUE_H
#define MANAGE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** A task that is not over, as far as its turn goes. All texts borrowed. */
struct queue_item {
    int64_t id;        /**< rises in the order of asking */
    const char *vm;    /**< the VM's UUID, or its name before it has one */
    const char *other; /**< a second name that it locks, or NULL */
    const char *batch; /**< tasks of one batch share a limit; NULL = none */
    int64_t parallel;  /**< so many of the batch at once; 0 = no limit of its own */
    int64_t after;     /**< the task that must be done first; 0 = none, or it is done */
    bool running;
};

/**
 * Which queued tasks may start now, given all that are not over, in the order of their ids. A VM
 * has one task at a time, and its tasks start in the order in which they were asked for; one that
 * waits for another holds back the later ones of its VM. At most `limit` run at once. Pure.
 * Writes indices of `items` to `ret` (room for n) and returns how many.
 */
size_t queue_pick(const struct queue_item *items, size_t n, size_t limit, size_t *ret);

#endif
