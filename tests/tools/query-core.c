// SPDX-License-Identifier: GPL-3.0-or-later
// Stands in for vherd-core in tests of the query API: core's own answers over series that a file
// names, on the in-memory back end. The file (VHERD_TEST_SERIES): a line `start STEP` in Unix and
// plain seconds, then a series a line in promqltest's notation, blank lines and `#` lines between.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/number.h"
#include "promql/memory.h"
#include "promql/notation.h"
#include "virt/host.h"
#include "virt/memory.h"

#define FILE_MAX ((size_t)64 << 20)

void core_stop(struct core *c)
{
    c->stopping = true;
    uv_stop(&c->loop);
}

static void add_series(struct promql_memory *m, const char *text, int64_t start_s, int64_t step_s)
{
    struct promql_line line;
    struct err err = {0};
    if (promql_line_parse(text, strlen(text), &line, &err) < 0) {
        log_error("%s: %s", text, err.message);
        exit(EXIT_FAILURE);
    }
    for (size_t i = 0; i < line.n; i++)
        if (!line.value[i].is_omitted)
            promql_memory_append(m, line.labels, (start_s + (int64_t)i * step_s) * 1000,
                                 line.value[i].v);
    promql_line_done(&line);
}

static struct promql_memory *read_series(const char *path)
{
    struct promql_memory *m = promql_memory_new();
    CLEANUP(freep) char *text = NULL;
    size_t len;
    if (fs_read_file(AT_FDCWD, path, FILE_MAX, &text, &len) < 0)
        exit(EXIT_FAILURE);
    const char *p = text;
    uint64_t start = 0, step = 0;
    if (!number_scan_u64(&p, &start) || !number_scan_u64(&p, &step))
        exit(EXIT_FAILURE);
    while (*p) {
        p += strspn(p, "\n");
        size_t n = strcspn(p, "\n");
        CLEANUP(freep) char *line = mem_strndup(p, n);
        if (n > 0 && *line != '#')
            add_series(m, line, (int64_t)start, (int64_t)step);
        p += n;
    }
    return m;
}

static void nothing(struct peer *p) {}

static bool ignore(struct peer *p, const struct ipc_frame *f)
{
    return true;
}

static void on_wake(uv_async_t *handle)
{
    struct core *c = handle->data;
    if (!c->stopping)
        collector_step(c->collector);
}

static void wake_loop(void *arg)
{
    uv_async_send(&((struct core *)arg)->wake);
}

static int ask_nobody(uint32_t id, const char *verb, const char *json, void *arg)
{
    return -ENOTCONN;
}

static int start(struct core *c, struct err *err)
{
    c->herd = herd_new();
    object_set_attr(c->herd->host, ATTR_HOST_NAME, "host1");
    buf_init(&c->exposition.text, IPC_PAYLOAD_MAX - 4096);
    struct collector_params params = {
        .conf = c->conf,
        .uri = *c->conf->libvirt.uri ? c->conf->libvirt.uri : "memory:///?vms=1",
        .virt = &virt_memory,
        .host = &host_memory,
        .clock = &clock_system,
        .herd = c->herd,
        .wake = wake_loop,
        .ask = ask_nobody,
        .arg = c,
    };
    return collector_new(&params, &c->collector, err);
}

int main(void)
{
    static struct core core;
    struct core *c = &core;
    struct err err = {0};
    const char *path = getenv("VHERD_TEST_SERIES");
    log_setup("query-core", LOG_LEVEL_INFO);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    c->started_real_ns = clock_real_ns(&clock_system);
    uv_loop_init(&c->loop);
    c->loop.data = c;
    uv_async_init(&c->loop, &c->wake, on_wake);
    c->wake.data = c;
    peer_init(&c->web, c, "web", web_frame, web_gone);
    c->web.takes_fds = true;
    peer_init(&c->act, c, "act", ignore, nothing);
    peer_init(&c->send, c, "send", ignore, nothing);
    if (control_begin(c, &err) < 0)
        return EXIT_FAILURE;
    queries_begin(c);
    struct promql_memory *memory = path ? read_series(path) : NULL;
    c->source = memory ? promql_memory_source(memory) : NULL;
    if (!c->stopping && start(c, &err) < 0)
        return EXIT_FAILURE;
    control_watch(c);
    control_send(IPC_CONTROL_FD, CONTROL_READY, "none: a fake", -1);
    uv_async_send(&c->wake);
    if (!c->stopping)
        uv_run(&c->loop, UV_RUN_DEFAULT);
    queries_end(c);
    collector_free(c->collector);
    promql_memory_free(memory);
    herd_free(c->herd);
    conf_free(c->conf);
    return EXIT_SUCCESS;
}
