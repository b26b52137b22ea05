// SPDX-License-Identifier: GPL-3.0-or-later
// Answers queries over samples out of files, for tests and benchmarks beside other engines:
//   promql-query [--time ROUNDS] [--copies N] FILE… < QUERIES
// FILE: samples.h. QUERIES: lines `START END STEP EXPRESSION` in milliseconds, STEP 0 for an
// instant. Output: a line of JSON for each, as Prometheus' API answers; with --time instead
// `SECONDS PEAK_BYTES BYTES`, the median.
// --copies: each series so many times, told apart by a label `copy`.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/esc.h"
#include "base/mem.h"
#include "base/number.h"
#include "promql/memory.h"
#include "promql/promql.h"
#include "samples.h"

#define ANSWER_MAX_BYTES (256u << 20)

static int answer(struct query_source *source, const struct promql_range *range, const char *text,
                  struct buf *out, size_t *ret_peak)
{
    struct promql_expr *expr = NULL;
    struct promql_result *result = NULL;
    struct err err = {0};
    int r = promql_parse(text, strlen(text), &expr, &err);
    if (r == 0 && range->step_ms > 0)
        r = promql_eval_range(expr, source, range, NULL, &result, &err);
    else if (r == 0)
        r = promql_eval_instant(expr, source, range->start_ms, NULL, &result, &err);
    if (r == 0) {
        struct promql_writer writer;
        buf_puts(out, "{\"status\":\"success\",\"data\":");
        promql_writer_init(&writer, result, 0);
        while (promql_writer_next(&writer, out, 65536))
            ;
        promql_write_annotations(result, out);
        *ret_peak = result->peak_bytes;
    } else {
        buf_printf(out, "{\"status\":\"error\",\"errorType\":\"%s\",\"error\":\"",
                   promql_error_type(r));
        esc_json(out, err.message, strlen(err.message));
        buf_putc(out, '"');
    }
    buf_putc(out, '}');
    promql_result_free(result);
    promql_expr_free(expr);
    return r;
}

static int by_number(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void measure(struct query_source *source, const struct promql_range *range, const char *text,
                    size_t rounds, struct buf *out)
{
    int64_t *ns = mem_zalloc(rounds * sizeof(*ns));
    size_t peak = 0;
    for (size_t i = 0; i < rounds; i++) {
        buf_reset(out);
        int64_t begin = clock_mono_ns(&clock_system);
        (void)answer(source, range, text, out, &peak);
        ns[i] = clock_mono_ns(&clock_system) - begin;
    }
    qsort(ns, rounds, sizeof(*ns), by_number);
    printf("%.9f %zu %zu\n", (double)ns[rounds / 2] / 1e9, peak, out->len);
    free(ns);
}

int main(int argc, char **argv)
{
    struct promql_memory *m = promql_memory_new();
    struct query_source *source = promql_memory_source(m);
    uint64_t rounds = 0, copies = 1;
    for (int i = 1; i < argc; i++) {
        uint64_t *option = strcmp(argv[i], "--time") == 0     ? &rounds
                           : strcmp(argv[i], "--copies") == 0 ? &copies
                                                              : NULL;
        if (!option)
            samples_load(m, argv[i], MIN_OF(copies, SAMPLES_COPIES_MAX));
        else if (i + 1 == argc || number_parse_u64(argv[++i], option) < 0)
            return 2;
    }
    char *line = NULL;
    size_t size = 0;
    struct buf out;
    buf_init(&out, ANSWER_MAX_BYTES);
    while (getline(&line, &size, stdin) >= 0) {
        struct promql_range range;
        const char *p = line;
        size_t peak = 0;
        if (!number_scan_i64(&p, &range.start_ms) || !number_scan_i64(&p, &range.end_ms) ||
            !number_scan_i64(&p, &range.step_ms)) {
            fprintf(stderr, "not a query: %s", line);
            return 2;
        }
        p += *p == ' ';
        line[strcspn(line, "\n")] = '\0';
        if (rounds > 0) {
            measure(source, &range, p, rounds, &out);
        } else {
            buf_reset(&out);
            (void)answer(source, &range, p, &out, &peak);
            printf("%s\n", out.error ? "{\"status\":\"error\",\"error\":\"too long\"}" : out.data);
        }
        fflush(stdout);
    }
    free(line);
    buf_done(&out);
    promql_memory_free(m);
    return 0;
}
