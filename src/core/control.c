// SPDX-License-Identifier: GPL-3.0-or-later
// The supervisor's messages: configuration, peers, who else runs, the end.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "core.h"

static int take_config(struct core *c, const char *text, struct err *err)
{
    struct conf *conf = NULL;
    int r = conf_parse("configuration", text, strlen(text), &conf, err);
    if (r < 0)
        return r;
    struct conf *old = c->conf;
    c->conf = conf;
    log_set_level(conf->log.level);
    c->exposition.valid = false;
    free((char *)c->rules.socket_path);
    asker_rules_read(conf, &c->rules);
    c->configured_real_ns = clock_real_ns(&clock_system);
    if (c->jobs)
        queries_limit(c);
    if (c->plan_auto)
        plan_auto_reload(c);
    if (c->collector)
        collector_reload(c->collector, conf);
    store_reload(c);
    if (c->notices)
        notices_configure(c->notices, conf);
    rules_reload(c);
    if (c->certificates)
        certificates_reload(c->certificates);
    conf_free(old);
    return 0;
}

static void take_peer(struct core *c, const char *name, int fd)
{
    struct peer *peers[] = {&c->web, &c->act, &c->send};
    for (size_t i = 0; i < ARRAY_LEN(peers); i++) {
        if (strcmp(peers[i]->name, name) == 0 && fd >= 0) {
            peer_connect(peers[i], fd);
            return;
        }
    }
    closep(&fd);
}

// Returns 0, or -errno where the supervisor is gone or talks nonsense.
static int take_message(struct core *c, struct err *err)
{
    enum control_type type;
    CLEANUP(freep) char *text = NULL;
    int fd = -1;
    int r = control_recv(IPC_CONTROL_FD, &type, &text, &fd);
    if (r < 0)
        return r;
    switch (type) {
    case CONTROL_CONFIG:
        r = take_config(c, text, err);
        break;
    case CONTROL_PEER:
        take_peer(c, text, fd);
        return 0;
    case CONTROL_KEY:
        r = grant_key_parse(text, &c->key);
        c->has_key = r == 0;
        break;
    case CONTROL_START:
        c->started = true;
        break;
    case CONTROL_PROCESSES:
        if (c->herd)
            processes_learn(c, text);
        break;
    case CONTROL_STOP:
        core_stop(c);
        break;
    default:
        break;
    }
    closep(&fd);
    return r;
}

int control_begin(struct core *c, struct err *err)
{
    while (!c->started && !c->stopping) {
        int r = take_message(c, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static void on_control(uv_poll_t *handle, int status, int events)
{
    struct core *c = handle->data;
    struct err err = {0};
    int r;
    do
        r = take_message(c, &err);
    while (r == 0);
    if (r == -EAGAIN)
        return;
    if (err.code)
        log_error("%s", err.message);
    core_stop(c);
}

void control_watch(struct core *c)
{
    fs_set_nonblock(IPC_CONTROL_FD);
    uv_poll_init(&c->loop, &c->control, IPC_CONTROL_FD);
    c->control.data = c;
    uv_poll_start(&c->control, UV_READABLE, on_control);
}
