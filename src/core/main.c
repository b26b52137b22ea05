// SPDX-License-Identifier: GPL-3.0-or-later
// vherd-core: holds the data. One libuv loop owns all mutable state; the sampler, the workers and
// libvirt's events hand over to it. No network; libvirt read-only.
#include <cap-ng.h>
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "core.h"
#include "sim/stage.h"
#include "version.h"

#define SELF_EVERY_MS 10000
// Waking the loop costs more than what these timers do: it is done before, with something else.
#define EARLY_MS 1500

static void on_timer(uv_timer_t *handle);
static void on_self(uv_timer_t *handle);

static void do_early(uv_timer_t *timer, uv_timer_cb run)
{
    if (!uv_is_active((uv_handle_t *)timer) || uv_timer_get_due_in(timer) > EARLY_MS)
        return;
    run(timer);
    uv_timer_again(timer);
}

// One line for each change of the connection to libvirt.
static void log_libvirt(struct core *c)
{
    struct collector_libvirt l = collector_libvirt(c->collector);
    if (l.status == c->logged_status)
        return;
    c->logged_status = l.status;
    if (l.tried)
        tell_libvirt(c, l.up, l.message);
    log_write(l.up || !l.tried ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, "libvirt (%s): %s%s%s", l.uri,
              l.status, l.message[0] ? ": " : "", l.message);
}

static void on_step(struct core *c)
{
    if (c->stopping)
        return;
    int64_t wake = collector_step(c->collector);
    log_libvirt(c);
    int64_t now = clock_mono_ns(&clock_system);
    uv_update_time(&c->loop);
    uint64_t ms = 0;
    if (wake == INT64_MAX)
        ms = 3600 * 1000;
    else if (wake > now)
        ms = (uint64_t)((wake - now + NS_PER_MS - 1) / NS_PER_MS);
    uv_timer_start(&c->timer, on_timer, MIN_OF(ms, UINT64_C(3600000)), 0);
    do_early(&c->self_timer, on_self);
    do_early(&c->flow_timer, store_flow_timer);
}

static void on_wake(uv_async_t *handle)
{
    on_step(handle->data);
}

static void on_timer(uv_timer_t *handle)
{
    on_step(handle->loop->data);
}

static void on_self(uv_timer_t *handle)
{
    struct core *c = handle->loop->data;
    processes_measure(c);
    store_measure(c);
    rules_measure(c);
    if (c->notices)
        notices_measure(c->notices);
    certificates_step(c->certificates);
}

static void on_term(uv_signal_t *handle, int signum)
{
    core_stop(handle->data);
}

void core_stop(struct core *c)
{
    c->stopping = true;
    uv_stop(&c->loop);
}

// Called by the sampler, workers and libvirt's event thread.
static void wake_loop(void *arg)
{
    uv_async_send(&((struct core *)arg)->wake);
}

static int ask_act(uint32_t id, const char *verb, const char *json, void *arg)
{
    struct core *c = arg;
    if (!c->act.ipc || c->act.closing)
        return -ENOTCONN;
    peer_send(&c->act, IPC_REQUEST, id, 0, verb, strlen(verb) + 1, json, strlen(json));
    return 0;
}

static bool act_frame(struct peer *p, const struct ipc_frame *f)
{
    if (f->type != IPC_RESPONSE)
        return f->type == IPC_REPORT;
    if (!forward_answer(p->core, f) && p->core->collector) {
        collector_answer(p->core->collector, f->id, f->status, f->payload, f->len);
        on_step(p->core); // the next one is asked while what that takes is in the caches
    }
    return true;
}

static void act_gone(struct peer *p)
{
    if (p->core->collector)
        collector_act_lost(p->core->collector);
    forward_act_gone(p->core);
}

// What comes before there is something to keep it is let go.
static bool send_frame(struct peer *p, const struct ipc_frame *f)
{
    if (f->type == IPC_NOTIFIED)
        return p->core->notices ? notices_result(p->core->notices, f->status, f->payload, f->len)
                                : true;
    int r = p->core->flow ? flow_frame(p->core->flow, p, f) : 1;
    return r == 1 || (r == 0 && f->type == IPC_REPORT);
}

static void send_gone(struct peer *p)
{
    if (p->core->notices)
        notices_lost_sender(p->core->notices);
}

// What reading other users' processes and the kernel's log takes, and nothing else.
static const char *confine(void)
{
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (geteuid() != 0)
        return "the caller's rights, no new privileges";
    capng_clear(CAPNG_SELECT_BOTH);
    capng_updatev(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET,
                  CAP_DAC_READ_SEARCH, CAP_SYS_PTRACE, CAP_SYSLOG, -1);
    if (capng_apply(CAPNG_SELECT_BOTH) < 0)
        return "all of root's rights: capabilities could not be dropped";
    return "capabilities dac_read_search, sys_ptrace, syslog; no new privileges";
}

static void name_host(struct herd *h)
{
    struct utsname u;
    uname(&u);
    object_set_attr(h->host, ATTR_HOST_NAME, u.nodename);
    object_set_attr(h->host, ATTR_HOST_KERNEL, u.release);
    object_set_attr(h->host, ATTR_HOST_VERSION, VHERD_VERSION);
}

static int start(struct core *c, struct err *err)
{
    c->herd = herd_new();
    name_host(c->herd);
    buf_init(&c->exposition.text, IPC_PAYLOAD_MAX - 4096);
    int r = samples_open(c, err);
    if (r < 0)
        return r;
    tell_open(c);
    rules_begin(c);
    tell_join(c);
    CLEANUP(freep) char *uri = conf_libvirt_uri(c->conf);
    const struct virt_ops *virt = virt_ops_for_uri(uri);
    const struct host_ops *host = virt == &virt_memory ? &host_memory : &host_kernel;
    if (stage_is_uri(uri)) {
        r = stage_open(uri, &clock_system, err);
        if (r < 0)
            return r;
        virt = &virt_simulated;
        host = &host_simulated;
    }
    struct collector_params params = {
        .conf = c->conf,
        .uri = uri,
        .virt = virt,
        .host = host,
        .clock = &clock_system,
        .herd = c->herd,
        .wake = wake_loop,
        .ask = ask_act,
        .sampled = store_sampled,
        .event = tell_vm_event,
        .process = tell_vm_process,
        .arg = c,
    };
    return collector_new(&params, &c->collector, err);
}

static void loop_init(struct core *c)
{
    uv_loop_init(&c->loop);
    c->loop.data = c;
    uv_async_init(&c->loop, &c->wake, on_wake);
    c->wake.data = c;
    uv_timer_init(&c->loop, &c->timer);
    uv_timer_init(&c->loop, &c->self_timer);
    uv_signal_init(&c->loop, &c->term);
    c->term.data = c;
    uv_signal_start(&c->term, on_term, SIGTERM);
    // Ctrl-C reaches the whole foreground group; the supervisor decides what it means.
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
}

static void say_fatal(const struct err *err)
{
    log_error("%s", err->message);
    control_send(IPC_CONTROL_FD, CONTROL_FATAL, err->message, -1);
}

// What a large query took goes back to the system, and threads share their pools: as many would
// each keep what they once needed.
static void bound_memory(void)
{
    mallopt(M_ARENA_MAX, 2);
    mallopt(M_TRIM_THRESHOLD, 1 << 20);
    mallopt(M_MMAP_THRESHOLD, 1 << 20);
}

int main(int argc, char **argv)
{
    static struct core core; // too large for a stack frame, and needed to the very end
    struct core *c = &core;
    struct err err = {0};
    bound_memory();
    log_setup("vherd-core", LOG_LEVEL_INFO);
    c->started_real_ns = clock_real_ns(&clock_system);
    loop_init(c);
    peer_init(&c->web, c, "web", web_frame, web_gone);
    c->web.takes_fds = true;
    peer_init(&c->act, c, "act", act_frame, act_gone);
    peer_init(&c->send, c, "send", send_frame, send_gone);
    int r = control_begin(c, &err);
    if (r < 0) {
        if (err.code)
            say_fatal(&err);
        else
            log_error("vherd-core is started by `vherd daemon`, not by hand");
        return 1;
    }
    const char *sandbox = confine();
    queries_begin(c); // sets the environment, which threads that the collector starts may read
    if (!c->stopping && start(c, &err) < 0) {
        say_fatal(&err);
        return 1;
    }
    plan_auto_begin(c);
    control_watch(c);
    control_send(IPC_CONTROL_FD, CONTROL_READY, sandbox, -1);
    uv_async_send(&c->wake);
    c->certificates = certificates_new(c);
    certificates_step(c->certificates);
    uv_timer_start(&c->self_timer, on_self, SELF_EVERY_MS, SELF_EVERY_MS);
    if (!c->stopping)
        uv_run(&c->loop, UV_RUN_DEFAULT);
    queries_end(c);
    plan_auto_end(c);
    rules_end(c);
    certificates_free(TAKE_PTR(c->certificates));
    collector_free(TAKE_PTR(c->collector)); // the loop runs once more below
    tell_close(c);
    samples_close(c);
    herd_free(c->herd);
    conf_free(c->conf);
    return 0;
}
