// SPDX-License-Identifier: GPL-3.0-or-later
// vherd-act: holds the power. The read-write connection to libvirt, and a closed table of verbs
// that core may ask for. One libuv loop owns all state; calls to libvirt run on workers.
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "act.h"
#include "base/log.h"
#include "base/mem.h"
#include "mending.h"
#include "sandbox/sandbox.h"

static void on_term(uv_signal_t *handle, int signum)
{
    act_stop(handle->loop->data);
}

static struct sandbox_acting plan_for(const struct act *a, const char *const *read_paths,
                                      const char *const *write_paths)
{
    bool transport = link_needs_transport(a->uri), host = link_has_host(a->uri);
    // A caller's own daemon is started by libvirt's client.
    bool session = geteuid() != 0 || strstr(a->uri, "/session");
    return (struct sandbox_acting){.seccomp = a->conf->web.sandbox,
                                   .programs = transport || session,
                                   .network = transport || host,
                                   .read_paths = read_paths,
                                   .write_paths = write_paths};
}

// A scenario that is simulated lies in a file; every other back end is spoken to over a socket.
static char *scenario_path(const char *uri)
{
    static const char scheme[] = "simulate://";
    if (strncmp(uri, scheme, strlen(scheme)) != 0)
        return NULL;
    const char *path = uri + strlen(scheme);
    return mem_strndup(path, strcspn(path, "?"));
}

// libvirt's socket belongs to root: opening it, and opening it again, takes no capability. Images
// are read and written by libvirt, never by this process.
static int confine(const struct act *a, struct buf *words)
{
    struct err err = {0};
    CLEANUP(freep) char *templates = conf_templates_path(a->conf);
    CLEANUP(freep) char *scenario = scenario_path(a->uri);
    const char *const read_paths[] = {templates, scenario, NULL};
    const char *const write_paths[] = {a->state.directory, NULL};
    const struct sandbox_acting plan = plan_for(a, read_paths, write_paths);
    int r = sandbox_enter_acting(&plan, words, &err);
    if (r < 0) {
        log_error("%s", err.message);
        control_send(IPC_CONTROL_FD, CONTROL_FATAL, err.message, -1);
    }
    return r;
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
    CLEANUP(buf_done) struct buf words;
    buf_init(&words, 1024);
    state_init(&a->state, a->conf);
    if (confine(a, &words) < 0)
        return 1;
    a->ops = virt_ops_for_uri(a->uri);
    deeds_open(a);
    control_watch(a);
    control_send(IPC_CONTROL_FD, CONTROL_READY, words.data, -1);
    act_step(a);
    uv_run(&a->loop, UV_RUN_DEFAULT);
    mending_stop(a);
    consoles_end_all(a, "vherd ended");
    state_done(&a->state);
    // Workers that hang still use what this process has: end without taking it apart.
    _exit(0);
}
