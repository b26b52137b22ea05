// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef RULE_DOC_H
#define RULE_DOC_H

// A YAML document as a tree, with anchors, aliases and merge keys, as rule files have them.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum doc_kind {
    DOC_SCALAR,
    DOC_MAP,  // children: key, value, key, value …
    DOC_LIST, // children: items
};

struct doc_node {
    enum doc_kind kind;
    char *text; // of a scalar; owned, NUL-terminated
    size_t len;
    bool is_plain; // a scalar without quotes and not a block
    bool is_block; // a scalar after | or >
    int line, column;
    struct doc_node *child, *last; // first and last
    struct doc_node *next;
    struct doc_node *alias; // stands for this one; resolve with doc_of()
};

struct doc {
    char *name; // of the file
    struct doc_node **block;
    size_t n_blocks, used;
    struct doc_node *root; // NULL: an empty document
};

// Deeper than any rule file or test nests.
#define DOC_DEPTH 24

// Read one document. 0, -ENOMEM, or -EINVAL with file, line and column. The caller frees *ret with
// doc_done() in either case.
int doc_read(const char *name, const char *text, size_t len, struct doc *ret, struct err *err);
void doc_done(struct doc *y);

// The node itself, or what the alias stands for. NULL gives NULL.
const struct doc_node *doc_of(const struct doc_node *n);

// Nothing, `~` or `null`.
bool doc_is_null(const struct doc_node *n);

// Walks a map's members: its own, then those of merge keys that it does not have itself. Start with
// an at of zeros.
struct doc_walk {
    const struct doc_node *map;
    const struct doc_node *next;        // key to come
    const struct doc_node *merge[8];    // maps whose members follow
    unsigned n_merges, at;              // of merge
    const struct doc_node *key, *value; // the member
};
void doc_walk_begin(struct doc_walk *w, const struct doc_node *map);
bool doc_walk_next(struct doc_walk *w);

// A member's value; NULL.
const struct doc_node *doc_get(const struct doc_node *map, const char *key);

// A key that stands twice in a map; NULL.
const struct doc_node *doc_twice(const struct doc_node *map);

#endif
