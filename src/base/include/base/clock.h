// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

#define NS_PER_S INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)

/** Where time comes from, so that tests and the simulator bring their own. */
struct clock {
    int64_t (*mono_ns)(void *arg); /**< never steps back; origin without meaning */
    int64_t (*real_ns)(void *arg); /**< since 1970-01-01 UTC */
    void *arg;
};

/** The machine's CLOCK_MONOTONIC and CLOCK_REALTIME. */
extern const struct clock clock_system;

static inline int64_t clock_mono_ns(const struct clock *c)
{
    return c->mono_ns(c->arg);
}

static inline int64_t clock_real_ns(const struct clock *c)
{
    return c->real_ns(c->arg);
}

/** A clock that stands still until told; both times move together. Any thread may read it. */
struct clock_fake {
    struct clock clock;
    _Atomic int64_t mono;
    _Atomic int64_t real;
};

void clock_fake_init(struct clock_fake *f, int64_t mono_ns, int64_t real_ns);
void clock_fake_advance(struct clock_fake *f, int64_t ns);

#endif
