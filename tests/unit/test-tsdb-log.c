// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <fcntl.h>
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

#include "base/fs.h"
#include "base/mem.h"
#include "log.h"
#include "tsdb-dir.h"
#include "tsdb/tail.h"

#define T0 INT64_C(1700000000000)
#define RECORDS 20

static const struct tsdb_kind_of kind = {TSDB_SCALED, 3, false, 0};

static void put_samples(struct buf *out, int64_t t_ms, int n)
{
    struct log_samples b;
    log_samples_begin(&b, out, LOG_SAMPLES, t_ms);
    for (int i = 0; i < n; i++)
        log_samples_put(&b, (uint32_t)i, i % 2 ? TSDB_DOUBLE : TSDB_SCALED,
                        i % 2 ? (union tsdb_value){.f64 = i / 2.0} : (union tsdb_value){.i64 = -i});
    log_samples_end(&b);
}

static void count_sample(void *arg, int64_t t_ms, const struct log_sample *s)
{
    int *n = arg;
    assert_int_equal(t_ms, T0);
    assert_int_equal(s->ref, *n);
    if (s->kind == TSDB_DOUBLE)
        assert_true(s->v.f64 == *n / 2.0);
    else
        assert_int_equal(s->v.i64, -*n);
    ++*n;
}

static void test_records(void **state)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, 1 << 24);
    for (int i = 0; i < LOG_HEADER; i++)
        buf_putc(&out, 0);
    struct label label[] = {{"__name__", "up"}, {"job", "x"}};
    CLEANUP(freep) struct labels *labels = labels_new(label, 2);
    log_series(&out, 7, &kind, labels);
    put_samples(&out, T0, 50000);
    struct log_cursor c;
    struct log_record r;
    log_cursor_init(&c, (uint8_t *)out.data, out.len);
    assert_int_equal(c.skips, 1); // the header above is none
    assert_true(log_next(&c, &r));
    struct log_series_record s;
    assert_int_equal(log_read_series(&r, &s), 0);
    assert_int_equal(s.ref, 7);
    assert_int_equal(s.of.scale, 3);
    assert_int_equal(s.n, 2);
    assert_string_equal(s.label[1].value, "x");
    int n = 0, records = 0;
    while (log_next(&c, &r)) {
        assert_int_equal(r.type, LOG_SAMPLES);
        assert_int_equal(log_read_samples(&r, count_sample, &n), 0);
        records++;
    }
    assert_int_equal(n, 50000);
    assert_true(records > 5); // a flipped bit costs a part of the batch only
    assert_int_equal(c.at, out.len);
}

struct seen {
    int n;
    bool record[RECORDS];
};

static void see(void *arg, int64_t t_ms, const struct log_sample *s)
{
    struct seen *seen = arg;
    seen->record[t_ms - T0] = true;
    seen->n++;
}

static void build(struct buf *out, size_t *at)
{
    buf_init(out, 1 << 20);
    for (int i = 0; i < LOG_HEADER; i++)
        buf_putc(out, 0);
    for (int i = 0; i < RECORDS; i++) {
        at[i] = out->len;
        put_samples(out, T0 + i, 3);
    }
    at[RECORDS] = out->len;
}

static struct seen read_all(const uint8_t *data, size_t len)
{
    struct seen seen = {0};
    struct log_cursor c;
    struct log_record r;
    log_cursor_init(&c, data, len);
    while (log_next(&c, &r))
        log_read_samples(&r, see, &seen);
    return seen;
}

// Each flipped bit costs the record it is in, and no other.
static void test_every_bit(void **state)
{
    CLEANUP(buf_done) struct buf out;
    size_t at[RECORDS + 1];
    build(&out, at);
    for (size_t i = LOG_HEADER; i < out.len; i++)
        for (int bit = 0; bit < 8; bit++) {
            out.data[i] ^= (char)(1 << bit);
            struct seen seen = read_all((uint8_t *)out.data, out.len);
            out.data[i] ^= (char)(1 << bit);
            assert_int_equal(seen.n, 3 * (RECORDS - 1));
            for (int k = 0; k < RECORDS; k++)
                assert_int_equal(seen.record[k], i < at[k] || i >= at[k + 1]);
        }
}

static void test_every_length(void **state)
{
    CLEANUP(buf_done) struct buf out;
    size_t at[RECORDS + 1];
    build(&out, at);
    for (size_t len = 0; len <= out.len; len++) {
        CLEANUP(freep) uint8_t *copy = malloc(len + 1);
        memcpy(copy, out.data, len);
        struct seen seen = read_all(copy, len);
        for (int k = 0; k < RECORDS; k++)
            assert_int_equal(seen.record[k], len >= at[k + 1]);
    }
}

static struct tsdb *open_flushing(const char *dir, uint64_t log_max, int64_t flush_ms)
{
    struct tsdb_options o;
    struct tsdb *db = NULL;
    struct err err = {0};
    tsdb_options_init(&o);
    o.flush_ms = flush_ms;
    o.log_max_bytes = log_max;
    o.hour.age_ms = 0; // T0 is long ago
    if (tsdb_open(dir, &o, &db, &err) < 0)
        fail_msg("%s", err.message);
    return db;
}

static struct tsdb *open_store(const char *dir, uint64_t log_max)
{
    return open_flushing(dir, log_max, 5);
}

static void append(struct tsdb *db, int from, int n)
{
    struct label label[] = {{"__name__", "x"}};
    uint32_t ref;
    assert_int_equal(tsdb_series(db, label, 1, &kind, &ref, NULL), 0);
    for (int i = from; i < from + n; i++)
        assert_int_equal(tsdb_append_one(db, ref, T0 + i * 1000, i / 1000.0), 0);
}

// Waits for samples from number *next on, all in order.
static void follow(struct tsdb_tail *tail, struct tsdb_tail_position *position, int *next, int end)
{
    struct err err = {0};
    for (int wait = 0; *next < end && wait < 2000; wait++) {
        struct tsdb_tail_batch b;
        int r = tsdb_tail_next(tail, 5, &b, &err);
        assert_in_range(r, 0, 1);
        if (r == 0)
            usleep(5000);
        for (size_t i = 0; r == 1 && i < b.n; i++, ++*next) {
            assert_int_equal(b.sample[i].t_ms, T0 + *next * 1000);
            assert_true(b.sample[i].v == *next / 1000.0);
            assert_string_equal(b.labels[b.sample[i].series]->label[0].value, "x");
        }
        if (r == 1)
            *position = b.next;
    }
    assert_int_equal(*next, end);
}

static void test_tail(void **state)
{
    struct tsdb *db = open_store(*state, 1 << 30);
    struct tsdb_tail_position position = {0};
    struct tsdb_tail *tail = NULL;
    int next = 0;
    assert_int_equal(tsdb_tail_open(db, "test", &position, &tail, NULL), 0);
    append(db, 0, 100);
    follow(tail, &position, &next, 50);
    // The log behind the reader stays, over flushes and a restart, with the position kept outside.
    assert_int_equal(tsdb_settle(db, NULL), 0);
    append(db, 100, 100);
    assert_int_equal(tsdb_settle(db, NULL), 0);
    tsdb_tail_done(tail, &position);
    tsdb_tail_close(tail);
    tsdb_close(db);
    db = open_store(*state, 1 << 30);
    assert_int_equal(tsdb_tail_open(db, "test", &position, &tail, NULL), 0);
    assert_true(tsdb_tail_behind(tail) > 0);
    append(db, 200, 25);
    // Who follows gets what is new only: receivers refuse what is old, and what comes with it.
    struct label label[] = {{"__name__", "x"}};
    uint32_t ref;
    assert_int_equal(tsdb_series(db, label, 1, &kind, &ref, NULL), 0);
    for (int i = 1; i < 50; i++)
        assert_int_equal(tsdb_append_old(db, ref, T0 - i * 1000, i), 0);
    append(db, 225, 25);
    follow(tail, &position, &next, 250);
    tsdb_tail_done(tail, &position);
    assert_int_equal(tsdb_settle(db, NULL), 0);
    struct tsdb_status s;
    tsdb_status(db, &s);
    assert_in_range(s.log_segments, 0, 2);
    tsdb_tail_close(tail);
    tsdb_close(db);
}

static void test_tail_left_behind(void **state)
{
    struct tsdb *db = open_store(*state, 1);
    struct tsdb_tail_position position = {0};
    struct tsdb_tail *tail = NULL;
    struct tsdb_tail_batch b;
    int next = 0;
    assert_int_equal(tsdb_tail_open(db, "slow", &position, &tail, NULL), 0);
    append(db, 0, 10);
    follow(tail, &position, &next, 10);
    tsdb_tail_done(tail, &position);
    for (int i = 1; i < 5; i++) {
        append(db, i * 10, 10);
        usleep(50000);
        assert_int_equal(tsdb_settle(db, NULL), 0);
    }
    append(db, 50, 10);
    int r = 0;
    for (int i = 0; i < 1000 && r == 0; i++, usleep(5000))
        r = tsdb_tail_next(tail, 1000, &b, NULL);
    assert_int_equal(r, 1);
    assert_in_range(b.skipped_segments, 1, 4);
    CLEANUP(query_texts_done) struct query_texts notes = {0};
    assert_int_equal(tsdb_notes(db, &notes), 0);
    int named = 0;
    for (size_t i = 0; i < notes.n; i++)
        named += strstr(notes.text[i], "slow is behind") != NULL;
    assert_int_equal(named, 1); // not with each block: other notes would be pushed out
    tsdb_tail_close(tail);
    tsdb_close(db);
}

// One append of many new series: no sample stands in the log before what its series is.
static void test_tail_of_many_new_series(void **state)
{
    enum { MANY = 60000 };
    struct tsdb *db = open_store(*state, 1 << 30);
    CLEANUP(freep) uint32_t *ref = mem_zalloc(MANY * sizeof(*ref));
    CLEANUP(freep) union tsdb_value *v = mem_zalloc(MANY * sizeof(*v));
    const struct tsdb_kind_of real = {TSDB_DOUBLE, 0, false, 0};
    for (int i = 0; i < MANY; i++) {
        char number[16];
        snprintf(number, sizeof(number), "%d", i);
        struct label label[] = {{"__name__", "x"}, {"i", number}};
        assert_int_equal(tsdb_series(db, label, 2, &real, &ref[i], NULL), 0);
        v[i].f64 = i + 0.5;
    }
    struct tsdb_tail_position position = {0};
    struct tsdb_tail *tail = NULL;
    assert_int_equal(tsdb_tail_open(db, "test", &position, &tail, NULL), 0);
    assert_int_equal(tsdb_append(db, T0, ref, v, MANY, NULL), 0);
    assert_int_equal(tsdb_settle(db, NULL), 0);
    assert_int_equal(tsdb_append(db, T0 + 1000, ref, v, 1, NULL), 0); // ends what is to be read
    size_t n = 0;
    struct tsdb_tail_batch b = {0};
    for (int i = 0; i < 2000 && n <= MANY; i++) {
        int r = tsdb_tail_next(tail, 100000, &b, NULL);
        assert_true(r >= 0);
        n += r == 1 ? b.n : 0;
        if (r == 1 && b.sample[b.n - 1].t_ms > T0)
            break;
        usleep(r == 1 ? 0 : 5000);
    }
    assert_int_equal(n, MANY + 1);
    tsdb_tail_close(tail);
    tsdb_close(db);
}

static size_t count_series(struct tsdb *db)
{
    struct query_matcher m = {QUERY_EQUAL, "__name__", "x", NULL};
    struct query_hints hints = {0, INT64_MAX, 0, 0};
    struct query_source *source = tsdb_source(db);
    struct query_set *set = NULL;
    assert_int_equal(source->ops->select(source, &m, 1, &hints, 0, &set, NULL), 0);
    size_t n = set->n;
    source->ops->free_set(set);
    return n;
}

static void check_nothing_is_left(const char *dir)
{
    const struct query_matcher m = {QUERY_EQUAL, "__name__", "x", NULL};
    struct tsdb *db = open_store(dir, 1 << 30);
    size_t found = 0;
    struct query_hints hints = {T0, T0 + 1000000, 0, 0};
    struct query_source *source = tsdb_source(db);
    struct query_set *set = NULL;
    assert_int_equal(source->ops->select(source, &m, 1, &hints, 0, &set, NULL), 0);
    for (size_t k = 0; k < set->n; k++) {
        const struct query_run *run = NULL;
        size_t runs = 0;
        assert_int_equal(set->ops->read(set, k, 0, INT64_MAX, &run, &runs, NULL), 0);
        found += runs;
    }
    source->ops->free_set(set);
    assert_int_equal(found, 0);
    assert_int_equal(tsdb_settle(db, NULL), 0);
    tsdb_close(db);
}

// The log that a reader still needs holds what was deleted; no block says that it is covered.
static void test_deleted_stays_deleted_while_a_tail_is_behind(void **state)
{
    const struct query_matcher m = {QUERY_EQUAL, "__name__", "x", NULL};
    const struct tsdb_tail_position start = {0};
    struct tsdb *db = open_store(*state, 1 << 30);
    struct tsdb_tail *tail = NULL;
    assert_int_equal(tsdb_tail_open(db, "slow", &start, &tail, NULL), 0);
    append(db, 0, 100);
    assert_int_equal(tsdb_settle(db, NULL), 0);
    assert_int_equal(tsdb_delete(db, &m, 1, 0, INT64_MAX, NULL), 0);
    assert_int_equal(tsdb_settle(db, NULL), 0);
    assert_int_equal(tsdb_delete(db, &m, 1, 0, INT64_MAX, NULL), 0);
    append(db, 100, 1);
    assert_int_equal(tsdb_delete(db, &m, 1, 0, INT64_MAX, NULL), 0);
    assert_int_equal(tsdb_settle(db, NULL), 0);
    assert_int_equal(tsdb_settle(db, NULL), 0);
    assert_int_equal(count_series(db), 0);
    tsdb_tail_close(tail);
    tsdb_close(db);
    for (int i = 0; i < 2; i++)
        check_nothing_is_left(*state);
}

// The disk may be so slow that the log of what was deleted is written last of all.
static void test_deleted_stays_deleted_while_the_log_waits(void **state)
{
    const struct query_matcher m = {QUERY_EQUAL, "__name__", "x", NULL};
    struct tsdb *db = open_flushing(*state, 1 << 30, 3600000);
    append(db, 0, 100);
    assert_int_equal(tsdb_settle(db, NULL), 0);
    assert_int_equal(tsdb_delete(db, &m, 1, 0, INT64_MAX, NULL), 0);
    append(db, 100, 1);
    assert_int_equal(tsdb_delete(db, &m, 1, 0, INT64_MAX, NULL), 0);
    assert_int_equal(tsdb_settle(db, NULL), 0);
    tsdb_close(db);
    for (int i = 0; i < 2; i++)
        check_nothing_is_left(*state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TSDB_TEST(test_deleted_stays_deleted_while_a_tail_is_behind),
        TSDB_TEST(test_deleted_stays_deleted_while_the_log_waits),
        TSDB_TEST(test_tail_of_many_new_series),
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_every_bit),
        cmocka_unit_test(test_every_length),
        TSDB_TEST(test_tail),
        TSDB_TEST(test_tail_left_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
