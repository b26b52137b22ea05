// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/prng.h"

#include <math.h>

static uint64_t rotate(uint64_t v, int k)
{
    return v << k | v >> (64 - k);
}

void prng_init(struct prng *p, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        uint64_t z = seed += UINT64_C(0x9e3779b97f4a7c15);
        z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
        p->state[i] = z ^ z >> 31;
    }
}

uint64_t prng_u64(struct prng *p)
{
    uint64_t *s = p->state;
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

uint64_t prng_below(struct prng *p, uint64_t n)
{
    // What is above the largest multiple of n would favour small numbers.
    uint64_t unfair = -n % n;
    for (;;) {
        uint64_t v = prng_u64(p);
        if (v >= unfair)
            return v % n;
    }
}

double prng_unit(struct prng *p)
{
    return (double)(prng_u64(p) >> 11) * 0x1p-53;
}

double prng_exponential(struct prng *p, double mean)
{
    return -mean * log1p(-prng_unit(p));
}

double prng_normal(struct prng *p, double mean, double deviation)
{
    for (;;) {
        double u = 2 * prng_unit(p) - 1, v = 2 * prng_unit(p) - 1;
        double s = u * u + v * v;
        if (s > 0 && s < 1)
            return mean + deviation * u * sqrt(-2 * log(s) / s);
    }
}

double prng_weibull(struct prng *p, double shape, double scale)
{
    return scale * pow(prng_exponential(p, 1), 1 / shape);
}

double prng_pareto(struct prng *p, double shape, double minimum)
{
    return minimum * exp(prng_exponential(p, 1) / shape);
}
