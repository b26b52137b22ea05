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

struct workers {
    pthread_mutex_t lock;
    pthread_cond_t wanted; // work was queued, or the end has come
    pthread_cond_t left;   // a thread ended
    struct work *head, **tail;
    size_t queued;
    size_t threads;
    size_t idle;
    size_t max_threads;
    bool ending;
};

struct workers *workers_new(size_t max_threads)
{
    struct workers *w = mem_zalloc(sizeof(*w));
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->wanted, NULL);
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
    w->queued--;
    return work;
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
        w->idle++;
        pthread_cond_wait(&w->wanted, &w->lock);
        w->idle--;
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

int workers_submit(struct workers *w, struct work *work)
{
    pthread_mutex_lock(&w->lock);
    int r = 0;
    if (w->idle <= w->queued)
        r = w->threads < w->max_threads ? start_thread(w) : -EAGAIN;
    if (r == 0) {
        work->next = NULL;
        *w->tail = work;
        w->tail = &work->next;
        w->queued++;
        pthread_cond_signal(&w->wanted);
    }
    pthread_mutex_unlock(&w->lock);
    return r;
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
    pthread_cond_broadcast(&w->wanted);
    while (w->threads > 0)
        if (pthread_cond_timedwait(&w->left, &w->lock, &until) != 0)
            break;
    size_t left = w->threads;
    pthread_mutex_unlock(&w->lock);
    if (left)
        return left;
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->wanted);
    pthread_cond_destroy(&w->left);
    free(w);
    return 0;
}
