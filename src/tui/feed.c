// SPDX-License-Identifier: GPL-3.0-or-later
// The asking thread of `vherd top`. `news` and `wanted` belong to whoever holds `lock`; the client
// and everything else belong to the thread until it is joined.
#include "feed.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "tui/api.h"

#define TIMEOUT_MS 2000
#define INTERVAL_NS NS_PER_S

struct tui_feed {
    pthread_t thread;
    pthread_mutex_t lock;
    struct http_client *client;
    struct tui_model news; /**< answers not yet taken; owned */
    int64_t answered_ns;   /**< when /vms last answered; 0 = never */
    char wanted[UUID_TEXT];
    char detail_of[UUID_TEXT]; /**< whose detail `news` holds */
    int news_fd;               /**< to the screen */
    int wake_fd;               /**< to the thread */
    bool stop;
};

static void signal_fd(int fd)
{
    uint64_t one = 1;
    ssize_t n = write(fd, &one, sizeof(one));
    (void)n; // a full counter is a signal already
}

static void drain_fd(int fd)
{
    uint64_t count;
    ssize_t n = read(fd, &count, sizeof(count));
    (void)n;
}

static void replace(json_t **at, json_t *with)
{
    json_decref(*at);
    *at = with;
}

static void ask_detail(struct tui_feed *p, const char *uuid)
{
    struct err err = {0};
    json_t *detail = NULL;
    CLEANUP(freep) char *path = api_vm_path(uuid, "");
    int r = api_get(p->client, path, TIMEOUT_MS, &detail, &err);
    pthread_mutex_lock(&p->lock);
    if (r == 0)
        replace(&p->news.detail, detail);
    mem_strset(&p->news.detail_error, r == -ENOENT ? "This VM is gone; Esc goes back to the others."
                                      : r < 0      ? err.message
                                                   : NULL);
    memcpy(p->detail_of, uuid, sizeof(p->detail_of));
    pthread_mutex_unlock(&p->lock);
    signal_fd(p->news_fd);
}

static void ask_host(struct tui_feed *p)
{
    json_t *host = NULL;
    if (api_get(p->client, "/vherd/v1/host", TIMEOUT_MS, &host, NULL) < 0)
        return;
    pthread_mutex_lock(&p->lock);
    replace(&p->news.host, host);
    pthread_mutex_unlock(&p->lock);
}

static bool ask_vms(struct tui_feed *p)
{
    struct err err = {0};
    json_t *vms = NULL;
    int r = api_get(p->client, "/vherd/v1/vms", TIMEOUT_MS, &vms, &err);
    pthread_mutex_lock(&p->lock);
    if (r == 0) {
        replace(&p->news.vms, vms);
        p->answered_ns = clock_mono_ns(&clock_system);
    }
    mem_strset(&p->news.error, r < 0 ? err.message : NULL);
    pthread_mutex_unlock(&p->lock);
    return r == 0;
}

static bool read_wishes(struct tui_feed *p, char wanted[UUID_TEXT])
{
    pthread_mutex_lock(&p->lock);
    bool stop = p->stop;
    memcpy(wanted, p->wanted, UUID_TEXT);
    pthread_mutex_unlock(&p->lock);
    return !stop;
}

// Until the next round or until another detail is wanted.
static void rest(struct tui_feed *p, int64_t until_ns)
{
    int64_t left = until_ns - clock_mono_ns(&clock_system);
    struct pollfd fd = {.fd = p->wake_fd, .events = POLLIN};
    if (left > 0 && poll(&fd, 1, (int)(left / NS_PER_MS) + 1) > 0)
        drain_fd(p->wake_fd);
}

static void *run(void *arg)
{
    struct tui_feed *p = arg;
    char wanted[UUID_TEXT], last[UUID_TEXT] = "";
    int64_t next_ns = 0;
    while (read_wishes(p, wanted)) {
        int64_t now_ns = clock_mono_ns(&clock_system);
        bool due = now_ns >= next_ns, other = strcmp(wanted, last) != 0;
        bool well = true;
        if (due) {
            next_ns = now_ns + INTERVAL_NS;
            well = ask_vms(p);
            if (well)
                ask_host(p);
            signal_fd(p->news_fd);
        }
        if (*wanted && well && (due || other))
            ask_detail(p, wanted);
        memcpy(last, wanted, sizeof(last));
        rest(p, next_ns);
    }
    return NULL;
}

static int start_thread(struct tui_feed *p)
{
    // Signals are the screen's business.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int r = pthread_create(&p->thread, NULL, run, p);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return r;
}

static void feed_free(struct tui_feed *p)
{
    http_client_free(p->client);
    tui_model_done(&p->news);
    pthread_mutex_destroy(&p->lock);
    closep(&p->news_fd);
    closep(&p->wake_fd);
    free(p);
}

struct tui_feed *tui_feed_new(const struct http_target *target)
{
    struct tui_feed *p = mem_zalloc(sizeof(*p));
    pthread_mutex_init(&p->lock, NULL);
    p->news_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    p->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    p->client = http_client_new(target);
    int r = p->news_fd < 0 || p->wake_fd < 0 ? errno : start_thread(p);
    if (r == 0)
        return p;
    feed_free(p);
    errno = r;
    return NULL;
}

void tui_feed_stop(struct tui_feed *p)
{
    pthread_mutex_lock(&p->lock);
    p->stop = true;
    pthread_mutex_unlock(&p->lock);
    signal_fd(p->wake_fd);
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 300 * 1000 * 1000;
    if (until.tv_nsec >= NS_PER_S) {
        until.tv_nsec -= NS_PER_S;
        until.tv_sec++;
    }
    if (pthread_timedjoin_np(p->thread, NULL, &until) == 0)
        feed_free(p);
}

int tui_feed_fd(const struct tui_feed *p)
{
    return p->news_fd;
}

void tui_feed_want(struct tui_feed *p, const char *uuid)
{
    char wanted[UUID_TEXT] = "";
    if (uuid)
        memcpy(wanted, uuid, strnlen(uuid, UUID_TEXT - 1));
    pthread_mutex_lock(&p->lock);
    bool other = strcmp(wanted, p->wanted) != 0;
    memcpy(p->wanted, wanted, sizeof(wanted));
    pthread_mutex_unlock(&p->lock);
    if (other)
        signal_fd(p->wake_fd);
}

static void take_json(json_t **to, json_t **from)
{
    if (*from)
        replace(to, TAKE_PTR(*from));
}

void tui_feed_take(struct tui_feed *p, struct tui_model *m)
{
    drain_fd(p->news_fd);
    pthread_mutex_lock(&p->lock);
    take_json(&m->vms, &p->news.vms);
    take_json(&m->host, &p->news.host);
    // A detail that comes late, of a VM that is no longer looked into, is dropped.
    if (strcmp(p->detail_of, p->wanted) == 0) {
        take_json(&m->detail, &p->news.detail);
        mem_strset(&m->detail_error, p->news.detail_error);
    }
    mem_strset(&m->error, p->news.error);
    m->age_s = p->answered_ns
                   ? (double)(clock_mono_ns(&clock_system) - p->answered_ns) / (double)NS_PER_S
                   : 0;
    pthread_mutex_unlock(&p->lock);
}
