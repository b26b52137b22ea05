// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/json.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/esc.h"

void json_init(struct json *j, struct buf *out)
{
    *j = (struct json){.out = out};
}

static void before_value(struct json *j)
{
    if (j->after_key)
        j->after_key = false;
    else if (j->comma[j->depth])
        buf_putc(j->out, ',');
    j->comma[j->depth] = true;
}

static void open_scope(struct json *j, char c)
{
    before_value(j);
    buf_putc(j->out, c);
    j->depth++;
    assert(j->depth <= JSON_DEPTH_MAX);
    j->comma[j->depth] = false;
}

static void close_scope(struct json *j, char c)
{
    assert(j->depth > 0);
    j->depth--;
    buf_putc(j->out, c);
}

void json_object_begin(struct json *j)
{
    open_scope(j, '{');
}

void json_object_end(struct json *j)
{
    close_scope(j, '}');
}

void json_array_begin(struct json *j)
{
    open_scope(j, '[');
}

void json_array_end(struct json *j)
{
    close_scope(j, ']');
}

void json_key(struct json *j, const char *key)
{
    json_text(j, key);
    buf_putc(j->out, ':');
    j->after_key = true;
}

void json_text(struct json *j, const char *s)
{
    before_value(j);
    if (!s) {
        buf_puts(j->out, "null");
        return;
    }
    buf_putc(j->out, '"');
    esc_json(j->out, s, strlen(s));
    buf_putc(j->out, '"');
}

void json_u64(struct json *j, uint64_t v)
{
    before_value(j);
    buf_u64(j->out, v);
}

void json_i64(struct json *j, int64_t v)
{
    before_value(j);
    buf_i64(j->out, v);
}

void json_f64(struct json *j, double v)
{
    before_value(j);
    if (isfinite(v))
        buf_f64(j->out, v);
    else
        buf_puts(j->out, "null");
}

void json_bool(struct json *j, bool v)
{
    before_value(j);
    buf_puts(j->out, v ? "true" : "false");
}

void json_nothing(struct json *j)
{
    before_value(j);
    buf_puts(j->out, "null");
}

void json_ns_as_s(struct json *j, int64_t ns)
{
    before_value(j);
    buf_ns_as_s(j->out, ns);
}

void json_kv_string(struct json *j, const char *key, const char *s)
{
    json_key(j, key);
    json_text(j, s);
}

void json_kv_u64(struct json *j, const char *key, uint64_t v)
{
    json_key(j, key);
    json_u64(j, v);
}

void json_kv_i64(struct json *j, const char *key, int64_t v)
{
    json_key(j, key);
    json_i64(j, v);
}

void json_kv_f64(struct json *j, const char *key, double v)
{
    json_key(j, key);
    json_f64(j, v);
}

void json_kv_bool(struct json *j, const char *key, bool v)
{
    json_key(j, key);
    json_bool(j, v);
}

void json_raw(struct json *j, const char *text)
{
    before_value(j);
    buf_puts(j->out, text);
}
