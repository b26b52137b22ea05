// SPDX-License-Identifier: GPL-3.0-or-later
// The functions of templates, one row each: Go's own and Prometheus'.
#include <arpa/inet.h>
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <wctype.h>

#include "base/clock.h"
#include "base/esc.h"
#include "base/mem.h"
#include "regex/regex.h"
#include "value.h"

#define RESULTS_MAX 100
#define TEXT_MAX RULE_EXPANDED_MAX

// Go's own

static struct value call_and(struct run *r, const struct value *arg, size_t n)
{
    return arg[n - 1]; // all before are true, or it had ended there
}

static struct value call_not(struct run *r, const struct value *arg, size_t n)
{
    return value_of_bool(!value_truth(&arg[0]));
}

static struct value call_len(struct run *r, const struct value *arg, size_t n)
{
    switch (arg->kind) {
    case VALUE_TEXT:
        return value_of_int((int64_t)arg->len);
    case VALUE_LABELS:
        return value_of_int(arg->labels ? arg->labels->n : 0);
    case VALUE_SAMPLES:
        return value_of_int((int64_t)arg->n);
    case VALUE_ARGS:
        return value_of_int((int64_t)arg->args->n);
    default:
        run_fail(r, "len of type %s", value_type(arg));
    }
}

static struct value index_one(struct run *r, const struct value *v, const struct value *at)
{
    if (v->kind == VALUE_LABELS || v->kind == VALUE_ARGS)
        return value_field(r, v, value_text(r, at));
    if (at->kind != VALUE_INTEGER)
        run_fail(r, "cannot index with type %s", value_type(at));
    size_t n = v->kind == VALUE_SAMPLES ? v->n : v->kind == VALUE_TEXT ? v->len : 0;
    if (at->integer < 0 || (uint64_t)at->integer >= n)
        run_fail(r, "index out of range: %lld", (long long)at->integer);
    if (v->kind == VALUE_TEXT)
        return value_of_int((unsigned char)v->text[at->integer]);
    return (struct value){.kind = VALUE_SAMPLE, .sample = v->samples[at->integer]};
}

static struct value call_index(struct run *r, const struct value *arg, size_t n)
{
    struct value v = arg[0];
    for (size_t i = 1; i < n; i++)
        v = index_one(r, &v, &arg[i]);
    return v;
}

static struct value call_slice(struct run *r, const struct value *arg, size_t n)
{
    struct value v = arg[0];
    size_t len = v.kind == VALUE_SAMPLES ? v.n : v.kind == VALUE_TEXT ? v.len : 0;
    size_t bound[2] = {0, len};
    for (size_t i = 1; i < n; i++) {
        if (arg[i].kind != VALUE_INTEGER || arg[i].integer < 0 || (uint64_t)arg[i].integer > len)
            run_fail(r, "slice index out of range");
        bound[i - 1] = (size_t)arg[i].integer;
    }
    if (bound[0] > bound[1])
        run_fail(r, "slice index out of range");
    if (v.kind == VALUE_TEXT)
        return run_text(r, v.text + bound[0], bound[1] - bound[0]);
    if (v.kind != VALUE_SAMPLES)
        run_fail(r, "can't slice item of type %s", value_type(&v));
    v.samples += bound[0];
    v.n = bound[1] - bound[0];
    return v;
}

// fmt.Sprint puts a blank between two operands of which neither is a string, Sprintln always.
static struct value print_all(struct run *r, const struct value *arg, size_t n, bool line)
{
    struct buf b;
    buf_init(&b, TEXT_MAX);
    for (size_t i = 0; i < n; i++) {
        bool texts = i > 0 && (arg[i].kind == VALUE_TEXT || arg[i - 1].kind == VALUE_TEXT);
        if (i > 0 && (line || !texts))
            buf_putc(&b, ' ');
        if (arg[i].kind == VALUE_NIL)
            buf_puts(&b, "<nil>");
        else
            value_print(&b, &arg[i]);
    }
    buf_puts(&b, line ? "\n" : "");
    return run_take(r, &b);
}

static struct value call_print(struct run *r, const struct value *arg, size_t n)
{
    return print_all(r, arg, n, false);
}

static struct value call_println(struct run *r, const struct value *arg, size_t n)
{
    return print_all(r, arg, n, true);
}

static struct value call_printf(struct run *r, const struct value *arg, size_t n)
{
    struct buf b;
    const char *format = value_text(r, &arg[0]);
    buf_init(&b, TEXT_MAX);
    go_printf(r, &b, format, arg + 1, n - 1);
    return run_take(r, &b);
}

static struct value call_html(struct run *r, const struct value *arg, size_t n)
{
    struct value all = print_all(r, arg, n, false);
    struct buf b;
    buf_init(&b, TEXT_MAX);
    for (const char *s = all.text; *s; s++) {
        if (*s == '"')
            buf_puts(&b, "&#34;");
        else if (*s == '\'')
            buf_puts(&b, "&#39;");
        else if (*s == '&')
            buf_puts(&b, "&amp;");
        else if (*s == '<')
            buf_puts(&b, "&lt;");
        else if (*s == '>')
            buf_puts(&b, "&gt;");
        else
            buf_putc(&b, *s);
    }
    return run_take(r, &b);
}

static struct value call_js(struct run *r, const struct value *arg, size_t n)
{
    static const char special[] = "\\'\"<>&=\n\r\t";
    static const char *const means[] = {"\\\\",    "\\'",     "\\\"",    "\\u003C", "\\u003E",
                                        "\\u0026", "\\u003D", "\\u000A", "\\u000D", "\\u0009"};
    struct value all = print_all(r, arg, n, false);
    struct buf b;
    buf_init(&b, TEXT_MAX);
    for (const char *s = all.text; *s; s++) {
        const char *hit = strchr(special, *s);
        if (hit)
            buf_puts(&b, means[hit - special]);
        else
            buf_putc(&b, *s);
    }
    return run_take(r, &b);
}

// url.QueryEscape: a blank becomes "+".
static void query_escape(struct buf *b, const char *s)
{
    struct buf one;
    buf_init(&one, TEXT_MAX);
    esc_url(&one, s);
    for (size_t i = 0; i < one.len; i++) {
        if (one.len - i >= 3 && memcmp(one.data + i, "%20", 3) == 0) {
            buf_putc(b, '+');
            i += 2;
        } else {
            buf_putc(b, one.data[i]);
        }
    }
    buf_done(&one);
}

static struct value call_urlquery(struct run *r, const struct value *arg, size_t n)
{
    struct value all = print_all(r, arg, n, false);
    struct buf b;
    buf_init(&b, TEXT_MAX);
    query_escape(&b, all.text);
    return run_take(r, &b);
}

// -1, 0, 1; 2: no order (NaN). Kinds must agree, as in Go.
static int compare(struct run *r, const struct value *a, const struct value *b)
{
    if (a->kind != b->kind)
        run_fail(r, "incompatible types for comparison: %s and %s", value_type(a), value_type(b));
    if (a->kind == VALUE_INTEGER || a->kind == VALUE_TIME || a->kind == VALUE_DURATION)
        return (a->integer > b->integer) - (a->integer < b->integer);
    if (a->kind == VALUE_FLOAT)
        return isnan(a->number) || isnan(b->number)
                   ? 2
                   : (a->number > b->number) - (a->number < b->number);
    if (a->kind == VALUE_BOOL)
        return (a->truth > b->truth) - (a->truth < b->truth);
    if (a->kind == VALUE_TEXT) {
        int c = strcmp(a->text, b->text);
        return (c > 0) - (c < 0);
    }
    if (a->kind == VALUE_NIL)
        return 0;
    run_fail(r, "invalid type for comparison: %s", value_type(a));
}

static struct value call_eq(struct run *r, const struct value *arg, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (compare(r, &arg[0], &arg[i]) == 0)
            return value_of_bool(true);
    return value_of_bool(false);
}

static struct value call_ne(struct run *r, const struct value *arg, size_t n)
{
    return value_of_bool(compare(r, &arg[0], &arg[1]) != 0);
}

static int order(struct run *r, const struct value *arg)
{
    if (arg[0].kind == VALUE_BOOL || arg[0].kind == VALUE_NIL)
        run_fail(r, "invalid type for comparison: %s", value_type(&arg[0]));
    return compare(r, &arg[0], &arg[1]);
}

static struct value call_lt(struct run *r, const struct value *arg, size_t n)
{
    return value_of_bool(order(r, arg) == -1);
}

static struct value call_le(struct run *r, const struct value *arg, size_t n)
{
    int c = order(r, arg);
    return value_of_bool(c == -1 || c == 0);
}

static struct value call_gt(struct run *r, const struct value *arg, size_t n)
{
    return value_of_bool(order(r, arg) == 1);
}

static struct value call_ge(struct run *r, const struct value *arg, size_t n)
{
    int c = order(r, arg);
    return value_of_bool(c == 1 || c == 0);
}

// Prometheus' queries

static void keep_result(struct run *r, struct promql_result *result)
{
    if (r->n_results == RESULTS_MAX) {
        promql_result_free(result);
        run_fail(r, "more than %d queries", RESULTS_MAX);
    }
    mem_grow(&r->result, &r->cap_results, r->n_results, sizeof(struct promql_result *));
    r->result[r->n_results++] = result;
}

static struct value call_query(struct run *r, const struct value *arg, size_t n)
{
    struct promql_result *result = NULL;
    struct err err = {0};
    const char *text = value_text(r, &arg[0]);
    if (!r->env->query)
        run_fail(r, "query is not available here");
    if (r->env->query(r->env->arg, text, &result, &err) < 0)
        run_fail(r, "query \"%s\": %s", text, err.message);
    keep_result(r, result);
    if (result->type != PROMQL_VECTOR && result->type != PROMQL_SCALAR)
        run_fail(r, "query result is not a vector or scalar");
    size_t count = result->type == PROMQL_SCALAR ? 1 : result->n;
    struct value v = {.kind = VALUE_SAMPLES, .n = count};
    v.samples = run_alloc(r, (count + 1) * sizeof(*v.samples));
    struct sample *s = run_alloc(r, (count + 1) * sizeof(*s));
    for (size_t i = 0; i < count; i++) {
        if (result->type == PROMQL_SCALAR)
            s[i].v = result->scalar;
        else
            s[i] = (struct sample){result->series[i].labels, result->series[i].v[0]};
        v.samples[i] = &s[i];
    }
    return v;
}

static const struct value *samples(struct run *r, const struct value *v)
{
    if (v->kind != VALUE_SAMPLES)
        run_fail(r, "wrong type: a query's result is expected, not %s", value_type(v));
    return v;
}

static const struct sample *sample(struct run *r, const struct value *v)
{
    if (v->kind != VALUE_SAMPLE)
        run_fail(r, "wrong type: a sample is expected, not %s", value_type(v));
    return v->sample;
}

static struct value call_first(struct run *r, const struct value *arg, size_t n)
{
    if (samples(r, arg)->n == 0)
        run_fail(r, "first() called on vector with no elements");
    return (struct value){.kind = VALUE_SAMPLE, .sample = arg->samples[0]};
}

static struct value label_of(struct run *r, const struct sample *s, const char *name)
{
    const char *text = s->labels ? labels_get(s->labels, name) : NULL;
    text = text ? text : "";
    return (struct value){.kind = VALUE_TEXT, .text = text, .len = strlen(text)};
}

static struct value call_label(struct run *r, const struct value *arg, size_t n)
{
    return label_of(r, sample(r, &arg[1]), value_text(r, &arg[0]));
}

static struct value call_value(struct run *r, const struct value *arg, size_t n)
{
    return value_of_float(sample(r, arg)->v);
}

static struct value call_strvalue(struct run *r, const struct value *arg, size_t n)
{
    return label_of(r, sample(r, arg), "__value__");
}

struct by_label {
    const char *text;
    const struct sample *sample;
};

static int compare_by_label(const void *a, const void *b)
{
    return strcmp(((const struct by_label *)a)->text, ((const struct by_label *)b)->text);
}

static struct value call_sort_by_label(struct run *r, const struct value *arg, size_t n)
{
    const char *name = value_text(r, &arg[0]);
    struct value v = *samples(r, &arg[1]);
    struct by_label *by = run_alloc(r, (v.n + 1) * sizeof(*by));
    const struct sample **sorted = run_alloc(r, (v.n + 1) * sizeof(*sorted));
    for (size_t i = 0; i < v.n; i++)
        by[i] = (struct by_label){label_of(r, v.samples[i], name).text, v.samples[i]};
    if (v.n > 1)
        qsort(by, v.n, sizeof(*by), compare_by_label);
    for (size_t i = 0; i < v.n; i++)
        sorted[i] = by[i].sample;
    v.samples = sorted;
    return v;
}

static struct value call_args(struct run *r, const struct value *arg, size_t n)
{
    struct args *a = run_alloc(r, sizeof(*a));
    a->n = n;
    a->value = run_alloc(r, (n + 1) * sizeof(*arg));
    if (n > 0)
        memcpy(a->value, arg, n * sizeof(*arg));
    return (struct value){.kind = VALUE_ARGS, .args = a};
}

static struct value call_tmpl(struct run *r, const struct value *arg, size_t n)
{
    return run_template(r, value_text(r, &arg[0]), arg[1]);
}

// Prometheus' texts

static struct regex *compile(struct run *r, const char *pattern)
{
    struct regex *re = NULL;
    struct err err = {0};
    if (regex_new(pattern, false, &re, &err) < 0)
        run_fail(r, "%s", err.message);
    return re;
}

static struct value call_match(struct run *r, const struct value *arg, size_t n)
{
    const char *text = value_text(r, &arg[1]);
    struct regex *re = compile(r, value_text(r, &arg[0]));
    bool hit = regex_match(re, text, strlen(text));
    regex_free(re);
    return value_of_bool(hit);
}

static struct value call_replace_all(struct run *r, const struct value *arg, size_t n)
{
    const char *to = value_text(r, &arg[1]), *text = value_text(r, &arg[2]);
    struct regex *re = compile(r, value_text(r, &arg[0]));
    struct buf b;
    buf_init(&b, TEXT_MAX);
    regex_replace_all(re, text, strlen(text), to, &b);
    regex_free(re);
    return run_take(r, &b);
}

static struct value call_text(struct run *r, const struct value *arg, size_t n)
{
    (void)value_text(r, arg);
    return *arg;
}

static void put_char(struct buf *b, unsigned cp, const char *as_is, size_t len)
{
    char utf8[4];
    if (cp < 0x80) {
        buf_putc(b, (char)cp);
    } else if (cp < 0x800) {
        utf8[0] = (char)(0xc0 | cp >> 6);
        utf8[1] = (char)(0x80 | (cp & 0x3f));
        buf_put(b, utf8, 2);
    } else {
        buf_put(b, as_is, len);
    }
}

enum casing {
    CASE_UPPER,
    CASE_LOWER,
    CASE_TITLE,
};

// By the C.UTF-8 tables up to U+07FF, which have the alphabets with two cases that names use.
static struct value recase(struct run *r, const struct value *arg, enum casing how)
{
    const char *s = value_text(r, arg);
    locale_t locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", NULL);
    struct buf b;
    bool in_word = false;
    buf_init(&b, TEXT_MAX);
    for (size_t i = 0; i < arg->len;) {
        unsigned cp = 0;
        size_t n = esc_utf8_next(s + i, arg->len - i, &cp);
        if (n == 0) {
            buf_putc(&b, s[i++]);
            continue;
        }
        unsigned to = cp;
        bool is_upper = how == CASE_UPPER || (how == CASE_TITLE && !in_word);
        if (locale && is_upper)
            to = towupper_l(cp, locale);
        else if (locale && how == CASE_LOWER)
            to = towlower_l(cp, locale);
        in_word = (locale && iswalnum_l(cp, locale)) || cp == '_' || (in_word && cp == '\'');
        put_char(&b, cp < 0x800 ? to : 0x800, s + i, n);
        i += n;
    }
    if (locale)
        freelocale(locale);
    return run_take(r, &b);
}

static struct value call_title(struct run *r, const struct value *arg, size_t n)
{
    return recase(r, arg, CASE_TITLE);
}

static struct value call_upper(struct run *r, const struct value *arg, size_t n)
{
    return recase(r, arg, CASE_UPPER);
}

static struct value call_lower(struct run *r, const struct value *arg, size_t n)
{
    return recase(r, arg, CASE_LOWER);
}

// net.SplitHostPort: "host:port", "[v6]:port". False where it is no such text.
static bool split_host(const char *s, size_t *begin, size_t *len, const char **port)
{
    const char *colon = strrchr(s, ':');
    if (!colon)
        return false;
    if (*s == '[') {
        const char *end = strchr(s, ']');
        *begin = 1;
        *len = end ? (size_t)(end - s - 1) : 0;
        *port = colon + 1;
        return end && end + 1 == colon;
    }
    *begin = 0;
    *len = (size_t)(colon - s);
    *port = colon + 1;
    return memchr(s, ':', *len) == NULL && !strpbrk(s, "[]");
}

static struct value call_strip_port(struct run *r, const struct value *arg, size_t n)
{
    size_t begin, len;
    const char *port, *s = value_text(r, arg);
    return split_host(s, &begin, &len, &port) ? run_text(r, s + begin, len) : *arg;
}

static struct value call_strip_domain(struct run *r, const struct value *arg, size_t n)
{
    const char *s = value_text(r, arg), *port = NULL;
    size_t begin = 0, len = arg->len;
    unsigned char address[16];
    if (!split_host(s, &begin, &len, &port)) {
        begin = 0;
        len = arg->len;
        port = "";
    }
    struct value host = run_text(r, s + begin, len);
    if (inet_pton(AF_INET, host.text, address) == 1 || inet_pton(AF_INET6, host.text, address) == 1)
        return *arg;
    struct buf b;
    buf_init(&b, TEXT_MAX);
    buf_put(&b, host.text, strcspn(host.text, "."));
    if (*port)
        buf_printf(&b, ":%s", port);
    return run_take(r, &b);
}

static struct value link_of(struct run *r, const struct value *arg, int tab)
{
    struct buf b;
    const char *expr = value_text(r, arg);
    buf_init(&b, TEXT_MAX);
    buf_puts(&b, "/graph?g0.expr=");
    query_escape(&b, expr);
    buf_printf(&b, "&g0.tab=%d", tab);
    return run_take(r, &b);
}

static struct value call_graph_link(struct run *r, const struct value *arg, size_t n)
{
    return link_of(r, arg, 0);
}

static struct value call_table_link(struct run *r, const struct value *arg, size_t n)
{
    return link_of(r, arg, 1);
}

static struct value call_external_url(struct run *r, const struct value *arg, size_t n)
{
    const char *url = r->env->external_url ? r->env->external_url : "";
    return run_text(r, url, strlen(url));
}

static struct value call_path_prefix(struct run *r, const struct value *arg, size_t n)
{
    const char *url = r->env->external_url ? r->env->external_url : "";
    const char *host = strstr(url, "://");
    const char *path = strchr(host ? host + 3 : url, '/');
    path = path ? path : "";
    return run_text(r, path, strcspn(path, "?#"));
}

// Prometheus' numbers

#define HUMAN(name, put)                                                                           \
    static struct value name(struct run *r, const struct value *arg, size_t n)                     \
    {                                                                                              \
        struct buf b;                                                                              \
        double v = value_float(r, arg);                                                            \
        buf_init(&b, TEXT_MAX);                                                                    \
        put(&b, v);                                                                                \
        return run_take(r, &b);                                                                    \
    }

HUMAN(call_humanize, human_si)
HUMAN(call_humanize_1024, human_1024)
HUMAN(call_humanize_duration, human_duration)
HUMAN(call_humanize_percentage, human_percentage)

static int64_t time_of(struct run *r, const struct value *v)
{
    double seconds = value_float(r, v);
    if (!(fabs(seconds) < 9223372036.0))
        run_fail(r, "%g cannot be represented as a nanoseconds timestamp since it overflows int64",
                 seconds);
    return (int64_t)(seconds * 1e9) / 1000000;
}

static struct value call_humanize_timestamp(struct run *r, const struct value *arg, size_t n)
{
    double v = value_float(r, arg);
    int64_t ms = isfinite(v) ? time_of(r, arg) : 0;
    struct buf b;
    buf_init(&b, TEXT_MAX);
    if (isfinite(v))
        go_time(&b, ms);
    else
        go_float(&b, v, 'g', 4);
    return run_take(r, &b);
}

static struct value call_to_time(struct run *r, const struct value *arg, size_t n)
{
    return (struct value){.kind = VALUE_TIME, .integer = time_of(r, arg)};
}

static struct value call_to_duration(struct run *r, const struct value *arg, size_t n)
{
    double seconds = value_float(r, arg);
    if (!(fabs(seconds) < 9223372036.0))
        run_fail(r, "%g cannot be represented as a duration", seconds);
    return (struct value){.kind = VALUE_DURATION, .integer = (int64_t)(seconds * 1e9)};
}

static struct value call_now(struct run *r, const struct value *arg, size_t n)
{
    return value_of_float((double)r->env->now_ms / 1000);
}

static struct value call_parse_duration(struct run *r, const struct value *arg, size_t n)
{
    int64_t ms;
    const char *s = value_text(r, arg);
    if (promql_duration_parse(s, arg->len, false, &ms) < 0)
        run_fail(r, "not a valid duration string: \"%s\"", s);
    return value_of_float((double)ms / 1000);
}

static const struct function functions[] = {
    {"and", 1, -1, call_and},
    {"or", 1, -1, call_and},
    {"not", 1, 1, call_not},
    {"len", 1, 1, call_len},
    {"index", 1, -1, call_index},
    {"slice", 1, 3, call_slice},
    {"print", 0, -1, call_print},
    {"println", 0, -1, call_println},
    {"printf", 1, -1, call_printf},
    {"html", 0, -1, call_html},
    {"js", 0, -1, call_js},
    {"urlquery", 0, -1, call_urlquery},
    {"eq", 2, -1, call_eq},
    {"ne", 2, 2, call_ne},
    {"lt", 2, 2, call_lt},
    {"le", 2, 2, call_le},
    {"gt", 2, 2, call_gt},
    {"ge", 2, 2, call_ge},
    {"query", 1, 1, call_query},
    {"first", 1, 1, call_first},
    {"label", 2, 2, call_label},
    {"value", 1, 1, call_value},
    {"strvalue", 1, 1, call_strvalue},
    {"sortByLabel", 2, 2, call_sort_by_label},
    {"args", 0, -1, call_args},
    {"tmpl", 2, 2, call_tmpl},
    {"match", 2, 2, call_match},
    {"reReplaceAll", 3, 3, call_replace_all},
    {"safeHtml", 1, 1, call_text},
    {"title", 1, 1, call_title},
    {"toUpper", 1, 1, call_upper},
    {"toLower", 1, 1, call_lower},
    {"stripPort", 1, 1, call_strip_port},
    {"stripDomain", 1, 1, call_strip_domain},
    {"graphLink", 1, 1, call_graph_link},
    {"tableLink", 1, 1, call_table_link},
    {"urlQueryEscape", 1, 1, call_urlquery},
    {"externalURL", 0, 0, call_external_url},
    {"pathPrefix", 0, 0, call_path_prefix},
    {"humanize", 1, 1, call_humanize},
    {"humanize1024", 1, 1, call_humanize_1024},
    {"humanizeDuration", 1, 1, call_humanize_duration},
    {"humanizePercentage", 1, 1, call_humanize_percentage},
    {"humanizeTimestamp", 1, 1, call_humanize_timestamp},
    {"toTime", 1, 1, call_to_time},
    {"toDuration", 1, 1, call_to_duration},
    {"now", 0, 0, call_now},
    {"parseDuration", 1, 1, call_parse_duration},
};

const struct function *template_function(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(functions); i++)
        if (strcmp(functions[i].name, name) == 0)
            return &functions[i];
    return NULL;
}

bool template_is_and(const struct function *f)
{
    return f == &functions[0];
}

bool template_is_or(const struct function *f)
{
    return f == &functions[1];
}
