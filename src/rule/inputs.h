// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef RULE_INPUTS_H
#define RULE_INPUTS_H

// Whether the data behind an alert are there: the difference between "it is over" and "nobody
// knows".

#include "rule/eval.h"

struct inputs;

struct inputs *inputs_new(const struct rule *rule, struct query_source *source, int64_t t_ms,
                          int64_t lookback_ms);
void inputs_free(struct inputs *in);

// Bit i: selector i of the expression (the first 64) has samples of a series that agrees with the
// alert's series in all labels that both have.
uint64_t inputs_present(struct inputs *in, const struct labels *series);

// Whether all labels that both have are equal, the name apart.
bool inputs_agree(const struct labels *a, const struct labels *b);

#endif
