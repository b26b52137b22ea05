// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef SIM_MATHS_H
#define SIM_MATHS_H

// Functions of which the C library's last bits differ from machine to machine; these use nothing
// but the four operations, which do not.
#include "base/prng.h"

double maths_ln(double x); // x > 0
double maths_exp(double x);
double maths_cos_turns(double turns); // cosine of a number of whole turns

// Exponentially distributed with this mean.
double maths_exponential(struct prng *p, double mean);

// Close to a unit normal: the sum of twelve uniform numbers, less six.
double maths_normal(struct prng *p);

#endif
