// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef PROMQL_PARSER_H
#define PROMQL_PARSER_H

/* What the files of the parser share. */

#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>

#include "arena.h"
#include "ast.h"
#include "base/err.h"
#include "lex.h"

struct parser {
    struct promql_expr *expr;
    struct arena *arena;
    struct lexer lexer;
    struct token token; /**< the one that comes next */
    uint32_t last_end;  /**< of the token before it */
    int depth;
    struct err *err;
    int result;
    jmp_buf jump;
};

/** End parsing with an error at byte `start`; `arg` is the parser. */
void parser_fail(void *arg, uint32_t start, const char *format, ...)
    __attribute__((noreturn, format(printf, 3, 4)));

/** The next token has no place here: "unexpected … in CONTEXT, expected …"; both may be NULL. */
void parser_unexpected(struct parser *p, const char *context, const char *expected)
    __attribute__((noreturn));

void parser_advance(struct parser *p);

/** Take the next token where it is of that kind. */
bool parser_accept(struct parser *p, enum token_kind kind);

/** A token's text as it stands, in the arena. */
const char *parser_text(struct parser *p, const struct token *t);

struct node *parser_new_node(struct parser *p, enum node_kind kind, uint32_t start);

/** Once a node has its children; fails where the tree gets too deep. */
void parser_set_depth(struct parser *p, struct node *node);

/** What a string in quotes means, by Go's rules. */
const char *parser_unquote(struct parser *p, const struct token *t);

/** What a number means. */
double parser_number(struct parser *p, const struct token *t);

/** Say that arithmetic on durations is experimental, where the next token looks like it. */
void parser_refuse_duration_expression(struct parser *p);

/** Take a duration, or a number of seconds, in milliseconds. */
int64_t parser_duration(struct parser *p, bool must_be_positive, const char *context,
                        const char *expected);

/** A number, or a duration as one, as a node. */
struct node *parser_number_node(struct parser *p);

/** What follows `node` in brackets, a range or a subquery; `offset …`; `@ …`. */
struct node *parser_brackets(struct parser *p, struct node *node);
void parser_offset(struct parser *p, struct node *node);
void parser_at(struct parser *p, struct node *node);

/** A selector: its name, if any, has been taken. */
struct node *parser_selector(struct parser *p, const struct token *name);

#endif
