// SPDX-License-Identifier: GPL-3.0-or-later
// Completion of expressions: looks at the text before the cursor only, and asks the daemon for
// names. It need not parse: a wrong guess completes nothing.
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/esc.h"
#include "base/mem.h"
#include "query.h"

#define CANDIDATES_MAX 20000
#define TIMEOUT_MS 3000

static const char *const words[] = {
    "abs(",
    "absent(",
    "absent_over_time(",
    "acos(",
    "acosh(",
    "asin(",
    "asinh(",
    "atan(",
    "atanh(",
    "avg",
    "avg_over_time(",
    "bool",
    "bottomk",
    "by",
    "ceil(",
    "changes(",
    "clamp(",
    "clamp_max(",
    "clamp_min(",
    "cos(",
    "cosh(",
    "count",
    "count_over_time(",
    "count_values",
    "day_of_month(",
    "day_of_week(",
    "day_of_year(",
    "days_in_month(",
    "deg(",
    "delta(",
    "deriv(",
    "exp(",
    "floor(",
    "group",
    "group_left",
    "group_right",
    "histogram_quantile(",
    "hour(",
    "idelta(",
    "ignoring",
    "increase(",
    "irate(",
    "label_join(",
    "label_replace(",
    "last_over_time(",
    "ln(",
    "log10(",
    "log2(",
    "max",
    "max_over_time(",
    "min",
    "min_over_time(",
    "minute(",
    "month(",
    "offset",
    "on",
    "pi(",
    "predict_linear(",
    "present_over_time(",
    "quantile",
    "quantile_over_time(",
    "rad(",
    "rate(",
    "resets(",
    "round(",
    "scalar(",
    "sgn(",
    "sin(",
    "sinh(",
    "sort(",
    "sort_desc(",
    "sqrt(",
    "stddev",
    "stddev_over_time(",
    "stdvar",
    "stdvar_over_time(",
    "sum",
    "sum_over_time(",
    "tan(",
    "tanh(",
    "time(",
    "timestamp(",
    "topk",
    "unless",
    "vector(",
    "without",
    "year(",
};

enum place {
    PLACE_NAME,  // metric, function, keyword
    PLACE_LABEL, // within braces
    PLACE_VALUE, // within quotes behind a matcher
    PLACE_NONE,
};

struct context {
    enum place place;
    size_t word;  // where the word begins
    char *metric; // in front of the braces; "" where there is none
    char *label;  // of PLACE_VALUE
};

static bool is_name_char(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == ':';
}

// The name that ends before `end`.
static char *name_before(const char *text, size_t end)
{
    size_t at = end;
    while (at > 0 && is_name_char(text[at - 1]))
        at--;
    return mem_strndup(text + at, end - at);
}

static char *label_of_matcher(const char *text, size_t quote)
{
    size_t at = quote;
    while (at > 0 && strchr("=!~ ", text[at - 1]))
        at--;
    return name_before(text, at);
}

static struct context context_of(const char *text, size_t len)
{
    struct context c = {.place = PLACE_NAME, .word = len};
    size_t brace = 0, quote = 0;
    char in_quote = 0;
    bool in_braces = false;
    for (size_t i = 0; i < len; i++) {
        if (in_quote && text[i] == '\\' && in_quote != '`') {
            i++;
        } else if (in_quote) {
            in_quote = text[i] == in_quote ? 0 : in_quote;
        } else if (strchr("\"'`", text[i])) {
            in_quote = text[i];
            quote = i;
        } else if (text[i] == '{' || text[i] == '}') {
            in_braces = text[i] == '{';
            brace = i;
        }
    }
    if (in_braces)
        c.metric = name_before(text, brace);
    if (in_quote) {
        c.place = in_braces ? PLACE_VALUE : PLACE_NONE;
        c.label = label_of_matcher(text, quote);
        c.word = quote + 1;
        return c;
    }
    while (c.word > 0 && is_name_char(text[c.word - 1]))
        c.word--;
    c.place = in_braces ? PLACE_LABEL : PLACE_NAME;
    return c;
}

struct candidates {
    char **text;
    size_t n, cap;
    const char *before; // the text, of which `word` bytes stay
    size_t word, len;
};

static void offer(struct candidates *c, const char *candidate, const char *after)
{
    size_t typed = c->len - c->word;
    if (c->n == CANDIDATES_MAX || strncmp(candidate, c->before + c->word, typed) != 0)
        return;
    mem_grow(&c->text, &c->cap, c->n, sizeof(*c->text));
    c->text[c->n++] = mem_printf("%.*s%s%s", (int)c->word, c->before, candidate, after);
}

static void offer_answer(struct candidates *c, struct cli *cli, const char *path,
                         const char *metric, const char *after)
{
    CLEANUP(json_decrefp) json_t *answer = NULL;
    CLEANUP(buf_done) struct buf whole;
    buf_init(&whole, 1 << 16);
    buf_puts(&whole, path);
    if (metric && *metric) {
        buf_puts(&whole, "?match%5B%5D=");
        esc_url(&whole, metric);
    }
    if (whole.error || cli_get(cli, whole.data, TIMEOUT_MS, &answer, NULL) < 0)
        return;
    const json_t *list = api_list(answer, "data");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));
        if (text)
            offer(c, text, after);
    }
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

char **query_complete(struct cli *cli, const char *text, size_t len, size_t *ret_word,
                      size_t *ret_n)
{
    struct context context = context_of(text, len);
    struct candidates c = {.before = text, .word = context.word, .len = len};
    if (context.place == PLACE_NAME) {
        for (size_t i = 0; i < ARRAY_LEN(words); i++)
            offer(&c, words[i], "");
        offer_answer(&c, cli, "/api/v1/label/__name__/values", NULL, "");
    } else if (context.place == PLACE_LABEL) {
        offer_answer(&c, cli, "/api/v1/labels", context.metric, "=\"");
    } else if (context.place == PLACE_VALUE) {
        CLEANUP(buf_done) struct buf path;
        buf_init(&path, 1 << 16);
        buf_puts(&path, "/api/v1/label/");
        esc_url(&path, context.label);
        buf_puts(&path, "/values");
        if (*context.label)
            offer_answer(&c, cli, path.data, context.metric, "\"");
    }
    free(context.metric);
    free(context.label);
    if (c.n > 0)
        qsort(c.text, c.n, sizeof(*c.text), by_text);
    *ret_word = context.word;
    *ret_n = c.n;
    return c.text;
}
