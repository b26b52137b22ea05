// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef BASE_PRNG_H
#define BASE_PRNG_H

#include <stdint.h>

/**
 * Pseudo-random numbers for simulation and randomised planning: the same seed gives the same
 * numbers on every machine. Not for secrets. xoshiro256** of Blackman and Vigna.
 */
struct prng {
    uint64_t s[4];
};

/** Start from any seed, also 0; `stream` gives independent sequences of one seed. */
void prng_init(struct prng *p, uint64_t seed, uint64_t stream);

/** 64 random bits. */
uint64_t prng_next(struct prng *p);

/** Uniform in [0, n), without bias; n > 0. */
uint64_t prng_below(struct prng *p, uint64_t n);

/** Uniform in [0, 1), a multiple of 2^-53. */
double prng_double(struct prng *p);

#endif
