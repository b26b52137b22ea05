// SPDX-License-Identifier: GPL-3.0-or-later
// Takes the place of vherd-web in a test: a web that was taken over, which may say to core and act
// whatever it likes. It does not serve; it tries one thing after the other, and writes what
// came of it to $VHERD_HOSTILE_OUT, a line each: NAME STATUS.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "net/gate.h"
#include "net/ipc.h"

#define TIMEOUT_MS 10000

struct hostile {
    int core_fd, act_fd, listener;
    struct ipc *core, *act;
    char *socket_path;
    int out;
    uint32_t id;
    int keys_seen;
    bool started;
};

static int take_message(struct hostile *h)
{
    enum control_type type;
    CLEANUP(freep) char *text = NULL;
    int fd = -1;
    int r = control_recv(IPC_CONTROL_FD, &type, &text, &fd);
    if (r < 0)
        return r;
    if (type == CONTROL_PEER && strcmp(text, "core") == 0)
        h->core_fd = fd;
    else if (type == CONTROL_PEER && strcmp(text, "act") == 0)
        h->act_fd = fd;
    else if (type == CONTROL_LISTEN && text[0] == '/')
        h->listener = fd;
    if (type == CONTROL_LISTEN && text[0] == '/')
        mem_strset(&h->socket_path, text);
    h->keys_seen += type == CONTROL_KEY;
    h->started |= type == CONTROL_START;
    return 0;
}

static void tell(struct hostile *h, const char *name, int status)
{
    CLEANUP(freep) char *line = mem_printf("%s %d\n", name, status);
    (void)fs_write_all(h->out, line, strlen(line));
}

// The answer's status; 0: the connection was closed, or nothing came.
static int await(struct ipc *c, struct ipc_frame *f)
{
    struct pollfd p = {ipc_fd(c), POLLIN, 0};
    for (;;) {
        int r = ipc_recv(c, f);
        if (r == 1 && f->type == IPC_RESPONSE)
            return f->status;
        if (r < 0 || (r == 0 && poll(&p, 1, TIMEOUT_MS) <= 0))
            return 0;
    }
}

static void ask_core(struct hostile *h, const char *name, const char *method, const char *path,
                     const char *form, const char *principal, int fd)
{
    struct ipc_request r = {.method = method,
                            .path = path,
                            .query = "",
                            .form = form,
                            .accept = "",
                            .principal = principal,
                            .address = "unix"};
    CLEANUP(buf_done) struct buf b;
    struct ipc_frame f;
    buf_init(&b, 1 << 20);
    ipc_request_encode(&r, &b);
    ipc_send_fd(h->core, IPC_REQUEST, ++h->id, 0, b.data, b.len, NULL, 0, fd);
    tell(h, name, await(h->core, &f));
}

static void ask_act(struct hostile *h, const char *name, const void *payload, size_t len)
{
    struct ipc_frame f;
    ipc_send(h->act, IPC_REQUEST, ++h->id, 0, payload, len, NULL, 0);
    tell(h, name, await(h->act, &f));
}

static void forge_grants(struct hostile *h)
{
    static const char zeros[] = "0000000000000000000000000000000000000000000000000000000000000000";
    CLEANUP(freep)
    char *forged = mem_printf("1 admin 9223372036854775807 unix%%3A0 all all %s", zeros);
    static const char user[] = "{\"name\":\"evil\",\"role\":\"admin\",\"scope\":\"all\"}";
    const char *const grants[] = {"unix:0", "loopback", "admin", forged, zeros};
    for (size_t i = 0; i < ARRAY_LEN(grants); i++) {
        CLEANUP(freep) char *read = mem_printf("grant-%zu-read", i);
        CLEANUP(freep) char *write = mem_printf("grant-%zu-write", i);
        ask_core(h, read, "GET", "/vherd/v1/vms", "", grants[i], -1);
        ask_core(h, write, "POST", "/vherd/v1/users", user, grants[i], -1);
    }
    ask_core(h, "nothing-read", "GET", "/vherd/v1/vms", "", "", -1);
    ask_core(h, "nothing-write", "POST", "/vherd/v1/users", user, "", -1);
}

static int unix_socket(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
    return connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ? -1 : fd;
}

// Sockets that carry credentials of root, or of vherd, without anybody of them having asked.
static void forge_connections(struct hostile *h)
{
    int pair[2];
    ask_core(h, "fd-listener", "GET", "/vherd/v1/users", "", "", h->listener);
    ask_core(h, "fd-core-channel", "GET", "/vherd/v1/users", "", "", h->core_fd);
    ask_core(h, "fd-control", "GET", "/vherd/v1/users", "", "", IPC_CONTROL_FD);
    CLEANUP(closep) int far = unix_socket(h->socket_path);
    ask_core(h, "fd-far-end", "GET", "/vherd/v1/users", "", "", far);
    (void)!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair);
    ask_core(h, "fd-pair", "GET", "/vherd/v1/users", "", "", pair[0]);
    CLEANUP(closep) int file = open("/dev/null", O_RDWR | O_CLOEXEC);
    ask_core(h, "fd-file", "GET", "/vherd/v1/users", "", "", file);
    // The control: a real connection of root's is one.
    CLEANUP(closep) int accepted = accept4(h->listener, NULL, NULL, SOCK_CLOEXEC);
    ask_core(h, "fd-accepted", "GET", "/vherd/v1/users", "", "", accepted);
    close(pair[0]);
    close(pair[1]);
}

static void abuse_act(struct hostile *h)
{
    static const char request[] = "request\0GET\0/vherd/v1/users\0\0\0\0unix:0\0";
    static const char dirty[] = "dirty_rate\0{}";
    struct gate_question q = {GATE_TOKEN,
                              "vherd_0123456789abcdef_"
                              "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                              "root", "127.0.0.1", NULL};
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, GATE_PAYLOAD_MAX);
    gate_question_encode(&q, &b);
    ask_act(h, "act-token", b.data, b.len);
    q.kind = GATE_LOGIN;
    q.user = "root";
    buf_reset(&b);
    gate_question_encode(&q, &b);
    ask_act(h, "act-login", b.data, b.len);
    // The connection that only answers about credentials answers nothing else.
    ask_act(h, "act-request", request, sizeof(request));
    ask_act(h, "act-dirty", dirty, sizeof(dirty));
}

int main(void)
{
    static struct hostile h;
    const char *path = getenv("VHERD_HOSTILE_OUT");
    while (!h.started && take_message(&h) == 0)
        ;
    control_send(IPC_CONTROL_FD, CONTROL_READY, "hostile", -1);
    h.out = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    h.core = ipc_new(h.core_fd, IPC_PAYLOAD_MAX);
    h.act = ipc_new(h.act_fd, GATE_PAYLOAD_MAX);
    sleep(2); // until core and act are ready
    tell(&h, "keys-seen", h.keys_seen);
    forge_grants(&h);
    forge_connections(&h);
    abuse_act(&h);
    tell(&h, "end", 0);
    while (take_message(&h) == 0)
        ;
    return 0;
}
