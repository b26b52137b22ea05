// SPDX-License-Identifier: GPL-3.0-or-later
// Messages between the supervisor and its processes: one a packet, at most one descriptor along.
#include "net/ipc.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/mem.h"

// Room to notice, and close, descriptors beyond the one that may come.
#define FDS_SEEN 4

union fd_space {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int) * FDS_SEEN)];
};

int control_send(int control_fd, enum control_type type, const char *text, int fd)
{
    uint32_t number = (uint32_t)type;
    size_t len = strlen(text);
    if (len > CONTROL_TEXT_MAX)
        return -EMSGSIZE;
    struct iovec iov[] = {{&number, sizeof(number)}, {(void *)text, len}};
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = ARRAY_LEN(iov)};
    union fd_space space = {0};
    if (fd >= 0) {
        msg.msg_control = space.bytes;
        msg.msg_controllen = CMSG_SPACE(sizeof(int));
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &fd, sizeof(fd));
    }
    ssize_t n;
    do
        n = sendmsg(control_fd, &msg, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : 0;
}

// The one descriptor, -1 for none; more than one are closed and counted in *ret_n.
static int take_fd(struct msghdr *msg, size_t *ret_n)
{
    int first = -1;
    size_t seen = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
            if (seen++ == 0)
                first = fd;
            else
                close(fd);
        }
    }
    *ret_n = seen;
    return first;
}

int control_recv(int control_fd, enum control_type *ret_type, char **ret_text, int *ret_fd)
{
    CLEANUP(freep) char *text = mem_zalloc(CONTROL_TEXT_MAX + 1);
    uint32_t number = 0;
    struct iovec iov[] = {{&number, sizeof(number)}, {text, CONTROL_TEXT_MAX}};
    union fd_space space;
    struct msghdr msg = {.msg_iov = iov,
                         .msg_iovlen = ARRAY_LEN(iov),
                         .msg_control = space.bytes,
                         .msg_controllen = sizeof(space.bytes)};
    ssize_t n;
    do
        n = recvmsg(control_fd, &msg, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == ECONNRESET ? -EPIPE : -errno;
    size_t fds = 0;
    CLEANUP(closep) int fd = take_fd(&msg, &fds);
    if (n == 0)
        return -EPIPE;
    size_t len = (size_t)n - MIN_OF((size_t)n, sizeof(number));
    if ((size_t)n < sizeof(number) || fds > 1 || (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) ||
        number < CONTROL_CONFIG || number >= CONTROL_TYPE_END || memchr(text, '\0', len))
        return -EPROTO;
    *ret_type = (enum control_type)number;
    *ret_text = mem_strdup(text);
    *ret_fd = fd;
    fd = -1;
    return 0;
}
