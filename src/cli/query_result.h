// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef CLI_QUERY_RESULT_H
#define CLI_QUERY_RESULT_H

/*
 * An answer of /api/v1/query or query_range, and how it is shown.
 */

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"
#include "term.h"
#include "unit.h"

struct query_series {
    const json_t *metric; /**< labels; NULL of a scalar */
    size_t n;
    double *t; /**< Unix seconds */
    double *v;
};

struct query_result {
    json_t *answer;   /**< owned */
    const char *type; /**< "vector", "matrix", "scalar", "string" */
    const char *string;
    struct query_series *series;
    size_t n;
};

/** Read an answer, which is taken over in any case. 0 or -EPROTO. */
int query_result_read(json_t *answer, struct query_result *ret, struct err *err);
void query_result_done(struct query_result *r);

/** Labels as `name{a="b"}`; "" of a scalar. */
void query_series_name(const struct query_series *s, struct buf *out);

/** A vector: labels and values. A matrix: labels, least, mean, greatest, last value of each. */
void query_result_table(const struct query_result *r, const struct term *term, enum unit unit,
                        struct buf *out);

/** One line a sample: time (RFC 3339, UTC), a column for each label, value. */
void query_result_csv(const struct query_result *r, struct buf *out);

/** Curves; `step` in seconds. */
void query_result_plot(const struct query_result *r, const struct term *term, enum unit unit,
                       double start, double end, double step, struct buf *out);

#endif
