// SPDX-License-Identifier: GPL-3.0-or-later
// What may follow an expression: ranges and subqueries in brackets, offset, @.
#include <math.h>

#include "parser.h"

struct node *parser_brackets(struct parser *p, struct node *inner)
{
    struct token open = p->token;
    parser_advance(p);
    int64_t range = parser_duration(p, true, "subquery or range selector",
                                    "number, duration, step(), or range()");
    bool is_subquery = p->token.kind == TOKEN_COLON;
    struct node *node = parser_new_node(p, is_subquery ? NODE_SUBQUERY : NODE_RANGE, inner->start);
    node->expr = inner;
    node->range_ms = range;
    if (is_subquery) {
        parser_advance(p);
        if (p->token.kind != TOKEN_RIGHT_BRACKET)
            node->step_ms = parser_duration(p, true, "subquery selector",
                                            "number, duration, step(), range(), or \"]\"");
        if (p->token.kind != TOKEN_RIGHT_BRACKET) {
            parser_refuse_duration_expression(p);
            parser_unexpected(p, "subquery selector", "\"]\"");
        }
    } else {
        if (p->token.kind != TOKEN_RIGHT_BRACKET) {
            parser_refuse_duration_expression(p);
            parser_unexpected(p, "subquery or range", "\":\" or \"]\"");
        }
        if (inner->kind != NODE_SELECTOR)
            parser_fail(p, open.start, "ranges only allowed for vector selectors");
        if (inner->offset_ms != 0)
            parser_fail(p, open.start, "no offset modifiers allowed before range");
        if (inner->at != AT_NONE)
            parser_fail(p, open.start, "no @ modifiers allowed before range");
    }
    parser_advance(p);
    node->end = p->last_end;
    parser_set_depth(p, node);
    return node;
}

// Where offset and @ of this node are kept.
static struct node *modified(struct parser *p, struct node *node, const char *what)
{
    if (node->kind == NODE_SELECTOR || node->kind == NODE_SUBQUERY)
        return node;
    if (node->kind == NODE_RANGE)
        return node->expr;
    parser_fail(p, node->start,
                "%s must be preceded by an instant vector selector or range vector selector or a "
                "subquery",
                what);
}

void parser_offset(struct parser *p, struct node *node)
{
    parser_advance(p);
    bool is_negative = p->token.kind == TOKEN_OPERATOR && p->token.op == OP_SUB;
    if (is_negative || (p->token.kind == TOKEN_OPERATOR && p->token.op == OP_ADD))
        parser_advance(p);
    int64_t ms = parser_duration(p, false, "offset", "number, duration, step(), or range()");
    struct node *to = modified(p, node, "offset modifier");
    if (to->offset_ms != 0)
        parser_fail(p, node->start, "offset may not be set multiple times");
    to->offset_ms = is_negative ? -ms : ms;
    node->end = to->end = p->last_end;
}

static void parse_at_time(struct parser *p, struct node *node, struct node *to)
{
    bool is_negative = p->token.kind == TOKEN_OPERATOR && p->token.op == OP_SUB;
    if (is_negative || (p->token.kind == TOKEN_OPERATOR && p->token.op == OP_ADD))
        parser_advance(p);
    struct token t = p->token;
    double seconds;
    if (t.kind == TOKEN_NUMBER)
        seconds = parser_number(p, &t);
    else if (t.kind == TOKEN_DURATION)
        seconds = parser_number_node(p)->number;
    else
        parser_unexpected(p, "@", "timestamp");
    if (is_negative)
        seconds = -seconds;
    if (!(fabs(seconds) < 9223372036854775.0))
        parser_fail(p, node->start, "timestamp out of bounds for @ modifier: %f", seconds);
    if (t.kind == TOKEN_NUMBER)
        parser_advance(p);
    to->at_ms = (int64_t)round(seconds * 1000);
    to->at = AT_TIME;
}

void parser_at(struct parser *p, struct node *node)
{
    parser_advance(p);
    struct node *to = modified(p, node, "@ modifier");
    if (to->at != AT_NONE)
        parser_fail(p, node->start, "@ <timestamp> may not be set multiple times");
    if (p->token.keyword == KEYWORD_START || p->token.keyword == KEYWORD_END) {
        to->at = p->token.keyword == KEYWORD_START ? AT_START : AT_END;
        parser_advance(p);
        if (!parser_accept(p, TOKEN_LEFT_PAREN) || !parser_accept(p, TOKEN_RIGHT_PAREN))
            parser_unexpected(p, "@", "timestamp");
    } else {
        parse_at_time(p, node, to);
    }
    node->end = to->end = p->last_end;
}
