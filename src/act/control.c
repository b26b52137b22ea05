// SPDX-License-Identifier: GPL-3.0-or-later
// The supervisor's messages: configuration, core, the end.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "act.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"

static int take_config(struct act *a, const char *text, struct err *err)
{
    struct conf *conf = NULL;
    int r = conf_parse("configuration", text, strlen(text), &conf, err);
    if (r < 0)
        return r;
    conf_free(a->conf);
    a->conf = conf;
    log_set_level(conf->log.level);
    char *uri = conf_libvirt_uri(conf);
    bool changed = mem_strset(&a->uri, uri);
    free(uri);
    // Another back end needs another process: only what is running now decides it.
    if (a->started && changed)
        link_reopen(a);
    return 0;
}

static int take_message(struct act *a, struct err *err)
{
    enum control_type type;
    CLEANUP(freep) char *text = NULL;
    CLEANUP(closep) int fd = -1;
    int r = control_recv(IPC_CONTROL_FD, &type, &text, &fd);
    if (r < 0)
        return r;
    if (type == CONTROL_CONFIG)
        return take_config(a, text, err);
    if (type == CONTROL_KEY) {
        a->state.has_key = grant_key_parse(text, &a->state.key) == 0;
    } else if (type == CONTROL_PEER && strcmp(text, "core") == 0 && fd >= 0) {
        core_connect(a, fd);
        fd = -1;
    } else if (type == CONTROL_PEER && strcmp(text, "web") == 0 && fd >= 0) {
        gate_connect(&a->gate, fd);
        fd = -1;
    } else if (type == CONTROL_STRAY) {
        strays_answer(a, text);
    } else if (type == CONTROL_START) {
        a->started = true;
    } else if (type == CONTROL_STOP) {
        act_stop(a);
    }
    return 0;
}

int control_begin(struct act *a, struct err *err)
{
    while (!a->started && !a->stopping) {
        int r = take_message(a, err);
        if (r < 0)
            return r;
    }
    return a->stopping || a->conf ? 0 : err_set(err, EPROTO, "no configuration came");
}

static void on_control(uv_poll_t *handle, int status, int events)
{
    struct act *a = handle->data;
    struct err err = {0};
    int r;
    do
        r = take_message(a, &err);
    while (r == 0);
    if (r != -EAGAIN) {
        if (err.code)
            log_error("%s", err.message);
        act_stop(a);
        return;
    }
    act_step(a);
}

void control_watch(struct act *a)
{
    fs_set_nonblock(IPC_CONTROL_FD);
    uv_poll_init(&a->loop, &a->control, IPC_CONTROL_FD);
    a->control.data = a;
    uv_poll_start(&a->control, UV_READABLE, on_control);
}
