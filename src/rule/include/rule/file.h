// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef RULE_FILE_H
#define RULE_FILE_H

/*
 * Prometheus' rule files: groups of alerting and recording rules, parsed and checked as a whole.
 * What is read is immutable and may be used by several threads.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/labels.h"
#include "promql/promql.h"
#include "rule/template.h"

/** Longest file, and most rules in all files together. */
#define RULE_FILE_MAX ((size_t)64 << 20)
#define RULE_COUNT_MAX 200000

/** A label or annotation of a rule, with its value as a template. */
struct rule_text {
    char *name;
    char *source; /**< as it stands in the file */
    struct rule_template *template;
    int line, column;
};

/**
 * What vherd adds, written as annotations, which Prometheus takes for texts: hysteresis and
 * damping. None of them is shown among the alert's annotations.
 */
struct rule_damping {
    struct promql_expr *clear; /**< `vherd_clear_expr`: a firing alert stays until this gives
                                    something for its series; NULL: until `expr` gives nothing */
    int64_t min_hold_ms;       /**< `vherd_min_hold`: fires at least that long */
    int64_t flap_window_ms;    /**< `vherd_flap_window`: who fires a second time within it stays
                                    firing until the window has passed without `expr` */
};

/** Whether an annotation of this name is one of these options. */
bool rule_is_option(const char *annotation);

struct rule {
    bool is_alert;
    char *name; /**< of the alert or of the recorded metric */
    char *expr_text;
    struct promql_expr *expr;
    int64_t for_ms;
    int64_t keep_firing_for_ms;
    struct rule_text *label;
    size_t n_labels;
    struct rule_text *annotation;
    size_t n_annotations;
    struct rule_damping damping;
    int line, column;           /**< where the rule begins */
    int expr_line, expr_column; /**< where its expression's text begins */
};

struct rule_group {
    char *name;
    char *file;
    int64_t interval_ms;     /**< 0: the configuration's */
    int64_t query_offset_ms; /**< -1: the configuration's */
    int64_t limit;           /**< of series or alerts of one rule; 0: none */
    struct rule_text *label; /**< added to each rule's own, which win */
    size_t n_labels;
    struct rule *rule;
    size_t n_rules;
    int line, column;
};

struct rule_file {
    char *path;
    struct rule_group *group;
    size_t n_groups;
};

/** What is wrong in a file, in the order of the file; `message` names the file, line and column. */
struct rule_errors {
    struct err *err;
    size_t n, cap;
};
void rule_errors_done(struct rule_errors *e);

/**
 * Read a file from memory; `path` stands in messages and in the groups. With errors (all that are
 * found, up to 100) *ret stays untouched: -EINVAL, -E2BIG, -ENOMEM. The caller owns *ret.
 */
int rule_file_parse(const char *path, const char *text, size_t len, struct rule_file **ret,
                    struct rule_errors *errors);

/** The same from the disk; also -errno of reading it. */
int rule_file_load(const char *path, struct rule_file **ret, struct rule_errors *errors);
void rule_file_free(struct rule_file *f);

/** Several files, in order, as the daemon or a test uses them. */
struct rule_files {
    struct rule_file **file;
    size_t n, cap;
};

/**
 * Load what a glob pattern matches, sorted; a pattern without `*?[` must exist. A relative one is
 * taken from `directory` (NULL: the working one). Appends to `files`. 0, or -EINVAL with errors.
 */
int rule_files_glob(struct rule_files *files, const char *directory, const char *pattern,
                    struct rule_errors *errors);
void rule_files_done(struct rule_files *files);

/** Take out the rules of this name; how many those were. */
size_t rule_files_leave_out(struct rule_files *files, const char *name);
size_t rule_files_count(const struct rule_files *files);

#endif
