// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef RULE_EVAL_H
#define RULE_EVAL_H

/*
 * Evaluates a group over a query source: its rules in order, each seeing what the earlier ones
 * wrote; then the step; then ALERTS, ALERTS_FOR_STATE and recorded series. One thread at a time.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "model/query.h"
#include "rule/file.h"
#include "rule/step.h"

/** A sample that a rule made; sample_stale() ends a series. */
struct rule_sample {
    const struct labels *labels;
    int64_t t_ms;
    double v;
};

/** Where groups are evaluated; borrowed by them. */
struct rule_env {
    struct query_source *source;
    struct promql_options options;        /**< of each query; deadline_ns is set by the evaluator */
    int64_t timeout_ns;                   /**< of each query; 0: none */
    const struct clock *clock;            /**< for durations and deadlines */
    const struct labels *external_labels; /**< for templates; NULL: none */
    const char *external_url;
    int64_t interval_ms;     /**< of groups that name none */
    int64_t query_offset_ms; /**< of groups that name none */
    int64_t resend_delay_ms;
    int64_t gap_max_ms, started_ms; /**< see rule_step_params */
    /**
     * Whether what these labels stand for is known for sure, so that a gap in its data is bridged
     * up to `for` only, not up to gap_max_ms. May be NULL: never.
     */
    bool (*is_settled)(void *arg, const struct labels *series);
    bool hold_gaps; /**< bridge gaps up to `for`; false: as Prometheus */
    /**
     * Store samples; they must be readable through `source` when it returns. 0 or -errno.
     */
    int (*write)(void *arg, const struct rule_sample *sample, size_t n, struct err *err);
    void *arg;
};

enum rule_health {
    RULE_HEALTH_UNKNOWN, /**< not evaluated yet */
    RULE_HEALTH_OK,
    RULE_HEALTH_ERR,
    RULE_HEALTH_MAX,
};
const char *rule_health_name(enum rule_health h);

/** A rule at work. */
struct rule_run {
    const struct rule *rule;
    char *key; /**< its identity over restarts and reloads; owned */
    struct rule_state state;
    struct labels **written; /**< series written last, sorted by hash; owned */
    size_t n_written;
    enum rule_health health;
    char *last_error; /**< owned; NULL: none */
    int64_t last_eval_ms;
    int64_t eval_ns; /**< how long the last evaluation took */
    uint64_t evaluations, failures;
    struct promql_expr *vector; /**< of `vector < number`, where others of the group compare the
                                     same one; owned; NULL: the rule's whole expression is taken */
    char *vector_text;
    struct promql_threshold threshold;
    bool reads_earlier; /**< may read what a rule before it in the group writes */
};

/** A group at work. */
struct rule_group_run {
    const struct rule_group *group;
    struct rule_run *run; /**< one for each rule, in order; owned */
    size_t n_runs;
    int64_t interval_ms;
    int64_t last_eval_ms; /**< time of the last evaluation; 0: none */
    int64_t eval_ns;
    uint64_t evaluations, missed; /**< evaluations; those skipped because one took too long */
};

/** Set up the groups of all files. The files outlive the result; free with rule_groups_free(). */
int rule_groups_new(const struct rule_files *files, const struct rule_env *env,
                    struct rule_group_run **ret, size_t *ret_n);
void rule_groups_free(struct rule_group_run *group, size_t n);

/** Move the state of rules that are in both, by key: for reloads. What is left in `from` is gone.
 */
void rule_groups_adopt(struct rule_group_run *to, size_t n_to, struct rule_group_run *from,
                       size_t n_from);

/**
 * Evaluate the group at `now_ms`: all rules, or (chosen != NULL) those of which chosen[i] is set.
 * A rule that fails says so in its state and hinders no other. Appends to `ret`. 0, or -ENOMEM,
 * or what `write` returned.
 */
int rule_group_eval(struct rule_group_run *g, const struct rule_env *env, int64_t now_ms,
                    const bool *chosen, struct rule_update *ret, struct err *err);

/** When the group is due next after `now_ms`: a phase of its own within the interval. */
int64_t rule_group_due(const struct rule_group_run *g, int64_t now_ms);

/** Whether a rule's expression reads a metric of this name (or any: a selector without a name). */
bool rule_reads(const struct rule *rule, const char *metric);

/** Texts of which one must be met; none: any. */
struct rule_words {
    char **text;
    size_t n, cap;
};

/** Which rules are shown; what is zero leaves nothing out. */
struct rule_filter {
    char *type; /**< "alert", "record" */
    struct rule_words names, groups, files;
    /** Of a rule's labels as they stand in its file, the group's among them. */
    bool (*labels)(const void *arg, const struct labels *labels);
    const void *arg;
    bool exclude_alerts;
    size_t group_limit; /**< at most so many groups, 0: all */
    char *group_token;  /**< those from the group on that an earlier answer's token names */
};

/**
 * `data` of /api/v1/rules: {"groups":[…]}, without groups of which no rule is shown, and
 * "groupNextToken" where the limit left some out. 0; -ENOENT: no group has this token, and nothing
 * was written.
 */
int rule_groups_put(const struct rule_group_run *group, size_t n, const struct rule_filter *filter,
                    struct json *j);

/** `data` of /api/v1/alerts: {"alerts":[…]}: pending and firing. */
void rule_alerts_put(const struct rule_group_run *group, size_t n,
                     bool (*may)(const void *arg, const struct labels *l), const void *arg,
                     struct json *j);

#endif
