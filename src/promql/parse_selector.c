// SPDX-License-Identifier: GPL-3.0-or-later
// Selectors: a name, and conditions between braces.
#include <string.h>

#include "base/mem.h"
#include "parser.h"
#include "regex/regex.h"

#define REGEXES_MAX 100

static void compile(struct parser *p, struct query_matcher *m, uint32_t start)
{
    struct promql_expr *e = p->expr;
    struct err err = {0};
    struct regex *regex = NULL;
    if (e->n_regexes >= REGEXES_MAX ||
        mem_grow_capped(&e->regex, &e->cap_regexes, e->n_regexes, sizeof(regex), REGEXES_MAX) < 0)
        parser_fail(p, start, "more than %d regular expressions", REGEXES_MAX);
    if (regex_new(m->value, true, &regex, &err) < 0)
        parser_fail(p, start, "error parsing regexp: %s", err.message);
    e->regex[e->n_regexes++] = regex;
    m->regex = regex;
}

static bool match_kind(const struct token *t, enum query_match *ret)
{
    bool is_match = true;
    if (t->kind == TOKEN_ASSIGN)
        *ret = QUERY_EQUAL;
    else if (t->kind == TOKEN_OPERATOR && t->op == OP_NE)
        *ret = QUERY_NOT_EQUAL;
    else if (t->kind == TOKEN_MATCH)
        *ret = QUERY_REGEX;
    else if (t->kind == TOKEN_NOT_MATCH)
        *ret = QUERY_NOT_REGEX;
    else
        is_match = false;
    return is_match;
}

static struct query_matcher parse_matcher(struct parser *p)
{
    struct query_matcher m = {0};
    struct token name = p->token;
    if (name.kind == TOKEN_STRING)
        m.name = parser_unquote(p, &name);
    else if (name.kind == TOKEN_IDENTIFIER)
        m.name = parser_text(p, &name);
    else
        parser_unexpected(p, "label matching", "identifier or \"}\"");
    parser_advance(p);
    if (name.kind == TOKEN_STRING &&
        (p->token.kind == TOKEN_COMMA || p->token.kind == TOKEN_RIGHT_BRACE)) {
        m.value = m.name;
        m.name = LABEL_METRIC_NAME;
        return m;
    }
    if (!match_kind(&p->token, &m.match))
        parser_unexpected(p, "label matching",
                          name.kind == TOKEN_STRING ? "label matching operator, \",\" or \"}\""
                                                    : "label matching operator");
    parser_advance(p);
    struct token value = p->token;
    if (value.kind != TOKEN_STRING)
        parser_unexpected(p, "label matching", "string");
    m.value = parser_unquote(p, &value);
    if (m.match == QUERY_REGEX || m.match == QUERY_NOT_REGEX)
        compile(p, &m, name.start);
    parser_advance(p);
    return m;
}

static void parse_matchers(struct parser *p, struct node *node)
{
    size_t cap = 0;
    p->lexer.in_braces = true;
    parser_advance(p);
    while (p->token.kind != TOKEN_RIGHT_BRACE) {
        node->matcher =
            arena_grow(p->arena, node->matcher, &cap, node->n_matchers, sizeof(*node->matcher));
        node->matcher[node->n_matchers] = parse_matcher(p);
        node->n_matchers++;
        if (p->token.kind != TOKEN_RIGHT_BRACE && !parser_accept(p, TOKEN_COMMA))
            parser_unexpected(p, "label matching", "\",\" or \"}\"");
    }
    p->lexer.in_braces = false;
    parser_advance(p);
}

struct node *parser_selector(struct parser *p, const struct token *name)
{
    struct node *node = parser_new_node(p, NODE_SELECTOR, name ? name->start : p->token.start);
    if (p->token.kind == TOKEN_LEFT_BRACE)
        parse_matchers(p, node);
    if (name) {
        struct query_matcher *all =
            arena_array(p->arena, node->n_matchers + 1, sizeof(*node->matcher));
        if (node->n_matchers > 0)
            memcpy(all, node->matcher, node->n_matchers * sizeof(*all));
        node->metric = parser_text(p, name);
        all[node->n_matchers++] =
            (struct query_matcher){QUERY_EQUAL, LABEL_METRIC_NAME, node->metric, NULL};
        node->matcher = all;
    }
    node->end = p->last_end;
    parser_set_depth(p, node);
    return node;
}
