// SPDX-License-Identifier: GPL-3.0-or-later
#include "maths.h"

#include <math.h>

#define LN2 0.69314718055994530942
#define HALF_PI 1.57079632679489661923

double maths_ln(double x)
{
    // x = m·2^e with m in [√½, √2); ln m = 2·artanh((m - 1)/(m + 1)).
    int e;
    double m = frexp(x, &e);
    if (m < 0.70710678118654752440) {
        m *= 2;
        e--;
    }
    double z = (m - 1) / (m + 1), square = z * z, power = z, sum = 0;
    for (int k = 1; k < 24; k += 2) {
        sum += power / k;
        power *= square;
    }
    return 2 * sum + e * LN2;
}

double maths_exp(double x)
{
    if (x > 700)
        return INFINITY;
    if (x < -700)
        return 0;
    double whole = floor(x / LN2 + 0.5), rest = x - whole * LN2, term = 1, sum = 1;
    for (int k = 1; k < 20; k++) {
        term *= rest / k;
        sum += term;
    }
    return ldexp(sum, (int)whole);
}

double maths_cos_turns(double turns)
{
    double t = turns - floor(turns);
    double quarter = t * 4;
    // Fold into the first quarter, where the series is quick.
    double sign = quarter > 1 && quarter < 3 ? -1 : 1;
    double fold = quarter <= 1 ? quarter : quarter <= 3 ? fabs(2 - quarter) : 4 - quarter;
    double x = fold * HALF_PI, square = x * x, term = 1, sum = 1;
    for (int k = 2; k < 24; k += 2) {
        term *= -square / (k * (k - 1));
        sum += term;
    }
    return sign * sum;
}

double maths_exponential(struct prng *p, double mean)
{
    return -mean * maths_ln(1 - prng_double(p));
}

double maths_normal(struct prng *p)
{
    double sum = -6;
    for (int i = 0; i < 12; i++)
        sum += prng_double(p);
    return sum;
}
