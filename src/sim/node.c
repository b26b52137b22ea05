// SPDX-License-Identifier: GPL-3.0-or-later
// What the VMs of a host get: CPU in proportion to what they want where it does not suffice
// (the rest is steal), memory by ballooning what nobody uses, and by swapping where even the
// working sets do not fit. Values hold until the next refresh; settling accounts for that time.
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "world.h"

#define DEGRADED 0.9   // of its CPU an outgoing VM still gets
#define START_MOST 0.9 // mean load that a VM's start may bring a host to
#define HOUR_S 3600.0

double node_cpu(const struct node *n)
{
    return (double)n->kind->cores * n->kind->mips;
}

void node_settle(struct world *w, uint32_t node)
{
    struct node *n = &w->node[node];
    struct world_totals *t = &w->totals;
    double span = w->now_s - n->settled_s;
    n->settled_s = w->now_s;
    if (span <= 0 || n->n == 0)
        return;
    t->energy_kwh += n->watts * span / 3.6e6;
    t->host_hours += span / HOUR_S;
    t->wanted += n->wanted * span;
    t->given += n->given * span;
    t->active_s += span;
    t->contended_s += n->contended ? span : 0;
    t->swamped_s += n->swamped ? span : 0;
    t->balloon_gib_h += n->balloon_bytes / GIB * span / HOUR_S;
    t->swap_gib_h += n->swap_bytes / GIB * span / HOUR_S;
}

static double core_limited(const struct node *n, const struct guest *g)
{
    return fmin(g->wanted, (double)g->kind->vcpus * n->kind->mips);
}

// What of its work a VM does, apart from its share of the CPU.
static double efficiency(const struct world *w, const struct guest *g)
{
    double e = g->to != NOWHERE ? DEGRADED : 1;
    if (g->storage != NOWHERE && w->store[g->storage].slow)
        e *= w->store[g->storage].kind->slow_ratio;
    return e;
}

static void refresh_memory(struct world *w, struct node *n, double *ret_kept)
{
    double memory = 0, used = 0, have = (double)n->kind->memory_bytes;
    for (size_t i = 0; i < n->n; i++) {
        const struct guest *g = &w->guest[n->tenant[i].vm];
        memory += (double)g->kind->memory_bytes;
        used += (double)g->kind->memory_bytes * g->working;
    }
    double over = memory - have;
    n->swamped = used > have;
    n->balloon_bytes = fmax(fmin(over, memory - used), 0);
    n->swap_bytes = fmin(fmax(used - have, 0), (double)n->kind->swap_bytes);
    *ret_kept = used > 0 ? 1 - n->swap_bytes / used : 1;
}

void node_refresh(struct world *w, uint32_t node)
{
    struct node *n = &w->node[node];
    double cpu = node_cpu(n), demand = 0, used = 0, kept;
    refresh_memory(w, n, &kept);
    n->wanted = n->given = 0;
    for (size_t i = 0; i < n->n; i++)
        if (!n->tenant[i].incoming)
            demand += core_limited(n, &w->guest[n->tenant[i].vm]);
    double share = demand > cpu ? cpu / demand : 1;
    for (size_t i = 0; i < n->n; i++) {
        const struct guest *g = &w->guest[n->tenant[i].vm];
        if (n->tenant[i].incoming)
            continue;
        double got = core_limited(n, g) * share;
        used += got;
        n->wanted += g->wanted;
        n->given += got * efficiency(w, g) * kept;
    }
    n->contended = n->given < n->wanted * (1 - 1e-9);
    n->watts = place_power_watts(&n->kind->power, used / cpu);
}

void node_put(struct world *w, uint32_t node, uint32_t guest, bool incoming)
{
    struct node *n = &w->node[node];
    mem_grow(&n->tenant, &n->cap, n->n, sizeof(*n->tenant));
    n->tenant[n->n++] = (struct tenant){guest, incoming};
    n->booked_bytes += (double)w->guest[guest].kind->memory_bytes;
    w->totals.memory_violations +=
        n->booked_bytes > (double)n->kind->memory_bytes * n->kind->overcommit * (1 + 1e-9);
}

void node_remove(struct world *w, uint32_t node, uint32_t guest, bool incoming)
{
    struct node *n = &w->node[node];
    size_t i = 0;
    while (n->tenant[i].vm != guest || n->tenant[i].incoming != incoming)
        i++;
    n->n--;
    memmove(&n->tenant[i], &n->tenant[i + 1], (n->n - i) * sizeof(*n->tenant));
    n->booked_bytes -= (double)w->guest[guest].kind->memory_bytes;
    w->refused_bytes = INFINITY;
}

static double expected(const struct guest *g)
{
    return g->kind->mean * (double)g->kind->vcpus * g->kind->mips;
}

static bool can_start(const struct world *w, const struct node *n, const struct guest *g)
{
    double load = 0;
    if (n->state != NODE_UP || n->closed || n->libvirt_gone ||
        n->booked_bytes + (double)g->kind->memory_bytes >
            (double)n->kind->memory_bytes * n->kind->overcommit)
        return false;
    for (size_t i = 0; i < n->n; i++)
        load += expected(&w->guest[n->tenant[i].vm]);
    return n->n == 0 || load + expected(g) <= START_MOST * node_cpu(n);
}

uint32_t node_find(struct world *w, uint32_t guest)
{
    const struct guest *g = &w->guest[guest];
    if ((double)g->kind->memory_bytes >= w->refused_bytes)
        return NOWHERE;
    for (size_t i = 0; i < w->nodes; i++) {
        uint32_t h = (uint32_t)((w->cursor + i) % w->nodes);
        if (!can_start(w, &w->node[h], g))
            continue;
        w->cursor = h;
        return h;
    }
    w->refused_bytes = (double)g->kind->memory_bytes;
    return NOWHERE;
}
