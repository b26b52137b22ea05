// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef WEB_LOOP_H
#define WEB_LOOP_H

#include <stdbool.h>
#include <stdint.h>

/** A descriptor and who is told; embedded in its owner, which outlives its place in the loop. */
struct watch {
    int fd;
    void (*ready)(uint32_t events, void *arg);
    void *arg;
    uint32_t events; /**< what it waits for now; 0 = not in the loop */
};

/** An epoll loop of one thread, small enough for the seccomp list. */
struct loop {
    int fd;
};

int loop_init(struct loop *l);
void loop_done(struct loop *l);

/** Wait for these events (EPOLLIN, EPOLLOUT) from now on; 0 takes it out. 0 or -errno. */
int loop_watch(struct loop *l, struct watch *w, uint32_t events);

/** Wait at most `timeout_ms` (-1 = no limit) and tell those that are ready. */
void loop_run_once(struct loop *l, int timeout_ms);

#endif
