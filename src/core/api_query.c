// SPDX-License-Identifier: GPL-3.0-or-later
// query and query_range: parameters are read and the expression is parsed on the loop's side of the
// job only as far as that is quick; parsing, evaluation and writing are a worker's.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"

#define STATS_MAX (1u << 20) // 11,000 steps

struct query {
    struct query_source *source;
    char *text;
    bool is_range;
    struct promql_range range;
    struct promql_options options;
    size_t limit;
    struct promql_expr *expr;
    struct promql_result *result;
    struct promql_writer writer;
    int64_t asked_ns; // monotonic
    struct buf stats; // that are asked for: what the writer puts behind the result
};

static void query_free(void *arg)
{
    struct query *q = arg;
    promql_result_free(q->result);
    promql_expr_free(q->expr);
    api_source_done(q->source);
    buf_done(&q->stats);
    free(q->text);
    free(q);
}

// Whether `limit` cuts the result, which Prometheus warns of.
static bool is_cut(const struct query *q)
{
    return q->limit > 0 && q->result->n > q->limit &&
           (q->result->type == PROMQL_VECTOR || q->result->type == PROMQL_MATRIX);
}

static void put_end(struct query *q, struct buf *out)
{
    static const char cut[] = "results truncated due to limit";
    if (!is_cut(q)) {
        promql_write_annotations(q->result, out);
        buf_putc(out, '}');
        return;
    }
    // One list of warnings, with ours at its end.
    CLEANUP(buf_done) struct buf notes;
    buf_init(&notes, 1 << 20);
    promql_write_annotations(q->result, &notes);
    static const char begin[] = ",\"warnings\":[";
    if (notes.len > 0 && strncmp(notes.data, begin, sizeof(begin) - 1) == 0)
        buf_printf(out, "%s\"%s\",%s", begin, cut, notes.data + sizeof(begin) - 1);
    else
        buf_printf(out, "%s\"%s\"]%s", begin, cut, notes.len > 0 ? notes.data : "");
    buf_putc(out, '}');
}

static bool query_next(void *arg, struct buf *out)
{
    struct query *q = arg;
    if (promql_writer_next(&q->writer, out, IPC_PIECE_BYTES))
        return true;
    put_end(q, out);
    return false;
}

static void begin_writing(struct query *q, int64_t began_ns)
{
    promql_writer_init(&q->writer, q->result, q->limit);
    if (!q->options.counting)
        return;
    buf_init(&q->stats, STATS_MAX);
    buf_putc(&q->stats, ',');
    promql_write_stats(&q->result->stats, began_ns - q->asked_ns,
                       clock_mono_ns(&clock_system) - q->asked_ns, &q->stats);
    q->writer.tail = q->stats.error ? NULL : q->stats.data;
}

static int query_run(void *arg, const struct job_limits *limits, struct buf *out, bool *ret_more)
{
    struct query *q = arg;
    struct err err = {0};
    int64_t began_ns = clock_mono_ns(&clock_system);
    int r = promql_parse(q->text, strlen(q->text), &q->expr, &err);
    if (r < 0) {
        err_wrap(&err, "invalid parameter \"query\"");
        return api_job_fail(-EINVAL, &err, out);
    }
    enum promql_type type = promql_expr_type(q->expr);
    if (q->is_range && type != PROMQL_SCALAR && type != PROMQL_VECTOR) {
        err_set(&err, EINVAL,
                "invalid parameter \"query\": invalid expression type \"%s\" for range query, must "
                "be Scalar or instant Vector",
                type == PROMQL_MATRIX ? "range vector" : promql_type_name(type));
        return api_job_fail(-EINVAL, &err, out);
    }
    q->options.deadline_ns = limits->deadline_ns;
    q->options.cancelled = limits->cancelled;
    if (q->is_range)
        r = promql_eval_range(q->expr, q->source, &q->range, &q->options, &q->result, &err);
    else
        r = promql_eval_instant(q->expr, q->source, q->range.start_ms, &q->options, &q->result,
                                &err);
    if (r < 0)
        return api_job_fail(r, &err, out);
    begin_writing(q, began_ns);
    api_success_begin(out);
    *ret_more = query_next(q, out);
    return 200;
}

static size_t query_held(const void *arg)
{
    const struct query *q = arg;
    return q->result ? q->result->peak_bytes : 0;
}

static const struct job_ops query_ops = {query_run, query_next, query_held, query_free, NULL};

static struct promql_options options_of(const struct core *c)
{
    return (struct promql_options){
        .lookback_ms = c->conf->query.lookback_ns / NS_PER_MS,
        .max_samples = (size_t)c->conf->query.max_samples,
        .max_series = (size_t)c->conf->query.max_series,
        .max_memory_bytes = (size_t)c->conf->query.max_memory_mib << 20,
    };
}

// Any text asks for them, "all" for those of each step, too; as Prometheus.
static enum promql_counting read_counting(const struct ipc_request *request)
{
    CLEANUP(freep) char *stats = ipc_request_param(request, "stats");
    if (!stats || !*stats)
        return PROMQL_COUNT_NOTHING;
    return strcmp(stats, "all") == 0 ? PROMQL_COUNT_STEPS : PROMQL_COUNT_TOTALS;
}

static int read_parameters(const struct view *v, struct query *q, int64_t *ret_timeout_ns,
                           struct err *err)
{
    const struct ipc_request *request = v->request;
    struct api_range range = {0};
    int64_t now = clock_real_ns(&clock_system) / NS_PER_MS;
    int r = q->is_range ? api_param_range(request, &range, err) : 0;
    if (r == 0 && !q->is_range) {
        r = api_param_time(request, "time", &now, err);
        range = (struct api_range){now, now, 0};
    }
    if (r == 0)
        r = api_timeout(v, ret_timeout_ns, err);
    if (r == 0)
        r = api_param_limit(request, "limit", &q->limit, err);
    if (r == 0)
        r = api_param_duration(request, "lookback_delta", &q->options.lookback_ms, err);
    if (r == 0)
        r = api_source(v, &q->source, err);
    q->range = (struct promql_range){range.start_ms, range.end_ms, range.step_ms};
    q->text = ipc_request_param(request, "query");
    if (!q->text)
        q->text = mem_strdup("");
    return r;
}

static void start_query(const struct view *v, bool is_range)
{
    struct err err = {0};
    int64_t timeout_ns = 0;
    struct query *q = mem_zalloc(sizeof(*q));
    q->is_range = is_range;
    q->options = options_of(v->core);
    q->options.counting = read_counting(v->request);
    q->asked_ns = clock_mono_ns(&clock_system);
    if (read_parameters(v, q, &timeout_ns, &err) < 0) {
        query_free(q);
        api_bad(v, &err);
        return;
    }
    api_start(v, &query_ops, q, timeout_ns);
}

void view_query(const struct view *v)
{
    start_query(v, false);
}

void view_query_range(const struct view *v)
{
    start_query(v, true);
}

// format_query and parse_query need no store, only a worker where the text is long.

struct text_job {
    struct api_job job;
    char *text;
    bool is_tree;
};

static void text_free(void *arg)
{
    struct text_job *t = arg;
    buf_done(&t->job.whole);
    free(t->text);
    free(t);
}

static void put_formatted(const struct promql_expr *expr, struct buf *out)
{
    CLEANUP(buf_done) struct buf text;
    struct json j;
    buf_init(&text, 16 * PROMQL_TEXT_MAX);
    promql_format(expr, &text);
    json_init(&j, out);
    json_text(&j, text.len > 0 ? text.data : "");
}

static int text_run(void *arg, const struct job_limits *limits, struct buf *out, bool *ret_more)
{
    struct text_job *t = arg;
    struct err err = {0};
    struct promql_expr *expr = NULL;
    if (promql_parse(t->text, strlen(t->text), &expr, &err) < 0) {
        err_wrap(&err, "invalid parameter \"query\"");
        return api_job_fail(-EINVAL, &err, out);
    }
    buf_init(&t->job.whole, API_WHOLE_MAX);
    api_success_begin(&t->job.whole);
    if (t->is_tree)
        promql_expr_json(expr, &t->job.whole);
    else
        put_formatted(expr, &t->job.whole);
    api_success_end(&t->job.whole, NULL);
    promql_expr_free(expr);
    return api_whole_begin(&t->job, out, ret_more);
}

static bool text_next(void *arg, struct buf *out)
{
    return api_whole_next(&((struct text_job *)arg)->job, out);
}

static const struct job_ops text_ops = {text_run, text_next, api_whole_held, text_free, NULL};

static void start_text(const struct view *v, bool is_tree)
{
    struct text_job *t = mem_zalloc(sizeof(*t));
    t->is_tree = is_tree;
    t->text = ipc_request_param(v->request, "query");
    if (!t->text)
        t->text = mem_strdup("");
    api_start_text(v, &text_ops, t, v->core->conf->query.timeout_ns);
}

void view_format_query(const struct view *v)
{
    start_text(v, false);
}

void view_parse_query(const struct view *v)
{
    start_text(v, true);
}
