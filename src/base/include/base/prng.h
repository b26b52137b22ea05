// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BASE_PRNG_H
#define BASE_PRNG_H

#include <stdint.h>

/**
 * Pseudo-random numbers for simulation and tests: xoshiro256** (Blackman and Vigna, "Scrambled
 * linear pseudorandom number generators", 2021). The same seed gives the same numbers on each
 * machine. Not for secrets.
 */
struct prng {
    uint64_t state[4];
};

/** Begin a sequence; any seed will do (it is spread by SplitMix64). */
void prng_init(struct prng *p, uint64_t seed);

/** 64 random bits. */
uint64_t prng_u64(struct prng *p);

/** A whole number in [0, n), each equally likely; n > 0. */
uint64_t prng_below(struct prng *p, uint64_t n);

/** In [0, 1), a multiple of 2^-53. */
double prng_unit(struct prng *p);

/** Exponentially distributed with that mean. */
double prng_exponential(struct prng *p, double mean);

/** Normally distributed (polar method). */
double prng_normal(struct prng *p, double mean, double deviation);

/** Weibull distributed; shape 1 is the exponential distribution with mean `scale`. */
double prng_weibull(struct prng *p, double shape, double scale);

/** Pareto distributed: P(X > x) = (minimum / x)^shape for x >= minimum. */
double prng_pareto(struct prng *p, double shape, double minimum);

#endif
