// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef PROMQL_PROMQL_H
#define PROMQL_PROMQL_H

/*
 * PromQL as Prometheus 3 has it, without native histograms and experimental functions: parsing,
 * printing, evaluation over a `query_source`. Times are Unix milliseconds.
 *
 * Errors are `-errno` with the kind in it, `err->message` is Prometheus' text; what the HTTP API
 * calls the kind is promql_error_type(). An expression is immutable and may be evaluated by several
 * threads at once, each with a result of its own.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "model/labels.h"
#include "model/query.h"

/** Longest text of an expression in bytes, and how deep expressions may nest. */
#define PROMQL_TEXT_MAX (1u << 20)
#define PROMQL_DEPTH_MAX 250

/** Most points of a range query per series, as Prometheus' API has it; for who checks it. */
#define PROMQL_POINTS_MAX 11000

enum promql_type {
    PROMQL_SCALAR,
    PROMQL_VECTOR,
    PROMQL_MATRIX,
    PROMQL_STRING,
    PROMQL_TYPE_MAX,
};

/** "scalar", "vector", "matrix", "string". */
const char *promql_type_name(enum promql_type type);

/** A parsed and checked expression. */
struct promql_expr;

/**
 * Parse and check `len` bytes of text. 0, -EINVAL (malformed: err has line and column, 1-based, and
 * Prometheus' message, "1:5: parse error: …"), -E2BIG (over PROMQL_TEXT_MAX), -ENOMEM.
 */
int promql_parse(const char *text, size_t len, struct promql_expr **ret, struct err *err);
void promql_expr_free(struct promql_expr *expr);

/** What an instant evaluation of it gives. */
enum promql_type promql_expr_type(const struct promql_expr *expr);

/** On one line, as Prometheus prints an expression (`ALERTS`' generator URL, rules' API). */
void promql_print(const struct promql_expr *expr, struct buf *out);

/** Laid out over lines of at most 100 columns with two blanks a level, as /api/v1/format_query. */
void promql_format(const struct promql_expr *expr, struct buf *out);

/** The syntax tree as JSON, as in "data" of /api/v1/parse_query. */
void promql_expr_json(const struct promql_expr *expr, struct buf *out);

/**
 * Stands for a sample that is a native histogram: evaluation knows that there is one, leaves it out
 * and says so (an info), as Prometheus does where only floats make sense.
 */
double promql_histogram(void);

/** When an expression is evaluated: at start, start + step, … up to end. */
struct promql_range {
    int64_t start_ms, end_ms;
    int64_t step_ms; /**< 0 only where start equals end: an instant query */
};

/** A selector inside an expression, and the samples that it reads. */
struct promql_selector {
    const struct query_matcher *matcher; /**< belong to the expression; the name is among them */
    size_t n_matchers;
    const char *metric;       /**< the name where one is given by equality, else NULL */
    int64_t start_ms, end_ms; /**< closed range of all samples that evaluation may look at */
    int64_t range_ms;         /**< of `[5m]`; 0 for an instant selector */
};

/**
 * The selectors of an expression with the times that they read over a range: for a prefetch, and to
 * see which rule depends on which. Writes at most `cap`, returns how many there are.
 * `lookback_ms` 0: the default.
 */
size_t promql_selectors(const struct promql_expr *expr, const struct promql_range *range,
                        int64_t lookback_ms, struct promql_selector *ret, size_t cap);

enum promql_compare {
    PROMQL_EQ,
    PROMQL_NE,
    PROMQL_GT,
    PROMQL_LT,
    PROMQL_GE,
    PROMQL_LE,
};

/** A vector compared with a number, which keeps the elements that fulfil it. */
struct promql_threshold {
    enum promql_compare compare;
    double number;
};

/**
 * Whether the expression is `VECTOR < 5` or the like (without `bool`, the number on the right); the
 * vector's own expression is then printed into `out`. Its elements that promql_compares() are what
 * the whole gives.
 */
bool promql_threshold(const struct promql_expr *expr, struct promql_threshold *ret,
                      struct buf *out);
bool promql_compares(enum promql_compare compare, double v, double number);

/** How much is counted of what an evaluation takes. */
enum promql_counting {
    PROMQL_COUNT_NOTHING,
    PROMQL_COUNT_TOTALS,
    PROMQL_COUNT_STEPS, /**< samples also step by step */
};

/** Limits and habits of one evaluation; all zero is sensible. */
struct promql_options {
    int64_t lookback_ms;          /**< how old a sample may be for an instant selector; 0: 5 min */
    int64_t subquery_step_ms;     /**< of subqueries that name none; 0: 1 min */
    bool delayed_name_removal;    /**< names go at the end of evaluation, not at each function */
    size_t max_samples;           /**< held at once, as query.max-samples; 0: 50,000,000 */
    size_t max_series;            /**< of one selector; 0: no limit */
    size_t max_memory_bytes;      /**< of the evaluation, the result with it; 0: 1 GiB */
    const struct clock *clock;    /**< for the deadline; NULL: clock_system */
    int64_t deadline_ns;          /**< monotonic; 0: none */
    const atomic_bool *cancelled; /**< set by another thread to end it; may be NULL */
    enum promql_counting counting;
};

/** What an evaluation took, counted as Prometheus counts it; only what was asked for. */
struct promql_stats {
    int64_t eval_ns;              /**< all of it; within that: */
    int64_t prepare_ns;           /**< finding the series */
    int64_t sort_ns;              /**< putting the result in order */
    uint64_t samples;             /**< that the steps look at, summed up over the steps */
    size_t peak_samples;          /**< held at once */
    const uint64_t *step_samples; /**< PROMQL_COUNT_STEPS: as `samples`, by step; else NULL */
    struct promql_range range;    /**< the steps */
};

/** One series of a result. */
struct promql_series {
    const struct labels *labels;
    size_t n; /**< points; of a vector: 1 */
    const int64_t *t_ms;
    const double *v;
};

/** What a query gave; it owns all that it points to. */
struct promql_result {
    enum promql_type type;
    size_t n; /**< series of a vector or a matrix */
    const struct promql_series *series;
    int64_t t_ms; /**< of a scalar or string */
    double scalar;
    const char *string;
    size_t n_warnings, n_infos; /**< annotations, with their place: "… (1:12)" */
    const char *const *warning;
    const char *const *info;
    uint64_t samples_read; /**< out of the source */
    size_t peak_bytes;     /**< memory that the evaluation took */
    struct promql_stats stats;
};

/**
 * Evaluate at one time. *ret is freed with promql_result_free(). Errors, by promql_error_type():
 * -EINVAL bad_data; -EDOM execution; -EOVERFLOW too many samples, -E2BIG other limits, -ENOMEM and
 * -EIO of the source; -ETIME past the deadline; -ECANCELED.
 */
int promql_eval_instant(const struct promql_expr *expr, struct query_source *source, int64_t t_ms,
                        const struct promql_options *options, struct promql_result **ret,
                        struct err *err);

/**
 * Evaluate over a range: a matrix, sorted by labels, of the times start + k·step only; expressions
 * that are neither scalar nor vector are -EINVAL.
 */
int promql_eval_range(const struct promql_expr *expr, struct query_source *source,
                      const struct promql_range *range, const struct promql_options *options,
                      struct promql_result **ret, struct err *err);
void promql_result_free(struct promql_result *result);

/** "bad_data", "execution", "timeout", "canceled" or "internal" for what evaluation returned. */
const char *promql_error_type(int r);

/** Writes a result as Prometheus' JSON, a piece at a time. */
struct promql_writer {
    const struct promql_result *result;
    size_t limit;  /**< series that are written at most; 0: all */
    size_t series; /**< where it stands */
    size_t point;
    int state;
    const char *tail; /**< borrowed, set after _init: put behind the result, as `,"stats":{}` */
};

void promql_writer_init(struct promql_writer *w, const struct promql_result *result, size_t limit);

/**
 * Append the next piece of `{"resultType":…,"result":…}`, some `piece_bytes` or less (a sample and
 * a set of labels are never split). True while more follows. Errors stay in `out`.
 */
bool promql_writer_next(struct promql_writer *w, struct buf *out, size_t piece_bytes);

/**
 * Append `"stats":{…}` as /api/v1/query has it in `data`. The evaluation waited `queue_ns` before
 * it began; `exec_ns` is the time with all that belongs to it.
 */
void promql_write_stats(const struct promql_stats *stats, int64_t queue_ns, int64_t exec_ns,
                        struct buf *out);

/**
 * Append `,"warnings":[…]` and `,"infos":[…]` where there are any, at most ten each and a line that
 * counts the others, as Prometheus' envelope has them.
 */
void promql_write_annotations(const struct promql_result *result, struct buf *out);

/** A duration as Prometheus writes it: "1h30m", "0s". */
void promql_duration_put(struct buf *out, int64_t ms);

/**
 * Read a duration of Prometheus ("5m", "1h30m", "250ms"); 0, -EINVAL or -ERANGE. With `plain` also
 * a number of seconds ("15", "0.5").
 */
int promql_duration_parse(const char *text, size_t len, bool plain, int64_t *ret_ms);

#endif
