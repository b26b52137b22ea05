// SPDX-License-Identifier: GPL-3.0-or-later
// One worker at a time takes readings off a queue. `lock` guards everything in struct prober and
// is never held while a reading runs. A worker whose reading was written off finds that it is no
// longer the current one, hands that reading in and ends. The last of sampler and workers frees the
// struct. Abandoned workers are capped: beyond that the queue stands still and nothing else does.
#include "host_probe.h"

#include <pthread.h>
#include <signal.h>

#include "base/clock.h"
#include "base/cond.h"
#include "base/mem.h"

#define ABANDONED_MAX 4

// How long prober_free() waits for a reading that is still under way.
#define CLOSE_LIMIT_NS (NS_PER_S / 2)

struct prober {
    pthread_mutex_t lock;
    pthread_cond_t work, idle;
    struct probe *queue, **queue_end;
    struct probe *done, **done_end;
    struct probe *running; // by the current worker
    int64_t running_since;
    unsigned worker; // number of the current one; workers of lower numbers are abandoned
    bool has_worker;
    bool stop;
    int abandoned;
    int users; // the sampler and all workers
};

struct worker_start {
    struct prober *prober;
    unsigned number;
};

struct prober *prober_new(void)
{
    struct prober *p = mem_zalloc(sizeof(*p));
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->work, NULL);
    cond_init(&p->idle);
    p->queue_end = &p->queue;
    p->done_end = &p->done;
    p->users = 1;
    return p;
}

static void free_list(struct probe *list)
{
    while (list) {
        struct probe *next = list->next;
        list->free(list);
        list = next;
    }
}

// Give the lock up and this user's share of the struct.
static void leave(struct prober *p)
{
    bool last = --p->users == 0;
    pthread_mutex_unlock(&p->lock);
    if (!last)
        return;
    free_list(p->queue);
    free_list(p->done);
    pthread_cond_destroy(&p->work);
    pthread_cond_destroy(&p->idle);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

static void append(struct probe ***end, struct probe *probe)
{
    probe->next = NULL;
    **end = probe;
    *end = &probe->next;
}

static struct probe *pop(struct probe **list, struct probe ***end)
{
    struct probe *first = *list;
    if (first) {
        *list = first->next;
        if (!*list)
            *end = list;
    }
    return first;
}

static void *worker(void *arg)
{
    struct worker_start start = *(struct worker_start *)arg;
    struct prober *p = start.prober;
    free(arg);
    pthread_setname_np(pthread_self(), "probe");
    pthread_mutex_lock(&p->lock);
    while (!p->stop && p->worker == start.number) {
        struct probe *probe = pop(&p->queue, &p->queue_end);
        if (!probe) {
            pthread_cond_broadcast(&p->idle);
            pthread_cond_wait(&p->work, &p->lock);
            continue;
        }
        p->running = probe;
        p->running_since = clock_mono_ns(&clock_system);
        pthread_mutex_unlock(&p->lock);
        probe->run(probe);
        pthread_mutex_lock(&p->lock);
        probe->late = p->worker != start.number;
        if (probe->late)
            p->abandoned--;
        else
            p->running = NULL;
        append(&p->done_end, probe);
    }
    pthread_cond_broadcast(&p->idle);
    leave(p);
    return NULL;
}

// With the lock held.
static void start_worker(struct prober *p)
{
    if (p->has_worker || p->stop || p->abandoned >= ABANDONED_MAX)
        return;
    struct worker_start *start = mem_zalloc(sizeof(*start));
    *start = (struct worker_start){p, p->worker};
    pthread_attr_t attr;
    pthread_t thread;
    sigset_t all, before;
    sigfillset(&all);
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, 256 * 1024);
    pthread_sigmask(SIG_SETMASK, &all, &before); // signals are for the other threads
    if (pthread_create(&thread, &attr, worker, start) == 0) {
        p->has_worker = true;
        p->users++;
    } else {
        free(start); // tried again with the next reading
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
}

void prober_submit(struct prober *p, struct probe *probe)
{
    pthread_mutex_lock(&p->lock);
    append(&p->queue_end, probe);
    start_worker(p);
    pthread_cond_signal(&p->work);
    pthread_mutex_unlock(&p->lock);
}

struct probe *prober_take(struct prober *p)
{
    pthread_mutex_lock(&p->lock);
    struct probe *probe = pop(&p->done, &p->done_end);
    pthread_mutex_unlock(&p->lock);
    return probe;
}

bool prober_wait(struct prober *p, int64_t limit_ns)
{
    int64_t until_ns = clock_mono_ns(&clock_system) + limit_ns;
    pthread_mutex_lock(&p->lock);
    while (p->queue || p->running)
        if (!cond_wait_until(&p->idle, &p->lock, until_ns))
            break;
    bool done = !p->queue && !p->running;
    pthread_mutex_unlock(&p->lock);
    return done;
}

const struct probe *prober_expire(struct prober *p)
{
    const struct probe *expired = NULL;
    pthread_mutex_lock(&p->lock);
    if (p->running && clock_mono_ns(&clock_system) - p->running_since > p->running->limit_ns) {
        expired = TAKE_PTR(p->running);
        p->worker++;
        p->abandoned++;
        p->has_worker = false;
        if (p->queue)
            start_worker(p);
    }
    pthread_mutex_unlock(&p->lock);
    return expired;
}

void prober_free(struct prober *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->stop = true;
    pthread_cond_broadcast(&p->work);
    int64_t until_ns = clock_mono_ns(&clock_system) + CLOSE_LIMIT_NS;
    while (p->users > 1 + p->abandoned)
        if (!cond_wait_until(&p->idle, &p->lock, until_ns))
            break;
    leave(p);
}
