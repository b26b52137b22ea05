// SPDX-License-Identifier: GPL-3.0-or-later
// Results as JSON, a piece at a time, so that a large answer is never whole in memory.
#include <string.h>

#include "base/esc.h"
#include "base/mem.h"
#include "eval.h"

#define ANNOTATIONS_SHOWN 10

enum state {
    STATE_BEGIN,
    STATE_SERIES,
    STATE_POINTS,
    STATE_END,
    STATE_DONE,
};

void promql_writer_init(struct promql_writer *w, const struct promql_result *result, size_t limit)
{
    *w = (struct promql_writer){.result = result, .limit = limit};
}

static void put_text(struct buf *out, const char *text)
{
    buf_putc(out, '"');
    esc_json(out, text, strlen(text));
    buf_putc(out, '"');
}

// Seconds with as many digits as the milliseconds need.
static char *write_time(char *out, int64_t t_ms)
{
    uint64_t ms = t_ms < 0 ? 0 - (uint64_t)t_ms : (uint64_t)t_ms;
    unsigned rest = (unsigned)(ms % 1000);
    if (t_ms < 0)
        *out++ = '-';
    out = write_u64(out, ms / 1000);
    if (rest > 0) {
        *out++ = '.';
        *out++ = (char)('0' + rest / 100);
        *out++ = (char)('0' + rest / 10 % 10);
        *out++ = (char)('0' + rest % 10);
    }
    return out;
}

#define TIME_MAX (U64_DIGITS_MAX + 5)

static void put_time(struct buf *out, int64_t t_ms)
{
    char text[TIME_MAX];
    buf_put(out, text, (size_t)(write_time(text, t_ms) - text));
}

static char *write_sample(char *out, int64_t t_ms, double v)
{
    *out++ = '[';
    out = write_time(out, t_ms);
    *out++ = ',';
    *out++ = '"';
    out = write_json_number(out, v);
    *out++ = '"';
    *out++ = ']';
    return out;
}

#define SAMPLE_MAX (TIME_MAX + JSON_NUMBER_MAX + 5)

static void put_sample(struct buf *out, int64_t t_ms, double v)
{
    char text[SAMPLE_MAX];
    buf_put(out, text, (size_t)(write_sample(text, t_ms, v) - text));
}

static void put_labels(struct buf *out, const struct labels *l)
{
    buf_puts(out, "{\"metric\":{");
    for (uint32_t i = 0; i < l->n; i++) {
        if (i > 0)
            buf_putc(out, ',');
        put_text(out, l->label[i].name);
        buf_putc(out, ':');
        put_text(out, l->label[i].value);
    }
    buf_putc(out, '}');
}

static size_t series_to_write(const struct promql_writer *w)
{
    return w->limit ? MIN_OF(w->limit, w->result->n) : w->result->n;
}

static void write_tail(struct promql_writer *w, struct buf *out)
{
    if (w->tail)
        buf_puts(out, w->tail);
    buf_putc(out, '}');
}

static void write_begin(struct promql_writer *w, struct buf *out)
{
    const struct promql_result *r = w->result;
    buf_puts(out, "{\"resultType\":\"");
    buf_puts(out, promql_type_name(r->type));
    buf_puts(out, "\",\"result\":");
    w->state = STATE_DONE;
    if (r->type == PROMQL_SCALAR) {
        put_sample(out, r->t_ms, r->scalar);
        write_tail(w, out);
    } else if (r->type == PROMQL_STRING) {
        buf_putc(out, '[');
        put_time(out, r->t_ms);
        buf_putc(out, ',');
        put_text(out, r->string);
        buf_putc(out, ']');
        write_tail(w, out);
    } else {
        buf_putc(out, '[');
        w->state = STATE_SERIES;
    }
}

static void write_series(struct promql_writer *w, struct buf *out)
{
    const struct promql_series *s = &w->result->series[w->series];
    if (w->series >= series_to_write(w)) {
        buf_putc(out, ']');
        write_tail(w, out);
        w->state = STATE_DONE;
        return;
    }
    if (w->series > 0)
        buf_putc(out, ',');
    put_labels(out, s->labels);
    if (w->result->type == PROMQL_VECTOR) {
        buf_puts(out, ",\"value\":");
        put_sample(out, s->t_ms[0], s->v[0]);
        buf_putc(out, '}');
        w->series++;
        return;
    }
    buf_puts(out, ",\"values\":[");
    w->point = 0;
    w->state = STATE_POINTS;
}

// In stretches for which room is made at once.
static void write_points(struct promql_writer *w, struct buf *out, size_t until)
{
    const struct promql_series *s = &w->result->series[w->series];
    while (w->point < s->n && out->len < until) {
        size_t fit = (until - out->len + SAMPLE_MAX) / (SAMPLE_MAX + 1);
        size_t end = MIN_OF(w->point + fit, s->n);
        if (buf_reserve(out, (end - w->point) * (SAMPLE_MAX + 1)) < 0)
            return;
        char *p = out->data + out->len;
        for (; w->point < end; w->point++) {
            *p = ',';
            p = write_sample(p + (w->point > 0), s->t_ms[w->point], s->v[w->point]);
        }
        *p = '\0';
        out->len = (size_t)(p - out->data);
    }
    if (w->point < s->n)
        return;
    buf_puts(out, "]}");
    w->series++;
    w->state = STATE_SERIES;
}

bool promql_writer_next(struct promql_writer *w, struct buf *out, size_t piece_bytes)
{
    size_t until = out->len + piece_bytes;
    do {
        if (w->state == STATE_BEGIN)
            write_begin(w, out);
        else if (w->state == STATE_SERIES)
            write_series(w, out);
        else if (w->state == STATE_POINTS)
            write_points(w, out, until);
    } while (w->state != STATE_DONE && out->len < until && !out->error);
    return w->state != STATE_DONE && !out->error;
}

static void write_list(struct buf *out, const char *name, const char *kind, const char *const *text,
                       size_t n)
{
    if (n == 0)
        return;
    buf_printf(out, ",\"%s\":[", name);
    for (size_t i = 0; i < n && i < ANNOTATIONS_SHOWN; i++) {
        if (i > 0)
            buf_putc(out, ',');
        put_text(out, text[i]);
    }
    if (n > ANNOTATIONS_SHOWN)
        buf_printf(out, ",\"%zu more %s annotations omitted\"", n - ANNOTATIONS_SHOWN, kind);
    buf_putc(out, ']');
}

void promql_write_annotations(const struct promql_result *result, struct buf *out)
{
    write_list(out, "warnings", "warning", result->warning, result->n_warnings);
    write_list(out, "infos", "info", result->info, result->n_infos);
}
