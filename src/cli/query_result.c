// SPDX-License-Identifier: GPL-3.0-or-later
#include "query_result.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/esc.h"
#include "base/mem.h"
#include "csv.h"
#include "plot.h"
#include "table.h"
#include "tui/api.h"

#define COLUMNS_MAX 64
#define NAME_MAX_BYTES (256u * 1024)

static bool read_point(const json_t *point, double *ret_t, double *ret_v)
{
    const char *text = json_string_value(json_array_get(point, 1));
    const json_t *t = json_array_get(point, 0);
    char *end = NULL;
    if (!text || !json_is_number(t))
        return false;
    *ret_t = json_number_value(t);
    *ret_v = strtod(text, &end);
    return end != text && *end == '\0';
}

static bool read_series(const json_t *item, struct query_series *s)
{
    const json_t *values = json_object_get(item, "values"), *value = json_object_get(item, "value");
    s->metric = json_object_get(item, "metric");
    s->n = value ? 1 : json_array_size(values);
    s->t = calloc(s->n + 1, sizeof(*s->t));
    s->v = calloc(s->n + 1, sizeof(*s->v));
    if (!s->t || !s->v || !json_is_object(s->metric) || (!value && !json_is_array(values)))
        return false;
    for (size_t i = 0; i < s->n; i++)
        if (!read_point(value ? value : json_array_get(values, i), &s->t[i], &s->v[i]))
            return false;
    return true;
}

static bool read_all(const json_t *result, struct query_result *r)
{
    bool is_list = strcmp(r->type, "vector") == 0 || strcmp(r->type, "matrix") == 0;
    r->n = is_list ? json_array_size(result) : 1;
    r->series = calloc(r->n + 1, sizeof(*r->series));
    if (!r->series || !json_is_array(result))
        return false;
    for (size_t i = 0; is_list && i < r->n; i++)
        if (!read_series(json_array_get(result, i), &r->series[i]))
            return false;
    if (is_list)
        return true;
    struct query_series *s = &r->series[0];
    s->n = 1;
    s->t = calloc(1, sizeof(*s->t));
    s->v = calloc(1, sizeof(*s->v));
    if (!s->t || !s->v)
        return false;
    if (strcmp(r->type, "scalar") == 0)
        return read_point(result, s->t, s->v);
    r->string = json_string_value(json_array_get(result, 1));
    return r->string != NULL;
}

int query_result_read(json_t *answer, struct query_result *ret, struct err *err)
{
    struct query_result r = {.answer = answer};
    const json_t *data = json_object_get(answer, "data");
    r.type = api_text(data, "resultType");
    if (!r.type || !read_all(json_object_get(data, "result"), &r)) {
        query_result_done(&r);
        return err_set(err, EPROTO, "the daemon's answer is no result of a query");
    }
    *ret = r;
    return 0;
}

void query_result_done(struct query_result *r)
{
    for (size_t i = 0; r->series && i < r->n; i++) {
        free(r->series[i].t);
        free(r->series[i].v);
    }
    free(r->series);
    json_decref(r->answer);
    *r = (struct query_result){0};
}

void query_series_name(const struct query_series *s, struct buf *out)
{
    const char *name, *before = "{";
    const json_t *value;
    json_t *metric = (json_t *)s->metric;
    const char *metric_name = api_text(metric, "__name__");
    if (!metric)
        return;
    buf_puts(out, metric_name ? metric_name : "");
    json_object_foreach(metric, name, value)
    {
        if (strcmp(name, "__name__") == 0)
            continue;
        buf_printf(out, "%s%s=\"", before, name);
        esc_label(out, json_string_value(value));
        buf_putc(out, '"');
        before = ", ";
    }
    if (*before == ',')
        buf_putc(out, '}');
    else if (!metric_name)
        buf_puts(out, "{}");
}

// The names of labels that any series has, in order of first sight, the metric's own first.
struct names {
    const char *name[COLUMNS_MAX];
    size_t n;
};

static void add_name(struct names *names, const char *name)
{
    for (size_t i = 0; i < names->n; i++)
        if (strcmp(names->name[i], name) == 0)
            return;
    if (names->n < COLUMNS_MAX)
        names->name[names->n++] = name;
}

static struct names names_of(const struct query_result *r)
{
    struct names names = {0};
    for (size_t i = 0; i < r->n; i++)
        if (json_object_get(r->series[i].metric, "__name__"))
            add_name(&names, "__name__");
    for (size_t i = 0; i < r->n; i++) {
        const char *name;
        json_t *value;
        json_object_foreach((json_t *)r->series[i].metric, name, value) add_name(&names, name);
    }
    return names;
}

static void cell(struct table *t, enum unit unit, double v, const struct term *term)
{
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, 256);
    if (unit == UNIT_NONE)
        buf_f64(&text, v);
    else
        unit_put(unit, v, term->utf8, &text);
    table_cell(t, text.data, STYLE_NONE);
}

struct summary {
    double low, mean, high, last;
};

static struct summary summarise(const struct query_series *s)
{
    struct summary m = {NAN, NAN, NAN, NAN};
    double sum = 0;
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++) {
        m.low = fmin(m.low, s->v[i]);
        m.high = fmax(m.high, s->v[i]);
        if (!isnan(s->v[i])) {
            sum += s->v[i];
            n++;
        }
    }
    if (n > 0)
        m.mean = sum / (double)n;
    if (s->n > 0)
        m.last = s->v[s->n - 1];
    return m;
}

static void put_table(const struct query_result *r, const struct term *term, enum unit unit,
                      struct buf *out)
{
    static const char *const of_vector[] = {"VALUE"};
    static const char *const of_matrix[] = {"MIN", "MEAN", "MAX", "LAST"};
    bool is_vector = strcmp(r->type, "vector") == 0;
    const char *const *titles = is_vector ? of_vector : of_matrix;
    size_t n_values = is_vector ? 1 : ARRAY_LEN(of_matrix);
    struct names names = names_of(r);
    struct table_column columns[COLUMNS_MAX + 4] = {{0}};
    for (size_t i = 0; i < names.n; i++) {
        bool is_metric = strcmp(names.name[i], "__name__") == 0;
        columns[i] = (struct table_column){is_metric ? "METRIC" : names.name[i], WIDTH_LEFT,
                                           i == 0 ? 0 : (int)i, i == 0 ? 12 : 0, true};
    }
    for (size_t i = 0; i < n_values; i++)
        columns[names.n + i] = (struct table_column){titles[i], WIDTH_RIGHT, 0, 0, false};
    struct table *t = table_new(columns, names.n + n_values);
    for (size_t i = 0; i < r->n; i++) {
        const struct query_series *s = &r->series[i];
        for (size_t k = 0; k < names.n; k++) {
            const char *value = api_text(s->metric, names.name[k]);
            table_cell(t, value ? value : "", STYLE_NONE);
        }
        struct summary m = summarise(s);
        const double values[] = {m.low, m.mean, m.high, m.last};
        for (size_t k = 0; k < n_values; k++)
            cell(t, unit, is_vector ? m.last : values[k], term);
    }
    table_print(t, term, 0, out);
    table_free(t);
}

void query_result_table(const struct query_result *r, const struct term *term, enum unit unit,
                        struct buf *out)
{
    if (r->string) {
        esc_terminal(out, r->string);
        buf_putc(out, '\n');
    } else if (strcmp(r->type, "scalar") == 0) {
        buf_f64(out, r->series[0].v[0]);
        buf_putc(out, '\n');
    } else if (r->n == 0) {
        buf_puts(out, "No series has a value there.\n");
    } else {
        put_table(r, term, unit, out);
    }
}

static void put_time(double t, struct buf *out)
{
    int64_t ms = (int64_t)llround(t * 1000);
    int64_t part = ((ms % 1000) + 1000) % 1000;
    time_t seconds = (time_t)((ms - part) / 1000);
    struct tm tm;
    char text[64];
    if (!gmtime_r(&seconds, &tm) || strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm) == 0)
        return;
    buf_puts(out, text);
    if (part != 0)
        buf_printf(out, ".%03" PRId64, part);
    buf_putc(out, 'Z');
}

void query_result_csv(const struct query_result *r, struct buf *out)
{
    struct names names = names_of(r);
    buf_puts(out, "time");
    for (size_t i = 0; i < names.n; i++) {
        buf_putc(out, ',');
        csv_put(names.name[i], out);
    }
    buf_puts(out, ",value\n");
    for (size_t i = 0; i < r->n; i++) {
        const struct query_series *s = &r->series[i];
        for (size_t k = 0; k < s->n; k++) {
            put_time(r->string ? 0 : s->t[k], out);
            for (size_t l = 0; l < names.n; l++) {
                const char *value = api_text(s->metric, names.name[l]);
                buf_putc(out, ',');
                csv_put(value ? value : "", out);
            }
            buf_putc(out, ',');
            if (r->string)
                csv_put(r->string, out);
            else
                buf_f64(out, s->v[k]);
            buf_putc(out, '\n');
        }
    }
}

void query_result_plot(const struct query_result *r, const struct term *term, enum unit unit,
                       double start, double end, double step, struct buf *out)
{
    struct plot_series *series = calloc(r->n + 1, sizeof(*series));
    char **labels = calloc(r->n + 1, sizeof(*labels));
    if (!series || !labels)
        abort();
    for (size_t i = 0; i < r->n; i++) {
        CLEANUP(buf_done) struct buf name;
        buf_init(&name, NAME_MAX_BYTES);
        query_series_name(&r->series[i], &name);
        labels[i] = esc_terminal_dup(name.len > 0 ? name.data : "");
        series[i] = (struct plot_series){labels[i], r->series[i].n, r->series[i].t, r->series[i].v};
    }
    size_t legend = r->n > 1 ? MIN_OF(r->n, (size_t)PLOT_SERIES_MAX + 1) : 0;
    size_t height = term->height > legend + 10 ? term->height - legend - 2 : 10;
    struct plot_params p = {.width = MIN_OF(term->width, (size_t)1000),
                            .height = MIN_OF(height, (size_t)40),
                            .utf8 = term->utf8,
                            .color = term->color,
                            .unit = unit,
                            .start = start,
                            .end = end,
                            .step = step};
    if (term->width == SIZE_MAX)
        p.width = 80;
    if (r->n == 0)
        buf_puts(out, "No series has a value there.\n");
    else
        plot_put(&p, series, r->n, out);
    for (size_t i = 0; i < r->n; i++)
        free(labels[i]);
    free(labels);
    free(series);
}
