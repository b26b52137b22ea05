// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef PLACE_STEADY_H
#define PLACE_STEADY_H

// What our own policies share: forecasts, sums per host, what a move costs, who may go where.

#include "planner.h"

// Over which an emptied host has to pay, and for which a woken one stays on.
#define STAY_S 3600.0
#define DEPARTURES 12

struct departures {
    uint32_t host[DEPARTURES]; // the last ones, a ring
    double time[DEPARTURES];
    size_t n;
};

struct room {
    double mean, variance, now, ram_mib;
    uint32_t n;
    bool running, source, target;
    double fill; // mean load it may be packed to
    double full; // of what it may hold, CPU or memory, whichever is scarcer
    double cost; // watts per share of the herd that it could carry
};

struct steady {
    double *mean, *variance; // of each VM's load
    struct departures *left;
    bool *moved;
    size_t vms_cap;
    struct room *room;
    double *woken_s; // when a host was last woken; 0: not yet
    uint32_t *running, *order;
    size_t running_n, hosts_cap;
    bool memory_bound;
    double most_cpu, most_ram_mib; // of any host
    double j_per_work;             // energy of one unit of work on the best host, fully loaded
    uint32_t *guest, *to;
    size_t guest_cap, to_cap;
};

struct context {
    struct steady *s;
    const struct place_live *live;
    struct place_plan *plan;
};

// Forecast every VM and sum up every host; 0 or -ENOMEM.
int steady_begin(struct context *c);

// Mean and variance of each VM's load.
void steady_forecast(struct steady *s, const struct place_live *live);

// Count a VM to a host (sign 1) or no longer (-1).
void steady_put(struct context *c, uint32_t vm, uint32_t host, double sign);

// Whether a host could take a VM: up to `fill` of its CPU in the mean, `now` at the moment.
bool steady_fits(const struct context *c, uint32_t vm, uint32_t host, double fill, double now);

double steady_move_cost(const struct context *c, uint32_t vm);
void steady_carry_out(struct context *c, uint32_t vm, uint32_t to, enum place_reason reason,
                      double gain_j, double cost_j);

// Move everybody away from the hosts that are closed.
void steady_evacuate(struct context *c);

#endif
