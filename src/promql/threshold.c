// SPDX-License-Identifier: GPL-3.0-or-later
// Expressions that compare a vector with a number, as most alerts do: taken apart, so that who
// evaluates several that differ in the number alone evaluates the vector once.
#include <string.h>

#include "ast.h"
#include "promql/promql.h"

static const struct {
    enum op op;
    enum promql_compare compare;
} compares[] = {
    {OP_EQ, PROMQL_EQ}, {OP_NE, PROMQL_NE}, {OP_GT, PROMQL_GT},
    {OP_LT, PROMQL_LT}, {OP_GE, PROMQL_GE}, {OP_LE, PROMQL_LE},
};

static bool number_of(const struct node *node, double *ret)
{
    node = node_unwrap(node);
    double sign = 1;
    if (node->kind == NODE_UNARY && node->op == OP_SUB) {
        sign = -1;
        node = node_unwrap(node->expr);
    }
    if (node->kind != NODE_NUMBER)
        return false;
    *ret = sign * node->number;
    return true;
}

bool promql_threshold(const struct promql_expr *expr, struct promql_threshold *ret, struct buf *out)
{
    const struct node *node = node_unwrap(expr->root);
    if (node->kind != NODE_BINARY || node->returns_bool || node->lhs->type != PROMQL_VECTOR ||
        !number_of(node->rhs, &ret->number))
        return false;
    for (size_t i = 0; i < sizeof(compares) / sizeof(compares[0]); i++) {
        if (compares[i].op != node->op)
            continue;
        ret->compare = compares[i].compare;
        // Printing wants an expression; this one borrows the tree.
        struct promql_expr left = {.root = node->lhs};
        promql_print(&left, out);
        return true;
    }
    return false;
}

bool promql_compares(enum promql_compare compare, double v, double number)
{
    switch (compare) {
    case PROMQL_EQ:
        return v == number;
    case PROMQL_NE:
        return v != number;
    case PROMQL_GT:
        return v > number;
    case PROMQL_LT:
        return v < number;
    case PROMQL_GE:
        return v >= number;
    default:
        return v <= number;
    }
}
