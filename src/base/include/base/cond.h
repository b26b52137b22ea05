// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BASE_COND_H
#define BASE_COND_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* Condition variables whose waits end by CLOCK_MONOTONIC, which nobody sets. */

/** Destroy with pthread_cond_destroy(). */
void cond_init(pthread_cond_t *cond);

/**
 * Wait, with the lock held, until somebody signals or that time has come; also wakes for nothing,
 * as pthread_cond_wait() does. False: the time has come.
 */
bool cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t mono_ns);

#endif
