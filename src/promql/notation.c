// SPDX-License-Identifier: GPL-3.0-or-later
// Series in the notation of rule tests: labels, then items that stand for one value or many.
#include "promql/notation.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/number.h"
#include "model/query.h"
#include "promql/promql.h"

// The end of the labels: the first blank or the end outside of quotes and braces.
static size_t labels_length(const char *text, size_t len)
{
    bool in_braces = false;
    char quote = 0;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (quote) {
            if (c == '\\' && quote != '`')
                i++;
            else if (c == quote)
                quote = 0;
        } else if (c == '"' || c == '\'' || c == '`') {
            quote = c;
        } else if (c == '{' || c == '}') {
            in_braces = c == '{';
            if (c == '}')
                return i + 1;
        } else if (!in_braces && (c == ' ' || c == '\t')) {
            size_t next = i;
            while (next < len && (text[next] == ' ' || text[next] == '\t'))
                next++;
            if (next < len && text[next] == '{' && !(next + 1 < len && text[next + 1] == '{'))
                continue;
            return i;
        }
    }
    return len;
}

int promql_labels_parse(const char *text, size_t len, struct labels **ret, struct err *err)
{
    struct promql_expr *expr;
    struct promql_selector selector;
    const struct promql_range range = {0};
    if (len >= 2 && text[0] == '{' && strspn(text + 1, " \t") + 2 == len && text[len - 1] == '}') {
        *ret = labels_new(NULL, 0);
        return *ret ? 0 : -ENOMEM;
    }
    int r = promql_parse(text, len, &expr, err);
    if (r < 0)
        return r;
    struct label label[LABELS_MAX];
    size_t n = 0;
    bool is_fine = promql_selectors(expr, &range, 0, &selector, 1) == 1 && selector.range_ms == 0 &&
                   selector.n_matchers <= LABELS_MAX;
    for (size_t i = 0; is_fine && i < selector.n_matchers; i++) {
        is_fine = selector.matcher[i].match == QUERY_EQUAL;
        label[n++] = (struct label){selector.matcher[i].name, selector.matcher[i].value};
    }
    *ret = is_fine ? labels_new(label, n) : NULL;
    promql_expr_free(expr);
    if (!*ret)
        return err_set(err, EINVAL, "not a set of labels: %.*s", (int)MIN_OF(len, 200u), text);
    return 0;
}

/** What is being read. */
struct reader {
    const char *p, *end;
    struct promql_line *line;
    size_t cap;
    struct err *err;
};

static int add(struct reader *r, bool is_omitted, double v)
{
    int e = mem_grow_capped(&r->line->value, &r->cap, r->line->n, sizeof(*r->line->value),
                            PROMQL_NOTATION_MAX);
    if (e < 0)
        return err_set(r->err, -e, "more than %u values in a line", PROMQL_NOTATION_MAX);
    r->line->value[r->line->n++] = (struct promql_value){is_omitted, v};
    return 0;
}

// A number with its sign; false, and nothing moved, where none stands there.
static bool read_number(struct reader *r, double *ret)
{
    const char *p = r->p;
    bool negative = *p == '-';
    p += *p == '-' || *p == '+';
    size_t n = 0;
    if (r->end - p >= 3 && (strncasecmp(p, "inf", 3) == 0 || strncasecmp(p, "nan", 3) == 0)) {
        *ret = (p[0] | 32) == 'i' ? INFINITY : NAN;
        n = 3;
    } else {
        char copy[64];
        while (p + n < r->end && n + 1 < sizeof(copy) &&
               ((p[n] >= '0' && p[n] <= '9') || p[n] == '.' || (p[n] | 32) == 'e' ||
                (n > 0 && (p[n - 1] | 32) == 'e' && (p[n] == '+' || p[n] == '-'))))
            n++;
        memcpy(copy, p, n);
        copy[n] = '\0';
        if (n == 0 || number_parse_f64(copy, ret) < 0)
            return false;
    }
    r->p = p + n;
    *ret = negative ? -*ret : *ret;
    return true;
}

static bool read_times(struct reader *r, uint64_t *ret)
{
    if (r->p >= r->end || *r->p != 'x')
        return false;
    r->p++;
    return number_scan_u64(&r->p, ret);
}

static int read_omitted(struct reader *r)
{
    uint64_t times = 1;
    r->p++;
    if (r->p < r->end && *r->p == 'x' && !read_times(r, &times))
        return -EINVAL;
    int e = 0;
    for (uint64_t i = 0; i < times && e == 0; i++)
        e = add(r, true, 0);
    return e;
}

static int read_item(struct reader *r)
{
    double v, step = 0;
    uint64_t times = 0;
    if (*r->p == '_')
        return read_omitted(r);
    if (r->end - r->p >= 2 && r->p[0] == '{' && r->p[1] == '{')
        return err_set(r->err, ENOTSUP, "native histograms are not supported");
    if (r->end - r->p >= 5 && strncmp(r->p, "stale", 5) == 0) {
        r->p += 5;
        v = sample_stale();
    } else if (!read_number(r, &v)) {
        return -EINVAL;
    }
    if (r->p < r->end && (*r->p == '+' || *r->p == '-')) {
        if (!read_number(r, &step) || r->p >= r->end || *r->p != 'x')
            return -EINVAL;
    }
    if (r->p < r->end && *r->p == 'x' && !read_times(r, &times))
        return -EINVAL;
    int e = 0;
    for (uint64_t i = 0; i <= times && e == 0; i++) {
        e = add(r, false, v);
        if (step != 0)
            v += step;
    }
    return e;
}

static int read_items(struct reader *r, const char *text)
{
    while (r->p < r->end) {
        if (*r->p == ' ' || *r->p == '\t') {
            r->p++;
            continue;
        }
        const char *item = r->p;
        int e = read_item(r);
        bool ends = r->p >= r->end || *r->p == ' ' || *r->p == '\t';
        if (e == -EINVAL || (e == 0 && !ends))
            return err_set_at(r->err, EINVAL, 1, (int)(item - text) + 1,
                              "not a value of a series: %.*s", (int)MIN_OF(r->end - item, 100),
                              item);
        if (e < 0)
            return e;
    }
    return 0;
}

int promql_line_parse(const char *text, size_t len, struct promql_line *ret, struct err *err)
{
    // Numbers are read up to a NUL at the latest.
    char *copy = mem_strndup(text, len);
    struct promql_line line = {0};
    size_t n = labels_length(copy, len);
    int r = promql_labels_parse(copy, n, &line.labels, err);
    if (r == 0) {
        struct reader reader = {copy + n, copy + strlen(copy), &line, 0, err};
        r = read_items(&reader, copy);
    }
    free(copy);
    if (r < 0)
        promql_line_done(&line);
    else
        *ret = line;
    return r;
}

void promql_line_done(struct promql_line *line)
{
    labels_free(line->labels);
    free(line->value);
    *line = (struct promql_line){0};
}
