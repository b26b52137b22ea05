// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef RULE_HISTOGRAM_TEXT_H
#define RULE_HISTOGRAM_TEXT_H

// Native histograms in the notation of tests, compared as texts: evaluation knows none, but a test
// may say what a selector gives.

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

// "{{…}}" in a fixed order of its parts; the caller frees *ret. 0 or -EINVAL.
int histogram_normalize(const char *text, char **ret, struct err *err);

// Value `at` of a series' values, which is a histogram, normalized. 0 or -EINVAL.
int histogram_at(const char *values, size_t at, char **ret, struct err *err);

// Equal but for the hint about resets where one of them is "unknown".
bool histogram_same(const char *a, const char *b);

#endif
