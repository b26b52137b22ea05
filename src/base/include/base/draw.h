// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BASE_DRAW_H
#define BASE_DRAW_H

#include "base/prng.h"

/*
 * Random variates out of a pseudo-random sequence, each by a fixed number of ordinary operations
 * and calls of libm.
 */

/** Exponentially distributed with that mean. */
double draw_exponential(struct prng *p, double mean);

/** Normally distributed (Marsaglia's polar method). */
double draw_normal(struct prng *p, double mean, double deviation);

/** Weibull distributed; shape 1 is the exponential distribution with mean `scale`. */
double draw_weibull(struct prng *p, double shape, double scale);

/** Pareto distributed: P(X > x) = (minimum / x)^shape for x >= minimum. */
double draw_pareto(struct prng *p, double shape, double minimum);

#endif
