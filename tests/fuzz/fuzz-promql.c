// SPDX-License-Identifier: GPL-3.0-or-later
// Whatever parses is printed, laid out and turned into JSON; both texts parse again and print the
// same.
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "promql/promql.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void print(const struct buf *text, struct buf *out)
{
    struct promql_expr *expr;
    if (promql_parse(text->data, text->len, &expr, NULL) < 0)
        abort();
    promql_print(expr, out);
    promql_expr_free(expr);
}

static void check_texts(const struct promql_expr *expr)
{
    struct buf line, layout, again;
    buf_init(&line, 1 << 24);
    buf_init(&layout, 1 << 24);
    buf_init(&again, 1 << 24);
    promql_print(expr, &line);
    promql_format(expr, &layout);
    print(&line, &again);
    if (strcmp(line.data, again.data) != 0)
        abort();
    buf_reset(&again);
    print(&layout, &again);
    if (strcmp(line.data, again.data) != 0)
        abort();
    buf_done(&line);
    buf_done(&layout);
    buf_done(&again);
}

static void check_json(const struct promql_expr *expr)
{
    struct buf text;
    json_error_t why;
    buf_init(&text, 1 << 24);
    promql_expr_json(expr, &text);
    json_t *json = json_loadb(text.data, text.len, 0, &why);
    if (!json && strstr(why.text, "recursion") == NULL && strstr(why.text, "depth") == NULL)
        abort();
    json_decref(json);
    buf_done(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct promql_expr *expr;
    struct err err = {0};
    int r = promql_parse((const char *)data, size, &expr, &err);
    if (r < 0) {
        if (r == -EINVAL && (err.line < 1 || err.column < 1 || !err.message[0]))
            abort();
        return 0;
    }
    struct promql_selector selector[8];
    const struct promql_range range = {0, 60000, 1000};
    (void)promql_selectors(expr, &range, 0, selector, 8);
    check_texts(expr);
    check_json(expr);
    promql_expr_free(expr);
    return 0;
}
