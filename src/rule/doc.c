// SPDX-License-Identifier: GPL-3.0-or-later
// libyaml's events as a tree, without recursion: a stack holds the open collections. An alias is a
// node that points to another one, so that a document cannot grow in memory beyond its text; an
// anchor is known only when its collection is closed, so that there are no cycles.
#include "doc.h"

#include <errno.h>
#include <string.h>
#include <yaml.h>

#include "base/map.h"
#include "base/mem.h"

#define BLOCK_NODES 1024
#define NODES_MAX (4u << 20)

struct reader {
    struct doc *tree;
    yaml_parser_t yaml;
    yaml_event_t event;
    struct doc_node *open[DOC_DEPTH];
    char *anchor[DOC_DEPTH]; // of the open collections; owned
    size_t depth;
    struct map *anchors;
    struct err *err;
};

void doc_done(struct doc *y)
{
    for (size_t i = 0; i < y->n_blocks; i++) {
        size_t n = i + 1 < y->n_blocks ? BLOCK_NODES : y->used;
        for (size_t k = 0; k < n; k++)
            free(y->block[i][k].text);
        free(y->block[i]);
    }
    free(y->block);
    free(y->name);
    *y = (struct doc){0};
}

const struct doc_node *doc_of(const struct doc_node *n)
{
    while (n && n->alias)
        n = n->alias;
    return n;
}

bool doc_is_null(const struct doc_node *n)
{
    n = doc_of(n);
    return !n || (n->kind == DOC_SCALAR && n->is_plain &&
                  (n->len == 0 || strcmp(n->text, "~") == 0 || strcmp(n->text, "null") == 0));
}

static int fail(struct reader *r, yaml_mark_t mark, const char *what)
{
    int line = (int)mark.line + 1, column = (int)mark.column + 1;
    return err_set_at(r->err, EINVAL, line, column, "%s:%d:%d: %s", r->tree->name, line, column,
                      what);
}

static int fail_parse(struct reader *r)
{
    const yaml_parser_t *y = &r->yaml;
    if (y->error == YAML_MEMORY_ERROR)
        return err_set(r->err, ENOMEM, "%s: not enough memory to read it", r->tree->name);
    CLEANUP(freep)
    char *what = mem_printf("not YAML: %s", y->problem ? y->problem : "cannot be read");
    return fail(r, y->error == YAML_READER_ERROR ? y->mark : y->problem_mark, what);
}

static struct doc_node *new_node(struct reader *r)
{
    struct doc *t = r->tree;
    if (t->n_blocks == 0 || t->used == BLOCK_NODES) {
        if (t->n_blocks * BLOCK_NODES >= NODES_MAX)
            return NULL;
        size_t cap = t->n_blocks;
        struct doc_node **block = realloc(t->block, (cap + 1) * sizeof(*block));
        if (!block)
            return NULL;
        t->block = block;
        t->block[t->n_blocks] = calloc(BLOCK_NODES, sizeof(struct doc_node));
        if (!t->block[t->n_blocks])
            return NULL;
        t->n_blocks++;
        t->used = 0;
    }
    return &t->block[t->n_blocks - 1][t->used++];
}

// A node at its place in the tree.
static struct doc_node *add(struct reader *r, enum doc_kind kind)
{
    struct doc_node *n = new_node(r);
    if (!n)
        return NULL;
    n->kind = kind;
    n->line = (int)r->event.start_mark.line + 1;
    n->column = (int)r->event.start_mark.column + 1;
    if (r->depth == 0) {
        r->tree->root = n;
        return n;
    }
    struct doc_node *parent = r->open[r->depth - 1];
    if (parent->last)
        parent->last->next = n;
    else
        parent->child = n;
    parent->last = n;
    return n;
}

static int no_room(struct reader *r)
{
    return fail(r, r->event.start_mark, "too large");
}

static void remember(struct reader *r, const char *anchor, struct doc_node *n)
{
    if (anchor)
        map_put(r->anchors, anchor, strlen(anchor), n);
}

static int take_scalar(struct reader *r)
{
    struct doc_node *n = add(r, DOC_SCALAR);
    if (!n)
        return no_room(r);
    n->len = r->event.data.scalar.length;
    n->text = mem_strndup((const char *)r->event.data.scalar.value, n->len);
    yaml_scalar_style_t style = r->event.data.scalar.style;
    n->is_plain = style == YAML_PLAIN_SCALAR_STYLE;
    n->is_block = style == YAML_LITERAL_SCALAR_STYLE || style == YAML_FOLDED_SCALAR_STYLE;
    if (memchr(n->text, '\0', n->len))
        return fail(r, r->event.start_mark, "a NUL in a text");
    remember(r, (const char *)r->event.data.scalar.anchor, n);
    return 0;
}

static int take_alias(struct reader *r)
{
    const char *name = (const char *)r->event.data.alias.anchor;
    struct doc_node *to = map_get(r->anchors, name, strlen(name));
    if (!to)
        return fail(r, r->event.start_mark, "an alias of no anchor before it");
    struct doc_node *n = add(r, to->kind);
    if (!n)
        return no_room(r);
    n->alias = to;
    return 0;
}

static int take_open(struct reader *r, enum doc_kind kind, const yaml_char_t *anchor)
{
    if (r->depth == DOC_DEPTH)
        return fail(r, r->event.start_mark, "nested too deep");
    struct doc_node *n = add(r, kind);
    if (!n)
        return no_room(r);
    r->anchor[r->depth] = mem_strdup((const char *)anchor);
    r->open[r->depth++] = n;
    return 0;
}

static int take_close(struct reader *r)
{
    r->depth--;
    remember(r, r->anchor[r->depth], r->open[r->depth]);
    free(TAKE_PTR(r->anchor[r->depth]));
    return 0;
}

static int take_event(struct reader *r)
{
    switch (r->event.type) {
    case YAML_SCALAR_EVENT:
        return take_scalar(r);
    case YAML_ALIAS_EVENT:
        return take_alias(r);
    case YAML_MAPPING_START_EVENT:
        return take_open(r, DOC_MAP, r->event.data.mapping_start.anchor);
    case YAML_SEQUENCE_START_EVENT:
        return take_open(r, DOC_LIST, r->event.data.sequence_start.anchor);
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        return take_close(r);
    case YAML_DOCUMENT_START_EVENT:
        return r->tree->root ? fail(r, r->event.start_mark, "a second document") : 0;
    default:
        return 0;
    }
}

static int read_events(struct reader *r)
{
    bool end = false;
    int e = 0;
    while (e == 0 && !end) {
        if (!yaml_parser_parse(&r->yaml, &r->event))
            return fail_parse(r);
        end = r->event.type == YAML_STREAM_END_EVENT;
        e = take_event(r);
        yaml_event_delete(&r->event);
    }
    return e;
}

int doc_read(const char *name, const char *text, size_t len, struct doc *ret, struct err *err)
{
    *ret = (struct doc){.name = mem_strdup(name)};
    struct reader r = {.tree = ret, .err = err};
    if (!yaml_parser_initialize(&r.yaml))
        return err_set(err, ENOMEM, "%s: not enough memory to read it", name);
    yaml_parser_set_input_string(&r.yaml, (const unsigned char *)text, len);
    r.anchors = map_new();
    int e = read_events(&r);
    while (r.depth > 0)
        free(r.anchor[--r.depth]);
    map_free(r.anchors);
    yaml_parser_delete(&r.yaml);
    return e;
}

static bool is_merge(const struct doc_node *key)
{
    return key->kind == DOC_SCALAR && key->is_plain && strcmp(key->text, "<<") == 0;
}

static void add_merge(struct doc_walk *w, const struct doc_node *n)
{
    n = doc_of(n);
    if (n->kind == DOC_MAP && w->n_merges < sizeof(w->merge) / sizeof(w->merge[0]))
        w->merge[w->n_merges++] = n;
}

void doc_walk_begin(struct doc_walk *w, const struct doc_node *map)
{
    map = doc_of(map);
    *w = (struct doc_walk){.map = map, .next = map && map->kind == DOC_MAP ? map->child : NULL};
}

// A member among a map's own.
static const struct doc_node *own(const struct doc_node *map, const char *key)
{
    for (const struct doc_node *k = map->child; k; k = k->next->next)
        if (doc_of(k)->kind == DOC_SCALAR && strcmp(doc_of(k)->text, key) == 0)
            return doc_of(k->next);
    return NULL;
}

static bool is_hidden(const struct doc_walk *w, const char *key)
{
    if (w->at == 0)
        return false;
    if (own(w->map, key))
        return true;
    for (unsigned i = 0; i + 1 < w->at; i++)
        if (own(w->merge[i], key))
            return true;
    return false;
}

bool doc_walk_next(struct doc_walk *w)
{
    for (;;) {
        if (!w->next) {
            if (w->at == w->n_merges)
                return false;
            w->next = w->merge[w->at++]->child;
            continue;
        }
        w->key = doc_of(w->next);
        w->value = doc_of(w->next->next);
        w->next = w->next->next->next;
        if (!is_merge(w->key)) {
            if (w->key->kind == DOC_SCALAR && is_hidden(w, w->key->text))
                continue;
            return true;
        }
        if (w->value->kind == DOC_LIST)
            for (const struct doc_node *n = w->value->child; n; n = n->next)
                add_merge(w, n);
        else
            add_merge(w, w->value);
    }
}

const struct doc_node *doc_get(const struct doc_node *map, const char *key)
{
    struct doc_walk w;
    doc_walk_begin(&w, map);
    while (doc_walk_next(&w))
        if (w.key->kind == DOC_SCALAR && strcmp(w.key->text, key) == 0)
            return w.value;
    return NULL;
}

const struct doc_node *doc_twice(const struct doc_node *map)
{
    map = doc_of(map);
    if (!map || map->kind != DOC_MAP)
        return NULL;
    struct map *seen = map_new();
    const struct doc_node *twice = NULL;
    for (const struct doc_node *k = map->child; k && !twice; k = k->next->next) {
        const struct doc_node *key = doc_of(k);
        if (key->kind == DOC_SCALAR && map_put(seen, key->text, key->len, (void *)key))
            twice = k;
    }
    map_free(seen);
    return twice;
}
