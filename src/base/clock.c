// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/clock.h"

#include <stdatomic.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static int64_t system_mono(void *arg)
{
    return read_clock(CLOCK_MONOTONIC);
}

static int64_t system_real(void *arg)
{
    return read_clock(CLOCK_REALTIME);
}

const struct clock clock_system = {system_mono, system_real, NULL};

static int64_t fake_mono(void *arg)
{
    return atomic_load_explicit(&((struct clock_fake *)arg)->mono, memory_order_relaxed);
}

static int64_t fake_real(void *arg)
{
    return atomic_load_explicit(&((struct clock_fake *)arg)->real, memory_order_relaxed);
}

void clock_fake_init(struct clock_fake *f, int64_t mono_ns, int64_t real_ns)
{
    *f = (struct clock_fake){{fake_mono, fake_real, f}, mono_ns, real_ns};
}

void clock_fake_advance(struct clock_fake *f, int64_t ns)
{
    atomic_fetch_add_explicit(&f->mono, ns, memory_order_relaxed);
    atomic_fetch_add_explicit(&f->real, ns, memory_order_relaxed);
}
