// SPDX-License-Identifier: GPL-3.0-or-later
// Trees back into text, on one line and laid out, as Prometheus writes them.
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ast.h"
#include "base/mem.h"
#include "eval.h"

#define LINE_MAX_BYTES 100

static void print(struct buf *out, const struct node *node);

// Bare, these words are numbers in a list of labels.
static bool is_number_word(const char *name)
{
    return strcasecmp(name, "inf") == 0 || strcasecmp(name, "nan") == 0;
}

static void put_names(struct buf *out, const struct names *names)
{
    buf_putc(out, '(');
    for (size_t i = 0; i < names->n; i++) {
        if (i > 0)
            buf_puts(out, ", ");
        if (labels_is_plain_name(names->name[i]) && !is_number_word(names->name[i]))
            buf_puts(out, names->name[i]);
        else
            lex_quote(out, names->name[i], strlen(names->name[i]));
    }
    buf_putc(out, ')');
}

static void put_modifiers(struct buf *out, const struct node *node)
{
    if (node->at == AT_TIME)
        buf_printf(out, " @ %s%lld.%03lld", node->at_ms < 0 ? "-" : "",
                   llabs((long long)node->at_ms) / 1000, llabs((long long)node->at_ms) % 1000);
    else if (node->at != AT_NONE)
        buf_puts(out, node->at == AT_START ? " @ start()" : " @ end()");
    if (node->offset_ms == 0)
        return;
    buf_puts(out, " offset ");
    promql_duration_put(out, node->offset_ms);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static const char *match_sign(enum query_match match)
{
    static const char *const signs[] = {"=", "!=", "=~", "!~"};
    return signs[match];
}

static char *matcher_text(const struct query_matcher *m)
{
    struct buf text;
    buf_init(&text, 4 * PROMQL_TEXT_MAX);
    if (labels_is_plain_name(m->name))
        buf_puts(&text, m->name);
    else
        lex_quote(&text, m->name, strlen(m->name));
    buf_puts(&text, match_sign(m->match));
    lex_quote(&text, m->value, strlen(m->value));
    char *taken = buf_take(&text, NULL);
    return taken ? taken : mem_strdup("");
}

static void print_selector(struct buf *out, const struct node *node, bool modifiers)
{
    char **text = mem_zalloc((node->n_matchers + 1) * sizeof(*text));
    size_t n = 0;
    for (size_t i = 0; i < node->n_matchers; i++) {
        const struct query_matcher *m = &node->matcher[i];
        bool is_name = node->metric && m->match == QUERY_EQUAL &&
                       strcmp(m->name, LABEL_METRIC_NAME) == 0 &&
                       strcmp(m->value, node->metric) == 0;
        if (!is_name)
            text[n++] = matcher_text(m);
    }
    qsort(text, n, sizeof(*text), by_text);
    if (node->metric)
        buf_puts(out, node->metric);
    for (size_t i = 0; i < n; i++) {
        buf_putc(out, i > 0 ? ',' : '{');
        buf_puts(out, text[i]);
        free(text[i]);
    }
    if (n > 0)
        buf_putc(out, '}');
    free(text);
    if (modifiers)
        put_modifiers(out, node);
}

static void put_range(struct buf *out, const struct node *node)
{
    buf_putc(out, '[');
    promql_duration_put(out, node->range_ms);
    if (node->kind == NODE_SUBQUERY) {
        buf_putc(out, ':');
        if (node->step_ms)
            promql_duration_put(out, node->step_ms);
    }
    buf_putc(out, ']');
    put_modifiers(out, node->kind == NODE_RANGE ? node->expr : node);
}

static void put_aggregator(struct buf *out, const struct node *node)
{
    buf_puts(out, aggregator_names[node->aggregator]);
    if (!node->without && node->label.n == 0)
        return;
    buf_puts(out, node->without ? " without " : " by ");
    put_names(out, &node->label);
    buf_putc(out, ' ');
}

static void put_operator(struct buf *out, const struct node *node)
{
    bool grouped = node->card == MANY_TO_ONE || node->card == ONE_TO_MANY;
    buf_puts(out, op_table[node->op].name);
    if (node->returns_bool)
        buf_puts(out, " bool");
    if (!node->has_sides || !(node->label.n > 0 || node->on || grouped))
        return;
    buf_puts(out, node->on ? " on " : " ignoring ");
    put_names(out, &node->label);
    if (!grouped)
        return;
    buf_puts(out, node->card == MANY_TO_ONE ? " group_left " : " group_right ");
    put_names(out, &node->include);
}

static void print_number(struct buf *out, const struct node *node)
{
    if (node->is_duration)
        promql_duration_put(out, (int64_t)(node->number * 1000 + (node->number < 0 ? -0.5 : 0.5)));
    else
        put_plain_number(out, node->number);
}

static void print(struct buf *out, const struct node *node);

static void print_left(struct buf *out, const struct node *node)
{
    const struct node *left = node->lhs;
    // A sign binds less than a power: "+Inf ^ a" is +(Inf ^ a).
    if (node->op == OP_POW && left->kind == NODE_NUMBER && isinf(left->number))
        buf_puts(out, "Inf");
    else
        print(out, left);
}

static void print(struct buf *out, const struct node *node)
{
    switch (node->kind) {
    case NODE_NUMBER:
        print_number(out, node);
        break;
    case NODE_STRING:
        lex_quote(out, node->text, strlen(node->text));
        break;
    case NODE_SELECTOR:
        print_selector(out, node, true);
        break;
    case NODE_RANGE:
        print_selector(out, node->expr, false);
        put_range(out, node);
        break;
    case NODE_SUBQUERY:
        print(out, node->expr);
        put_range(out, node);
        break;
    case NODE_CALL:
    case NODE_AGGREGATE:
        if (node->kind == NODE_CALL)
            buf_puts(out, node->function->name);
        else
            put_aggregator(out, node);
        for (size_t i = 0; node_child(node, i); i++) {
            buf_puts(out, i > 0 ? ", " : "(");
            print(out, node_child(node, i));
        }
        buf_puts(out, node_child(node, 0) ? ")" : "()");
        break;
    case NODE_BINARY:
        print_left(out, node);
        buf_putc(out, ' ');
        put_operator(out, node);
        buf_putc(out, ' ');
        print(out, node->rhs);
        break;
    case NODE_UNARY:
        buf_puts(out, op_table[node->op].name);
        print(out, node->expr);
        break;
    case NODE_PAREN:
        buf_putc(out, '(');
        print(out, node->expr);
        buf_putc(out, ')');
        break;
    }
}

void promql_print(const struct promql_expr *expr, struct buf *out)
{
    print(out, expr->root);
}

static bool fits(const struct node *node)
{
    struct buf line;
    buf_init(&line, LINE_MAX_BYTES);
    print(&line, node);
    bool is_short = !line.error;
    buf_done(&line);
    return is_short;
}

static void indent(struct buf *out, int level)
{
    for (int i = 0; i < level; i++)
        buf_puts(out, "  ");
}

static void lay_out(struct buf *out, const struct node *node, int level, bool indented);

static void lay_out_arguments(struct buf *out, const struct node *node, int level)
{
    buf_puts(out, "(\n");
    for (size_t i = 0; node_child(node, i); i++) {
        if (i > 0)
            buf_puts(out, ",\n");
        lay_out(out, node_child(node, i), level + 1, true);
    }
    buf_putc(out, '\n');
    indent(out, level);
    buf_putc(out, ')');
}

static void lay_out_binary(struct buf *out, const struct node *node, int level)
{
    if (fits(node->lhs)) {
        indent(out, level + 1);
        print_left(out, node);
    } else {
        lay_out(out, node->lhs, level + 1, true);
    }
    buf_putc(out, '\n');
    indent(out, level);
    put_operator(out, node);
    buf_putc(out, '\n');
    lay_out(out, node->rhs, level + 1, true);
}

static void lay_out(struct buf *out, const struct node *node, int level, bool indented)
{
    bool is_split = !fits(node);
    if (is_split && node->kind == NODE_BINARY) {
        lay_out_binary(out, node, level);
        return;
    }
    if (indented && !(is_split && node->kind == NODE_SUBQUERY))
        indent(out, level);
    if (!is_split) {
        print(out, node);
        return;
    }
    switch (node->kind) {
    case NODE_AGGREGATE:
        put_aggregator(out, node);
        lay_out_arguments(out, node, level);
        break;
    case NODE_CALL:
        buf_puts(out, node->function->name);
        lay_out_arguments(out, node, level);
        break;
    case NODE_PAREN:
        lay_out_arguments(out, node, level);
        break;
    case NODE_SUBQUERY:
        lay_out(out, node->expr, level, indented);
        put_range(out, node);
        break;
    case NODE_UNARY:
        buf_puts(out, op_table[node->op].name);
        lay_out(out, node->expr, level, false);
        break;
    default:
        print(out, node);
    }
}

void promql_format(const struct promql_expr *expr, struct buf *out)
{
    lay_out(out, expr->root, 0, true);
}
