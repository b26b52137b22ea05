// SPDX-License-Identifier: GPL-3.0-or-later
// A tree as /api/v1/parse_query of Prometheus gives it.
#include <string.h>

#include "ast.h"
#include "base/esc.h"
#include "base/mem.h"
#include "eval.h"
#include "function.h"

static void put(struct buf *out, const struct node *node);

static void put_text(struct buf *out, const char *key, const char *text)
{
    buf_printf(out, ",\"%s\":\"", key);
    esc_json(out, text, strlen(text));
    buf_putc(out, '"');
}

static void put_flag(struct buf *out, const char *key, bool v)
{
    buf_printf(out, ",\"%s\":%s", key, v ? "true" : "false");
}

static void put_child(struct buf *out, const char *key, const struct node *node)
{
    buf_printf(out, ",\"%s\":", key);
    if (node)
        put(out, node);
    else
        buf_puts(out, "null");
}

static void put_names(struct buf *out, const char *key, const struct names *names)
{
    buf_printf(out, ",\"%s\":[", key);
    for (size_t i = 0; i < names->n; i++) {
        buf_puts(out, i > 0 ? ",\"" : "\"");
        esc_json(out, names->name[i], strlen(names->name[i]));
        buf_putc(out, '"');
    }
    buf_putc(out, ']');
}

static void put_modifiers(struct buf *out, const struct node *node)
{
    buf_printf(out, ",\"offset\":%lld", (long long)node->offset_ms);
    if (node->at == AT_TIME)
        buf_printf(out, ",\"timestamp\":%lld", (long long)node->at_ms);
    else
        buf_puts(out, ",\"timestamp\":null");
    if (node->at == AT_START || node->at == AT_END)
        put_text(out, "startOrEnd", node->at == AT_START ? "start" : "end");
    else
        buf_puts(out, ",\"startOrEnd\":null");
}

static void put_matchers(struct buf *out, const struct node *node)
{
    static const char *const signs[] = {"=", "!=", "=~", "!~"};
    put_text(out, "name", node->metric ? node->metric : "");
    buf_puts(out, ",\"matchers\":[");
    for (size_t i = 0; i < node->n_matchers; i++) {
        const struct query_matcher *m = &node->matcher[i];
        buf_puts(out, i > 0 ? ",{\"type\":\"" : "{\"type\":\"");
        buf_puts(out, signs[m->match]);
        buf_putc(out, '"');
        put_text(out, "name", m->name);
        put_text(out, "value", m->value);
        buf_putc(out, '}');
    }
    buf_putc(out, ']');
}

static void put_number(struct buf *out, const struct node *node)
{
    buf_puts(out, ",\"val\":\"");
    put_plain_number(out, node->number);
    buf_putc(out, '"');
}

static void put_string(struct buf *out, const struct node *node)
{
    put_text(out, "val", node->text);
}

static void put_selector(struct buf *out, const struct node *node)
{
    put_matchers(out, node);
    put_modifiers(out, node);
}

static void put_range(struct buf *out, const struct node *node)
{
    put_matchers(out, node->expr);
    buf_printf(out, ",\"range\":%lld", (long long)node->range_ms);
    put_modifiers(out, node->expr);
}

static void put_subquery(struct buf *out, const struct node *node)
{
    put_child(out, "expr", node->expr);
    buf_printf(out, ",\"range\":%lld,\"step\":%lld", (long long)node->range_ms,
               (long long)node->step_ms);
    put_modifiers(out, node);
}

static void put_call(struct buf *out, const struct node *node)
{
    const struct function *f = node->function;
    buf_puts(out, ",\"func\":{\"name\":\"");
    buf_puts(out, f->name);
    buf_puts(out, "\",\"argTypes\":[");
    for (size_t i = 0; i < f->n_args; i++)
        buf_printf(out, "%s\"%s\"", i > 0 ? "," : "", promql_type_name(f->arg[i]));
    buf_printf(out, "],\"variadic\":%d,\"returnType\":\"%s\"},\"args\":[", f->variadic,
               promql_type_name(f->result));
    for (size_t i = 0; i < node->n_args; i++) {
        if (i > 0)
            buf_putc(out, ',');
        put(out, node->arg[i]);
    }
    buf_putc(out, ']');
}

static void put_aggregate(struct buf *out, const struct node *node)
{
    put_text(out, "op", aggregator_names[node->aggregator]);
    put_child(out, "expr", node->expr);
    put_child(out, "param", node->param);
    put_names(out, "grouping", &node->label);
    put_flag(out, "without", node->without);
}

static void put_binary(struct buf *out, const struct node *node)
{
    static const char *const cards[] = {
        [ONE_TO_ONE] = "one-to-one",
        [MANY_TO_ONE] = "many-to-one",
        [ONE_TO_MANY] = "one-to-many",
        [MANY_TO_MANY] = "many-to-many",
    };
    put_text(out, "op", op_table[node->op].name);
    put_child(out, "lhs", node->lhs);
    put_child(out, "rhs", node->rhs);
    if (node->has_sides) {
        buf_printf(out, ",\"matching\":{\"card\":\"%s\"", cards[node->card]);
        put_names(out, "labels", &node->label);
        put_flag(out, "on", node->on);
        put_names(out, "include", &node->include);
        buf_putc(out, '}');
    } else {
        buf_puts(out, ",\"matching\":null");
    }
    put_flag(out, "bool", node->returns_bool);
}

static void put_unary(struct buf *out, const struct node *node)
{
    put_text(out, "op", op_table[node->op].name);
    put_child(out, "expr", node->expr);
}

static void put_paren(struct buf *out, const struct node *node)
{
    put_child(out, "expr", node->expr);
}

static void put(struct buf *out, const struct node *node)
{
    static const struct {
        const char *type;
        void (*put)(struct buf *out, const struct node *node);
    } kinds[] = {
        [NODE_NUMBER] = {"numberLiteral", put_number},
        [NODE_STRING] = {"stringLiteral", put_string},
        [NODE_SELECTOR] = {"vectorSelector", put_selector},
        [NODE_RANGE] = {"matrixSelector", put_range},
        [NODE_SUBQUERY] = {"subquery", put_subquery},
        [NODE_CALL] = {"call", put_call},
        [NODE_AGGREGATE] = {"aggregation", put_aggregate},
        [NODE_BINARY] = {"binaryExpr", put_binary},
        [NODE_UNARY] = {"unaryExpr", put_unary},
        [NODE_PAREN] = {"parenExpr", put_paren},
    };
    buf_printf(out, "{\"type\":\"%s\"", kinds[node->kind].type);
    kinds[node->kind].put(out, node);
    buf_putc(out, '}');
}

void promql_expr_json(const struct promql_expr *expr, struct buf *out)
{
    put(out, expr->root);
}
