// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef PROMQL_AST_H
#define PROMQL_AST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "lex.h"
#include "model/query.h"
#include "promql/promql.h"

enum node_kind {
    NODE_NUMBER,
    NODE_STRING,
    NODE_SELECTOR,
    NODE_RANGE, /**< expr is its selector */
    NODE_SUBQUERY,
    NODE_CALL,
    NODE_AGGREGATE,
    NODE_BINARY,
    NODE_UNARY,
    NODE_PAREN,
};

enum at_kind {
    AT_NONE,
    AT_TIME,
    AT_START,
    AT_END,
};

enum cardinality {
    ONE_TO_ONE,
    MANY_TO_ONE,
    ONE_TO_MANY,
    MANY_TO_MANY,
};

struct names {
    const char **name;
    size_t n, cap;
};

struct function;

/** One node of the tree; which members mean something depends on the kind. */
struct node {
    enum node_kind kind;
    enum promql_type type;
    uint32_t start, end; /**< bytes in the text */
    uint16_t depth;
    bool is_invariant; /**< gives the same at each step */
    bool has_sides;    /**< lhs and rhs are vectors: `card`, `on`, … count */

    double number;
    bool is_duration; /**< a number that was written as a duration */
    const char *text;

    const char *metric; /**< the name before the braces; NULL where there is none */
    struct query_matcher *matcher;
    size_t n_matchers;
    enum at_kind at;
    int64_t at_ms;
    int64_t offset_ms;
    int64_t range_ms;
    int64_t step_ms; /**< of a subquery; 0: the default */

    const struct function *function;
    struct node **arg;
    size_t n_args;

    enum aggregator aggregator;
    bool without;
    struct node *param;
    struct names label; /**< grouping, or of on/ignoring */

    enum op op;
    enum cardinality card;
    bool on;
    bool returns_bool;
    struct names include;
    struct node *lhs, *rhs;

    struct node *expr; /**< of RANGE, SUBQUERY, AGGREGATE, UNARY, PAREN */
};

struct promql_expr {
    struct arena arena;
    char *text;
    size_t len;
    struct node *root;
    struct regex **regex; /**< owned */
    size_t n_regexes, cap_regexes;
};

/** Children in the order in which they are written; NULL after the last. */
struct node *node_child(const struct node *node, size_t i);

/** The node inside all parentheses. */
const struct node *node_unwrap(const struct node *node);

/** Check types, as Prometheus does, bottom up. Calls fail() with a place and does not return. */
struct checker {
    const char *text;
    void *arg;
    void (*fail)(void *arg, uint32_t start, const char *format, ...)
        __attribute__((noreturn, format(printf, 3, 4)));
};
void ast_check(const struct checker *c, struct node *node);

/** Set is_invariant everywhere. */
void ast_mark_invariant(struct node *node);

/** "instant vector", "range vector", "scalar", "string". */
const char *ast_type_document(enum promql_type type);

/** Line and column, 1-based; columns count bytes, as Prometheus' do. */
void ast_position(const char *text, uint32_t at, int *ret_line, int *ret_column);

#endif
