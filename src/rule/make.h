// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef RULE_MAKE_H
#define RULE_MAKE_H

// Labels and annotations of what rules make out of one element of a result.

#include "rule/eval.h"

// Series of a recording rule; NULL: too many labels. The caller owns it.
struct labels *make_record(const struct rule_group *g, const struct rule *rule,
                           const struct labels *from);

struct make_params {
    const struct rule_group *group;
    const struct rule *rule;
    const struct rule_env *env;
    int64_t now_ms;
    int (*query)(void *arg, const char *text, struct promql_result **ret, struct err *err);
    void *arg;
    bool without_annotations;
};

// An alert of an element; `from` may be NULL (a number). 0 or -E2BIG; what was made is in *ret in
// either case.
int make_alert(const struct make_params *p, const struct labels *from, double v,
               struct rule_seen_alert *ret, struct err *err);

// Series of ALERTS and the like. NULL: too many labels. `state` NULL: without it.
struct labels *make_state(const struct alert *a, const char *name, const char *state);

// An element of a vector, or a scalar as the only one.
struct element {
    const struct labels *labels; // NULL: none
    double v;
};
struct element element_of(const struct promql_result *result, size_t i);
size_t elements(const struct promql_result *result);

// By hash, then by labels, of pointers to labels, for qsort(); and whether two of a sorted array
// are equal.
int labels_by_hash(const void *a, const void *b);
bool labels_any_twice(struct labels **sorted, size_t n);

#endif
