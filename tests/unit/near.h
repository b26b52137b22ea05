// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef TESTS_NEAR_H
#define TESTS_NEAR_H

#include <math.h>

// As cmocka's assert_float_equal(), but in double precision, and NaN is near nothing.
#define assert_near(a, b, epsilon) assert_true(fabs((double)(a) - (double)(b)) <= (epsilon))

#endif
