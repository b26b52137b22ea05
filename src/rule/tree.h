// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef RULE_TREE_H
#define RULE_TREE_H

// The tree of a template: made by template_parse.c, walked by template_run.c.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rule/template.h"

#define TREE_DEPTH_MAX 32
#define TREE_NODES_MAX 100000

enum operand_kind {
    OPERAND_DOT,
    OPERAND_FIELD,    // .A.B of the dot
    OPERAND_VARIABLE, // $x.A.B
    OPERAND_FUNCTION,
    OPERAND_TEXT,
    OPERAND_INTEGER,
    OPERAND_NUMBER,
    OPERAND_BOOL,
    OPERAND_NIL,
    OPERAND_PIPE, // (…).A.B
};

struct function;
struct pipe;

struct operand {
    enum operand_kind kind;
    const char *text; // name, or the text
    int64_t integer;
    double number;
    struct pipe *pipe;
    const struct function *function;
    const char **field; // the chain behind it
    size_t n_fields;
    struct operand *next;
};

struct command {
    struct operand *arg; // the first is what is called or given
    size_t n_args;
    struct command *next;
};

struct pipe {
    const char *variable[2]; // declared or set; NULL
    bool is_assignment;      // `=`, not `:=`
    struct command *command;
    int line;
};

enum node_kind {
    NODE_TEXT,
    NODE_ACTION,
    NODE_IF,
    NODE_WITH,
    NODE_RANGE,
    NODE_TEMPLATE,
    NODE_BREAK,
    NODE_CONTINUE,
};

struct node {
    enum node_kind kind;
    const char *text; // or the template's name
    size_t len;
    struct pipe *pipe;
    struct node *list, *other; // bodies
    struct node *next;
    int line;
};

struct definition {
    const char *name;
    struct node *list;
    struct definition *next;
};

struct chunk {
    struct chunk *next;
    size_t used, size;
    _Alignas(16) char data[];
};

struct rule_template {
    char *text;
    struct node *list;
    struct definition *definition;
    struct chunk *chunk; // all memory of the tree
};

// Zeroed memory that goes with the list; NULL: over the cap.
void *chunk_alloc(struct chunk **list, size_t size, size_t *budget);
void chunk_free(struct chunk *list);

#endif
