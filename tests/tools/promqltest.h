// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef PROMQLTEST_H
#define PROMQLTEST_H

/* One evaluation of a .test file: read, and compared with what came out. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "promql/notation.h"
#include "promql/promql.h"

#define LINES_MAX 100

enum expectation {
    EXPECT_FAIL,
    EXPECT_WARN,
    EXPECT_INFO,
    EXPECT_NO_WARN,
    EXPECT_NO_INFO,
    EXPECT_ORDERED,
    EXPECT_MAX,
};

extern const char *const expectation_names[EXPECT_MAX];

struct wanted_text {
    enum expectation kind;
    bool is_regex;
    char *text; // NULL: any
};

/** One evaluation and what it must give. */
struct eval_case {
    const char *file;
    int line;
    bool is_range;
    struct promql_range range;
    char *expr;
    bool expects[EXPECT_MAX];
    struct wanted_text text[LINES_MAX];
    size_t n_texts;
    struct promql_line *series;
    size_t n_series, cap_series;
    bool is_scalar, is_matrix, is_string;
    struct promql_range matrix;
    double scalar;
    char *string;
};

/** Cut blanks off both ends, in place. */
char *case_trim(char *s);
bool case_starts(const char *s, const char *with);

/** Take a duration off *s, in milliseconds; ends the program where there is none. */
int64_t case_duration(char **s);

/** The line that begins with "eval". */
bool case_parse(struct eval_case *c, char *s);

/** A line below it; false where it is not understood. */
bool case_parse_expectation(struct eval_case *c, char *s, struct err *err);
void case_done(struct eval_case *c);

/** Add a line to what is wrong. */
void check_complain(struct buf *why, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Compare; what differs goes into `why`. */
void check_result(const struct eval_case *c, const struct promql_result *r, struct buf *why);
void check_failure(const struct eval_case *c, const struct err *err, struct buf *why);
void check_sorted(const struct promql_result *r, struct buf *why);

#endif
