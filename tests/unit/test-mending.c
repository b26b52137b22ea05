// SPDX-License-Identifier: GPL-3.0-or-later
// Tasks that act finds open when it starts: mended, or given up after too many tries.
#include "mending.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "act-loop.h"
#include "base/mem.h"
#include "scratch.h"
#include "virt/memory.h"

static const char uuid_vm1[] = "6d656d00-0000-4000-8000-000000000001";

struct fixture {
    struct act act;
    struct scratch scratch;
};

static int setup(void **state)
{
    struct fixture *f = mem_zalloc(sizeof(*f));
    memory_reset(&clock_system);
    f->scratch = scratch_new();
    act_init(&f->act);
    f->act.conf = conf_new();
    f->act.uri = mem_strdup("memory:///?vms=1");
    f->act.ops = &virt_memory;
    f->act.state.directory = mem_printf("%s/act", f->scratch.path);
    deeds_open(&f->act);
    assert_true(state_ready(&f->act.state, act_now()));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    f->act.stopping = true;
    link_reopen(&f->act); // closes the connection
    assert_int_equal(workers_free(f->act.deeds.workers), 0);
    assert_int_equal(workers_free(f->act.workers), 0);
    act_loop_close(&f->act);
    assert_int_equal(uv_loop_close(&f->act.loop), 0);
    state_done(&f->act.state);
    conf_free(f->act.conf);
    free(f->act.uri);
    scratch_done(&f->scratch);
    free(f);
    memory_reset(NULL);
    return 0;
}

// A task that the act of before began, with its notes (consumed).
static int64_t leave_task(struct fixture *f, enum deed_id deed, json_t *body, json_t *notes)
{
    struct store *s = f->act.state.store;
    const struct audit_entry entry = {.principal = "user:a", .verb = "vm.pause", .object = "vm1"};
    struct task t = {.deed = &deeds[deed],
                     .vm = mem_strdup("vm1"),
                     .uuid = mem_strdup(uuid_vm1),
                     .principal = mem_strdup("user:a"),
                     .body = body};
    assert_int_equal(audit_intent(f->act.state.audit, &entry, NULL, &t.intent), 0);
    assert_int_equal(task_add(s, &t), 0);
    assert_int_equal(task_start(s, t.id, 1), 0);
    for (size_t i = 0; i < json_array_size(notes); i++)
        assert_int_equal(task_note(s, t.id, json_array_get(notes, i)), 0);
    json_decref(notes);
    int64_t id = t.id;
    task_done(&t);
    return id;
}

// One that was tried so often to put in order.
static int64_t leave(struct fixture *f, int64_t mends)
{
    int64_t id = leave_task(
        f, DEED_PAUSE, json_object(),
        json_pack("[{s:s, s:s, s:s}]", "make", "volume", "pool", "images", "volume", "v"));
    assert_int_equal(task_mends(f->act.state.store, id, mends), 0);
    return id;
}

static void wait_for_end(struct fixture *f, int64_t id, struct task *ret)
{
    f->act.started = true;
    act_step(&f->act);
    for (;;) {
        assert_int_equal(task_get(f->act.state.store, id, ret), 0);
        if (task_is_over(ret->state))
            return;
        task_done(ret);
        act_loop_wait(&f->act);
    }
}

static void is_closed_once(struct fixture *f)
{
    int64_t open[4];
    assert_int_equal(audit_pending(f->act.state.audit, open, ARRAY_LEN(open)), 0);
    assert_null(f->act.deeds.jobs);
}

static void test_a_try_is_counted_and_mends(void **state)
{
    struct fixture *f = *state;
    struct task t;
    int64_t id = leave(f, 9);
    wait_for_end(f, id, &t);
    assert_int_equal(t.state, TASK_FAILED);
    assert_string_equal(t.message, "vherd ended in the middle of it; the VM is now running");
    assert_int_equal(t.mends, 10);
    is_closed_once(f);
    task_done(&t);
}

static void test_too_many_tries_end(void **state)
{
    struct fixture *f = *state;
    struct task t;
    int64_t id = leave(f, 10);
    uint64_t before = memory_changes();
    wait_for_end(f, id, &t);
    assert_int_equal(t.state, TASK_FAILED);
    assert_non_null(strstr(t.message, "tried 10 times"));
    assert_non_null(strstr(t.message, "there may be left: volume images/v"));
    assert_int_equal(memory_changes(), before);
    is_closed_once(f);
    task_done(&t);
}

static void test_an_end_that_was_asked_for_counts_nothing(void **state)
{
    struct fixture *f = *state;
    struct task t;
    int64_t id = leave(f, 3);
    assert_true(deeds_ready(&f->act, act_now()));
    f->act.deeds.jobs->phase = JOB_MENDING;
    mending_stop(&f->act);
    assert_int_equal(task_get(f->act.state.store, id, &t), 0);
    assert_int_equal(t.mends, 2);
    task_done(&t);
    f->act.deeds.jobs->phase = JOB_BROKEN;
    wait_for_end(f, id, &t);
    task_done(&t);
}

// All of vherd ended while the guest was held; the act of now lets it go on, and says so.
static void test_a_held_guest_goes_on_and_that_is_told(void **state)
{
    enum { RUNNING = 1, PAUSED = 3, PAUSED_BY_USER = 1 };
    struct fixture *f = *state;
    struct task t;
    struct uuid uuid;
    const struct virt_params params = {.uri = f->act.uri, .clock = &clock_system};
    struct virt *virt = NULL;
    struct virt_domain *all = NULL;
    size_t n = 0;
    assert_int_equal(virt_memory.open(&params, &virt, NULL), 0);
    assert_true(uuid_parse(uuid_vm1, strlen(uuid_vm1), &uuid));
    assert_int_equal(memory_stop(&uuid, PAUSED, PAUSED_BY_USER), 0);
    int64_t id = leave_task(f, DEED_SNAPSHOT_DELETE, json_pack("{s:s}", "name", "a"),
                            json_pack("[{s:s}, {s:s, s:s}, {s:s}]", "make", "running", "make",
                                      "snapshot", "name", "a", "make", "held"));
    wait_for_end(f, id, &t);
    assert_int_equal(t.state, TASK_DONE);
    assert_non_null(t.message);
    assert_non_null(strstr(t.message, "left paused"));
    is_closed_once(f);
    task_done(&t);
    assert_int_equal(virt_memory.list(virt, &all, &n, NULL), 0);
    assert_int_equal(n, 1);
    assert_int_equal(all[0].state, RUNNING);
    virt_domains_free(all, n);
    virt_memory.close(virt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_try_is_counted_and_mends, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_many_tries_end, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_held_guest_goes_on_and_that_is_told, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_an_end_that_was_asked_for_counts_nothing, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
