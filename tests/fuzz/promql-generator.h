// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef PROMQL_GENERATOR_H
#define PROMQL_GENERATOR_H

/* Queries out of bytes: every choice is a byte, and the bytes' end ends the query soon. */

#include <stdint.h>

#include "base/buf.h"
#include "base/mem.h"

struct generator {
    const uint8_t *data;
    size_t size, at;
    int depth;

    struct buf *out;
};

static void generate_vector(struct generator *g);
static void generate_scalar(struct generator *g);

static inline unsigned choose(struct generator *g, unsigned n)
{
    return g->at < g->size ? g->data[g->at++] % n : 0;
}

#define PICK(g, table) buf_puts((g)->out, (table)[choose(g, ARRAY_LEN(table))])

static inline bool is_deep(const struct generator *g)
{
    return g->depth > 5 || g->at >= g->size;
}

static inline void generate_labels(struct generator *g)
{
    static const char *const lists[] = {
        "()", "(vm)", "(disk)", "(vm, disk)", "(host, disk)", "(vm, disk, host)", "(nothing)"};
    PICK(g, lists);
}

static inline void generate_selector(struct generator *g, bool modifiers)
{
    static const char *const selectors[] = {"work_total",
                                            "level",
                                            "gaps",
                                            "work_total{vm=\"a\"}",
                                            "level{disk!=\"x\"}",
                                            "gaps{vm=~\"a|b\"}",
                                            "{__name__=~\"level|gaps\", vm!~\"c\"}",
                                            "nothing",
                                            "level_bucket"};
    static const char *const after[] = {
        "", "", " offset 30s", " offset -30s", " @ 1603.5", " @ start()", " @ end() offset 10s"};
    PICK(g, selectors);
    if (modifiers)
        PICK(g, after);
}

static inline void generate_range(struct generator *g)
{
    static const char *const ranges[] = {"[1m]", "[20s]", "[5m]", "[7m30s]"};
    static const char *const subqueries[] = {"[1m:10s]", "[3m:20s]", "[2m:]", "[5m:1m] offset 20s"};
    static const char *const after[] = {"", "", " offset 20s", " @ 1500.5"};
    if (is_deep(g) || choose(g, 3)) {
        generate_selector(g, false);
        PICK(g, ranges);
        PICK(g, after);
        return;
    }
    buf_putc(g->out, '(');
    generate_vector(g);
    buf_putc(g->out, ')');
    PICK(g, subqueries);
}

static inline void generate_aggregation(struct generator *g)
{
    static const char *const plain[] = {"sum", "avg",   "count",  "min",
                                        "max", "group", "stddev", "stdvar"};
    static const char *const parametric[] = {"topk", "bottomk", "quantile"};
    static const char *const grouping[] = {" by ", " without "};
    bool has_param = choose(g, 4) == 0;
    if (has_param)
        PICK(g, parametric);
    else
        PICK(g, plain);
    if (choose(g, 2)) {
        PICK(g, grouping);
        generate_labels(g);
    }
    buf_putc(g->out, '(');
    if (has_param) {
        generate_scalar(g);
        buf_puts(g->out, ", ");
    }
    generate_vector(g);
    buf_putc(g->out, ')');
}

static inline void generate_matching(struct generator *g)
{
    static const char *const kinds[] = {" on ", " ignoring "};
    static const char *const groups[] = {"", "", " group_left ()", " group_right (host)"};
    if (choose(g, 2))
        return;
    PICK(g, kinds);
    generate_labels(g);
    PICK(g, groups);
}

static inline void generate_binary(struct generator *g)
{
    static const char *const arithmetic[] = {" + ", " - ", " * ", " / ", " % ", " ^ ", " atan2 "};
    static const char *const comparisons[] = {" == ", " != ", " > ", " < ", " >= ", " <= "};
    static const char *const sets[] = {" and ", " or ", " unless "};
    unsigned kind = choose(g, 4), sides = choose(g, 3);
    if (kind == 3)
        sides = 0;
    buf_putc(g->out, '(');
    if (sides == 1)
        generate_scalar(g);
    else
        generate_vector(g);
    if (kind == 3) {
        PICK(g, sets);
        if (choose(g, 2)) {
            buf_puts(g->out, choose(g, 2) ? "on " : "ignoring ");
            generate_labels(g);
        }
    } else {
        if (kind == 2)
            PICK(g, comparisons);
        else
            PICK(g, arithmetic);
        if (kind == 2 && choose(g, 2))
            buf_puts(g->out, "bool");
        if (sides == 0)
            generate_matching(g);
    }
    buf_putc(g->out, ' ');
    if (sides == 2)
        generate_scalar(g);
    else
        generate_vector(g);
    buf_putc(g->out, ')');
}

static inline void generate_call(struct generator *g)
{
    static const char *const over[] = {"rate",
                                       "increase",
                                       "delta",
                                       "irate",
                                       "idelta",
                                       "deriv",
                                       "changes",
                                       "resets",
                                       "sum_over_time",
                                       "avg_over_time",
                                       "min_over_time",
                                       "max_over_time",
                                       "count_over_time",
                                       "last_over_time",
                                       "present_over_time",
                                       "stddev_over_time",
                                       "stdvar_over_time",
                                       "absent_over_time"};
    static const char *const maps[] = {
        "abs", "ceil",  "floor", "sgn",       "sqrt",   "exp",         "ln",   "sin",
        "rad", "round", "sort",  "timestamp", "absent", "day_of_week", "hour", "month"};
    static const char *const quantiles[] = {"0", "0.3", "0.5", "0.99", "1"};
    switch (choose(g, 7)) {
    case 0:
        PICK(g, maps);
        buf_putc(g->out, '(');
        generate_vector(g);
        break;
    case 1:
        buf_puts(g->out, "quantile_over_time(");
        PICK(g, quantiles);
        buf_puts(g->out, ", ");
        generate_range(g);
        break;
    case 2:
        buf_puts(g->out, "clamp_min(");
        generate_vector(g);
        buf_puts(g->out, ", ");
        generate_scalar(g);
        break;
    case 3:
        buf_puts(g->out, "label_replace(");
        generate_vector(g);
        buf_puts(g->out, ", \"copy\", \"$1-x\", \"vm\", \"(a|b)\"");
        break;
    case 4:
        buf_puts(g->out, "histogram_quantile(");
        PICK(g, quantiles);
        buf_puts(g->out, ", ");
        generate_vector(g);
        break;
    default:
        PICK(g, over);
        buf_putc(g->out, '(');
        generate_range(g);
    }
    buf_putc(g->out, ')');
}

static inline void generate_scalar(struct generator *g)
{
    static const char *const numbers[] = {"1", "0", "2.5", "-3", "0.5", "1e3", "time()", "pi()"};
    if (is_deep(g) || choose(g, 4)) {
        PICK(g, numbers);
        return;
    }
    g->depth++;
    buf_puts(g->out, "scalar(");
    generate_vector(g);
    buf_putc(g->out, ')');
    g->depth--;
}

static inline void generate_vector(struct generator *g)
{
    if (is_deep(g)) {
        generate_selector(g, false);
        return;
    }
    g->depth++;
    switch (choose(g, 6)) {
    case 0:
        generate_selector(g, true);
        break;
    case 1:
        generate_aggregation(g);
        break;
    case 2:
        generate_binary(g);
        break;
    case 3:
        buf_puts(g->out, "-(");
        generate_vector(g);
        buf_putc(g->out, ')');
        break;
    default:
        generate_call(g);
    }
    g->depth--;
}

#endif
