// SPDX-License-Identifier: GPL-3.0-or-later
// The pool on a real loop with real workers; what it sends is written down.
#include "jobs.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "base/mem.h"
#include "net/ipc.h"

struct seen {
    uv_loop_t loop;
    struct jobs *jobs;
    unsigned begins, pieces, responses, ends, broken;
    int status;
    struct buf body;
    unsigned freed;
    atomic_uint runs, working, most_working;
};

struct work {
    struct seen *seen;
    unsigned pieces; // besides the first
    int sleep_ms;
    bool until_cancelled, too_long;
    uint32_t id;
};

static void on_send(void *arg, int type, uint32_t id, int status, const void *a, size_t a_len,
                    const void *b, size_t b_len)
{
    struct seen *s = arg;
    switch (type) {
    case IPC_RESPONSE:
        s->responses++;
        s->status = status;
        buf_put(&s->body, b, b_len);
        break;
    case IPC_BEGIN:
        s->begins++;
        s->status = status;
        buf_put(&s->body, b, b_len);
        break;
    case IPC_PIECE:
        s->pieces++;
        buf_put(&s->body, a, a_len);
        break;
    case IPC_END:
        s->ends++;
        s->broken += status != 0;
        break;
    default:
        fail();
    }
}

static void pause_ms(int ms)
{
    struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};
    nanosleep(&t, NULL);
}

static int run(void *arg, const struct job_limits *limits, struct buf *out, bool *ret_more)
{
    struct work *w = arg;
    unsigned now = atomic_fetch_add(&w->seen->working, 1) + 1;
    unsigned most = atomic_load(&w->seen->most_working);
    while (now > most && !atomic_compare_exchange_weak(&w->seen->most_working, &most, now))
        ;
    atomic_fetch_add(&w->seen->runs, 1);
    while (w->until_cancelled && !atomic_load(limits->cancelled))
        pause_ms(1);
    pause_ms(w->sleep_ms);
    buf_puts(out, "first");
    *ret_more = w->pieces > 0;
    atomic_fetch_sub(&w->seen->working, 1);
    return 200;
}

static bool next(void *arg, struct buf *out)
{
    struct work *w = arg;
    buf_puts(out, "+");
    if (w->too_long)
        out->error = -E2BIG;
    return --w->pieces > 0;
}

static void free_work(void *arg)
{
    struct work *w = arg;
    w->seen->freed++;
    free(w);
}

static size_t held(const void *arg)
{
    return 1000;
}

static const struct job_ops ops = {run, next, held, free_work};

static struct work *new_work(struct seen *s)
{
    struct work *w = mem_zalloc(sizeof(*w));
    w->seen = s;
    return w;
}

static int setup(void **state)
{
    struct seen *s = mem_zalloc(sizeof(*s));
    uv_loop_init(&s->loop);
    buf_init(&s->body, 1 << 20);
    struct jobs_params p = {&s->loop, "application/json", on_send, s};
    s->jobs = jobs_new(&p);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct seen *s = *state;
    jobs_free(s->jobs);
    uv_run(&s->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&s->loop), 0);
    buf_done(&s->body);
    free(s);
    return 0;
}

static void settle(struct seen *s)
{
    uv_run(&s->loop, UV_RUN_DEFAULT);
}

static void a_short_answer_is_one_frame(void **state)
{
    struct seen *s = *state;
    assert_int_equal(jobs_add(s->jobs, 1, &ops, new_work(s), INT64_MAX), 0);
    settle(s);
    assert_int_equal(s->responses, 1);
    assert_int_equal(s->status, 200);
    assert_string_equal(s->body.data, "first");
    assert_int_equal(s->freed, 1);
    assert_int_equal(jobs_count(s->jobs), 0);
}

static void a_long_answer_waits_for_its_client(void **state)
{
    struct seen *s = *state;
    struct work *w = new_work(s);
    w->pieces = 10;
    jobs_add(s->jobs, 1, &ops, w, INT64_MAX);
    settle(s);
    assert_int_equal(s->begins, 1);
    assert_int_equal(s->pieces, IPC_PIECES_AHEAD - 1);
    jobs_more(s->jobs, 99); // nobody
    for (unsigned i = 1; i <= 10 - (IPC_PIECES_AHEAD - 1); i++) {
        assert_int_equal(s->ends, 0);
        jobs_more(s->jobs, 1);
        settle(s);
        assert_int_equal(s->pieces, IPC_PIECES_AHEAD - 1 + i);
    }
    assert_int_equal(s->ends, 1);
    assert_int_equal(s->broken, 0);
    assert_string_equal(s->body.data, "first++++++++++");
    assert_int_equal(s->freed, 1);
}

static void a_piece_that_fails_breaks_the_answer_off(void **state)
{
    struct seen *s = *state;
    struct work *w = new_work(s);
    w->pieces = 5;
    w->too_long = true;
    jobs_add(s->jobs, 1, &ops, w, INT64_MAX);
    settle(s);
    assert_int_equal(s->ends, 1);
    assert_int_equal(s->broken, 1);
    assert_int_equal(s->freed, 1);
}

static void so_many_work_at_once(void **state)
{
    struct seen *s = *state;
    jobs_limit(s->jobs, 2, 100, SIZE_MAX);
    for (uint32_t i = 1; i <= 20; i++) {
        struct work *w = new_work(s);
        w->sleep_ms = 2;
        jobs_add(s->jobs, i, &ops, w, INT64_MAX);
    }
    settle(s);
    assert_int_equal(s->responses, 20);
    assert_true(s->most_working <= 2);
}

static void more_than_may_be_are_refused(void **state)
{
    struct seen *s = *state;
    jobs_limit(s->jobs, 1, 2, SIZE_MAX);
    assert_int_equal(jobs_add(s->jobs, 1, &ops, new_work(s), INT64_MAX), 0);
    assert_int_equal(jobs_add(s->jobs, 2, &ops, new_work(s), INT64_MAX), 0);
    assert_int_equal(jobs_add(s->jobs, 3, &ops, new_work(s), INT64_MAX), -EBUSY);
    assert_int_equal(s->freed, 1);
    settle(s);
    assert_int_equal(s->responses, 2);
}

static void slow_clients_hold_only_so_much(void **state)
{
    struct seen *s = *state;
    jobs_limit(s->jobs, 2, 100, 1500);
    for (uint32_t i = 1; i <= 2; i++) {
        struct work *w = new_work(s);
        w->pieces = 100;
        assert_int_equal(jobs_add(s->jobs, i, &ops, w, INT64_MAX), 0);
    }
    settle(s);
    assert_int_equal(jobs_add(s->jobs, 3, &ops, new_work(s), INT64_MAX), -ENOMEM);
    jobs_forget(s->jobs, 1);
    assert_int_equal(jobs_add(s->jobs, 4, &ops, new_work(s), INT64_MAX), 0);
    settle(s);
    assert_int_equal(s->responses, 1);
}

static void what_is_forgotten_sends_nothing(void **state)
{
    struct seen *s = *state;
    struct work *w = new_work(s);
    w->until_cancelled = true;
    jobs_add(s->jobs, 1, &ops, w, INT64_MAX);           // works
    jobs_add(s->jobs, 2, &ops, new_work(s), INT64_MAX); // waits
    jobs_forget(s->jobs, 2);
    assert_int_equal(s->freed, 1);
    jobs_forget(s->jobs, 1);
    settle(s);
    assert_int_equal(s->freed, 2);
    assert_int_equal(s->responses, 0);
    w = new_work(s);
    w->pieces = 100;
    jobs_add(s->jobs, 3, &ops, w, INT64_MAX);
    settle(s); // paused
    jobs_forget(s->jobs, 3);
    assert_int_equal(s->freed, 3);
    assert_int_equal(jobs_count(s->jobs), 0);
    assert_int_equal(s->ends, 0);
}

static void ends_with_work_under_way(void **state)
{
    struct seen *s = *state;
    struct work *w = new_work(s);
    w->until_cancelled = true;
    jobs_add(s->jobs, 1, &ops, w, INT64_MAX);
    jobs_add(s->jobs, 2, &ops, new_work(s), INT64_MAX);
}

struct late_request {
    uv_timer_t timer; // first
    struct seen *seen;
    int result;
};

static void on_late_request(uv_timer_t *timer)
{
    struct late_request *late = (struct late_request *)timer;
    late->result = jobs_add(late->seen->jobs, 9, &ops, new_work(late->seen), INT64_MAX);
    uv_close((uv_handle_t *)timer, NULL);
}

// What the loop is still told while the last worker is waited for.
static void takes_nothing_while_it_ends(void **state)
{
    struct seen *s = *state;
    struct work *w = new_work(s);
    w->until_cancelled = true;
    w->sleep_ms = 100;
    jobs_add(s->jobs, 1, &ops, w, INT64_MAX);
    struct late_request late = {.seen = s};
    uv_timer_init(&s->loop, &late.timer);
    uv_timer_start(&late.timer, on_late_request, 0, 0);
    jobs_free(s->jobs);
    s->jobs = NULL;
    assert_int_equal(late.result, -EBUSY);
    assert_int_equal(s->freed, 2);
    uv_run(&s->loop, UV_RUN_DEFAULT);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_short_answer_is_one_frame),
        TEST(a_long_answer_waits_for_its_client),
        TEST(a_piece_that_fails_breaks_the_answer_off),
        TEST(so_many_work_at_once),
        TEST(more_than_may_be_are_refused),
        TEST(slow_clients_hold_only_so_much),
        TEST(what_is_forgotten_sends_nothing),
        TEST(ends_with_work_under_way),
        TEST(takes_nothing_while_it_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
