// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/cond.h"

#include <time.h>

#include "base/clock.h"

void cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
}

bool cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t mono_ns)
{
    struct timespec at = {mono_ns / NS_PER_S, mono_ns % NS_PER_S};
    return pthread_cond_timedwait(cond, lock, &at) == 0;
}
