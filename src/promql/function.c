// SPDX-License-Identifier: GPL-3.0-or-later
// The table of functions: what may be called, with which types, and what computes it.
#include "function.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "call.h"
#include "over.h"

#define V PROMQL_VECTOR
#define M PROMQL_MATRIX
#define S PROMQL_SCALAR
#define T PROMQL_STRING

static double sign(double v)
{
    return v < 0 ? -1 : v > 0 ? 1 : v;
}

static double degrees(double v)
{
    return v * 180 / M_PI;
}

static double radians(double v)
{
    return v * M_PI / 180;
}

#define MAP(name_, function)                                                                       \
    {                                                                                              \
        .name = name_, .result = V, .n_args = 1, .arg = {V}, .map = function                       \
    }
#define OVER(name_, kernel, buckets)                                                               \
    {                                                                                              \
        .name = name_, .result = V, .n_args = 1, .arg = {M}, .over = kernel,                       \
        .over_buckets = buckets                                                                    \
    }
#define OVER_VALUES(name_, kernel, buckets)                                                        \
    {                                                                                              \
        .name = name_, .result = V, .n_args = 1, .arg = {M}, .over = kernel,                       \
        .over_buckets = buckets, .reads_values = true                                              \
    }
#define DATE(name_)                                                                                \
    {                                                                                              \
        .name = #name_, .result = V, .n_args = 1, .variadic = 1, .arg = {V},                       \
        .depends_on_time = true, .call = call_##name_                                              \
    }
#define NONE(name_)                                                                                \
    {                                                                                              \
        .name = name_, .result = V, .n_args = 1, .arg = {V}, .call = call_no_histograms            \
    }
#define EXPERIMENTAL(name_)                                                                        \
    {                                                                                              \
        .name = name_, .result = V, .is_experimental = true                                        \
    }

static const struct function table[] = {
    MAP("abs", fabs),
    {.name = "absent", .result = V, .n_args = 1, .arg = {V}, .call = call_absent},
    {.name = "absent_over_time",
     .result = V,
     .n_args = 1,
     .arg = {M},
     .over = over_present,
     .over_buckets = buckets_present,
     .call = call_absent_over_time},
    MAP("acos", acos),
    MAP("acosh", acosh),
    MAP("asin", asin),
    MAP("asinh", asinh),
    MAP("atan", atan),
    MAP("atanh", atanh),
    OVER_VALUES("avg_over_time", over_avg, buckets_avg),
    MAP("ceil", ceil),
    OVER("changes", over_changes, NULL),
    {.name = "clamp", .result = V, .n_args = 3, .arg = {V, S, S}, .call = call_clamp},
    {.name = "clamp_max", .result = V, .n_args = 2, .arg = {V, S}, .call = call_clamp_max},
    {.name = "clamp_min", .result = V, .n_args = 2, .arg = {V, S}, .call = call_clamp_min},
    MAP("cos", cos),
    MAP("cosh", cosh),
    OVER("count_over_time", over_count, buckets_count),
    DATE(day_of_month),
    DATE(day_of_week),
    DATE(day_of_year),
    DATE(days_in_month),
    MAP("deg", degrees),
    OVER("delta", over_delta, buckets_delta),
    OVER("deriv", over_deriv, NULL),
    EXPERIMENTAL("double_exponential_smoothing"),
    EXPERIMENTAL("end"),
    MAP("exp", exp),
    EXPERIMENTAL("first_over_time"),
    MAP("floor", floor),
    NONE("histogram_avg"),
    NONE("histogram_count"),
    {.name = "histogram_fraction",
     .result = V,
     .n_args = 3,
     .arg = {S, S, V},
     .call = call_histogram_fraction},
    {.name = "histogram_quantile",
     .result = V,
     .n_args = 2,
     .arg = {S, V},
     .call = call_histogram_quantile},
    EXPERIMENTAL("histogram_quantiles"),
    NONE("histogram_stddev"),
    NONE("histogram_stdvar"),
    NONE("histogram_sum"),
    DATE(hour),
    OVER("idelta", over_idelta, NULL),
    OVER("increase", over_increase, buckets_increase),
    EXPERIMENTAL("info"),
    OVER("irate", over_irate, NULL),
    {.name = "label_join",
     .result = V,
     .n_args = 4,
     .variadic = -1,
     .arg = {V, T, T, T},
     .call = call_label_join},
    {.name = "label_replace",
     .result = V,
     .n_args = 5,
     .arg = {V, T, T, T, T},
     .call = call_label_replace},
    {.name = "last_over_time",
     .result = V,
     .n_args = 1,
     .arg = {M},
     .keeps_name = true,
     .over = over_last,
     .over_buckets = buckets_last},
    MAP("ln", log),
    MAP("log10", log10),
    MAP("log2", log2),
    EXPERIMENTAL("mad_over_time"),
    EXPERIMENTAL("max_of"),
    OVER_VALUES("max_over_time", over_max, buckets_max),
    EXPERIMENTAL("min_of"),
    OVER_VALUES("min_over_time", over_min, buckets_min),
    DATE(minute),
    DATE(month),
    {.name = "pi", .result = S, .call = call_pi},
    {.name = "predict_linear",
     .result = V,
     .n_args = 2,
     .arg = {M, S},
     .depends_on_time = true,
     .over = over_predict_linear},
    OVER("present_over_time", over_present, buckets_present),
    {.name = "quantile_over_time", .result = V, .n_args = 2, .arg = {S, M}, .over = over_quantile},
    MAP("rad", radians),
    EXPERIMENTAL("range"),
    OVER("rate", over_rate, buckets_rate),
    OVER("resets", over_resets, buckets_resets),
    {.name = "round", .result = V, .n_args = 2, .variadic = 1, .arg = {V, S}, .call = call_round},
    {.name = "scalar", .result = S, .n_args = 1, .arg = {V}, .call = call_scalar},
    MAP("sgn", sign),
    MAP("sin", sin),
    MAP("sinh", sinh),
    {.name = "sort", .result = V, .n_args = 1, .arg = {V}, .call = call_sort},
    EXPERIMENTAL("sort_by_label"),
    EXPERIMENTAL("sort_by_label_desc"),
    {.name = "sort_desc", .result = V, .n_args = 1, .arg = {V}, .call = call_sort_desc},
    MAP("sqrt", sqrt),
    EXPERIMENTAL("start"),
    OVER("stddev_over_time", over_stddev, NULL),
    OVER("stdvar_over_time", over_stdvar, NULL),
    EXPERIMENTAL("step"),
    OVER_VALUES("sum_over_time", over_sum, buckets_sum),
    MAP("tan", tan),
    MAP("tanh", tanh),
    {.name = "time", .result = S, .depends_on_time = true, .call = call_time},
    {.name = "timestamp",
     .result = V,
     .n_args = 1,
     .arg = {V},
     .depends_on_time = true,
     .call = call_timestamp},
    EXPERIMENTAL("ts_of_first_over_time"),
    EXPERIMENTAL("ts_of_last_over_time"),
    EXPERIMENTAL("ts_of_max_over_time"),
    EXPERIMENTAL("ts_of_min_over_time"),
    {.name = "vector", .result = V, .n_args = 1, .arg = {S}, .call = call_vector},
    DATE(year),
};

const struct function *function_find(const char *name, size_t len)
{
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (strlen(table[i].name) == len && memcmp(table[i].name, name, len) == 0)
            return &table[i];
    return NULL;
}

const struct function *function_at(size_t i)
{
    return i < ARRAY_LEN(table) ? &table[i] : NULL;
}

static void map_columns(struct query *q, const struct node *node, const struct grid *g,
                        struct value *ret)
{
    eval(q, node->arg[0], g, ret);
    value_drop_histograms(q, g, ret);
    for (size_t i = 0; i < ret->n; i++) {
        double *v = ret->col[i].v;
        for (size_t k = 0; k < g->n; k++)
            v[k] = is_absent(v[k]) ? v[k] : node->function->map(v[k]);
    }
    value_drop_names(q, g, ret);
}

void eval_call(struct query *q, const struct node *node, const struct grid *g, struct value *ret)
{
    ret->type = node->type;
    if (node->function->call)
        node->function->call(q, node, g, ret);
    else if (node->function->over)
        eval_over(q, node, g, ret);
    else
        map_columns(q, node, g, ret);
}
