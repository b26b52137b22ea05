// SPDX-License-Identifier: GPL-3.0-or-later
// Text into tokens. What a `{` opens and what is legal inside is the parser's knowledge
// (in_braces).
#include "lex.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "promql/promql.h"

const struct op_info op_table[OP_MAX] = {
    [OP_NONE] = {"", 0, false, false, false},  [OP_OR] = {"or", 1, false, false, true},
    [OP_AND] = {"and", 2, false, false, true}, [OP_UNLESS] = {"unless", 2, false, false, true},
    [OP_EQ] = {"==", 3, false, true, false},   [OP_NE] = {"!=", 3, false, true, false},
    [OP_GT] = {">", 3, false, true, false},    [OP_LT] = {"<", 3, false, true, false},
    [OP_GE] = {">=", 3, false, true, false},   [OP_LE] = {"<=", 3, false, true, false},
    [OP_ADD] = {"+", 4, false, false, false},  [OP_SUB] = {"-", 4, false, false, false},
    [OP_MUL] = {"*", 5, false, false, false},  [OP_DIV] = {"/", 5, false, false, false},
    [OP_MOD] = {"%", 5, false, false, false},  [OP_ATAN2] = {"atan2", 5, false, false, false},
    [OP_POW] = {"^", 6, true, false, false},
};

const char *const aggregator_names[AGGREGATE_ENUM_MAX] = {
    [AGGREGATE_SUM] = "sum",           [AGGREGATE_AVG] = "avg",
    [AGGREGATE_COUNT] = "count",       [AGGREGATE_MIN] = "min",
    [AGGREGATE_MAX] = "max",           [AGGREGATE_GROUP] = "group",
    [AGGREGATE_STDDEV] = "stddev",     [AGGREGATE_STDVAR] = "stdvar",
    [AGGREGATE_TOPK] = "topk",         [AGGREGATE_BOTTOMK] = "bottomk",
    [AGGREGATE_QUANTILE] = "quantile", [AGGREGATE_COUNT_VALUES] = "count_values",
    [AGGREGATE_LIMITK] = "limitk",     [AGGREGATE_LIMIT_RATIO] = "limit_ratio",
};

static const struct {
    const char *word;
    enum keyword keyword;
    enum op op;
} keywords[] = {
    {"and", KEYWORD_OPERATOR, OP_AND},
    {"or", KEYWORD_OPERATOR, OP_OR},
    {"unless", KEYWORD_OPERATOR, OP_UNLESS},
    {"atan2", KEYWORD_OPERATOR, OP_ATAN2},
    {"bool", KEYWORD_BOOL, OP_NONE},
    {"by", KEYWORD_BY, OP_NONE},
    {"without", KEYWORD_WITHOUT, OP_NONE},
    {"on", KEYWORD_ON, OP_NONE},
    {"ignoring", KEYWORD_IGNORING, OP_NONE},
    {"group_left", KEYWORD_GROUP_LEFT, OP_NONE},
    {"group_right", KEYWORD_GROUP_RIGHT, OP_NONE},
    {"offset", KEYWORD_OFFSET, OP_NONE},
    {"start", KEYWORD_START, OP_NONE},
    {"end", KEYWORD_END, OP_NONE},
    {"anchored", KEYWORD_EXPERIMENTAL, OP_NONE},
    {"smoothed", KEYWORD_EXPERIMENTAL, OP_NONE},
    {"fill", KEYWORD_EXPERIMENTAL, OP_NONE},
    {"fill_left", KEYWORD_EXPERIMENTAL, OP_NONE},
    {"fill_right", KEYWORD_EXPERIMENTAL, OP_NONE},
};

static bool is_word_start(char c)
{
    return isalpha((unsigned char)c) || c == '_';
}

static bool is_word(char c)
{
    return is_word_start(c) || isdigit((unsigned char)c);
}

static bool equals(const char *text, size_t len, const char *word)
{
    return strlen(word) == len && strncasecmp(text, word, len) == 0;
}

static struct token fail(struct lexer *l, struct token t, const char *message)
{
    (void)snprintf(l->message, sizeof(l->message), "%s", message);
    t.kind = TOKEN_ERROR;
    t.end = l->len;
    l->at = l->len;
    return t;
}

static void skip_blanks(struct lexer *l)
{
    while (l->at < l->len) {
        char c = l->text[l->at];
        if (c == '#')
            while (l->at < l->len && l->text[l->at] != '\n')
                l->at++;
        else if (c == ' ' || c == '\t' || c == '\n' || c == '\r')
            l->at++;
        else
            return;
    }
}

static struct token word(struct lexer *l, struct token t)
{
    bool has_colon = false;
    while (l->at < l->len &&
           (is_word(l->text[l->at]) || (l->text[l->at] == ':' && !l->in_braces))) {
        has_colon |= l->text[l->at] == ':';
        l->at++;
    }
    t.end = l->at;
    t.kind = has_colon ? TOKEN_METRIC : TOKEN_IDENTIFIER;
    const char *text = l->text + t.start;
    size_t len = t.end - t.start;
    if (has_colon || l->in_braces)
        return t;
    if (equals(text, len, "inf") || equals(text, len, "nan")) {
        t.kind = TOKEN_NUMBER;
        return t;
    }
    for (size_t i = 0; i < ARRAY_LEN(keywords); i++)
        if (equals(text, len, keywords[i].word)) {
            t.keyword = keywords[i].keyword;
            t.op = keywords[i].op;
            return t;
        }
    for (size_t i = 0; i < AGGREGATE_ENUM_MAX; i++)
        if (equals(text, len, aggregator_names[i])) {
            t.keyword = KEYWORD_AGGREGATOR;
            t.aggregator = (enum aggregator)i;
            return t;
        }
    return t;
}

static size_t digits(const struct lexer *l, size_t at, bool hex)
{
    size_t n = 0;
    for (; at + n < l->len; n++) {
        unsigned char c = (unsigned char)l->text[at + n];
        bool between = c == '_' && n + 1 + at < l->len;
        if (!(hex ? isxdigit(c) : isdigit(c)) && !between)
            break;
    }
    return n;
}

// The length of a number at `at`, 0 where none stands there.
static size_t number_length(const struct lexer *l, size_t at)
{
    const char *s = l->text;
    if (at + 1 < l->len && s[at] == '0' && (s[at + 1] | 32) == 'x') {
        size_t n = digits(l, at + 2, true);
        return n ? n + 2 : 0;
    }
    size_t whole = digits(l, at, false), n = whole, fraction = 0;
    if (at + n < l->len && s[at + n] == '.') {
        fraction = digits(l, at + n + 1, false);
        n += 1 + fraction;
    }
    if (whole + fraction == 0)
        return 0;
    if (at + n < l->len && (s[at + n] | 32) == 'e') {
        size_t sign = at + n + 1 < l->len && (s[at + n + 1] == '+' || s[at + n + 1] == '-');
        size_t exponent = digits(l, at + n + 1 + sign, false);
        if (exponent)
            n += 1 + sign + exponent;
    }
    return n;
}

static struct token number(struct lexer *l, struct token t)
{
    size_t n = number_length(l, l->at);
    size_t run = 0;
    while (l->at + run < l->len && (is_word(l->text[l->at + run]) || l->text[l->at + run] == '.'))
        run++;
    if (n > 0 && n >= run) {
        l->at += (uint32_t)n;
        t.kind = TOKEN_NUMBER;
        t.end = l->at;
        return t;
    }
    int64_t ms;
    if (promql_duration_parse(l->text + l->at, run, false, &ms) != -EINVAL) {
        l->at += (uint32_t)run;
        t.kind = TOKEN_DURATION;
        t.end = l->at;
        return t;
    }
    size_t shown = MIN_OF(MAX_OF(run, n), 100u);
    struct token failed = fail(l, t, "");
    struct buf quoted;
    buf_init(&quoted, 150);
    lex_quote(&quoted, l->text + t.start, shown);
    (void)snprintf(l->message, sizeof(l->message), "bad number or duration syntax: %s",
                   quoted.error ? "" : quoted.data);
    buf_done(&quoted);
    return failed;
}

static struct token string(struct lexer *l, struct token t)
{
    char quote = l->text[l->at++];
    for (; l->at < l->len && l->text[l->at] != quote; l->at++) {
        if (quote != '`' && l->text[l->at] == '\n')
            break;
        if (quote != '`' && l->text[l->at] == '\\' && l->at + 1 < l->len)
            l->at++;
    }
    if (l->at >= l->len || l->text[l->at] != quote)
        return fail(l, t, quote == '`' ? "unterminated raw string" : "unterminated quoted string");
    l->at++;
    t.kind = TOKEN_STRING;
    t.end = l->at;
    return t;
}

static const struct {
    const char *text;
    enum token_kind kind;
    enum op op;
} signs[] = {
    // Longer ones first.
    {"=~", TOKEN_MATCH, OP_NONE},        {"!~", TOKEN_NOT_MATCH, OP_NONE},
    {"==", TOKEN_OPERATOR, OP_EQ},       {"!=", TOKEN_OPERATOR, OP_NE},
    {">=", TOKEN_OPERATOR, OP_GE},       {"<=", TOKEN_OPERATOR, OP_LE},
    {">", TOKEN_OPERATOR, OP_GT},        {"<", TOKEN_OPERATOR, OP_LT},
    {"+", TOKEN_OPERATOR, OP_ADD},       {"-", TOKEN_OPERATOR, OP_SUB},
    {"*", TOKEN_OPERATOR, OP_MUL},       {"/", TOKEN_OPERATOR, OP_DIV},
    {"%", TOKEN_OPERATOR, OP_MOD},       {"^", TOKEN_OPERATOR, OP_POW},
    {"=", TOKEN_ASSIGN, OP_NONE},        {"@", TOKEN_AT, OP_NONE},
    {",", TOKEN_COMMA, OP_NONE},         {"(", TOKEN_LEFT_PAREN, OP_NONE},
    {")", TOKEN_RIGHT_PAREN, OP_NONE},   {"{", TOKEN_LEFT_BRACE, OP_NONE},
    {"}", TOKEN_RIGHT_BRACE, OP_NONE},   {"[", TOKEN_LEFT_BRACKET, OP_NONE},
    {"]", TOKEN_RIGHT_BRACKET, OP_NONE},
};

static struct token check_nesting(struct lexer *l, struct token t)
{
    switch (t.kind) {
    case TOKEN_LEFT_PAREN:
        l->parens++;
        break;
    case TOKEN_RIGHT_PAREN:
        if (--l->parens < 0)
            return fail(l, t, "unexpected right parenthesis ')'");
        break;
    case TOKEN_LEFT_BRACKET:
        if (l->brackets++)
            return fail(l, t, "unexpected left bracket '['");
        break;
    case TOKEN_RIGHT_BRACKET:
        if (--l->brackets < 0)
            return fail(l, t, "unexpected right bracket ']'");
        break;
    case TOKEN_RIGHT_BRACE:
        if (!l->in_braces)
            return fail(l, t, "unexpected right brace '}'");
        break;
    default:
        break;
    }
    return t;
}

// One character as Go's %q of a rune: 'x'.
static struct token fail_at(struct lexer *l, struct token t, const char *what)
{
    size_t n = 1;
    while (n < 4 && t.start + n < l->len && ((unsigned char)l->text[t.start + n] & 0xC0) == 0x80)
        n++;
    struct buf quoted;
    buf_init(&quoted, 100);
    lex_quote(&quoted, l->text + t.start, n);
    (void)snprintf(l->message, sizeof(l->message), "%s: '%.*s'", what,
                   (int)(quoted.len > 2 ? quoted.len - 2 : 0),
                   quoted.len > 2 ? quoted.data + 1 : "");
    buf_done(&quoted);
    t.kind = TOKEN_ERROR;
    l->at = l->len;
    return t;
}

static struct token end(struct lexer *l, struct token t)
{
    if (l->in_braces)
        return fail(l, t, "unexpected end of input inside braces");
    if (l->parens > 0)
        return fail(l, t, "unclosed left parenthesis");
    if (l->brackets > 0)
        return fail(l, t, "unclosed left bracket");
    t.kind = TOKEN_END;
    return t;
}

static struct token sign(struct lexer *l, struct token t)
{
    const char *s = l->text + l->at;
    for (size_t i = 0; i < ARRAY_LEN(signs); i++) {
        size_t n = strlen(signs[i].text);
        if (n > l->len - l->at || memcmp(s, signs[i].text, n) != 0)
            continue;
        bool for_braces = signs[i].kind == TOKEN_ASSIGN || signs[i].kind == TOKEN_COMMA ||
                          signs[i].kind == TOKEN_RIGHT_BRACE || signs[i].kind == TOKEN_MATCH ||
                          signs[i].kind == TOKEN_NOT_MATCH || signs[i].op == OP_NE;
        if (l->in_braces && !for_braces)
            break;
        t.kind = signs[i].kind;
        t.op = signs[i].op;
        l->at += (uint32_t)n;
        t.end = l->at;
        return check_nesting(l, t);
    }
    if (*s == ':' && l->brackets > 0) {
        t.kind = TOKEN_COLON;
        t.end = ++l->at;
        return t;
    }
    if (*s == '!' && l->at + 1 < l->len) {
        t.start++;
        return fail_at(l, t, "unexpected character after '!'");
    }
    return fail_at(l, t,
                   l->in_braces ? "unexpected character inside braces" : "unexpected character");
}

struct token lexer_next(struct lexer *l)
{
    skip_blanks(l);
    struct token t = {.start = l->at, .end = l->at};
    if (l->at >= l->len)
        return end(l, t);
    char c = l->text[l->at];
    if (is_word_start(c) || (c == ':' && !l->in_braces && l->brackets == 0))
        return word(l, t);
    if (c == '"' || c == '\'' || c == '`')
        return string(l, t);
    bool starts_number = isdigit((unsigned char)c) || (c == '.' && l->at + 1 < l->len &&
                                                       isdigit((unsigned char)l->text[l->at + 1]));
    if (starts_number && !l->in_braces)
        return number(l, t);
    return sign(l, t);
}

void lex_quote(struct buf *out, const char *text, size_t len)
{
    static const char named[] = "\aa\bb\ff\nn\rr\tt\vv\"\"\\\\";
    buf_putc(out, '"');
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        const char *name = NULL;
        for (size_t k = 0; k + 1 < sizeof(named); k += 2)
            if ((unsigned char)named[k] == c)
                name = &named[k + 1];
        size_t follow = c >= 0xF0 ? 3 : c >= 0xE0 ? 2 : c >= 0xC2 ? 1 : 0;
        bool is_utf8 = follow > 0 && i + follow < len;
        for (size_t k = 1; is_utf8 && k <= follow; k++)
            is_utf8 = ((unsigned char)text[i + k] & 0xC0) == 0x80;
        if (name)
            buf_printf(out, "\\%c", *name);
        else if (c < 0x20 || c == 0x7F || (c >= 0x80 && !is_utf8))
            buf_printf(out, "\\x%02x", c);
        else
            buf_put(out, text + i, is_utf8 ? follow + 1 : 1);
        if (!name && is_utf8)
            i += follow;
    }
    buf_putc(out, '"');
}

void token_describe(const struct lexer *l, const struct token *t, struct buf *out)
{
    static const char *const kinds[] = {
        [TOKEN_IDENTIFIER] = "identifier", [TOKEN_METRIC] = "metric identifier",
        [TOKEN_STRING] = "string",         [TOKEN_NUMBER] = "number",
        [TOKEN_DURATION] = "duration",
    };
    const char *text = l->text + t->start;
    int len = (int)(t->end - t->start);
    if (t->kind == TOKEN_END) {
        buf_puts(out, "end of input");
        return;
    }
    if (t->kind == TOKEN_OPERATOR || t->keyword == KEYWORD_OPERATOR || t->kind == TOKEN_AT ||
        t->kind == TOKEN_MATCH || t->kind == TOKEN_NOT_MATCH)
        buf_printf(out, "<op:%.*s>", len, text);
    else if (t->keyword == KEYWORD_AGGREGATOR)
        buf_printf(out, "<aggr:%.*s>", len, text);
    else if (t->keyword != KEYWORD_NONE)
        buf_printf(out, "<%.*s>", len, text);
    else {
        if (t->kind < ARRAY_LEN(kinds) && kinds[t->kind])
            buf_printf(out, "%s ", kinds[t->kind]);
        lex_quote(out, text, (size_t)MIN_OF(len, 10));
        if (len > 10)
            buf_puts(out, "...");
    }
}
