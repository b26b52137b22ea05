// SPDX-License-Identifier: GPL-3.0-or-later
// YAML into JSON by libyaml's events, without recursion.
#include "conf/yaml_json.h"

#include <errno.h>
#include <string.h>
#include <yaml.h>

#include "base/mem.h"
#include "base/number.h"

#define DEPTH_MAX 16
#define SCALAR_MAX 65536
#define VALUES_MAX 100000

// A container being filled; borrowed from the one above, but for the root.
struct level {
    json_t *value;
    char *key; // of a mapping: what comes next belongs to it
};

struct reader {
    yaml_parser_t parser;
    struct level levels[DEPTH_MAX];
    int depth;
    size_t values;
    json_t *root;
    struct err *err;
};

static int complain(struct reader *r, const yaml_event_t *e, const char *what)
{
    return err_set_at(r->err, EINVAL, (int)e->start_mark.line + 1, (int)e->start_mark.column + 1,
                      "line %zu, column %zu: %s", e->start_mark.line + 1, e->start_mark.column + 1,
                      what);
}

// Takes `value` over.
static int place(struct reader *r, const yaml_event_t *e, json_t *value)
{
    struct level *top = r->depth > 0 ? &r->levels[r->depth - 1] : NULL;
    if (!value)
        return complain(r, e, "this is not UTF-8");
    if (++r->values > VALUES_MAX) {
        json_decref(value);
        return complain(r, e, "the file has too many values");
    }
    if (!top) {
        r->root = value;
        return 0;
    }
    if (json_is_array(top->value)) {
        json_array_append_new(top->value, value);
        return 0;
    }
    json_object_set_new(top->value, top->key, value);
    free(TAKE_PTR(top->key));
    return 0;
}

static json_t *scalar(const yaml_event_t *e)
{
    const char *text = (const char *)e->data.scalar.value;
    size_t len = e->data.scalar.length;
    int64_t n = 0;
    if (e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return json_stringn(text, len);
    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
        return json_boolean(*text == 't');
    if (len == 0 || strcmp(text, "null") == 0 || strcmp(text, "~") == 0)
        return json_null();
    return number_parse_i64(text, &n) == 0 ? json_integer(n) : json_stringn(text, len);
}

static int take_key(struct reader *r, const yaml_event_t *e, struct level *top)
{
    const char *text = (const char *)e->data.scalar.value;
    if (strlen(text) != e->data.scalar.length)
        return complain(r, e, "a name holds a NUL");
    if (json_object_get(top->value, text))
        return complain(r, e, "this name stands twice");
    top->key = mem_strdup(text);
    return 0;
}

static int on_scalar(struct reader *r, const yaml_event_t *e)
{
    struct level *top = r->depth > 0 ? &r->levels[r->depth - 1] : NULL;
    if (e->data.scalar.length > SCALAR_MAX)
        return complain(r, e, "a value is longer than 64 KiB");
    if (e->data.scalar.anchor || e->data.scalar.tag)
        return complain(r, e, "anchors and tags are not read");
    if (top && json_is_object(top->value) && !top->key)
        return take_key(r, e, top);
    return place(r, e, scalar(e));
}

static int on_start(struct reader *r, const yaml_event_t *e, json_t *container)
{
    struct level *top = r->depth > 0 ? &r->levels[r->depth - 1] : NULL;
    bool as_key = top && json_is_object(top->value) && !top->key;
    if (r->depth == DEPTH_MAX || as_key) {
        json_decref(container);
        return complain(r, e, as_key ? "a name must be a text" : "this is nested too deep");
    }
    int w = place(r, e, container);
    if (w == 0)
        r->levels[r->depth++] = (struct level){container, NULL};
    return w;
}

static int on_event(struct reader *r, const yaml_event_t *e)
{
    switch (e->type) {
    case YAML_SCALAR_EVENT:
        return on_scalar(r, e);
    case YAML_SEQUENCE_START_EVENT:
        return on_start(r, e, json_array());
    case YAML_MAPPING_START_EVENT:
        return on_start(r, e, json_object());
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        r->depth--;
        return 0;
    case YAML_ALIAS_EVENT:
        return complain(r, e, "aliases are not read");
    case YAML_DOCUMENT_START_EVENT:
        return r->root ? complain(r, e, "there is a second document") : 0;
    default:
        return 0;
    }
}

static int syntax(struct reader *r)
{
    const yaml_parser_t *p = &r->parser;
    return err_set_at(r->err, EINVAL, (int)p->problem_mark.line + 1,
                      (int)p->problem_mark.column + 1, "line %zu, column %zu: %s",
                      p->problem_mark.line + 1, p->problem_mark.column + 1,
                      p->problem ? p->problem : "not YAML");
}

static int read_all(struct reader *r)
{
    int w = 0;
    bool end = false;
    while (w == 0 && !end) {
        yaml_event_t e;
        if (!yaml_parser_parse(&r->parser, &e))
            return syntax(r);
        end = e.type == YAML_STREAM_END_EVENT;
        w = on_event(r, &e);
        yaml_event_delete(&e);
    }
    return w;
}

int yaml_json(const char *text, size_t len, json_t **ret, struct err *err)
{
    struct reader r = {.err = err};
    if (!yaml_parser_initialize(&r.parser))
        return err_set(err, ENOMEM, "out of memory");
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, len);
    int w = read_all(&r);
    for (int i = 0; i < r.depth; i++)
        free(r.levels[i].key);
    yaml_parser_delete(&r.parser);
    if (w == 0 && !r.root)
        w = err_set(err, EINVAL, "the file is empty");
    if (w < 0)
        json_decref(r.root);
    else
        *ret = r.root;
    return w;
}
