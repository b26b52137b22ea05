// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef RULE_CHECK_H
#define RULE_CHECK_H

/*
 * Looks over rule files for what is legal but likely wrong: metrics that nobody makes, rules twice,
 * options that vherd does not have, templates that name labels the result cannot have; and says
 * what each rule costs.
 */

#include "base/buf.h"
#include "rule/file.h"

/** A finding about one place; `message` begins with file:line:column. */
struct rule_finding {
    bool is_error; /**< would be refused; else worth a look */
    char *message;
};
struct rule_findings {
    struct rule_finding *item; /**< owned */
    size_t n, cap;
};
void rule_findings_done(struct rule_findings *f);

struct rule_check_options {
    /** Whether a metric of this name exists; NULL: names are not looked at. */
    bool (*is_known)(void *arg, const char *metric);
    /** A known name like this one, or NULL. */
    const char *(*similar)(void *arg, const char *metric);
    void *arg;
};

int rule_check(const struct rule_files *files, const struct rule_check_options *options,
               struct rule_findings *ret);

/**
 * What one evaluation of a rule reads: selectors, and samples of each series they match (1 for an
 * instant selector, else its range in units of `interval_ms`).
 */
struct rule_cost {
    unsigned selectors;
    double samples_per_series;
};
struct rule_cost rule_cost(const struct rule *rule, int64_t interval_ms);

#endif
