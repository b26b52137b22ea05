// SPDX-License-Identifier: GPL-3.0-or-later
#include "manage/task.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "scratch.h"

static struct store *open_in(const struct scratch *d)
{
    static const struct store_schema *const schemas[] = {&task_schema};
    CLEANUP(freep) char *path = mem_printf("%s/act.db", d->path);
    struct store *s = NULL;
    struct err err = {0};
    if (store_open(path, schemas, 1, &s, &err) < 0)
        fail_msg("%s", err.message);
    return s;
}

static int64_t add(struct store *s, const char *key, const char *batch, int *ret_r)
{
    struct task t = {.deed = &deeds[DEED_START],
                     .vm = mem_strdup("db"),
                     .uuid = mem_strdup("u"),
                     .principal = mem_strdup("user:a"),
                     .key = mem_strdup(key),
                     .batch = mem_strdup(batch),
                     .created_ns = 5,
                     .body = json_object()};
    *ret_r = task_add(s, &t);
    int64_t id = t.id;
    task_done(&t);
    return id;
}

static void test_states_and_keys(void **state)
{
    struct scratch d = scratch_new();
    struct store *s = open_in(&d);
    struct task t;
    int r;
    int64_t id = add(s, "k", "b", &r), same = 0, failed = -1;
    assert_int_equal(r, 0);
    (void)add(s, "k", NULL, &r);
    assert_int_equal(r, -EEXIST);
    (void)add(s, NULL, NULL, &r);
    assert_int_equal(r, 0);
    (void)add(s, NULL, NULL, &r);
    assert_int_equal(r, 0);
    assert_int_equal(task_by_key(s, "user:a", "k", &same), 0);
    assert_int_equal(same, id);
    assert_int_equal(task_by_key(s, "user:b", "k", &same), -ENOENT);
    assert_int_equal(task_start(s, id, 10), 0);
    assert_int_equal(task_start(s, id, 11), -EALREADY);
    assert_int_equal(task_finish(s, id, TASK_FAILED, "no", NULL, 20), 0);
    assert_int_equal(task_finish(s, id, TASK_DONE, NULL, NULL, 21), -EALREADY);
    assert_int_equal(task_failures(s, "b", &failed), 0);
    assert_int_equal(failed, 1);
    assert_int_equal(task_get(s, id, &t), 0);
    assert_int_equal(t.state, TASK_FAILED);
    assert_string_equal(t.message, "no");
    assert_int_equal(t.ended_ns, 20);
    assert_ptr_equal(t.deed, &deeds[DEED_START]);
    task_done(&t);
    struct task *open = NULL;
    size_t n = 0;
    assert_int_equal(task_open(s, &open, &n), 0);
    assert_int_equal(n, 2);
    tasks_free(open, n);
    assert_int_equal(task_prune(s, 21), 0);
    assert_int_equal(task_get(s, id, &t), -ENOENT);
    store_close(s);
    scratch_done(&d);
}

// What a killed process had noted is there for the next one.
static void test_notes_outlive_a_kill(void **state)
{
    struct scratch d = scratch_new();
    int pipe_fds[2];
    char byte;
    assert_int_equal(pipe(pipe_fds), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct store *s = open_in(&d);
        int r;
        int64_t id = add(s, NULL, NULL, &r);
        json_t *note = json_pack("{s:s}", "make", "volume");
        r = r == 0 ? task_start(s, id, 1) : r;
        r = r == 0 ? task_note(s, id, note) : r;
        r = r == 0 ? task_note(s, id, note) : r;
        if (r == 0 && write(pipe_fds[1], "x", 1) == 1)
            pause();
        _exit(1);
    }
    assert_int_equal(read(pipe_fds[0], &byte, 1), 1);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    struct store *s = open_in(&d);
    json_t *notes = NULL;
    struct task t;
    assert_int_equal(task_get(s, 1, &t), 0);
    assert_int_equal(t.state, TASK_RUNNING);
    task_done(&t);
    assert_int_equal(task_notes(s, 1, &notes), 0);
    assert_int_equal(json_array_size(notes), 2);
    json_decref(notes);
    store_close(s);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    scratch_done(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_states_and_keys),
                                       cmocka_unit_test(test_notes_outlive_a_kill)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
