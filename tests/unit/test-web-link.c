// SPDX-License-Identifier: GPL-3.0-or-later
// What web makes of core's frames.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "link.h"
#include "net/ipc.h"

struct asker {
    unsigned answers, lost;
    char *payload;
    size_t len;
    struct shared *shared;
};

static void answered(void *arg, const struct ipc_frame *frame, char *payload)
{
    struct asker *a = arg;
    a->answers++;
    a->len = frame->len;
    a->payload = payload;
}

static void shared(void *arg, const struct ipc_frame *frame, struct shared *answer)
{
    struct asker *a = arg;
    a->answers++;
    a->shared = shared_ref(answer);
    a->payload = answer->payload;
    a->len = answer->len;
}

static void lost(void *arg)
{
    ((struct asker *)arg)->lost++;
}

static const struct link_events events = {.answer = answered, .share = shared, .lost = lost};

struct stage {
    struct loop loop;
    struct link link;
    struct ipc *core;
};

static void stage_init(struct stage *s)
{
    int fd[2];
    assert_int_equal(loop_init(&s->loop), 0);
    link_init(&s->link, &s->loop, &events);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    link_connect(&s->link, fd[0]);
    s->core = ipc_new(fd[1], IPC_PAYLOAD_MAX);
}

static void stage_done(struct stage *s)
{
    ipc_free(s->core);
    link_done(&s->link);
    loop_done(&s->loop);
}

static uint32_t ask(struct stage *s, struct asker *a)
{
    struct ipc_request r = {.method = "GET",
                            .path = "/metrics",
                            .query = "",
                            .form = "",
                            .accept = "",
                            .principal = "",
                            .address = ""};
    uint32_t id = 0;
    assert_int_equal(link_ask(&s->link, &r, -1, a, &id), 0);
    return id;
}

static void send_frame(struct stage *s, enum ipc_type type, uint32_t id, const char *text)
{
    size_t len = text ? strlen(text) : 0;
    assert_int_equal(ipc_send(s->core, type, id, 200, text, len, NULL, 0), 0);
}

static void expect(struct stage *s, struct asker *a, const char *text)
{
    while (!a->answers)
        loop_run_once(&s->loop, -1);
    assert_int_equal(a->answers, 1);
    assert_int_equal(a->len, strlen(text));
    assert_memory_equal(a->payload, text, a->len);
    if (!a->shared)
        free(a->payload);
    shared_unref(a->shared);
}

// One that gave up does not take the answer from the others.
static void test_shared_answers(void **state)
{
    struct stage s;
    struct asker a[5] = {0};
    uint32_t id[5];
    stage_init(&s);
    for (size_t i = 0; i < ARRAY_LEN(a); i++)
        id[i] = ask(&s, &a[i]);
    link_cancel(&s.link, id[0]);
    send_frame(&s, IPC_SHARED, id[0], "one");
    send_frame(&s, IPC_AGAIN, id[1], NULL);
    send_frame(&s, IPC_RESPONSE, id[2], "apart");
    send_frame(&s, IPC_AGAIN, id[3], NULL);
    send_frame(&s, IPC_SHARED, id[4], "another");
    while (!a[4].answers)
        loop_run_once(&s.loop, -1);
    assert_ptr_equal(a[1].payload, a[3].payload);
    assert_ptr_not_equal(a[1].payload, a[4].payload);
    expect(&s, &a[1], "one");
    expect(&s, &a[2], "apart");
    expect(&s, &a[3], "one");
    expect(&s, &a[4], "another");
    assert_int_equal(a[0].answers, 0);
    stage_done(&s);
}

// Of another connection's answer nothing is left.
static void test_nothing_to_share(void **state)
{
    struct stage s;
    struct asker a = {0}, b = {0};
    int fd[2];
    stage_init(&s);
    send_frame(&s, IPC_SHARED, ask(&s, &a), "one");
    expect(&s, &a, "one");
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    link_connect(&s.link, fd[0]);
    ipc_free(s.core);
    s.core = ipc_new(fd[1], IPC_PAYLOAD_MAX);
    send_frame(&s, IPC_AGAIN, ask(&s, &b), NULL);
    while (!b.answers)
        loop_run_once(&s.loop, -1);
    assert_null(b.payload);
    assert_int_equal(b.len, 0);
    stage_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shared_answers),
        cmocka_unit_test(test_nothing_to_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
