// SPDX-License-Identifier: GPL-3.0-or-later
#include "loop.h"

#include <errno.h>
#include <sys/epoll.h>

#include "base/mem.h"

int loop_init(struct loop *l)
{
    l->fd = epoll_create1(EPOLL_CLOEXEC);
    return l->fd < 0 ? -errno : 0;
}

void loop_done(struct loop *l)
{
    closep(&l->fd);
}

int loop_watch(struct loop *l, struct watch *w, uint32_t events)
{
    if (events == w->events)
        return 0;
    struct epoll_event e = {.events = events, .data.ptr = w};
    int op = events == 0 ? EPOLL_CTL_DEL : w->events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    if (epoll_ctl(l->fd, op, w->fd, &e) < 0)
        return -errno;
    w->events = events;
    return 0;
}

void loop_run_once(struct loop *l, int timeout_ms)
{
    // One event a round: what one of them does may take another out of the loop and free it.
    struct epoll_event e;
    if (epoll_wait(l->fd, &e, 1, timeout_ms) != 1)
        return;
    struct watch *w = e.data.ptr;
    w->ready(e.events, w->arg);
}
