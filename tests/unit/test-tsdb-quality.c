// SPDX-License-Identifier: GPL-3.0-or-later
// What the store says of its data: gaps, resets, what cannot be.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "tsdb-dir.h"
#include "tsdb-open.h"

static void test_quality(void **state)
{
    struct tsdb *db = open_store(*state);
    uint32_t ref = series(db, "cpu", "a", &ns);
    for (int i = 0; i < 20; i++)
        if (i < 10 || i > 12)
            assert_int_equal(tsdb_append_one(db, ref, T0 + i * 1000, i * 0.5), 0);
    assert_int_equal(tsdb_append_one(db, ref, T0 + 20000, 0), 0);   // reset
    assert_int_equal(tsdb_append_one(db, ref, T0 + 21000, 1.5), 0); // 150 % of a CPU
    assert_int_equal(tsdb_append_one(db, ref, T0 + 22000, 0.1), 0); // reset
    assert_int_equal(tsdb_append_stale(db, ref, T0 + 23000), 0);
    assert_int_equal(tsdb_append_one(db, ref, T0 + 90000, 1), 0); // no gap: it had ended
    CLEANUP(freep) struct tsdb_quality *q = NULL;
    size_t n = 0;
    assert_int_equal(tsdb_quality(db, "domain", &q, &n), 0);
    assert_int_equal(q[0].gaps, 1);
    assert_int_equal(q[0].missing, 3);
    assert_int_equal(q[0].resets, 2);
    assert_int_equal(q[0].impossible, 1);
    assert_int_equal(q[0].newest_ms, T0 + 90000);
    tsdb_close(db);
}

// Ten-second readings that are repeated on another ten-second grid, and one that is missing.
static void test_uneven_schedule(void **state)
{
    static const int times[] = {0, 2, 10, 12, 20, 22, 30, 32, 40, 42, 50, 52, 60, 80, 82, 90, 92};
    struct tsdb *db = open_store(*state);
    uint32_t even = series(db, "g", "even", &gauge), uneven = series(db, "g", "uneven", &gauge);
    for (size_t i = 0; i < ARRAY_LEN(times); i++)
        assert_int_equal(tsdb_append_one(db, uneven, T0 + times[i] * 1000, 1), 0);
    for (int i = 0; i < 60; i++) // each eighth is missing
        if (i % 8 != 7)
            assert_int_equal(tsdb_append_one(db, even, T0 + i * 1000, 1), 0);
    assert_int_equal(tsdb_append_stale(db, uneven, T0 + 92000), -EEXIST);
    CLEANUP(freep) struct tsdb_quality *q = NULL;
    size_t n = 0;
    assert_int_equal(tsdb_quality(db, "domain", &q, &n), 0);
    assert_int_equal(n, 2);
    assert_int_equal(q[0].gaps, 7);
    assert_int_equal(q[0].missing, 7);
    assert_int_equal(q[1].gaps, 1);
    assert_int_equal(q[1].missing, 2);
    assert_int_equal(q[1].duplicates, 0);
    tsdb_close(db);
}

// What came late says nothing of the schedule.
static void test_schedule_after_late_samples(void **state)
{
    static const int times[] = {10, 5, 6, 7, 11, 12, 13};
    struct tsdb *db = open_store(*state);
    uint32_t ref = series(db, "g", "a", &gauge);
    for (size_t i = 0; i < ARRAY_LEN(times); i++)
        assert_int_equal(tsdb_append_one(db, ref, T0 + times[i] * 1000, 1), 0);
    CLEANUP(freep) struct tsdb_quality *q = NULL;
    size_t n = 0;
    assert_int_equal(tsdb_quality(db, "domain", &q, &n), 0);
    assert_int_equal(q[0].gaps, 0);
    assert_int_equal(q[0].out_of_order, 3);
    tsdb_close(db);
}

static void expect_gaps(struct tsdb *db, uint64_t gaps, uint64_t missing)
{
    CLEANUP(freep) struct tsdb_quality *q = NULL;
    size_t n = 0;
    assert_int_equal(tsdb_quality(db, "domain", &q, &n), 0);
    assert_int_equal(n, 1);
    assert_int_equal(q[0].gaps, gaps);
    assert_int_equal(q[0].missing, missing);
}

// A writer that changes its pace says what the longest pause is: shorter ones are no rule that a
// later one breaks. Nor is the time in which the store was closed.
static void test_told_schedule(void **state)
{
    static const struct tsdb_kind_of paced = {.kind = TSDB_DOUBLE, .pause_ms = 10000};
    static const int pauses[] = {1, 1, 1, 1, 5, 5, 5, 5, 10, 10, 1, 1, 1, 1, 14, 10, 3};
    struct tsdb *db = open_store(*state);
    uint32_t ref = series(db, "g", "a", &paced);
    int64_t t_ms = T0;
    for (size_t i = 0; i < ARRAY_LEN(pauses); i++, t_ms += pauses[i - 1] * 1000)
        assert_int_equal(tsdb_append_one(db, ref, t_ms, 1), 0);
    assert_int_equal(tsdb_append_one(db, ref, t_ms, 1), 0);
    expect_gaps(db, 0, 0);
    t_ms += 31000;
    assert_int_equal(tsdb_append_one(db, ref, t_ms, 1), 0);
    expect_gaps(db, 1, 2);
    tsdb_close(db);
    db = open_store(*state);
    expect_gaps(db, 0, 0);
    ref = series(db, "g", "a", &paced);
    assert_int_equal(tsdb_append_one(db, ref, t_ms + 60000, 1), 0);
    expect_gaps(db, 0, 0);
    assert_int_equal(tsdb_append_one(db, ref, t_ms + 80000, 1), 0);
    expect_gaps(db, 1, 1);
    // A faster pace from here on.
    static const struct tsdb_kind_of faster = {.kind = TSDB_DOUBLE, .pause_ms = 1000};
    assert_int_equal(series(db, "g", "a", &faster), ref);
    assert_int_equal(tsdb_append_one(db, ref, t_ms + 81000, 1), 0);
    assert_int_equal(tsdb_append_one(db, ref, t_ms + 83000, 1), 0);
    expect_gaps(db, 2, 2);
    tsdb_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TSDB_TEST(test_quality),
        TSDB_TEST(test_uneven_schedule),
        TSDB_TEST(test_schedule_after_late_samples),
        TSDB_TEST(test_told_schedule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
