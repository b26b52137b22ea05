// SPDX-License-Identifier: GPL-3.0-or-later
// The serial line of an in-memory guest: it says who it is, and then says again what it is told.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "memory_priv.h"

struct line {
    int fd;
    char greeting[320];
};

static void *echo(void *arg)
{
    struct line *l = arg;
    pthread_setname_np(pthread_self(), "echo");
    char data[1024];
    ssize_t n = (ssize_t)strlen(l->greeting);
    memcpy(data, l->greeting, (size_t)n);
    while (n > 0 && fs_write_all(l->fd, data, (size_t)n) == 0)
        n = read(l->fd, data, sizeof(data));
    close(l->fd);
    free(l);
    return NULL;
}

static int start(struct line *l)
{
    pthread_t thread;
    pthread_attr_t detached;
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    int r = pthread_create(&thread, &detached, echo, l);
    pthread_attr_destroy(&detached);
    return -r;
}

int memory_console(struct virt *v, const struct uuid *uuid, bool force, int *ret_fd,
                   struct err *err)
{
    int fds[2];
    struct memory *m CLEANUP(memory_leavep) = memory_enter();
    const struct memory_vm *vm = v->dead ? NULL : memory_find(m, uuid);
    if (!vm)
        return err_set(err, v->dead ? ENOTCONN : ENOENT, "no such VM");
    if (vm->id < 0)
        return err_set(err, ESRCH, "the VM is not running");
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
        return err_set(err, errno, "a socket for the console: %s", strerror(errno));
    struct line *l = mem_zalloc(sizeof(*l));
    l->fd = fds[1];
    snprintf(l->greeting, sizeof(l->greeting), "%s login: ", vm->name);
    int r = start(l);
    if (r < 0) {
        close(fds[0]);
        close(fds[1]);
        free(l);
        return err_set(err, -r, "a thread for the console: %s", strerror(-r));
    }
    (void)fs_set_nonblock(fds[0]);
    *ret_fd = fds[0];
    return 0;
}
