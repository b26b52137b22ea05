// SPDX-License-Identifier: GPL-3.0-or-later
// act's loop: whatever happens, everything that may be due is looked at, and the timer set for
// what comes next.
#include "act.h"
#include "base/mem.h"

// Calls, those written off, one attempt to connect, and closing.
#define THREADS (ACT_IN_FLIGHT + ACT_WRITTEN_OFF + 3)

static void on_timer(uv_timer_t *handle)
{
    act_step(handle->loop->data);
}

static void on_wake(uv_async_t *handle)
{
    act_step(handle->loop->data);
}

void act_init(struct act *a)
{
    *a = (struct act){.waiting_fd = -1};
    uv_loop_init(&a->loop);
    a->loop.data = a;
    uv_mutex_init(&a->inbox.lock);
    uv_async_init(&a->loop, &a->wake, on_wake);
    uv_timer_init(&a->loop, &a->timer);
    a->workers = workers_new(THREADS);
}

void act_step(struct act *a)
{
    if (a->stopping || !a->started)
        return;
    int64_t now = act_now();
    state_step(&a->state, now);
    link_step(a, now);
    calls_step(a, now);
    asks_step(a);
    schedules_step(a, now);
    tasks_step(a, now);
    consoles_step(a, now);
    int64_t wake = MIN_OF(MIN_OF(link_wake_ns(a), calls_wake_ns(a)), tasks_wake_ns(a));
    wake = MIN_OF(wake, MIN_OF(schedules_wake_ns(a), consoles_wake_ns(a)));
    uv_timer_stop(&a->timer);
    if (wake == INT64_MAX)
        return;
    uv_update_time(&a->loop);
    uint64_t ms = wake > now ? (uint64_t)((wake - now) / NS_PER_MS + 1) : 0;
    uv_timer_start(&a->timer, on_timer, ms, 0);
}

void act_stop(struct act *a)
{
    a->stopping = true;
    uv_stop(&a->loop);
}
