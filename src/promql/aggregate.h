// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef PROMQL_AGGREGATE_H
#define PROMQL_AGGREGATE_H

/* What the files of aggregation share. */

#include "eval.h"
#include "key.h"

/** What a group has of each step; which arrays are used depends on the aggregation. */
struct group {
    double *v; /**< the result; absent where no series had a sample */
    double *c; /**< compensation, or mean */
    double *n;
    bool drop_name;
};

struct grouping {
    struct query *q;
    const struct node *node;
    const struct grid *grid;
    const double *param;
    struct value in;
    struct key key;
    struct key_table table;
    uint32_t *group_of; /**< of each column */
    struct group *group;
};

/** Evaluate what is aggregated and number its groups. */
void aggregate_begin(struct grouping *g, struct query *q, const struct node *node,
                     const struct grid *grid);

/** An array with no sample at any step. */
double *absent_steps(struct query *q, const struct grid *grid);

/* count_values.c */
void aggregate_values(struct grouping *g, struct value *ret);

#endif
