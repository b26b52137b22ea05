// SPDX-License-Identifier: GPL-3.0-or-later
// Runs promtool's tests: series come into a source in memory as time passes, rules are evaluated at
// each tick, alerts are compared at their times, expressions at the end.
#include "rule/unit_test.h"

#include <errno.h>
#include <fcntl.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/map.h"
#include "base/mem.h"
#include "histogram_text.h"
#include "promql/memory.h"
#include "promql/notation.h"
#include "regex/regex.h"
#include "rule/eval.h"
#include "test_file.h"

#define TEST_FILE_MAX ((size_t)64 << 20)
#define TICKS_MAX 10000000

// One test group at work.
struct bench {
    const struct test_file *file;
    const struct test_group *test;
    const struct rule_test_options *options;
    struct promql_memory *memory;
    struct promql_line *line; // of each input series
    size_t *at;               // next value of each
    struct rule_group_run *group;
    size_t n_groups;
    struct rule_env env;
    struct labels *external;
    struct buf *out;
    unsigned failures;
};

static int64_t step_of(const struct bench *b)
{
    return b->test->interval_ms ? b->test->interval_ms : b->file->interval_ms;
}

__attribute__((format(printf, 2, 3))) static void complain(struct bench *b, const char *format, ...)
{
    char text[2000];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (b->failures++ == 0)
        buf_puts(b->out, "  FAILED:\n");
    if (b->test->name && *b->test->name)
        buf_printf(b->out, "    name: %s,\n", b->test->name);
    buf_printf(b->out, "%s\n", text);
}

static int write_samples(void *arg, const struct rule_sample *sample, size_t n, struct err *err)
{
    struct bench *b = arg;
    for (size_t i = 0; i < n; i++) {
        int r = promql_memory_append(b->memory, sample[i].labels, sample[i].t_ms, sample[i].v);
        if (r < 0)
            return err_set(err, -r, "a sample of a rule is older than one of its series");
    }
    return 0;
}

static bool parse_series(struct bench *b)
{
    const struct test_group *t = b->test;
    b->line = calloc(t->n_series + 1, sizeof(*b->line));
    b->at = calloc(t->n_series + 1, sizeof(*b->at));
    for (size_t i = 0; i < t->n_series; i++) {
        struct err err = {0};
        CLEANUP(freep)
        char *text = mem_printf("%s %s", t->series[i].series ? t->series[i].series : "",
                                t->series[i].values ? t->series[i].values : "");
        if (promql_line_parse(text, strlen(text), &b->line[i], &err) < 0) {
            complain(b, "    series, line %d: %s", t->series[i].line, err.message);
            return false;
        }
    }
    return true;
}

// Values up to and with `until_ms`.
static void fill(struct bench *b, int64_t until_ms)
{
    int64_t step = step_of(b);
    for (size_t i = 0; i < b->test->n_series; i++) {
        const struct promql_line *l = &b->line[i];
        for (; b->at[i] < l->n; b->at[i]++) {
            int64_t t = b->test->start_ms + (int64_t)b->at[i] * step;
            const struct promql_value *v = &l->value[b->at[i]];
            if (t > until_ms)
                break;
            if (!v->is_omitted && promql_memory_append(b->memory, l->labels, t, v->v) < 0)
                complain(b, "    series, line %d: a rule writes the same series",
                         b->test->series[i].line);
        }
    }
}

static int64_t last_eval(const struct test_group *t)
{
    int64_t last = 0;
    for (size_t i = 0; i < t->n_alerts; i++)
        last = MAX_OF(last, t->alert[i].eval_ms);
    for (size_t i = 0; i < t->n_exprs; i++)
        last = MAX_OF(last, t->expr[i].eval_ms);
    return last;
}

static void put_ms(struct buf *out, int64_t ms)
{
    promql_duration_put(out, ms);
}

// Rules that failed at this tick.
static bool report_errors(struct bench *b, int64_t since_ms)
{
    bool any = false;
    for (size_t i = 0; i < b->n_groups; i++)
        for (size_t k = 0; k < b->group[i].n_runs; k++) {
            const struct rule_run *run = &b->group[i].run[k];
            if (run->health != RULE_HEALTH_ERR)
                continue;
            struct buf at;
            buf_init(&at, 100);
            put_ms(&at, since_ms);
            complain(b, "    rule: %s, time: %s, err: %s", run->rule->name, at.data,
                     run->last_error);
            buf_done(&at);
            any = true;
        }
    return any;
}

// Comparing alerts

struct both {
    struct labels *labels, *annotations;
};

static int by_labels(const void *a, const void *b)
{
    const struct both *x = a, *y = b;
    int c = labels_compare(x->labels, y->labels);
    return c ? c : labels_compare(x->annotations, y->annotations);
}

static void both_put(const struct both *set, size_t n, struct buf *out)
{
    buf_putc(out, '[');
    for (size_t i = 0; i < n; i++) {
        buf_printf(out, "\n            %zu:\n              Labels:", i);
        labels_format(set[i].labels, out);
        buf_puts(out, "\n              Annotations:");
        labels_format(set[i].annotations, out);
    }
    buf_puts(out, n > 0 ? "\n        ]" : "]");
}

static void both_free(struct both *set, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        labels_free(set[i].labels);
        labels_free(set[i].annotations);
    }
    free(set);
}

static struct both *expected_alerts(const struct test_alert_case *c)
{
    struct both *set = calloc(c->n + 1, sizeof(*set));
    for (size_t i = 0; set && i < c->n; i++) {
        const struct test_pairs *l = &c->expected[i].labels, *a = &c->expected[i].annotations;
        struct label *label = calloc(l->n + 1, sizeof(*label));
        size_t n = 0;
        for (size_t k = 0; k < l->n; k++)
            if (strcmp(l->item[k].name, "alertname") != 0)
                label[n++] = l->item[k];
        label[n++] = (struct label){"alertname", c->alertname};
        set[i].labels = labels_new(label, n);
        free(label);
        // promtool shows our options, as it does not know them; so a test may name them.
        label = calloc(a->n + 1, sizeof(*label));
        n = 0;
        for (size_t k = 0; k < a->n; k++)
            if (!rule_is_option(a->item[k].name))
                label[n++] = a->item[k];
        set[i].annotations = labels_new(label, n);
        free(label);
    }
    return set;
}

static struct both *actual_alerts(const struct bench *b, const char *name, size_t *ret_n)
{
    struct both *set = NULL;
    size_t n = 0, cap = 0;
    mem_grow(&set, &cap, 0, sizeof(*set));
    for (size_t i = 0; i < b->n_groups; i++)
        for (size_t k = 0; k < b->group[i].n_runs; k++) {
            const struct rule_run *run = &b->group[i].run[k];
            if (!run->rule->is_alert || strcmp(run->rule->name, name) != 0)
                continue;
            for (size_t m = 0; m < run->state.n; m++) {
                const struct alert *a = &run->state.alert[m].alert;
                if (a->state != ALERT_FIRING)
                    continue;
                mem_grow(&set, &cap, n, sizeof(*set));
                set[n++] = (struct both){labels_new(a->labels->label, a->labels->n),
                                         labels_new(a->annotations->label, a->annotations->n)};
            }
        }
    *ret_n = n;
    return set;
}

static void compare_alerts(struct bench *b, const struct test_alert_case *c)
{
    size_t n = 0;
    struct both *expected = expected_alerts(c), *actual = actual_alerts(b, c->alertname, &n);
    for (size_t i = 0; i < c->n; i++)
        if (!expected[i].labels || !expected[i].annotations) {
            complain(b, "    alert test, line %d: labels that cannot be", c->line);
            goto out;
        }
    if (c->n > 1)
        qsort(expected, c->n, sizeof(*expected), by_labels);
    if (n > 1)
        qsort(actual, n, sizeof(*actual), by_labels);
    bool same = n == c->n;
    for (size_t i = 0; same && i < n; i++)
        same = by_labels(&expected[i], &actual[i]) == 0;
    if (!same) {
        struct buf text;
        buf_init(&text, 1 << 20);
        buf_printf(&text, "    alertname: %s, time: ", c->alertname);
        put_ms(&text, c->eval_ms);
        buf_puts(&text, ",\n        exp:");
        both_put(expected, c->n, &text);
        buf_puts(&text, ",\n        got:");
        both_put(actual, n, &text);
        complain(b, "%s", text.data);
        buf_done(&text);
    }
out:
    both_free(expected, c->n);
    both_free(actual, n);
}

static void alerts_at(struct bench *b, int64_t since_ms)
{
    for (size_t i = 0; i < b->test->n_alerts; i++) {
        const struct test_alert_case *c = &b->test->alert[i];
        if (c->eval_ms >= since_ms && c->eval_ms < since_ms + b->file->interval_ms)
            compare_alerts(b, c);
    }
}

static bool run_ticks(struct bench *b)
{
    int64_t last = last_eval(b->test), every = b->file->interval_ms;
    if (every <= 0 || last / every > TICKS_MAX) {
        complain(b, "    too many evaluations");
        return false;
    }
    for (int64_t at = 0; at <= last; at += every) {
        int64_t now = b->test->start_ms + at;
        fill(b, now);
        for (size_t i = 0; i < b->n_groups; i++) {
            struct rule_update update = {0};
            struct err err = {0};
            int r = rule_group_eval(&b->group[i], &b->env, now, NULL, &update, &err);
            rule_update_done(&update);
            if (r < 0) {
                complain(b, "    group: %s: %s", b->group[i].group->name, err.message);
                return false;
            }
        }
        if (report_errors(b, at))
            return false;
        alerts_at(b, at);
    }
    return true;
}

// Comparing samples

struct number {
    struct labels *labels;
    double v;
    char *histogram; // as expected of it; NULL: a number
};

static int by_sample_labels(const void *a, const void *b)
{
    return labels_compare(((const struct number *)a)->labels, ((const struct number *)b)->labels);
}

static bool same_number(double a, double b, bool is_fuzzy)
{
    if (isnan(a) || isnan(b))
        return isnan(a) && isnan(b);
    if (a == b || !is_fuzzy)
        return a == b;
    return fabs(a - b) < 1e-15 * MIN_OF(fabs(a), fabs(b)) || fabs(a - b) < DBL_MIN;
}

static void numbers_put(const struct number *set, size_t n, struct buf *out)
{
    for (size_t i = 0; i < n; i++) {
        buf_puts(out, i ? ", " : " ");
        labels_format(set[i].labels, out);
        buf_putc(out, ' ');
        if (set[i].histogram)
            buf_puts(out, set[i].histogram);
        else
            buf_f64(out, set[i].v);
    }
    buf_puts(out, n ? "" : " nil");
}

static void numbers_free(struct number *set, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        labels_free(set[i].labels);
        free(set[i].histogram);
    }
    free(set);
}

static struct number *expected_numbers(const struct test_expr_case *c, size_t *ret_n,
                                       struct err *err)
{
    struct number *set = calloc(c->n + 1, sizeof(*set));
    *ret_n = 0;
    for (size_t i = 0; i < c->n; i++) {
        const char *text = c->expected[i].labels ? c->expected[i].labels : "";
        int r = 0;
        if (*text)
            r = promql_labels_parse(text, strlen(text), &set[i].labels, err);
        else
            set[i].labels = labels_new(NULL, 0);
        if (r == 0 && c->expected[i].histogram)
            r = histogram_normalize(c->expected[i].histogram, &set[i].histogram, err);
        set[i].v = c->expected[i].value;
        (*ret_n)++;
        if (r < 0)
            return set;
    }
    return set;
}

// What a selector gives where series have native histograms, which evaluation leaves out: the value
// is worked out from the notation.
static struct number *actual_histograms(struct bench *b, const struct promql_selector *s,
                                        int64_t now_ms, size_t *ret_n)
{
    struct number *set = NULL;
    size_t n = 0, cap = 0;
    int64_t step = step_of(b);
    mem_grow(&set, &cap, 0, sizeof(*set));
    for (size_t i = 0; i < b->test->n_series; i++) {
        const struct promql_line *l = &b->line[i];
        if (!query_matches(s->matcher, s->n_matchers, l->labels))
            continue;
        int64_t k = MIN_OF((now_ms - b->test->start_ms) / step, (int64_t)l->n - 1);
        while (k >= 0 && l->value[k].is_omitted)
            k--;
        if (k < 0 || b->test->start_ms + k * step < s->start_ms || sample_is_stale(l->value[k].v))
            continue;
        mem_grow(&set, &cap, n, sizeof(*set));
        set[n] = (struct number){labels_new(l->labels->label, l->labels->n), l->value[k].v, NULL};
        struct err err;
        (void)histogram_at(b->test->series[i].values, (size_t)k, &set[n].histogram, &err);
        n++;
    }
    *ret_n = n;
    return set;
}

static bool wants_histograms(const struct test_expr_case *c)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->expected[i].histogram)
            return true;
    return false;
}

static bool is_bare_selector(const struct promql_expr *expr, int64_t now_ms,
                             struct promql_selector *ret)
{
    struct promql_range range = {now_ms, now_ms, 0};
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 1 << 20);
    promql_print(expr, &text);
    return promql_selectors(expr, &range, 0, ret, 1) == 1 && ret->range_ms == 0 &&
           !strpbrk(text.data, " ()+-*/%^@");
}

static struct number *actual_numbers(struct bench *b, const struct test_expr_case *c, size_t *ret_n,
                                     struct err *err)
{
    struct promql_expr *expr = NULL;
    struct promql_result *result = NULL;
    struct promql_selector selector;
    struct number *set = NULL;
    int64_t now = b->test->start_ms + c->eval_ms;
    *ret_n = 0;
    const char *text = c->expr ? c->expr : "";
    if (promql_parse(text, strlen(text), &expr, err) < 0)
        return NULL;
    if (wants_histograms(c)) {
        if (is_bare_selector(expr, now, &selector))
            set = actual_histograms(b, &selector, now, ret_n);
        else
            err_set(err, ENOTSUP, "native histograms can only be selected here, not worked with");
    } else if (promql_eval_instant(expr, b->env.source, now, &b->env.options, &result, err) == 0) {
        size_t n = result->type == PROMQL_SCALAR ? 1 : result->n;
        if (result->type == PROMQL_STRING || result->type == PROMQL_MATRIX) {
            err_set(err, EINVAL, "the expression gives a %s", promql_type_name(result->type));
        } else {
            set = calloc(n + 1, sizeof(*set));
            for (size_t i = 0; i < n; i++) {
                bool is_scalar = result->type == PROMQL_SCALAR;
                const struct labels *l = is_scalar ? NULL : result->series[i].labels;
                set[i].labels = l ? labels_new(l->label, l->n) : labels_new(NULL, 0);
                set[i].v = is_scalar ? result->scalar : result->series[i].v[0];
            }
            *ret_n = n;
        }
    }
    promql_result_free(result);
    promql_expr_free(expr);
    return set;
}

static bool same_numbers(struct number *x, size_t n_x, struct number *y, size_t n_y, bool is_fuzzy)
{
    if (n_x > 1)
        qsort(x, n_x, sizeof(*x), by_sample_labels);
    if (n_y > 1)
        qsort(y, n_y, sizeof(*y), by_sample_labels);
    bool same = n_x == n_y;
    for (size_t i = 0; same && i < n_x; i++) {
        same = labels_equal(x[i].labels, y[i].labels) && !x[i].histogram == !y[i].histogram;
        if (same && x[i].histogram)
            same = histogram_same(x[i].histogram, y[i].histogram);
        else if (same)
            same = same_number(x[i].v, y[i].v, is_fuzzy);
    }
    return same;
}

static void compare_expr(struct bench *b, const struct test_expr_case *c)
{
    struct err err = {0};
    size_t n_expected = 0, n_actual = 0;
    struct number *actual = NULL, *expected = expected_numbers(c, &n_expected, &err);
    if (!err.code)
        actual = actual_numbers(b, c, &n_actual, &err);
    struct buf text;
    buf_init(&text, 1 << 20);
    buf_printf(&text, "    expr: \"%s\", time: ", c->expr ? c->expr : "");
    put_ms(&text, c->eval_ms);
    if (err.code) {
        complain(b, "%s, err: %s", text.data, err.message);
    } else if (!same_numbers(expected, n_expected, actual, n_actual, b->file->is_fuzzy)) {
        buf_puts(&text, ",\n        exp:");
        numbers_put(expected, n_expected, &text);
        buf_puts(&text, "\n        got:");
        numbers_put(actual, n_actual, &text);
        complain(b, "%s", text.data);
    }
    buf_done(&text);
    numbers_free(expected, n_expected);
    numbers_free(actual, n_actual);
}

// Groups in the order that the file asks for; others come first, as in promtool.
static int rank(const struct test_file *f, const char *name)
{
    for (size_t i = 0; i < f->order.n; i++)
        if (strcmp(f->order.text[i], name) == 0)
            return (int)i;
    return 0;
}

static void order_groups(struct bench *b)
{
    for (size_t i = 1; i < b->n_groups; i++)
        for (size_t k = i; k > 0 && rank(b->file, b->group[k].group->name) <
                                        rank(b->file, b->group[k - 1].group->name);
             k--) {
            struct rule_group_run swap = b->group[k];
            b->group[k] = b->group[k - 1];
            b->group[k - 1] = swap;
        }
}

static int set_up(struct bench *b, const struct rule_files *files, struct err *err)
{
    b->memory = promql_memory_new();
    b->external = labels_new(b->test->external_labels.item, b->test->external_labels.n);
    b->env = (struct rule_env){
        .source = promql_memory_source(b->memory),
        .options = {.subquery_step_ms = b->file->interval_ms},
        .clock = &clock_system,
        .external_labels = b->external,
        .external_url = b->test->external_url ? b->test->external_url : "",
        .interval_ms = step_of(b),
        .resend_delay_ms = 60000,
        .write = write_samples,
        .arg = b,
    };
    int r = rule_groups_new(files, &b->env, &b->group, &b->n_groups);
    if (r < 0)
        return err_set(err, -r, "not enough memory for the rules");
    order_groups(b);
    return 0;
}

static void tear_down(struct bench *b)
{
    for (size_t i = 0; b->line && i < b->test->n_series; i++)
        promql_line_done(&b->line[i]);
    free(b->line);
    free(b->at);
    rule_groups_free(b->group, b->n_groups);
    labels_free(b->external);
    promql_memory_free(b->memory);
}

static int run_group(struct bench *b, const struct rule_files *files, struct err *err)
{
    int r = set_up(b, files, err);
    if (r == 0 && parse_series(b) && run_ticks(b))
        for (size_t i = 0; i < b->test->n_exprs; i++)
            compare_expr(b, &b->test->expr[i]);
    tear_down(b);
    return r;
}

static char *directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? mem_strndup(path, (size_t)(slash - path)) : mem_strdup("");
}

static int load_rules(const char *path, const struct test_file *f, struct rule_files *files,
                      struct buf *out, struct rule_errors *errors)
{
    CLEANUP(freep) char *directory = directory_of(path);
    int r = 0;
    for (size_t i = 0; i < f->rule_files.n && r == 0; i++) {
        size_t before = files->n;
        r = rule_files_glob(files, directory, f->rule_files.text[i], errors);
        if (r == 0 && files->n == before)
            buf_printf(out, "  WARNING: no file match pattern %s\n", f->rule_files.text[i]);
    }
    return r;
}

static int check_order(const struct test_file *f, struct err *err)
{
    for (size_t i = 0; i < f->order.n; i++)
        for (size_t k = 0; k < i; k++)
            if (strcmp(f->order.text[i], f->order.text[k]) == 0)
                return err_set(err, EINVAL, "group name repeated in evaluation order: %s",
                               f->order.text[i]);
    return 0;
}

static int fail_first(struct rule_errors *errors, struct err *err)
{
    if (errors->n == 0)
        return err_set(err, ENOMEM, "not enough memory");
    *err = errors->err[0];
    return -err->code;
}

static int run_file(const char *path, const struct test_file *f, const struct regex *only,
                    const struct rule_test_options *options, struct buf *out,
                    struct rule_test_result *ret, struct rule_errors *errors, struct err *err)
{
    struct rule_files files = {0};
    int r = load_rules(path, f, &files, out, errors);
    if (r < 0)
        (void)fail_first(errors, err);
    else
        r = check_order(f, err);
    for (size_t i = 0; r == 0 && i < f->n; i++) {
        struct bench b = {.file = f, .test = &f->group[i], .options = options, .out = out};
        const char *name = b.test->name ? b.test->name : "";
        if (only && !regex_match(only, name, strlen(name)))
            continue;
        r = run_group(&b, &files, err);
        ret->tests++;
        ret->failures += b.failures;
    }
    rule_files_done(&files);
    return r;
}

int rule_test_text(const char *path, const char *text, size_t len,
                   const struct rule_test_options *options, struct buf *out,
                   struct rule_test_result *ret, struct err *err)
{
    struct test_file f;
    struct rule_errors errors = {0};
    struct regex *only = NULL;
    *ret = (struct rule_test_result){0};
    if (options && options->run && regex_new(options->run, false, &only, err) < 0)
        return -EINVAL;
    int r = test_file_read(path, text, len, &f, &errors);
    if (r < 0)
        r = fail_first(&errors, err);
    else
        r = run_file(path, &f, only, options, out, ret, &errors, err);
    test_file_done(&f);
    rule_errors_done(&errors);
    regex_free(only);
    return r;
}

int rule_test_file(const char *path, const struct rule_test_options *options, struct buf *out,
                   struct rule_test_result *ret, struct err *err)
{
    CLEANUP(freep) char *text = NULL;
    size_t len = 0;
    int r = fs_read_file(AT_FDCWD, path, TEST_FILE_MAX, &text, &len);
    if (r < 0)
        return err_set(err, -r, "%s: %s", path, strerror(-r));
    return rule_test_text(path, text, len, options, out, ret, err);
}
