// SPDX-License-Identifier: GPL-3.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tsdb/timeline.h"

#define T0 INT64_C(1700000000000)
#define HOUR INT64_C(3600000)
#define GAP 5000

/** A machine whose wall clock is set now and then. */
struct machine {
    struct timeline line;
    int64_t mono, real, last, offset;
};

static void machine_init(struct machine *m, int64_t newest)
{
    *m = (struct machine){.mono = 1000, .real = T0};
    timeline_init(&m->line, newest, 2 * HOUR);
}

static int64_t second(struct machine *m)
{
    m->mono += 1000;
    m->real += 1000;
    return m->last = timeline_step(&m->line, m->mono, m->real, GAP, &m->offset);
}

static void seconds(struct machine *m, int n, int64_t offset)
{
    for (int i = 0; i < n; i++) {
        int64_t before = m->last;
        assert_int_equal(second(m) - before, 1000);
        assert_int_equal(m->offset, offset);
    }
}

static void test_ordinary(void **state)
{
    struct machine m;
    machine_init(&m, T0 - 60000);
    assert_int_equal(second(&m), T0 + 1000);
    seconds(&m, 100, 0);
    m.real -= 3; // slewed a little: never backwards, soon caught up
    int64_t before = m.last;
    assert_true(second(&m) > before);
}

static void test_an_hour_back(void **state)
{
    struct machine m;
    machine_init(&m, 0);
    second(&m);
    seconds(&m, 7200, 0);
    m.real -= HOUR;
    // The hour is written: on from its end, no time twice.
    seconds(&m, 100, HOUR);
    m.real += HOUR;
    seconds(&m, 100, 0);
}

static void test_an_hour_ahead_and_back(void **state)
{
    struct machine m;
    machine_init(&m, 0);
    second(&m);
    seconds(&m, 100, 0);
    m.real += HOUR;
    second(&m);
    assert_int_equal(m.last, m.real); // a gap
    seconds(&m, 59, 0);
    m.real -= HOUR;
    second(&m);
    assert_int_equal(m.last, m.real); // into the gap
    seconds(&m, 3000, 0);
    // When it comes to what was written ahead, it passes behind it.
    int64_t ahead_end = T0 + HOUR + 161000;
    while (m.real < ahead_end - 60000 - 1000)
        second(&m);
    int64_t before = m.last;
    assert_true(second(&m) > before);
    for (int i = 0; i < 200; i++) {
        before = m.last;
        assert_true(second(&m) > before);
    }
    seconds(&m, 10, m.offset);
    assert_in_range(m.offset, 0, 61000);
}

static void test_1970(void **state)
{
    struct machine m;
    machine_init(&m, T0);
    int64_t right = m.real;
    m.real = 5000;
    assert_true(second(&m) > T0);
    for (int i = 0; i < 100; i++) {
        int64_t before = m.last;
        assert_int_equal(second(&m) - before, 1000);
    }
    m.real = right + 102000;
    second(&m);
    seconds(&m, 10, m.offset);
    assert_in_range(m.offset, 0, 2000);
}

static void test_many_jumps(void **state)
{
    struct machine m;
    uint64_t random = 1;
    machine_init(&m, 0);
    second(&m);
    int64_t written[3000];
    for (int i = 0; i < 3000; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        if (i % 40 == 0)
            m.real += (int64_t)(random >> 40) % (4 * HOUR) - 2 * HOUR;
        written[i] = second(&m);
    }
    // No time twice.
    for (int i = 0; i < 3000; i++)
        for (int k = 0; k < i; k++)
            assert_true(written[i] != written[k]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ordinary),
        cmocka_unit_test(test_an_hour_back),
        cmocka_unit_test(test_an_hour_ahead_and_back),
        cmocka_unit_test(test_1970),
        cmocka_unit_test(test_many_jumps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
