// SPDX-License-Identifier: GPL-3.0-or-later
#include "net/ipc.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/mem.h"

#define PAYLOAD_MAX (64u * 1024 * 1024)

struct wire_header {
    uint32_t length, id;
    uint16_t type, status;
    uint32_t zero;
};

// One end is a connection, the other a bare socket.
static struct ipc *half(int *ret_raw, size_t payload_max)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    *ret_raw = fds[1];
    return ipc_new(fds[0], payload_max);
}

static void pair(struct ipc **a, struct ipc **b)
{
    int raw;
    *a = half(&raw, PAYLOAD_MAX);
    *b = ipc_new(raw, PAYLOAD_MAX);
}

static void frames_arrive_whole_and_in_order(void **state)
{
    struct ipc *a, *b;
    struct ipc_frame f;
    pair(&a, &b);
    assert_int_equal(ipc_recv(b, &f), 0);
    assert_int_equal(ipc_send(a, IPC_REQUEST, 1, 0, "he", 2, "llo", 3), 0);
    assert_int_equal(ipc_send(a, IPC_RESPONSE, 2, 404, NULL, 0, NULL, 0), 0);
    assert_int_equal(ipc_send(a, IPC_REPORT, UINT32_MAX, 0, "x", 1, NULL, 0), 0);
    assert_int_equal(ipc_recv(b, &f), 1);
    assert_int_equal(f.id, 1);
    assert_int_equal(f.type, IPC_REQUEST);
    assert_int_equal(f.len, 5);
    assert_memory_equal(f.payload, "hello", 5);
    assert_int_equal(ipc_recv(b, &f), 1);
    assert_int_equal(f.type, IPC_RESPONSE);
    assert_int_equal(f.status, 404);
    assert_int_equal(f.len, 0);
    assert_int_equal(ipc_recv(b, &f), 1);
    assert_int_equal(f.id, UINT32_MAX);
    assert_int_equal(ipc_recv(b, &f), 0);
    ipc_free(a);
    assert_int_equal(ipc_recv(b, &f), -EPIPE);
    ipc_free(b);
}

static void a_frame_may_come_byte_by_byte(void **state)
{
    int raw;
    struct ipc *c = half(&raw, PAYLOAD_MAX);
    struct ipc_frame f;
    struct wire_header h = {.length = 3, .id = 7, .type = IPC_RESPONSE, .status = 200};
    char bytes[sizeof(h) + 3];
    memcpy(bytes, &h, sizeof(h));
    memcpy(bytes + sizeof(h), "abc", 3);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < sizeof(bytes); i++) {
            assert_int_equal(ipc_recv(c, &f), 0);
            assert_int_equal(write(raw, bytes + i, 1), 1);
        }
        assert_int_equal(ipc_recv(c, &f), 1);
        assert_int_equal(f.status, 200);
        assert_memory_equal(f.payload, "abc", 3);
    }
    close(raw);
    ipc_free(c);
}

static void a_large_frame_is_queued_and_arrives_intact(void **state)
{
    struct ipc *a, *b;
    struct ipc_frame f;
    size_t len = 20u * 1024 * 1024 + 13;
    CLEANUP(freep) char *big = mem_zalloc(len);
    for (size_t i = 0; i < len; i++)
        big[i] = (char)(i * 2654435761u >> 13);
    pair(&a, &b);
    assert_int_equal(ipc_send(a, IPC_RESPONSE, 1, 200, big, 100, big + 100, len - 100), 0);
    assert_int_equal(ipc_send(a, IPC_RESPONSE, 2, 200, "tail", 4, NULL, 0), 0);
    assert_true(ipc_wants_write(a));
    int r;
    while ((r = ipc_recv(b, &f)) == 0)
        assert_int_equal(ipc_flush(a), 0);
    assert_int_equal(r, 1);
    assert_int_equal(f.len, len);
    assert_memory_equal(f.payload, big, len);
    CLEANUP(freep) char *taken = ipc_take_payload(b);
    while ((r = ipc_recv(b, &f)) == 0)
        assert_int_equal(ipc_flush(a), 0);
    assert_int_equal(r, 1);
    assert_memory_equal(f.payload, "tail", 4);
    assert_memory_equal(taken, big, len);
    assert_false(ipc_wants_write(a));
    ipc_free(a);
    ipc_free(b);
}

static void a_payload_at_the_limit_passes_and_one_above_does_not(void **state)
{
    for (uint32_t over = 0; over < 2; over++) {
        int raw;
        struct ipc *c = half(&raw, 8);
        struct ipc_frame f;
        struct wire_header h = {.length = 8 + over, .type = IPC_REQUEST};
        assert_int_equal(write(raw, &h, sizeof(h)), sizeof(h));
        assert_int_equal(write(raw, "123456789", 8 + over), 8 + over);
        assert_int_equal(ipc_recv(c, &f), over ? -EPROTO : 1);
        if (over) {
            assert_int_equal(ipc_recv(c, &f), -EPROTO);
            assert_int_equal(ipc_send(c, IPC_REQUEST, 1, 0, "x", 1, NULL, 0), -EPIPE);
        }
        close(raw);
        ipc_free(c);
    }
}

static void malformed_headers_end_the_connection(void **state)
{
    static const struct wire_header bad[] = {
        {.type = 0},
        {.type = IPC_TYPE_END},
        {.type = 0xFFFF},
        {.type = IPC_REQUEST, .zero = 1},
        {.type = IPC_RESPONSE, .status = 1000},
        {.type = IPC_REQUEST, .length = UINT32_MAX},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        int raw;
        struct ipc *c = half(&raw, PAYLOAD_MAX);
        struct ipc_frame f;
        assert_int_equal(write(raw, &bad[i], sizeof(bad[i])), sizeof(bad[i]));
        assert_int_equal(ipc_recv(c, &f), -EPROTO);
        close(raw);
        ipc_free(c);
    }
}

static void frames_before_the_end_are_still_given(void **state)
{
    int raw;
    struct ipc *c = half(&raw, PAYLOAD_MAX);
    struct ipc_frame f;
    struct wire_header h = {.length = 2, .id = 9, .type = IPC_REQUEST};
    char bytes[2 * (sizeof(h) + 2) + 5] = {0};
    for (size_t i = 0; i < 2; i++) {
        memcpy(bytes + i * (sizeof(h) + 2), &h, sizeof(h));
        memcpy(bytes + i * (sizeof(h) + 2) + sizeof(h), "ok", 2);
    }
    assert_int_equal(write(raw, bytes, sizeof(bytes)), sizeof(bytes));
    close(raw);
    assert_int_equal(ipc_recv(c, &f), 1);
    assert_int_equal(ipc_recv(c, &f), 1);
    assert_memory_equal(f.payload, "ok", 2);
    assert_int_equal(ipc_recv(c, &f), -EPIPE);
    ipc_free(c);
}

static void sending_to_nobody_is_an_error_without_a_signal(void **state)
{
    int raw;
    struct ipc *c = half(&raw, PAYLOAD_MAX);
    close(raw);
    assert_int_equal(ipc_send(c, IPC_REQUEST, 1, 0, "x", 1, NULL, 0), -EPIPE);
    assert_int_equal(ipc_flush(c), -EPIPE);
    ipc_free(c);
}

static void a_payload_beyond_the_limit_is_not_sent(void **state)
{
    int raw;
    struct ipc *c = half(&raw, PAYLOAD_MAX);
    struct ipc_frame f;
    assert_int_equal(ipc_send(c, IPC_REQUEST, 1, 0, "", IPC_PAYLOAD_MAX, "", 1), -EMSGSIZE);
    assert_int_equal(ipc_send(c, IPC_REQUEST, 1, 0, "", SIZE_MAX, "", SIZE_MAX), -EMSGSIZE);
    assert_false(ipc_wants_write(c));
    assert_int_equal(ipc_recv(c, &f), 0);
    close(raw);
    ipc_free(c);
}

static void requests_survive_encoding(void **state)
{
    struct ipc_request r = {.method = "GET",
                            .path = "/vherd/v1/vms/a \"b\"\n",
                            .query = "a=1&b=%20",
                            .form = "b=2&c=%33",
                            .accept = "",
                            .principal = "1 viewer",
                            .address = "::1"};
    struct ipc_request got;
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 4096);
    ipc_request_encode(&r, &b);
    assert_int_equal(ipc_request_decode(b.data, b.len, &got), 0);
    assert_string_equal(got.method, r.method);
    assert_string_equal(got.path, r.path);
    assert_string_equal(got.query, r.query);
    assert_string_equal(got.accept, "");
    assert_string_equal(got.principal, r.principal);
    assert_string_equal(got.address, "::1");
    static const char *const params[][2] = {{"a", "1"}, {"b", "2"}, {"c", "3"}};
    for (size_t i = 0; i < ARRAY_LEN(params); i++) {
        CLEANUP(freep) char *value = ipc_request_param(&got, params[i][0]);
        assert_string_equal(value, params[i][1]);
    }
    assert_null(ipc_request_param(&got, "d"));
    ipc_request_done(&got);
    assert_null(got.storage);
    for (size_t len = 0; len < b.len; len++)
        assert_int_equal(ipc_request_decode(b.data, len, &got), -EPROTO);
    buf_putc(&b, 'x');
    assert_int_equal(ipc_request_decode(b.data, b.len, &got), -EPROTO);
    buf_putc(&b, '\0');
    assert_int_equal(ipc_request_decode(b.data, b.len, &got), -EPROTO);
}

static void requests_need_a_method_and_an_absolute_path(void **state)
{
    static const char no_method[] = "\0/x\0\0\0\0";
    static const char relative[] = "GET\0x\0\0\0\0";
    struct ipc_request got;
    assert_int_equal(ipc_request_decode(no_method, sizeof(no_method), &got), -EPROTO);
    assert_int_equal(ipc_request_decode(relative, sizeof(relative), &got), -EPROTO);
}

static void query_parameters_are_found_and_decoded(void **state)
{
    static const struct {
        const char *query, *name, *value;
    } rows[] = {
        {"", "a", NULL},       {"a=1", "a", "1"},     {"ab=1", "a", NULL},
        {"b=2&a=1", "a", "1"}, {"a", "a", ""},        {"a=", "a", ""},
        {"&&a=x&", "a", "x"},  {"a=1=2", "a", "1=2"}, {"a=x+y%2B%C3%A9", "a", "x y+\xc3\xa9"},
        {"%61=1", "a", "1"},   {"a=%zz", "a", NULL},  {"a=%00", "a", NULL},
        {"a=%", "a", NULL},    {"%=1&a=2", "a", "2"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(freep) char *value = ipc_query_param(rows[i].query, rows[i].name);
        if (rows[i].value)
            assert_string_equal(value, rows[i].value);
        else
            assert_null(value);
    }
}

static void repeated_parameters_come_one_after_the_other(void **state)
{
    const char *query = "set=vherd&x=1&set=%zz&set=tinkoff&set=";
    static const char *const values[] = {"vherd", "tinkoff", ""};
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        CLEANUP(freep) char *value = ipc_query_param_next(&query, "set");
        assert_string_equal(value, values[i]);
    }
    assert_null(ipc_query_param_next(&query, "set"));
}

static void control_messages_carry_text_and_a_descriptor(void **state)
{
    int c[2], p[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, c), 0);
    assert_int_equal(pipe2(p, O_CLOEXEC), 0);
    assert_int_equal(control_send(c[0], CONTROL_PEER, "core", p[1]), 0);
    assert_int_equal(control_send(c[0], CONTROL_START, "", -1), 0);
    enum control_type type;
    char *text;
    int fd;
    assert_int_equal(control_recv(c[1], &type, &text, &fd), 0);
    assert_int_equal(type, CONTROL_PEER);
    assert_string_equal(text, "core");
    assert_true(fd >= 0 && (fcntl(fd, F_GETFD) & FD_CLOEXEC));
    char byte = 0;
    assert_int_equal(write(fd, "!", 1), 1);
    assert_int_equal(read(p[0], &byte, 1), 1);
    assert_int_equal(byte, '!');
    free(text);
    close(fd);
    assert_int_equal(control_recv(c[1], &type, &text, &fd), 0);
    assert_int_equal(type, CONTROL_START);
    assert_string_equal(text, "");
    assert_int_equal(fd, -1);
    free(text);
    close(c[0]);
    assert_int_equal(control_recv(c[1], &type, &text, &fd), -EPIPE);
    close(c[1]);
    close(p[0]);
    close(p[1]);
}

static void control_messages_have_a_limit(void **state)
{
    int c[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, c), 0);
    CLEANUP(freep) char *text = mem_zalloc(CONTROL_TEXT_MAX + 2);
    memset(text, 'x', CONTROL_TEXT_MAX + 1);
    assert_int_equal(control_send(c[0], CONTROL_CONFIG, text, -1), -EMSGSIZE);
    text[CONTROL_TEXT_MAX] = '\0';
    assert_int_equal(control_send(c[0], CONTROL_CONFIG, text, -1), 0);
    enum control_type type;
    int fd;
    CLEANUP(freep) char *got = NULL;
    assert_int_equal(control_recv(c[1], &type, &got, &fd), 0);
    assert_int_equal(strlen(got), CONTROL_TEXT_MAX);
    close(c[0]);
    close(c[1]);
}

static int fds_open(void)
{
    int n = 0;
    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static void malformed_control_messages_are_refused(void **state)
{
    static const struct {
        uint32_t type;
        char text[4];
        size_t len;
    } bad[] = {
        {CONTROL_START, "", 2},          // shorter than a type
        {0, "", 4},                      // no such type
        {CONTROL_TYPE_END, "", 4},       // no such type
        {CONTROL_CONFIG, "a\0b", 4 + 3}, // NUL inside
    };
    int c[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, c), 0);
    enum control_type type;
    char *text;
    int fd;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(send(c[0], &bad[i], bad[i].len, 0), bad[i].len);
        assert_int_equal(control_recv(c[1], &type, &text, &fd), -EPROTO);
    }

    // Two descriptors where one is allowed: refused, and none stays open.
    int before = fds_open();
    uint32_t number = CONTROL_PEER;
    struct iovec iov = {&number, sizeof(number)};
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * 2)];
    } space = {0};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = space.bytes,
                         .msg_controllen = sizeof(space.bytes)};
    struct cmsghdr *h = CMSG_FIRSTHDR(&msg);
    h->cmsg_level = SOL_SOCKET;
    h->cmsg_type = SCM_RIGHTS;
    h->cmsg_len = CMSG_LEN(sizeof(int) * 2);
    memcpy(CMSG_DATA(h), (int[]){0, 1}, sizeof(int) * 2);
    assert_int_equal(sendmsg(c[0], &msg, 0), sizeof(number));
    assert_int_equal(control_recv(c[1], &type, &text, &fd), -EPROTO);
    assert_int_equal(fds_open(), before);
    close(c[0]);
    close(c[1]);
}

static ino_t inode_of(int fd)
{
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    return st.st_ino;
}

// Frames with and without descriptors, among them some larger than the socket takes at once: each
// descriptor arrives with its own frame.
static void descriptors_arrive_with_their_frames(void **state)
{
    enum { FRAMES = 40 };
    int s[2], before = fds_open();
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s), 0);
    struct ipc *a = ipc_new(s[0], 1 << 20), *b = ipc_new(s[1], 1 << 20);
    ipc_accept_fds(b);
    CLEANUP(freep) char *large = mem_zalloc(300000);
    ino_t sent[FRAMES] = {0};
    for (uint32_t i = 0; i < FRAMES; i++) {
        CLEANUP(closep) int fd = i % 3 == 0 ? -1 : memfd_create("x", MFD_CLOEXEC);
        size_t len = i % 7 == 2 ? 300000 : i;
        if (fd >= 0)
            sent[i] = inode_of(fd);
        assert_int_equal(ipc_send_fd(a, IPC_REQUEST, i, 0, large, len, NULL, 0, fd), 0);
    }
    assert_true(ipc_wants_write(a));
    for (uint32_t i = 0; i < FRAMES;) {
        struct ipc_frame f;
        int r = ipc_recv(b, &f);
        assert_true(r >= 0);
        if (r == 0) {
            assert_int_equal(ipc_flush(a), 0);
            continue;
        }
        assert_int_equal(f.id, i);
        assert_int_equal(f.fd >= 0, sent[i] != 0);
        if (f.fd >= 0)
            assert_int_equal(inode_of(f.fd), sent[i]);
        if (i % 2 == 0) {
            int mine = ipc_take_fd(b);
            closep(&mine);
        }
        i++;
    }
    ipc_free(a);
    ipc_free(b);
    assert_int_equal(fds_open(), before);
}

static void an_announced_descriptor_must_come(void **state)
{
    int s[2];
    const uint32_t header[4] = {0, 1, IPC_REQUEST, 1};
    struct ipc_frame f;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s), 0);
    struct ipc *b = ipc_new(s[1], 1 << 20);
    ipc_accept_fds(b);
    assert_int_equal(write(s[0], header, sizeof(header)), sizeof(header));
    assert_int_equal(ipc_recv(b, &f), -EPROTO);
    ipc_free(b);
    close(s[0]);
    // And who takes none closes the connection.
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s), 0);
    b = ipc_new(s[1], 1 << 20);
    assert_int_equal(write(s[0], header, sizeof(header)), sizeof(header));
    assert_int_equal(ipc_recv(b, &f), -EPROTO);
    ipc_free(b);
    close(s[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(descriptors_arrive_with_their_frames),
        cmocka_unit_test(an_announced_descriptor_must_come),
        cmocka_unit_test(frames_arrive_whole_and_in_order),
        cmocka_unit_test(a_frame_may_come_byte_by_byte),
        cmocka_unit_test(a_large_frame_is_queued_and_arrives_intact),
        cmocka_unit_test(a_payload_at_the_limit_passes_and_one_above_does_not),
        cmocka_unit_test(malformed_headers_end_the_connection),
        cmocka_unit_test(frames_before_the_end_are_still_given),
        cmocka_unit_test(sending_to_nobody_is_an_error_without_a_signal),
        cmocka_unit_test(a_payload_beyond_the_limit_is_not_sent),
        cmocka_unit_test(requests_survive_encoding),
        cmocka_unit_test(requests_need_a_method_and_an_absolute_path),
        cmocka_unit_test(query_parameters_are_found_and_decoded),
        cmocka_unit_test(repeated_parameters_come_one_after_the_other),
        cmocka_unit_test(control_messages_carry_text_and_a_descriptor),
        cmocka_unit_test(control_messages_have_a_limit),
        cmocka_unit_test(malformed_control_messages_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
