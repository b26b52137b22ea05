// SPDX-License-Identifier: GPL-3.0-or-later
// What LP and greedy answer share: checks, pieces of the logarithm, progressive filling.
#include "allocate.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"

static double largest_most(const struct allocate_problem *p)
{
    double largest = 0;
    for (size_t i = 0; i < p->n_vms; i++)
        largest = fmax(largest, p->vms[i].most);
    return largest > 0 ? largest : 1;
}

// Ends at (100^(k/K) - 1) / 99 of the way from least to most.
double allocate_piece_end(const struct allocate_problem *p, size_t vm, int k)
{
    const struct allocate_vm *v = &p->vms[vm];
    double share = (pow(100, (double)k / ALLOCATE_PIECES) - 1) / 99;
    return k == ALLOCATE_PIECES ? v->most : v->least + (v->most - v->least) * share;
}

static double logarithm(const struct allocate_problem *p, size_t vm, double amount)
{
    double epsilon = 1e-3 * largest_most(p);
    return p->vms[vm].weight * log((amount + epsilon) / epsilon);
}

double allocate_value(const struct allocate_problem *p, size_t vm, double amount)
{
    int k = 1;
    while (k < ALLOCATE_PIECES && allocate_piece_end(p, vm, k) < amount)
        k++;
    double from = allocate_piece_end(p, vm, k - 1), to = allocate_piece_end(p, vm, k);
    double low = logarithm(p, vm, from), high = logarithm(p, vm, to);
    return to > from ? low + (high - low) * (amount - from) / (to - from) : low;
}

size_t allocate_members(const struct allocate_problem *p, const struct allocate_cap *cap)
{
    return cap->members ? cap->n_members : p->n_vms;
}

size_t allocate_member(const struct allocate_cap *cap, size_t i)
{
    return cap->members ? (size_t)cap->members[i] : i;
}

double allocate_worst_breach(const struct allocate_problem *p, const double *amount)
{
    double worst = -INFINITY;
    for (size_t i = 0; i < p->n_vms; i++)
        worst = fmax(worst, fmax(p->vms[i].least - amount[i], amount[i] - p->vms[i].most));
    for (size_t c = 0; c < p->n_caps; c++) {
        double sum = 0;
        for (size_t i = 0; i < allocate_members(p, &p->caps[c]); i++)
            sum += amount[allocate_member(&p->caps[c], i)];
        worst = fmax(worst, sum - p->caps[c].limit);
    }
    return worst;
}

static int check_vms(const struct allocate_problem *p, struct err *err)
{
    for (size_t i = 0; i < p->n_vms; i++) {
        const struct allocate_vm *v = &p->vms[i];
        if (!(v->least >= 0) || !(v->most >= v->least) || !isfinite(v->most) || !(v->weight > 0) ||
            !isfinite(v->weight))
            return err_set(err, EINVAL,
                           "VM \"%s\": 0 <= guarantee <= most and weight > 0 must hold", v->name);
    }
    return 0;
}

int allocate_check(const struct allocate_problem *p, struct err *err)
{
    if (p->n_vms > ALLOCATE_VMS_MAX || p->n_caps > ALLOCATE_CAPS_MAX)
        return err_set(err, EINVAL, "at most %d VMs and %d caps", ALLOCATE_VMS_MAX,
                       ALLOCATE_CAPS_MAX);
    int r = check_vms(p, err);
    for (size_t c = 0; r == 0 && c < p->n_caps; c++) {
        const struct allocate_cap *cap = &p->caps[c];
        double least = 0;
        if (!(cap->limit >= 0) || !isfinite(cap->limit))
            return err_set(err, EINVAL, "%s: the limit must be 0 or more", cap->name);
        for (size_t i = 0; i < allocate_members(p, cap); i++) {
            if (allocate_member(cap, i) >= p->n_vms)
                return err_set(err, EINVAL, "%s: no such VM", cap->name);
            least += p->vms[allocate_member(cap, i)].least;
        }
        // Sums of doubles that are meant to be equal to the limit may pass it by rounding.
        if (least > cap->limit * (1 + 1e-12))
            return err_set(err, ENOSPC, "%s: the guarantees add up to %g, the limit is %g",
                           cap->name, least, cap->limit);
    }
    return r;
}

double allocate_objective(const struct allocate_problem *p, enum allocate_fairness fairness,
                          const double *amount)
{
    double least = INFINITY, sum = 0;
    for (size_t i = 0; i < p->n_vms; i++) {
        least = fmin(least, amount[i] / p->vms[i].weight);
        sum += allocate_value(p, i, amount[i]);
    }
    return fairness == ALLOCATE_MAX_MIN ? (p->n_vms ? least : 0) : sum;
}

double allocate_at_level(const struct allocate_vm *v, double level)
{
    return fmin(v->most, fmax(v->least, level * v->weight));
}

// How much the members of a cap take where those not yet fixed stand at `level`.
static double cap_at_level(const struct allocate_problem *p, const struct allocate_cap *cap,
                           const bool *fixed, const double *amount, double level)
{
    double sum = 0;
    for (size_t i = 0; i < allocate_members(p, cap); i++) {
        size_t vm = allocate_member(cap, i);
        sum += fixed[vm] ? amount[vm] : allocate_at_level(&p->vms[vm], level);
    }
    return sum;
}

// The highest level that a cap allows, by bisection down to neighbouring doubles' size.
static double level_of_cap(const struct allocate_problem *p, const struct allocate_cap *cap,
                           const bool *fixed, const double *amount, double highest)
{
    if (cap_at_level(p, cap, fixed, amount, highest) <= cap->limit)
        return INFINITY;
    double low = 0, high = highest;
    for (int i = 0; i < 100 && high - low > 1e-15 * highest; i++) {
        double middle = (low + high) / 2;
        if (cap_at_level(p, cap, fixed, amount, middle) <= cap->limit)
            low = middle;
        else
            high = middle;
    }
    return low;
}

int allocate_fill(const struct allocate_problem *p, double *amount)
{
    CLEANUP(freep) bool *fixed = calloc(p->n_vms + 1, sizeof(*fixed));
    double highest = 0;
    if (!fixed)
        return -ENOMEM;
    for (size_t i = 0; i < p->n_vms; i++)
        highest = fmax(highest, p->vms[i].most / p->vms[i].weight);
    for (;;) {
        double level = INFINITY;
        size_t tightest = 0;
        for (size_t c = 0; c < p->n_caps; c++) {
            double of_cap = level_of_cap(p, &p->caps[c], fixed, amount, highest);
            if (of_cap < level) {
                level = of_cap;
                tightest = c;
            }
        }
        bool last = isinf(level);
        const struct allocate_cap *cap = &p->caps[tightest];
        for (size_t i = 0; i < (last ? p->n_vms : allocate_members(p, cap)); i++) {
            size_t vm = last ? i : allocate_member(cap, i);
            if (!fixed[vm])
                amount[vm] = allocate_at_level(&p->vms[vm], last ? highest : level);
            fixed[vm] = true;
        }
        if (last)
            return 0;
    }
}

int allocate_greedy(const struct allocate_problem *p, enum allocate_fairness fairness,
                    struct allocate_result *ret, struct err *err)
{
    int r = allocate_check(p, err);
    if (r == 0)
        r = allocate_fill(p, ret->amount);
    if (r < 0)
        return r;
    ret->objective = allocate_objective(p, fairness, ret->amount);
    ret->bound = allocate_bound(p, fairness);
    ret->gap = fmax(0, ret->bound - ret->objective) / fmax(1, fabs(ret->bound));
    ret->optimal = fairness == ALLOCATE_MAX_MIN || ret->gap == 0;
    if (fairness == ALLOCATE_MAX_MIN) {
        ret->bound = ret->objective;
        ret->gap = 0;
    }
    return 0;
}

struct piece {
    double slope, length;
};

static int steepest_first(const void *a, const void *b)
{
    const struct piece *x = a, *y = b;
    return (x->slope < y->slope) - (x->slope > y->slope);
}

// The best sum of values if one cap were the only one: the steepest pieces until it is full.
static double bound_of_cap(const struct allocate_problem *p, const struct allocate_cap *cap,
                           const bool *inside)
{
    double sum = 0, room = cap ? cap->limit : INFINITY;
    size_t n = 0;
    CLEANUP(freep) struct piece *pieces = calloc(p->n_vms * ALLOCATE_PIECES + 1, sizeof(*pieces));
    if (!pieces)
        return INFINITY;
    for (size_t i = 0; i < p->n_vms; i++) {
        if (!inside[i]) {
            sum += allocate_value(p, i, p->vms[i].most);
            continue;
        }
        sum += allocate_value(p, i, p->vms[i].least);
        room -= p->vms[i].least;
        for (int k = 1; k <= ALLOCATE_PIECES; k++) {
            double from = allocate_piece_end(p, i, k - 1), to = allocate_piece_end(p, i, k);
            if (to > from)
                pieces[n++] = (struct piece){
                    (allocate_value(p, i, to) - allocate_value(p, i, from)) / (to - from),
                    to - from};
        }
    }
    qsort(pieces, n, sizeof(*pieces), steepest_first);
    for (size_t i = 0; i < n && room > 0; i++) {
        double taken = fmin(room, pieces[i].length);
        sum += taken * pieces[i].slope;
        room -= taken;
    }
    return sum;
}

double allocate_bound(const struct allocate_problem *p, enum allocate_fairness fairness)
{
    CLEANUP(freep) bool *inside = calloc(p->n_vms + 1, sizeof(*inside));
    double bound = INFINITY;
    if (!inside)
        return bound;
    if (fairness == ALLOCATE_MAX_MIN) {
        for (size_t i = 0; i < p->n_vms; i++)
            bound = fmin(bound, p->vms[i].most / p->vms[i].weight);
        return bound;
    }
    bound = bound_of_cap(p, NULL, inside);
    for (size_t c = 0; c < p->n_caps; c++) {
        for (size_t i = 0; i < p->n_vms; i++)
            inside[i] = false;
        for (size_t i = 0; i < allocate_members(p, &p->caps[c]); i++)
            inside[allocate_member(&p->caps[c], i)] = true;
        bound = fmin(bound, bound_of_cap(p, &p->caps[c], inside));
    }
    return bound;
}
