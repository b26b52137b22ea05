// SPDX-License-Identifier: GPL-3.0-or-later
// Stands in for vherd-core and vherd-act in tests of the supervisor and of web: it speaks the
// control protocol and answers requests with canned, large, slow, wrong or no bodies, by path.
// VHERD_FAKE_FATAL=core and VHERD_FAKE_STUBBORN=act make the process of that name fail at its
// start, or refuse to end.
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/number.h"
#include "model/labels.h"
#include "net/ipc.h"
#include "net/samples.h"

#define BODY_MAX ((size_t)64 << 20)

struct fake_stream {
    uint32_t id; // 0: none
    uint64_t left;
    unsigned credit;
    bool is_broken, is_endless;
};

struct fake {
    const char *name;
    struct ipc *web;
    char *config;
    char *processes;
    unsigned peers, requests, cancelled, pieces;
    struct fake_stream stream;
    bool started, stopping;
    struct buf samples; // taken so far, a line each
    struct samples_written written;
    bool has_fd; // of the request being answered
};

struct route {
    const char *path;
    void (*answer)(struct fake *f, uint32_t id, const struct ipc_request *r);
};

static void respond(struct fake *f, uint32_t id, uint16_t status, const char *type,
                    const char *body, size_t len)
{
    ipc_send(f->web, IPC_RESPONSE, id, status, type, strlen(type) + 1, body, len);
}

static uint64_t parameter(const struct ipc_request *r, const char *name, uint64_t otherwise)
{
    CLEANUP(freep) char *text = ipc_query_param(r->query, name);
    uint64_t value = 0;
    return text && number_parse_u64(text, &value) == 0 ? value : otherwise;
}

static void answer_echo(struct fake *f, uint32_t id, const struct ipc_request *r)
{
    CLEANUP(buf_done) struct buf b;
    struct json j;
    buf_init(&b, 4 << 20);
    json_init(&j, &b);
    json_object_begin(&j);
    json_kv_string(&j, "method", r->method);
    json_kv_string(&j, "path", r->path);
    json_kv_string(&j, "query", r->query);
    json_kv_string(&j, "form", r->form);
    json_kv_string(&j, "accept", r->accept);
    json_kv_string(&j, "principal", r->principal);
    json_kv_string(&j, "address", r->address);
    json_kv_bool(&j, "connection", f->has_fd);
    json_kv_u64(&j, "pid", (uint64_t)getpid());
    json_object_end(&j);
    respond(f, id, 200, "application/json", b.data, b.len);
}

static void answer_big(struct fake *f, uint32_t id, const struct ipc_request *r)
{
    size_t len = (size_t)MIN_OF(parameter(r, "bytes", 20 << 20), (uint64_t)BODY_MAX);
    CLEANUP(freep) char *body = mem_zalloc(len);
    for (size_t i = 0; i < len; i++)
        body[i] = (char)('a' + i % 23);
    respond(f, id, 200, "text/plain; version=0.0.4", body, len);
}

static void answer_samples(struct fake *f, uint32_t id, const struct ipc_request *r)
{
    respond(f, id, 200, "text/plain", f->samples.len ? f->samples.data : "", f->samples.len);
}

static void answer_status(struct fake *f, uint32_t id, const struct ipc_request *r)
{
    static const char body[] = "{\"status\": 0}\n";
    respond(f, id, (uint16_t)parameter(r, "code", 404), "application/problem+json", body,
            sizeof(body) - 1);
}

static void answer_never(struct fake *f, uint32_t id, const struct ipc_request *r) {}

static void answer_late(struct fake *f, uint32_t id, const struct ipc_request *r)
{
    uint64_t ms = parameter(r, "ms", 1000);
    struct timespec pause = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
    nanosleep(&pause, NULL);
    respond(f, id, 200, "text/plain", "late\n", 5);
}

static void answer_die(struct fake *f, uint32_t id, const struct ipc_request *r)
{
    _exit(3);
}

static void answer_garbage(struct fake *f, uint32_t id, const struct ipc_request *r)
{
    ipc_send(f->web, IPC_RESPONSE, id, 200, "no content type", 15, NULL, 0);
}

static void answer_nonsense(struct fake *f, uint32_t id, const struct ipc_request *r)
{
    static const char junk[64] = "this is no frame at all";
    (void)!write(ipc_fd(f->web), junk, sizeof(junk));
}

static void answer_config(struct fake *f, uint32_t id, const struct ipc_request *r)
{
    respond(f, id, 200, "text/plain", f->config, strlen(f->config));
}

static void answer_processes(struct fake *f, uint32_t id, const struct ipc_request *r)
{
    const char *text = f->processes ? f->processes : "[]";
    respond(f, id, 200, "application/json", text, strlen(text));
}

static void answer_counts(struct fake *f, uint32_t id, const struct ipc_request *r)
{
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 4096);
    buf_printf(&b, "{\"peers\": %u, \"requests\": %u, \"cancelled\": %u, \"pieces\": %u}\n",
               f->peers, f->requests, f->cancelled, f->pieces);
    respond(f, id, 200, "application/json", b.data, b.len);
}

// As many pieces as the asker lets come, one stream at a time.
static void push_pieces(struct fake *f)
{
    struct fake_stream *s = &f->stream;
    static char piece[IPC_PIECE_BYTES];
    memset(piece, 'p', sizeof(piece));
    while (s->id != 0 && s->credit > 0 && s->left > 0) {
        size_t n = (size_t)MIN_OF(s->left, (uint64_t)sizeof(piece));
        ipc_send(f->web, IPC_PIECE, s->id, 0, piece, n, NULL, 0);
        s->left -= n;
        s->credit--;
        f->pieces++;
    }
    if (s->id == 0 || s->left > 0 || s->is_endless)
        return;
    ipc_send(f->web, IPC_END, s->id, s->is_broken, NULL, 0, NULL, 0);
    s->id = 0;
}

static void answer_pieces(struct fake *f, uint32_t id, const struct ipc_request *r)
{
    static const char begin[] = "application/json\0begin";
    ipc_send(f->web, IPC_BEGIN, id, 200, begin, sizeof(begin) - 1, NULL, 0);
    f->pieces = 1;
    f->stream = (struct fake_stream){.id = id,
                                     .left = parameter(r, "bytes", 0),
                                     .credit = IPC_PIECES_AHEAD - 1,
                                     .is_broken = parameter(r, "broken", 0) != 0,
                                     .is_endless = parameter(r, "endless", 0) != 0};
    push_pieces(f);
}

static const struct route routes[] = {
    {"/metrics", answer_big},         {"/big", answer_big},
    {"/samples", answer_samples},     {"/status", answer_status},
    {"/never", answer_never},         {"/vherd/v1/vms/a/dirty-rate", answer_late},
    {"/late", answer_late},           {"/api/v1/query_range", answer_pieces},
    {"/api/v1/series", answer_never}, {"/die", answer_die},
    {"/garbage", answer_garbage},     {"/nonsense", answer_nonsense},
    {"/config", answer_config},       {"/processes", answer_processes},
    {"/counts", answer_counts},
};

// Samples of web's receiver: those with a label "refuse" are refused; text goes to `samples`.
static int take_sample(void *arg, const struct label *label, size_t n, int64_t t_ms, double v,
                       bool same)
{
    struct fake *f = arg;
    bool refuse = false;
    buf_puts(&f->samples, f->samples.len ? "\n" : "");
    for (size_t i = 0; i < n; i++) {
        buf_printf(&f->samples, "%s=%s ", label[i].name, label[i].value);
        refuse |= strcmp(label[i].name, "refuse") == 0;
    }
    buf_printf(&f->samples, "%g @%lld", v, (long long)t_ms);
    f->written.samples += !refuse;
    f->written.rejected += refuse;
    return 0;
}

static int take_family(void *arg, const struct expo_family *family)
{
    struct fake *f = arg;
    buf_printf(&f->samples, "\nfamily %s %s %s", family->name, expo_type_name(family->type),
               family->help);
    return 0;
}

static void take_samples(struct fake *f, const struct ipc_frame *frame)
{
    static const struct samples_events events = {take_sample, take_family};
    f->written = (struct samples_written){.reason = "told to"};
    if (samples_read(frame->payload, frame->len, &events, f) < 0)
        abort();
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 1024);
    samples_written_encode(&f->written, &b);
    ipc_send(f->web, IPC_WRITTEN, frame->id, 0, b.data, b.len, NULL, 0);
}

static void answer(struct fake *f, const struct ipc_frame *frame)
{
    struct ipc_request r;
    if (frame->type == IPC_CANCEL)
        f->cancelled++;
    if (frame->type == IPC_MORE && frame->id == f->stream.id) {
        f->stream.credit++;
        push_pieces(f);
    }
    if (frame->type == IPC_SAMPLES || frame->type == IPC_IMPORT)
        take_samples(f, frame);
    if (frame->type != IPC_REQUEST || ipc_request_decode(frame->payload, frame->len, &r) < 0)
        return;
    f->requests++;
    void (*found)(struct fake *, uint32_t, const struct ipc_request *) = answer_echo;
    for (size_t i = 0; i < ARRAY_LEN(routes); i++)
        if (strcmp(routes[i].path, r.path) == 0)
            found = routes[i].answer;
    found(f, frame->id, &r);
    ipc_request_done(&r);
}

static bool is_named(const struct fake *f, const char *variable)
{
    const char *value = getenv(variable);
    return value && strcmp(value, f->name) == 0;
}

static int take_message(struct fake *f)
{
    enum control_type type;
    CLEANUP(freep) char *text = NULL;
    CLEANUP(closep) int fd = -1;
    int r = control_recv(IPC_CONTROL_FD, &type, &text, &fd);
    if (r < 0)
        return r;
    if (type == CONTROL_CONFIG)
        mem_strset(&f->config, text);
    if (type == CONTROL_PROCESSES)
        mem_strset(&f->processes, text);
    if (type == CONTROL_PEER)
        f->peers++;
    if (type == CONTROL_PEER && strcmp(text, "web") == 0) {
        ipc_free(f->web);
        f->web = ipc_new(fd, 4 << 20);
        ipc_accept_fds(f->web);
        fd = -1;
    }
    f->started |= type == CONTROL_START;
    f->stopping |= type == CONTROL_STOP && !is_named(f, "VHERD_FAKE_STUBBORN");
    return 0;
}

static void serve_web(struct fake *f)
{
    struct ipc_frame frame;
    int r = ipc_flush(f->web);
    while (r == 0 && (r = ipc_recv(f->web, &frame)) == 1) {
        f->has_fd = frame.fd >= 0;
        answer(f, &frame);
        r = 0;
    }
    if (r < 0)
        ipc_free(TAKE_PTR(f->web));
}

static void turn(struct fake *f)
{
    struct pollfd fds[] = {
        {.fd = IPC_CONTROL_FD, .events = POLLIN},
        {.fd = f->web ? ipc_fd(f->web) : -1, .events = POLLIN},
    };
    if (f->web && ipc_wants_write(f->web))
        fds[1].events |= POLLOUT;
    if (poll(fds, ARRAY_LEN(fds), -1) < 0)
        return;
    if (fds[1].revents)
        serve_web(f);
    if (fds[0].revents) {
        int r = take_message(f);
        f->stopping |= r < 0 && r != -EAGAIN;
    }
}

int main(int argc, char **argv)
{
    const char *dash = strrchr(argv[0], '-');
    struct fake f = {.name = dash ? dash + 1 : "core"};
    buf_init(&f.samples, 64u << 20);
    log_setup("fake", LOG_LEVEL_INFO);
    signal(SIGPIPE, SIG_IGN);
    if (is_named(&f, "VHERD_FAKE_STUBBORN"))
        signal(SIGTERM, SIG_IGN);
    while (!f.started)
        if (take_message(&f) < 0)
            return EXIT_FAILURE;
    if (is_named(&f, "VHERD_FAKE_FATAL")) {
        control_send(IPC_CONTROL_FD, CONTROL_FATAL, "the fake was told to fail", -1);
        f.stopping = true;
    }
    fs_set_nonblock(IPC_CONTROL_FD);
    if (!f.stopping)
        control_send(IPC_CONTROL_FD, CONTROL_READY, "none: a fake", -1);
    while (!f.stopping)
        turn(&f);
    buf_done(&f.samples);
    ipc_free(f.web);
    free(f.config);
    free(f.processes);
    return EXIT_SUCCESS;
}
