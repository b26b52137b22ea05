// SPDX-License-Identifier: GPL-3.0-or-later
// `vherd stats`: what a VM or the host used over a time, in one table.
#include "stats.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/esc.h"
#include "base/human.h"
#include "base/json.h"
#include "base/mem.h"
#include "query.h"
#include "query_result.h"
#include "table.h"

#define TIMEOUT_MS 120000
// A trend or a reach beyond this says nothing.
#define REACH_MAX_S (10.0 * 365 * 86400)
#define STEPS 240

struct row {
    const struct stats_metric *metric;
    char *key; // "" where the metric has one series
    enum unit unit;
    double figure[STATS_FIGURE_MAX];
};

struct rows {
    struct row *row;
    size_t n, cap;
};

struct stats {
    struct cli *cli;
    const char *vm; // NULL: the host
    double range, step, end;
    struct rows rows;
};

static struct row *row_of(struct rows *rows, const struct stats_metric *m, const char *key)
{
    for (size_t i = 0; i < rows->n; i++)
        if (rows->row[i].metric == m && strcmp(rows->row[i].key, key) == 0)
            return &rows->row[i];
    mem_grow(&rows->row, &rows->cap, rows->n, sizeof(*rows->row));
    struct row *row = &rows->row[rows->n++];
    *row = (struct row){.metric = m, .key = mem_strdup(key), .unit = UNIT_NONE};
    row->unit = unit_of_expression(m->expression);
    for (int i = 0; i < STATS_FIGURE_MAX; i++)
        row->figure[i] = NAN;
    return row;
}

static bool is_common(const char *label)
{
    static const char *const common[] = {"__name__", "figure", "domain", "instance", "job"};
    for (size_t i = 0; i < ARRAY_LEN(common); i++)
        if (strcmp(common[i], label) == 0)
            return true;
    return false;
}

// Without a key, all labels but those that every series has tell series apart.
static char *key_of(const struct stats_metric *m, const json_t *metric)
{
    const char *value = m->key ? api_text(metric, m->key) : NULL;
    if (m->key)
        return mem_strdup(value ? value : "");
    struct buf text;
    buf_init(&text, 1 << 16);
    const char *name;
    json_t *label;
    json_object_foreach((json_t *)metric, name, label)
    {
        if (!is_common(name))
            buf_printf(&text, "%s%s", text.len ? " " : "", json_string_value(label));
    }
    char *key = buf_take(&text, NULL);
    return key ? key : mem_strdup("");
}

static int ask(struct stats *s, const struct stats_metric *m, struct err *err)
{
    CLEANUP(buf_done) struct buf query, form, body;
    json_t *answer = NULL;
    struct query_result result;
    buf_init(&query, VERB_FORM_MAX);
    buf_init(&form, VERB_FORM_MAX);
    buf_init(&body, API_ANSWER_MAX);
    stats_query(m, s->vm, s->range, s->step, &query);
    buf_printf(&form, "time=%.3f&query=", s->end);
    esc_url(&form, query.len > 0 ? query.data : "");
    if (query.error || form.error)
        return err_set(err, E2BIG, "the query for \"%s\" is too long", m->title);
    int r = cli_post_text(s->cli, verbs[VERB_QUERY].path, form.data, TIMEOUT_MS, &body, err);
    if (r == 0)
        r = api_parse(body.len > 0 ? body.data : "", body.len, &answer, err);
    if (r == 0)
        r = query_result_read(answer, &result, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < result.n; i++) {
        const char *name = api_text(result.series[i].metric, "figure");
        enum stats_figure figure = name ? stats_figure_of(name) : STATS_FIGURE_MAX;
        if (figure == STATS_FIGURE_MAX || result.series[i].n == 0)
            continue;
        CLEANUP(freep) char *key = key_of(m, result.series[i].metric);
        row_of(&s->rows, m, key)->figure[figure] = result.series[i].v[0];
    }
    query_result_done(&result);
    return 0;
}

// Rows of which only a limit is known are none.
static void drop_unknown(struct rows *rows, double range)
{
    size_t kept = 0;
    for (size_t i = 0; i < rows->n; i++) {
        stats_drop_trend(rows->row[i].figure, range);
        if (isnan(rows->row[i].figure[STATS_MEAN]))
            free(rows->row[i].key);
        else
            rows->row[kept++] = rows->row[i];
    }
    rows->n = kept;
}

static void figure_cell(struct table *t, const struct row *row, double v, const struct term *term)
{
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 256);
    if (!isnan(v))
        unit_put(row->unit, v, term->utf8, &text);
    table_cell(t, text.len > 0 ? text.data : "", STYLE_NONE);
}

// The sum of a rate has the unit of what it is a rate of.
static void sum_cell(struct table *t, const struct row *row, const struct term *term)
{
    struct row whole = *row;
    whole.unit = row->unit == UNIT_BYTES_PER_SECOND ? UNIT_BYTES
                 : row->unit == UNIT_RATIO          ? UNIT_SECONDS
                                                    : UNIT_NONE;
    figure_cell(t, &whole, row->figure[STATS_SUM], term);
}

static void reach_cell(struct table *t, const struct row *row)
{
    CLEANUP(buf_done) struct buf text;
    double reach = stats_time_to_limit(row->figure);
    buf_init(&text, 512);
    if (!isnan(reach) && reach < REACH_MAX_S) {
        human_age(reach, &text);
        buf_printf(&text, " to %s", row->metric->limit_name ? row->metric->limit_name : "it");
    }
    table_cell(t, text.len > 0 ? text.data : "", reach < 86400 ? STYLE_WARN : STYLE_NONE);
}

static void put_table(struct stats *s)
{
    static const struct table_column columns[] = {
        {"WHAT", WIDTH_LEFT, 0, 10},
        {"", WIDTH_LEFT, 2, 8, true},
        {"MEAN", WIDTH_RIGHT, 0, 0},
        {"MIN", WIDTH_RIGHT, 8, 0},
        {"P50", WIDTH_RIGHT, 9, 0},
        {"P95", WIDTH_RIGHT, 4, 0},
        {"P99", WIDTH_RIGHT, 10, 0},
        {"MAX", WIDTH_RIGHT, 1, 0},
        {"SUM", WIDTH_RIGHT, 7, 0, true},
        {"LIMIT", WIDTH_RIGHT, 11, 0, true},
        {"USED", WIDTH_RIGHT, 3, 0, true},
        {"TREND/h", WIDTH_RIGHT, 6, 0, true},
        {"TIME LEFT", WIDTH_LEFT, 5, 0, true},
    };
    const struct term *term = &s->cli->term;
    struct table *t = table_new(columns, ARRAY_LEN(columns));
    for (size_t i = 0; i < s->rows.n; i++) {
        const struct row *row = &s->rows.row[i];
        static const enum stats_figure plain[] = {STATS_MEAN, STATS_MIN, STATS_P50,
                                                  STATS_P95,  STATS_P99, STATS_MAX};
        CLEANUP(buf_done) struct buf used;
        double utilisation = stats_utilisation(row->figure);
        buf_init(&used, 64);
        human_percent(utilisation, &used);
        table_cell(t, row->metric->title, STYLE_NONE);
        table_cell(t, row->key, STYLE_NONE);
        for (size_t k = 0; k < ARRAY_LEN(plain); k++)
            figure_cell(t, row, row->figure[plain[k]], term);
        sum_cell(t, row, term);
        figure_cell(t, row, row->figure[STATS_LIMIT], term);
        table_cell(t, used.len > 0 ? used.data : "", utilisation > 0.9 ? STYLE_WARN : STYLE_NONE);
        figure_cell(t, row, row->figure[STATS_TREND], term);
        reach_cell(t, row);
    }
    table_print(t, term, 0, &s->cli->out);
    table_free(t);
}

static void put_number(struct json *j, const char *key, double v)
{
    if (isfinite(v))
        json_kv_f64(j, key, v);
}

static void put_json(struct stats *s)
{
    static const char *const names[STATS_FIGURE_MAX] = {"mean", "min",
                                                        "p50",  "p95",
                                                        "p99",  "max",
                                                        "sum",  "trend_per_hour",
                                                        "last", "covered_seconds",
                                                        "limit"};
    CLEANUP(buf_done) struct buf out;
    struct json j;
    buf_init(&out, 64 << 20);
    json_init(&j, &out);
    json_object_begin(&j);
    json_kv_string(&j, "vm", s->vm);
    json_kv_f64(&j, "range_seconds", s->range);
    json_kv_f64(&j, "end", s->end);
    json_key(&j, "rows");
    json_array_begin(&j);
    for (size_t i = 0; i < s->rows.n; i++) {
        const struct row *row = &s->rows.row[i];
        json_object_begin(&j);
        json_kv_string(&j, "what", row->metric->title);
        json_kv_string(&j, "series", row->key);
        json_kv_string(&j, "unit", unit_name(row->unit));
        for (int k = 0; k < STATS_FIGURE_MAX; k++)
            put_number(&j, names[k], row->figure[k]);
        put_number(&j, "utilisation_ratio", stats_utilisation(row->figure));
        put_number(&j, "seconds_to_limit", stats_time_to_limit(row->figure));
        if (row->metric->limit_name)
            json_kv_string(&j, "limit_name", row->metric->limit_name);
        json_object_end(&j);
    }
    json_array_end(&j);
    json_object_end(&j);
    cli_put_json(s->cli, out.data, out.len);
}

// A metric that was named: a bare name gets its VM and, of a counter, its rate.

static bool is_plain_name(const char *text)
{
    size_t n = 0;
    while (isalnum((unsigned char)text[n]) || text[n] == '_' || text[n] == ':')
        n++;
    return n > 0 && text[n] == '\0' && !isdigit((unsigned char)text[0]);
}

static bool is_counter(struct cli *cli, const char *name)
{
    CLEANUP(json_decrefp) json_t *answer = NULL;
    CLEANUP(freep) char *path = mem_printf("%s?metric=%s", verbs[VERB_METADATA].path, name);
    if (cli_get(cli, path, 5000, &answer, NULL) < 0)
        return false;
    const json_t *entries = api_list(json_object_get(answer, "data"), name);
    const char *type = api_text(json_array_get(entries, 0), "type");
    size_t len = strlen(name);
    return type ? strcmp(type, "counter") == 0 : len > 6 && strcmp(name + len - 6, "_total") == 0;
}

static int ask_named(struct stats *s, const char *name, struct stats_metric *m, struct err *err)
{
    const char *selector = s->vm ? "{domain=$vm}" : "";
    char *expression;
    m->is_rate = is_plain_name(name) && is_counter(s->cli, name);
    if (!is_plain_name(name))
        expression = mem_strdup(name);
    else if (m->is_rate)
        expression = mem_printf(STATS_RATE("%s%s"), name, selector, name, selector, name, selector,
                                name, selector);
    else
        expression = mem_printf("%s%s", name, selector);
    m->title = name;
    m->expression = expression;
    return ask(s, m, err);
}

static int ask_all(struct stats *s, struct stats_metric named[OPTIONS_GIVEN_MAX], struct err *err)
{
    const struct cli *cli = s->cli;
    size_t n = 0;
    int r = 0;
    for (size_t i = 0; r == 0 && i < cli->n_given; i++)
        if (strcmp(cli->given[i].name, "metric") == 0)
            r = ask_named(s, cli->given[i].value, &named[n++], err);
    const struct stats_metric *m = s->vm ? stats_of_vm : stats_of_host;
    for (; n == 0 && r == 0 && m->title; m++)
        r = ask(s, m, err);
    drop_unknown(&s->rows, s->range);
    return r;
}

// A UUID, or a name; of a VM that is gone the name is taken as it is.
static char *name_of_vm(struct cli *cli, const char *operand)
{
    CLEANUP(json_decrefp) json_t *answer = NULL;
    CLEANUP(freep) char *path = api_vm_path(operand, "");
    const char *name = NULL;
    if (cli_get(cli, path, 5000, &answer, NULL) == 0)
        name = api_text(answer, "name");
    return mem_strdup(name ? name : operand);
}

static int read_window(struct stats *s)
{
    const char *range = cli_option(s->cli, "range"), *end = cli_option(s->cli, "end");
    double now = (double)(clock_real_ns(&clock_system) / NS_PER_MS) / 1000;
    s->range = 3600;
    s->end = now;
    if (range && (query_duration(range, &s->range) < 0 || s->range < 60))
        return cli_usage(s->cli, "--range cannot be \"%s\": a duration from 1m", range);
    if (end && query_time(end, now, &s->end) < 0)
        return cli_usage(s->cli,
                         "--end cannot be \"%s\": Unix seconds, 2026-11-25T18:30:00Z, 18:30", end);
    s->step = ceil(fmax(s->range / STEPS, 5));
    return EXIT_WELL;
}

int cmd_stats(struct cli *cli)
{
    struct stats s = {.cli = cli};
    struct err err = {0};
    int status = read_window(&s);
    if (status != EXIT_WELL)
        return status;
    CLEANUP(freep) char *vm = cli->n_operands > 0 ? name_of_vm(cli, cli->operands[0]) : NULL;
    struct stats_metric named[OPTIONS_GIVEN_MAX] = {{0}};
    s.vm = vm;
    int r = ask_all(&s, named, &err);
    if (r < 0)
        status = cli_fail(&err, cli->client ? EXIT_FAILED : EXIT_USAGE);
    else if (cli_option(cli, "json"))
        put_json(&s);
    else if (s.rows.n > 0)
        put_table(&s);
    else
        buf_printf(&cli->out, "No samples of %s in that time.\n", vm ? "that VM" : "the host");
    for (size_t i = 0; i < s.rows.n; i++)
        free(s.rows.row[i].key);
    free(s.rows.row);
    for (size_t i = 0; i < OPTIONS_GIVEN_MAX; i++)
        free((char *)named[i].expression);
    return status;
}
