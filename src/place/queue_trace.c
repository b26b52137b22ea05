// SPDX-License-Identifier: GPL-3.0-or-later
#include "place/queue_trace.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/number.h"
#include "base/similar.h"

#define CELL_MAX 64
#define COLUMNS_MAX 64
#define SECONDS_MAX 1e10
#define VCPUS_MAX 4096
#define PRIORITY_MAX 1000000

struct reader {
    const char *file;
    struct err *err;
    int line;
    int column; // of the cell that is being read
    int field[COLUMNS_MAX];
    size_t n_columns;
    bool estimated; // there is a column of estimates
    struct queue_request *requests;
    size_t n, cap;
};

static int fail(const struct reader *r, const char *what)
{
    return err_set_at(r->err, EINVAL, r->line, r->column, "%s:%d:%d: %s", r->file, r->line,
                      r->column, what);
}

static int seconds_of(const char *cell, double *ret)
{
    return number_parse_f64(cell, ret) == 0 && *ret >= 0 && *ret <= SECONDS_MAX ? 0 : -EINVAL;
}

static int read_arrival(struct reader *r, const char *cell, struct queue_request *q)
{
    if (seconds_of(cell, &q->arrival_s) < 0)
        return fail(r, "not a number of seconds");
    if (r->n > 0 && q->arrival_s < r->requests[r->n - 1].arrival_s)
        return fail(r, "this arrives before the request in the line above");
    return 0;
}

static int read_run(struct reader *r, const char *cell, struct queue_request *q)
{
    if (seconds_of(cell, &q->service_s) < 0 || q->service_s <= 0)
        return fail(r, "not a number of seconds above 0");
    return 0;
}

static int read_estimate(struct reader *r, const char *cell, struct queue_request *q)
{
    return seconds_of(cell, &q->estimate_s) < 0 ? fail(r, "not a number of seconds") : 0;
}

static int read_vcpus(struct reader *r, const char *cell, struct queue_request *q)
{
    double vcpus;
    if (number_parse_f64(cell, &vcpus) < 0 || !(vcpus >= 0.001 && vcpus <= VCPUS_MAX))
        return fail(r, "not a number of vCPUs from 0.001 to 4096");
    q->need.of[PLACE_CPU] = llround(vcpus * PLACE_CPU_UNIT);
    return 0;
}

static int read_memory(struct reader *r, const char *cell, struct queue_request *q)
{
    uint64_t bytes;
    if (number_parse_size(cell, &bytes) < 0 || bytes > (uint64_t)PLACE_AMOUNT_MAX)
        return fail(r, "not a size in bytes, such as 8G");
    q->need.of[PLACE_MEMORY] = (int64_t)bytes;
    return 0;
}

static int read_priority(struct reader *r, const char *cell, struct queue_request *q)
{
    int64_t priority;
    if (number_parse_i64(cell, &priority) < 0 || llabs(priority) > PRIORITY_MAX)
        return fail(r, "not a whole number between -1000000 and 1000000");
    q->priority = (int32_t)priority;
    return 0;
}

static const struct {
    const char *name;
    bool required;
    int (*read)(struct reader *r, const char *cell, struct queue_request *q);
} fields[] = {
    {"arrival", true, read_arrival},    {"run", true, read_run},
    {"vcpus", true, read_vcpus},        {"memory", false, read_memory},
    {"estimate", false, read_estimate}, {"priority", false, read_priority},
};

// The next cell of a line, without the blanks around it; false: there is none.
static int next_cell(struct reader *r, const char **at, const char *end, char cell[CELL_MAX],
                     const char *line)
{
    const char *comma = memchr(*at, ',', (size_t)(end - *at));
    const char *from = *at, *to = comma ? comma : end;
    while (from < to && (*from == ' ' || *from == '\t'))
        from++;
    while (to > from && (to[-1] == ' ' || to[-1] == '\t' || to[-1] == '\r'))
        to--;
    r->column = (int)(from - line) + 1;
    size_t len = (size_t)(to - from);
    if (len == 0)
        return fail(r, "a value is missing");
    if (len >= CELL_MAX || memchr(from, '\0', len))
        return fail(r, "this is no value of a column");
    memcpy(cell, from, len);
    cell[len] = '\0';
    *at = comma ? comma + 1 : NULL;
    return 0;
}

static int unknown_column(const struct reader *r, const char *cell)
{
    const char *names[ARRAY_LEN(fields)];
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        names[i] = fields[i].name;
    const char *near = similar_best(cell, names, ARRAY_LEN(fields));
    CLEANUP(freep)
    char *what = near ? mem_printf("unknown column \"%s\"; did you mean \"%s\"?", cell, near)
                      : mem_printf("unknown column \"%s\"", cell);
    return fail(r, what);
}

static int read_header(struct reader *r, const char *line, const char *end)
{
    bool seen[ARRAY_LEN(fields)] = {false};
    for (const char *at = line; at;) {
        char cell[CELL_MAX];
        size_t k = 0;
        int e = next_cell(r, &at, end, cell, line);
        if (e < 0)
            return e;
        while (k < ARRAY_LEN(fields) && strcmp(fields[k].name, cell) != 0)
            k++;
        if (k == ARRAY_LEN(fields))
            return unknown_column(r, cell);
        if (seen[k] || r->n_columns == COLUMNS_MAX)
            return fail(r, "this column stands here twice");
        seen[k] = true;
        r->estimated = r->estimated || fields[k].read == read_estimate;
        r->field[r->n_columns++] = (int)k;
    }
    r->column = 1;
    for (size_t k = 0; k < ARRAY_LEN(fields); k++)
        if (fields[k].required && !seen[k])
            return fail(r, "the columns arrival, run and vcpus must be named in the first line");
    return 0;
}

static int read_request(struct reader *r, const char *line, const char *end)
{
    int e = mem_grow_capped(&r->requests, &r->cap, r->n, sizeof(*r->requests), QUEUE_TRACE_MAX);
    struct queue_request q = {0};
    const char *at = line;
    r->column = 1;
    if (e == -ENOMEM)
        return err_set(r->err, ENOMEM, "%s: not enough memory", r->file);
    if (e < 0)
        return fail(r, "more than 5000000 requests");
    for (size_t k = 0; k < r->n_columns; k++) {
        char cell[CELL_MAX];
        r->column = (int)(end - line) + 1;
        if (!at)
            return fail(r, "a column is missing");
        e = next_cell(r, &at, end, cell, line);
        if (e == 0)
            e = fields[r->field[k]].read(r, cell, &q);
        if (e < 0)
            return e;
    }
    if (at) {
        r->column = (int)(at - line);
        return fail(r, "more columns than the first line names");
    }
    if (!r->estimated)
        q.estimate_s = q.service_s;
    r->requests[r->n++] = q;
    return 0;
}

static bool is_passed_over(const char *line, const char *end)
{
    return line == end || *line == '#' || (end - line == 1 && *line == '\r');
}

static int read_lines(struct reader *r, const char *text, size_t len)
{
    const char *stop = text + len;
    int e = 0;
    while (e == 0 && text < stop) {
        const char *newline = memchr(text, '\n', (size_t)(stop - text));
        const char *end = newline ? newline : stop;
        r->line++;
        if (!is_passed_over(text, end))
            e = r->n_columns == 0 ? read_header(r, text, end) : read_request(r, text, end);
        text = newline ? newline + 1 : stop;
    }
    if (e == 0 && r->n == 0)
        e = err_set(r->err, EINVAL, "%s: no requests", r->file);
    return e;
}

int queue_trace_parse(const char *file, const char *text, size_t len, struct queue_request **ret,
                      size_t *ret_n, struct err *err)
{
    struct reader r = {.file = file, .err = err};
    int e = read_lines(&r, text, len);
    if (e < 0) {
        free(r.requests);
        return e;
    }
    *ret = r.requests;
    *ret_n = r.n;
    return 0;
}

struct queue_trace_means queue_trace_means(const struct queue_request *requests, size_t n)
{
    struct queue_trace_means m = {0};
    double need[PLACE_RESOURCES] = {0}, sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++) {
        sum += requests[i].service_s;
        for (int k = 0; k < PLACE_RESOURCES; k++)
            need[k] += (double)requests[i].need.of[k];
    }
    if (n == 0)
        return m;
    m.service_s = sum / (double)n;
    for (size_t i = 0; i < n; i++)
        squares += (requests[i].service_s - m.service_s) * (requests[i].service_s - m.service_s);
    m.service_deviation_s = sqrt(squares / (double)n);
    for (int k = 0; k < PLACE_RESOURCES; k++)
        m.need.of[k] = llround(need[k] / (double)n);
    double span_s = requests[n - 1].arrival_s - requests[0].arrival_s;
    if (span_s > 0)
        m.arrivals_per_s = (double)(n - 1) / span_s;
    return m;
}
