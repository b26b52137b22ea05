// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef COLLECT_WORKERS_H
#define COLLECT_WORKERS_H

#include <stddef.h>

/** Something that may block for ever; embed it in a struct of your own. */
struct work {
    struct work *next;
    void (*run)(struct work *w);             /**< on a worker thread */
    void (*done)(struct work *w, void *arg); /**< after run, on the same thread: hand it over */
    void *arg;
};

/**
 * Threads that run work which may never come back. A new thread is started where all others are
 * busy; those left idle beyond four end. A thread whose work hangs stays with it. Of idle threads
 * the one that worked last is woken, as its memory is still in the caches.
 */
struct workers;

/**
 * `max_threads` 0: there are none; work is done by who hands it over, before that returns. For work
 * that cannot hang, where all has to happen in the same order each time.
 */
struct workers *workers_new(size_t max_threads);

/**
 * Wait for idle threads to end; threads that hang are left behind, and with them the memory that
 * they use. Returns the number left behind (then the struct itself is not freed).
 */
size_t workers_free(struct workers *w);

/** Hand over work; 0, or -EAGAIN where max_threads are busy or no thread can be had. */
int workers_submit(struct workers *w, struct work *work);

/** How much waits for a thread, and how many threads have nothing to do. */
size_t workers_waiting(struct workers *w);
size_t workers_idle(struct workers *w);

#endif
