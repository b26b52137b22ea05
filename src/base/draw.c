// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/draw.h"

#include <math.h>

double draw_exponential(struct prng *p, double mean)
{
    return -mean * log1p(-prng_double(p));
}

double draw_normal(struct prng *p, double mean, double deviation)
{
    for (;;) {
        double u = 2 * prng_double(p) - 1, v = 2 * prng_double(p) - 1;
        double s = u * u + v * v;
        if (s > 0 && s < 1)
            return mean + deviation * u * sqrt(-2 * log(s) / s);
    }
}

double draw_weibull(struct prng *p, double shape, double scale)
{
    return scale * pow(draw_exponential(p, 1), 1 / shape);
}

double draw_pareto(struct prng *p, double shape, double minimum)
{
    return minimum * exp(draw_exponential(p, 1) / shape);
}
