// SPDX-License-Identifier: GPL-3.0-or-later
// Balancing: every host stays on, and VMs are spread so that as little work as can be is expected
// to remain undone. The load of a host is taken as normally distributed, with the sums of its VMs'
// means and variances; what it is expected to lack is the normal loss function of the room it has
// left. A balanced herd lacks next to nothing, so nothing pays.
#include <errno.h>
#include <math.h>

#include "base/mem.h"
#include "steady.h"

// The hosts with most room that are looked at as targets, and moves of one step.
#define TARGETS_MAX 64
#define MOVES_MAX 256

// Expected excess of a unit normal variable over z, in steps of a quarter: φ(z) - z(1 - Φ(z)).
static double normal_loss(double z)
{
    static const double table[] = {0.39894228, 0.28634512, 0.19779656, 0.13117201, 0.08331547,
                                   0.05058631, 0.02930680, 0.01617409, 0.00849070, 0.00423448,
                                   0.00200413, 0.00089919, 0.00038215, 0.00015371, 0.00005848,
                                   0.00002103, 0.00000715};
    double a = fabs(z), v = 0;
    if (a < 4) {
        size_t i = (size_t)(a * 4);
        v = table[i] + (table[i + 1] - table[i]) * (a * 4 - (double)i);
    }
    return z < 0 ? v - z : v;
}

// Work a second that a host will lack, with a VM more (sign 1), less (-1) or as it is (0).
static double lack(const struct context *c, uint32_t host, uint32_t vm, double sign)
{
    const struct room *r = &c->s->room[host];
    double mean = r->mean, variance = r->variance;
    if (sign != 0) {
        mean += sign * c->s->mean[vm];
        variance += sign * c->s->variance[vm];
    }
    double deviation = sqrt(fmax(variance, 1e-6));
    return deviation * normal_loss((c->live->host[host].cpu - mean) / deviation);
}

static double load(const struct context *c, uint32_t host)
{
    return c->s->room[host].mean / c->live->host[host].cpu;
}

static int by_load(const void *a, const void *b, void *arg)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    double p = load(arg, x), q = load(arg, y);
    if (p != q)
        return p < q ? -1 : 1;
    return (x > y) - (x < y);
}

// Open hosts into s->order, least loaded first; returns how many.
static size_t sort_hosts(struct context *c)
{
    size_t n = 0;
    for (uint32_t h = 0; h < c->live->n_hosts; h++)
        if (!c->live->host[h].closed)
            c->s->order[n++] = h;
    qsort_r(c->s->order, n, sizeof(*c->s->order), by_load, c);
    return n;
}

struct best {
    uint32_t vm, to;
    double gain_j, cost_j;
};

static bool find_best(const struct context *c, uint32_t host, size_t targets, struct best *ret)
{
    double most = 0, before = lack(c, host, 0, 0);
    for (uint32_t i = c->live->first[host]; i < c->live->first[host + 1]; i++) {
        uint32_t vm = c->live->listed[i];
        if (c->s->moved[vm])
            continue;
        double cost = steady_move_cost(c, vm), without = lack(c, host, vm, -1);
        for (size_t k = 0; k < targets; k++) {
            uint32_t to = c->s->order[k];
            double less = before - without + lack(c, to, 0, 0) - lack(c, to, vm, 1);
            double gain = c->s->j_per_work * STAY_S * less;
            if (to == host || gain - cost <= most || !steady_fits(c, vm, to, 1, 1))
                continue;
            most = gain - cost;
            *ret = (struct best){vm, to, gain, cost};
        }
    }
    return most > 0;
}

int balance_step(struct place_planner *p, const struct place_live *live, struct place_plan *plan)
{
    struct context c = {p->steady, live, plan};
    int r = steady_begin(&c);
    if (r < 0)
        return r;
    steady_evacuate(&c);
    size_t n = sort_hosts(&c), moves = 0;
    // From the most loaded host down; the least loaded ones take.
    for (size_t i = n; i-- > 1 && moves < MOVES_MAX;) {
        uint32_t host = p->steady->order[i];
        struct best best;
        while (moves < MOVES_MAX && find_best(&c, host, MIN_OF(i, (size_t)TARGETS_MAX), &best)) {
            steady_put(&c, best.vm, host, -1);
            steady_put(&c, best.vm, best.to, 1);
            steady_carry_out(&c, best.vm, best.to, PLACE_REASON_BALANCE, best.gain_j, best.cost_j);
            moves++;
        }
    }
    return 0;
}
