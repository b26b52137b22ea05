// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef RULE_UNIT_TEST_H
#define RULE_UNIT_TEST_H

/*
 * promtool's unit tests of rules: the same files, the same verdicts.
 */

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

/** How tests are run. */
struct rule_test_options {
    const char *run; /**< only groups whose name matches this regular expression; NULL: all */
    bool diff;       /**< expected and actual below one another */
};

struct rule_test_result {
    unsigned tests;    /**< test groups that ran */
    unsigned failures; /**< checks that failed */
};

/**
 * Run a test file; what failed goes to `out` as text. 0 (look at *ret), or -errno with `err`: the
 * file or a rule file cannot be used.
 */
int rule_test_file(const char *path, const struct rule_test_options *options, struct buf *out,
                   struct rule_test_result *ret, struct err *err);

/** The same from memory; rule files are found from `path`'s directory. */
int rule_test_text(const char *path, const char *text, size_t len,
                   const struct rule_test_options *options, struct buf *out,
                   struct rule_test_result *ret, struct err *err);

#endif
