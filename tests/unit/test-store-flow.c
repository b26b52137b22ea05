// SPDX-License-Identifier: GPL-3.0-or-later
// What comes from the network into a real store.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store_flow.h"
#include "tsdb-dir.h"

// One receiver's client with a wrong clock must not decide what time it is here.
static void test_samples_of_the_future(void **state)
{
    struct tsdb_options o;
    struct tsdb *db = NULL;
    struct tsdb_status status;
    const struct label label[] = {{"__name__", "up"}, {"job", "x"}};
    const int64_t hour_ms = 3600000, now_ms = clock_real_ns(&clock_system) / NS_PER_MS;
    tsdb_options_init(&o);
    assert_int_equal(tsdb_open(*state, &o, &db, NULL), 0);
    struct store_flow *f = store_flow_new(db);
    assert_int_equal(store_flow_sink.append(f, label, 2, now_ms - hour_ms, 1), 0);
    assert_int_equal(store_flow_sink.append(f, label, 2, now_ms + hour_ms, 1), -ERANGE);
    assert_int_equal(store_flow_sink.append(f, label, 2, INT64_MAX, 1), -ERANGE);
    assert_int_equal(store_flow_sink.append(f, label, 2, now_ms + 60000, 1), 0);
    tsdb_status(db, &status);
    assert_int_equal(status.newest_ms, now_ms + 60000);
    store_flow_free(f);
    tsdb_close(db);
}

// Only by its name, as types do not come along; nothing is altered.
static void test_a_counter_that_falls(void **state)
{
    const struct label counter[] = {{"__name__", "jobs_total"}, {"domain", "a"}};
    const struct label gauge[] = {{"__name__", "jobs"}, {"domain", "b"}};
    const double value[] = {5, 7, 3, 4};
    const int64_t now_ms = clock_real_ns(&clock_system) / NS_PER_MS;
    struct tsdb_options o;
    struct tsdb *db = NULL;
    tsdb_options_init(&o);
    assert_int_equal(tsdb_open(*state, &o, &db, NULL), 0);
    struct store_flow *f = store_flow_new(db);
    for (int i = 0; i < 4; i++) {
        int64_t t_ms = now_ms - 10000 + i * 1000;
        assert_int_equal(store_flow_sink.append(f, counter, 2, t_ms, value[i]), 0);
        assert_int_equal(store_flow_sink.append(f, gauge, 2, t_ms, value[i]), 0);
    }
    CLEANUP(freep) struct tsdb_quality *q = NULL;
    size_t n = 0;
    assert_int_equal(tsdb_quality(db, "domain", &q, &n), 0);
    assert_int_equal(n, 2);
    assert_int_equal(q[0].resets, 1);
    assert_int_equal(q[1].resets, 0);
    assert_int_equal(q[0].samples, 4);
    store_flow_free(f);
    tsdb_close(db);
}

static bool read_from(struct store_flow *f, const struct samples_position *place, size_t *lost)
{
    struct samples_writer *out = samples_writer_new(SAMPLES_FRAME_MAX);
    struct samples_batch batch = {{0}};
    int r = store_flow_source.read(f, "far", place, 1000, out, &batch);
    samples_writer_free(out);
    assert_int_equal(r, 0);
    *lost = batch.lost;
    return batch.next.a != place->a || batch.next.b != place->b;
}

// A receiver that was away when vherd ended finds its log after the start, whoever is first: it or
// a block.
static void test_log_is_kept_until_a_remote_asks(void **state)
{
    const struct label label[] = {{"__name__", "up"}, {"job", "x"}};
    const struct samples_position start = {1, 32};
    const int64_t now_ms = clock_real_ns(&clock_system) / NS_PER_MS;
    size_t lost = 0;
    struct tsdb_options o;
    struct tsdb *db = NULL;
    tsdb_options_init(&o);
    assert_int_equal(tsdb_open(*state, &o, &db, NULL), 0);
    struct store_flow *f = store_flow_new(db);
    for (int i = 0; i < 10; i++)
        assert_int_equal(store_flow_sink.append(f, label, 2, now_ms - 10000 + i, i), 0);
    store_flow_free(f);
    tsdb_close(db);
    assert_int_equal(tsdb_open(*state, &o, &db, NULL), 0);
    f = store_flow_new(db);
    store_flow_keep(f, "far", &start, NS_PER_S);
    store_flow_keep(f, "gone", &start, NS_PER_S);
    assert_int_equal(tsdb_settle(db, NULL), 0);
    assert_true(read_from(f, &start, &lost));
    assert_int_equal(lost, 0);
    // Who never asks is not waited for, who did is.
    struct tsdb_status status;
    store_flow_let_go(f, 2 * NS_PER_S);
    store_flow_source.done(f, "far", &(struct samples_position){9, 0});
    assert_int_equal(store_flow_sink.append(f, label, 2, now_ms, 1), 0);
    assert_int_equal(tsdb_settle(db, NULL), 0);
    tsdb_status(db, &status);
    assert_in_range(status.log_segments, 0, 1);
    store_flow_free(f);
    tsdb_close(db);
}

// A deletion concerns what was there when it was accepted: what comes later into its time is
// refused while it would go too, and stays once it is taken.
static void test_what_is_being_deleted(void **state)
{
    const struct label gone[] = {{"__name__", "up"}, {"job", "x"}};
    const struct label other[] = {{"__name__", "up"}, {"job", "y"}};
    const struct query_matcher m = {QUERY_EQUAL, "job", "x", NULL};
    const int64_t now_ms = clock_real_ns(&clock_system) / NS_PER_MS;
    struct tsdb_options o;
    struct tsdb *db = NULL;
    struct tsdb_status status;
    tsdb_options_init(&o);
    assert_int_equal(tsdb_open(*state, &o, &db, NULL), 0);
    struct store_flow *f = store_flow_new(db);
    assert_int_equal(store_flow_sink.append(f, gone, 2, now_ms - 10000, 1), 0);
    assert_int_equal(store_flow_sink.append(f, other, 2, now_ms, 1), 0);
    assert_int_equal(tsdb_delete(db, &m, 1, 0, INT64_MAX, NULL), 0);
    assert_int_equal(store_flow_sink.append(f, gone, 2, now_ms - 5000, 1), -EAGAIN);
    assert_non_null(strstr(samples_why(-EAGAIN), "deletion"));
    assert_int_equal(store_flow_sink.append(f, other, 2, now_ms - 5000, 1), 0);
    assert_int_equal(store_flow_sink.append(f, gone, 2, now_ms + 1, 1), 0);
    assert_int_equal(tsdb_settle(db, NULL), 0);
    assert_int_equal(store_flow_sink.append(f, gone, 2, now_ms - 5000, 1), 0);
    assert_int_equal(tsdb_settle(db, NULL), 0);
    tsdb_status(db, &status);
    assert_int_equal(status.block_samples[0], 4);
    store_flow_free(f);
    tsdb_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TSDB_TEST(test_samples_of_the_future), TSDB_TEST(test_a_counter_that_falls),
        TSDB_TEST(test_log_is_kept_until_a_remote_asks), TSDB_TEST(test_what_is_being_deleted)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
