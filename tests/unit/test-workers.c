// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "collect/workers.h"

// Work that tells who did it, and may have to wait for the test first.
struct deed {
    struct work work;
    sem_t may_end, has_begun, is_over;
    pthread_t by;
};

static void run(struct work *w)
{
    struct deed *d = (struct deed *)w;
    d->by = pthread_self();
    sem_post(&d->has_begun);
    sem_wait(&d->may_end);
}

static void over(struct work *w, void *arg)
{
    sem_post(&((struct deed *)w)->is_over);
}

static void deed_init(struct deed *d)
{
    *d = (struct deed){.work = {.run = run, .done = over}};
    sem_init(&d->may_end, 0, 0);
    sem_init(&d->has_begun, 0, 0);
    sem_init(&d->is_over, 0, 0);
}

static void finish(struct deed *d)
{
    sem_post(&d->may_end);
    sem_wait(&d->is_over);
}

static void test_what_hangs_does_not_keep_others(void **state)
{
    struct workers *w = workers_new(2);
    struct deed a, b, c;
    deed_init(&a);
    deed_init(&b);
    deed_init(&c);
    assert_int_equal(workers_submit(w, &a.work), 0);
    assert_int_equal(workers_submit(w, &b.work), 0);
    sem_wait(&a.has_begun);
    finish(&b);
    finish(&a);
    assert_false(pthread_equal(a.by, b.by));
    assert_int_equal(workers_free(w), 0);
}

static void test_no_more_threads_than_allowed(void **state)
{
    struct workers *w = workers_new(1);
    struct deed a, b;
    deed_init(&a);
    deed_init(&b);
    assert_int_equal(workers_submit(w, &a.work), 0);
    sem_wait(&a.has_begun);
    assert_int_equal(workers_submit(w, &b.work), -EAGAIN);
    assert_int_equal(workers_waiting(w), 0);
    finish(&a);
    assert_int_equal(workers_free(w), 0);
}

static void test_without_threads_it_is_done_at_once(void **state)
{
    struct workers *w = workers_new(0);
    struct deed a;
    deed_init(&a);
    sem_post(&a.may_end);
    assert_int_equal(workers_submit(w, &a.work), 0);
    assert_int_equal(sem_trywait(&a.is_over), 0);
    assert_true(pthread_equal(a.by, pthread_self()));
    assert_int_equal(workers_waiting(w), 0);
    assert_int_equal(workers_free(w), 0);
}

static void test_the_last_to_rest_is_woken(void **state)
{
    enum { THREADS = 3 };
    struct workers *w = workers_new(THREADS);
    struct deed first[THREADS];
    for (int i = 0; i < THREADS; i++) {
        deed_init(&first[i]);
        assert_int_equal(workers_submit(w, &first[i].work), 0);
        sem_wait(&first[i].has_begun);
    }
    for (int i = 0; i < THREADS; i++)
        finish(&first[i]);
    // Whoever does this one goes to rest last, and does all that follow one by one.
    struct deed d;
    deed_init(&d);
    while (workers_idle(w) < THREADS)
        sched_yield();
    assert_int_equal(workers_submit(w, &d.work), 0);
    finish(&d);
    pthread_t by = d.by;
    for (int i = 0; i < 20; i++) {
        while (workers_idle(w) < THREADS)
            sched_yield();
        assert_int_equal(workers_submit(w, &d.work), 0);
        finish(&d);
        assert_true(pthread_equal(by, d.by));
    }
    assert_int_equal(workers_free(w), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_hangs_does_not_keep_others),
        cmocka_unit_test(test_no_more_threads_than_allowed),
        cmocka_unit_test(test_without_threads_it_is_done_at_once),
        cmocka_unit_test(test_the_last_to_rest_is_woken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
