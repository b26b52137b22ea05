// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef PROMQL_CALL_H
#define PROMQL_CALL_H

/* Functions that see whole vectors or need more than one argument; rows of function.c. */

#include "eval.h"

#define CALL(name)                                                                                 \
    void call_##name(struct query *q, const struct node *node, const struct grid *g,               \
                     struct value *ret)

CALL(time);
CALL(pi);
CALL(scalar);
CALL(vector);
CALL(absent);
CALL(absent_over_time);
CALL(sort);
CALL(sort_desc);
CALL(label_replace);
CALL(label_join);
CALL(histogram_quantile);
CALL(histogram_fraction);
CALL(no_histograms);
CALL(round);
CALL(clamp);
CALL(clamp_min);
CALL(clamp_max);
CALL(timestamp);
CALL(year);
CALL(month);
CALL(day_of_month);
CALL(day_of_year);
CALL(day_of_week);
CALL(days_in_month);
CALL(hour);
CALL(minute);

#undef CALL

#endif
