// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef RULE_TEMPLATE_H
#define RULE_TEMPLATE_H

/*
 * Templates of labels and annotations: Go's text/template as far as Prometheus' documentation uses
 * it, with Prometheus' functions and variables ($labels, $value, $externalLabels, $externalURL,
 * .Labels, .Value, …). Bounded in steps, depth and output, so that no rule can hold the evaluator.
 */

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "model/labels.h"
#include "promql/promql.h"

/** Most bytes of a template and of what it expands to. */
#define RULE_TEMPLATE_MAX (64u * 1024)
#define RULE_EXPANDED_MAX (64u * 1024)

struct rule_template;

/**
 * Parse. 0, -EINVAL (err: line within the template, what is wrong), -E2BIG, -ENOMEM. The caller
 * owns *ret.
 */
int rule_template_parse(const char *text, size_t len, struct rule_template **ret, struct err *err);
void rule_template_free(struct rule_template *t);

/** Whether it is text alone, so that expansion gives its source. */
bool rule_template_is_constant(const struct rule_template *t);

/** What a template may see. */
struct rule_template_env {
    const struct labels *labels;          /**< of the query's result; NULL: none */
    const struct labels *external_labels; /**< NULL: none */
    const char *external_url;             /**< "" or "http://host:9177/path" */
    double value;
    int64_t now_ms;
    /** Evaluate for `query`; NULL: that function fails. As promql_eval_instant(). */
    int (*query)(void *arg, const char *expr, struct promql_result **ret, struct err *err);
    void *arg;
};

/**
 * Expand into `out` (its limit holds besides RULE_EXPANDED_MAX). 0; -EINVAL with err: a function
 * failed, too much work or output; what had been written stays.
 */
int rule_template_expand(const struct rule_template *t, const struct rule_template_env *env,
                         struct buf *out, struct err *err);

#endif
