// SPDX-License-Identifier: GPL-3.0-or-later
// Compares a result with what was expected, as Prometheus' own test does.
#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "promqltest.h"
#include "regex/regex.h"

#define TOLERANCE 1e-6

static bool almost_equal(double a, double b)
{
    if (sample_is_stale(a) || sample_is_stale(b))
        return sample_is_stale(a) && sample_is_stale(b);
    if ((isnan(a) && isnan(b)) || a == b)
        return true;
    double sum = fabs(a) + fabs(b), difference = fabs(a - b);
    if (a == 0 || b == 0 || sum < DBL_MIN)
        return difference < TOLERANCE * DBL_MIN;
    return difference / fmin(sum, DBL_MAX) < TOLERANCE;
}

void check_complain(struct buf *why, const char *format, ...)
{
    char *text;
    va_list ap;
    va_start(ap, format);
    if (vasprintf(&text, format, ap) >= 0) {
        buf_printf(why, "\n    %s", text);
        free(text);
    }
    va_end(ap);
}

static bool text_matches(const struct wanted_text *wanted, const char *text)
{
    struct regex *regex;
    if (!wanted->text)
        return true;
    if (!wanted->is_regex)
        return strcmp(wanted->text, text) == 0;
    if (regex_new(wanted->text, false, &regex, NULL) < 0)
        return false;
    bool matches = regex_match(regex, text, strlen(text));
    regex_free(regex);
    return matches;
}

static void check_annotations(const struct eval_case *c, enum expectation kind, enum expectation no,
                              const char *const *text, size_t n, struct buf *why)
{
    if (c->expects[no] && n > 0)
        check_complain(why, "unexpected %s: %s", expectation_names[kind], text[0]);
    if (!c->expects[kind])
        return;
    if (n == 0)
        check_complain(why, "no %s", expectation_names[kind]);
    bool has_texts = false;
    for (size_t i = 0; i < c->n_texts; i++) {
        bool found = false;
        if (c->text[i].kind != kind)
            continue;
        has_texts = true;
        for (size_t k = 0; k < n; k++)
            found |= text_matches(&c->text[i], text[k]);
        if (!found)
            check_complain(why, "no %s like %s; first is %s", expectation_names[kind],
                           c->text[i].text, n ? text[0] : "-");
    }
    for (size_t k = 0; k < n && has_texts; k++) {
        bool found = false;
        for (size_t i = 0; i < c->n_texts; i++)
            found |= c->text[i].kind == kind && text_matches(&c->text[i], text[k]);
        if (!found)
            check_complain(why, "%s not expected: %s", expectation_names[kind], text[k]);
    }
}

static void format_labels(const struct labels *l, char *text, size_t size)
{
    struct buf out;
    buf_init(&out, size - 1);
    labels_format(l, &out);
    (void)snprintf(text, size, "%s", out.data && !out.error ? out.data : "{}");
    buf_done(&out);
}

static const struct promql_series *find_series(const struct promql_result *r,
                                               const struct labels *labels, size_t *ret_i)
{
    for (size_t i = 0; i < r->n; i++)
        if (labels_equal(r->series[i].labels, labels)) {
            *ret_i = i;
            return &r->series[i];
        }
    return NULL;
}

// Points of a series at start + i·step; in a vector there is one.
static void check_points(const struct promql_line *line, const struct promql_series *s,
                         const struct promql_range *range, const char *name, struct buf *why)
{
    size_t at = 0;
    for (size_t i = 0; i < line->n; i++) {
        int64_t t_ms = range->start_ms + (int64_t)i * range->step_ms;
        if (line->value[i].is_omitted)
            continue;
        if (at < s->n && s->t_ms[at] == t_ms && almost_equal(line->value[i].v, s->v[at])) {
            at++;
            continue;
        }
        if (at < s->n)
            check_complain(why, "%s: expected %.17g at %lld, got %.17g at %lld", name,
                           line->value[i].v, (long long)t_ms, s->v[at], (long long)s->t_ms[at]);
        else
            check_complain(why, "%s: expected %.17g at %lld, got nothing", name, line->value[i].v,
                           (long long)t_ms);
        return;
    }
    if (at < s->n)
        check_complain(why, "%s: unexpected %.17g at %lld", name, s->v[at], (long long)s->t_ms[at]);
}

static void check_series(const struct eval_case *c, const struct promql_result *r,
                         const struct promql_range *range, bool ordered, struct buf *why)
{
    char name[500];
    for (size_t i = 0; i < c->n_series; i++) {
        size_t at = 0;
        const struct promql_series *s = find_series(r, c->series[i].labels, &at);
        format_labels(c->series[i].labels, name, sizeof(name));
        bool any = false;
        for (size_t k = 0; k < c->series[i].n; k++)
            any |= !c->series[i].value[k].is_omitted;
        if (!s && any)
            check_complain(why, "%s: missing", name);
        if (!s)
            continue;
        check_points(&c->series[i], s, range, name, why);
        if (ordered && at != i)
            check_complain(why, "%s: at place %zu instead of %zu", name, at + 1, i + 1);
    }
    for (size_t i = 0; i < r->n; i++) {
        bool found = false;
        for (size_t k = 0; k < c->n_series; k++)
            found |= labels_equal(c->series[k].labels, r->series[i].labels);
        format_labels(r->series[i].labels, name, sizeof(name));
        if (!found)
            check_complain(why, "%s: unexpected, %.17g", name, r->series[i].v[0]);
    }
}

void check_sorted(const struct promql_result *r, struct buf *why)
{
    for (size_t i = 1; i < r->n; i++)
        if (labels_compare(r->series[i - 1].labels, r->series[i].labels) >= 0)
            check_complain(why, "series are not sorted by their labels");
}

void check_result(const struct eval_case *c, const struct promql_result *r, struct buf *why)
{
    check_annotations(c, EXPECT_WARN, EXPECT_NO_WARN, r->warning, r->n_warnings, why);
    check_annotations(c, EXPECT_INFO, EXPECT_NO_INFO, r->info, r->n_infos, why);
    if (c->is_scalar) {
        if (r->type != PROMQL_SCALAR || !almost_equal(r->scalar, c->scalar))
            check_complain(why, "expected scalar %.17g, got %s %.17g", c->scalar,
                           promql_type_name(r->type), r->scalar);
        return;
    }
    if (c->is_string) {
        if (r->type != PROMQL_STRING || strcmp(r->string, c->string) != 0)
            check_complain(why, "expected string %s, got %s", c->string,
                           r->type == PROMQL_STRING ? r->string : promql_type_name(r->type));
        return;
    }
    if (r->type == PROMQL_SCALAR || r->type == PROMQL_STRING) {
        check_complain(why, "unexpected %s %.17g", promql_type_name(r->type), r->scalar);
        return;
    }
    if (c->is_range)
        check_sorted(r, why);
    check_series(c, r, c->is_matrix ? &c->matrix : &c->range, c->expects[EXPECT_ORDERED], why);
}

void check_failure(const struct eval_case *c, const struct err *err, struct buf *why)
{
    bool has_texts = false, found = false;
    if (!c->expects[EXPECT_FAIL]) {
        check_complain(why, "failed: %s", err->message);
        return;
    }
    for (size_t i = 0; i < c->n_texts; i++)
        if (c->text[i].kind == EXPECT_FAIL) {
            has_texts = true;
            found |= text_matches(&c->text[i], err->message);
        }
    if (has_texts && !found)
        check_complain(why, "failed otherwise: %s", err->message);
}
