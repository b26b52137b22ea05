// SPDX-License-Identifier: GPL-3.0-or-later
// What a VM wants, by its workload. Each VM draws from a stream of its own, so that its load does
// not depend on where it runs.
#include <math.h>

#include "base/mem.h"
#include "maths.h"
#include "world.h"

#define DAY_S 86400.0

static double wave(const struct scenario_vms *k, double now_s)
{
    double top = maths_cos_turns((now_s - k->peak_at_s) / DAY_S);
    return k->mean + (k->peak - k->mean) * fmax(top, 0) - k->mean / 2 * fmax(-top, 0);
}

static double constant(const struct world *w, struct guest *g)
{
    return g->kind->mean;
}

static double daily(const struct world *w, struct guest *g)
{
    return wave(g->kind, w->now_s);
}

static double weekly(const struct world *w, struct guest *g)
{
    unsigned day = (unsigned)floor(w->now_s / DAY_S) % 7;
    return wave(g->kind, w->now_s) * (day >= 5 ? g->kind->weekend : 1);
}

// Two states with exponential stays; `level` gives the height of a new burst.
static double two_states(const struct world *w, struct guest *g, double (*level)(struct guest *g))
{
    const struct scenario_vms *k = g->kind;
    while (w->now_s >= g->burst_until_s) {
        g->bursting = !g->bursting;
        if (g->bursting)
            g->burst_level = level(g);
        g->burst_until_s += maths_exponential(&g->prng, g->bursting ? k->burst_s : k->calm_s);
    }
    return g->bursting ? g->burst_level : k->mean;
}

static double to_peak(struct guest *g)
{
    return g->kind->peak;
}

// Pareto with exponent alpha, from the mean upwards: mean · U^(-1/alpha).
static double pareto(struct guest *g)
{
    return g->kind->mean * maths_exp(maths_exponential(&g->prng, 1) / g->kind->alpha);
}

static double bursty(const struct world *w, struct guest *g)
{
    return two_states(w, g, to_peak);
}

static double heavy(const struct world *w, struct guest *g)
{
    return two_states(w, g, pareto);
}

// Traces go round, each VM beginning with its own file.
static double sample_of(const struct world *w, const struct guest *g, const struct trace_set *set)
{
    const struct trace *t = &set->trace[g->number % set->n];
    return t->sample[(size_t)fmod(w->now_s / g->kind->sample_s, (double)t->n)];
}

static double trace(const struct world *w, struct guest *g)
{
    return sample_of(w, g, &g->kind->set);
}

static double (*const workloads[])(const struct world *w, struct guest *g) = {
    [WORKLOAD_CONSTANT] = constant, [WORKLOAD_DAILY] = daily, [WORKLOAD_WEEKLY] = weekly,
    [WORKLOAD_BURSTY] = bursty,     [WORKLOAD_HEAVY] = heavy, [WORKLOAD_TRACE] = trace,
    [WORKLOAD_HISTORY] = trace,
};

static bool is_blocked(const struct world *w, const struct guest *g)
{
    return g->storage != NOWHERE && w->store[g->storage].gone;
}

bool guest_is_down(const struct world *w, const struct guest *g)
{
    return g->state == GUEST_WAITING || g->state == GUEST_CRASHED || g->state == GUEST_HUNG ||
           (g->state == GUEST_RUNNING && is_blocked(w, g));
}

void guest_load(const struct world *w, struct guest *g)
{
    const struct scenario_vms *k = g->kind;
    double load = workloads[k->workload](w, g);
    g->working = k->memory.n ? fmin(fmax(sample_of(w, g, &k->memory), 0), 1) : k->working_set;
    if (k->workload != WORKLOAD_TRACE && k->noise > 0)
        load += k->noise * maths_normal(&g->prng);
    if (g->state == GUEST_HUNG)
        load = 1.0 / (double)k->vcpus; // one vCPU spins
    if (g->state == GUEST_CRASHED || is_blocked(w, g))
        load = 0;
    load = fmin(fmax(load, 0), 1);
    g->wanted = load * (double)k->vcpus * k->mips;
}
