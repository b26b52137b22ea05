// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef PROMQL_LEX_H
#define PROMQL_LEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum token_kind {
    TOKEN_END,
    TOKEN_ERROR,      /**< lexer.message says what */
    TOKEN_IDENTIFIER, /**< a word without colons; `keyword` where it is one */
    TOKEN_METRIC,     /**< a word with colons */
    TOKEN_STRING,
    TOKEN_NUMBER,
    TOKEN_DURATION,
    TOKEN_OPERATOR, /**< `op` */
    TOKEN_ASSIGN,   /**< = */
    TOKEN_MATCH,    /**< =~ */
    TOKEN_NOT_MATCH,
    TOKEN_AT,
    TOKEN_COMMA,
    TOKEN_COLON,
    TOKEN_LEFT_PAREN,
    TOKEN_RIGHT_PAREN,
    TOKEN_LEFT_BRACE,
    TOKEN_RIGHT_BRACE,
    TOKEN_LEFT_BRACKET,
    TOKEN_RIGHT_BRACKET,
};

enum op {
    OP_NONE,
    OP_OR,
    OP_AND,
    OP_UNLESS,
    OP_EQ,
    OP_NE,
    OP_GT,
    OP_LT,
    OP_GE,
    OP_LE,
    OP_ADD,
    OP_SUB,
    OP_MUL,
    OP_DIV,
    OP_MOD,
    OP_ATAN2,
    OP_POW,
    OP_MAX,
};

enum keyword {
    KEYWORD_NONE,
    KEYWORD_AGGREGATOR,
    KEYWORD_OPERATOR, /**< and, or, unless, atan2 */
    KEYWORD_BOOL,
    KEYWORD_BY,
    KEYWORD_WITHOUT,
    KEYWORD_ON,
    KEYWORD_IGNORING,
    KEYWORD_GROUP_LEFT,
    KEYWORD_GROUP_RIGHT,
    KEYWORD_OFFSET,
    KEYWORD_START,
    KEYWORD_END,
    KEYWORD_EXPERIMENTAL, /**< a word that only experimental syntax gives a meaning */
};

struct op_info {
    const char *name;
    int precedence; /**< higher binds closer */
    bool right_associative;
    bool is_comparison;
    bool is_set;
};

extern const struct op_info op_table[OP_MAX];

/** Aggregators, in the order of enum aggregator. */
enum aggregator {
    AGGREGATE_SUM,
    AGGREGATE_AVG,
    AGGREGATE_COUNT,
    AGGREGATE_MIN,
    AGGREGATE_MAX,
    AGGREGATE_GROUP,
    AGGREGATE_STDDEV,
    AGGREGATE_STDVAR,
    AGGREGATE_TOPK,
    AGGREGATE_BOTTOMK,
    AGGREGATE_QUANTILE,
    AGGREGATE_COUNT_VALUES,
    AGGREGATE_LIMITK,
    AGGREGATE_LIMIT_RATIO,
    AGGREGATE_ENUM_MAX,
};

extern const char *const aggregator_names[AGGREGATE_ENUM_MAX];

struct token {
    enum token_kind kind;
    enum keyword keyword;
    enum op op;
    enum aggregator aggregator;
    uint32_t start, end; /**< bytes in the text */
};

/** Reads tokens of `text` one after another; plain data. */
struct lexer {
    const char *text;
    uint32_t len, at;
    bool in_braces; /**< set by the parser: other characters are legal there */
    int brackets, parens;
    char message[200];
};

/** The next token. At the end TOKEN_END for ever. */
struct token lexer_next(struct lexer *l);

/** A token as error messages name it: `<op:+>`, `identifier "a"`, `end of input`. */
void token_describe(const struct lexer *l, const struct token *t, struct buf *out);

/** Go's %q. */
void lex_quote(struct buf *out, const char *text, size_t len);

#endif
