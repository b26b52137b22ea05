// SPDX-License-Identifier: GPL-3.0-or-later
// Stands in for the supervisor and for core around the real vherd-send, so that scrapes and remote
// write are tested without a store: core's own flow.c over a log in memory.
//
//   flow-core VHERD_SEND CONFIG DIRECTORY
//
// Positions of receivers are kept in DIRECTORY, and so is the log (DIRECTORY/log, as frames), read
// again at the start. Standard output tells each sample that comes in, if DIRECTORY/echo exists.
// SIGUSR1 drops the connection to send and makes another; the end of standard input, and SIGTERM,
// end all.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "flow.h"
#include "model/labels.h"
#include "net/rules.h"

struct record {
    struct labels *labels;
    int64_t t_ms;
    double v;
};

struct fake {
    struct record *log;
    size_t n, cap;
    bool echo;
    FILE *file;
    struct ipc *send;
    int control;
    pid_t pid;
};

static volatile sig_atomic_t drop, ended;

static void on_signal(int signum)
{
    *(signum == SIGUSR1 ? &drop : &ended) = 1;
}

// The log

static int append(void *arg, const struct label *label, size_t n, int64_t t_ms, double v)
{
    struct fake *f = arg;
    struct labels *l = labels_new(label, n);
    if (!l)
        return -EINVAL;
    mem_grow(&f->log, &f->cap, f->n, sizeof(*f->log));
    f->log[f->n++] = (struct record){l, t_ms, v};
    if (f->file) {
        struct samples_writer *w = samples_writer_new(1 << 20);
        size_t len = 0;
        samples_put(w, l->label, l->n, t_ms, v);
        const char *frame = samples_finish(w, &len);
        uint64_t size = len;
        fwrite(&size, sizeof(size), 1, f->file);
        fwrite(frame, 1, len, f->file);
        samples_writer_free(w);
    }
    if (f->echo) {
        CLEANUP(buf_done) struct buf b;
        buf_init(&b, 1 << 20);
        labels_format(l, &b);
        buf_printf(&b, " %lld ", (long long)t_ms);
        uint64_t bits;
        memcpy(&bits, &v, sizeof(bits));
        if (bits == UINT64_C(0x7ff0000000000002))
            buf_puts(&b, "stale");
        else
            buf_f64(&b, v);
        buf_putc(&b, '\n');
        fwrite(b.data, 1, b.len, stdout);
    }
    return 0;
}

static int commit(void *arg)
{
    struct fake *f = arg;
    if (f->file)
        fflush(f->file);
    fflush(stdout);
    return 0;
}

static int read_log(void *arg, const char *name, const struct samples_position *from, size_t max,
                    struct samples_writer *out, struct samples_batch *ret)
{
    struct fake *f = arg;
    size_t at = (size_t)from->b;
    for (size_t taken = 0; at < f->n && taken < max; taken++, at++) {
        const struct record *r = &f->log[at];
        if (samples_put(out, r->labels->label, r->labels->n, r->t_ms, r->v) < 0)
            break;
    }
    ret->next = (struct samples_position){1, at};
    ret->more = at < f->n;
    return 0;
}

static int load_sample(void *arg, const struct label *label, size_t n, int64_t t_ms, double v,
                       bool same)
{
    return append(arg, label, n, t_ms, v);
}

static void load(struct fake *f, const char *path)
{
    static const struct samples_events events = {.sample = load_sample};
    CLEANUP(freep) char *text = NULL;
    size_t len = 0, at = 0;
    uint64_t size;
    if (fs_read_file(AT_FDCWD, path, (size_t)1 << 30, &text, &len) < 0)
        return;
    for (; len - at >= sizeof(size); at += (size_t)size) {
        memcpy(&size, text + at, sizeof(size));
        at += sizeof(size);
        if (size > len - at || samples_read(text + at, (size_t)size, &events, f) < 0)
            return;
    }
}

// send

static void reply(void *peer, enum ipc_type type, uint32_t id, int status, const void *a,
                  size_t a_len, const void *b, size_t b_len)
{
    struct fake *f = peer;
    if (f->send)
        (void)ipc_send(f->send, type, id, (uint16_t)status, a, a_len, b, b_len);
}

static void connect_send(struct fake *f)
{
    int pair[2];
    ipc_free(f->send);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        abort();
    control_send(f->control, CONTROL_PEER, "core", pair[1]);
    close(pair[1]);
    f->send = ipc_new(pair[0], IPC_PAYLOAD_MAX);
}

static int spawn(struct fake *f, const char *program)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) < 0)
        return -errno;
    f->pid = fork();
    if (f->pid == 0) {
        // Where our end has the number that the child's is to have, it goes.
        if (pair[0] != IPC_CONTROL_FD)
            close(pair[0]);
        if (pair[1] != IPC_CONTROL_FD)
            dup2(pair[1], IPC_CONTROL_FD);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execl(program, program, (char *)NULL);
        _exit(127);
    }
    close(pair[1]);
    fcntl(pair[0], F_SETFD, FD_CLOEXEC);
    f->control = pair[0];
    return 0;
}

static int begin(struct fake *f, const char *config)
{
    struct conf *conf = NULL;
    struct err err = {0};
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, CONTROL_TEXT_MAX);
    if (conf_load(config, &conf, &err) < 0 || rules_check(conf, &err) < 0) {
        fprintf(stderr, "%s\n", err.message);
        return -EINVAL;
    }
    conf_encode(conf, &b);
    conf_free(conf);
    control_send(f->control, CONTROL_CONFIG, b.data, -1);
    connect_send(f);
    control_send(f->control, CONTROL_START, "", -1);
    enum control_type type;
    CLEANUP(freep) char *text = NULL;
    int fd = -1;
    if (control_recv(f->control, &type, &text, &fd) < 0)
        return -EPIPE;
    fprintf(stderr, "%s: %s\n", type == CONTROL_READY ? "ready" : "failed", text);
    return type == CONTROL_READY ? 0 : -EIO;
}

static void read_send(struct fake *f, struct flow *flow)
{
    struct ipc_frame frame;
    int r = ipc_flush(f->send);
    while (r == 0 && (r = ipc_recv(f->send, &frame)) == 1) {
        r = flow_frame(flow, f, &frame);
        r = r == 1 ? 0 : -EPROTO;
    }
    if (r < 0 && !ended) {
        fprintf(stderr, "the connection to send broke (%d)\n", r);
        ended = 1;
    }
}

static void serve(struct fake *f, struct flow *flow)
{
    struct err err = {0};
    while (!ended) {
        struct pollfd fds[] = {
            {.fd = ipc_fd(f->send),
             .events = (short)(POLLIN | (ipc_wants_write(f->send) ? POLLOUT : 0))},
            {.fd = STDIN_FILENO, .events = POLLIN}};
        int n = poll(fds, ARRAY_LEN(fds), 200);
        if (drop) {
            drop = 0;
            connect_send(f);
            continue;
        }
        if (n > 0 && fds[0].revents)
            read_send(f, flow);
        if (n > 0 && fds[1].revents)
            ended = 1;
        if (flow_save(flow, &err) < 0)
            fprintf(stderr, "%s\n", err.message);
    }
}

static void finish(struct fake *f)
{
    int status = 0;
    control_send(f->control, CONTROL_STOP, "", -1);
    waitpid(f->pid, &status, 0);
    if (WIFSIGNALED(status))
        fprintf(stderr, "send was ended by signal %d\n", WTERMSIG(status));
    ipc_free(f->send);
    close(f->control);
    for (size_t i = 0; i < f->n; i++)
        labels_free(f->log[i].labels);
    free(f->log);
    if (f->file)
        fclose(f->file);
}

int main(int argc, char **argv)
{
    struct fake f = {.control = -1};
    static const struct flow_sink sink = {.append = append, .commit = commit};
    static const struct flow_source source = {.read = read_log};
    if (argc != 4)
        return 2;
    log_setup("flow-core", LOG_LEVEL_INFO);
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    CLEANUP(freep) char *log = mem_printf("%s/log", argv[3]);
    CLEANUP(freep) char *echo = mem_printf("%s/echo", argv[3]);
    load(&f, log);
    f.file = fopen(log, "ae");
    f.echo = access(echo, F_OK) == 0;
    struct flow_params params = {
        .sink = &sink, .source = &source, .arg = &f, .directory = argv[3], .send = reply};
    struct flow *flow = flow_new(&params);
    int r = spawn(&f, argv[1]);
    if (r == 0)
        r = begin(&f, argv[2]);
    if (r == 0)
        serve(&f, flow);
    (void)flow_save(flow, NULL);
    finish(&f);
    flow_free(flow);
    return r < 0 ? 1 : 0;
}
