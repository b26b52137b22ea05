// SPDX-License-Identifier: GPL-3.0-or-later
// Reads one line after the other, never past its end; each step takes at least one byte.
#include "exposition.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/number.h"

struct cursor {
    const char *at, *end; /**< the rest of the line */
    struct buf text;      /**< a piece being put together */
};

static void skip_blanks(struct cursor *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\t'))
        c->at++;
}

static bool take(struct cursor *c, char wanted)
{
    if (c->at == c->end || *c->at != wanted)
        return false;
    c->at++;
    return true;
}

// A metric's or a label's name into c->text.
static bool take_name(struct cursor *c)
{
    buf_reset(&c->text);
    const char *from = c->at;
    while (c->at < c->end && (isalnum((unsigned char)*c->at) || *c->at == '_' || *c->at == ':'))
        c->at++;
    buf_put(&c->text, from, (size_t)(c->at - from));
    return c->at > from && !isdigit((unsigned char)*from);
}

static bool take_quoted(struct cursor *c)
{
    buf_reset(&c->text);
    buf_puts(&c->text, "");
    if (!take(c, '"'))
        return false;
    while (c->at < c->end && *c->at != '"') {
        char byte = *c->at++;
        if (byte == '\\') {
            if (c->at == c->end)
                return false;
            byte = *c->at == 'n' ? '\n' : *c->at;
            c->at++;
        }
        if (byte == '\0')
            return false;
        buf_putc(&c->text, byte);
    }
    return take(c, '"');
}

static bool read_labels(struct cursor *c, struct json *j)
{
    skip_blanks(c);
    if (!take(c, '{'))
        return true;
    for (skip_blanks(c); !take(c, '}'); skip_blanks(c)) {
        if (!take_name(c))
            return false;
        json_key(j, c->text.data);
        skip_blanks(c);
        if (!take(c, '='))
            return false;
        skip_blanks(c);
        if (!take_quoted(c))
            return false;
        json_text(j, c->text.len ? c->text.data : "");
        skip_blanks(c);
        if (!take(c, ',') && (c->at == c->end || *c->at != '}'))
            return false;
    }
    return true;
}

static bool read_value(struct cursor *c, struct json *j)
{
    double v = NAN;
    skip_blanks(c);
    const char *from = c->at;
    while (c->at < c->end && *c->at != ' ' && *c->at != '\t')
        c->at++;
    buf_reset(&c->text);
    buf_put(&c->text, from, (size_t)(c->at - from));
    if (c->text.len == 0)
        return false;
    json_key(j, "value");
    if (number_parse_f64(c->text.data, &v) == 0) {
        json_f64(j, v);
        return true;
    }
    json_text(j, c->text.data);
    return strcmp(c->text.data, "NaN") == 0 || strcmp(c->text.data, "+Inf") == 0 ||
           strcmp(c->text.data, "-Inf") == 0;
}

static bool read_timestamp(struct cursor *c)
{
    skip_blanks(c);
    while (c->at < c->end && (isdigit((unsigned char)*c->at) || *c->at == '-'))
        c->at++;
    return c->at == c->end;
}

static bool read_sample(struct cursor *c, struct json *j)
{
    if (!take_name(c))
        return false;
    json_object_begin(j);
    json_kv_string(j, "name", c->text.data);
    json_key(j, "labels");
    json_object_begin(j);
    if (!read_labels(c, j))
        return false;
    json_object_end(j);
    if (!read_value(c, j) || !read_timestamp(c))
        return false;
    json_object_end(j);
    return true;
}

int exposition_to_json(const char *text, size_t len, struct buf *out, struct err *err)
{
    struct json j;
    struct cursor c = {0};
    const char *end = text + len;
    bool ok = true;
    int line = 0;
    json_init(&j, out);
    buf_init(&c.text, 1 << 20);
    json_array_begin(&j);
    while (ok && text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        c.at = text;
        c.end = newline ? newline : end;
        line++;
        skip_blanks(&c);
        if (c.at < c.end && *c.at != '#')
            ok = read_sample(&c, &j) && c.text.error == 0;
        text = newline ? newline + 1 : end;
    }
    buf_done(&c.text);
    if (!ok)
        return err_set_at(err, EPROTO, line, 0, "line %d of the metrics is no sample", line);
    json_array_end(&j);
    return out->error;
}
