// SPDX-License-Identifier: GPL-3.0-or-later
// One evaluation from its beginning to its end: limits, annotations, the result.
#include "eval.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "regex/regex.h"

#define MEMORY_DEFAULT (UINT64_C(1) << 30)
#define SAMPLES_DEFAULT 50000000
#define LOOKBACK_DEFAULT_MS 300000
#define SUBQUERY_STEP_DEFAULT_MS 60000
#define WORK_PER_CHECK 20000 // samples looked at
#define ANNOTATIONS_MAX 1000
#define TIME_MAX_MS (INT64_C(1) << 56)

void query_fail(struct query *q, int code, const char *format, ...)
{
    char message[900];
    va_list ap;
    va_start(ap, format);
    (void)vsnprintf(message, sizeof(message), format, ap);
    va_end(ap);
    q->r = err_set(q->err, code, "%s", message);
    longjmp(q->jump, 1);
}

static void fail_memory(void *arg, int r) __attribute__((noreturn));
static void fail_memory(void *arg, int r)
{
    struct query *q = arg;
    if (r == -E2BIG)
        query_fail(q, E2BIG, "query needs more than its %zu bytes of memory", q->arena.limit);
    query_fail(q, -r, "no memory");
}

void query_work(struct query *q, size_t work)
{
    q->work_left -= (int64_t)work;
    if (q->work_left > 0)
        return;
    q->work_left = WORK_PER_CHECK;
    if (q->options.cancelled && atomic_load_explicit(q->options.cancelled, memory_order_relaxed))
        query_fail(q, ECANCELED, "query was canceled in expression evaluation");
    if (q->options.deadline_ns && clock_mono_ns(q->options.clock) > q->options.deadline_ns)
        query_fail(q, ETIME, "query timed out in expression evaluation");
}

void query_check(struct query *q, size_t samples)
{
    q->samples_read += samples;
    query_work(q, samples + 100);
}

void query_hold(struct query *q, size_t samples)
{
    q->samples += samples;
    q->stats.peak_samples = MAX_OF(q->stats.peak_samples, q->samples);
    if (q->samples > q->options.max_samples)
        query_fail(q, EOVERFLOW,
                   "query processing would load too many samples into memory in query execution");
}

void query_own_regex(struct query *q, struct regex *regex)
{
    if (mem_grow_capped(&q->regex, &q->cap_regexes, q->n_regexes, sizeof(regex), 10000) < 0) {
        regex_free(regex);
        query_fail(q, E2BIG, "query has too many regular expressions");
    }
    q->regex[q->n_regexes++] = regex;
}

static void annotate(struct query *q, struct annotations *a, const char *kind,
                     const struct node *node, const char *format, va_list ap)
    __attribute__((format(printf, 5, 0)));
static void annotate(struct query *q, struct annotations *a, const char *kind,
                     const struct node *node, const char *format, va_list ap)
{
    struct buf text;
    char message[500];
    int line, column;
    (void)vsnprintf(message, sizeof(message), format, ap);
    ast_position(q->expr->text, node->start, &line, &column);
    buf_init(&text, 1000);
    buf_printf(&text, "%s: %s (%d:%d)", kind, message, line, column);
    bool is_new = a->n < ANNOTATIONS_MAX && !text.error;
    for (size_t i = 0; i < a->n && is_new; i++)
        is_new = strcmp(a->text[i], text.data) != 0;
    if (is_new) {
        // The text may be asked for under a mark: kept by malloc() until the end.
        char **grown = realloc(a->text, (a->n + 1) * sizeof(*grown));
        if (grown) {
            a->text = (const char **)grown;
            a->text[a->n++] = mem_strdup(text.data);
        }
    }
    buf_done(&text);
}

void query_warn(struct query *q, const struct node *node, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    annotate(q, &q->warnings, "PromQL warning", node, format, ap);
    va_end(ap);
}

void query_info(struct query *q, const struct node *node, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    annotate(q, &q->infos, "PromQL info", node, format, ap);
    va_end(ap);
}

static void leave_histograms(struct query *q, const struct grid *g, struct value *value)
{
    if (value_drop_histograms(q, g, value))
        query_info(q, q->expr->root, "native histograms are left out");
}

// Names that were to go at the end go; series that fall together become one.
static void finish_names(struct query *q, const struct grid *g, struct value *value)
{
    bool changed = false;
    for (size_t i = 0; i < value->n; i++) {
        if (!value->col[i].drop_name)
            continue;
        value->col[i].labels = query_labels_without_name(q, value->col[i].labels);
        changed = true;
    }
    if (changed)
        value_merge(q, g, value);
}

static const struct labels *copy_labels(struct query *q, const struct labels *l)
{
    return query_labels(q, l->label, l->n);
}

// Points of one column, closed up in place.
static void put_series(struct query *q, const struct grid *g, const int64_t *times,
                       const struct column *col, struct promql_series *ret)
{
    size_t n = 0;
    for (size_t k = 0; k < g->n; k++)
        n += !is_absent(col->v[k]);
    *ret = (struct promql_series){
        .labels = copy_labels(q, col->labels), .n = n, .t_ms = times, .v = col->v};
    if (n == g->n)
        return;
    int64_t *t = arena_array(&q->arena, n, sizeof(*t));
    for (size_t k = 0, at = 0; k < g->n; k++) {
        if (is_absent(col->v[k]))
            continue;
        t[at] = times[k];
        col->v[at++] = col->v[k];
    }
    ret->t_ms = t;
}

static void put_columns(struct query *q, const struct grid *g, struct value *value)
{
    int64_t *times = arena_array(&q->arena, g->n, sizeof(*times));
    struct promql_series *series = arena_array(&q->arena, value->n, sizeof(*series));
    for (size_t k = 0; k < g->n; k++)
        times[k] = grid_time(g, k);
    for (size_t i = 0; i < value->n; i++)
        put_series(q, g, times, &value->col[i], &series[i]);
    q->result->series = series;
    q->result->n = value->n;
}

static double *copy_steps(struct query *q, const struct grid *g, const double *v)
{
    return memcpy(query_steps(q, g), v, g->n * sizeof(double));
}

static void run_instant(struct query *q, const struct node *root)
{
    const struct grid g = {q->range.start_ms, 0, 1};
    struct value value;
    q->result->type = root->type;
    q->result->t_ms = g.start_ms;
    if (root->type == PROMQL_MATRIX) {
        eval_matrix(q, root, g.start_ms);
        return;
    }
    eval(q, root, &g, &value);
    if (value.type == PROMQL_SCALAR) {
        q->result->scalar = value.scalar[0];
    } else if (value.type == PROMQL_STRING) {
        q->result->string = arena_text(&q->arena, value.text, strlen(value.text));
    } else {
        leave_histograms(q, &g, &value);
        value_compact(&g, &value);
        finish_names(q, &g, &value);
        put_columns(q, &g, &value);
    }
}

static void run_range(struct query *q, const struct node *root)
{
    const struct grid g = {q->range.start_ms, q->range.step_ms,
                           (size_t)((q->range.end_ms - q->range.start_ms) / q->range.step_ms) + 1};
    struct value value;
    q->result->type = PROMQL_MATRIX;
    if (eval_counted(q, root, &g))
        return;
    eval(q, root, &g, &value);
    if (value.type == PROMQL_SCALAR) {
        value.n = 1;
        value.col = arena_zalloc(&q->arena, 1, sizeof(*value.col));
        value.col->labels = query_labels(q, NULL, 0);
        value.col->v = copy_steps(q, &g, value.scalar);
    }
    leave_histograms(q, &g, &value);
    value_compact(&g, &value);
    finish_names(q, &g, &value);
    int64_t began_ns = stats_clock(q);
    value_sort(&value);
    q->stats.sort_ns += stats_clock(q) - began_ns;
    put_columns(q, &g, &value);
}

static int compare_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const char *const *take_annotations(struct query *q, struct annotations *a)
{
    const char **text = arena_array(&q->arena, a->n, sizeof(char *));
    for (size_t i = 0; i < a->n; i++)
        text[i] = arena_text(&q->arena, a->text[i], strlen(a->text[i]));
    qsort(text, a->n, sizeof(*text), compare_text);
    return text;
}

struct whole_result {
    struct promql_result public;
    struct arena arena;
};

static void run(struct query *q)
{
    const struct node *root = q->expr->root;
    q->result = arena_zalloc(&q->arena, 1, sizeof(struct whole_result));
    stats_begin(q);
    if (q->range.step_ms > 0)
        run_range(q, root);
    else
        run_instant(q, root);
    q->result->warning = take_annotations(q, &q->warnings);
    q->result->n_warnings = q->warnings.n;
    q->result->info = take_annotations(q, &q->infos);
    q->result->n_infos = q->infos.n;
    q->result->samples_read = q->samples_read;
    q->result->peak_bytes = q->arena.peak;
    stats_end(q);
}

static void free_annotations(struct annotations *a)
{
    for (size_t i = 0; i < a->n; i++)
        free((char *)a->text[i]);
    free((void *)a->text);
}

static void set_defaults(struct promql_options *o)
{
    if (!o->lookback_ms)
        o->lookback_ms = LOOKBACK_DEFAULT_MS;
    if (!o->subquery_step_ms)
        o->subquery_step_ms = SUBQUERY_STEP_DEFAULT_MS;
    if (!o->max_samples)
        o->max_samples = SAMPLES_DEFAULT;
    if (!o->max_memory_bytes)
        o->max_memory_bytes = MEMORY_DEFAULT;
    if (!o->clock)
        o->clock = &clock_system;
}

static int evaluate(const struct promql_expr *expr, struct query_source *source,
                    const struct promql_range *range, const struct promql_options *options,
                    struct promql_result **ret, struct err *err)
{
    struct query *q = calloc(1, sizeof(*q));
    if (!q)
        return err_set(err, ENOMEM, "no memory");
    q->options = options ? *options : (struct promql_options){0};
    set_defaults(&q->options);
    q->arena =
        (struct arena){.limit = q->options.max_memory_bytes, .on_failure = fail_memory, .arg = q};
    q->expr = expr;
    q->source = source;
    q->range = *range;
    q->err = err;
    if (setjmp(q->jump) == 0)
        run(q);
    for (size_t i = 0; i < q->n_sets; i++)
        q->set[i]->ops->free_set(q->set[i]);
    for (size_t i = 0; i < q->n_regexes; i++)
        regex_free(q->regex[i]);
    free(q->regex);
    free_annotations(&q->warnings);
    free_annotations(&q->infos);
    int r = q->r;
    if (r < 0) {
        arena_done(&q->arena);
    } else {
        struct whole_result *whole = (struct whole_result *)q->result;
        whole->arena = q->arena;
        *ret = &whole->public;
    }
    free(q);
    return r;
}

int promql_eval_instant(const struct promql_expr *expr, struct query_source *source, int64_t t_ms,
                        const struct promql_options *options, struct promql_result **ret,
                        struct err *err)
{
    if (t_ms > TIME_MAX_MS || t_ms < -TIME_MAX_MS)
        return err_set(err, EINVAL, "the time is out of range");
    const struct promql_range at = {t_ms, t_ms, 0};
    return evaluate(expr, source, &at, options, ret, err);
}

int promql_eval_range(const struct promql_expr *expr, struct query_source *source,
                      const struct promql_range *range, const struct promql_options *options,
                      struct promql_result **ret, struct err *err)
{
    if (expr->root->type != PROMQL_SCALAR && expr->root->type != PROMQL_VECTOR)
        return err_set(err, EINVAL,
                       "invalid expression type \"%s\" for range query, must be Scalar or instant "
                       "Vector",
                       ast_type_document(expr->root->type));
    if (range->step_ms <= 0 || range->end_ms < range->start_ms)
        return err_set(err, EINVAL,
                       range->step_ms <= 0
                           ? "zero or negative query resolution step widths are not "
                             "accepted. Try a positive integer"
                           : "end timestamp must not be before start time");
    if (range->start_ms < -TIME_MAX_MS || range->end_ms > TIME_MAX_MS)
        return err_set(err, EINVAL, "the time is out of range");
    return evaluate(expr, source, range, options, ret, err);
}

void promql_result_free(struct promql_result *result)
{
    if (!result)
        return;
    struct arena arena = ((struct whole_result *)result)->arena;
    arena_done(&arena);
}

const char *promql_error_type(int r)
{
    switch (-r) {
    case EINVAL:
        return "bad_data";
    case EDOM:
    case EOVERFLOW:
    case E2BIG:
        return "execution";
    case ETIME:
        return "timeout";
    case ECANCELED:
        return "canceled";
    default:
        return "internal";
    }
}
