// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef ACT_LOOP_H
#define ACT_LOOP_H

// act's loop, run by a test.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "act.h"

static inline void act_loop_pump(struct act *act)
{
    uv_run(&act->loop, UV_RUN_NOWAIT);
}

static inline void act_loop_timer(uv_timer_t *t) {}

// One round that lasts at most 20 ms.
static inline void act_loop_wait(struct act *act)
{
    uv_timer_t t;
    uv_timer_init(&act->loop, &t);
    uv_timer_start(&t, act_loop_timer, 20, 0);
    uv_run(&act->loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&t, NULL);
    act_loop_pump(act);
}

static inline void act_loop_close_one(uv_handle_t *h, void *arg)
{
    if (!uv_is_closing(h))
        uv_close(h, NULL);
}

// Nothing that uses it runs any more.
static inline void act_loop_close(struct act *act)
{
    uv_walk(&act->loop, act_loop_close_one, NULL);
    while (uv_run(&act->loop, UV_RUN_NOWAIT))
        ;
}

#endif
