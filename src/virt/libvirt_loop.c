// SPDX-License-Identifier: GPL-3.0-or-later
// libvirt's event loop on epoll. libvirt takes its socket out of the loop and puts it back for
// every single call; with the loop that it brings, each of these wakes the loop's thread, which
// costs more than the call itself. Here they are an epoll_ctl() of the calling thread and wake
// nobody.
//
// Invariants: `lock` guards the tables and is never held during a callback; a watch or timer that
// was removed is freed, and its owner told, only by the loop's thread between callbacks. Timers
// share one timerfd, armed for the earliest due time or an earlier one.
#include "libvirt_loop.h"

#include <errno.h>
#include <libvirt/libvirt.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"

#define BATCH 16
#define KEY_TIMER UINT64_C(0x100000000)
#define KEY_WAKE UINT64_C(0x200000000)

struct watch {
    struct watch *next;
    int id;
    int fd;
    int events; // VIR_EVENT_HANDLE_…; 0 = not in epoll
    virEventHandleCallback callback;
    void *opaque;
    virFreeCallback free_opaque;
    bool removed;
};

struct timer {
    struct timer *next;
    int id;
    int64_t every_ns; // < 0 = off
    int64_t due_ns;
    virEventTimeoutCallback callback;
    void *opaque;
    virFreeCallback free_opaque;
    bool removed;
};

// libvirt keeps one event loop per process and passes no argument to it.
static struct {
    pthread_mutex_t lock;
    int epoll_fd;
    int timer_fd;
    int wake_fd;
    int last_id;
    int64_t armed_ns; // 0 = not armed
    struct watch *watches;
    struct timer *timers;
} loop = {.lock = PTHREAD_MUTEX_INITIALIZER};

static uint32_t to_epoll(int events)
{
    return (events & VIR_EVENT_HANDLE_READABLE ? EPOLLIN : 0u) |
           (events & VIR_EVENT_HANDLE_WRITABLE ? EPOLLOUT : 0u);
}

static int from_epoll(uint32_t events)
{
    return (events & EPOLLIN ? VIR_EVENT_HANDLE_READABLE : 0) |
           (events & EPOLLOUT ? VIR_EVENT_HANDLE_WRITABLE : 0) |
           (events & EPOLLERR ? VIR_EVENT_HANDLE_ERROR : 0) |
           (events & EPOLLHUP ? VIR_EVENT_HANDLE_HANGUP : 0);
}

// epoll reports hang-ups even where nothing is asked for, so a watch without events is taken out.
static void set_events(struct watch *w, int events)
{
    struct epoll_event e = {.events = to_epoll(events), .data.u64 = (uint64_t)w->id};
    if (events && !w->events)
        epoll_ctl(loop.epoll_fd, EPOLL_CTL_ADD, w->fd, &e);
    else if (events)
        epoll_ctl(loop.epoll_fd, EPOLL_CTL_MOD, w->fd, &e);
    else if (w->events)
        epoll_ctl(loop.epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
    w->events = events;
}

static void wake(void)
{
    uint64_t one = 1;
    (void)fs_write_all(loop.wake_fd, &one, sizeof(one));
}

static struct watch *find_watch(int id)
{
    struct watch *w = loop.watches;
    while (w && (w->id != id || w->removed))
        w = w->next;
    return w;
}

static struct timer *find_timer(int id)
{
    struct timer *t = loop.timers;
    while (t && (t->id != id || t->removed))
        t = t->next;
    return t;
}

static int add_handle(int fd, int events, virEventHandleCallback callback, void *opaque,
                      virFreeCallback free_opaque)
{
    struct watch *w = mem_zalloc(sizeof(*w));
    pthread_mutex_lock(&loop.lock);
    int id = ++loop.last_id;
    *w = (struct watch){.next = loop.watches,
                        .id = id,
                        .fd = fd,
                        .callback = callback,
                        .opaque = opaque,
                        .free_opaque = free_opaque};
    loop.watches = w;
    set_events(w, events);
    pthread_mutex_unlock(&loop.lock);
    return id;
}

static void update_handle(int id, int events)
{
    pthread_mutex_lock(&loop.lock);
    struct watch *w = find_watch(id);
    if (w && w->events != events)
        set_events(w, events);
    pthread_mutex_unlock(&loop.lock);
}

static int remove_handle(int id)
{
    pthread_mutex_lock(&loop.lock);
    struct watch *w = find_watch(id);
    if (w) {
        set_events(w, 0);
        w->removed = true;
        wake();
    }
    pthread_mutex_unlock(&loop.lock);
    return w ? 0 : -1;
}

// With the lock held. A timer that comes later than what is armed costs nothing: the loop then
// wakes once for nothing and arms again.
static void arm(int64_t due_ns)
{
    if (loop.armed_ns && loop.armed_ns <= due_ns)
        return;
    loop.armed_ns = MAX_OF(due_ns, 1);
    struct itimerspec when = {
        .it_value = {loop.armed_ns / NS_PER_S, loop.armed_ns % NS_PER_S},
    };
    timerfd_settime(loop.timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static void set_timer(struct timer *t, int ms)
{
    t->every_ns = ms < 0 ? -1 : ms * NS_PER_MS;
    t->due_ns = clock_mono_ns(&clock_system) + MAX_OF(t->every_ns, 0);
    if (ms >= 0)
        arm(t->due_ns);
}

static int add_timeout(int ms, virEventTimeoutCallback callback, void *opaque,
                       virFreeCallback free_opaque)
{
    struct timer *t = mem_zalloc(sizeof(*t));
    pthread_mutex_lock(&loop.lock);
    int id = ++loop.last_id;
    *t = (struct timer){.next = loop.timers,
                        .id = id,
                        .callback = callback,
                        .opaque = opaque,
                        .free_opaque = free_opaque};
    loop.timers = t;
    set_timer(t, ms);
    pthread_mutex_unlock(&loop.lock);
    return id;
}

static void update_timeout(int id, int ms)
{
    pthread_mutex_lock(&loop.lock);
    struct timer *t = find_timer(id);
    if (t)
        set_timer(t, ms);
    pthread_mutex_unlock(&loop.lock);
}

static int remove_timeout(int id)
{
    pthread_mutex_lock(&loop.lock);
    struct timer *t = find_timer(id);
    if (t) {
        t->removed = true;
        wake();
    }
    pthread_mutex_unlock(&loop.lock);
    return t ? 0 : -1;
}

static void run_watch(int id, uint32_t events)
{
    pthread_mutex_lock(&loop.lock);
    struct watch *w = find_watch(id);
    // Taken out or changed since epoll looked: what is not asked for is not told.
    int told =
        w ? from_epoll(events) & (w->events | VIR_EVENT_HANDLE_ERROR | VIR_EVENT_HANDLE_HANGUP) : 0;
    bool runs = w && w->events && told;
    struct watch copy = runs ? *w : (struct watch){0};
    pthread_mutex_unlock(&loop.lock);
    if (runs)
        copy.callback(copy.id, copy.fd, told, copy.opaque);
}

// The next timer that is due at `now`, moved on by its period; false where there is none.
static bool take_due_timer(int64_t now, struct timer *ret)
{
    bool found = false;
    pthread_mutex_lock(&loop.lock);
    for (struct timer *t = loop.timers; t && !found; t = t->next) {
        if (t->removed || t->every_ns < 0 || t->due_ns > now)
            continue;
        t->due_ns = now + MAX_OF(t->every_ns, NS_PER_MS);
        *ret = *t;
        found = true;
    }
    pthread_mutex_unlock(&loop.lock);
    return found;
}

static void run_timers(void)
{
    uint64_t expirations;
    if (read(loop.timer_fd, &expirations, sizeof(expirations)) < 0 && errno != EAGAIN)
        return;
    int64_t now = clock_mono_ns(&clock_system);
    struct timer t;
    while (take_due_timer(now, &t))
        t.callback(t.id, t.opaque);
    pthread_mutex_lock(&loop.lock);
    loop.armed_ns = 0;
    for (struct timer *left = loop.timers; left; left = left->next)
        if (!left->removed && left->every_ns >= 0)
            arm(left->due_ns);
    pthread_mutex_unlock(&loop.lock);
}

static struct watch *take_removed_watch(void)
{
    struct watch *found = NULL;
    pthread_mutex_lock(&loop.lock);
    for (struct watch **at = &loop.watches; *at && !found; at = &(*at)->next) {
        if ((*at)->removed) {
            found = *at;
            *at = found->next;
            break;
        }
    }
    pthread_mutex_unlock(&loop.lock);
    return found;
}

static struct timer *take_removed_timer(void)
{
    struct timer *found = NULL;
    pthread_mutex_lock(&loop.lock);
    for (struct timer **at = &loop.timers; *at && !found; at = &(*at)->next) {
        if ((*at)->removed) {
            found = *at;
            *at = found->next;
            break;
        }
    }
    pthread_mutex_unlock(&loop.lock);
    return found;
}

static void free_removed(void)
{
    uint64_t times;
    if (read(loop.wake_fd, &times, sizeof(times)) < 0 && errno != EAGAIN)
        return;
    struct watch *w;
    while ((w = take_removed_watch())) {
        if (w->free_opaque)
            w->free_opaque(w->opaque);
        free(w);
    }
    struct timer *t;
    while ((t = take_removed_timer())) {
        if (t->free_opaque)
            t->free_opaque(t->opaque);
        free(t);
    }
}

static void *loop_main(void *arg)
{
    pthread_setname_np(pthread_self(), "libvirt-events");
    for (;;) {
        struct epoll_event events[BATCH];
        int n = epoll_wait(loop.epoll_fd, events, BATCH, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.u64 == KEY_TIMER)
                run_timers();
            else if (events[i].data.u64 != KEY_WAKE)
                run_watch((int)events[i].data.u64, events[i].events);
        }
        // After the callbacks: none of them may find its argument gone.
        for (int i = 0; i < n; i++)
            if (events[i].data.u64 == KEY_WAKE)
                free_removed();
    }
    return NULL;
}

static int add_own(int fd, uint64_t key)
{
    struct epoll_event e = {.events = EPOLLIN, .data.u64 = key};
    return fd < 0 || epoll_ctl(loop.epoll_fd, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
}

int virt_loop_start(void)
{
    loop.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop.epoll_fd < 0)
        return -errno;
    loop.timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    loop.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int r = add_own(loop.timer_fd, KEY_TIMER);
    if (r == 0)
        r = add_own(loop.wake_fd, KEY_WAKE);
    if (r < 0)
        return r;
    virEventRegisterImpl(add_handle, update_handle, remove_handle, add_timeout, update_timeout,
                         remove_timeout);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t thread;
    r = pthread_create(&thread, NULL, loop_main, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r == 0)
        pthread_detach(thread);
    return -r;
}
