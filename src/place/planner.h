// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef PLACE_PLANNER_H
#define PLACE_PLANNER_H

#include "base/prng.h"
#include "place/consolidate.h"
#include "trial.h"

struct steady; // what our own policy remembers, steady.c

struct place_planner {
    struct place_policy policy;
    struct prng prng;
    struct trial trial;
    uint8_t *excluded; // of each host, bits
    double *draws;     // watts of each host at its recorded load
    size_t hosts_cap;
    uint32_t *leaving; // VMs that are to be placed
    size_t leaving_n, leaving_cap;
    struct steady *steady;
};

int published_step(struct place_planner *p, const struct place_live *live, struct place_plan *plan);

struct steady *steady_new(void);
void steady_free(struct steady *s);
int steady_step(struct place_planner *p, const struct place_live *live, struct place_plan *plan);

#endif
