// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef PLACE_ALLOCATE_H
#define PLACE_ALLOCATE_H

/*
 * Dividing one resource of an overcommitted host among its VMs: each gets at least its guarantee
 * and at most what it can use; sums are limited by the host, by NUMA nodes and by tenants' caps. As
 * a linear programme (GLPK), beside a greedy answer that needs no solver.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define ALLOCATE_VMS_MAX 4096
#define ALLOCATE_CAPS_MAX 1024

struct allocate_vm {
    const char *name;
    double least;  /**< guarantee, >= 0 */
    double most;   /**< what it can use or is allowed; >= least */
    double weight; /**< > 0 */
};

/** A limit on the sum of some VMs: the host, a NUMA node, a tenant. */
struct allocate_cap {
    const char *name;
    double limit;
    const int32_t *members; /**< indexes of VMs, borrowed; NULL = all */
    size_t n_members;
};

struct allocate_problem {
    const struct allocate_vm *vms;
    size_t n_vms;
    const struct allocate_cap *caps;
    size_t n_caps;
};

enum allocate_fairness {
    /** The least part per weight is as large as can be, then the next, and so on. */
    ALLOCATE_MAX_MIN,
    /** Greatest Σ weight · log(amount), the logarithm cut into ALLOCATE_PIECES straight pieces. */
    ALLOCATE_PROPORTIONAL,
    ALLOCATE_FAIRNESSES,
};

#define ALLOCATE_PIECES 16

/** What bounds a solution. 0 = no limit. */
struct allocate_limits {
    int milliseconds;
    int iterations; /**< of the simplex method, the same on each machine */
};

struct allocate_result {
    double *amount;   /**< by VM; the caller's, of n_vms */
    double objective; /**< reached: the least part per weight, or the sum of pieces */
    double bound;     /**< no answer has a better objective than this */
    double gap;       /**< (bound - objective) / max(1, |bound|); 0 = proved best */
    bool optimal;
};

/**
 * The end of piece k (1 to ALLOCATE_PIECES; 0 is its beginning) for a VM: from `least` to `most`,
 * finer where amounts are small. The value there is weight · log((amount + ε) / ε), ε a thousandth
 * of the largest `most`; between ends it is straight.
 */
double allocate_piece_end(const struct allocate_problem *p, size_t vm, int k);

/** Value of an amount for a VM under ALLOCATE_PROPORTIONAL, by these pieces. */
double allocate_value(const struct allocate_problem *p, size_t vm, double amount);

/**
 * Solve. Where a limit cuts it short the answer is the best feasible one so far (at least the
 * greedy one) with its gap. 0, -EINVAL (nonsense in the problem), -ENOSPC (the guarantees do not
 * fit under a cap, which `err` names), -EIO (the solver failed).
 */
int allocate_solve(const struct allocate_problem *p, enum allocate_fairness fairness,
                   const struct allocate_limits *limits, struct allocate_result *ret,
                   struct err *err);

/**
 * Progressive filling: all amounts grow by their weights from the guarantees on until something is
 * full. Best possible for max-min. Same errors but -EIO; the objective is that of `fairness`.
 */
int allocate_greedy(const struct allocate_problem *p, enum allocate_fairness fairness,
                    struct allocate_result *ret, struct err *err);

/** By how much amounts break bounds or caps, at most; 0 or less: all hold. */
double allocate_worst_breach(const struct allocate_problem *p, const double *amount);

#endif
