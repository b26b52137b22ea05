// SPDX-License-Identifier: GPL-3.0-or-later
// Tokens into a tree: precedence climbing. Memory is the expression's arena; the first error jumps
// back to promql_parse(), which frees all. Nesting is limited by `depth`, long chains by the depth
// of the tree that they make.
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ast.h"
#include "base/mem.h"
#include "base/number.h"
#include "function.h"
#include "regex/regex.h"

#define EXPR_MEMORY_MAX (256u << 20)
#define TREE_DEPTH_MAX 1000
#define REGEXES_MAX 1000

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

static void fail_memory(void *arg, int r) __attribute__((noreturn));
static void fail_at(void *arg, uint32_t start, const char *format, ...)
    __attribute__((noreturn, format(printf, 3, 4)));
static struct node *parse_binary(struct parser *p, int least);

static void fail_memory(void *arg, int r)
{
    struct parser *p = arg;
    p->result = err_set(p->err, -r, "the expression takes too much memory");
    longjmp(p->jump, 1);
}

static void fail_at(void *arg, uint32_t start, const char *format, ...)
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

static void unexpected(struct parser *p, const char *context, const char *expected)
    __attribute__((noreturn));
static void unexpected(struct parser *p, const char *context, const char *expected)
{
    if (p->token.kind == TOKEN_ERROR)
        fail_at(p, p->token.start, "%s", p->lexer.message);
    struct buf what;
    buf_init(&what, 400);
    token_describe(&p->lexer, &p->token, &what);
    char text[400];
    (void)snprintf(text, sizeof(text), "unexpected %s%s%s%s%s", what.data ? what.data : "",
                   context ? " in " : "", context ? context : "", expected ? ", expected " : "",
                   expected ? expected : "");
    buf_done(&what);
    fail_at(p, p->token.start, "%s", text);
}

static void advance(struct parser *p)
{
    p->last_end = p->token.end;
    p->token = lexer_next(&p->lexer);
}

static bool accept(struct parser *p, enum token_kind kind)
{
    if (p->token.kind != kind)
        return false;
    advance(p);
    return true;
}

static bool accept_keyword(struct parser *p, enum keyword keyword)
{
    if (p->token.keyword != keyword)
        return false;
    advance(p);
    return true;
}

static const char *token_text(struct parser *p, const struct token *t)
{
    return arena_text(p->arena, p->lexer.text + t->start, t->end - t->start);
}

static struct node *new_node(struct parser *p, enum node_kind kind, uint32_t start)
{
    struct node *node = arena_zalloc(p->arena, 1, sizeof(*node));
    node->kind = kind;
    node->start = start;
    node->end = p->last_end;
    return node;
}

static void set_depth(struct parser *p, struct node *node)
{
    for (size_t i = 0; node_child(node, i); i++)
        node->depth = MAX_OF(node->depth, node_child(node, i)->depth);
    if (++node->depth > TREE_DEPTH_MAX)
        fail_at(p, node->start, "expression has more than %d levels", TREE_DEPTH_MAX);
}

static void add_name(struct parser *p, struct names *names, const char *name)
{
    names->name = arena_grow(p->arena, (void *)names->name, &names->cap, names->n, sizeof(char *));
    names->name[names->n++] = name;
}

static void put_rune(struct buf *out, uint32_t c)
{
    if (c < 0x80)
        buf_putc(out, (char)c);
    else if (c < 0x800)
        buf_printf(out, "%c%c", (int)(0xC0 | c >> 6), (int)(0x80 | (c & 0x3F)));
    else if (c < 0x10000)
        buf_printf(out, "%c%c%c", (int)(0xE0 | c >> 12), (int)(0x80 | (c >> 6 & 0x3F)),
                   (int)(0x80 | (c & 0x3F)));
    else
        buf_printf(out, "%c%c%c%c", (int)(0xF0 | c >> 18), (int)(0x80 | (c >> 12 & 0x3F)),
                   (int)(0x80 | (c >> 6 & 0x3F)), (int)(0x80 | (c & 0x3F)));
}

// The escape at s[1], by Go's rules; its length, 0 where it is none.
static size_t unescape(const char *s, size_t len, char quote, struct buf *out)
{
    static const char named[] = "a\ab\bf\fn\nr\rt\tv\v\\\\";
    char c = s[1];
    if (c == quote) {
        buf_putc(out, c);
        return 2;
    }
    for (size_t i = 0; i + 1 < sizeof(named); i += 2)
        if (named[i] == c) {
            buf_putc(out, named[i + 1]);
            return 2;
        }
    bool is_octal = c >= '0' && c <= '7';
    size_t n = is_octal ? 3 : c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    size_t at = is_octal ? 1 : 2;
    uint32_t v = 0;
    if (n == 0 || at + n > len)
        return 0;
    for (size_t i = 0; i < n; i++) {
        int digit = number_hex_digit(s[at + i]);
        if (digit < 0 || (is_octal && digit > 7))
            return 0;
        v = v * (is_octal ? 8 : 16) + (uint32_t)digit;
    }
    if (c == 'x' || is_octal) {
        if (v > 255)
            return 0;
        buf_putc(out, (char)v);
    } else {
        if (v > 0x10FFFF || (v >= 0xD800 && v < 0xE000))
            return 0;
        put_rune(out, v);
    }
    return at + n;
}

static const char *unquote(struct parser *p, const struct token *t)
{
    const char *s = p->lexer.text + t->start + 1;
    size_t len = t->end - t->start - 2;
    char quote = s[-1];
    if (quote == '`')
        return arena_text(p->arena, s, len);
    struct buf out;
    buf_init(&out, len * 4 + 8);
    bool is_fine = true;
    for (size_t i = 0, n; i < len && is_fine; i += n) {
        n = 1;
        if (s[i] != '\\')
            buf_putc(&out, s[i]);
        else
            is_fine = (n = unescape(s + i, len - i, quote, &out)) > 0;
    }
    is_fine = is_fine && !out.error && !memchr(out.data ? out.data : "", 0, out.len);
    const char *text = is_fine ? arena_text(p->arena, out.data ? out.data : "", out.len) : NULL;
    buf_done(&out);
    if (!text)
        fail_at(p, t->start, "error unquoting string %.*s: invalid syntax",
                (int)MIN_OF(t->end - t->start, 200u), p->lexer.text + t->start);
    return text;
}

static double to_number(struct parser *p, const struct token *t)
{
    char text[400];
    size_t n = 0;
    if (t->end - t->start >= sizeof(text))
        fail_at(p, t->start, "error parsing number: too long");
    for (uint32_t i = t->start; i < t->end; i++)
        if (p->lexer.text[i] != '_')
            text[n++] = p->lexer.text[i];
    text[n] = '\0';
    if (strcasecmp(text, "inf") == 0)
        return INFINITY;
    if (strcasecmp(text, "nan") == 0)
        return NAN;
    bool is_hex = text[0] == '0' && (text[1] | 32) == 'x';
    size_t whole = strspn(text, "0123456789");
    bool is_octal = text[0] == '0' && whole == n && strspn(text, "01234567") == n;
    if (is_hex || is_octal) {
        double v = 0;
        for (const char *c = text + (is_hex ? 2 : 0); *c; c++)
            v = v * (is_hex ? 16 : 8) + number_hex_digit(*c);
        return v;
    }
    double v;
    int r = number_parse_f64(text, &v);
    if (r == -ERANGE)
        return INFINITY;
    if (r < 0)
        fail_at(p, t->start, "error parsing number: \"%s\"", text);
    return v;
}

static void refuse_duration_expression(struct parser *p)
{
    if (p->token.kind == TOKEN_OPERATOR || p->token.kind == TOKEN_LEFT_PAREN ||
        p->token.kind == TOKEN_IDENTIFIER)
        fail_at(p, p->token.start, "experimental duration expression is not enabled");
}

// A duration, or a number of seconds.
static int64_t parse_duration(struct parser *p, bool must_be_positive, const char *context,
                              const char *expected)
{
    struct token t = p->token;
    if (t.kind != TOKEN_NUMBER && t.kind != TOKEN_DURATION) {
        if (t.kind != TOKEN_IDENTIFIER || p->lexer.brackets)
            refuse_duration_expression(p);
        unexpected(p, context, expected);
    }
    int64_t ms;
    if (t.kind == TOKEN_NUMBER) {
        double seconds = to_number(p, &t);
        if (!(fabs(seconds) * 1000 <= 9223372036854.0))
            fail_at(p, t.start, "duration out of range");
        ms = (int64_t)round(seconds * 1000);
    } else if (promql_duration_parse(p->lexer.text + t.start, t.end - t.start, false, &ms) < 0) {
        fail_at(p, t.start, "duration out of range");
    }
    if (must_be_positive && ms <= 0)
        fail_at(p, t.start, "duration must be greater than 0");
    advance(p);
    return ms;
}

static struct names parse_grouping(struct parser *p)
{
    struct names names = {0};
    if (!accept(p, TOKEN_LEFT_PAREN))
        unexpected(p, "grouping opts", "\"(\"");
    while (p->token.kind != TOKEN_RIGHT_PAREN) {
        struct token t = p->token;
        if (t.kind == TOKEN_STRING)
            add_name(p, &names, unquote(p, &t));
        else if (t.kind == TOKEN_IDENTIFIER)
            add_name(p, &names, token_text(p, &t));
        else
            unexpected(p, "grouping opts", "label");
        advance(p);
        if (p->token.kind != TOKEN_RIGHT_PAREN && !accept(p, TOKEN_COMMA))
            unexpected(p, "grouping opts", "\",\" or \")\"");
    }
    advance(p);
    return names;
}

static void compile(struct parser *p, struct query_matcher *m, uint32_t start)
{
    struct promql_expr *e = p->expr;
    struct err err = {0};
    struct regex *regex = NULL;
    if (e->n_regexes >= REGEXES_MAX ||
        mem_grow_capped(&e->regex, &e->cap_regexes, e->n_regexes, sizeof(regex), REGEXES_MAX) < 0)
        fail_at(p, start, "more than %d regular expressions", REGEXES_MAX);
    if (regex_new(m->value, true, &regex, &err) < 0)
        fail_at(p, start, "error parsing regexp: %s", err.message);
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
        m.name = unquote(p, &name);
    else if (name.kind == TOKEN_IDENTIFIER)
        m.name = token_text(p, &name);
    else
        unexpected(p, "label matching", "identifier or \"}\"");
    advance(p);
    if (name.kind == TOKEN_STRING &&
        (p->token.kind == TOKEN_COMMA || p->token.kind == TOKEN_RIGHT_BRACE)) {
        m.value = m.name;
        m.name = LABEL_METRIC_NAME;
        return m;
    }
    if (!match_kind(&p->token, &m.match))
        unexpected(p, "label matching",
                   name.kind == TOKEN_STRING ? "label matching operator, \",\" or \"}\""
                                             : "label matching operator");
    advance(p);
    struct token value = p->token;
    if (value.kind != TOKEN_STRING)
        unexpected(p, "label matching", "string");
    m.value = unquote(p, &value);
    if (m.match == QUERY_REGEX || m.match == QUERY_NOT_REGEX)
        compile(p, &m, name.start);
    advance(p);
    return m;
}

static void parse_matchers(struct parser *p, struct node *node)
{
    size_t cap = 0;
    p->lexer.in_braces = true;
    advance(p);
    while (p->token.kind != TOKEN_RIGHT_BRACE) {
        node->matcher =
            arena_grow(p->arena, node->matcher, &cap, node->n_matchers, sizeof(*node->matcher));
        node->matcher[node->n_matchers] = parse_matcher(p);
        node->n_matchers++;
        if (p->token.kind != TOKEN_RIGHT_BRACE && !accept(p, TOKEN_COMMA))
            unexpected(p, "label matching", "\",\" or \"}\"");
    }
    p->lexer.in_braces = false;
    advance(p);
}

static struct node *parse_selector(struct parser *p, const struct token *name)
{
    struct node *node = new_node(p, NODE_SELECTOR, name ? name->start : p->token.start);
    if (p->token.kind == TOKEN_LEFT_BRACE)
        parse_matchers(p, node);
    if (name) {
        struct query_matcher *all =
            arena_array(p->arena, node->n_matchers + 1, sizeof(*node->matcher));
        if (node->n_matchers > 0)
            memcpy(all, node->matcher, node->n_matchers * sizeof(*all));
        node->metric = token_text(p, name);
        all[node->n_matchers++] =
            (struct query_matcher){QUERY_EQUAL, LABEL_METRIC_NAME, node->metric, NULL};
        node->matcher = all;
    }
    node->end = p->last_end;
    set_depth(p, node);
    return node;
}

static void parse_arguments(struct parser *p, struct node *node)
{
    size_t cap = 0;
    advance(p);
    while (p->token.kind != TOKEN_RIGHT_PAREN) {
        node->arg = arena_grow(p->arena, (void *)node->arg, &cap, node->n_args, sizeof(node));
        node->arg[node->n_args] = parse_binary(p, 1);
        node->n_args++;
        struct token comma = p->token;
        if (p->token.kind == TOKEN_RIGHT_PAREN)
            break;
        if (!accept(p, TOKEN_COMMA))
            unexpected(p, NULL, NULL);
        if (p->token.kind == TOKEN_RIGHT_PAREN)
            fail_at(p, comma.start, "trailing commas not allowed in function call args");
    }
    advance(p);
    node->end = p->last_end;
}

static struct node *parse_call(struct parser *p, const struct token *name)
{
    struct node *node = new_node(p, NODE_CALL, name->start);
    const char *text = p->lexer.text + name->start;
    if (name->keyword == KEYWORD_EXPERIMENTAL)
        fail_at(p, name->start, "modifier \"%.*s\" is experimental and not enabled",
                (int)(name->end - name->start), text);
    const struct function *f = function_find(text, name->end - name->start);
    parse_arguments(p, node);
    if (!f)
        fail_at(p, name->start, "unknown function with name \"%.*s\"",
                (int)MIN_OF(name->end - name->start, 200u), text);
    if (f->is_experimental)
        fail_at(p, name->start, "function \"%s\" is not enabled", f->name);
    node->function = f;
    set_depth(p, node);
    return node;
}

static bool parse_aggregate_modifier(struct parser *p, struct node *node)
{
    if (p->token.keyword != KEYWORD_BY && p->token.keyword != KEYWORD_WITHOUT)
        return false;
    node->without = p->token.keyword == KEYWORD_WITHOUT;
    advance(p);
    node->label = parse_grouping(p);
    return true;
}

static struct node *parse_aggregate(struct parser *p, const struct token *name)
{
    struct node *node = new_node(p, NODE_AGGREGATE, name->start);
    node->aggregator = name->aggregator;
    bool has_modifier = parse_aggregate_modifier(p, node);
    if (p->token.kind != TOKEN_LEFT_PAREN)
        unexpected(p, "aggregation", NULL);
    parse_arguments(p, node);
    if (!has_modifier)
        parse_aggregate_modifier(p, node);
    bool has_param = node->aggregator >= AGGREGATE_TOPK;
    if (node->aggregator >= AGGREGATE_LIMITK)
        fail_at(p, node->start,
                "%s() is experimental and must be enabled with "
                "--enable-feature=promql-experimental-functions",
                aggregator_names[node->aggregator]);
    if (node->n_args == 0)
        fail_at(p, node->start, "no arguments for aggregate expression provided");
    if (node->n_args != 1u + has_param)
        fail_at(p, node->start,
                "wrong number of arguments for aggregate expression provided, expected %d, got %zu",
                1 + has_param, node->n_args);
    node->param = has_param ? node->arg[0] : NULL;
    node->expr = node->arg[has_param];
    node->end = p->last_end;
    set_depth(p, node);
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
        unexpected(p, NULL, NULL);
    advance(p);
    if (name.keyword == KEYWORD_AGGREGATOR) {
        bool opens = p->token.kind == TOKEN_LEFT_PAREN || p->token.keyword == KEYWORD_BY ||
                     p->token.keyword == KEYWORD_WITHOUT;
        if (opens)
            return parse_aggregate(p, &name);
    } else if (p->token.kind == TOKEN_LEFT_PAREN && name.kind == TOKEN_IDENTIFIER &&
               (name.keyword == KEYWORD_NONE || name.keyword == KEYWORD_EXPERIMENTAL)) {
        return parse_call(p, &name);
    }
    return parse_selector(p, &name);
}

static struct node *parse_number(struct parser *p)
{
    struct token t = p->token;
    struct node *node = new_node(p, NODE_NUMBER, t.start);
    if (t.kind == TOKEN_NUMBER) {
        node->number = to_number(p, &t);
    } else {
        int64_t ms;
        if (promql_duration_parse(p->lexer.text + t.start, t.end - t.start, false, &ms) < 0)
            fail_at(p, t.start, "duration out of range");
        node->number = (double)ms / 1000;
        node->is_duration = true;
    }
    advance(p);
    node->end = p->last_end;
    set_depth(p, node);
    return node;
}

static struct node *parse_primary(struct parser *p)
{
    struct token t = p->token;
    struct node *node;
    switch (t.kind) {
    case TOKEN_NUMBER:
    case TOKEN_DURATION:
        return parse_number(p);
    case TOKEN_STRING:
        node = new_node(p, NODE_STRING, t.start);
        node->text = unquote(p, &t);
        advance(p);
        break;
    case TOKEN_LEFT_PAREN:
        node = new_node(p, NODE_PAREN, t.start);
        advance(p);
        node->expr = parse_binary(p, 1);
        if (!accept(p, TOKEN_RIGHT_PAREN))
            unexpected(p, NULL, NULL);
        break;
    case TOKEN_LEFT_BRACE:
        return parse_selector(p, NULL);
    case TOKEN_IDENTIFIER:
    case TOKEN_METRIC:
        return parse_word(p);
    default:
        unexpected(p, NULL, NULL);
    }
    node->end = p->last_end;
    set_depth(p, node);
    return node;
}

static struct node *parse_brackets(struct parser *p, struct node *inner)
{
    struct token open = p->token;
    advance(p);
    int64_t range = parse_duration(p, true, "subquery or range selector",
                                   "number, duration, step(), or range()");
    bool is_subquery = p->token.kind == TOKEN_COLON;
    struct node *node = new_node(p, is_subquery ? NODE_SUBQUERY : NODE_RANGE, inner->start);
    node->expr = inner;
    node->range_ms = range;
    if (is_subquery) {
        advance(p);
        if (p->token.kind != TOKEN_RIGHT_BRACKET)
            node->step_ms = parse_duration(p, true, "subquery selector",
                                           "number, duration, step(), range(), or \"]\"");
        if (p->token.kind != TOKEN_RIGHT_BRACKET) {
            refuse_duration_expression(p);
            unexpected(p, "subquery selector", "\"]\"");
        }
    } else {
        if (p->token.kind != TOKEN_RIGHT_BRACKET) {
            refuse_duration_expression(p);
            unexpected(p, "subquery or range", "\":\" or \"]\"");
        }
        if (inner->kind != NODE_SELECTOR)
            fail_at(p, open.start, "ranges only allowed for vector selectors");
        if (inner->offset_ms != 0)
            fail_at(p, open.start, "no offset modifiers allowed before range");
        if (inner->at != AT_NONE)
            fail_at(p, open.start, "no @ modifiers allowed before range");
    }
    advance(p);
    node->end = p->last_end;
    set_depth(p, node);
    return node;
}

// Where offset and @ of this node are kept.
static struct node *modified(struct parser *p, struct node *node, const char *what)
{
    if (node->kind == NODE_SELECTOR || node->kind == NODE_SUBQUERY)
        return node;
    if (node->kind == NODE_RANGE)
        return node->expr;
    fail_at(p, node->start,
            "%s must be preceded by an instant vector selector or range vector selector or a "
            "subquery",
            what);
}

static void parse_offset(struct parser *p, struct node *node)
{
    advance(p);
    bool is_negative = p->token.kind == TOKEN_OPERATOR && p->token.op == OP_SUB;
    if (is_negative || (p->token.kind == TOKEN_OPERATOR && p->token.op == OP_ADD))
        advance(p);
    int64_t ms = parse_duration(p, false, "offset", "number, duration, step(), or range()");
    struct node *to = modified(p, node, "offset modifier");
    if (to->offset_ms != 0)
        fail_at(p, node->start, "offset may not be set multiple times");
    to->offset_ms = is_negative ? -ms : ms;
    node->end = to->end = p->last_end;
}

static void parse_at_time(struct parser *p, struct node *node, struct node *to)
{
    bool is_negative = p->token.kind == TOKEN_OPERATOR && p->token.op == OP_SUB;
    if (is_negative || (p->token.kind == TOKEN_OPERATOR && p->token.op == OP_ADD))
        advance(p);
    struct token t = p->token;
    double seconds;
    if (t.kind == TOKEN_NUMBER)
        seconds = to_number(p, &t);
    else if (t.kind == TOKEN_DURATION)
        seconds = parse_number(p)->number;
    else
        unexpected(p, "@", "timestamp");
    if (is_negative)
        seconds = -seconds;
    if (!(fabs(seconds) < 9223372036854775.0))
        fail_at(p, node->start, "timestamp out of bounds for @ modifier: %f", seconds);
    if (t.kind == TOKEN_NUMBER)
        advance(p);
    to->at_ms = (int64_t)round(seconds * 1000);
    to->at = AT_TIME;
}

static void parse_at(struct parser *p, struct node *node)
{
    advance(p);
    struct node *to = modified(p, node, "@ modifier");
    if (to->at != AT_NONE)
        fail_at(p, node->start, "@ <timestamp> may not be set multiple times");
    if (p->token.keyword == KEYWORD_START || p->token.keyword == KEYWORD_END) {
        to->at = p->token.keyword == KEYWORD_START ? AT_START : AT_END;
        advance(p);
        if (!accept(p, TOKEN_LEFT_PAREN) || !accept(p, TOKEN_RIGHT_PAREN))
            unexpected(p, "@", "timestamp");
    } else {
        parse_at_time(p, node, to);
    }
    node->end = to->end = p->last_end;
}

static struct node *parse_postfix(struct parser *p)
{
    struct node *node = parse_primary(p);
    for (;;) {
        if (p->token.kind == TOKEN_LEFT_BRACKET)
            node = parse_brackets(p, node);
        else if (p->token.keyword == KEYWORD_OFFSET)
            parse_offset(p, node);
        else if (p->token.kind == TOKEN_AT)
            parse_at(p, node);
        else if (p->token.keyword == KEYWORD_EXPERIMENTAL)
            fail_at(p, p->token.start, "modifier \"%.*s\" is experimental and not enabled",
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
    advance(p);
    struct node *inner = parse_binary(p, op_table[OP_POW].precedence);
    if (inner->kind == NODE_NUMBER) {
        inner->number = t.op == OP_SUB ? -inner->number : inner->number;
        inner->start = t.start;
        return inner;
    }
    struct node *node = new_node(p, NODE_UNARY, t.start);
    node->op = t.op;
    node->expr = inner;
    node->end = inner->end;
    set_depth(p, node);
    return node;
}

static void parse_matching(struct parser *p, struct node *node)
{
    node->returns_bool = accept_keyword(p, KEYWORD_BOOL);
    if (p->token.keyword != KEYWORD_ON && p->token.keyword != KEYWORD_IGNORING)
        return;
    node->on = p->token.keyword == KEYWORD_ON;
    advance(p);
    node->label = parse_grouping(p);
    if (p->token.keyword != KEYWORD_GROUP_LEFT && p->token.keyword != KEYWORD_GROUP_RIGHT)
        return;
    node->card = p->token.keyword == KEYWORD_GROUP_LEFT ? MANY_TO_ONE : ONE_TO_MANY;
    advance(p);
    if (p->token.kind == TOKEN_LEFT_PAREN)
        node->include = parse_grouping(p);
}

static struct node *parse_binary(struct parser *p, int least)
{
    if (++p->depth > PROMQL_DEPTH_MAX)
        fail_at(p, p->token.start, "expression is nested more than %d levels deep",
                PROMQL_DEPTH_MAX);
    struct node *lhs = parse_unary(p);
    while (p->token.op != OP_NONE && op_table[p->token.op].precedence >= least) {
        const struct op_info *op = &op_table[p->token.op];
        struct node *node = new_node(p, NODE_BINARY, lhs->start);
        node->op = p->token.op;
        advance(p);
        parse_matching(p, node);
        node->lhs = lhs;
        node->rhs = parse_binary(p, op->right_associative ? op->precedence : op->precedence + 1);
        node->end = node->rhs->end;
        set_depth(p, node);
        lhs = node;
    }
    p->depth--;
    return lhs;
}

static void parse_all(struct parser *p)
{
    advance(p);
    if (p->token.kind == TOKEN_END)
        fail_at(p, 0, "no expression found in input");
    p->expr->root = parse_binary(p, 1);
    if (p->token.kind != TOKEN_END)
        unexpected(p, NULL, NULL);
    struct checker checker = {p->expr->text, p, fail_at};
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
