// SPDX-License-Identifier: GPL-3.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "host_probe.h"

static atomic_int freed;

struct reading {
    struct probe probe;
    int pipe; // waits for a byte or the end of this descriptor; -1 = does not wait
    int value;
};

static void run(struct probe *p)
{
    struct reading *r = (struct reading *)p;
    char byte;
    if (r->pipe >= 0 && read(r->pipe, &byte, 1) < 0)
        abort();
    r->value++;
}

static void free_reading(struct probe *p)
{
    atomic_fetch_add(&freed, 1);
    free(p);
}

static int64_t limit = 3600 * NS_PER_S; // of readings made from now on

static struct reading *reading(int pipe, int value)
{
    struct reading *r = mem_zalloc(sizeof(*r));
    *r = (struct reading){{.limit_ns = limit, .run = run, .free = free_reading}, pipe, value};
    return r;
}

static void pause_ms(long ms)
{
    const struct timespec t = {ms / 1000, ms % 1000 * NS_PER_MS};
    nanosleep(&t, NULL);
}

static int take_value(struct prober *p)
{
    struct reading *r = (struct reading *)prober_take(p);
    assert_non_null(r);
    int value = r->value;
    free_reading(&r->probe);
    return value;
}

static void wait_for_freed(int n)
{
    for (int i = 0; i < 2000 && atomic_load(&freed) < n; i++)
        pause_ms(5);
    assert_int_equal(atomic_load(&freed), n);
}

static int reset(void **state)
{
    atomic_store(&freed, 0);
    return 0;
}

static void test_in_order(void **state)
{
    struct prober *p = prober_new();
    assert_null(prober_take(p));
    assert_true(prober_wait(p, 0));
    for (int i = 0; i < 5; i++)
        prober_submit(p, &reading(-1, i)->probe);
    assert_true(prober_wait(p, 60 * NS_PER_S));
    for (int i = 0; i < 5; i++)
        assert_int_equal(take_value(p), i + 1);
    assert_null(prober_take(p));
    prober_free(p);
    wait_for_freed(5);
}

// Until the first of the queue is running and has been for at least a nanosecond.
static const struct probe *expire(struct prober *p)
{
    for (int i = 0; i < 2000; i++) {
        const struct probe *stuck = prober_expire(p);
        if (stuck)
            return stuck;
        pause_ms(1);
    }
    return NULL;
}

// The next reading that comes back late.
static struct reading *take_late(struct prober *p)
{
    for (int i = 0; i < 2000; i++) {
        struct reading *r = (struct reading *)prober_take(p);
        if (r) {
            assert_true(r->probe.late);
            return r;
        }
        pause_ms(5);
    }
    return NULL;
}

static void test_stuck_one_does_not_hold_others(void **state)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    struct prober *p = prober_new();
    prober_submit(p, &reading(fds[0], 1)->probe);
    assert_false(prober_wait(p, 10 * NS_PER_MS));
    assert_null(prober_expire(p)); // within its limit
    close(fds[1]);
    assert_true(prober_wait(p, 60 * NS_PER_S));
    assert_int_equal(take_value(p), 2);
    close(fds[0]);

    assert_int_equal(pipe(fds), 0);
    limit = 0;
    struct reading *stuck = reading(fds[0], 1);
    prober_submit(p, &stuck->probe);
    limit = 3600 * NS_PER_S;
    prober_submit(p, &reading(-1, 7)->probe);
    assert_ptr_equal(expire(p), &stuck->probe);
    assert_true(prober_wait(p, 60 * NS_PER_S));
    struct reading *next = (struct reading *)prober_take(p);
    assert_false(next->probe.late);
    assert_int_equal(next->value, 8);
    free_reading(&next->probe);
    close(fds[1]);
    struct reading *late = take_late(p);
    assert_ptr_equal(late, stuck);
    free_reading(&late->probe);
    prober_free(p);
    close(fds[0]);
}

static void test_abandoned_ones_are_capped(void **state)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    struct prober *p = prober_new();
    limit = 0;
    for (int i = 0; i < 4; i++) {
        prober_submit(p, &reading(fds[0], i)->probe);
        assert_non_null(expire(p));
    }
    limit = 3600 * NS_PER_S;
    prober_submit(p, &reading(-1, 10)->probe);
    pause_ms(50);
    assert_null(prober_take(p)); // nobody is left to do it
    close(fds[1]);
    for (int i = 0; i < 4; i++) {
        struct reading *late = take_late(p);
        assert_non_null(late);
        free_reading(&late->probe);
    }
    prober_submit(p, &reading(-1, 20)->probe);
    assert_true(prober_wait(p, 60 * NS_PER_S));
    assert_int_equal(take_value(p), 11);
    assert_int_equal(take_value(p), 21);
    prober_free(p);
    close(fds[0]);
}

static void test_free_with_a_stuck_one(void **state)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    struct prober *p = prober_new();
    limit = 0;
    prober_submit(p, &reading(fds[0], 1)->probe);
    assert_non_null(expire(p));
    prober_submit(p, &reading(fds[0], 1)->probe);
    prober_submit(p, &reading(-1, 1)->probe); // still in the queue
    prober_free(p);
    close(fds[1]);
    wait_for_freed(3);
    close(fds[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_in_order, reset),
        cmocka_unit_test_setup(test_stuck_one_does_not_hold_others, reset),
        cmocka_unit_test_setup(test_abandoned_ones_are_capped, reset),
        cmocka_unit_test_setup(test_free_with_a_stuck_one, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
