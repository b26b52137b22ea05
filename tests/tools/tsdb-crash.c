// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Fills a store whose every value is known beforehand, and checks one after whatever was done to
 * it. Batch i has the time T0 + i s; tests/e2e/test_tsdb.py and benchmarks/remember kill it.
 *
 *   tsdb-crash load DIR AT_LEAST PAUSE_US   check, then append until killed; prints "ready N MS",
 *                                           then "batch I MONOTONIC_MS", and "disk ERRNO UNWRITTEN"
 *   tsdb-crash make DIR BATCHES BLOCKS      a small store: BLOCKS blocks, the rest in the log
 *   tsdb-crash check DIR AT_LEAST           every batch from 0 on, no gap, no wrong value
 *   tsdb-crash damaged DIR BATCHES MOST_LOST [silent]
 *                                           values may be missing (and must be reported, unless
 *                                           silent), but not wrong
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/number.h"
#include "tsdb/tsdb.h"

#define T0 INT64_C(1700000000000)
#define SERIES 48
#define FLUSH_MS 50

static const struct tsdb_kind_of counter = {TSDB_SCALED, 9, true, 0};
static const struct tsdb_kind_of gauge = {TSDB_DOUBLE, 0, false, 0};

static bool is_counter(int k)
{
    return k % 3 != 0;
}

// Some constant, some on a line, some noisy.
static int64_t counter_at(int k, int64_t i)
{
    uint64_t noise = (uint64_t)(i * 2654435761 + k) % 4096;
    return k % 2 ? 5 : i * 15000000 + (int64_t)noise + k;
}

static double gauge_at(int k, int64_t i)
{
    return k % 2 ? (double)(i / 100 % 2) : sin((double)i) + k;
}

static double value_at(int k, int64_t i)
{
    return is_counter(k) ? (double)counter_at(k, i) / 1e9 : gauge_at(k, i);
}

static int fail(const char *what, const char *message)
{
    printf("FAILED %s: %s\n", what, message);
    return 1;
}

static int64_t now_ms(void)
{
    return clock_mono_ns(&clock_system) / NS_PER_MS;
}

static struct tsdb *open_store(const char *dir)
{
    struct tsdb_options o;
    struct tsdb *db = NULL;
    struct err err = {0};
    tsdb_options_init(&o);
    o.flush_ms = FLUSH_MS;
    o.fsync_ms = 200;
    o.head_ms = 300;
    o.raw.age_ms = o.minute.age_ms = o.hour.age_ms = 0;
    if (tsdb_open(dir, &o, &db, &err) < 0) {
        fail("open", err.message);
        exit(1);
    }
    return db;
}

/** What a series is found to hold. */
struct found {
    int64_t batches; // of the longest beginning without a gap
    int64_t samples;
    int64_t wrong;
};

static void look_at(const struct query_run *run, int k, struct found *f)
{
    for (size_t i = 0; i < run->n; i++) {
        int64_t batch = (run->t_ms[i] - T0) / 1000;
        bool is_right = run->t_ms[i] == T0 + batch * 1000 && run->v[i] == value_at(k, batch);
        f->wrong += !is_right;
        f->batches += batch == f->batches;
        f->samples++;
    }
}

static int series_number(const struct labels *l)
{
    const char *text = labels_get(l, "k");
    int64_t k = -1;
    return text && number_parse_i64(text, &k) == 0 ? (int)k : -1;
}

// *all: of each series.
static int read_store(struct tsdb *db, int64_t max_resolution_ms, struct found *all,
                      int64_t *counts)
{
    struct query_matcher m = {QUERY_EQUAL, "__name__", "crash", NULL};
    struct query_hints hints = {T0, INT64_MAX, max_resolution_ms, 0};
    struct query_source *source = tsdb_source(db);
    struct query_set *set = NULL;
    struct err err = {0};
    if (source->ops->select(source, &m, 1, &hints, 0, &set, &err) < 0)
        return fail("select", err.message);
    for (size_t i = 0; i < set->n; i++) {
        const struct query_run *run = NULL;
        size_t n = 0;
        int k = series_number(set->labels[i]);
        if (k < 0 || set->ops->read(set, i, T0, INT64_MAX, &run, &n, &err) < 0)
            return fail("read", err.message);
        for (size_t r = 0; r < n; r++) {
            if (run[r].resolution_ms == 0)
                look_at(&run[r], k, &all[k]);
            counts[k] += run[r].resolution_ms == 0 ? (int64_t)run[r].n : 0;
            for (size_t b = 0; run[r].resolution_ms > 0 && b < run[r].n; b++)
                counts[k] += run[r].bucket[b].count;
        }
    }
    source->ops->free_set(set);
    return 0;
}

// Every series whole up to the same batch; that many batches are returned.
static int check_whole(struct tsdb *db, int64_t at_least, int64_t *ret)
{
    struct found found[SERIES] = {0}, ignored[SERIES] = {0};
    int64_t raw[SERIES] = {0}, rolled[SERIES] = {0};
    if (read_store(db, 0, found, raw) || read_store(db, 3600000, ignored, rolled))
        return 1;
    int64_t least = INT64_MAX, most = 0;
    for (int k = 0; k < SERIES; k++) {
        const struct found *f = &found[k];
        if (f->wrong > 0 || f->samples != f->batches || rolled[k] != f->samples) {
            printf("FAILED series %d: %" PRId64 " samples, %" PRId64 " without a gap, %" PRId64
                   " wrong, %" PRId64 " in roll-ups\n",
                   k, f->samples, f->batches, f->wrong, rolled[k]);
            return 1;
        }
        least = MIN_OF(least, f->batches);
        most = MAX_OF(most, f->batches);
    }
    // A batch is cut into records; the last one may be there in part.
    if (most - least > 1 || least < at_least) {
        printf("FAILED %" PRId64 " to %" PRId64 " batches, at least %" PRId64 " were safe\n", least,
               most, at_least);
        return 1;
    }
    *ret = least;
    return 0;
}

static void print_notes(struct tsdb *db)
{
    struct query_texts notes = {0};
    tsdb_notes(db, &notes);
    for (size_t i = 0; i < notes.n; i++)
        printf("note %s\n", notes.text[i]);
    query_texts_done(&notes);
}

static int register_all(struct tsdb *db, uint32_t *ref)
{
    for (int k = 0; k < SERIES; k++) {
        char number[16];
        snprintf(number, sizeof(number), "%d", k);
        struct label label[] = {{"__name__", "crash"}, {"k", number}};
        struct err err = {0};
        if (tsdb_series(db, label, 2, is_counter(k) ? &counter : &gauge, &ref[k], &err) < 0)
            return fail("series", err.message);
    }
    return 0;
}

static void append(struct tsdb *db, const uint32_t *ref, int64_t i)
{
    union tsdb_value v[SERIES];
    for (int k = 0; k < SERIES; k++) {
        if (is_counter(k))
            v[k].i64 = counter_at(k, i);
        else
            v[k].f64 = gauge_at(k, i);
    }
    tsdb_append(db, T0 + i * 1000, ref, v, SERIES, NULL);
}

static int load(const char *dir, int64_t at_least, int64_t pause_us)
{
    int64_t started = now_ms(), batch = 0;
    uint32_t ref[SERIES];
    struct tsdb *db = open_store(dir);
    int64_t opened = now_ms() - started;
    if (check_whole(db, at_least, &batch) || register_all(db, ref))
        return 1;
    print_notes(db);
    printf("ready %" PRId64 " %" PRId64 "\n", batch, opened);
    for (int64_t i = batch;; i++) {
        append(db, ref, i);
        printf("batch %" PRId64 " %" PRId64 "\n", i, now_ms());
        if (i % 50 == 0) {
            struct tsdb_status s;
            tsdb_status(db, &s);
            printf("disk %d %" PRIu64 "\n", s.disk_error, s.log_unwritten_bytes);
        }
        usleep((useconds_t)pause_us);
    }
}

static int make(const char *dir, int64_t batches, int64_t blocks)
{
    uint32_t ref[SERIES];
    struct tsdb_options o;
    struct tsdb *db = NULL;
    struct err err = {0};
    tsdb_options_init(&o);
    if (tsdb_open(dir, &o, &db, &err) < 0)
        return fail("open", err.message);
    if (register_all(db, ref))
        return 1;
    for (int64_t i = 0; i < batches; i++) {
        append(db, ref, i);
        bool is_border = (i + 1) * (blocks + 1) / batches != i * (blocks + 1) / batches;
        if (is_border && i + 1 < batches && tsdb_settle(db, &err) < 0)
            return fail("settle", err.message);
    }
    tsdb_close(db);
    return 0;
}

static int check(const char *dir, int64_t at_least)
{
    struct tsdb *db = open_store(dir);
    int64_t batches = 0;
    int r = check_whole(db, at_least, &batches);
    print_notes(db);
    printf("batches %" PRId64 "\n", batches);
    tsdb_close(db);
    return r;
}

static int damaged(const char *dir, int64_t expected, int64_t most_lost, bool may_be_silent)
{
    struct tsdb_options o;
    struct tsdb *db = NULL;
    struct err err = {0};
    struct found found[SERIES] = {0};
    int64_t counts[SERIES] = {0}, samples = 0, wrong = 0;
    tsdb_options_init(&o);
    if (tsdb_open(dir, &o, &db, &err) < 0)
        return fail("open", err.message);
    int r = read_store(db, 0, found, counts);
    for (int k = 0; k < SERIES; k++) {
        samples += found[k].samples;
        wrong += found[k].wrong;
    }
    struct query_texts notes = {0};
    tsdb_notes(db, &notes);
    int64_t lost = expected * SERIES - samples;
    if (wrong > 0 || lost > most_lost || lost < 0 || (notes.n == 0 && !may_be_silent)) {
        printf("FAILED %" PRId64 " samples wrong, %" PRId64 " lost, %zu notes\n", wrong, lost,
               notes.n);
        r = 1;
    }
    query_texts_done(&notes);
    tsdb_close(db);
    return r;
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    int64_t a = 0, b = 0;
    if (argc < 4 || number_parse_i64(argv[3], &a) < 0 ||
        (argc > 4 && number_parse_i64(argv[4], &b) < 0))
        return fail("arguments", "load|make|check|damaged DIR N [N]");
    if (strcmp(argv[1], "load") == 0)
        return load(argv[2], a, b);
    if (strcmp(argv[1], "make") == 0)
        return make(argv[2], a, b);
    if (strcmp(argv[1], "check") == 0)
        return check(argv[2], a);
    if (strcmp(argv[1], "damaged") == 0)
        return damaged(argv[2], a, b, argc > 5);
    return fail("arguments", argv[1]);
}
