// SPDX-License-Identifier: GPL-3.0-or-later
// What a tree must fulfil, and which parts of it give the same at each step.
#include "ast.h"

#include <ctype.h>
#include <string.h>

#include "base/mem.h"
#include "function.h"
#include "regex/regex.h"

struct node *node_child(const struct node *node, size_t i)
{
    switch (node->kind) {
    case NODE_CALL:
        return i < node->n_args ? node->arg[i] : NULL;
    case NODE_BINARY:
        return i == 0 ? node->lhs : i == 1 ? node->rhs : NULL;
    case NODE_AGGREGATE:
        if (node->param)
            return i == 0 ? node->param : i == 1 ? node->expr : NULL;
        return i == 0 ? node->expr : NULL;
    default:
        return i == 0 ? node->expr : NULL;
    }
}

const struct node *node_unwrap(const struct node *node)
{
    while (node->kind == NODE_PAREN)
        node = node->expr;
    return node;
}

const char *ast_type_document(enum promql_type type)
{
    static const char *const names[PROMQL_TYPE_MAX] = {
        [PROMQL_SCALAR] = "scalar",
        [PROMQL_VECTOR] = "instant vector",
        [PROMQL_MATRIX] = "range vector",
        [PROMQL_STRING] = "string",
    };
    return names[type];
}

const char *promql_type_name(enum promql_type type)
{
    static const char *const names[PROMQL_TYPE_MAX] = {
        [PROMQL_SCALAR] = "scalar",
        [PROMQL_VECTOR] = "vector",
        [PROMQL_MATRIX] = "matrix",
        [PROMQL_STRING] = "string",
    };
    return names[type];
}

void ast_position(const char *text, uint32_t at, int *ret_line, int *ret_column)
{
    int line = 1;
    uint32_t begin = 0;
    for (uint32_t i = 0; i < at && text[i]; i++)
        if (text[i] == '\n') {
            line++;
            begin = i + 1;
        }
    *ret_line = line;
    *ret_column = (int)(at - begin) + 1;
}

static void expect(const struct checker *c, struct node *node, enum promql_type want,
                   const char *context)
{
    ast_check(c, node);
    if (node->type != want)
        c->fail(c->arg, node->start, "expected type %s in %s, got %s", ast_type_document(want),
                context, ast_type_document(node->type));
}

static uint32_t operator_start(const struct checker *c, const struct node *node)
{
    uint32_t at = node->lhs->end;
    while (isspace((unsigned char)c->text[at]))
        at++;
    return at;
}

static void check_matching(const struct checker *c, struct node *node)
{
    const struct op_info *op = &op_table[node->op];
    for (size_t i = 0; node->on && i < node->label.n; i++)
        for (size_t k = 0; k < node->include.n; k++)
            if (strcmp(node->label.name[i], node->include.name[k]) == 0)
                c->fail(c->arg, operator_start(c, node),
                        "label \"%s\" must not occur in ON and GROUP clause at once",
                        node->label.name[i]);
    struct node *sides[] = {node->lhs, node->rhs};
    for (size_t i = 0; i < 2; i++)
        if (sides[i]->type != PROMQL_SCALAR && sides[i]->type != PROMQL_VECTOR)
            c->fail(c->arg, sides[i]->start,
                    "binary expression must contain only scalar and instant vector types");
    node->has_sides = node->lhs->type == PROMQL_VECTOR && node->rhs->type == PROMQL_VECTOR;
    if (!node->has_sides) {
        if (node->label.n > 0)
            c->fail(c->arg, node->start, "vector matching only allowed between instant vectors");
    } else if (op->is_set && node->card != MANY_TO_MANY) {
        c->fail(c->arg, node->start, "no grouping allowed for \"%s\" operation", op->name);
    }
    if (!node->has_sides && op->is_set)
        c->fail(c->arg, node->start, "set operator \"%s\" not allowed in binary scalar expression",
                op->name);
}

static void check_binary(const struct checker *c, struct node *node)
{
    const struct op_info *op = &op_table[node->op];
    ast_check(c, node->lhs);
    ast_check(c, node->rhs);
    bool scalars = node->lhs->type == PROMQL_SCALAR && node->rhs->type == PROMQL_SCALAR;
    if (node->returns_bool && !op->is_comparison)
        c->fail(c->arg, operator_start(c, node),
                "bool modifier can only be used on comparison operators");
    if (op->is_comparison && !node->returns_bool && scalars)
        c->fail(c->arg, operator_start(c, node),
                "comparisons between scalars must use BOOL modifier");
    if (op->is_set && node->card == ONE_TO_ONE)
        node->card = MANY_TO_MANY;
    check_matching(c, node);
    node->type = scalars ? PROMQL_SCALAR : PROMQL_VECTOR;
}

static void check_call(const struct checker *c, struct node *node)
{
    const struct function *f = node->function;
    size_t least = f->variadic == 0 ? f->n_args : (size_t)f->n_args - 1;
    if (f->variadic == 0 && node->n_args != f->n_args)
        c->fail(c->arg, node->start, "expected %d argument(s) in call to \"%s\", got %zu",
                f->n_args, f->name, node->n_args);
    if (node->n_args < least)
        c->fail(c->arg, node->start, "expected at least %zu argument(s) in call to \"%s\", got %zu",
                least, f->name, node->n_args);
    if (f->variadic > 0 && node->n_args > least + (size_t)f->variadic)
        c->fail(c->arg, node->start, "expected at most %zu argument(s) in call to \"%s\", got %zu",
                least + (size_t)f->variadic, f->name, node->n_args);
    for (size_t i = 0; i < node->n_args; i++) {
        enum promql_type want = f->arg[MIN_OF(i, (size_t)f->n_args - 1)];
        ast_check(c, node->arg[i]);
        if (node->arg[i]->type != want)
            c->fail(c->arg, node->arg[i]->start,
                    "expected type %s in call to function \"%s\", got %s", ast_type_document(want),
                    f->name, ast_type_document(node->arg[i]->type));
    }
    node->type = f->result;
}

static void check_aggregate(const struct checker *c, struct node *node)
{
    expect(c, node->expr, PROMQL_VECTOR, "aggregation expression");
    if (node->param)
        expect(c, node->param,
               node->aggregator == AGGREGATE_COUNT_VALUES ? PROMQL_STRING : PROMQL_SCALAR,
               "aggregation parameter");
    node->type = PROMQL_VECTOR;
}

static bool matches_empty(const struct query_matcher *m)
{
    switch (m->match) {
    case QUERY_EQUAL:
        return m->value[0] == '\0';
    case QUERY_NOT_EQUAL:
        return m->value[0] != '\0';
    case QUERY_REGEX:
        return regex_match(m->regex, "", 0);
    default:
        return !regex_match(m->regex, "", 0);
    }
}

static void check_selector(const struct checker *c, struct node *node)
{
    size_t n = node->n_matchers;
    const char *name = node->metric;
    for (size_t i = 0; i < n; i++) {
        const struct query_matcher *m = &node->matcher[i];
        bool is_own = node->metric && i == n - 1;
        if (name && !is_own && strcmp(m->name, LABEL_METRIC_NAME) == 0)
            c->fail(c->arg, node->start, "metric name must not be set twice: \"%s\" or \"%s\"",
                    name, m->value);
    }
    for (size_t i = 0; i < n; i++)
        if (!matches_empty(&node->matcher[i]))
            return;
    c->fail(c->arg, node->start, "vector selector must contain at least one non-empty matcher");
}

static void check_number(const struct checker *c, struct node *node)
{
    node->type = PROMQL_SCALAR;
}

static void check_string(const struct checker *c, struct node *node)
{
    node->type = PROMQL_STRING;
}

static void check_vector(const struct checker *c, struct node *node)
{
    check_selector(c, node);
    node->type = PROMQL_VECTOR;
}

static void check_range(const struct checker *c, struct node *node)
{
    ast_check(c, node->expr);
    node->type = PROMQL_MATRIX;
}

static void check_subquery(const struct checker *c, struct node *node)
{
    ast_check(c, node->expr);
    if (node->expr->type != PROMQL_VECTOR)
        c->fail(c->arg, node->start, "subquery is only allowed on instant vector, got %s instead",
                promql_type_name(node->expr->type));
    node->type = PROMQL_MATRIX;
}

static void check_paren(const struct checker *c, struct node *node)
{
    ast_check(c, node->expr);
    node->type = node->expr->type;
}

static void check_unary(const struct checker *c, struct node *node)
{
    ast_check(c, node->expr);
    node->type = node->expr->type;
    if (node->type != PROMQL_SCALAR && node->type != PROMQL_VECTOR)
        c->fail(
            c->arg, node->start,
            "unary expression only allowed on expressions of type scalar or instant vector, got "
            "\"%s\"",
            ast_type_document(node->type));
}

void ast_check(const struct checker *c, struct node *node)
{
    static void (*const check[])(const struct checker *, struct node *) = {
        [NODE_NUMBER] = check_number,       [NODE_STRING] = check_string,
        [NODE_SELECTOR] = check_vector,     [NODE_RANGE] = check_range,
        [NODE_SUBQUERY] = check_subquery,   [NODE_CALL] = check_call,
        [NODE_AGGREGATE] = check_aggregate, [NODE_BINARY] = check_binary,
        [NODE_UNARY] = check_unary,         [NODE_PAREN] = check_paren,
    };
    check[node->kind](c, node);
}

void ast_mark_invariant(struct node *node)
{
    bool all = true;
    for (size_t i = 0; node_child(node, i); i++) {
        ast_mark_invariant(node_child(node, i));
        all &= node_child(node, i)->is_invariant;
    }
    switch (node->kind) {
    case NODE_SELECTOR:
        node->is_invariant = node->at != AT_NONE;
        break;
    case NODE_SUBQUERY:
        node->is_invariant = node->at != AT_NONE;
        break;
    case NODE_CALL:
        node->is_invariant = all && !node->function->depends_on_time;
        break;
    default:
        node->is_invariant = all;
    }
}
