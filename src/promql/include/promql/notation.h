// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef PROMQL_NOTATION_H
#define PROMQL_NOTATION_H

/*
 * The notation in which rule tests and promqltest write series: `metric{a="b"} 1 2 _ 3+1x5 stale`.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "model/labels.h"

/** Most values that one line may stand for. */
#define PROMQL_NOTATION_MAX (1u << 24)

/** A value, or none at this place (`_`). `stale` gives the staleness marker. */
struct promql_value {
    bool is_omitted;
    double v;
};

/** One line; owns labels and values. */
struct promql_line {
    struct labels *labels;
    struct promql_value *value;
    size_t n;
};

/**
 * Read a line. 0, -EINVAL (err says where), -ENOTSUP (a native histogram), -E2BIG (over
 * PROMQL_NOTATION_MAX), -ENOMEM.
 */
int promql_line_parse(const char *text, size_t len, struct promql_line *ret, struct err *err);
void promql_line_done(struct promql_line *line);

/** Read labels alone: `metric{a="b"}`, `{a="b"}`, `{"metric", a="b"}`. The caller owns *ret. */
int promql_labels_parse(const char *text, size_t len, struct labels **ret, struct err *err);

#endif
