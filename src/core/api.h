// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef CORE_API_H
#define CORE_API_H

// Prometheus' HTTP API. What reads the store is a job; the rest is answered at once.

#include "api_envelope.h"
#include "api_param.h"
#include "core.h"
#include "jobs.h"
#include "promql/promql.h"

#define API_TYPE "application/json"

// Most bytes of an answer that is built as a whole (series, labels).
#define API_WHOLE_MAX ((size_t)256 * 1024 * 1024)

// api_query.c
void view_query(const struct view *v);
void view_query_range(const struct view *v);
void view_format_query(const struct view *v);
void view_parse_query(const struct view *v);

// api_series.c
void view_series(const struct view *v);
void view_labels(const struct view *v);
void view_label_values(const struct view *v);

// api_export.c
void view_export(const struct view *v);

// api_snapshot.c
void view_snapshot(const struct view *v);

// api_delete.c
void view_store_delete(const struct view *v);

// api_tsdb.c
void view_status_tsdb(const struct view *v);

// api_status.c
void view_query_exemplars(const struct view *v);
void view_metadata(const struct view *v);
void view_targets(const struct view *v);
void view_status_buildinfo(const struct view *v);
void view_status_runtimeinfo(const struct view *v);
void view_status_config(const struct view *v);
void view_status_flags(const struct view *v);

// api_job.c

// What all jobs here but queries share, as their first member.
struct api_job {
    struct query_source *source;
    size_t max_series;
    size_t limit; // of entries, 0 = all
    int64_t start_ms, end_ms;
    struct buf whole; // an answer that run() builds as a whole and next() cuts into pieces
    size_t at;
};

// A failure; answers the request. `r` decides on kind and status.
void api_fail(const struct view *v, int r, struct err *err);
void api_bad(const struct view *v, const struct err *err); // bad_data

// The answer to a request that needs no worker.
void api_answer(const struct view *v, const struct buf *body);

// Queue a job; takes over `arg`. Answers 503 where there is no room, or no store. `deadline` is
// query.timeout from now, or the request's own where that is less.
void api_start(const struct view *v, const struct job_ops *ops, void *arg, int64_t timeout_ns);

// The same for what needs no store.
void api_start_text(const struct view *v, const struct job_ops *ops, void *arg, int64_t timeout_ns);

// Stored samples as the asker may see them: all, or those of the VMs in their scope. NULL: there is
// no store. To be given back with api_source_done(). 0 or a failure that is to be answered.
int api_source(const struct view *v, struct query_source **ret, struct err *err);
void api_source_done(struct query_source *source);

// The request's timeout, at most the configuration's. 0 or -EINVAL.
int api_timeout(const struct view *v, int64_t *ret_ns, struct err *err);

// For job_ops.run: the whole is built; its first piece goes to `out`.
int api_whole_begin(struct api_job *j, struct buf *out, bool *ret_more);
bool api_whole_next(struct api_job *j, struct buf *out);
size_t api_whole_held(const void *arg);

// For job_ops.run: the answer is an error. Gives the status.
int api_job_fail(int r, struct err *err, struct buf *out);

// The same as problem details, for what is not of Prometheus' API. Gives `status`.
int api_job_problem(int status, const char *detail, struct buf *out);

// A selector of match[], parsed.
struct api_match {
    struct promql_expr *expr;
    struct promql_selector selector;
};
struct api_matches {
    struct api_match *match;
    size_t n, cap;
};
int api_matches_parse(const struct ipc_request *r, struct api_matches *ret, struct err *err);
void api_matches_done(struct api_matches *m);

#endif
