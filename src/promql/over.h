// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef PROMQL_OVER_H
#define PROMQL_OVER_H

/* Functions over the windows of one series; see `struct windows` and function.c. */

#include "eval.h"

void over_rate(struct windows *w, double *out);
void over_increase(struct windows *w, double *out);
void over_delta(struct windows *w, double *out);
void over_irate(struct windows *w, double *out);
void over_idelta(struct windows *w, double *out);
void over_deriv(struct windows *w, double *out);
void over_predict_linear(struct windows *w, double *out);
void over_changes(struct windows *w, double *out);
void over_resets(struct windows *w, double *out);
void over_sum(struct windows *w, double *out);
void over_avg(struct windows *w, double *out);
void over_min(struct windows *w, double *out);
void over_max(struct windows *w, double *out);
void over_count(struct windows *w, double *out);
void over_present(struct windows *w, double *out);
void over_last(struct windows *w, double *out);
void over_stddev(struct windows *w, double *out);
void over_stdvar(struct windows *w, double *out);
void over_quantile(struct windows *w, double *out);

void buckets_rate(struct windows *w, double *out);
void buckets_increase(struct windows *w, double *out);
void buckets_delta(struct windows *w, double *out);
void buckets_resets(struct windows *w, double *out);
void buckets_sum(struct windows *w, double *out);
void buckets_avg(struct windows *w, double *out);
void buckets_min(struct windows *w, double *out);
void buckets_max(struct windows *w, double *out);
void buckets_count(struct windows *w, double *out);
void buckets_present(struct windows *w, double *out);
void buckets_last(struct windows *w, double *out);

#endif
