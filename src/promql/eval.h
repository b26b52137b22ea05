// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef PROMQL_EVAL_H
#define PROMQL_EVAL_H

/*
 * Evaluation goes series by series over all steps: a column is one array of values, a step each.
 * "No sample at this step" is the staleness marker, which no operation yields and no selector lets
 * through. Whatever fails calls query_fail(), which jumps back to where evaluation began; all
 * memory is the query's arena, all open sets are in its list.
 */

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "ast.h"
#include "function.h"
#include "model/labels.h"
#include "model/query.h"
#include "promql/promql.h"

/** All times of a grid lie in (start + k·step - reach, start + k·step]. */
struct stretches {
    int64_t start_ms, step_ms, reach_ms;
};

/**
 * The times at which an expression is evaluated: start + k·step for k < n. Of a subquery whose
 * windows are far apart only those that lie in one, in `t_ms`: each is start + some multiple of
 * step.
 */
struct grid {
    int64_t start_ms, step_ms;
    size_t n;
    const int64_t *t_ms;   /**< NULL: evenly spaced */
    struct stretches near; /**< where there is t_ms; its start is such a multiple too */
};

static inline int64_t grid_time(const struct grid *g, size_t k)
{
    return g->t_ms ? g->t_ms[k] : g->start_ms + (int64_t)k * g->step_ms;
}

/** A series of an instant vector over all steps. */
struct column {
    const struct labels *labels;
    double *v;      /**< ours to overwrite */
    bool drop_name; /**< the name goes at the end of evaluation */
};

struct value {
    enum promql_type type;
    size_t n; /**< of a vector */
    struct column *col;
    double *scalar; /**< a value each step */
    const char *text;
};

/** A NaN that no operation yields, beside the staleness marker. */
#define HISTOGRAM_BITS UINT64_C(0x7ff0000000000003)

static inline bool is_histogram(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof(bits));
    return bits == HISTOGRAM_BITS;
}

static inline bool is_absent(double v)
{
    return sample_is_stale(v);
}

struct annotations {
    const char **text;
    size_t n, cap;
};

struct query {
    struct arena arena;
    const struct promql_expr *expr;
    struct query_source *source;
    struct promql_options options;
    struct promql_range range;
    struct query_set **set;
    size_t n_sets, cap_sets;
    struct regex **regex; /**< compiled on the way; owned */
    size_t n_regexes, cap_regexes;
    struct annotations warnings, infos;
    bool has_histograms; /**< some sample is promql_histogram() */
    size_t samples;      /**< held now, as Prometheus counts them */
    uint64_t samples_read;
    struct promql_stats stats;
    uint64_t *step_samples; /**< those of each step, while they are counted */
    int64_t work_left;      /**< until the next look at clock and flag */
    struct promql_result *result;
    struct err *err;
    int r;
    jmp_buf jump;
};

/** End the evaluation with -code. */
void query_fail(struct query *q, int code, const char *format, ...)
    __attribute__((noreturn, format(printf, 3, 4)));

/** Account for `samples` just read and see whether the query was cancelled or ran out of time. */
void query_check(struct query *q, size_t samples);

/** The same for samples that are looked at again. */
void query_work(struct query *q, size_t work);

/** Count samples held; fails over the limit. */
void query_hold(struct query *q, size_t samples);

/** Add an annotation once; `node` is its place. The text is without the "PromQL warning: ". */
void query_warn(struct query *q, const struct node *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void query_info(struct query *q, const struct node *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** Hand over a regex, to be freed at the end. */
void query_own_regex(struct query *q, struct regex *regex);

/** Evaluate; of type scalar, vector or string. */
void eval(struct query *q, const struct node *node, const struct grid *g, struct value *ret);

/** Parts of eval(), one file each. */
void eval_selector(struct query *q, const struct node *node, const struct grid *g, bool times,
                   struct value *ret);
void eval_aggregate(struct query *q, const struct node *node, const struct grid *g,
                    struct value *ret);
/** count_values() at the root of a range query: straight into the result. False: another node. */
bool eval_counted(struct query *q, const struct node *root, const struct grid *grid);
void eval_binary(struct query *q, const struct node *node, const struct grid *g, struct value *ret);
void eval_call(struct query *q, const struct node *node, const struct grid *g, struct value *ret);
void eval_over(struct query *q, const struct node *node, const struct grid *g, struct value *ret);

/** A range vector at one time, as an instant query gives it; into the result. */
void eval_matrix(struct query *q, const struct node *node, int64_t t_ms);

/** An array of one value a step. */
double *query_steps(struct query *q, const struct grid *g);

/** Columns whose labels are the same become one; fails where both have a sample at a step. */
void value_merge(struct query *q, const struct grid *g, struct value *value);

/** Leave native histograms out; true where there were any. */
bool value_drop_histograms(struct query *q, const struct grid *g, struct value *value);

/** Drop the columns that have no sample at all. */
void value_compact(const struct grid *g, struct value *value);

/** How the name goes: at once (and columns that fall together are merged), or later. */
void value_drop_names(struct query *q, const struct grid *g, struct value *value);

/** Sort columns by labels. */
void value_sort(struct value *value);

/** New labels in the arena; names in any order, empty values left out. */
const struct labels *query_labels(struct query *q, const struct label *label, size_t n);
const struct labels *query_labels_without_name(struct query *q, const struct labels *l);
/** With one label set (or removed, where value is ""). */
const struct labels *query_labels_with(struct query *q, const struct labels *l, const char *name,
                                       const char *value);

/** A label's name may be any UTF-8 text that is not empty. */
bool is_utf8_label(const char *name);

/** The metric name, "" where there is none. */
const char *labels_metric(const struct labels *l);

/* select.c: series out of the source */

/** What a selector matched; labels sorted, in `order`. */
struct selection {
    struct query_set *set;
    size_t n;
    uint32_t *order; /**< of the set's series */
};

/** One series' samples, or its buckets. Valid until the next read of the query. */
struct samples {
    size_t n;
    const int64_t *t_ms;
    const double *v;
    size_t n_buckets; /**< where > 0, there are buckets and `n` is 0 */
    const struct query_bucket *bucket;
    int64_t resolution_ms; /**< the coarsest */
};

/** The largest and smallest reference time of a selector over a grid: offset and @ applied. */
struct reference {
    int64_t start_ms, step_ms; /**< at step k: start + k·step */
    int64_t first_ms, last_ms;
    const int64_t *t_ms; /**< or t_ms[k] - offset, as in `struct grid` */
    int64_t offset_ms;
    struct stretches near;
};

static inline int64_t reference_time(const struct reference *r, size_t k)
{
    return r->t_ms ? r->t_ms[k] - r->offset_ms : r->start_ms + (int64_t)k * r->step_ms;
}

/** For hints: which samples are needed where each time looks back over `range_ms`. */
void reference_hint(const struct reference *r, int64_t range_ms, struct query_hints *hints);

struct reference node_reference(const struct query *q, const struct node *node,
                                const struct grid *g);

struct selection select_series(struct query *q, const struct node *selector,
                               const struct query_hints *hints);
/** `want_buckets`: give buckets as they are; else each becomes a sample (its last). */
struct samples select_read(struct query *q, const struct selection *s, size_t i, int64_t start_ms,
                           int64_t end_ms, bool want_buckets);

/** First index >= from whose time is > limit; `guess` is where it probably is. */
size_t samples_seek(const int64_t *t_ms, size_t n, size_t from, size_t guess, int64_t limit_ms);

/* stats.c: what an evaluation took, where that is asked for */

/** The time that its clock shows; 0 where nothing is counted. */
int64_t stats_clock(const struct query *q);
void stats_begin(struct query *q);
/** Into the result. */
void stats_end(struct query *q);

/** Samples that the steps look at: a column's, which are `present`; those in windows. */
void stats_count_column(struct query *q, const struct grid *g, const double *v, size_t present);
struct windows;
void stats_count_windows(struct windows *w);
/** Those of a range vector by itself. */
void stats_count(struct query *q, size_t samples);

/** What is evaluated on a grid of its own counts by itself; then so often for those above it. */
struct stats_aside {
    uint64_t samples;
    uint64_t *step_samples;
};
struct stats_aside stats_set_aside(struct query *q);
void stats_take_up(struct query *q, const struct stats_aside *aside, size_t times);

/* over.c: windows of range vectors */

struct windows {
    struct query *q;
    const struct node *node;  /**< the call */
    const struct node *range; /**< its range vector */
    const struct labels *labels;
    const struct grid *grid;
    struct reference reference; /**< ends of the windows */
    int64_t range_ms;
    const int64_t *t_ms; /**< samples, without staleness markers */
    const double *v;
    size_t n_samples;
    uint32_t *lo, *hi; /**< samples lo … hi-1 are in window k */
    const struct query_bucket *bucket;
    size_t n_buckets;
    size_t n_params;
    const double *param[2]; /**< scalar arguments, a value each step */
    double *scratch;        /**< window_scratch() */
    size_t scratch_cap;
};

double *window_scratch(struct windows *w, size_t n);

/** Most samples in a window. */
size_t windows_widest(const struct windows *w);

/** Whether a sample is in more than so many windows, on average. */
bool windows_overlap(const struct windows *w, size_t times);

static inline int64_t window_end(const struct windows *w, size_t k)
{
    return reference_time(&w->reference, k);
}

/** Quantile of n values, which are reordered; as Prometheus interpolates. NaN of none. */
double quantile_of(double q, double *v, size_t n);

/** A number as Go's FormatFloat(v, 'f', -1, 64). */
void put_plain_number(struct buf *out, double v);
/** Go's %g. */
void put_short_number(struct buf *out, double v);
/** As in JSON answers. */
void put_json_number(struct buf *out, double v);

/** The same to where there is room for as much; the end. No NUL is put. */
#define PLAIN_NUMBER_MAX 400 // "-0.", 323 zeros, 17 digits
#define JSON_NUMBER_MAX 32
#define U64_DIGITS_MAX 20
char *write_plain_number(char *out, double v);
char *write_json_number(char *out, double v);
char *write_u64(char *out, uint64_t v);

#endif
