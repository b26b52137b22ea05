// SPDX-License-Identifier: GPL-3.0-or-later
// promql-generate samples | queries SEED COUNT: the samples and the queries of the fuzz target, for
// asking another engine the same.
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "promql-generator.h"
#include "promql-samples.h"

static void print_samples(void)
{
    for (size_t i = 0; i < ARRAY_LEN(sample_lines); i++) {
        struct promql_line line;
        const char *text = sample_lines[i];
        int labels = (int)(strchr(text, '}') - text) + 1;
        if (promql_line_parse(text, strlen(text), &line, NULL) < 0)
            abort();
        for (size_t k = 0; k < line.n; k++)
            if (!line.value[k].is_omitted && !sample_is_stale(line.value[k].v))
                printf("%.*s %.17g %.3f\n", labels, text, line.value[k].v,
                       (double)(SAMPLES_SHIFT_MS + (int64_t)k * SAMPLES_STEP_MS) / 1000);
        promql_line_done(&line);
    }
    printf("# EOF\n");
}

static void print_query(uint64_t *state)
{
    uint8_t data[60];
    struct buf text;
    for (size_t i = 0; i < sizeof(data); i++) {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        data[i] = (uint8_t)(*state >> 32);
    }
    buf_init(&text, 1 << 20);
    struct generator g = {.data = data, .size = 10 + data[0] % 50, .out = &text};
    generate_vector(&g);
    printf("%s\n", text.data);
    buf_done(&text);
}

int main(int argc, char **argv)
{
    uint64_t seed = 1, count = 0;
    if (argc == 2 && strcmp(argv[1], "samples") == 0) {
        print_samples();
        return 0;
    }
    if (argc != 4 || number_parse_u64(argv[2], &seed) < 0 || number_parse_u64(argv[3], &count) < 0)
        return 2;
    seed = seed * UINT64_C(0x9E3779B97F4A7C15) | 1;
    for (uint64_t i = 0; i < count; i++)
        print_query(&seed);
    return 0;
}
