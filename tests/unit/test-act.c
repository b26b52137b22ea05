// SPDX-License-Identifier: GPL-3.0-or-later
// act's loop on the in-memory hypervisor, asked over its real socket.
#include <errno.h>
#include <libvirt/libvirt.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "act-loop.h"
#include "base/mem.h"
#include "net/batch_json.h"
#include "virt/memory.h"

#define VMS 12

struct fixture {
    struct act act;
    struct ipc *core; // the test's end
    uint32_t last_id;
    bool libvirt_up; // as reported
};

struct answer {
    uint32_t id;
    int status;
    char *type, *body;
};

static struct uuid uuid_of(int number)
{
    struct uuid u;
    char text[UUID_TEXT];
    snprintf(text, sizeof(text), "6d656d00-0000-4000-8000-%012x", (unsigned)number);
    assert_true(uuid_parse(text, strlen(text), &u));
    return u;
}

static void connect_core(struct fixture *f)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    core_connect(&f->act, fds[0]);
    f->core = ipc_new(fds[1], IPC_PAYLOAD_MAX);
}

static void wait_a_little(struct fixture *f)
{
    act_loop_wait(&f->act);
}

static void wait_for_link(struct fixture *f, enum link_state state)
{
    while (f->act.link.state != state)
        wait_a_little(f);
}

static int setup(void **state)
{
    struct fixture *f = mem_zalloc(sizeof(*f));
    memory_reset(&clock_system);
    act_init(&f->act);
    f->act.conf = conf_new();
    f->act.conf->agent.deadline_ns = 200 * NS_PER_MS;
    f->act.uri = mem_printf("memory:///?vms=%d", VMS);
    f->act.ops = &virt_memory;
    f->act.started = true;
    connect_core(f);
    act_step(&f->act);
    wait_for_link(f, LINK_UP);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    for (int i = 1; i <= VMS; i++) {
        struct uuid u = uuid_of(i);
        memory_fault(&u, MEMORY_FAULT_NONE);
    }
    while (f->act.calls)
        wait_a_little(f);
    while (f->act.link.state == LINK_OPENING)
        wait_a_little(f);
    link_reopen(&f->act); // closes the connection
    f->act.stopping = true;
    assert_int_equal(workers_free(f->act.workers), 0);
    act_loop_close(&f->act);
    ipc_free(f->act.core);
    ipc_free(f->core);
    assert_int_equal(uv_loop_close(&f->act.loop), 0);
    conf_free(f->act.conf);
    free(f->act.uri);
    free(f);
    memory_reset(NULL);
    return 0;
}

static uint32_t ask(struct fixture *f, const char *verb, const char *arguments)
{
    uint32_t id = ++f->last_id;
    assert_int_equal(
        ipc_send(f->core, IPC_REQUEST, id, 0, verb, strlen(verb) + 1, arguments, strlen(arguments)),
        0);
    return id;
}

static uint32_t ask_vm(struct fixture *f, const char *verb, int number)
{
    char uuid[UUID_TEXT], arguments[100];
    struct uuid u = uuid_of(number);
    uuid_format(&u, uuid);
    snprintf(arguments, sizeof(arguments), "{\"uuid\": \"%s\"}", uuid);
    return ask(f, verb, arguments);
}

static void answer_done(struct answer *a)
{
    free(a->type);
    free(a->body);
}

// False where no answer is there yet.
static bool poll_answer(struct fixture *f, struct answer *ret)
{
    struct ipc_frame frame;
    int r;
    while ((r = ipc_recv(f->core, &frame)) == 1) {
        if (frame.type == IPC_REPORT) {
            CLEANUP(freep) char *text = mem_strndup(frame.payload, frame.len);
            f->libvirt_up = strstr(text, "\"libvirt_up\":true");
            continue;
        }
        assert_int_equal(frame.type, IPC_RESPONSE);
        size_t type = strnlen(frame.payload, frame.len);
        assert_true(type < frame.len);
        *ret = (struct answer){frame.id, frame.status, mem_strdup(frame.payload),
                               mem_strndup(frame.payload + type + 1, frame.len - type - 1)};
        return true;
    }
    assert_int_equal(r, 0);
    return false;
}

static struct answer next_answer(struct fixture *f)
{
    struct answer a;
    while (!poll_answer(f, &a))
        wait_a_little(f);
    return a;
}

static void expect(struct fixture *f, uint32_t id, int status, const char *part)
{
    CLEANUP(answer_done) struct answer a = next_answer(f);
    assert_int_equal(a.id, id);
    if (a.status != status)
        fail_msg("status %d, not %d: %s", a.status, status, a.body);
    assert_string_equal(a.type, status == 200 ? "application/json" : "application/problem+json");
    if (!strstr(a.body, part))
        fail_msg("no %s in %s", part, a.body);
    assert_true(status == 200 || strstr(a.body, "\"title\":\""));
}

static void make_sick(int first, int last, enum memory_fault fault)
{
    for (int i = first; i <= last; i++) {
        struct uuid u = uuid_of(i);
        assert_int_equal(memory_fault(&u, fault), 0);
    }
}

static void answers_are_batches(void **state)
{
    struct fixture *f = *state;
    uint32_t id = ask_vm(f, "agent_info", 1);
    CLEANUP(answer_done) struct answer a = next_answer(f);
    assert_int_equal(a.id, id);
    assert_int_equal(a.status, 200);
    struct batch *b = batch_new();
    struct err err = {0};
    assert_int_equal(batch_decode_json(a.body, strlen(a.body), b, &err), 0);
    assert_true(b->n_rows > 5);
    batch_free(b);
}

static void every_verb_answers(void **state)
{
    struct fixture *f = *state;
    expect(f, ask_vm(f, "agent_ping", 2), 200, "VM_AGENT_UP");
    expect(f, ask_vm(f, "agent_info", 2), 200, "FS_USED");
    expect(f,
           ask(f, "dirty_rate",
               "{\"uuid\": \"6d656d00-0000-4000-8000-000000000002\", \"seconds\": 1}"),
           200, "VM_DIRTY_RATE");
}

static void wrong_requests_are_refused(void **state)
{
#define SOMEBODY "\"uuid\": \"6d656d00-0000-4000-8000-000000000001\""
    static const struct {
        const char *verb, *arguments, *part;
    } wrong[] = {
        {"", "{}", "no such verb"},
        {"destroy", "{" SOMEBODY "}", "no such verb"},
        {"agent_pin", "{" SOMEBODY "}", "no such verb"},
        {"agent_ping", "", "not JSON"},
        {"agent_ping", "[]", "not an object"},
        {"agent_ping", "{}", "uuid"},
        {"agent_ping", "{\"uuid\": 1}", "uuid"},
        {"agent_ping", "{\"uuid\": \"vm1\"}", "uuid"},
        {"agent_ping", "{" SOMEBODY "," SOMEBODY "}", "not JSON"},
        {"agent_ping", "{" SOMEBODY ", \"seconds\": 1}", "wrong arguments"},
        {"agent_ping", "{" SOMEBODY "} x", "not JSON"},
        {"dirty_rate", "{" SOMEBODY "}", "wrong arguments"},
        {"dirty_rate", "{" SOMEBODY ", \"minutes\": 1}", "seconds"},
        {"dirty_rate", "{" SOMEBODY ", \"seconds\": 0}", "seconds"},
        {"dirty_rate", "{" SOMEBODY ", \"seconds\": 61}", "seconds"},
        {"dirty_rate", "{" SOMEBODY ", \"seconds\": 1.5}", "seconds"},
        {"dirty_rate", "{" SOMEBODY ", \"seconds\": \"1\"}", "seconds"},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        expect(f, ask(f, wrong[i].verb, wrong[i].arguments), 400, wrong[i].part);
}

static void failures_keep_their_meaning(void **state)
{
    struct fixture *f = *state;
    expect(f, ask_vm(f, "agent_ping", 99), 404, "no such domain");
    make_sick(1, 1, MEMORY_FAULT_ERROR);
    expect(f, ask_vm(f, "agent_ping", 1), 502, "told to fail");
}

static void a_hung_vm_is_written_off_and_comes_back(void **state)
{
    struct fixture *f = *state;
    make_sick(1, 1, MEMORY_FAULT_HUNG);
    expect(f, ask_vm(f, "agent_ping", 1), 504, "in time");
    assert_int_equal(memory_stuck_calls(), 1);
    expect(f, ask_vm(f, "agent_ping", 1), 504, "has not come back");
    expect(f, ask_vm(f, "agent_ping", 2), 200, "VM_AGENT_UP");
    make_sick(1, 1, MEMORY_FAULT_NONE);
    while (f->act.calls)
        wait_a_little(f);
    // The late answer was dropped: the next is that of the next question.
    expect(f, ask_vm(f, "agent_ping", 1), 200, "VM_AGENT_UP");
}

static void at_most_three_run_at_once(void **state)
{
    struct fixture *f = *state;
    f->act.conf->agent.deadline_ns = 60 * NS_PER_S;
    make_sick(1, 5, MEMORY_FAULT_HUNG);
    for (int i = 1; i <= 5; i++)
        ask_vm(f, "agent_ping", i);
    while (memory_stuck_calls() < ACT_IN_FLIGHT)
        wait_a_little(f);
    for (int i = 0; i < 5; i++)
        wait_a_little(f);
    assert_int_equal(memory_stuck_calls(), ACT_IN_FLIGHT);
    make_sick(1, 5, MEMORY_FAULT_NONE);
    for (int i = 1; i <= 5; i++) {
        CLEANUP(answer_done) struct answer a = next_answer(f);
        assert_int_equal(a.status, 200);
    }
}

static int count_calls(const struct fixture *f)
{
    int n = 0;
    for (const struct call *c = f->act.calls; c; c = c->next)
        n++;
    return n;
}

static void calls_written_off_are_capped(void **state)
{
    struct fixture *f = *state;
    make_sick(1, VMS - 1, MEMORY_FAULT_HUNG);
    for (int i = 1; i <= ACT_WRITTEN_OFF; i++)
        expect(f, ask_vm(f, "agent_ping", i), 504, "in time");
    assert_int_equal(memory_stuck_calls(), ACT_WRITTEN_OFF);
    expect(f, ask_vm(f, "agent_ping", VMS), 503, "too many");
    make_sick(1, 1, MEMORY_FAULT_NONE);
    while (count_calls(f) == ACT_WRITTEN_OFF)
        wait_a_little(f);
    expect(f, ask_vm(f, "agent_ping", VMS), 200, "VM_AGENT_UP");
}

static void libvirt_away_is_said_and_mended(void **state)
{
    struct fixture *f = *state;
    struct answer none;
    memory_libvirt_down(ECONNREFUSED);
    while (f->act.link.err.code != ECONNREFUSED)
        wait_a_little(f);
    expect(f, ask_vm(f, "agent_ping", 1), 503, "told to be away");
    assert_false(f->libvirt_up);
    memory_libvirt_up();
    wait_for_link(f, LINK_UP);
    assert_false(poll_answer(f, &none));
    assert_true(f->libvirt_up);
    expect(f, ask_vm(f, "agent_ping", 1), 200, "VM_AGENT_UP");
}

static void calls_in_flight_end_with_the_connection(void **state)
{
    struct fixture *f = *state;
    f->act.conf->agent.deadline_ns = 60 * NS_PER_S;
    make_sick(1, 1, MEMORY_FAULT_HUNG);
    uint32_t id = ask_vm(f, "agent_ping", 1);
    while (memory_stuck_calls() == 0)
        wait_a_little(f);
    memory_libvirt_down(ECONNREFUSED);
    expect(f, id, 503, "lost");
    memory_libvirt_up();
}

static void nobody_hears_of_cancelled_calls(void **state)
{
    struct fixture *f = *state;
    make_sick(1, 1, MEMORY_FAULT_HUNG);
    uint32_t id = ask_vm(f, "agent_ping", 1);
    while (memory_stuck_calls() == 0)
        wait_a_little(f);
    assert_int_equal(ipc_send(f->core, IPC_CANCEL, id, 0, "", 0, "", 0), 0);
    wait_a_little(f);
    make_sick(1, 1, MEMORY_FAULT_NONE);
    while (f->act.calls)
        wait_a_little(f);
    expect(f, ask_vm(f, "agent_ping", 2), 200, "VM_AGENT_UP");
}

static void a_new_core_hears_only_its_own(void **state)
{
    struct fixture *f = *state;
    make_sick(1, 1, MEMORY_FAULT_HUNG);
    ask_vm(f, "agent_ping", 1);
    while (memory_stuck_calls() == 0)
        wait_a_little(f);
    ipc_free(f->core);
    connect_core(f);
    make_sick(1, 1, MEMORY_FAULT_NONE);
    while (f->act.calls)
        wait_a_little(f);
    expect(f, ask_vm(f, "agent_ping", 2), 200, "VM_AGENT_UP");
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(answers_are_batches),
        T(every_verb_answers),
        T(wrong_requests_are_refused),
        T(failures_keep_their_meaning),
        T(a_hung_vm_is_written_off_and_comes_back),
        T(at_most_three_run_at_once),
        T(calls_written_off_are_capped),
        T(libvirt_away_is_said_and_mended),
        T(calls_in_flight_end_with_the_connection),
        T(nobody_hears_of_cancelled_calls),
        T(a_new_core_hears_only_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
