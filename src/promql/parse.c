// SPDX-License-Identifier: GPL-3.0-or-later
// Tokens into a tree: precedence climbing. Memory is the expression's arena; the first error jumps
// back to promql_parse(), which frees all. Nesting is limited by `depth`, long chains by the depth
// of the tree that they make.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "function.h"
#include "parser.h"
#include "regex/regex.h"

#define EXPR_MEMORY_MAX (256u << 20)
#define TREE_DEPTH_MAX 1000

static void fail_memory(void *arg, int r) __attribute__((noreturn));
static struct node *parse_binary(struct parser *p, int least);

static void fail_memory(void *arg, int r)
{
    struct parser *p = arg;
    p->result = err_set(p->err, -r, "the expression takes too much memory");
    longjmp(p->jump, 1);
}

void parser_fail(void *arg, uint32_t start, const char *format, ...)
{
    struct parser *p = arg;
    char message[800];
    int line, column;
    va_list ap;
    va_start(ap, format);
    (void)vsnprintf(message, sizeof(message), format, ap);
    va_end(ap);
    ast_position(p->expr->text, start, &line, &column);
    p->result =
        err_set_at(p->err, EINVAL, line, column, "%d:%d: parse error: %s", line, column, message);
    longjmp(p->jump, 1);
}

void parser_unexpected(struct parser *p, const char *context, const char *expected)
{
    if (p->token.kind == TOKEN_ERROR)
        parser_fail(p, p->token.start, "%s", p->lexer.message);
    struct buf what;
    buf_init(&what, 400);
    token_describe(&p->lexer, &p->token, &what);
    char text[400];
    (void)snprintf(text, sizeof(text), "unexpected %s%s%s%s%s", what.data ? what.data : "",
                   context ? " in " : "", context ? context : "", expected ? ", expected " : "",
                   expected ? expected : "");
    buf_done(&what);
    parser_fail(p, p->token.start, "%s", text);
}

void parser_advance(struct parser *p)
{
    p->last_end = p->token.end;
    p->token = lexer_next(&p->lexer);
}

bool parser_accept(struct parser *p, enum token_kind kind)
{
    if (p->token.kind != kind)
        return false;
    parser_advance(p);
    return true;
}

static bool accept_keyword(struct parser *p, enum keyword keyword)
{
    if (p->token.keyword != keyword)
        return false;
    parser_advance(p);
    return true;
}

const char *parser_text(struct parser *p, const struct token *t)
{
    return arena_text(p->arena, p->lexer.text + t->start, t->end - t->start);
}

struct node *parser_new_node(struct parser *p, enum node_kind kind, uint32_t start)
{
    struct node *node = arena_zalloc(p->arena, 1, sizeof(*node));
    node->kind = kind;
    node->start = start;
    node->end = p->last_end;
    return node;
}

void parser_set_depth(struct parser *p, struct node *node)
{
    for (size_t i = 0; node_child(node, i); i++)
        node->depth = MAX_OF(node->depth, node_child(node, i)->depth);
    if (++node->depth > TREE_DEPTH_MAX)
        parser_fail(p, node->start, "expression has more than %d levels", TREE_DEPTH_MAX);
}

static void add_name(struct parser *p, struct names *names, const char *name)
{
    names->name = arena_grow(p->arena, (void *)names->name, &names->cap, names->n, sizeof(char *));
    names->name[names->n++] = name;
}

static struct names parse_grouping(struct parser *p)
{
    struct names names = {0};
    if (!parser_accept(p, TOKEN_LEFT_PAREN))
        parser_unexpected(p, "grouping opts", "\"(\"");
    while (p->token.kind != TOKEN_RIGHT_PAREN) {
        struct token t = p->token;
        if (t.kind == TOKEN_STRING)
            add_name(p, &names, parser_unquote(p, &t));
        else if (t.kind == TOKEN_IDENTIFIER)
            add_name(p, &names, parser_text(p, &t));
        else
            parser_unexpected(p, "grouping opts", "label");
        parser_advance(p);
        if (p->token.kind != TOKEN_RIGHT_PAREN && !parser_accept(p, TOKEN_COMMA))
            parser_unexpected(p, "grouping opts", "\",\" or \")\"");
    }
    parser_advance(p);
    return names;
}

static void parse_arguments(struct parser *p, struct node *node)
{
    size_t cap = 0;
    parser_advance(p);
    while (p->token.kind != TOKEN_RIGHT_PAREN) {
        node->arg = arena_grow(p->arena, (void *)node->arg, &cap, node->n_args, sizeof(node));
        node->arg[node->n_args] = parse_binary(p, 1);
        node->n_args++;
        struct token comma = p->token;
        if (p->token.kind == TOKEN_RIGHT_PAREN)
            break;
        if (!parser_accept(p, TOKEN_COMMA))
            parser_unexpected(p, NULL, NULL);
        if (p->token.kind == TOKEN_RIGHT_PAREN)
            parser_fail(p, comma.start, "trailing commas not allowed in function call args");
    }
    parser_advance(p);
    node->end = p->last_end;
}

static struct node *parse_call(struct parser *p, const struct token *name)
{
    struct node *node = parser_new_node(p, NODE_CALL, name->start);
    const char *text = p->lexer.text + name->start;
    if (name->keyword == KEYWORD_EXPERIMENTAL)
        parser_fail(p, name->start, "modifier \"%.*s\" is experimental and not enabled",
                    (int)(name->end - name->start), text);
    const struct function *f = function_find(text, name->end - name->start);
    parse_arguments(p, node);
    if (!f)
        parser_fail(p, name->start, "unknown function with name \"%.*s\"",
                    (int)MIN_OF(name->end - name->start, 200u), text);
    if (f->is_experimental)
        parser_fail(p, name->start, "function \"%s\" is not enabled", f->name);
    node->function = f;
    parser_set_depth(p, node);
    return node;
}

static bool parse_aggregate_modifier(struct parser *p, struct node *node)
{
    if (p->token.keyword != KEYWORD_BY && p->token.keyword != KEYWORD_WITHOUT)
        return false;
    node->without = p->token.keyword == KEYWORD_WITHOUT;
    parser_advance(p);
    node->label = parse_grouping(p);
    return true;
}

static struct node *parse_aggregate(struct parser *p, const struct token *name)
{
    struct node *node = parser_new_node(p, NODE_AGGREGATE, name->start);
    node->aggregator = name->aggregator;
    bool has_modifier = parse_aggregate_modifier(p, node);
    if (p->token.kind != TOKEN_LEFT_PAREN)
        parser_unexpected(p, "aggregation", NULL);
    parse_arguments(p, node);
    if (!has_modifier)
        parse_aggregate_modifier(p, node);
    bool has_param = node->aggregator >= AGGREGATE_TOPK;
    if (node->aggregator >= AGGREGATE_LIMITK)
        parser_fail(p, node->start,
                    "%s() is experimental and must be enabled with "
                    "--enable-feature=promql-experimental-functions",
                    aggregator_names[node->aggregator]);
    if (node->n_args == 0)
        parser_fail(p, node->start, "no arguments for aggregate expression provided");
    if (node->n_args != 1u + has_param)
        parser_fail(
            p, node->start,
            "wrong number of arguments for aggregate expression provided, expected %d, got %zu",
            1 + has_param, node->n_args);
    node->param = has_param ? node->arg[0] : NULL;
    node->expr = node->arg[has_param];
    node->end = p->last_end;
    parser_set_depth(p, node);
    return node;
}

// A word: an aggregation, a call, or else a metric (keywords too may name one).
static struct node *parse_word(struct parser *p)
{
    struct token name = p->token;
    bool may_be_metric = name.keyword != KEYWORD_BOOL && name.keyword != KEYWORD_ON &&
                         name.keyword != KEYWORD_IGNORING && name.keyword != KEYWORD_GROUP_LEFT &&
                         name.keyword != KEYWORD_GROUP_RIGHT && name.op != OP_ATAN2;
    if (!may_be_metric)
        parser_unexpected(p, NULL, NULL);
    parser_advance(p);
    if (name.keyword == KEYWORD_AGGREGATOR) {
        bool opens = p->token.kind == TOKEN_LEFT_PAREN || p->token.keyword == KEYWORD_BY ||
                     p->token.keyword == KEYWORD_WITHOUT;
        if (opens)
            return parse_aggregate(p, &name);
    } else if (p->token.kind == TOKEN_LEFT_PAREN && name.kind == TOKEN_IDENTIFIER &&
               (name.keyword == KEYWORD_NONE || name.keyword == KEYWORD_START ||
                name.keyword == KEYWORD_END || name.keyword == KEYWORD_EXPERIMENTAL)) {
        return parse_call(p, &name);
    }
    return parser_selector(p, &name);
}

static struct node *parse_primary(struct parser *p)
{
    struct token t = p->token;
    struct node *node;
    switch (t.kind) {
    case TOKEN_NUMBER:
    case TOKEN_DURATION:
        return parser_number_node(p);
    case TOKEN_STRING:
        node = parser_new_node(p, NODE_STRING, t.start);
        node->text = parser_unquote(p, &t);
        parser_advance(p);
        break;
    case TOKEN_LEFT_PAREN:
        node = parser_new_node(p, NODE_PAREN, t.start);
        parser_advance(p);
        node->expr = parse_binary(p, 1);
        if (!parser_accept(p, TOKEN_RIGHT_PAREN))
            parser_unexpected(p, NULL, NULL);
        break;
    case TOKEN_LEFT_BRACE:
        return parser_selector(p, NULL);
    case TOKEN_IDENTIFIER:
    case TOKEN_METRIC:
        return parse_word(p);
    default:
        parser_unexpected(p, NULL, NULL);
    }
    node->end = p->last_end;
    parser_set_depth(p, node);
    return node;
}

static struct node *parse_postfix(struct parser *p)
{
    struct node *node = parse_primary(p);
    for (;;) {
        if (p->token.kind == TOKEN_LEFT_BRACKET)
            node = parser_brackets(p, node);
        else if (p->token.keyword == KEYWORD_OFFSET)
            parser_offset(p, node);
        else if (p->token.kind == TOKEN_AT)
            parser_at(p, node);
        else if (p->token.keyword == KEYWORD_EXPERIMENTAL)
            parser_fail(p, p->token.start, "modifier \"%.*s\" is experimental and not enabled",
                        (int)(p->token.end - p->token.start), p->lexer.text + p->token.start);
        else
            return node;
    }
}

static struct node *parse_unary(struct parser *p)
{
    struct token t = p->token;
    if (t.kind != TOKEN_OPERATOR || (t.op != OP_ADD && t.op != OP_SUB))
        return parse_postfix(p);
    parser_advance(p);
    struct node *inner = parse_binary(p, op_table[OP_POW].precedence);
    if (inner->kind == NODE_NUMBER) {
        inner->number = t.op == OP_SUB ? -inner->number : inner->number;
        inner->start = t.start;
        return inner;
    }
    struct node *node = parser_new_node(p, NODE_UNARY, t.start);
    node->op = t.op;
    node->expr = inner;
    node->end = inner->end;
    parser_set_depth(p, node);
    return node;
}

static void parse_matching(struct parser *p, struct node *node)
{
    node->returns_bool = accept_keyword(p, KEYWORD_BOOL);
    if (p->token.keyword != KEYWORD_ON && p->token.keyword != KEYWORD_IGNORING)
        return;
    node->on = p->token.keyword == KEYWORD_ON;
    parser_advance(p);
    node->label = parse_grouping(p);
    if (p->token.keyword != KEYWORD_GROUP_LEFT && p->token.keyword != KEYWORD_GROUP_RIGHT)
        return;
    node->card = p->token.keyword == KEYWORD_GROUP_LEFT ? MANY_TO_ONE : ONE_TO_MANY;
    parser_advance(p);
    if (p->token.kind == TOKEN_LEFT_PAREN)
        node->include = parse_grouping(p);
}

static struct node *parse_binary(struct parser *p, int least)
{
    if (++p->depth > PROMQL_DEPTH_MAX)
        parser_fail(p, p->token.start, "expression is nested more than %d levels deep",
                    PROMQL_DEPTH_MAX);
    struct node *lhs = parse_unary(p);
    while (p->token.op != OP_NONE && op_table[p->token.op].precedence >= least) {
        const struct op_info *op = &op_table[p->token.op];
        struct node *node = parser_new_node(p, NODE_BINARY, lhs->start);
        node->op = p->token.op;
        parser_advance(p);
        parse_matching(p, node);
        node->lhs = lhs;
        node->rhs = parse_binary(p, op->right_associative ? op->precedence : op->precedence + 1);
        node->end = node->rhs->end;
        parser_set_depth(p, node);
        lhs = node;
    }
    p->depth--;
    return lhs;
}

static void parse_all(struct parser *p)
{
    parser_advance(p);
    if (p->token.kind == TOKEN_END)
        parser_fail(p, 0, "no expression found in input");
    p->expr->root = parse_binary(p, 1);
    if (p->token.kind != TOKEN_END)
        parser_unexpected(p, NULL, NULL);
    struct checker checker = {p->expr->text, p, parser_fail};
    ast_check(&checker, p->expr->root);
    ast_mark_invariant(p->expr->root);
}

int promql_parse(const char *text, size_t len, struct promql_expr **ret, struct err *err)
{
    if (len > PROMQL_TEXT_MAX)
        return err_set(err, E2BIG, "expression is longer than %u bytes", PROMQL_TEXT_MAX);
    struct promql_expr *e = calloc(1, sizeof(*e));
    struct parser *p = calloc(1, sizeof(*p));
    if (!e || !p) {
        free(e);
        free(p);
        return err_set(err, ENOMEM, "no memory");
    }
    p->expr = e;
    p->arena = &e->arena;
    p->err = err;
    e->arena = (struct arena){.limit = EXPR_MEMORY_MAX, .on_failure = fail_memory, .arg = p};
    if (setjmp(p->jump) == 0) {
        e->text = arena_text(&e->arena, text, len);
        e->len = len;
        p->lexer = (struct lexer){.text = e->text, .len = (uint32_t)len};
        parse_all(p);
    }
    int r = p->result;
    free(p);
    e->arena.arg = NULL;
    if (r < 0)
        promql_expr_free(e);
    else
        *ret = e;
    return r;
}

void promql_expr_free(struct promql_expr *expr)
{
    if (!expr)
        return;
    for (size_t i = 0; i < expr->n_regexes; i++)
        regex_free(expr->regex[i]);
    free(expr->regex);
    arena_done(&expr->arena);
    free(expr);
}

enum promql_type promql_expr_type(const struct promql_expr *expr)
{
    return expr->root->type;
}
