// SPDX-License-Identifier: GPL-3.0-or-later
// Generated queries over a small source: they parse; an evaluation over a range gives at each step
// what an instant one gives there; limits end it cleanly.
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "promql-generator.h"
#include "promql-samples.h"
#include "promql/promql.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct promql_range range = {900000, 1500000, 75000};

static bool is_close(double a, double b)
{
    if ((isnan(a) && isnan(b)) || a == b)
        return true;
    return fabs(a - b) <= 1e-6 * fmax(fabs(a), fabs(b)) || fabs(a - b) < 1e-9;
}

static const struct promql_series *find(const struct promql_result *r, const struct labels *l)
{
    for (size_t i = 0; i < r->n; i++)
        if (labels_equal(r->series[i].labels, l))
            return &r->series[i];
    return NULL;
}

static size_t points_at(const struct promql_result *r, int64_t t_ms)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++)
        for (size_t k = 0; k < r->series[i].n; k++)
            n += r->series[i].t_ms[k] == t_ms;
    return n;
}

static void check_step(const struct promql_result *whole, const struct promql_result *at,
                       int64_t t_ms, const char *text)
{
    bool is_same = points_at(whole, t_ms) == at->n;
    for (size_t i = 0; i < at->n && is_same; i++) {
        const struct promql_series *s = find(whole, at->series[i].labels);
        is_same = false;
        for (size_t k = 0; s && k < s->n; k++)
            is_same |= s->t_ms[k] == t_ms && is_close(s->v[k], at->series[i].v[0]);
    }
    if (is_same)
        return;
    fprintf(stderr, "at %lld another answer: %s\n", (long long)t_ms, text);
    abort();
}

static int count(const char *text, const char *word)
{
    int n = 0;
    for (const char *p = text; (p = strstr(p, word)); p++)
        n++;
    return n;
}

// Windows that overlap are summed up together, so that the last bits of these depend on the range
// (src/promql/over_moments.c) …
static const char *const rounded[] = {"stdvar_over_time", "stddev_over_time", "deriv",
                                      "predict_linear"};
// … which these turn into another answer altogether.
static const char *const steep[] = {
    "changes", "resets", "rate(",        "increase(", "%",     "==",  "!=",
    ">",       "<",      "floor",        "ceil",      "round", "sgn", "topk",
    "bottomk", "sort",   "count_values", "clamp",     "sqrt",  "ln(", "log",
    "/",       "^"};

static bool has_any(const char *text, const char *const *word, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strstr(text, word[i]))
            return true;
    return false;
}

// @ start() and @ end() mean something else in an instant query; equal values rank by the order of
// series, which what ranks or sorts inside changes in an instant query only.
static bool compares(const char *text)
{
    return !strstr(text, "start()") && !strstr(text, "end()") &&
           count(text, "topk") + count(text, "bottomk") + count(text, "sort(") < 2 &&
           !(has_any(text, rounded, ARRAY_LEN(rounded)) && has_any(text, steep, ARRAY_LEN(steep)));
}

static void check(const struct promql_expr *expr, struct query_source *source, const char *text)
{
    struct promql_result *whole = NULL, *at = NULL;
    struct promql_options tight = {.max_memory_bytes = 20000, .max_samples = 300};
    if (promql_eval_range(expr, source, &range, &tight, &whole, NULL) == 0)
        promql_result_free(whole);
    whole = NULL;
    bool is_fine = promql_eval_range(expr, source, &range, NULL, &whole, NULL) == 0;
    for (int64_t t = range.start_ms; is_fine && t <= range.end_ms; t += range.step_ms) {
        int r = promql_eval_instant(expr, source, t, NULL, &at, NULL);
        if (r == 0 && compares(text))
            check_step(whole, at, t, text);
        if (r < 0 && compares(text))
            abort();
        promql_result_free(r == 0 ? at : NULL);
    }
    promql_result_free(whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct promql_memory *memory;
    if (!memory)
        memory = samples_new();
    if (size > 200)
        return 0;
    struct buf text;
    buf_init(&text, 1 << 20);
    struct generator g = {.data = data, .size = size, .out = &text};
    generate_vector(&g);
    struct promql_expr *expr;
    struct err err = {0};
    int r = promql_parse(text.data, text.len, &expr, &err);
    if (r == 0) {
        check(expr, promql_memory_source(memory), text.data);
        promql_expr_free(expr);
    } else if (!strstr(err.message, "no grouping allowed") &&
               !strstr(err.message, "must not occur in ON and GROUP")) {
        fprintf(stderr, "%s: %s\n", text.data, err.message);
        abort();
    }
    buf_done(&text);
    return 0;
}
