// SPDX-License-Identifier: GPL-3.0-or-later
// The thread waits on a condition until the next instant of the schedule (start + k × interval, on
// the monotonic clock), or until it is asked to scan or to end. A sample that overruns the next
// instants skips them and counts them; it is never made up for in a burst.
#include "collect/sampler.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cond.h"
#include "base/mem.h"

struct sampler {
    struct sampler_params params;
    char *root;
    struct host *host;
    pthread_t thread;
    pthread_mutex_t lock; // guards what follows
    pthread_cond_t changed;
    bool ending;
    bool scan_wanted;
    struct sampler_stats stats;
};

static int64_t mono_now(void)
{
    return clock_mono_ns(&clock_system);
}

struct schedule {
    int64_t interval_ns; // copies of the parameters, taken under the lock
    int64_t scan_interval_ns;
    int64_t slow_interval_ns;
    int64_t next_ns;
    int64_t scan_ns;
    int64_t slow_ns;
    int slow_left; // processes whose turn for costly sources is still to come
};

// With the lock held: sleep until the schedule's next instant. True: time for a sample.
static bool wait_for_instant(struct sampler *s, const struct schedule *when)
{
    while (!s->ending && !s->scan_wanted) {
        if (mono_now() >= when->next_ns)
            return true;
        cond_wait_until(&s->changed, &s->lock, when->next_ns);
    }
    return false;
}

static void take_sample(struct sampler *s, struct schedule *when)
{
    const struct host_ops *ops = s->params.ops;
    int64_t begin = mono_now();
    int64_t lateness = begin - when->next_ns;
    ops->sample(s->host, begin, &s->params.sink);
    if (begin >= when->slow_ns && when->slow_left == 0) {
        when->slow_left = 1;
        when->slow_ns = begin + when->slow_interval_ns;
    }
    if (when->slow_left > 0)
        when->slow_left = ops->slow(s->host, begin, &s->params.sink);
    int64_t end = mono_now();

    pthread_mutex_lock(&s->lock);
    when->next_ns += when->interval_ns;
    while (when->next_ns <= end) {
        when->next_ns += when->interval_ns;
        s->stats.missed++;
    }
    s->stats.taken++;
    s->stats.lateness_ns = lateness;
    s->stats.duration_ns = end - begin;
    pthread_mutex_unlock(&s->lock);
}

static void *sampler_main(void *arg)
{
    struct sampler *s = arg;
    pthread_setname_np(pthread_self(), "sampler");
    struct schedule when = {.next_ns = mono_now()};
    when.slow_ns = when.next_ns + 2 * NS_PER_S;
    while (true) {
        pthread_mutex_lock(&s->lock);
        when.interval_ns = s->params.interval_ns;
        when.scan_interval_ns = s->params.scan_interval_ns;
        when.slow_interval_ns = s->params.slow_interval_ns;
        bool is_instant = wait_for_instant(s, &when);
        bool ending = s->ending;
        bool scan = s->scan_wanted || mono_now() >= when.scan_ns;
        s->scan_wanted = false;
        pthread_mutex_unlock(&s->lock);
        if (ending)
            return NULL;
        // Scanning after the sample keeps the sample on its instant.
        if (is_instant)
            take_sample(s, &when);
        if (scan) {
            s->params.ops->scan(s->host, &s->params.sink);
            when.scan_ns = mono_now() + when.scan_interval_ns;
        }
    }
}

static int start_thread(struct sampler *s)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int r = pthread_create(&s->thread, NULL, sampler_main, s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -r;
}

static void sampler_free(struct sampler *s)
{
    if (s->host)
        s->params.ops->close(s->host);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->changed);
    free(s->root);
    free(s);
}

int sampler_start(const struct sampler_params *params, struct sampler **ret, struct err *err)
{
    struct sampler *s = mem_zalloc(sizeof(*s));
    s->params = *params;
    s->root = mem_strdup(params->host.root);
    s->params.host.root = s->root;
    pthread_mutex_init(&s->lock, NULL);
    cond_init(&s->changed);
    int r = params->ops->open(&s->params.host, &s->host, err);
    if (r == 0) {
        params->ops->scan(s->host, &s->params.sink);
        r = start_thread(s);
        if (r < 0)
            err_set(err, -r, "cannot start the sampler's thread: %s", strerror(-r));
    }
    if (r < 0) {
        sampler_free(s);
        return r;
    }
    *ret = s;
    return 0;
}

void sampler_stop(struct sampler *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    s->ending = true;
    pthread_cond_signal(&s->changed);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    sampler_free(s);
}

void sampler_scan_soon(struct sampler *s)
{
    pthread_mutex_lock(&s->lock);
    s->scan_wanted = true;
    pthread_cond_signal(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

void sampler_set_intervals(struct sampler *s, int64_t interval_ns, int64_t scan_interval_ns,
                           int64_t slow_interval_ns)
{
    pthread_mutex_lock(&s->lock);
    s->params.interval_ns = interval_ns;
    s->params.scan_interval_ns = scan_interval_ns;
    s->params.slow_interval_ns = slow_interval_ns;
    pthread_mutex_unlock(&s->lock);
}

struct sampler_stats sampler_stats(struct sampler *s)
{
    pthread_mutex_lock(&s->lock);
    struct sampler_stats stats = s->stats;
    pthread_mutex_unlock(&s->lock);
    return stats;
}
