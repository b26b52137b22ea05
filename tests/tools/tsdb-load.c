// SPDX-License-Identifier: GPL-3.0-or-later
// Puts a file of samples into a store, for tests and benchmarks of the daemon on known data:
//   tsdb-load DIRECTORY FILE [COPIES]
// FILE and COPIES: samples.h. Everything is in blocks at the end, roll-ups included. A series whose
// values are decimals becomes one of scaled numbers, as vherd's own are; others are doubles.
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/number.h"
#include "samples.h"
#include "tsdb/tsdb.h"

#define DECIMALS_MAX 9
#define EXACT_MAX 9007199254740992.0 // 2^53
#define SETTLE_EVERY_MS INT64_C(86400000)

struct sample {
    int64_t t_ms;
    uint32_t series;
    double v;
};

struct series {
    int scale; // -1: doubles
    uint32_t ref[SAMPLES_COPIES_MAX];
};

static void fail(const char *what, const char *message)
{
    fprintf(stderr, "%s: %s\n", what, message);
    exit(1);
}

static bool reads_back(double v, int scale)
{
    double unit = pow(10, scale), whole = rint(v * unit);
    return fabs(whole) < EXACT_MAX && whole / unit == v;
}

static int scale_of(const struct query_run *run, size_t n)
{
    int scale = 0;
    for (size_t k = 0; k < n; k++)
        for (size_t i = 0; i < run[k].n; i++)
            while (!reads_back(run[k].v[i], scale))
                if (++scale > DECIMALS_MAX)
                    return -1;
    return scale;
}

static void register_copies(struct tsdb *db, const struct labels *labels, struct series *s,
                            size_t copies)
{
    struct labels *copy[SAMPLES_COPIES_MAX] = {0};
    struct tsdb_kind_of of = {s->scale < 0 ? TSDB_DOUBLE : TSDB_SCALED, MAX_OF(s->scale, 0), false,
                              0};
    struct err err = {0};
    samples_copies(labels, copy, copies);
    for (size_t i = 0; i < copies; i++) {
        if (tsdb_series(db, copy[i]->label, copy[i]->n, &of, &s->ref[i], &err) < 0)
            fail("series", err.message);
        labels_free(copy[i]);
    }
}

static int by_time(const void *a, const void *b)
{
    const struct sample *x = a, *y = b;
    return (x->t_ms > y->t_ms) - (x->t_ms < y->t_ms);
}

static void append(struct tsdb *db, const struct sample *sample, size_t n,
                   const struct series *series, size_t copies)
{
    int64_t settled_ms = n > 0 ? sample[0].t_ms : 0;
    struct err err = {0};
    for (size_t i = 0; i < n; i++) {
        const struct sample *s = &sample[i];
        for (size_t k = 0; k < copies; k++)
            if (tsdb_append_one(db, series[s->series].ref[k], s->t_ms, s->v) < 0)
                fail("append", "refused");
        if (i + 1 < n && s->t_ms - settled_ms < SETTLE_EVERY_MS)
            continue;
        settled_ms = s->t_ms;
        if (tsdb_settle(db, &err) < 0)
            fail("settle", err.message);
    }
}

static size_t gather(struct query_set *set, struct tsdb *db, struct series *series, size_t copies,
                     struct sample **ret)
{
    size_t n = 0, cap = 0;
    struct err err = {0};
    for (size_t i = 0; i < set->n; i++) {
        const struct query_run *run;
        size_t runs;
        if (set->ops->read(set, i, INT64_MIN / 2, INT64_MAX / 2, &run, &runs, &err) < 0)
            fail("read", err.message);
        series[i].scale = scale_of(run, runs);
        register_copies(db, set->labels[i], &series[i], copies);
        for (size_t k = 0; k < runs; k++)
            for (size_t at = 0; at < run[k].n; at++) {
                mem_grow(ret, &cap, n, sizeof(**ret));
                (*ret)[n++] = (struct sample){run[k].t_ms[at], (uint32_t)i, run[k].v[at]};
            }
    }
    return n;
}

static struct tsdb *open_store(const char *directory)
{
    struct tsdb_options o;
    struct tsdb *db = NULL;
    struct err err = {0};
    tsdb_options_init(&o);
    o.raw.age_ms = o.minute.age_ms = o.hour.age_ms = 0;
    o.memory_max_bytes = UINT64_C(4) << 30;
    o.log_max_bytes = 0;
    if (tsdb_open(directory, &o, &db, &err) < 0)
        fail(directory, err.message);
    return db;
}

int main(int argc, char **argv)
{
    uint64_t copies = 1;
    if (argc < 3 || argc > 4 || (argc == 4 && number_parse_u64(argv[3], &copies) < 0) ||
        copies == 0 || copies > SAMPLES_COPIES_MAX)
        fail("usage", "tsdb-load DIRECTORY FILE [COPIES]");
    struct promql_memory *m = promql_memory_new();
    struct query_source *source = promql_memory_source(m);
    struct query_hints all = {.start_ms = INT64_MIN / 2, .end_ms = INT64_MAX / 2};
    struct query_set *set = NULL;
    struct sample *sample = NULL;
    struct err err = {0};
    samples_load(m, argv[2], 1);
    if (source->ops->select(source, NULL, 0, &all, 0, &set, &err) < 0)
        fail("select", err.message);
    struct tsdb *db = open_store(argv[1]);
    struct series *series = calloc(set->n + 1, sizeof(*series));
    size_t n = series ? gather(set, db, series, copies, &sample) : 0;
    if (n > 0)
        qsort(sample, n, sizeof(*sample), by_time);
    append(db, sample, n, series, copies);
    printf("%zu series, %" PRIu64 " samples\n", set->n * copies, (uint64_t)n * copies);
    tsdb_close(db);
    free(series);
    free(sample);
    set->ops->free_set(set);
    promql_memory_free(m);
    return 0;
}
