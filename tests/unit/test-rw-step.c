// SPDX-License-Identifier: GPL-3.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "rw_step.h"

#define S NS_PER_S

static const struct rw_params params = {
    .version = RW_2_0,
    .deadline_ns = 5 * S,
    .min_backoff_ns = 1 * S,
    .max_backoff_ns = 8 * S,
    .metadata = true,
    .metadata_interval_ns = 60 * S,
    .metadata_per_request = 10,
};

static struct rw_step start(const struct rw_params *p)
{
    struct rw_step s;
    rw_step_init(&s, p, 0);
    return s;
}

// In the middle of the range, so that jitter adds nothing.
#define MIDDLE 0x80000000u

static struct rw_update tick(struct rw_step *s, int64_t now)
{
    return rw_step(s, &(struct rw_event){.type = RW_TICK, .now_ns = now, .random = MIDDLE});
}

static struct rw_update batch(struct rw_step *s, int64_t now, uint64_t place, uint64_t samples,
                              bool more)
{
    struct rw_event e = {.type = RW_GOT_BATCH,
                         .now_ns = now,
                         .batch = {.next = {0, place}, .more = more},
                         .samples = samples};
    return rw_step(s, &e);
}

static struct rw_update result(struct rw_step *s, int64_t now, int status, bool confirmed)
{
    struct rw_event e = {.type = RW_GOT_RESULT,
                         .now_ns = now,
                         .random = MIDDLE,
                         .status = status,
                         .retry_after_ns = -1,
                         .confirmed = confirmed};
    return rw_step(s, &e);
}

static void test_ordinary_course(void **state)
{
    struct rw_step s = start(&params);
    assert_int_equal(tick(&s, 0).deed, RW_ASK);
    assert_false(s.placed);
    assert_int_equal(tick(&s, 1).deed, RW_WAIT); // an answer is on its way
    assert_int_equal(batch(&s, 1 * S, 7, 100, true).deed, RW_POST);
    struct rw_update u = result(&s, 2 * S, 204, true);
    assert_int_equal(u.deed, RW_WAIT);
    assert_true(u.done);
    assert_int_equal(s.place.b, 7);
    assert_int_equal(s.stats.sent, 100);
    // More waits: at once; then no more: after the deadline.
    assert_int_equal(tick(&s, 2 * S).deed, RW_ASK);
    assert_int_equal(batch(&s, 2 * S, 8, 1, false).deed, RW_POST);
    u = result(&s, 3 * S, 200, true);
    assert_int_equal(u.wake_ns, 8 * S);
    assert_int_equal(tick(&s, 8 * S - 1).deed, RW_WAIT);
    assert_int_equal(tick(&s, 8 * S).deed, RW_ASK);
}

static void test_empty_batch_moves_on(void **state)
{
    struct rw_step s = start(&params);
    tick(&s, 0);
    struct rw_update u = batch(&s, 0, 9, 0, true);
    assert_true(u.done);
    assert_int_equal(s.place.b, 9);
    assert_int_equal(s.stats.requests, 0);
    assert_int_equal(tick(&s, 0).deed, RW_ASK);
}

static void test_retries_with_growing_pauses(void **state)
{
    static const int64_t pauses[] = {1, 2, 4, 8, 8, 8};
    static const int failures[] = {500, 503, 0, 599, 502, 504};
    struct rw_step s = start(&params);
    int64_t now = 0;
    tick(&s, now);
    batch(&s, now, 1, 5, true);
    for (size_t i = 0; i < ARRAY_LEN(pauses); i++) {
        struct rw_update u = result(&s, now, failures[i], false);
        assert_int_equal(u.failed_first, i == 0);
        assert_false(u.done);
        assert_int_equal(u.wake_ns, now + pauses[i] * S);
        assert_int_equal(tick(&s, u.wake_ns - 1).deed, RW_WAIT);
        now = u.wake_ns;
        assert_int_equal(tick(&s, now).deed, RW_POST);
    }
    struct rw_update u = result(&s, now, 204, true);
    assert_true(u.recovered && u.done);
    assert_int_equal(s.stats.retries, 6);
    assert_int_equal(s.stats.sent, 5);
    assert_int_equal(s.attempts, 0);
}

static void test_jitter_stays_within_a_quarter(void **state)
{
    int64_t low = rw_backoff_ns(&params, 3, 0), high = rw_backoff_ns(&params, 3, UINT32_MAX);
    assert_int_equal(low, 3 * S);
    assert_in_range(high, 5 * S - 1000, 5 * S);
    // However often it failed.
    assert_in_range(rw_backoff_ns(&params, UINT32_MAX, UINT32_MAX), 8 * S, 10 * S);
}

static void test_retry_after(void **state)
{
    struct rw_step s = start(&params);
    tick(&s, 0);
    batch(&s, 0, 1, 5, true);
    struct rw_event e = {.type = RW_GOT_RESULT, .status = 503, .retry_after_ns = 30 * S};
    assert_int_equal(rw_step(&s, &e).wake_ns, 30 * S);
    tick(&s, 30 * S);
    e.now_ns = 30 * S;
    e.retry_after_ns = 86400 * S; // not that long
    assert_int_equal(rw_step(&s, &e).wake_ns, 330 * S);
}

static void test_refused_for_good(void **state)
{
    static const int statuses[] = {400, 401, 404, 413, 422, 429, 301, 100};
    for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
        struct rw_step s = start(&params);
        tick(&s, 0);
        batch(&s, 0, 3, 5, true);
        struct rw_update u = result(&s, 0, statuses[i], false);
        assert_true(u.dropped && u.done);
        assert_int_equal(s.stats.dropped, 5);
        assert_int_equal(s.stats.sent, 0);
        assert_int_equal(s.place.b, 3);
    }
}

static void test_429_where_it_is_wanted(void **state)
{
    struct rw_params p = params;
    p.retry_429 = true;
    struct rw_step s = start(&p);
    tick(&s, 0);
    batch(&s, 0, 3, 5, true);
    assert_false(result(&s, 0, 429, false).done);
    assert_int_equal(s.state, RW_BACKOFF);
}

static void check_fallback(int status, bool confirmed)
{
    struct rw_step s = start(&params);
    tick(&s, 0);
    batch(&s, 0, 3, 5, true);
    struct rw_update u = result(&s, 0, status, confirmed);
    assert_true(u.fell_back);
    assert_false(u.done);
    assert_int_equal(u.deed, RW_POST); // the same batch again
    assert_int_equal(s.version, RW_1_0);
    // In 1.0 nothing is confirmed, and 415 is final.
    assert_true(result(&s, 0, 204, false).done);
    assert_int_equal(s.stats.sent, 5);
    tick(&s, 0);
    batch(&s, 0, 4, 5, true);
    assert_true(result(&s, 0, 415, false).dropped);
}

static void test_fallback_to_1_0(void **state)
{
    check_fallback(415, false);
    check_fallback(204, false);
    check_fallback(200, false);
}

static void test_confirmed_2_0_stays(void **state)
{
    struct rw_step s = start(&params);
    tick(&s, 0);
    batch(&s, 0, 3, 5, true);
    assert_true(result(&s, 0, 204, true).done);
    assert_int_equal(s.version, RW_2_0);
}

static void test_metadata_of_1_0(void **state)
{
    struct rw_params p = params;
    p.version = RW_1_0;
    struct rw_step s = start(&p);
    struct rw_event e = {.type = RW_TICK, .families = 15};
    assert_int_equal(rw_step(&s, &e).deed, RW_POST_METADATA);
    assert_int_equal(s.metadata_at, 0);
    e = (struct rw_event){.type = RW_GOT_RESULT, .status = 204, .families = 15};
    rw_step(&s, &e);
    e = (struct rw_event){.type = RW_TICK, .families = 15};
    assert_int_equal(rw_step(&s, &e).deed, RW_POST_METADATA);
    assert_int_equal(s.metadata_at, 10);
    e = (struct rw_event){.type = RW_GOT_RESULT, .status = 500, .families = 15};
    rw_step(&s, &e);
    // Told (or failed to): samples go on, metadata again in a minute.
    e = (struct rw_event){.type = RW_TICK, .families = 15};
    assert_int_equal(rw_step(&s, &e).deed, RW_ASK);
    batch(&s, 0, 1, 0, false);
    e.now_ns = 60 * S - 1;
    assert_int_equal(rw_step(&s, &e).deed, RW_ASK);
    batch(&s, 60 * S - 1, 1, 0, false);
    e.now_ns = 60 * S;
    assert_int_equal(rw_step(&s, &e).deed, RW_POST_METADATA);
}

static void test_core_goes_away(void **state)
{
    struct rw_step s = start(&params);
    tick(&s, 0);
    struct rw_event e = {.type = RW_LOST_CORE, .now_ns = 1 * S};
    assert_int_equal(rw_step(&s, &e).wake_ns, 6 * S);
    assert_int_equal(tick(&s, 6 * S).deed, RW_ASK);
    batch(&s, 6 * S, 1, 5, true);
    // With a batch in hand it does not matter.
    assert_int_equal(rw_step(&s, &e).wake_ns, INT64_MAX);
    assert_true(result(&s, 7 * S, 204, true).done);
    // An answer that nobody waits for changes nothing.
    assert_int_equal(batch(&s, 7 * S, 99, 5, true).deed, RW_WAIT);
    assert_int_equal(s.place.b, 1);
}

// A receiver that fails at random gets each sample, each once unless its answer was lost.
static void test_nothing_is_lost(void **state)
{
    uint32_t random = 12345;
    struct rw_step s = start(&params);
    uint64_t log = 0, delivered = 0, asked = 0;
    int64_t now = 0;
    struct rw_update u = tick(&s, now);
    for (int i = 0; i < 20000; i++) {
        random = random * 1664525 + 1013904223;
        log += random >> 30;
        if (u.deed == RW_ASK) {
            asked = s.placed ? s.place.b : 0;
            uint64_t n = MIN_OF(log - asked, UINT64_C(10));
            u = batch(&s, now, asked + n, n, asked + n < log);
        } else if (u.deed == RW_POST) {
            bool up = random >> 28 != 0;
            u = result(&s, now, up ? 204 : random % 2 ? 503 : 0, true);
            if (up) {
                assert_int_equal(asked, delivered);
                delivered = s.place.b;
            }
        } else {
            assert_true(u.wake_ns < INT64_MAX);
            now = MAX_OF(now + 1, u.wake_ns);
            u = tick(&s, now);
        }
    }
    assert_in_range(delivered, log / 2, log);
    assert_int_equal(s.stats.sent, delivered);
    assert_int_equal(s.stats.dropped, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ordinary_course),
        cmocka_unit_test(test_empty_batch_moves_on),
        cmocka_unit_test(test_retries_with_growing_pauses),
        cmocka_unit_test(test_jitter_stays_within_a_quarter),
        cmocka_unit_test(test_retry_after),
        cmocka_unit_test(test_refused_for_good),
        cmocka_unit_test(test_429_where_it_is_wanted),
        cmocka_unit_test(test_fallback_to_1_0),
        cmocka_unit_test(test_confirmed_2_0_stays),
        cmocka_unit_test(test_metadata_of_1_0),
        cmocka_unit_test(test_core_goes_away),
        cmocka_unit_test(test_nothing_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
