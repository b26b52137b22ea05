// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef PROMQL_SAMPLES_H
#define PROMQL_SAMPLES_H

/* A small source with what is awkward in it: resets, gaps, markers, NaN, series that begin late. */

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "model/labels.h"
#include "promql/memory.h"
#include "promql/notation.h"

#define SAMPLES_STEP_MS 10000
#define SAMPLES_SHIFT_MS 1234 /**< no sample on a border of windows */
#define SAMPLES_SECONDS 2400

static const char *const sample_lines[] = {
    "work_total{vm=\"a\",disk=\"x\",host=\"n\"} 0+7x240",
    "work_total{vm=\"a\",disk=\"y\",host=\"n\"} 5+3x100 0+2x139",
    "work_total{vm=\"b\",disk=\"x\",host=\"m\"} _x60 100+1.5x180",
    "level{vm=\"a\",disk=\"x\",host=\"n\"} 4 8 1 0 -3 2.5 7 1e6 4x60 3-1x100 9+0.25x80",
    "level{vm=\"b\",disk=\"x\",host=\"n\"} 1x80 stale _x20 2x60 stale 5x78",
    "level{vm=\"c\",disk=\"y\",host=\"m\"} -5+0.5x120 55-0.5x120",
    "gaps{vm=\"a\"} 1 _ 2 _x5 3 _x12 4 _x40 5x30 _ _ 6x20 _x7 7x60",
    "gaps{vm=\"b\"} _x100 1 _x3 2 _x3 3 _x3 4 _x3 5 _x3 6x80",
    "level_bucket{vm=\"a\",le=\"0.5\"} 0+1x240",
    "level_bucket{vm=\"a\",le=\"2\"} 0+3x240",
    "level_bucket{vm=\"a\",le=\"+Inf\"} 0+4x240",
};

static inline struct promql_memory *samples_new(void)
{
    struct promql_memory *m = promql_memory_new();
    for (size_t i = 0; i < ARRAY_LEN(sample_lines); i++) {
        struct promql_line line;
        if (promql_line_parse(sample_lines[i], strlen(sample_lines[i]), &line, NULL) < 0)
            abort();
        for (size_t k = 0; k < line.n; k++)
            if (!line.value[k].is_omitted)
                (void)promql_memory_append(m, line.labels,
                                           SAMPLES_SHIFT_MS + (int64_t)k * SAMPLES_STEP_MS,
                                           line.value[k].v);
        promql_line_done(&line);
    }
    return m;
}

#endif
