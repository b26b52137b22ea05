// SPDX-License-Identifier: GPL-3.0-or-later
// `vherd query`: an expression in PromQL, at one time or over a range.
#include "query.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/esc.h"
#include "base/mem.h"
#include "base/number.h"
#include "query_result.h"

#define TIMEOUT_MS 120000
#define POINTS_MAX 11000
// A curve is drawn of about as many points as a wide terminal has dots.
#define POINTS_SENSIBLE 240

static double now_seconds(void)
{
    return (double)(clock_real_ns(&clock_system) / NS_PER_MS) / 1000;
}

int query_duration(const char *text, double *ret)
{
    static const struct {
        const char *name;
        double seconds;
    } units[] = {{"ms", 0.001}, {"s", 1},      {"m", 60},      {"h", 3600},
                 {"d", 86400},  {"w", 604800}, {"y", 31536000}};
    double plain, sum = 0;
    if (number_parse_f64(text, &plain) == 0) {
        *ret = plain;
        return plain >= 0 ? 0 : -EINVAL;
    }
    const char *p = text;
    do {
        uint64_t n;
        size_t len = 0, i = 0;
        if (*p < '0' || *p > '9' || !number_scan_u64(&p, &n))
            return -EINVAL;
        while (p[len] >= 'a' && p[len] <= 'z')
            len++;
        while (i < ARRAY_LEN(units) &&
               (strlen(units[i].name) != len || strncmp(units[i].name, p, len) != 0))
            i++;
        if (i == ARRAY_LEN(units))
            return -EINVAL;
        sum += (double)n * units[i].seconds;
        p += len;
    } while (*p);
    *ret = sum;
    return 0;
}

static int clock_time(const char *text, double now, double *ret)
{
    time_t today = (time_t)now;
    struct tm tm;
    const char *end;
    if (!localtime_r(&today, &tm))
        return -EINVAL;
    tm.tm_sec = 0;
    tm.tm_isdst = -1;
    end = strptime(text, "%H:%M:%S", &tm);
    if (!end)
        end = strptime(text, "%H:%M", &tm);
    if (!end || *end)
        return -EINVAL;
    *ret = (double)mktime(&tm);
    return 0;
}

static int date_time(const char *text, double *ret)
{
    struct tm tm = {0};
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    if (end && strcmp(end, "Z") == 0) {
        *ret = (double)timegm(&tm);
        return 0;
    }
    if (end && (*end == '+' || *end == '-')) {
        end = strptime(end, "%z", &tm);
        long ahead = tm.tm_gmtoff;
        *ret = (double)timegm(&tm) - (double)ahead;
        return end && !*end ? 0 : -EINVAL;
    }
    if (!end || *end)
        end = strptime(text, "%Y-%m-%d %H:%M", &tm);
    if (!end || *end)
        end = strptime(text, "%Y-%m-%d", &tm);
    if (!end || *end)
        return -EINVAL;
    tm.tm_isdst = -1;
    *ret = (double)mktime(&tm);
    return 0;
}

int query_time(const char *text, double now, double *ret)
{
    double ago;
    if (strcmp(text, "now") == 0) {
        *ret = now;
        return 0;
    }
    if (text[0] == '-' && query_duration(text + 1, &ago) == 0) {
        *ret = now - ago;
        return 0;
    }
    if (number_parse_f64(text, ret) == 0)
        return 0;
    return clock_time(text, now, ret) == 0 ? 0 : date_time(text, ret);
}

int query_option_time(const struct cli *cli, const char *option, double *ret, struct err *err)
{
    const char *text = cli_option(cli, option);
    if (!text || query_time(text, now_seconds(), ret) == 0)
        return 0;
    return err_set(err, EINVAL, "--%s: \"%s\" is no time", option, text);
}

static void put_seconds(struct buf *out, const char *name, double seconds)
{
    buf_printf(out, "&%s=%.3f", name, seconds);
}

static double sensible_step(double span)
{
    static const double steps[] = {1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 10800};
    size_t i = 0;
    while (i + 1 < ARRAY_LEN(steps) && steps[i] * POINTS_SENSIBLE < span)
        i++;
    return fmax(steps[i], ceil(span / POINTS_MAX));
}

struct plan {
    double start, end, step;
    bool is_range;
};

static struct plan plan_of(const struct query_settings *s)
{
    struct plan p = {.is_range = s->range > 0 || !isnan(s->start)};
    p.end = isnan(s->end) ? now_seconds() : s->end;
    p.start = isnan(s->start) ? p.end - s->range : s->start;
    p.step = s->step > 0 ? s->step : sensible_step(p.end - p.start);
    return p;
}

static void put_form(struct buf *out, const struct query_settings *s, const struct plan *p,
                     const char *expression)
{
    buf_puts(out, "query=");
    esc_url(out, expression);
    if (p->is_range) {
        put_seconds(out, "start", p->start);
        put_seconds(out, "end", p->end);
        put_seconds(out, "step", p->step);
    } else if (!isnan(s->time)) {
        put_seconds(out, "time", s->time);
    }
}

static void put_notes(const json_t *answer, const char *field, struct cli *cli)
{
    const json_t *notes = api_list(answer, field);
    for (size_t i = 0; i < json_array_size(notes); i++) {
        CLEANUP(freep)
        char *note = esc_terminal_dup(json_string_value(json_array_get(notes, i)));
        term_put(&cli->term, STYLE_DIM, note, &cli->out);
        buf_putc(&cli->out, '\n');
    }
}

static int show(struct cli *cli, const struct query_settings *s, const struct plan *p,
                const char *expression, struct buf *body, struct err *err)
{
    json_t *answer = NULL;
    struct query_result result;
    int r = api_parse(body->len > 0 ? body->data : "", body->len, &answer, err);
    if (r == 0)
        r = query_result_read(answer, &result, err);
    if (r < 0)
        return r;
    enum unit unit = unit_of_expression(expression);
    if (s->view == QUERY_CSV)
        query_result_csv(&result, &cli->out);
    else if (s->view == QUERY_PLOT && p->is_range)
        query_result_plot(&result, &cli->term, unit, p->start, p->end, p->step, &cli->out);
    else
        query_result_table(&result, &cli->term, unit, &cli->out);
    if (s->view != QUERY_CSV) {
        put_notes(result.answer, "warnings", cli);
        put_notes(result.answer, "infos", cli);
    }
    query_result_done(&result);
    return 0;
}

int query_show(struct cli *cli, const struct query_settings *s, const char *expression,
               struct err *err)
{
    struct plan p = plan_of(s);
    if (p.is_range && (p.end - p.start) / p.step > POINTS_MAX)
        return err_set(err, EINVAL,
                       "more than %d points a series: choose a larger --step or a shorter range",
                       POINTS_MAX);
    CLEANUP(buf_done) struct buf form, body;
    buf_init(&form, VERB_FORM_MAX);
    buf_init(&body, API_ANSWER_MAX);
    put_form(&form, s, &p, expression);
    if (form.error)
        return err_set(err, E2BIG, "the expression is too long");
    int r = cli_post_text(cli, verbs[p.is_range ? VERB_QUERY_RANGE : VERB_QUERY].path, form.data,
                          TIMEOUT_MS, &body, err);
    if (r < 0)
        return r;
    if (s->view != QUERY_JSON)
        return show(cli, s, &p, expression, &body, err);
    cli_put_json(cli, body.data, body.len);
    return 0;
}

static int read_time(struct cli *cli, const char *option, double *ret)
{
    const char *text = cli_option(cli, option);
    if (!text || query_time(text, now_seconds(), ret) == 0)
        return EXIT_WELL;
    return cli_usage(cli,
                     "--%s cannot be \"%s\": Unix seconds, 2026-11-25T18:30:00Z, 18:30, now or "
                     "-1h",
                     option, text);
}

static int read_duration(struct cli *cli, const char *option, double *ret)
{
    const char *text = cli_option(cli, option);
    if (!text || (query_duration(text, ret) == 0 && *ret > 0))
        return EXIT_WELL;
    return cli_usage(cli, "--%s cannot be \"%s\": a duration such as 15s, 1h30m", option, text);
}

static int read_settings(struct cli *cli, struct query_settings *s)
{
    *s = (struct query_settings){.time = NAN, .start = NAN, .end = NAN};
    int status = read_time(cli, "time", &s->time);
    if (status == EXIT_WELL)
        status = read_time(cli, "start", &s->start);
    if (status == EXIT_WELL)
        status = read_time(cli, "end", &s->end);
    if (status == EXIT_WELL)
        status = read_duration(cli, "range", &s->range);
    if (status == EXIT_WELL)
        status = read_duration(cli, "step", &s->step);
    if (status != EXIT_WELL)
        return status;
    bool wants_range = s->range > 0 || !isnan(s->start);
    if (!isnan(s->time) && (wants_range || !isnan(s->end)))
        return cli_usage(cli, "--time is of one time; --range, --start and --end of many");
    if (s->range > 0 && !isnan(s->start))
        return cli_usage(cli, "--range and --start both say where to begin");
    if (!wants_range && (!isnan(s->end) || s->step > 0) && !cli_option(cli, "plot"))
        return cli_usage(cli, "--end and --step need --range or --start");
    double end = isnan(s->end) ? now_seconds() : s->end;
    if (!isnan(s->start) && s->start >= end)
        return cli_usage(cli, "--start must be before --end");
    s->view = cli_option(cli, "json")   ? QUERY_JSON
              : cli_option(cli, "csv")  ? QUERY_CSV
              : cli_option(cli, "plot") ? QUERY_PLOT
                                        : QUERY_TABLE;
    // A plot of one time would be a dot.
    if (s->view == QUERY_PLOT && !wants_range)
        s->range = 3600;
    return EXIT_WELL;
}

// For completion scripts: what the word may become, one a line.
static int complete(struct cli *cli, const char *text)
{
    size_t word, n;
    // A shell hands over the quote that the word begins with.
    text += *text == '\'' || *text == '"';
    char **candidates = query_complete(cli, text, strlen(text), &word, &n);
    for (size_t i = 0; i < n; i++) {
        if (!strpbrk(candidates[i], "\n\r"))
            buf_printf(&cli->out, "%s\n", candidates[i]);
        free(candidates[i]);
    }
    free(candidates);
    return EXIT_WELL;
}

int cmd_query(struct cli *cli)
{
    struct err err = {0};
    struct query_settings settings;
    const char *to_complete = cli_option(cli, "complete");
    if (to_complete)
        return complete(cli, to_complete);
    int status = read_settings(cli, &settings);
    if (status != EXIT_WELL)
        return status;
    if (cli->n_operands == 0) {
        if (!cli->term.tty || !isatty(STDIN_FILENO))
            return cli_usage(cli, "query needs an expression, or a terminal to ask on");
        return query_prompt(cli, &settings);
    }
    if (query_show(cli, &settings, cli->operands[0], &err) < 0)
        return cli_fail(&err, cli->client ? EXIT_FAILED : EXIT_USAGE);
    return EXIT_WELL;
}
