// SPDX-License-Identifier: GPL-3.0-or-later
// Which samples an expression reads.
#include <string.h>

#include "base/mem.h"
#include "ast.h"

#define LOOKBACK_DEFAULT_MS 300000

struct walk {
    const struct promql_range *query;
    int64_t lookback_ms;
    struct promql_selector *ret;
    size_t n, cap;
};

/** The times at which a node is evaluated. */
struct span {
    int64_t start_ms, end_ms;
};

static struct span moved(const struct walk *w, const struct node *node, struct span span)
{
    if (node->at != AT_NONE) {
        int64_t at = node->at == AT_TIME    ? node->at_ms
                     : node->at == AT_START ? w->query->start_ms
                                            : w->query->end_ms;
        span = (struct span){at, at};
    }
    return (struct span){span.start_ms - node->offset_ms, span.end_ms - node->offset_ms};
}

static void add(struct walk *w, const struct node *node, int64_t range_ms, struct span span)
{
    int64_t back = range_ms ? range_ms : w->lookback_ms;
    if (w->n < w->cap) {
        struct promql_selector *s = &w->ret[w->n];
        *s = (struct promql_selector){.matcher = node->matcher,
                                      .n_matchers = node->n_matchers,
                                      .start_ms = span.start_ms - back + 1,
                                      .end_ms = span.end_ms,
                                      .range_ms = range_ms};
        for (size_t i = 0; i < node->n_matchers; i++)
            if (node->matcher[i].match == QUERY_EQUAL &&
                strcmp(node->matcher[i].name, LABEL_METRIC_NAME) == 0)
                s->metric = node->matcher[i].value;
    }
    w->n++;
}

static void visit(struct walk *w, const struct node *node, struct span span)
{
    if (node->kind == NODE_SELECTOR) {
        add(w, node, 0, moved(w, node, span));
        return;
    }
    if (node->kind == NODE_RANGE) {
        add(w, node->expr, node->range_ms, moved(w, node->expr, span));
        return;
    }
    if (node->kind == NODE_SUBQUERY) {
        span = moved(w, node, span);
        span.start_ms -= node->range_ms;
    }
    for (size_t i = 0; node_child(node, i); i++)
        visit(w, node_child(node, i), span);
}

size_t promql_selectors(const struct promql_expr *expr, const struct promql_range *range,
                        int64_t lookback_ms, struct promql_selector *ret, size_t cap)
{
    struct walk w = {.query = range,
                     .ret = ret,
                     .cap = cap,
                     .lookback_ms = lookback_ms ? lookback_ms : LOOKBACK_DEFAULT_MS};
    visit(&w, expr->root, (struct span){range->start_ms, range->end_ms});
    return w.n;
}
