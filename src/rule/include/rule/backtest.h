// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef RULE_BACKTEST_H
#define RULE_BACKTEST_H

/*
 * How rules would have done over recorded history: the same step as the daemon's, fed from range
 * evaluation instead of one query for each instant.
 */

#include <stdint.h>

#include "base/err.h"
#include "model/query.h"
#include "rule/eval.h"

struct rule_backtest_params {
    int64_t start_ms, end_ms;
    int64_t interval_ms; /**< of groups that name none */
    struct promql_options options;
    int64_t chunk_ms; /**< evaluated at once, which bounds memory; 0: chosen */
};

/** A stretch of firing. */
struct rule_firing {
    int64_t start_ms, end_ms; /**< end: the end of the test where it was still firing */
    bool is_open;             /**< still firing at the end */
    struct labels *labels;    /**< of the alert; owned */
    double value;             /**< when it began */
};

struct rule_backtest_rule {
    const struct rule_group *group;
    const struct rule *rule;
    struct rule_firing *firing; /**< by start; owned */
    size_t n, cap;
    uint64_t pendings; /**< times it was pending without firing */
    int64_t step_ms;
    char *error; /**< why it could not be evaluated; NULL */
    double eval_seconds;
};

struct rule_backtest {
    struct rule_backtest_rule *rule; /**< alerting rules, in order; owned */
    size_t n;
    int64_t start_ms, end_ms;
    uint64_t steps; /**< instants evaluated, over all rules */
};

/**
 * Run all rules of the files over [start, end]. Recorded series of the files are worked out anew
 * and kept in memory. 0, -ENOMEM, -EIO; a rule that fails says so in its own result.
 */
int rule_backtest(const struct rule_files *files, struct query_source *source,
                  const struct rule_backtest_params *params, struct rule_backtest **ret,
                  struct err *err);
void rule_backtest_free(struct rule_backtest *b);

/** A table with a timeline of `columns` cells for each rule (how much of each was firing). */
void rule_backtest_print(const struct rule_backtest *b, size_t columns, bool utf8, struct buf *out);
void rule_backtest_json(const struct rule_backtest *b, struct json *j);

#endif
