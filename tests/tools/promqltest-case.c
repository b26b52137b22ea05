// SPDX-License-Identifier: GPL-3.0-or-later
// Reads one evaluation: when, what, and the lines that say what comes out.
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ast.h"
#include "base/mem.h"
#include "promqltest.h"

const char *const expectation_names[EXPECT_MAX] = {
    [EXPECT_FAIL] = "fail",       [EXPECT_WARN] = "warn",       [EXPECT_INFO] = "info",
    [EXPECT_NO_WARN] = "no_warn", [EXPECT_NO_INFO] = "no_info", [EXPECT_ORDERED] = "ordered",
};

char *case_trim(char *s)
{
    while (isspace((unsigned char)*s))
        s++;
    size_t n = strlen(s);
    while (n > 0 && isspace((unsigned char)s[n - 1]))
        s[--n] = '\0';
    return s;
}

bool case_starts(const char *s, const char *with)
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

int64_t case_duration(char **s)
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
        c->matrix.start_ms = case_duration(&s);
        free(word(&s));
        c->matrix.end_ms = case_duration(&s);
        free(word(&s));
        c->matrix.step_ms = case_duration(&s);
    }
    for (int i = 0; i < EXPECT_MAX && !known; i++) {
        if (strcmp(kind, expectation_names[i]) != 0)
            continue;
        known = true;
        if (case_starts(s, "msg:"))
            want(c, i, false, case_trim(s + 4));
        else if (case_starts(s, "regex:"))
            want(c, i, true, case_trim(s + 6));
        else
            want(c, i, false, NULL);
    }
    free(kind);
    return known;
}

bool case_parse_expectation(struct eval_case *c, char *s, struct err *err)
{
    if (case_starts(s, "expect "))
        return parse_expect(c, case_trim(s + 7));
    if (case_starts(s, "expected_fail_message ")) {
        want(c, EXPECT_FAIL, false, case_trim(s + 22));
        return true;
    }
    if (case_starts(s, "expected_fail_regexp ")) {
        want(c, EXPECT_FAIL, true, case_trim(s + 21));
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

bool case_parse(struct eval_case *c, char *s)
{
    char *verb = word(&s), *kind = word(&s);
    if (case_starts(verb, "eval_"))
        for (int i = 0; i < EXPECT_MAX; i++)
            if (strcmp(verb + 5, expectation_names[i]) == 0)
                c->expects[i] = true;
    c->is_range = strcmp(kind, "range") == 0;
    free(word(&s)); // at, from
    c->range.start_ms = c->range.end_ms = case_duration(&s);
    if (c->is_range) {
        free(word(&s)); // to
        c->range.end_ms = case_duration(&s);
        free(word(&s)); // step
        c->range.step_ms = case_duration(&s);
    }
    c->expr = mem_strdup(s);
    free(verb);
    free(kind);
    return true;
}

void case_done(struct eval_case *c)
{
    for (size_t i = 0; i < c->n_series; i++)
        promql_line_done(&c->series[i]);
    for (size_t i = 0; i < c->n_texts; i++)
        free(c->text[i].text);
    free(c->series);
    free(c->expr);
    free(c->string);
}
