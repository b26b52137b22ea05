// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef RULE_TEST_FILE_H
#define RULE_TEST_FILE_H

// A file of unit tests of rules, read.

#include "reader.h"
#include "rule/unit_test.h"

struct test_pairs {
    struct label *item; // texts owned
    size_t n, cap;
};

struct test_series {
    char *series, *values;
    int line;
};

// What an alert is expected to look like.
struct test_alert {
    struct test_pairs labels, annotations;
};

struct test_alert_case {
    int64_t eval_ms;
    char *alertname;
    struct test_alert *expected;
    size_t n, cap;
    int line;
};

struct test_sample {
    char *labels;
    double value;
    char *histogram; // NULL: a number
};

struct test_expr_case {
    char *expr;
    int64_t eval_ms;
    struct test_sample *expected;
    size_t n, cap;
    int line;
};

struct test_group {
    char *name;
    int64_t interval_ms; // 0: the file's
    int64_t start_ms;
    struct test_series *series;
    size_t n_series, cap_series;
    struct test_alert_case *alert;
    size_t n_alerts, cap_alerts;
    struct test_expr_case *expr;
    size_t n_exprs, cap_exprs;
    struct test_pairs external_labels;
    char *external_url;
    int line;
};

struct test_texts {
    char **text;
    size_t n, cap;
};

struct test_file {
    struct test_texts rule_files, order;
    int64_t interval_ms;
    bool is_fuzzy;
    struct test_group *group;
    size_t n, cap;
};

// 0 or -EINVAL with errors. The caller frees *ret in either case.
int test_file_read(const char *path, const char *text, size_t len, struct test_file *ret,
                   struct rule_errors *errors);
void test_file_done(struct test_file *f);

#endif
