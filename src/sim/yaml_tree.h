// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef SIM_YAML_TREE_H
#define SIM_YAML_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum yaml_kind {
    YAML_KIND_SCALAR,
    YAML_KIND_MAP, // children: key, value, key, value …
    YAML_KIND_LIST,
};

// Nodes of one file in an array; children are linked by their numbers, 0 ends.
struct yaml_node {
    enum yaml_kind kind;
    char *text; // of a scalar; owned
    size_t len;
    int line, column;
    uint32_t child, next;
};

struct yaml_tree {
    struct yaml_node *node; // owned; [0] is not used, [1] the root
    size_t n, cap;
};

// At most this deep; more nests in no scenario.
#define YAML_DEPTH_MAX 6

// Read a whole document. Anchors, aliases and tags are refused. 0, -ENOMEM, or -EINVAL with file,
// line and column. The caller frees *ret with yaml_tree_done() in either case.
int yaml_tree_parse(const char *name, const char *text, size_t len, struct yaml_tree *ret,
                    struct err *err);
void yaml_tree_done(struct yaml_tree *t);

#endif
