// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef PROMQL_FUNCTION_H
#define PROMQL_FUNCTION_H

#include <stdbool.h>
#include <stddef.h>

#include "promql/promql.h"

struct query;
struct node;
struct grid;
struct value;
struct windows;

/**
 * A function of the language; one row of the table. Exactly one of `map`, `over` and `call` says
 * how it is computed.
 */
struct function {
    const char *name;
    enum promql_type result;
    unsigned char n_args; /**< types in `arg` */
    signed char variadic; /**< how many of the last may be left out or repeated; -1: any number */
    enum promql_type arg[5];
    bool is_experimental;
    bool depends_on_time; /**< even where all arguments are the same at each step */
    bool keeps_name;

    double (*map)(double v); /**< of each sample of an instant vector */

    /** Of each window of one series of a range vector: all steps at once into out[]. */
    void (*over)(struct windows *w, double *out);
    /** The same on roll-up buckets; NULL: each bucket's last sample stands for it. */
    void (*over_buckets)(struct windows *w, double *out);
    bool reads_values; /**< over_buckets looks at min, max or sum */

    void (*call)(struct query *q, const struct node *node, const struct grid *g, struct value *ret);
};

/** NULL where there is none of that name. */
const struct function *function_find(const char *name, size_t len);

/** Walk the table; NULL after the last. */
const struct function *function_at(size_t i);

#endif
