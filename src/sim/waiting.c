// SPDX-License-Identifier: GPL-3.0-or-later
// VMs that no host could take, and whose turn it is. They are tried at each step; round robin and
// reservations are for `vherd sim queue` (place/queue.h), where runs have known lengths.
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "world.h"

struct turn {
    double key, since_s;
    uint32_t guest;
};

void guest_waits(struct world *w, uint32_t guest)
{
    struct guest *g = &w->guest[guest];
    if (g->state == GUEST_WAITING)
        return;
    w->waiting++;
    w->totals.waits++;
    g->state = GUEST_WAITING;
    g->waits_since_s = w->now_s;
}

void guest_waited(struct world *w, uint32_t guest)
{
    struct guest *g = &w->guest[guest];
    if (g->state != GUEST_WAITING)
        return;
    double wait_s = w->now_s - g->waits_since_s;
    w->waiting--;
    w->totals.wait_s += wait_s;
    w->totals.wait_max_s = fmax(w->totals.wait_max_s, wait_s);
}

bool guest_must_wait(const struct world *w, const struct guest *g)
{
    return w->scenario->queue != QUEUEING_ANY && w->waiting > 0 && g->kind->host < 0;
}

static double key_any(const struct world *w, const struct guest *g)
{
    return 0;
}

static double key_arrival(const struct world *w, const struct guest *g)
{
    return g->waits_since_s;
}

static double key_shortest(const struct world *w, const struct guest *g)
{
    return g->kind->lifetime_s > 0 ? g->kind->lifetime_s : INFINITY;
}

static double key_priority(const struct world *w, const struct guest *g)
{
    return -(double)g->kind->priority;
}

// All grow at one rate, so that their order never changes while they wait.
static double key_ageing(const struct world *w, const struct guest *g)
{
    return g->waits_since_s - (double)g->kind->priority * w->scenario->ageing_s;
}

static const struct {
    double (*key)(const struct world *w, const struct guest *g);
    bool strict; // the first holds back those behind it
} queues[QUEUEING_MAX] = {
    [QUEUEING_ANY] = {key_any, false},      [QUEUEING_FCFS] = {key_arrival, true},
    [QUEUEING_SJF] = {key_shortest, true},  [QUEUEING_PRIORITY] = {key_priority, true},
    [QUEUEING_AGEING] = {key_ageing, true},
};

static int by_turn(const void *a, const void *b)
{
    const struct turn *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    if (x->since_s != y->since_s)
        return x->since_s < y->since_s ? -1 : 1;
    return (x->guest > y->guest) - (x->guest < y->guest);
}

void guests_waiting(struct world *w)
{
    enum scenario_queue queue = w->scenario->queue;
    size_t n = 0, left = w->waiting;
    for (uint32_t i = 0; n < left && i < w->guests; i++) {
        const struct guest *g = &w->guest[i];
        if (g->state != GUEST_WAITING)
            continue;
        mem_grow(&w->turns, &w->turns_cap, n, sizeof(*w->turns));
        double since_s = queue == QUEUEING_ANY ? 0 : g->waits_since_s;
        w->turns[n++] = (struct turn){queues[queue].key(w, g), since_s, i};
    }
    if (n > 1)
        qsort(w->turns, n, sizeof(*w->turns), by_turn);
    for (size_t i = 0; i < n; i++) {
        guest_start(w, w->turns[i].guest);
        guest_draw_end(w, w->turns[i].guest);
        if (queues[queue].strict && w->guest[w->turns[i].guest].state == GUEST_WAITING)
            break;
    }
}
