// SPDX-License-Identifier: GPL-3.0-or-later
// vherd-act: holds the power. The read-write connection to libvirt, and a closed table of verbs
// that core may ask for. One libuv loop owns all state; calls to libvirt run on workers.
#include <cap-ng.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "act.h"
#include "base/log.h"
#include "base/mem.h"

static void on_term(uv_signal_t *handle, int signum)
{
    act_stop(handle->loop->data);
}

// libvirt's socket belongs to root: opening it, and opening it again, takes no capability.
static const char *confine(void)
{
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (geteuid() != 0)
        return "the caller's rights, no new privileges";
    capng_clear(CAPNG_SELECT_BOTH);
    if (capng_apply(CAPNG_SELECT_BOTH) < 0)
        return "all of root's rights: capabilities could not be dropped";
    return "no capabilities, no new privileges";
}

static void watch_signals(struct act *a)
{
    uv_signal_init(&a->loop, &a->term);
    uv_signal_start(&a->term, on_term, SIGTERM);
    // Ctrl-C reaches the whole foreground group; the supervisor decides what it means.
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
}

static int begin(struct act *a)
{
    struct err err = {0};
    int r = control_begin(a, &err);
    if (r < 0 && err.code) {
        log_error("%s", err.message);
        control_send(IPC_CONTROL_FD, CONTROL_FATAL, err.message, -1);
    } else if (r < 0) {
        log_error("vherd-act is started by `vherd daemon`, not by hand");
    }
    return r;
}

int main(int argc, char **argv)
{
    static struct act act; // too large for a stack frame, and needed to the very end
    struct act *a = &act;
    log_setup("vherd-act", LOG_LEVEL_INFO);
    act_init(a);
    gate_init(&a->gate, &a->loop, &a->state);
    watch_signals(a);
    if (begin(a) < 0)
        return 1;
    if (a->stopping)
        return 0;
    const char *sandbox = confine();
    a->ops = virt_ops_for_uri(a->uri);
    state_init(&a->state, a->conf);
    deeds_open(a);
    control_watch(a);
    control_send(IPC_CONTROL_FD, CONTROL_READY, sandbox, -1);
    act_step(a);
    uv_run(&a->loop, UV_RUN_DEFAULT);
    consoles_end_all(a, "vherd ended");
    state_done(&a->state);
    // Workers that hang still use what this process has: end without taking it apart.
    _exit(0);
}
