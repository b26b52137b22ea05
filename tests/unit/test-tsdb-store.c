// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "regex/regex.h"
#include "tsdb-dir.h"
#include "tsdb-open.h"
#include "tsdb/timeline.h"
#include "tsdb/tsdb.h"

static void settle(struct tsdb *db)
{
    struct err err = {0};
    if (tsdb_settle(db, &err) < 0)
        fail_msg("%s", err.message);
}

// All samples of the one series that matches, through whatever holds them.
static size_t read_one(struct tsdb *db, const char *metric, const char *domain, int64_t start,
                       int64_t end, int64_t *t, double *v, size_t cap)
{
    struct query_matcher m[] = {{QUERY_EQUAL, "__name__", metric, NULL},
                                {QUERY_EQUAL, "domain", domain, NULL}};
    struct query_hints hints = {start, end, 0, 0};
    struct query_source *source = tsdb_source(db);
    struct query_set *set = NULL;
    struct err err = {0};
    size_t n = 0;
    assert_int_equal(source->ops->select(source, m, 2, &hints, 0, &set, &err), 0);
    assert_in_range(set->n, 0, 1);
    const struct query_run *run = NULL;
    size_t n_runs = 0;
    if (set->n == 1)
        assert_int_equal(set->ops->read(set, 0, start, end, &run, &n_runs, &err), 0);
    for (size_t i = 0; i < n_runs; i++) {
        assert_int_equal(run[i].resolution_ms, 0);
        for (size_t k = 0; k < run[i].n && n < cap; k++, n++) {
            t[n] = run[i].t_ms[k];
            v[n] = run[i].v[k];
        }
    }
    source->ops->free_set(set);
    return n;
}

static void expect_line(struct tsdb *db, const char *domain, int first, int n)
{
    static int64_t t[20000];
    static double v[20000];
    size_t got = read_one(db, "cpu", domain, T0, T0 + 100000000, t, v, 20000);
    assert_int_equal(got, n);
    for (int i = 0; i < n; i++) {
        assert_int_equal(t[i], T0 + (first + i) * 1000);
        assert_true(v[i] == (double)((first + i) * INT64_C(15000000)) / 1e9);
    }
}

static void append_line(struct tsdb *db, const uint32_t *ref, size_t n, int first, int count)
{
    union tsdb_value v[64];
    for (int i = first; i < first + count; i++) {
        for (size_t k = 0; k < n; k++)
            v[k].i64 = i * INT64_C(15000000);
        struct tsdb_appended a = {0};
        assert_int_equal(tsdb_append(db, T0 + i * 1000, ref, v, n, &a), 0);
        assert_int_equal(a.stored, n);
    }
}

static void test_head_block_and_reopened(void **state)
{
    struct tsdb *db = open_store(*state);
    uint32_t ref[2] = {series(db, "cpu", "a", &ns), series(db, "cpu", "b", &ns)};
    assert_int_equal(series(db, "cpu", "a", &ns), ref[0]);
    append_line(db, ref, 2, 0, 100);
    expect_line(db, "a", 0, 100);
    settle(db);
    expect_line(db, "a", 0, 100);
    append_line(db, ref, 2, 100, 50);
    expect_line(db, "b", 0, 150);
    tsdb_close(db);
    db = open_store(*state);
    expect_line(db, "a", 0, 150);
    expect_line(db, "b", 0, 150);
    struct tsdb_status s;
    tsdb_status(db, &s);
    assert_int_equal(s.replayed, 100);
    assert_int_equal(s.unreadable, 0);
    assert_int_equal(s.blocks[0], 1);
    uint32_t again = series(db, "cpu", "a", &ns);
    append_line(db, &again, 1, 150, 10);
    expect_line(db, "a", 0, 160);
    tsdb_close(db);
}

static void test_second_opener(void **state)
{
    struct tsdb *db = open_store(*state), *other = NULL;
    struct tsdb_options o;
    struct err err = {0};
    tsdb_options_init(&o);
    assert_int_equal(tsdb_open(*state, &o, &other, &err), -EBUSY);
    assert_non_null(strstr(err.message, "another process"));
    tsdb_close(db);
    assert_int_equal(tsdb_open(*state, &o, &other, &err), 0);
    tsdb_close(other);
}

static void test_late_and_duplicate(void **state)
{
    struct tsdb *db = open_store(*state);
    uint32_t ref = series(db, "g", "a", &gauge);
    const int order[] = {0, 10, 20, 5, 15, 30, 1, 25, 40};
    for (size_t i = 0; i < ARRAY_LEN(order); i++)
        assert_int_equal(tsdb_append_one(db, ref, T0 + order[i] * 1000, order[i]), 0);
    assert_int_equal(tsdb_append_one(db, ref, T0 + 40000, 1), -EEXIST);
    assert_int_equal(tsdb_append_one(db, ref, T0 + 30000, 1), -EEXIST);
    assert_int_equal(tsdb_append_one(db, ref, T0 - 3 * 3600 * 1000, 1), -ETIME);
    for (int round = 0; round < 2; round++) {
        int64_t t[20];
        double v[20];
        assert_int_equal(read_one(db, "g", "a", T0, T0 + 100000, t, v, 20), 9);
        for (int i = 0; i < 9; i++) {
            assert_true(v[i] == (double)(t[i] - T0) / 1000);
            assert_true(i == 0 || t[i] > t[i - 1]);
        }
        settle(db);
    }
    CLEANUP(freep) struct tsdb_quality *q = NULL;
    size_t n = 0;
    assert_int_equal(tsdb_quality(db, "domain", &q, &n), 0);
    assert_int_equal(n, 1);
    assert_string_equal(q[0].value, "a");
    assert_int_equal(q[0].duplicates, 2);
    assert_int_equal(q[0].late, 1);
    assert_int_equal(q[0].out_of_order, 4);
    tsdb_close(db);
}

static int64_t now_ms(void)
{
    return clock_real_ns(&clock_system) / NS_PER_MS;
}

// Samples each ten minutes from `days` ago on, of a series that has newer ones.
static void append_history(struct tsdb *db, uint32_t ref, int64_t end_ms, int days)
{
    for (int i = days * 144; i > 0; i--)
        assert_int_equal(tsdb_append_old(db, ref, end_ms - i * INT64_C(600000), i), 0);
}

static void expect_history(struct tsdb *db, int64_t end_ms, size_t n)
{
    static int64_t t[20000];
    static double v[20000];
    assert_int_equal(read_one(db, "g", "a", 0, end_ms, t, v, 20000), n + 1);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(t[i], end_ms - (int64_t)(n - i) * 600000);
        assert_true(v[i] == (double)(n - i));
    }
    assert_int_equal(t[n], end_ms);
    assert_true(v[n] == 0);
}

// Older than late_ms, for a series that is sampled now: in the head, in blocks, after a restart.
static void test_history_of_a_live_series(void **state)
{
    struct tsdb *db = open_store(*state);
    uint32_t ref = series(db, "g", "a", &gauge);
    const int64_t end_ms = now_ms() / 600000 * 600000;
    assert_int_equal(tsdb_append_one(db, ref, end_ms, 0), 0);
    assert_int_equal(tsdb_append_one(db, ref, end_ms - 86400000, 0), -ETIME);
    append_history(db, ref, end_ms, 28);
    assert_int_equal(tsdb_append_old(db, ref, end_ms - 600000, 7), -EEXIST);
    assert_int_equal(tsdb_append_old(db, ref, end_ms - INT64_C(4000) * 86400000, 7), -ETIME);
    assert_int_equal(tsdb_append_old(db, ref, INT64_MIN, 7), -ETIME);
    expect_history(db, end_ms, 28 * 144);
    tsdb_close(db);
    for (int round = 0; round < 2; round++) {
        db = open_store(*state); // from the log, then from blocks
        expect_history(db, end_ms, 28 * 144);
        settle(db);
        expect_history(db, end_ms, 28 * 144);
        tsdb_close(db);
    }
    // What comes for a time that blocks have is not read: the first that was written counts.
    db = open_store(*state);
    ref = series(db, "g", "a", &gauge);
    assert_int_equal(tsdb_append_old(db, ref, end_ms - 20 * INT64_C(86400000), -1), 0);
    expect_history(db, end_ms, 28 * 144);
    settle(db);
    expect_history(db, end_ms, 28 * 144);
    tsdb_close(db);
}

// What is older than samples are kept has its roll-ups made before it goes.
static void test_history_beyond_the_samples(void **state)
{
    struct tsdb *db = open_store(*state);
    uint32_t ref = series(db, "g", "a", &gauge);
    const int64_t hour_ms = 3600000, end_ms = now_ms() / hour_ms * hour_ms;
    const int64_t start_ms = end_ms - 100 * 24 * hour_ms;
    assert_int_equal(tsdb_append_one(db, ref, end_ms, 0), 0);
    for (int i = 1; i <= 600; i++)
        assert_int_equal(tsdb_append_old(db, ref, start_ms + i * INT64_C(60000), i), 0);
    tsdb_close(db);
    // Now the clock is believed from the beginning: retention is at work beside compaction.
    db = open_store(*state);
    settle(db);
    struct tsdb_status s;
    for (int i = 0; i < 1000; i++, usleep(10000)) {
        tsdb_status(db, &s);
        if (s.block_samples[0] <= 1)
            break;
    }
    assert_int_equal(s.block_samples[0], 1);
    const struct query_matcher m = {QUERY_EQUAL, "__name__", "g", NULL};
    const struct query_hints hints = {start_ms + 1, start_ms + 10 * hour_ms, hour_ms, 0};
    struct query_source *source = tsdb_source(db);
    struct query_set *set = NULL;
    const struct query_run *run = NULL;
    size_t n_runs = 0;
    assert_int_equal(source->ops->select(source, &m, 1, &hints, 0, &set, NULL), 0);
    assert_int_equal(set->n, 1);
    assert_int_equal(set->ops->read(set, 0, hints.start_ms, hints.end_ms, &run, &n_runs, NULL), 0);
    assert_int_equal(n_runs, 1);
    assert_int_equal(run->resolution_ms, hour_ms);
    assert_int_equal(run->n, 10);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(run->bucket[i].count, 60);
        assert_true(run->bucket[i].max == (i + 1) * 60);
    }
    source->ops->free_set(set);
    tsdb_close(db);
}

// Decades between two samples of one series, back and forth.
static void test_times_far_apart(void **state)
{
    struct tsdb_options o;
    struct tsdb *db = NULL;
    tsdb_options_init(&o);
    o.raw = o.minute = o.hour = (struct tsdb_retention){0, 0};
    assert_int_equal(tsdb_open(*state, &o, &db, NULL), 0);
    uint32_t ref = series(db, "g", "a", &gauge);
    const int64_t year_ms = INT64_C(31536000000), end_ms = 50 * year_ms;
    assert_int_equal(tsdb_append_one(db, ref, end_ms, 0), 0);
    for (int i = 1; i < 100; i++) {
        int64_t t_ms = (i * 37 % 100 - 50) * year_ms;
        assert_int_equal(tsdb_append_old(db, ref, t_ms, (double)t_ms), 0);
    }
    assert_int_equal(tsdb_append_old(db, ref, -TSDB_TIME_MAX_MS - 1, 0), -ETIME);
    assert_int_equal(tsdb_append_one(db, ref, INT64_MAX, 0), -ETIME);
    for (int round = 0; round < 2; round++) {
        int64_t t[200];
        double v[200];
        assert_int_equal(read_one(db, "g", "a", INT64_MIN / 2, INT64_MAX / 2, t, v, 200), 100);
        for (int i = 0; i < 99; i++)
            assert_true(v[i] == (double)t[i] && t[i] == (i - 49) * year_ms);
        settle(db);
    }
    tsdb_close(db);
}

static void test_kinds(void **state)
{
    struct tsdb *db = open_store(*state);
    struct label label[] = {{"__name__", "cpu"}, {"domain", "a"}};
    uint32_t ref = series(db, "cpu", "a", &ns), other;
    struct err err = {0};
    assert_int_equal(tsdb_series(db, label, 2, &gauge, &other, &err), -EDOM);
    assert_int_equal(tsdb_series(db, label, 0, &gauge, &other, &err), -EINVAL);
    assert_int_equal(tsdb_append_one(db, ref, T0, 1.5), 0);
    assert_int_equal(tsdb_append_one(db, ref, T0 + 1, 1e-10), -EDOM);
    assert_int_equal(tsdb_append_stale(db, ref, T0 + 2), 0);
    int64_t t[4];
    double v[4];
    for (int round = 0; round < 2; round++) {
        assert_int_equal(read_one(db, "cpu", "a", T0, T0 + 10, t, v, 4), 2);
        assert_true(v[0] == 1.5 && sample_is_stale(v[1]));
        settle(db);
    }
    tsdb_close(db);
}

static size_t count_matching(struct tsdb *db, enum query_match match, const char *name,
                             const char *value)
{
    struct regex *re = NULL;
    if (match == QUERY_REGEX || match == QUERY_NOT_REGEX)
        assert_int_equal(regex_new(value, true, &re, NULL), 0);
    struct query_matcher m = {match, name, value, re};
    struct query_hints hints = {T0, T0 + 1000000, 0, 0};
    struct query_source *source = tsdb_source(db);
    struct query_set *set = NULL;
    assert_int_equal(source->ops->select(source, &m, 1, &hints, 0, &set, NULL), 0);
    size_t n = set->n;
    for (size_t i = 0; i < n; i++)
        assert_true(query_matches(&m, 1, set->labels[i]));
    source->ops->free_set(set);
    regex_free(re);
    return n;
}

static void test_matchers(void **state)
{
    struct tsdb *db = open_store(*state);
    const char *domain[] = {"web1", "web2", "db1", ""};
    for (size_t i = 0; i < ARRAY_LEN(domain); i++) {
        uint32_t ref = series(db, "up", domain[i], &gauge);
        assert_int_equal(tsdb_append_one(db, ref, T0, 1), 0);
    }
    for (int round = 0; round < 2; round++) {
        assert_int_equal(count_matching(db, QUERY_EQUAL, "domain", "web1"), 1);
        assert_int_equal(count_matching(db, QUERY_EQUAL, "domain", ""), 1);
        assert_int_equal(count_matching(db, QUERY_EQUAL, "absent", ""), 4);
        assert_int_equal(count_matching(db, QUERY_EQUAL, "absent", "x"), 0);
        assert_int_equal(count_matching(db, QUERY_NOT_EQUAL, "domain", "web1"), 3);
        assert_int_equal(count_matching(db, QUERY_NOT_EQUAL, "domain", ""), 3);
        assert_int_equal(count_matching(db, QUERY_NOT_EQUAL, "absent", ""), 0);
        assert_int_equal(count_matching(db, QUERY_REGEX, "domain", "web.*"), 2);
        assert_int_equal(count_matching(db, QUERY_REGEX, "domain", ".*"), 4);
        assert_int_equal(count_matching(db, QUERY_REGEX, "domain", ".+"), 3);
        assert_int_equal(count_matching(db, QUERY_REGEX, "domain", "web1|db1|x"), 2);
        assert_int_equal(count_matching(db, QUERY_REGEX, "domain", "web1|"), 2);
        assert_int_equal(count_matching(db, QUERY_NOT_REGEX, "domain", "web.*"), 2);
        assert_int_equal(count_matching(db, QUERY_NOT_REGEX, "domain", "web1|db1"), 2);
        assert_int_equal(count_matching(db, QUERY_NOT_REGEX, "domain", ".*"), 0);
        assert_int_equal(count_matching(db, QUERY_NOT_REGEX, "domain", ".+"), 1);
        settle(db);
    }
    struct query_texts texts = {0};
    struct query_source *source = tsdb_source(db);
    struct query_matcher m = {QUERY_EQUAL, "__name__", "up", NULL};
    assert_int_equal(source->ops->label_values(source, "domain", &m, 1, T0, T0, &texts, NULL), 0);
    assert_int_equal(texts.n, 3);
    assert_string_equal(texts.text[0], "db1");
    query_texts_done(&texts);
    assert_int_equal(source->ops->label_names(source, &m, 1, T0, T0, &texts, NULL), 0);
    assert_int_equal(texts.n, 2);
    query_texts_done(&texts);
    assert_int_equal(source->ops->label_names(source, &m, 1, 0, T0 - 1, &texts, NULL), 0);
    assert_int_equal(texts.n, 0);
    query_texts_done(&texts);
    struct query_set *set = NULL;
    struct err err = {0};
    struct query_hints hints = {T0, T0, 0, 0};
    assert_int_equal(source->ops->select(source, &m, 1, &hints, 2, &set, &err), -E2BIG);
    tsdb_close(db);
}

// Five hours each second: windows are closed, merged and rolled up; a selection made before keeps
// what it had.
static void test_rollups(void **state)
{
    struct tsdb *db = open_store(*state);
    uint32_t ref = series(db, "cpu", "a", &ns);
    const int64_t start = T0 - T0 % 7200000;
    for (int i = 1; i <= 18000; i++) {
        union tsdb_value v = {.i64 = (i % 9000) * INT64_C(1000000000)};
        tsdb_append(db, start + i * INT64_C(1000), &ref, &v, 1, NULL);
        if (i % 4000 == 0)
            settle(db);
    }
    settle(db);
    struct tsdb_status s;
    tsdb_status(db, &s);
    assert_int_equal(s.block_samples[1], 240);
    assert_int_equal(s.block_samples[2], 4);

    struct query_matcher m = {QUERY_EQUAL, "__name__", "cpu", NULL};
    struct query_hints hints = {start + 1, start + 18000000, 3600000, 0};
    struct query_source *source = tsdb_source(db);
    struct query_set *set = NULL;
    assert_int_equal(source->ops->select(source, &m, 1, &hints, 0, &set, NULL), 0);
    assert_int_equal(set->n, 1);
    const struct query_run *run;
    size_t n;
    assert_int_equal(set->ops->read(set, 0, start + 1, start + 18000000, &run, &n, NULL), 0);
    assert_int_equal(n, 2);
    assert_int_equal(run[0].resolution_ms, 3600000);
    assert_int_equal(run[0].n, 4);
    assert_int_equal(run[1].resolution_ms, 0);
    assert_int_equal(run[1].n, 3600);
    const struct query_bucket *b = run[0].bucket;
    assert_int_equal(b[0].end_ms, start + 3600000);
    assert_int_equal(b[0].count, 3600);
    assert_true(b[0].first == 1 && b[0].last == 3600 && b[0].min == 1 && b[0].max == 3600);
    assert_true(b[0].sum == 3600.0 * 3601 / 2);
    assert_true(b[0].increase == 3599 && b[1].increase == 3600);
    // The third hour falls from 8999 to 0; across the block's border the count goes on.
    assert_true(b[2].increase == 3599 && b[2].resets == 1 && b[2].min == 0);
    assert_true(b[3].increase == 3600 && b[3].resets == 0 && !b[3].stale);
    assert_int_equal(b[3].first_ms, start + 3 * 3600000 + 1000);
    source->ops->free_set(set);

    hints.max_resolution_ms = 0;
    assert_int_equal(source->ops->select(source, &m, 1, &hints, 0, &set, NULL), 0);
    assert_int_equal(set->ops->read(set, 0, start, start + 18000000, &run, &n, NULL), 0);
    assert_int_equal(n, 1);
    assert_int_equal(run[0].n, 18000);
    source->ops->free_set(set);

    // A late sample in a closed window: its hour is made again.
    assert_int_equal(tsdb_append_one(db, ref, start + 4 * 3600000 - 500, 6000), 0);
    settle(db);
    hints.max_resolution_ms = 3600000;
    assert_int_equal(source->ops->select(source, &m, 1, &hints, 0, &set, NULL), 0);
    assert_int_equal(set->ops->read(set, 0, start + 1, start + 18000000, &run, &n, NULL), 0);
    assert_int_equal(run[0].n, 4);
    assert_int_equal(run[0].bucket[3].count, 3601);
    source->ops->free_set(set);
    tsdb_close(db);
}

// Minute buckets of a selection; what they point to goes with the set.
static size_t minutes(struct tsdb *db, const struct query_hints *hints, struct query_set **set,
                      const struct query_bucket **ret)
{
    struct query_matcher m = {QUERY_EQUAL, "__name__", "cpu", NULL};
    struct query_source *source = tsdb_source(db);
    const struct query_run *run;
    size_t n;
    assert_int_equal(source->ops->select(source, &m, 1, hints, 0, set, NULL), 0);
    assert_int_equal((*set)->n, 1);
    assert_int_equal((*set)->ops->read(*set, 0, hints->start_ms, hints->end_ms, &run, &n, NULL), 0);
    assert_int_equal(n, 1);
    assert_int_equal(run[0].resolution_ms, 60000);
    *ret = run[0].bucket;
    return run[0].n;
}

static bool is_needed(const struct query_hints *h, int64_t end_ms)
{
    for (int64_t t = h->align_ms; t <= h->end_ms + h->step_ms; t += h->step_ms)
        if (end_ms > t - h->window_ms && end_ms <= t)
            return true;
    return false;
}

static void check_windows(struct tsdb *db, const struct query_hints *hints)
{
    const struct query_bucket *all, *some;
    struct query_set *all_set = NULL, *some_set = NULL;
    struct query_hints whole = *hints;
    whole.window_ms = 0;
    size_t n_all = minutes(db, &whole, &all_set, &all);
    size_t n_some = minutes(db, hints, &some_set, &some), at = 0;
    assert_true(n_some < n_all / 2);
    for (size_t i = 0; i < n_all; i++) {
        bool found = at < n_some && some[at].end_ms == all[i].end_ms;
        bool before = i + 1 < n_all && is_needed(hints, all[i + 1].end_ms);
        assert_true(found || !(is_needed(hints, all[i].end_ms) || before));
        if (!found)
            continue;
        const struct query_bucket *a = &all[i], *b = &some[at++];
        assert_true(a->first_ms == b->first_ms && a->last_ms == b->last_ms);
        assert_true(a->first == b->first && a->last == b->last && a->increase == b->increase);
        assert_true(a->count == b->count && a->resets == b->resets && a->stale == b->stale);
        assert_true(hints->skip_values || (a->min == b->min && a->max == b->max));
        assert_true(hints->skip_values || a->sum == b->sum);
    }
    assert_int_equal(at, n_some);
    all_set->ops->free_set(all_set);
    some_set->ops->free_set(some_set);
}

// Two days each 10 s, with resets: of the buckets those in windows, and the one before each.
static void test_windows(void **state)
{
    struct tsdb *db = open_store(*state);
    uint32_t ref = series(db, "cpu", "a", &ns);
    const int64_t start = T0 - T0 % 86400000, end = start + 2 * 86400000;
    for (int i = 1; i <= 18000; i++) {
        union tsdb_value v = {.i64 = (i % 701) * INT64_C(1000000000)};
        if (i % 97 > 12) // with minutes that have no sample
            tsdb_append(db, start + i * INT64_C(10000), &ref, &v, 1, NULL);
        if (i % 2000 == 0)
            settle(db);
    }
    settle(db);
    struct query_hints hints = {.start_ms = start + 1,
                                .end_ms = end - 3 * 3600000,
                                .max_resolution_ms = 60000,
                                .window_ms = 300000};
    static const int64_t steps_ms[] = {900000, 3000000, 12960000, 86400000};
    for (size_t i = 0; i < 2 * ARRAY_LEN(steps_ms); i++) {
        hints.step_ms = steps_ms[i / 2];
        hints.skip_values = i % 2;
        for (int64_t offset = -2; offset <= 2; offset++) {
            hints.align_ms = start + offset * 3600000;
            check_windows(db, &hints);
        }
    }
    tsdb_close(db);
}

static const struct query_run *samples(struct tsdb *db, const char *domain,
                                       const struct query_hints *hints, struct query_set **set)
{
    struct query_matcher m[] = {{QUERY_EQUAL, "__name__", "cpu", NULL},
                                {QUERY_EQUAL, "domain", domain, NULL}};
    struct query_source *source = tsdb_source(db);
    const struct query_run *run;
    size_t n;
    assert_int_equal(source->ops->select(source, m, 2, hints, 0, set, NULL), 0);
    assert_int_equal((*set)->n, 1);
    assert_int_equal((*set)->ops->read(*set, 0, hints->start_ms, hints->end_ms, &run, &n, NULL), 0);
    assert_int_equal(n, 1);
    assert_int_equal(run->resolution_ms, 0);
    return run;
}

// Whether sample i is the last of its window.
static bool is_last(const struct query_hints *h, const struct query_run *all, size_t i)
{
    for (int64_t t = h->align_ms; t <= h->end_ms + h->step_ms; t += h->step_ms)
        if (all->t_ms[i] > t - h->window_ms && all->t_ms[i] <= t)
            return i + 1 == all->n || all->t_ms[i + 1] > t;
    return false;
}

// What lies in windows is there, as it is among all samples; and little else.
static void check_sample_windows(struct tsdb *db, const char *domain,
                                 const struct query_hints *hints)
{
    struct query_set *all_set = NULL, *some_set = NULL;
    struct query_hints whole = *hints;
    whole.window_ms = 0;
    const struct query_run *all = samples(db, domain, &whole, &all_set);
    const struct query_run *some = samples(db, domain, hints, &some_set);
    size_t at = 0;
    assert_true(some->n < all->n / 2);
    for (size_t i = 0; i < all->n; i++) {
        bool found = at < some->n && some->t_ms[at] == all->t_ms[i];
        bool needed = hints->last_only ? is_last(hints, all, i) : is_needed(hints, all->t_ms[i]);
        assert_true(found || !needed);
        if (found)
            assert_memory_equal(&some->v[at++], &all->v[i], sizeof(double));
    }
    assert_int_equal(at, some->n);
    all_set->ops->free_set(all_set);
    some_set->ops->free_set(some_set);
}

// A day on its schedule and a day with jitter, numbers of each kind of column.
static void test_sample_windows(void **state)
{
    struct tsdb *db = open_store(*state);
    static const char *const domains[] = {"constant", "counter", "noise", "decimal"};
    uint32_t ref[4];
    for (size_t i = 0; i < 4; i++)
        ref[i] = series(db, "cpu", domains[i], i == 3 ? &gauge : &ns);
    const int64_t start = T0 - T0 % 86400000, end = start + 2 * 86400000;
    uint64_t random = 88172645463325252u;
    int64_t sum = 0;
    for (int i = 1; i <= 17280; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        sum += (int64_t)(random % 10000000);
        union tsdb_value v[4] = {{.i64 = 7},
                                 {.i64 = sum},
                                 {.i64 = (int64_t)(random >> (i % 300 == 0 ? 3 : 40))},
                                 {.f64 = (double)(random % 1000) / 100}};
        int64_t jitter_ms = i > 8640 ? (int64_t)(random % 5000) : 0;
        tsdb_append(db, start + i * INT64_C(10000) - jitter_ms, ref, v, 4, NULL);
        if (i % 4000 == 0)
            settle(db);
    }
    static const int64_t steps_ms[] = {900000, 3024000, 12960000};
    for (size_t i = 0; i < 4 * ARRAY_LEN(steps_ms); i++) {
        struct query_hints hints = {.start_ms = start + 777,
                                    .end_ms = end - 3600000,
                                    .step_ms = steps_ms[i / 4],
                                    .window_ms = 300000};
        for (int64_t offset = -2; offset <= 2; offset++) {
            hints.align_ms = start + offset * 3600500;
            hints.last_only = offset % 2;
            check_sample_windows(db, domains[i % 4], &hints);
        }
    }
    // The last of a window that is left where those after it are deleted.
    struct query_matcher m = {QUERY_EQUAL, "__name__", "cpu", NULL};
    struct query_hints hints = {.start_ms = start + 777,
                                .end_ms = end - 3600000,
                                .align_ms = start,
                                .step_ms = 3600000,
                                .window_ms = 300000,
                                .last_only = true};
    int64_t hour_ms = start + 5 * 3600000;
    assert_int_equal(tsdb_delete(db, &m, 1, hour_ms - 100000, hour_ms, NULL), 0);
    check_sample_windows(db, "counter", &hints);
    tsdb_close(db);
}

static void test_delete(void **state)
{
    struct tsdb *db = open_store(*state);
    uint32_t ref[2] = {series(db, "cpu", "a", &ns), series(db, "cpu", "b", &ns)};
    struct query_matcher m = {QUERY_EQUAL, "domain", "a", NULL};
    append_line(db, ref, 2, 0, 100);
    settle(db);
    append_line(db, ref, 2, 100, 100);
    assert_int_equal(tsdb_delete(db, &m, 1, 0, T0 + 149999, NULL), 0);
    append_line(db, ref, 2, 200, 1);
    expect_line(db, "a", 150, 51);
    expect_line(db, "b", 0, 201);
    tsdb_close(db);
    db = open_store(*state);
    expect_line(db, "a", 150, 51);
    settle(db);
    settle(db);
    expect_line(db, "a", 150, 51);
    expect_line(db, "b", 0, 201);
    struct tsdb_status s;
    tsdb_status(db, &s);
    assert_int_equal(s.block_samples[0], 252);
    tsdb_close(db);
}

static void test_snapshot(void **state)
{
    CLEANUP(freep) char *copy = mem_printf("%s/copy", (char *)*state);
    struct tsdb *db = open_store(*state);
    uint32_t ref = series(db, "cpu", "a", &ns);
    append_line(db, &ref, 1, 0, 100);
    assert_int_equal(tsdb_snapshot(db, copy, NULL), 0);
    struct err err = {0};
    assert_int_equal(tsdb_snapshot(db, copy, &err), -EEXIST);
    append_line(db, &ref, 1, 100, 10);
    struct tsdb *other = open_store(copy);
    expect_line(other, "a", 0, 100);
    expect_line(db, "a", 0, 110);
    tsdb_close(other);
    tsdb_close(db);
}

static void test_retention(void **state)
{
    struct tsdb_options o;
    struct tsdb *db = NULL;
    tsdb_options_init(&o);
    o.raw = (struct tsdb_retention){0, 1};
    assert_int_equal(tsdb_open(*state, &o, &db, NULL), 0);
    uint32_t ref = series(db, "cpu", "a", &ns);
    append_line(db, &ref, 1, 0, 100);
    settle(db);
    struct tsdb_status s;
    for (int i = 0; i < 1000; i++) {
        tsdb_status(db, &s);
        if (s.blocks[0] == 0)
            break;
        usleep(10000);
    }
    assert_int_equal(s.blocks[0], 0);
    tsdb_close(db);
}

// Retention comes after a job, so that the second finds it done.
static void expect_blocks(struct tsdb *db, int samples, int minutes, int hours)
{
    struct tsdb_status s;
    settle(db);
    settle(db);
    tsdb_status(db, &s);
    assert_int_equal(s.blocks[0], samples);
    assert_int_equal(s.blocks[1], minutes);
    assert_int_equal(s.blocks[2], hours);
}

// Samples, minutes and hours go, each at its own age, and what is younger stays. A clock that is
// set to a year to come costs nothing.
static void test_retention_by_age(void **state)
{
    const int64_t hour_ns = 3600 * NS_PER_S, year_ns = 365 * 24 * hour_ns;
    struct tsdb_options o;
    struct tsdb *db = NULL;
    struct clock_fake clock;
    clock_fake_init(&clock, NS_PER_S, T0 * NS_PER_MS);
    tsdb_options_init(&o);
    o.clock = &clock.clock;
    o.raw.age_ms = 10 * 3600000;
    o.minute.age_ms = 20 * 3600000;
    o.hour.age_ms = 30 * 3600000;
    assert_int_equal(tsdb_open(*state, &o, &db, NULL), 0);
    uint32_t old = series(db, "cpu", "old", &ns), young = series(db, "cpu", "young", &ns);
    append_line(db, &old, 1, 0, 100);
    append_line(db, &young, 1, 9 * 3600, 100); // closes the window of the old ones
    clock_fake_advance(&clock, 9 * hour_ns);
    expect_blocks(db, 2, 1, 1);
    clock.real += year_ns;
    expect_blocks(db, 2, 1, 1);
    clock.real -= year_ns;
    expect_blocks(db, 2, 1, 1);
    expect_line(db, "old", 0, 100);
    clock_fake_advance(&clock, 2 * hour_ns);
    expect_blocks(db, 1, 1, 1);
    expect_line(db, "young", 9 * 3600, 100);
    clock_fake_advance(&clock, 10 * hour_ns);
    expect_blocks(db, 0, 0, 1);
    clock_fake_advance(&clock, 10 * hour_ns);
    expect_blocks(db, 0, 0, 0);
    tsdb_close(db);
}

// A series that nobody holds goes from the head once its samples are in blocks, and is found there.
static void test_forgotten_series(void **state)
{
    struct tsdb *db = open_store(*state);
    uint32_t ref = series(db, "cpu", "a", &ns), other = series(db, "cpu", "b", &ns);
    append_line(db, &ref, 1, 0, 40);
    tsdb_release(db, ref);
    for (int i = 0; i < 5; i++) {
        append_line(db, &other, 1, 100 + i * 10, 10);
        settle(db);
    }
    struct tsdb_status s;
    tsdb_status(db, &s);
    assert_int_equal(s.series, 1);
    expect_line(db, "a", 0, 40);
    expect_line(db, "b", 100, 50);
    ref = series(db, "cpu", "a", &ns);
    append_line(db, &ref, 1, 40, 10);
    expect_line(db, "a", 0, 50);
    tsdb_close(db);
}

static uint64_t count_series(struct tsdb *db)
{
    struct tsdb_status s;
    tsdb_status(db, &s);
    return s.series;
}

// Of VMs that come and go the head keeps no more than a thousand series or so, however many there
// were since it was last written, and all are found in blocks.
static void test_churn(void **state)
{
    enum { VMS = 60, SERIES = 100, MOST = 1024 + SERIES + 1 };
    struct tsdb *db = open_store(*state);
    uint32_t kept = series(db, "kept", "host", &ns), ref[SERIES];
    char domain[32], metric[32];
    for (int vm = 0; vm < VMS; vm++) {
        snprintf(domain, sizeof(domain), "vm%d", vm);
        for (int i = 0; i < SERIES; i++) {
            snprintf(metric, sizeof(metric), "m%d", i);
            ref[i] = series(db, metric, domain, &ns);
        }
        append_line(db, &kept, 1, vm, 1);
        append_line(db, ref, 50, vm, 1);
        append_line(db, ref + 50, 50, vm, 1);
        for (int i = 0; i < SERIES; i++)
            tsdb_release(db, ref[i]);
        // The block thread takes its time; without it this waits for ever.
        while (count_series(db) > MOST)
            usleep(1000);
    }
    int64_t t[2];
    double v[2];
    for (int vm = 0; vm < VMS; vm++) {
        snprintf(domain, sizeof(domain), "vm%d", vm);
        assert_int_equal(read_one(db, "m99", domain, T0, T0 + 100000000, t, v, 2), 1);
        assert_int_equal(t[0], T0 + vm * 1000);
    }
    append_line(db, &kept, 1, VMS, 1);
    assert_int_equal(read_one(db, "kept", "host", T0 + VMS * 1000, T0 + 100000000, t, v, 2), 1);
    tsdb_close(db);
}

// One that is held again is not forgotten, though many that were let go with it are.
static void test_held_again(void **state)
{
    enum { N = 1200 };
    struct tsdb *db = open_store(*state);
    uint32_t ref[N];
    char metric[32];
    for (int i = 0; i < N; i++) {
        snprintf(metric, sizeof(metric), "m%d", i);
        ref[i] = series(db, metric, "a", &ns);
        append_line(db, &ref[i], 1, 0, 1);
    }
    for (int i = 0; i < 1000; i++)
        tsdb_release(db, ref[i]);
    assert_int_equal(series(db, "m7", "a", &ns), ref[7]);
    for (int i = 1000; i < N; i++)
        tsdb_release(db, ref[i]);
    while (count_series(db) > N - 1025)
        usleep(1000);
    assert_int_equal(series(db, "m7", "a", &ns), ref[7]);
    append_line(db, &ref[7], 1, 1, 1);
    int64_t t[3];
    double v[3];
    assert_int_equal(read_one(db, "m7", "a", T0, T0 + 100000000, t, v, 3), 2);
    assert_int_equal(read_one(db, "m8", "a", T0, T0 + 100000000, t, v, 3), 1);
    tsdb_close(db);
}

static void test_memory_limit(void **state)
{
    struct tsdb_options o;
    struct tsdb *db = NULL;
    tsdb_options_init(&o);
    o.memory_max_bytes = 1000;
    assert_int_equal(tsdb_open(*state, &o, &db, NULL), 0);
    uint32_t ref = series(db, "g", "a", &gauge);
    int refused = 0;
    for (int i = 0; i < 20000 && !refused; i++)
        refused = tsdb_append_one(db, ref, T0 + i * 1000, sin(i)) == -ENOSPC;
    assert_true(refused);
    tsdb_close(db);
}

// A wall clock that is set back an hour, ahead an hour and back, to 1970 and right again: each
// second is stored, none twice, nothing old goes, and no interval is negative.
static void test_clock(void **state)
{
    const int64_t jump_ms[] = {-3600000, 3600000, 3600000, -3600000, -T0, T0};
    struct tsdb_options o;
    struct tsdb *db = NULL;
    struct clock_fake clock;
    struct timeline line;
    static int64_t t[2000];
    static double v[2000];
    clock_fake_init(&clock, NS_PER_S, T0 * NS_PER_MS);
    tsdb_options_init(&o);
    o.clock = &clock.clock;
    o.raw.age_ms = 600000;
    assert_int_equal(tsdb_open(*state, &o, &db, NULL), 0);
    timeline_init(&line, 0, o.late_ms);
    uint32_t ref = series(db, "g", "a", &gauge);
    int n = 0;
    for (size_t jump = 0; jump <= ARRAY_LEN(jump_ms); jump++) {
        for (int i = 0; i < 100; i++, n++) {
            clock_fake_advance(&clock, NS_PER_S);
            int64_t t_ms =
                timeline_step(&line, clock.mono / NS_PER_MS, clock.real / NS_PER_MS, 5000, NULL);
            assert_int_equal(tsdb_append_one(db, ref, t_ms, n), 0);
        }
        settle(db);
        if (jump < ARRAY_LEN(jump_ms))
            clock.real += jump_ms[jump] * NS_PER_MS;
    }
    assert_int_equal(read_one(db, "g", "a", 0, INT64_MAX, t, v, 2000), n);
    for (int i = 1; i < n; i++)
        assert_true(t[i] > t[i - 1]);
    // The first jump goes into an hour that nothing was written in.
    bool seen[2000] = {0};
    for (int i = 0; i < n; i++)
        seen[(int)v[i]] = true;
    for (int i = 0; i < n; i++)
        assert_true(seen[i]);
    assert_int_equal(t[100], T0 + 1000);
    struct tsdb_status s;
    tsdb_status(db, &s);
    assert_int_equal(s.appended.late + s.appended.duplicate + s.appended.refused, 0);
    tsdb_close(db);
}

// A counter over the whole range of its type: a rise that does not fit the type is no fall.
static void test_largest_values(void **state)
{
    static const struct tsdb_kind_of counter = {TSDB_SCALED, 0, true, 1.0};
    const int64_t value[] = {-9000000000000000000, 9000000000000000000};
    struct tsdb *db = open_store(*state);
    uint32_t ref = series(db, "cpu", "a", &counter);
    for (size_t i = 0; i < ARRAY_LEN(value); i++) {
        union tsdb_value v = {.i64 = value[i]};
        assert_int_equal(tsdb_append(db, T0 + (int64_t)i * 1000, &ref, &v, 1, NULL), 0);
    }
    struct tsdb_quality *q = NULL;
    size_t n = 0;
    assert_int_equal(tsdb_quality(db, "domain", &q, &n), 0);
    assert_int_equal(n, 1);
    assert_int_equal(q[0].resets, 0);
    assert_int_equal(q[0].impossible, 1);
    free(q);
    tsdb_close(db);
}

static void make_fifo(const char *dir, const char *name)
{
    CLEANUP(freep) char *path = mem_printf("%s/%s", dir, name);
    assert_int_equal(mkfifo(path, 0600), 0);
}

// What others put into the directory neither stops the store nor costs samples.
static void test_foreign_files(void **state)
{
    struct tsdb *db = open_store(*state);
    uint32_t ref = series(db, "cpu", "a", &ns);
    append_line(db, &ref, 1, 0, 10);
    tsdb_close(db);
    make_fifo(*state, "log/00000099.log");
    make_fifo(*state, "log/18446744073709551615.log");
    make_fifo(*state, "log/0000000000000007.log");
    make_fifo(*state, "blocks/0s-0-7200-00000001.blk");
    make_fifo(*state, "blocks/a-18446744073709551614.blk");
    CLEANUP(freep) char *folder = mem_printf("%s/blocks/folder.blk", (char *)*state);
    assert_int_equal(mkdir(folder, 0700), 0);
    for (int i = 1; i < 4; i++) {
        db = open_store(*state);
        expect_line(db, "a", 0, 10 * i);
        ref = series(db, "cpu", "a", &ns);
        append_line(db, &ref, 1, i * 10, 10);
        if (i == 2)
            settle(db);
        tsdb_close(db);
    }
}

static void wait_for_log(struct tsdb *db)
{
    struct tsdb_status s = {.log_unwritten_bytes = 1};
    for (int i = 0; i < 3000 && s.log_unwritten_bytes > 0; i++) {
        usleep(5000);
        tsdb_status(db, &s);
    }
    assert_int_equal(s.log_unwritten_bytes, 0);
}

// Log was given up while the disk took none. Once it takes some again, what is written can be read:
// the descriptions of series, too, that were among what was given up.
static void test_log_after_a_full_disk(void **state)
{
    struct tsdb_options o;
    struct tsdb *db = NULL;
    struct tsdb_status s = {0};
    tsdb_options_init(&o);
    o.flush_ms = 5;
    o.memory_max_bytes = 256 << 10;
    assert_int_equal(tsdb_open(*state, &o, &db, NULL), 0);
    CLEANUP(freep) char *taken = mem_printf("%s/log/00000001.log", (char *)*state);
    assert_int_equal(mkdir(taken, 0700), 0); // no segment can be begun
    uint32_t first = series(db, "cpu", "first", &gauge), ref = 0;
    for (int i = 0; i < 20000 && s.log_dropped_bytes == 0; i++) {
        assert_int_equal(tsdb_append_one(db, first, T0 + i * 1000, sin(i)), 0);
        tsdb_status(db, &s);
    }
    assert_true(s.log_dropped_bytes > 0);
    ref = series(db, "cpu", "a", &ns);
    append_line(db, &ref, 1, 0, 3);
    assert_int_equal(rmdir(taken), 0);
    wait_for_log(db);
    append_line(db, &ref, 1, 3, 20);
    tsdb_close(db);
    // The head is not written when the store is closed: the log alone answers.
    db = open_store(*state);
    expect_line(db, "a", 3, 20);
    tsdb_close(db);
}

static void expect_domains(struct tsdb *db, int64_t start_ms, int64_t end_ms, const char *wanted)
{
    struct query_source *source = tsdb_source(db);
    struct query_matcher m = {QUERY_NOT_EQUAL, "domain", "", NULL};
    struct query_texts texts = {0};
    char got[64] = "";
    assert_int_equal(
        source->ops->label_values(source, "domain", &m, 1, start_ms, end_ms, &texts, NULL), 0);
    for (size_t i = 0; i < texts.n; i++)
        snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s ", texts.text[i]);
    query_texts_done(&texts);
    assert_string_equal(got, wanted);
}

// Those of series in blocks only, in both, and in the head only, each once and in its time.
static void test_label_values_of_head_and_blocks(void **state)
{
    const int64_t day_ms = 24 * 3600000;
    struct tsdb *db = open_store(*state);
    assert_int_equal(tsdb_append_one(db, series(db, "g", "old", &gauge), T0, 1), 0);
    assert_int_equal(tsdb_append_one(db, series(db, "g", "both", &gauge), T0, 1), 0);
    settle(db);
    assert_int_equal(tsdb_append_one(db, series(db, "g", "both", &gauge), T0 + day_ms, 1), 0);
    assert_int_equal(tsdb_append_one(db, series(db, "g", "new", &gauge), T0 + day_ms, 1), 0);
    for (int i = 0; i < 2; i++) {
        expect_domains(db, 0, INT64_MAX, "both new old ");
        expect_domains(db, T0 - 1000, T0 + 1000, "both old ");
        expect_domains(db, T0 + day_ms, T0 + day_ms, "both new ");
        expect_domains(db, 0, T0 - 10 * day_ms, "");
        settle(db);
    }
    tsdb_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TSDB_TEST(test_label_values_of_head_and_blocks),
        TSDB_TEST(test_log_after_a_full_disk),
        TSDB_TEST(test_largest_values),
        TSDB_TEST(test_foreign_files),
        TSDB_TEST(test_head_block_and_reopened),
        TSDB_TEST(test_second_opener),
        TSDB_TEST(test_late_and_duplicate),
        TSDB_TEST(test_history_of_a_live_series),
        TSDB_TEST(test_history_beyond_the_samples),
        TSDB_TEST(test_times_far_apart),
        TSDB_TEST(test_kinds),
        TSDB_TEST(test_matchers),
        TSDB_TEST(test_rollups),
        TSDB_TEST(test_windows),
        TSDB_TEST(test_sample_windows),
        TSDB_TEST(test_delete),
        TSDB_TEST(test_snapshot),
        TSDB_TEST(test_retention),
        TSDB_TEST(test_retention_by_age),
        TSDB_TEST(test_forgotten_series),
        TSDB_TEST(test_churn),
        TSDB_TEST(test_held_again),
        TSDB_TEST(test_memory_limit),
        TSDB_TEST(test_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
