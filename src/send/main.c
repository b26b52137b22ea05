// SPDX-License-Identifier: GPL-3.0-or-later
// vherd-send: the way out, for notifications and remote write. It does not send anything yet: it
// takes its place among the processes, confines itself, reads what core says without answering,
// and ends in order.
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "net/ipc.h"
#include "sandbox/sandbox.h"

#define PAYLOAD_MAX (1024u * 1024)

struct send {
    struct conf *conf;
    struct ipc *core; // NULL while there is none
    bool started;
    bool stopping;
};

static void take_config(struct send *s, const char *text)
{
    struct err err = {0};
    struct conf *conf = NULL;
    if (conf_parse("configuration", text, strlen(text), &conf, &err) < 0) {
        log_error("message from the supervisor: %s", err.message);
        return;
    }
    conf_free(s->conf);
    s->conf = conf;
    log_set_level(conf->log.level);
}

static void take_core(struct send *s, int *fd)
{
    ipc_free(s->core);
    s->core = ipc_new(*fd, PAYLOAD_MAX);
    *fd = -1;
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
        take_config(s, text);
    else if (type == CONTROL_PEER && fd >= 0)
        take_core(s, &fd);
    s->started |= type == CONTROL_START;
    s->stopping |= type == CONTROL_STOP;
    return 0;
}

static void read_core(struct send *s)
{
    struct ipc_frame frame;
    int r;
    while ((r = ipc_recv(s->core, &frame)) == 1)
        log_debug("core sent %zu bytes, which nobody takes yet", frame.len);
    if (r < 0)
        ipc_free(TAKE_PTR(s->core));
}

static int confine(struct send *s, struct err *err)
{
    CLEANUP(buf_done) struct buf words;
    buf_init(&words, 4096);
    tzset();
    int r = fs_set_nonblock(IPC_CONTROL_FD);
    if (r < 0)
        return err_set(err, -r, "control channel: %s", strerror(-r));
    struct sandbox_plan plan = {.user = s->conf->web.user, .seccomp = s->conf->web.sandbox};
    r = sandbox_enter(&plan, &words, err);
    return r < 0 ? r : control_send(IPC_CONTROL_FD, CONTROL_READY, words.data, -1);
}

static void run(struct send *s)
{
    while (!s->stopping) {
        struct pollfd fds[] = {{.fd = IPC_CONTROL_FD, .events = POLLIN},
                               {.fd = s->core ? ipc_fd(s->core) : -1, .events = POLLIN}};
        if (poll(fds, ARRAY_LEN(fds), -1) < 0)
            continue;
        if (fds[1].revents)
            read_core(s);
        int r = fds[0].revents ? 0 : -EAGAIN;
        while (r == 0)
            r = take_message(s);
        s->stopping |= r != -EAGAIN;
    }
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
        r = confine(&s, &err);
        if (r < 0)
            (void)control_send(IPC_CONTROL_FD, CONTROL_FATAL, err.message, -1);
        else
            run(&s);
    }
    ipc_free(s.core);
    conf_free(s.conf);
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
