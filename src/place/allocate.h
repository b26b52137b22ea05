// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef ALLOCATE_H
#define ALLOCATE_H

// What the files of the allocation share; private to src/place.

#include "place/allocate.h"

int allocate_check(const struct allocate_problem *p, struct err *err);

// Members of a cap, and the i-th of them.
size_t allocate_members(const struct allocate_problem *p, const struct allocate_cap *cap);
size_t allocate_member(const struct allocate_cap *cap, size_t i);

double allocate_objective(const struct allocate_problem *p, enum allocate_fairness fairness,
                          const double *amount);

// level × weight, within the VM's bounds.
double allocate_at_level(const struct allocate_vm *v, double level);

// Progressive filling into `amount`; 0 or -ENOMEM.
int allocate_fill(const struct allocate_problem *p, double *amount);

// A bound on the objective that looks at one cap at a time.
double allocate_bound(const struct allocate_problem *p, enum allocate_fairness fairness);

#endif
