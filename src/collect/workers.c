// SPDX-License-Identifier: GPL-3.0-or-later
// One mutex guards everything; it is never held while work runs.
#include "collect/workers.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"

#define IDLE_KEPT 4
#define STACK_BYTES (512 * 1024)

// An idle thread. It is signalled without the lock, so that it does not wake only to wait for that;
// so its memory is kept for the next one, who takes a late signal for a spurious one.
struct sleeper {
    struct sleeper *next;
    pthread_cond_t called;
    bool is_called;
};

struct workers {
    pthread_mutex_t lock;
    pthread_cond_t left; // a thread ended
    struct work *head, **tail;
    size_t waiting;
    size_t threads;
    struct sleeper *sleepers; // the last to fall asleep first
    struct sleeper *spare;
    size_t idle;
    size_t max_threads;
    bool ending;
};

struct workers *workers_new(size_t max_threads)
{
    struct workers *w = mem_zalloc(sizeof(*w));
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->left, NULL);
    w->tail = &w->head;
    w->max_threads = max_threads;
    return w;
}

static struct work *take(struct workers *w)
{
    struct work *work = w->head;
    w->head = work->next;
    if (!w->head)
        w->tail = &w->head;
    w->waiting--;
    return work;
}

static void put(struct workers *w, struct work *work)
{
    work->next = NULL;
    *w->tail = work;
    w->tail = &work->next;
    w->waiting++;
}

// With the lock; the caller signals what it gets after letting go of the lock.
static struct sleeper *call_sleeper(struct workers *w)
{
    struct sleeper *s = w->sleepers;
    w->sleepers = s->next;
    w->idle--;
    s->is_called = true;
    return s;
}

static struct sleeper *sleeper_get(struct workers *w)
{
    struct sleeper *s = w->spare;
    if (s) {
        w->spare = s->next;
        s->is_called = false;
        return s;
    }
    s = mem_zalloc(sizeof(*s));
    pthread_cond_init(&s->called, NULL);
    return s;
}

static void sleep_until_called(struct workers *w)
{
    struct sleeper *s = sleeper_get(w);
    s->next = w->sleepers;
    w->sleepers = s;
    w->idle++;
    while (!s->is_called)
        pthread_cond_wait(&s->called, &w->lock);
    s->next = w->spare;
    w->spare = s;
}

static void *worker_main(void *arg)
{
    struct workers *w = arg;
    pthread_setname_np(pthread_self(), "worker");
    pthread_mutex_lock(&w->lock);
    while (true) {
        if (w->head) {
            struct work *work = take(w);
            pthread_mutex_unlock(&w->lock);
            work->run(work);
            work->done(work, work->arg);
            pthread_mutex_lock(&w->lock);
            continue;
        }
        if (w->ending || w->idle >= IDLE_KEPT)
            break;
        sleep_until_called(w);
    }
    w->threads--;
    pthread_cond_signal(&w->left);
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

static int start_thread(struct workers *w)
{
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t thread;
    int r = pthread_create(&thread, &attr, worker_main, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    if (r)
        return -EAGAIN;
    w->threads++;
    return 0;
}

// For workers without threads.
static bool do_here(const struct workers *w, struct work *work)
{
    if (w->max_threads > 0)
        return false;
    work->run(work);
    work->done(work, work->arg);
    return true;
}

int workers_submit(struct workers *w, struct work *work)
{
    if (do_here(w, work))
        return 0;
    struct sleeper *s = NULL;
    int r = 0;
    pthread_mutex_lock(&w->lock);
    if (w->sleepers)
        s = call_sleeper(w);
    else
        r = w->threads < w->max_threads ? start_thread(w) : -EAGAIN;
    if (r == 0)
        put(w, work);
    pthread_mutex_unlock(&w->lock);
    if (s)
        pthread_cond_signal(&s->called);
    return r;
}

size_t workers_waiting(struct workers *w)
{
    pthread_mutex_lock(&w->lock);
    size_t n = w->waiting;
    pthread_mutex_unlock(&w->lock);
    return n;
}

size_t workers_idle(struct workers *w)
{
    pthread_mutex_lock(&w->lock);
    size_t n = w->idle;
    pthread_mutex_unlock(&w->lock);
    return n;
}

size_t workers_free(struct workers *w)
{
    if (!w)
        return 0;
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 1;
    pthread_mutex_lock(&w->lock);
    w->ending = true;
    while (w->sleepers)
        pthread_cond_signal(&call_sleeper(w)->called);
    while (w->threads > 0)
        if (pthread_cond_timedwait(&w->left, &w->lock, &until) != 0)
            break;
    size_t left = w->threads;
    pthread_mutex_unlock(&w->lock);
    if (left)
        return left;
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->left);
    while (w->spare) {
        struct sleeper *next = w->spare->next;
        pthread_cond_destroy(&w->spare->called);
        free(w->spare);
        w->spare = next;
    }
    free(w);
    return 0;
}
