// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef PROMQL_KAHAN_H
#define PROMQL_KAHAN_H

/*
 * Compensated summation (Neumaier 1974). The error of each addition is taken without a branch
 * (Knuth's TwoSum), which gives the same bits. Once the sum is infinite or NaN the compensation
 * means nothing: kahan_value() leaves it out.
 */

#include <math.h>
#include <stdint.h>

struct kahan {
    double sum, c;
};

static inline void kahan_add(struct kahan *k, double v)
{
    double t = k->sum + v;
    double part = t - k->sum;
    k->c += (k->sum - (t - part)) + (v - part);
    k->sum = t;
}

/** Put two sums together. */
static inline struct kahan kahan_join(struct kahan a, struct kahan b)
{
    kahan_add(&a, b.sum);
    a.c += b.c;
    return a;
}

static inline double kahan_value(struct kahan k)
{
    return isfinite(k.sum) ? k.sum + k.c : k.sum;
}

/** Of v[lo] to v[hi - 1], in order: Prometheus' bits, also where values cancel out. */
static inline struct kahan kahan_sum(const double *v, uint32_t lo, uint32_t hi)
{
    struct kahan sum = {0};
    for (uint32_t i = lo; i < hi; i++)
        kahan_add(&sum, v[i]);
    return sum;
}

#endif
