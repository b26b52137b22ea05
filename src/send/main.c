// SPDX-License-Identifier: GPL-3.0-or-later
// vherd-send: the way out. It scrapes other exporters, reads textfiles and sends to receivers of
// remote write; what it reads it parses itself and hands to core as frames of samples. No store, no
// libvirt. Secrets are read, and the sandbox entered, before the first byte comes from a network;
// hence another configuration means another process, which the supervisor sees to.
#include <errno.h>
#include <jansson.h>
#include <netdb.h>
#include <nss.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/rules.h"
#include "sandbox/sandbox.h"
#include "send.h"

#define PAYLOAD_MAX (64u * 1024 * 1024)
// Answers that are being received, all together.
#define ANSWERS_BYTES ((size_t)128 << 20)
#define WAIT_MAX_MS 60000

struct send {
    struct conf *conf; // of the start; what works is built on it
    struct outlet outlet;
    struct fetch_pool *pool;
    struct scrapes *scrapes;
    struct textfiles *textfiles;
    struct remotes *remotes;
    struct tells *tells;
    bool started;
    bool stopping;
};

static int take_config(struct send *s, const char *text)
{
    struct err err = {0};
    struct conf *conf = NULL;
    if (conf_parse("configuration", text, strlen(text), &conf, &err) < 0) {
        log_error("message from the supervisor: %s", err.message);
        return -EPROTO;
    }
    log_set_level(conf->log.level);
    if (s->pool) {
        // Ours stays: who changes what we do starts us again.
        conf_free(conf);
        return 0;
    }
    conf_free(s->conf);
    s->conf = conf;
    return 0;
}

static void take_core(struct send *s, int *fd)
{
    bool had = s->outlet.core != NULL;
    ipc_free(s->outlet.core);
    s->outlet.core = ipc_new(*fd, PAYLOAD_MAX);
    *fd = -1;
    if (had && s->remotes)
        remotes_lost_core(s->remotes);
}

// 0, -EAGAIN, or what is wrong with the channel.
static int take_message(struct send *s)
{
    enum control_type type;
    CLEANUP(freep) char *text = NULL;
    CLEANUP(closep) int fd = -1;
    int r = control_recv(IPC_CONTROL_FD, &type, &text, &fd);
    if (r < 0)
        return r;
    if (type == CONTROL_CONFIG)
        (void)take_config(s, text);
    else if (type == CONTROL_PEER && fd >= 0)
        take_core(s, &fd);
    s->started |= type == CONTROL_START;
    s->stopping |= type == CONTROL_STOP;
    return 0;
}

// What core says

static int take_frame(struct send *s, const struct ipc_frame *f)
{
    if (f->type == IPC_BATCH)
        return remotes_batch(s->remotes, f->id, f->payload, f->len);
    if (f->type == IPC_NOTIFY)
        return tells_take(s->tells, f->payload, f->len);
    if (f->type == IPC_FAMILIES)
        return outlet_learn(&s->outlet, f->payload, f->len);
    return 0;
}

static void read_core(struct send *s)
{
    struct ipc_frame frame;
    int r = ipc_flush(s->outlet.core);
    while (r == 0 && (r = ipc_recv(s->outlet.core, &frame)) == 1)
        r = take_frame(s, &frame);
    if (r == 0)
        return;
    if (r != -EPIPE)
        log_error("core sent what is no frame; waiting for another connection");
    ipc_free(TAKE_PTR(s->outlet.core));
    remotes_lost_core(s->remotes);
}

// Life

static int open_all(struct send *s, struct err *err)
{
    // Other sources of names are modules, which the sandbox does not let in.
    (void)__nss_configure_lookup("hosts", "files dns");
    s->pool = fetch_pool_new(ANSWERS_BYTES);
    s->outlet.out = samples_writer_new(SAMPLES_FRAME_MAX);
    s->outlet.families = rw_metadata_new(SEND_FAMILIES_MAX);
    if (getrandom(&s->outlet.random, sizeof(s->outlet.random), 0) < 0 || !s->outlet.random)
        s->outlet.random = 1;
    int r = tells_new(s->conf, s->pool, &s->outlet, &s->tells, err);
    if (r == 0)
        r = scrapes_new(s->conf, s->pool, &s->outlet, &s->scrapes, err);
    if (r == 0)
        r = remotes_new(s->conf, s->pool, &s->outlet, &s->remotes, err);
    if (r == 0)
        s->textfiles = textfiles_new(s->conf, &s->outlet);
    return r;
}

static void add_tls(const char **paths, size_t *n, const struct conf_tls *tls)
{
    const char *const files[] = {tls->ca_file, tls->cert_file, tls->key_file};
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        if (*files[i])
            paths[(*n)++] = files[i];
}

// Files that are opened again and again: certificates, and what other programs write.
static const char **paths_to_read(const struct conf *c)
{
    const struct conf_scrape *scrape = c->scrape.items;
    const struct conf_remote_write *remote = c->remote_write.items;
    const struct conf_receiver *told = c->notify.receivers.items;
    size_t n = 0;
    const char **paths = mem_zalloc((3 * (c->scrape.n + c->remote_write.n) +
                                     9 * c->notify.receivers.n + c->textfile.directories.n + 1) *
                                    sizeof(char *));
    for (size_t i = 0; i < c->textfile.directories.n; i++)
        paths[n++] = c->textfile.directories.items[i];
    for (size_t i = 0; i < c->scrape.n; i++)
        add_tls(paths, &n, &scrape[i].http.tls);
    for (size_t i = 0; i < c->remote_write.n; i++)
        add_tls(paths, &n, &remote[i].http.tls);
    for (size_t i = 0; i < c->notify.receivers.n; i++) {
        add_tls(paths, &n, &told[i].webhook.http.tls);
        add_tls(paths, &n, &told[i].alertmanager.http.tls);
        add_tls(paths, &n, &told[i].email.tls_config);
    }
    return paths;
}

static bool goes_out(const struct conf *c)
{
    return c->scrape.n > 0 || c->remote_write.n > 0 || c->textfile.directories.n > 0 ||
           c->notify.receivers.n > 0;
}

static int confine(struct send *s, struct err *err)
{
    CLEANUP(buf_done) struct buf words;
    CLEANUP(freep) const char **paths = paths_to_read(s->conf);
    buf_init(&words, 4096);
    tzset();
    json_object_seed(0);
    int r = fs_set_nonblock(IPC_CONTROL_FD);
    if (r < 0)
        return err_set(err, -r, "control channel: %s", strerror(-r));
    struct sandbox_network network = {paths};
    struct sandbox_plan plan = {.user = s->conf->web.user,
                                .seccomp = s->conf->web.sandbox,
                                .network = goes_out(s->conf) ? &network : NULL};
    r = sandbox_enter(&plan, &words, err);
    return r < 0 ? r : control_send(IPC_CONTROL_FD, CONTROL_READY, words.data, -1);
}

static int64_t work(struct send *s)
{
    int64_t real_ms = clock_real_ns(&clock_system) / NS_PER_MS;
    int64_t wait = scrapes_turn(s->scrapes, real_ms);
    wait = MIN_OF(wait, textfiles_turn(s->textfiles, real_ms));
    int64_t remotes = remotes_turn(s->remotes, clock_mono_ns(&clock_system));
    return MIN_OF(MIN_OF(wait, remotes), (int64_t)WAIT_MAX_MS);
}

static void run(struct send *s)
{
    while (!s->stopping) {
        int64_t wait_ms = work(s);
        struct ipc *core = s->outlet.core;
        short events = (short)(POLLIN | (core && ipc_wants_write(core) ? POLLOUT : 0));
        struct ipc *runner = tells_runner(s->tells);
        short runner_events = (short)(POLLIN | (runner && ipc_wants_write(runner) ? POLLOUT : 0));
        struct pollfd fds[] = {{.fd = IPC_CONTROL_FD, .events = POLLIN},
                               {.fd = core ? ipc_fd(core) : -1, .events = events},
                               {.fd = runner ? ipc_fd(runner) : -1, .events = runner_events}};
        fetch_turn(s->pool, fds, ARRAY_LEN(fds), (int)wait_ms);
        // An answer's callback does not change the connection.
        if (fds[1].revents && s->outlet.core)
            read_core(s);
        if (fds[2].revents && tells_read(s->tells) < 0) {
            log_error("the process that runs programs is gone; starting anew");
            exit(EXIT_FAILURE);
        }
        int r = fds[0].revents ? 0 : -EAGAIN;
        while (r == 0)
            r = take_message(s);
        s->stopping |= r != -EAGAIN;
    }
}

static void done(struct send *s)
{
    tells_free(s->tells);
    scrapes_free(s->scrapes);
    textfiles_free(s->textfiles);
    remotes_free(s->remotes);
    fetch_pool_free(s->pool);
    samples_writer_free(s->outlet.out);
    rw_metadata_free(s->outlet.families);
    ipc_free(s->outlet.core);
    conf_free(s->conf);
}

int main(void)
{
    struct send s = {0};
    struct err err = {0};
    log_setup("vherd-send", LOG_LEVEL_INFO);
    signal(SIGPIPE, SIG_IGN);
    int r = 0;
    while (!s.started && !s.stopping && r == 0)
        r = take_message(&s);
    if (r == 0 && s.started && s.conf) {
        r = open_all(&s, &err);
        if (r == 0)
            r = confine(&s, &err);
        if (r < 0)
            (void)control_send(IPC_CONTROL_FD, CONTROL_FATAL, err.message, -1);
        else
            run(&s);
    }
    done(&s);
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
