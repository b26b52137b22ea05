// SPDX-License-Identifier: GPL-3.0-or-later
// Runs folders of .test files in the format of Prometheus' promqltest against the library:
// "N passed, N failed, N skipped", why each skipped one is skipped, and exit status 1 where any
// failed. A CASES.tsv in the folder may give each evaluation a class; only class "core" is run.
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ast.h"
#include "base/fs.h"
#include "base/map.h"
#include "base/mem.h"
#include "function.h"
#include "promql/memory.h"
#include "promql/notation.h"
#include "promql/promql.h"
#include "regex/regex.h"

#define FILE_MAX_BYTES (16u << 20)
#define LINES_MAX 100
#define TOLERANCE 1e-6

enum expectation {
    EXPECT_FAIL,
    EXPECT_WARN,
    EXPECT_INFO,
    EXPECT_NO_WARN,
    EXPECT_NO_INFO,
    EXPECT_ORDERED,
    EXPECT_MAX,
};

static const char *const expectation_names[EXPECT_MAX] = {
    [EXPECT_FAIL] = "fail",       [EXPECT_WARN] = "warn",       [EXPECT_INFO] = "info",
    [EXPECT_NO_WARN] = "no_warn", [EXPECT_NO_INFO] = "no_info", [EXPECT_ORDERED] = "ordered",
};

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

struct runner {
    struct promql_memory *memory;
    struct map *classes; // "file:line" -> class
    bool has_classes;
    bool is_verbose;
    struct map *reasons;
    int passed, failed, skipped;
    long evaluations;
};

struct lines {
    char **line; // trimmed, comments blank
    size_t n, cap;
};

static char *trim(char *s)
{
    while (isspace((unsigned char)*s))
        s++;
    size_t n = strlen(s);
    while (n > 0 && isspace((unsigned char)s[n - 1]))
        s[--n] = '\0';
    return s;
}

static void split(char *text, struct lines *ret)
{
    for (char *line = text; line;) {
        char *next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        char *trimmed = trim(line);
        mem_grow(&ret->line, &ret->cap, ret->n, sizeof(*ret->line));
        ret->line[ret->n++] = trimmed[0] == '#' ? trimmed + strlen(trimmed) : trimmed;
        line = next;
    }
}

static bool starts(const char *s, const char *with)
{
    return strncmp(s, with, strlen(with)) == 0;
}

// The next word of *s, which moves behind it and the blanks after it.
static char *word(char **s)
{
    char *begin = *s, *p = begin;
    while (*p && !isspace((unsigned char)*p))
        p++;
    char *copy = mem_strndup(begin, (size_t)(p - begin));
    while (isspace((unsigned char)*p))
        p++;
    *s = p;
    return copy;
}

static int64_t duration(char **s)
{
    char *text = word(s);
    int64_t ms = 0;
    bool negative = text[0] == '-';
    if (promql_duration_parse(text + negative, strlen(text) - negative, true, &ms) < 0) {
        fprintf(stderr, "not a duration: %s\n", text);
        exit(2);
    }
    free(text);
    return negative ? -ms : ms;
}

static void count_skip(struct runner *r, const char *reason)
{
    int *n = map_get(r->reasons, reason, strlen(reason) + 1);
    if (!n) {
        n = mem_zalloc(sizeof(*n) + strlen(reason) + 1);
        memcpy(n + 1, reason, strlen(reason) + 1);
        map_put(r->reasons, reason, strlen(reason) + 1, n);
    }
    ++*n;
    r->skipped++;
}

static void load_line(struct runner *r, const char *file, int number, const char *text,
                      int64_t step_ms)
{
    struct promql_line line;
    struct err err = {0};
    int e = promql_line_parse(text, strlen(text), &line, &err);
    if (e == -ENOTSUP)
        return; // what uses them is of another class
    if (e < 0) {
        fprintf(stderr, "%s:%d: %s: %s\n", file, number, text, err.message);
        r->failed++;
        return;
    }
    for (size_t i = 0; i < line.n; i++)
        if (!line.value[i].is_omitted)
            (void)promql_memory_append(r->memory, line.labels, (int64_t)i * step_ms,
                                       line.value[i].v);
    promql_line_done(&line);
}

static bool is_number_line(const char *s)
{
    char *end;
    s += *s == '-' || *s == '+';
    if (strncasecmp(s, "inf", 3) == 0 || strncasecmp(s, "nan", 3) == 0)
        return s[3] == '\0';
    if (!isdigit((unsigned char)*s) && *s != '.')
        return false;
    (void)strtod(s, &end);
    return *end == '\0';
}

static double number_of(const char *s)
{
    if (strcasecmp(s, "nan") == 0)
        return NAN;
    return strtod(s, NULL);
}

static void want(struct eval_case *c, enum expectation kind, bool is_regex, const char *text)
{
    c->expects[kind] = true;
    if (text && c->n_texts < LINES_MAX)
        c->text[c->n_texts++] = (struct wanted_text){kind, is_regex, mem_strdup(text)};
}

static bool unquote(const char *text, char **ret)
{
    struct promql_expr *expr;
    if (promql_parse(text, strlen(text), &expr, NULL) < 0)
        return false;
    bool is_string = expr->root->kind == NODE_STRING;
    *ret = is_string ? mem_strdup(expr->root->text) : NULL;
    promql_expr_free(expr);
    return is_string;
}

static bool parse_expect(struct eval_case *c, char *s)
{
    char *kind = word(&s);
    bool known = false;
    if (strcmp(kind, "string") == 0) {
        c->is_string = true;
        known = unquote(s, &c->string);
    } else if (strcmp(kind, "range") == 0) {
        c->is_matrix = known = sscanf(s, "vector from") == 0;
        for (int i = 0; i < 2; i++)
            free(word(&s));
        c->matrix.start_ms = duration(&s);
        free(word(&s));
        c->matrix.end_ms = duration(&s);
        free(word(&s));
        c->matrix.step_ms = duration(&s);
    }
    for (int i = 0; i < EXPECT_MAX && !known; i++) {
        if (strcmp(kind, expectation_names[i]) != 0)
            continue;
        known = true;
        if (starts(s, "msg:"))
            want(c, i, false, trim(s + 4));
        else if (starts(s, "regex:"))
            want(c, i, true, trim(s + 6));
        else
            want(c, i, false, NULL);
    }
    free(kind);
    return known;
}

static bool parse_expected_line(struct eval_case *c, char *s, struct err *err)
{
    if (starts(s, "expect "))
        return parse_expect(c, trim(s + 7));
    if (starts(s, "expected_fail_message ")) {
        want(c, EXPECT_FAIL, false, trim(s + 22));
        return true;
    }
    if (starts(s, "expected_fail_regexp ")) {
        want(c, EXPECT_FAIL, true, trim(s + 21));
        return true;
    }
    if (is_number_line(s)) {
        c->is_scalar = true;
        c->scalar = number_of(s);
        return true;
    }
    mem_grow(&c->series, &c->cap_series, c->n_series, sizeof(*c->series));
    int e = promql_line_parse(s, strlen(s), &c->series[c->n_series], err);
    c->n_series += e == 0;
    return e == 0;
}

static bool parse_eval(struct eval_case *c, char *s)
{
    char *verb = word(&s), *kind = word(&s);
    if (starts(verb, "eval_"))
        for (int i = 0; i < EXPECT_MAX; i++)
            if (strcmp(verb + 5, expectation_names[i]) == 0)
                c->expects[i] = true;
    c->is_range = strcmp(kind, "range") == 0;
    free(word(&s)); // at, from
    c->range.start_ms = c->range.end_ms = duration(&s);
    if (c->is_range) {
        free(word(&s)); // to
        c->range.end_ms = duration(&s);
        free(word(&s)); // step
        c->range.step_ms = duration(&s);
    }
    c->expr = mem_strdup(s);
    free(verb);
    free(kind);
    return true;
}

static void free_case(struct eval_case *c)
{
    for (size_t i = 0; i < c->n_series; i++)
        promql_line_done(&c->series[i]);
    for (size_t i = 0; i < c->n_texts; i++)
        free(c->text[i].text);
    free(c->series);
    free(c->expr);
    free(c->string);
}

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

static void complain(struct buf *why, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void complain(struct buf *why, const char *format, ...)
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
        complain(why, "unexpected %s: %s", expectation_names[kind], text[0]);
    if (!c->expects[kind])
        return;
    if (n == 0)
        complain(why, "no %s", expectation_names[kind]);
    bool has_texts = false;
    for (size_t i = 0; i < c->n_texts; i++) {
        bool found = false;
        if (c->text[i].kind != kind)
            continue;
        has_texts = true;
        for (size_t k = 0; k < n; k++)
            found |= text_matches(&c->text[i], text[k]);
        if (!found)
            complain(why, "no %s like %s; first is %s", expectation_names[kind], c->text[i].text,
                     n ? text[0] : "-");
    }
    for (size_t k = 0; k < n && has_texts; k++) {
        bool found = false;
        for (size_t i = 0; i < c->n_texts; i++)
            found |= c->text[i].kind == kind && text_matches(&c->text[i], text[k]);
        if (!found)
            complain(why, "%s not expected: %s", expectation_names[kind], text[k]);
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
            complain(why, "%s: expected %.17g at %lld, got %.17g at %lld", name, line->value[i].v,
                     (long long)t_ms, s->v[at], (long long)s->t_ms[at]);
        else
            complain(why, "%s: expected %.17g at %lld, got nothing", name, line->value[i].v,
                     (long long)t_ms);
        return;
    }
    if (at < s->n)
        complain(why, "%s: unexpected %.17g at %lld", name, s->v[at], (long long)s->t_ms[at]);
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
            complain(why, "%s: missing", name);
        if (!s)
            continue;
        check_points(&c->series[i], s, range, name, why);
        if (ordered && at != i)
            complain(why, "%s: at place %zu instead of %zu", name, at + 1, i + 1);
    }
    for (size_t i = 0; i < r->n; i++) {
        bool found = false;
        for (size_t k = 0; k < c->n_series; k++)
            found |= labels_equal(c->series[k].labels, r->series[i].labels);
        format_labels(r->series[i].labels, name, sizeof(name));
        if (!found)
            complain(why, "%s: unexpected, %.17g", name, r->series[i].v[0]);
    }
}

static void check_sorted(const struct promql_result *r, struct buf *why)
{
    for (size_t i = 1; i < r->n; i++)
        if (labels_compare(r->series[i - 1].labels, r->series[i].labels) >= 0)
            complain(why, "series are not sorted by their labels");
}

static void check_result(const struct eval_case *c, const struct promql_result *r, struct buf *why)
{
    check_annotations(c, EXPECT_WARN, EXPECT_NO_WARN, r->warning, r->n_warnings, why);
    check_annotations(c, EXPECT_INFO, EXPECT_NO_INFO, r->info, r->n_infos, why);
    if (c->is_scalar) {
        if (r->type != PROMQL_SCALAR || !almost_equal(r->scalar, c->scalar))
            complain(why, "expected scalar %.17g, got %s %.17g", c->scalar,
                     promql_type_name(r->type), r->scalar);
        return;
    }
    if (c->is_string) {
        if (r->type != PROMQL_STRING || strcmp(r->string, c->string) != 0)
            complain(why, "expected string %s, got %s", c->string,
                     r->type == PROMQL_STRING ? r->string : promql_type_name(r->type));
        return;
    }
    if (r->type == PROMQL_SCALAR || r->type == PROMQL_STRING) {
        complain(why, "unexpected %s %.17g", promql_type_name(r->type), r->scalar);
        return;
    }
    if (c->is_range)
        check_sorted(r, why);
    check_series(c, r, c->is_matrix ? &c->matrix : &c->range, c->expects[EXPECT_ORDERED], why);
}

static const struct promql_options options = {.max_samples = 10000, .delayed_name_removal = true};

static void check_failure(const struct eval_case *c, const struct err *err, struct buf *why)
{
    bool has_texts = false, found = false;
    if (!c->expects[EXPECT_FAIL]) {
        complain(why, "failed: %s", err->message);
        return;
    }
    for (size_t i = 0; i < c->n_texts; i++)
        if (c->text[i].kind == EXPECT_FAIL) {
            has_texts = true;
            found |= text_matches(&c->text[i], err->message);
        }
    if (has_texts && !found)
        complain(why, "failed otherwise: %s", err->message);
}

static void evaluate(struct runner *r, const struct eval_case *c, struct buf *why)
{
    struct promql_expr *expr;
    struct promql_result *result;
    struct err err = {0};
    struct query_source *source = promql_memory_source(r->memory);
    r->evaluations++;
    if (promql_parse(c->expr, strlen(c->expr), &expr, &err) < 0) {
        check_failure(c, &err, why);
        return;
    }
    int e = c->is_range
                ? promql_eval_range(expr, source, &c->range, &options, &result, &err)
                : promql_eval_instant(expr, source, c->range.start_ms, &options, &result, &err);
    if (e < 0) {
        check_failure(c, &err, why);
    } else {
        if (c->expects[EXPECT_FAIL])
            complain(why, "did not fail");
        else
            check_result(c, result, why);
        promql_result_free(result);
    }
    promql_expr_free(expr);
}

// An instant case as the middle of a range.
static void evaluate_as_range(struct runner *r, const struct eval_case *c, struct buf *why)
{
    struct promql_expr *expr;
    struct promql_result *result;
    struct err err = {0};
    int64_t t_ms = c->range.start_ms;
    const struct promql_range range = {t_ms - 60000, t_ms + 60000, 60000};
    r->evaluations++;
    if (promql_parse(c->expr, strlen(c->expr), &expr, &err) < 0)
        return;
    int e =
        promql_eval_range(expr, promql_memory_source(r->memory), &range, &options, &result, &err);
    promql_expr_free(expr);
    if (e < 0) {
        check_failure(c, &err, why);
        return;
    }
    // What an instant query would have given at the middle.
    struct promql_series *middle = mem_zalloc((result->n + 1) * sizeof(*middle));
    struct promql_result at = {.type = PROMQL_VECTOR, .series = middle, .t_ms = t_ms};
    check_sorted(result, why);
    for (size_t i = 0; i < result->n; i++)
        for (size_t k = 0; k < result->series[i].n; k++)
            if (result->series[i].t_ms[k] == t_ms)
                middle[at.n++] =
                    (struct promql_series){result->series[i].labels, 1, &result->series[i].t_ms[k],
                                           &result->series[i].v[k]};
    if (c->is_scalar && at.n == 1) {
        at.type = PROMQL_SCALAR;
        at.scalar = middle[0].v[0];
    }
    struct eval_case only_values = *c;
    only_values.expects[EXPECT_WARN] = only_values.expects[EXPECT_INFO] = false;
    only_values.expects[EXPECT_NO_WARN] = only_values.expects[EXPECT_NO_INFO] = false;
    if (!c->expects[EXPECT_FAIL])
        check_result(&only_values, &at, why);
    free(middle);
    promql_result_free(result);
}

// Fix every selector and subquery to a time, unless one already is; false where a function looks
// at the time of evaluation.
static bool fix_time(struct node *node, int64_t t_ms)
{
    bool may = !(node->kind == NODE_CALL && node->function->depends_on_time);
    if (node->kind == NODE_SELECTOR || node->kind == NODE_SUBQUERY) {
        bool was_fixed = node->at != AT_NONE;
        if (!was_fixed) {
            node->at = AT_TIME;
            node->at_ms = t_ms;
        }
        if (node->kind == NODE_SUBQUERY) // what is inside follows the subquery
            return may;
    }
    for (size_t i = 0; node_child(node, i); i++)
        may &= fix_time(node_child(node, i), t_ms);
    return may;
}

static bool contains_time(const struct node *node)
{
    if (node->kind == NODE_CALL && node->function->depends_on_time)
        return true;
    for (size_t i = 0; node_child(node, i); i++)
        if (contains_time(node_child(node, i)))
            return true;
    return false;
}

static char *fixed_expression(const struct eval_case *c)
{
    struct promql_expr *expr;
    struct buf text;
    if (promql_parse(c->expr, strlen(c->expr), &expr, NULL) < 0)
        return NULL;
    char *fixed = NULL;
    if (!contains_time(expr->root) && fix_time(expr->root, c->range.start_ms)) {
        buf_init(&text, 1 << 20);
        promql_print(expr, &text);
        fixed = buf_take(&text, NULL);
    }
    promql_expr_free(expr);
    return fixed;
}

static bool may_be_range(const struct eval_case *c)
{
    struct regex *regex;
    bool mentions = false;
    if (regex_new("(start|end|range|step)\\(\\)", false, &regex, NULL) == 0) {
        mentions = regex_match(regex, c->expr, strlen(c->expr));
        regex_free(regex);
    }
    return !c->expects[EXPECT_ORDERED] && !c->is_string && !c->is_matrix && !mentions;
}

static void run_derived(struct runner *r, const struct eval_case *c, struct buf *why)
{
    int64_t t = c->range.start_ms;
    int64_t times[] = {-10 * t, 0, t / 5, t, 10 * t};
    int64_t around_zero[] = {-1000, 0, 1000};
    size_t n = t == 0 ? ARRAY_LEN(around_zero) : ARRAY_LEN(times);
    if (may_be_range(c) && !c->expects[EXPECT_FAIL])
        evaluate_as_range(r, c, why);
    char *fixed = fixed_expression(c);
    for (size_t i = 0; i < n && fixed; i++) {
        struct eval_case again = *c;
        size_t before = why->len;
        again.expr = fixed;
        again.range.start_ms = again.range.end_ms = t == 0 ? around_zero[i] : times[i];
        // Positions in annotations are those of the longer text: only their number counts.
        again.n_texts = 0;
        evaluate(r, &again, why);
        if (may_be_range(c) && !c->expects[EXPECT_FAIL])
            evaluate_as_range(r, &again, why);
        if (why->len > before)
            complain(why, "  … in %s at %lld", fixed, (long long)again.range.start_ms);
    }
    free(fixed);
}

static void run_case(struct runner *r, const struct eval_case *c)
{
    char key[300];
    (void)snprintf(key, sizeof(key), "%s:%d", c->file, c->line);
    const char *class = map_get(r->classes, key, strlen(key));
    if (r->has_classes && (!class || strcmp(class, "core") != 0)) {
        count_skip(r, class ? class : "not in CASES.tsv");
        return;
    }
    struct buf why;
    buf_init(&why, 1 << 16);
    evaluate(r, c, &why);
    if (!c->is_range && why.len == 0)
        run_derived(r, c, &why);
    if (why.len > 0) {
        r->failed++;
        printf("FAIL %s: %s%s\n", key, c->expr, why.data);
    } else {
        r->passed++;
    }
    buf_done(&why);
}

static size_t run_load(struct runner *r, const char *file, const struct lines *l, size_t i)
{
    char *s = l->line[i] + strcspn(l->line[i], " \t");
    s = trim(s);
    int64_t step_ms = duration(&s);
    for (i++; i < l->n && l->line[i][0]; i++)
        if (!strstr(l->line[i], "@st"))
            load_line(r, file, (int)i + 1, l->line[i], step_ms);
    return i;
}

static size_t run_eval(struct runner *r, const char *file, const struct lines *l, size_t i)
{
    struct eval_case c = {.file = file, .line = (int)i + 1};
    bool is_fine = parse_eval(&c, l->line[i]);
    bool is_native = false;
    struct err err = {0};
    for (i++; i < l->n && l->line[i][0]; i++) {
        is_native |= strstr(l->line[i], "{{") != NULL;
        if (is_fine && !parse_expected_line(&c, l->line[i], &err) && !is_native) {
            printf("FAIL %s:%zu: not understood: %s %s\n", file, i + 1, l->line[i], err.message);
            is_fine = false;
        }
        if (c.is_scalar) {
            i++;
            break;
        }
    }
    if (!is_fine)
        r->failed++;
    else if (is_native && !r->has_classes)
        count_skip(r, "native histograms");
    else
        run_case(r, &c);
    free_case(&c);
    return i;
}

static void clear(struct runner *r)
{
    promql_memory_free(r->memory);
    r->memory = promql_memory_new();
}

static void run_file(struct runner *r, const char *dir, const char *name)
{
    struct lines l = {0};
    struct buf text;
    char *path = mem_printf("%s/%s", dir, name);
    buf_init(&text, FILE_MAX_BYTES);
    FILE *f = fopen(path, "re");
    char piece[65536];
    size_t n;
    while (f && (n = fread(piece, 1, sizeof(piece), f)) > 0)
        buf_put(&text, piece, n);
    if (!f || text.error) {
        printf("FAIL %s: cannot be read\n", path);
        r->failed++;
    } else {
        split(text.data ? text.data : (char[]){""}, &l);
    }
    if (f)
        fclose(f);
    clear(r);
    for (size_t i = 0; i < l.n;) {
        if (starts(l.line[i], "load"))
            i = run_load(r, name, &l, i);
        else if (starts(l.line[i], "eval"))
            i = run_eval(r, name, &l, i);
        else {
            if (starts(l.line[i], "clear"))
                clear(r);
            else if (l.line[i][0] && !starts(l.line[i], "ignore") && !starts(l.line[i], "resume"))
                printf("%s:%zu: not understood: %s\n", name, i + 1, l.line[i]);
            i++;
        }
    }
    free(l.line);
    free(path);
    buf_done(&text);
}

static void read_classes(struct runner *r, const char *dir)
{
    char *path = mem_printf("%s/CASES.tsv", dir), *line = NULL;
    size_t size = 0;
    FILE *f = fopen(path, "re");
    r->has_classes = f != NULL;
    while (f && getline(&line, &size, f) >= 0) {
        char *rest = line, *file = strsep(&rest, "\t"), *number = strsep(&rest, "\t");
        (void)strsep(&rest, "\t"); // kind
        char *class = strsep(&rest, "\t");
        if (!number || !class)
            continue;
        char *key = mem_printf("%s:%s", file, number);
        free(map_put(r->classes, key, strlen(key), mem_strdup(class)));
        free(key);
    }
    if (f)
        fclose(f);
    free(line);
    free(path);
}

static int is_test(const struct dirent *entry)
{
    size_t n = strlen(entry->d_name);
    return n > 5 && strcmp(entry->d_name + n - 5, ".test") == 0;
}

int main(int argc, char **argv)
{
    struct runner r = {.classes = map_new(), .reasons = map_new()};
    struct dirent **entry;
    if (argc < 2) {
        fprintf(stderr, "usage: promqltest DIRECTORY [FILE…]\n");
        return 2;
    }
    read_classes(&r, argv[1]);
    int n = argc > 2 ? 0 : scandir(argv[1], &entry, is_test, alphasort);
    for (int i = 2; i < argc; i++)
        run_file(&r, argv[1], argv[i]);
    if (n < 0)
        fprintf(stderr, "%s: %s\n", argv[1], strerror(errno));
    for (int i = 0; i < n; i++) {
        run_file(&r, argv[1], entry[i]->d_name);
        free(entry[i]);
    }
    if (n > 0)
        free(entry);
    promql_memory_free(r.memory);
    size_t cursor = 0;
    for (int *count; (count = map_next(r.reasons, &cursor));) {
        printf("skipped %d: %s\n", *count, (const char *)(count + 1));
        free(count);
    }
    cursor = 0;
    for (char *class; (class = map_next(r.classes, &cursor));)
        free(class);
    map_free(r.reasons);
    map_free(r.classes);
    printf("%ld evaluations\n", r.evaluations);
    printf("%d passed, %d failed, %d skipped\n", r.passed, r.failed, r.skipped);
    return r.failed > 0 || r.passed == 0;
}
