// SPDX-License-Identifier: GPL-3.0-or-later
// Binary operators. Which series meet is decided once for each pair of label sets, by the number of
// the key that they match on; the operation then runs over all steps of both columns.
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "key.h"

#define EACH(expression)                                                                           \
    for (size_t k = 0; k < n; k++) {                                                               \
        double x = a[k], y = b[k];                                                                 \
        out[k] = is_absent(x) || is_absent(y) ? sample_stale() : (expression);                     \
    }                                                                                              \
    break

// The operation on columns; a comparison gives what `keep` holds where it is true, or 1 and 0.
static void compute(const struct node *node, const double *a, const double *b, const double *keep,
                    size_t n, double *out)
{
    bool one = node->returns_bool;
#define COMPARE(sign) EACH(one ? (double)(x sign y) : x sign y ? keep[k] : sample_stale())
    switch (node->op) {
    case OP_ADD:
        EACH(x + y);
    case OP_SUB:
        EACH(x - y);
    case OP_MUL:
        EACH(x * y);
    case OP_DIV:
        EACH(x / y);
    case OP_MOD:
        EACH(fmod(x, y));
    case OP_POW:
        EACH(pow(x, y));
    case OP_ATAN2:
        EACH(atan2(x, y));
    case OP_EQ:
        COMPARE(==);
    case OP_NE:
        COMPARE(!=);
    case OP_GT:
        COMPARE(>);
    case OP_LT:
        COMPARE(<);
    case OP_GE:
        COMPARE(>=);
    case OP_LE:
        COMPARE(<=);
    default:
        break;
    }
#undef COMPARE
}
#undef EACH

static bool drops_name(const struct node *node)
{
    return !op_table[node->op].is_comparison || node->returns_bool;
}

static void with_scalar(struct query *q, const struct node *node, const struct grid *g,
                        struct value *vector, const double *scalar, bool scalar_first,
                        struct value *ret)
{
    for (size_t i = 0; i < vector->n; i++) {
        double *v = vector->col[i].v;
        compute(node, scalar_first ? scalar : v, scalar_first ? v : scalar, v, g->n, v);
    }
    *ret = *vector;
    if (drops_name(node))
        value_drop_names(q, g, ret);
}

/** Both sides with the numbers of their series' keys. */
struct sides {
    struct query *q;
    const struct node *node;
    const struct grid *grid;
    struct value many, one; /**< `one` is the right side, but for group_right */
    struct key key;
    struct key_table table;
    uint32_t *many_key, *one_key;
};

static void number_keys(struct sides *s)
{
    struct query *q = s->q;
    s->key = key_new(q, &s->node->label, s->node->on);
    s->table = key_table_new(q, &s->key, s->one.n + 8);
    s->many_key = arena_array(&q->arena, s->many.n, sizeof(uint32_t));
    s->one_key = arena_array(&q->arena, s->one.n, sizeof(uint32_t));
    for (size_t i = 0; i < s->one.n; i++)
        s->one_key[i] = key_number(q, &s->table, s->one.col[i].labels);
    for (size_t i = 0; i < s->many.n; i++)
        s->many_key[i] = key_number(q, &s->table, s->many.col[i].labels);
}

// For each key and step: whether any of the columns has a sample.
static uint8_t **presence(struct sides *s, const struct value *value, const uint32_t *key)
{
    size_t n = s->grid->n;
    uint8_t **present = arena_zalloc(&s->q->arena, s->table.n, sizeof(*present));
    for (size_t i = 0; i < value->n; i++) {
        uint8_t **p = &present[key[i]];
        if (!*p)
            *p = arena_zalloc(&s->q->arena, n, 1);
        for (size_t k = 0; k < n; k++)
            (*p)[k] |= !is_absent(value->col[i].v[k]);
    }
    return present;
}

static void mask(double *v, const uint8_t *present, size_t n, bool keep_where_present)
{
    for (size_t k = 0; k < n; k++)
        if ((present && present[k]) != keep_where_present)
            v[k] = sample_stale();
}

static void combine_sets(struct sides *s, struct value *ret)
{
    bool is_or = s->node->op == OP_OR;
    struct value *masked = is_or ? &s->one : &s->many;
    const uint32_t *key = is_or ? s->one_key : s->many_key;
    uint8_t **present =
        is_or ? presence(s, &s->many, s->many_key) : presence(s, &s->one, s->one_key);
    for (size_t i = 0; i < masked->n; i++)
        mask(masked->col[i].v, present[key[i]], s->grid->n, s->node->op == OP_AND);
    if (!is_or) {
        *ret = s->many;
        value_compact(s->grid, ret);
        return;
    }
    ret->n = s->many.n + s->one.n;
    ret->col = arena_array(&s->q->arena, ret->n, sizeof(*ret->col));
    memcpy(ret->col, s->many.col, s->many.n * sizeof(*ret->col));
    memcpy(ret->col + s->many.n, s->one.col, s->one.n * sizeof(*ret->col));
    value_compact(s->grid, ret);
    value_merge(s->q, s->grid, ret);
}

static bool is_in(const struct names *names, const char *name)
{
    for (size_t i = 0; i < names->n; i++)
        if (strcmp(names->name[i], name) == 0)
            return true;
    return false;
}

// The labels of a result: those of the "many" side, reduced to what was matched on where it is one
// to one, with what group_left and group_right include from the other side.
static const struct labels *result_labels(struct sides *s, const struct labels *many,
                                          const struct labels *one)
{
    const struct node *node = s->node;
    struct label label[LABELS_MAX * 2];
    size_t n = 0;
    bool drop_name = !op_table[node->op].is_comparison ||
                     (node->returns_bool && !s->q->options.delayed_name_removal);
    for (uint32_t i = 0; i < many->n; i++) {
        const char *name = many->label[i].name;
        bool is_name = strcmp(name, LABEL_METRIC_NAME) == 0;
        if (is_name && drop_name)
            continue;
        if (node->card == ONE_TO_ONE && is_in(&node->label, name) != node->on)
            continue;
        if (!is_in(&node->include, name))
            label[n++] = many->label[i];
    }
    for (size_t i = 0; i < node->include.n && n < LABELS_MAX * 2; i++) {
        const char *name = node->include.name[i], *value = labels_get(one, name);
        bool again = false;
        for (size_t k = 0; k < i; k++)
            again |= strcmp(node->include.name[k], name) == 0;
        if (value && !again)
            label[n++] = (struct label){name, value};
    }
    return query_labels(s->q, label, n);
}

static bool meet(const double *a, const double *b, size_t n, size_t *ret_k, size_t from)
{
    for (size_t k = from; k < n; k++)
        if (!is_absent(a[k]) && !is_absent(b[k])) {
            *ret_k = k;
            return true;
        }
    return false;
}

static bool any_at(const struct value *value, size_t k)
{
    for (size_t i = 0; i < value->n; i++)
        if (!is_absent(value->col[i].v[k]))
            return true;
    return false;
}

// All labels between braces, the name among them.
static void put_labels(struct buf *out, const struct labels *l)
{
    buf_putc(out, '{');
    for (uint32_t i = 0; i < l->n; i++) {
        if (i > 0)
            buf_puts(out, ", ");
        buf_puts(out, l->label[i].name);
        buf_putc(out, '=');
        lex_quote(out, l->label[i].value, strlen(l->label[i].value));
    }
    buf_putc(out, '}');
}

static void fail_duplicate(struct sides *s, const struct labels *a, const struct labels *b)
{
    const struct labels *group = key_labels(s->q, &s->key, a);
    bool in_order = labels_compare(a, b) <= 0;
    char message[900];
    struct buf text;
    buf_init(&text, sizeof(message) - 1);
    buf_puts(&text, "found duplicate series for the match group ");
    put_labels(&text, group);
    buf_printf(&text, " on the %s hand-side of the operation: [",
               s->node->card == ONE_TO_MANY ? "left" : "right");
    put_labels(&text, in_order ? a : b);
    buf_puts(&text, ", ");
    put_labels(&text, in_order ? b : a);
    buf_puts(&text, "];many-to-many matching not allowed: matching labels must be unique on one "
                    "side");
    // Where it is too long the labels are cut, not the sentence lost.
    (void)snprintf(message, sizeof(message), "%s", text.len ? text.data : "");
    buf_done(&text);
    query_fail(s->q, EDOM, "%s", message);
}

/** Series of the "one" side by key, as chains. */
struct chains {
    uint32_t *first; /**< of each key; index + 1 */
    uint32_t *next;  /**< of each column; index + 1 */
};

// No two of a chain may have a sample at the same step (where the other side has any).
static void check_chain(struct sides *s, const struct chains *c, uint32_t first)
{
    for (uint32_t i = first; i; i = c->next[i - 1])
        for (uint32_t j = c->next[i - 1]; j; j = c->next[j - 1])
            for (size_t k = 0; meet(s->one.col[i - 1].v, s->one.col[j - 1].v, s->grid->n, &k, k);
                 k++)
                if (any_at(&s->many, k))
                    fail_duplicate(s, s->one.col[i - 1].labels, s->one.col[j - 1].labels);
}

static struct chains chain(struct sides *s)
{
    struct chains c;
    c.first = arena_zalloc(&s->q->arena, s->table.n, sizeof(uint32_t));
    c.next = arena_zalloc(&s->q->arena, s->one.n, sizeof(uint32_t));
    for (size_t i = s->one.n; i > 0; i--) {
        uint32_t key = s->one_key[i - 1];
        c.next[i - 1] = c.first[key];
        c.first[key] = (uint32_t)i;
    }
    for (size_t i = 0; i < s->table.n; i++)
        if (c.first[i] && c.next[c.first[i] - 1])
            check_chain(s, &c, c.first[i]);
    return c;
}

/** Two series that meet. */
struct pair {
    const struct column *many, *one;
    uint32_t key;
    const struct labels *labels;
};

static bool overlap(const struct pair *a, const struct pair *b, size_t n)
{
    for (size_t k = 0; k < n; k++)
        if (!is_absent(a->many->v[k]) && !is_absent(a->one->v[k]) && !is_absent(b->many->v[k]) &&
            !is_absent(b->one->v[k]))
            return true;
    return false;
}

// Two pairs of one key at one step: not allowed one to one, else only with different labels.
static void check_pairs(struct sides *s, const struct pair *pair, size_t n)
{
    struct query *q = s->q;
    uint32_t *last = arena_zalloc(&q->arena, s->table.n, sizeof(*last));
    uint32_t *before = arena_zalloc(&q->arena, n, sizeof(*before));
    for (size_t i = 0; i < n; i++) {
        query_check(q, s->grid->n);
        for (uint32_t j = last[pair[i].key]; j; j = before[j - 1]) {
            const struct pair *other = &pair[j - 1];
            if (s->node->card == ONE_TO_ONE) {
                if (overlap(&pair[i], other, s->grid->n))
                    query_fail(q, EDOM,
                               "multiple matches for labels: many-to-one matching must be explicit "
                               "(group_left/group_right)");
            } else if (labels_equal(pair[i].labels, other->labels) &&
                       overlap(&pair[i], other, s->grid->n)) {
                query_fail(q, EDOM,
                           "multiple matches for labels: grouping labels must ensure unique "
                           "matches");
            }
        }
        before[i] = last[pair[i].key];
        last[pair[i].key] = (uint32_t)i + 1;
    }
}

static struct pair *find_pairs(struct sides *s, const struct chains *c, size_t *ret_n)
{
    struct pair *pair = NULL;
    size_t n = 0, cap = 0, k;
    for (size_t i = 0; i < s->many.n; i++)
        for (uint32_t j = c->first[s->many_key[i]]; j; j = c->next[j - 1]) {
            const struct column *many = &s->many.col[i], *one = &s->one.col[j - 1];
            if (!meet(many->v, one->v, s->grid->n, &k, 0))
                continue;
            pair = arena_grow(&s->q->arena, pair, &cap, n, sizeof(*pair));
            pair[n++] = (struct pair){many, one, s->many_key[i],
                                      result_labels(s, many->labels, one->labels)};
        }
    *ret_n = n;
    return pair;
}

static void combine_matched(struct sides *s, struct value *ret)
{
    const struct node *node = s->node;
    struct chains c = chain(s);
    size_t n;
    struct pair *pair = find_pairs(s, &c, &n);
    check_pairs(s, pair, n);
    ret->col = arena_array(&s->q->arena, n, sizeof(*ret->col));
    for (size_t i = 0; i < n; i++) {
        const double *many = pair[i].many->v, *one = pair[i].one->v;
        bool swapped = node->card == ONE_TO_MANY;
        double *out = query_steps(s->q, s->grid);
        const double *left = swapped ? one : many;
        compute(node, left, swapped ? many : one, left, s->grid->n, out);
        bool drop_name = node->returns_bool && s->q->options.delayed_name_removal;
        ret->col[ret->n++] =
            (struct column){pair[i].labels, out, drop_name || pair[i].many->drop_name};
    }
    value_compact(s->grid, ret);
    value_merge(s->q, s->grid, ret);
}

static void with_vector(struct query *q, const struct node *node, const struct grid *g,
                        struct value *lhs, struct value *rhs, struct value *ret)
{
    bool swapped = node->card == ONE_TO_MANY;
    struct sides s = {.q = q,
                      .node = node,
                      .grid = g,
                      .many = swapped ? *rhs : *lhs,
                      .one = swapped ? *lhs : *rhs};
    number_keys(&s);
    if (op_table[node->op].is_set)
        combine_sets(&s, ret);
    else
        combine_matched(&s, ret);
}

void eval_binary(struct query *q, const struct node *node, const struct grid *g, struct value *ret)
{
    struct value lhs, rhs;
    eval(q, node->lhs, g, &lhs);
    eval(q, node->rhs, g, &rhs);
    ret->type = node->type;
    if (node->type == PROMQL_SCALAR) {
        ret->scalar = query_steps(q, g);
        compute(node, lhs.scalar, rhs.scalar, lhs.scalar, g->n, ret->scalar);
    } else if (lhs.type == PROMQL_SCALAR) {
        with_scalar(q, node, g, &rhs, lhs.scalar, true, ret);
    } else if (rhs.type == PROMQL_SCALAR) {
        with_scalar(q, node, g, &lhs, rhs.scalar, false, ret);
    } else {
        with_vector(q, node, g, &lhs, &rhs, ret);
    }
}
