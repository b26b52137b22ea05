// SPDX-License-Identifier: GPL-3.0-or-later
// libyaml's events as a small tree, without recursion: the stack holds the open collections.
#include "yaml_tree.h"

#include <errno.h>
#include <yaml.h>

#include "base/mem.h"

#define NODES_MAX 200000

struct reader {
    const char *name;
    yaml_parser_t yaml;
    yaml_event_t event;
    struct yaml_tree *tree;
    uint32_t open[YAML_DEPTH_MAX], last[YAML_DEPTH_MAX]; // collections, and their last children
    size_t depth;
    struct err *err;
};

void yaml_tree_done(struct yaml_tree *t)
{
    for (size_t i = 0; i < t->n; i++)
        free(t->node[i].text);
    free(t->node);
    *t = (struct yaml_tree){0};
}

static int fail(struct reader *r, yaml_mark_t mark, const char *what)
{
    int line = (int)mark.line + 1, column = (int)mark.column + 1;
    return err_set_at(r->err, EINVAL, line, column, "%s:%d:%d: %s", r->name, line, column, what);
}

static int fail_parse(struct reader *r)
{
    const yaml_parser_t *y = &r->yaml;
    if (y->error == YAML_MEMORY_ERROR)
        return err_set(r->err, ENOMEM, "%s: not enough memory to read it", r->name);
    CLEANUP(freep)
    char *what = mem_printf("not YAML: %s", y->problem ? y->problem : "cannot be read");
    return fail(r, y->error == YAML_READER_ERROR ? y->mark : y->problem_mark, what);
}

static bool is_decorated(const yaml_event_t *e)
{
    switch (e->type) {
    case YAML_ALIAS_EVENT:
        return true;
    case YAML_SCALAR_EVENT:
        return e->data.scalar.anchor || e->data.scalar.tag;
    case YAML_SEQUENCE_START_EVENT:
        return e->data.sequence_start.anchor || e->data.sequence_start.tag;
    case YAML_MAPPING_START_EVENT:
        return e->data.mapping_start.anchor || e->data.mapping_start.tag;
    default:
        return false;
    }
}

static int add_node(struct reader *r, enum yaml_kind kind, uint32_t *ret)
{
    struct yaml_tree *t = r->tree;
    int e = mem_grow_capped(&t->node, &t->cap, t->n, sizeof(*t->node), NODES_MAX);
    if (e == -E2BIG)
        return fail(r, r->event.start_mark, "too much for a scenario");
    if (e < 0)
        return err_set(r->err, ENOMEM, "%s: not enough memory to read it", r->name);
    uint32_t n = (uint32_t)t->n++;
    t->node[n] = (struct yaml_node){.kind = kind,
                                    .line = (int)r->event.start_mark.line + 1,
                                    .column = (int)r->event.start_mark.column + 1};
    if (r->depth > 0) {
        uint32_t *last = &r->last[r->depth - 1];
        *(*last ? &t->node[*last].next : &t->node[r->open[r->depth - 1]].child) = n;
        *last = n;
    }
    *ret = n;
    return 0;
}

static int open_collection(struct reader *r, enum yaml_kind kind)
{
    uint32_t n;
    if (r->depth == YAML_DEPTH_MAX)
        return fail(r, r->event.start_mark, "nested too deep");
    int e = add_node(r, kind, &n);
    if (e < 0)
        return e;
    r->open[r->depth] = n;
    r->last[r->depth++] = 0;
    return 0;
}

static int take_scalar(struct reader *r)
{
    uint32_t n;
    int e = add_node(r, YAML_KIND_SCALAR, &n);
    if (e < 0)
        return e;
    r->tree->node[n].len = r->event.data.scalar.length;
    r->tree->node[n].text =
        mem_strndup((const char *)r->event.data.scalar.value, r->event.data.scalar.length);
    return 0;
}

static int take_event(struct reader *r)
{
    if (is_decorated(&r->event))
        return fail(r, r->event.start_mark, "anchors, aliases and tags are not allowed");
    switch (r->event.type) {
    case YAML_SCALAR_EVENT:
        return take_scalar(r);
    case YAML_MAPPING_START_EVENT:
        return open_collection(r, YAML_KIND_MAP);
    case YAML_SEQUENCE_START_EVENT:
        return open_collection(r, YAML_KIND_LIST);
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        r->depth--;
        return 0;
    case YAML_DOCUMENT_START_EVENT:
        return r->tree->n > 1 ? fail(r, r->event.start_mark, "a second document") : 0;
    default:
        return 0;
    }
}

int yaml_tree_parse(const char *name, const char *text, size_t len, struct yaml_tree *ret,
                    struct err *err)
{
    struct reader r = {.name = name, .tree = ret, .err = err};
    *ret = (struct yaml_tree){0};
    mem_grow(&ret->node, &ret->cap, 0, sizeof(*ret->node));
    ret->node[ret->n++] = (struct yaml_node){0};
    if (!yaml_parser_initialize(&r.yaml))
        return err_set(err, ENOMEM, "%s: not enough memory to read it", name);
    yaml_parser_set_input_string(&r.yaml, (const unsigned char *)text, len);
    int e = 0;
    bool end = false;
    while (e == 0 && !end) {
        if (!yaml_parser_parse(&r.yaml, &r.event)) {
            e = fail_parse(&r);
            break;
        }
        end = r.event.type == YAML_STREAM_END_EVENT;
        e = take_event(&r);
        yaml_event_delete(&r.event);
    }
    yaml_parser_delete(&r.yaml);
    if (e == 0 && ret->n == 1)
        return err_set_at(err, EINVAL, 1, 1, "%s:1:1: nothing is in it", name);
    return e;
}
