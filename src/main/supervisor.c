// SPDX-License-Identifier: GPL-3.0-or-later
// The parent of the processes: it opens the sockets, passes them on, watches, and starts again.
// It reads nothing from the network and talks to no hypervisor.
// Invariants: a child in CHILD_DOWN has no process and no channel; every pair of connected peers
// holds one socket pair made when the later of the two was started. One thread; sleeps in poll().
#include "main/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "child.h"
#include "listen.h"
#include "net/ipc.h"
#include "net/rules.h"
#include "notify.h"
#include "notify/notify.h"
#include "stray.h"
#include "tls.h"

#define READY_NS (30 * NS_PER_S)
#define STOP_NS (5 * NS_PER_S)
#define PRESS_NS (1 * NS_PER_S)
#define BACKOFF_MIN_NS (100 * NS_PER_MS)
#define BACKOFF_MAX_NS (10 * NS_PER_S)
// A process that lived this long had a fresh start.
#define WELL_NS (60 * NS_PER_S)

#define MESSAGES_PER_TURN 16

#define KEY_BYTES 32 // as auth/grant.h has it
#define KEY_TEXT_SIZE (2 * KEY_BYTES + 1)

enum { CORE, ACT, WEB, SEND, CHILDREN };

static const struct {
    const char *name;
    const char *program;
} kinds[CHILDREN] = {
    [CORE] = {"core", "vherd-core"},
    [ACT] = {"act", "vherd-act"},
    [WEB] = {"web", "vherd-web"},
    [SEND] = {"send", "vherd-send"},
};

// Who talks to whom.
static const int peers[][2] = {{CORE, WEB}, {CORE, ACT}, {CORE, SEND}, {ACT, WEB}};

// Who checks grants; web must never be among them.
static const int key_holders[] = {CORE, ACT};

struct supervisor {
    struct conf *conf;
    const char *config_path; // NULL: the default path
    struct child children[CHILDREN];
    struct listen_unix local;
    struct listen_tcp *tcp;
    size_t n_tcp;
    struct tls_pair tls; // empty: no HTTPS
    int signals;
    struct stray_children strays;
    char key[KEY_TEXT_SIZE]; // of grants, drawn anew at each start
    bool ready;              // said so
    bool stopping;           // told to end, or failed
    bool failed;
};

static int64_t now_ns(void)
{
    return clock_mono_ns(&clock_system);
}

// Messages

static void tell(struct supervisor *s, struct child *c, enum control_type type, const char *text,
                 int fd)
{
    if (c->control < 0)
        return;
    int r = control_send(c->control, type, text, fd);
    // Its end is told by SIGCHLD; a full channel means that it hangs.
    if (r < 0 && r != -EPIPE && r != -ECONNRESET)
        log_warning("cannot tell %s anything: %s", c->name, strerror(-r));
}

static void tell_config(struct supervisor *s, struct child *c)
{
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, CONTROL_TEXT_MAX);
    conf_encode(s->conf, &b);
    if (b.error)
        log_error("the configuration is too long to be passed on");
    else
        tell(s, c, CONTROL_CONFIG, b.data ? b.data : "", -1);
}

static void tell_key(struct supervisor *s, struct child *c)
{
    for (size_t i = 0; i < ARRAY_LEN(key_holders); i++)
        if (c == &s->children[key_holders[i]])
            tell(s, c, CONTROL_KEY, s->key, -1);
}

static int draw_key(struct supervisor *s, struct err *err)
{
    unsigned char key[KEY_BYTES];
    if (getrandom(key, sizeof(key), 0) != sizeof(key))
        return err_set(err, errno, "no random numbers: %s", strerror(errno));
    for (size_t i = 0; i < sizeof(key); i++)
        snprintf(s->key + 2 * i, 3, "%02x", key[i]);
    explicit_bzero(key, sizeof(key));
    return 0;
}

static void write_process(struct json *j, const char *name, pid_t pid, unsigned restarts,
                          const char *sandbox)
{
    json_object_begin(j);
    json_kv_string(j, "name", name);
    json_kv_i64(j, "pid", pid);
    json_kv_u64(j, "restarts", restarts);
    json_kv_string(j, "sandbox", sandbox);
    json_object_end(j);
}

static void tell_processes(struct supervisor *s)
{
    if (s->children[CORE].state != CHILD_READY || s->stopping)
        return;
    CLEANUP(buf_done) struct buf b;
    struct json j;
    buf_init(&b, CONTROL_TEXT_MAX);
    json_init(&j, &b);
    json_array_begin(&j);
    write_process(&j, "supervisor", getpid(), 0, "");
    for (size_t i = 0; i < CHILDREN; i++) {
        const struct child *c = &s->children[i];
        if (c->pid > 0)
            write_process(&j, c->name, c->pid, c->restarts, c->sandbox ? c->sandbox : "");
    }
    json_array_end(&j);
    if (!b.error)
        tell(s, &s->children[CORE], CONTROL_PROCESSES, b.data, -1);
}

static void connect_peers(struct supervisor *s, struct child *a, struct child *b)
{
    int pair[2];
    if (a->control < 0 || b->control < 0)
        return;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
        log_error("cannot connect %s and %s: %s", a->name, b->name, strerror(errno));
        return;
    }
    tell(s, a, CONTROL_PEER, b->name, pair[0]);
    tell(s, b, CONTROL_PEER, a->name, pair[1]);
    close(pair[0]);
    close(pair[1]);
}

static void pass_listeners(struct supervisor *s)
{
    struct child *web = &s->children[WEB];
    if (s->tls.key) {
        tell(s, web, CONTROL_CERTIFICATE, s->tls.certificate, -1);
        tell(s, web, CONTROL_TLS_KEY, s->tls.key, -1);
    }
    for (size_t i = 0; i < s->n_tcp; i++) {
        CLEANUP(freep)
        char *text = mem_printf("%s%s", s->tcp[i].is_tls ? "tls " : "", s->tcp[i].address);
        tell(s, web, CONTROL_LISTEN, text, s->tcp[i].fd);
    }
    tell(s, web, CONTROL_LISTEN, s->local.path, s->local.fd);
}

// Starting

static int spawn(struct supervisor *s, struct child *c, struct err *err)
{
    int r = child_spawn(c, err);
    if (r < 0)
        return r;
    c->started_ns = now_ns();
    c->due_ns = c->started_ns + READY_NS;
    tell_config(s, c);
    tell_key(s, c);
    return 0;
}

static int start_all(struct supervisor *s, struct err *err)
{
    for (size_t i = 0; i < CHILDREN; i++) {
        s->children[i].backoff_ns = BACKOFF_MIN_NS;
        int r = spawn(s, &s->children[i], err);
        if (r < 0)
            return r;
    }
    for (size_t i = 0; i < ARRAY_LEN(peers); i++)
        connect_peers(s, &s->children[peers[i][0]], &s->children[peers[i][1]]);
    pass_listeners(s);
    for (size_t i = 0; i < CHILDREN; i++)
        tell(s, &s->children[i], CONTROL_START, "", -1);
    return 0;
}

static void schedule_start(struct child *c)
{
    c->due_ns = now_ns() + c->backoff_ns;
    c->backoff_ns = MIN_OF(c->backoff_ns * 2, BACKOFF_MAX_NS);
}

static void start_again(struct supervisor *s, struct child *c)
{
    struct err err = {0};
    if (spawn(s, c, &err) < 0) {
        log_error("%s", err.message);
        schedule_start(c);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(peers); i++) {
        struct child *a = &s->children[peers[i][0]], *b = &s->children[peers[i][1]];
        if (a == c || b == c)
            connect_peers(s, a, b);
    }
    if (c == &s->children[WEB])
        pass_listeners(s);
    tell(s, c, CONTROL_START, "", -1);
}

// Being ready, and ending

static void say_ready(struct supervisor *s)
{
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, 64 * 1024);
    buf_puts(&b, "vherd: ready at ");
    for (size_t i = 0; i < s->n_tcp; i++)
        buf_printf(&b, "%s%s", s->tcp[i].url, i + 2 < s->n_tcp + 1 ? ", " : " and ");
    buf_printf(&b, "unix:%s\n", s->local.path);
    (void)fs_write_all(STDERR_FILENO, b.data, b.len);
    notify_systemd("READY=1");
    s->ready = true;
}

static void check_ready(struct supervisor *s)
{
    if (s->ready || s->stopping)
        return;
    for (size_t i = 0; i < CHILDREN; i++)
        if (s->children[i].state != CHILD_READY)
            return;
    say_ready(s);
}

static void stop_child(struct supervisor *s, struct child *c)
{
    if (c->state != CHILD_STARTING && c->state != CHILD_READY)
        return;
    tell(s, c, CONTROL_STOP, "", -1);
    c->state = CHILD_STOPPING;
    c->pressed = 0;
    c->due_ns = now_ns() + STOP_NS;
}

static void stop_all(struct supervisor *s)
{
    if (s->stopping)
        return;
    s->stopping = true;
    notify_systemd("STOPPING=1");
    for (size_t i = 0; i < CHILDREN; i++)
        stop_child(s, &s->children[i]);
}

static void fail(struct supervisor *s, const char *sentence)
{
    if (!s->stopping)
        log_error("%s", sentence);
    s->failed = true;
    stop_all(s);
}

// Events

static char *describe_end(int status)
{
    if (WIFSIGNALED(status))
        return mem_printf("was ended by signal %d (%s)", WTERMSIG(status),
                          strsignal(WTERMSIG(status)));
    return mem_printf("ended with status %d", WEXITSTATUS(status));
}

static void child_ended(struct supervisor *s, struct child *c, int status)
{
    CLEANUP(freep) char *how = describe_end(status);
    bool planned = c->planned;
    pid_t pid = c->pid;
    child_gone(c);
    if (s->stopping)
        return;
    if (planned) {
        start_again(s, c);
        return;
    }
    CLEANUP(freep)
    char *sentence =
        c->fatal ? mem_strdup(c->fatal) : mem_printf("%s (process %d) %s", c->name, (int)pid, how);
    if (!s->ready) {
        fail(s, sentence);
        return;
    }
    if (now_ns() - c->started_ns >= WELL_NS)
        c->backoff_ns = BACKOFF_MIN_NS;
    log_error("%s; starting %s again in %.1f s", sentence, c->name, (double)c->backoff_ns / 1e9);
    c->restarts++;
    schedule_start(c);
    tell_processes(s);
}

static void take_ready(struct supervisor *s, struct child *c, char *text)
{
    if (c->state != CHILD_STARTING)
        return;
    c->state = CHILD_READY;
    mem_strset(&c->sandbox, text);
    log_debug("%s is ready (%s)", c->name, text);
    check_ready(s);
    tell_processes(s);
}

// A channel without its process is of no use, and a process without its channel neither.
static void channel_lost(struct child *c)
{
    closep(&c->control);
    if (c->state == CHILD_STOPPING)
        return;
    c->state = CHILD_STOPPING;
    c->pressed = 0;
    c->due_ns = now_ns() + PRESS_NS;
}

// Bounded, so that a process that went mad cannot hold us.
static void read_channel(struct supervisor *s, struct child *c)
{
    for (int i = 0; i < MESSAGES_PER_TURN; i++) {
        enum control_type type;
        CLEANUP(freep) char *text = NULL;
        CLEANUP(closep) int fd = -1;
        int r = control_recv(c->control, &type, &text, &fd);
        if (r == -EAGAIN)
            return;
        if (r < 0) {
            channel_lost(c);
            return;
        }
        if (type == CONTROL_READY)
            take_ready(s, c, text);
        else if (type == CONTROL_FATAL)
            mem_strset(&c->fatal, text);
        else if (type == CONTROL_STRAY && c == &s->children[ACT] && !s->stopping)
            stray_ask(&s->strays, c->control, c->pid, text);
    }
}

static void reap(struct supervisor *s)
{
    stray_reap(&s->strays, s->children[ACT].control, s->children[ACT].pid);
    for (size_t i = 0; i < CHILDREN; i++) {
        struct child *c = &s->children[i];
        int status;
        if (c->pid <= 0 || waitpid(c->pid, &status, WNOHANG) != c->pid)
            continue;
        if (c->control >= 0)
            read_channel(s, c); // last words
        child_ended(s, c, status);
    }
}

static void press(struct child *c)
{
    static const int signals[] = {SIGTERM, SIGKILL};
    size_t i = MIN_OF((size_t)c->pressed, ARRAY_LEN(signals) - 1);
    log_warning("%s does not end; sending %s", c->name, i == 0 ? "SIGTERM" : "SIGKILL");
    (void)kill(c->pid, signals[i]);
    c->pressed++;
    c->due_ns = now_ns() + PRESS_NS;
}

static void child_is_due(struct supervisor *s, struct child *c)
{
    if (c->state == CHILD_DOWN && !s->stopping) {
        start_again(s, c);
    } else if (c->state == CHILD_STARTING) {
        CLEANUP(freep)
        char *text = mem_printf("%s (process %d) is not ready after %d s", c->name, (int)c->pid,
                                (int)(READY_NS / NS_PER_S));
        mem_strset(&c->fatal, text);
        (void)kill(c->pid, SIGKILL);
        c->due_ns = now_ns() + READY_NS;
    } else if (c->state == CHILD_STOPPING) {
        press(c);
    }
}

// Reloading

static const struct listen_tcp *find_tcp(const struct supervisor *s, const char *address)
{
    for (size_t i = 0; i < s->n_tcp; i++)
        if (strcmp(s->tcp[i].address, address) == 0) // with or without TLS: the same socket
            return &s->tcp[i];
    return NULL;
}

static void free_tcp(struct listen_tcp *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        listen_tcp_done(&list[i]);
    free(list);
}

static size_t n_tcp(const struct conf *conf)
{
    return conf->web.listen.n + conf->web.tls_listen.n;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

// The sockets of a configuration; those that are open already are shared by a second descriptor.
static int open_tcp(const struct supervisor *s, const struct conf *conf, struct listen_tcp **ret,
                    struct err *err)
{
    size_t n_plain = conf->web.listen.n, n = n_tcp(conf);
    struct listen_tcp *list = mem_zalloc((n + 1) * sizeof(*list));
    for (size_t i = 0; i < n; i++) {
        bool is_tls = i >= n_plain;
        const char *address =
            is_tls ? conf->web.tls_listen.items[i - n_plain] : conf->web.listen.items[i];
        const struct listen_tcp *have = find_tcp(s, address);
        int r = 0;
        if (have)
            list[i] = (struct listen_tcp){
                .address = mem_strdup(have->address),
                .url = mem_printf("http%s%s", is_tls ? "s" : "", strstr(have->url, "://")),
                .is_tls = is_tls,
                .fd = fcntl(have->fd, F_DUPFD_CLOEXEC, 0)};
        else
            r = listen_tcp_open(address, is_tls, &list[i], err);
        if (r < 0) {
            free_tcp(list, i);
            return r;
        }
    }
    *ret = list;
    return 0;
}

static bool same_list(const struct conf_list *a, const struct conf_list *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (strcmp(a->items[i], b->items[i]) != 0)
            return false;
    return true;
}

// A socket at another path is opened before the present one goes.
static int move_local(struct supervisor *s, const struct conf *conf, bool *ret_moved,
                      struct err *err)
{
    CLEANUP(freep) char *path = conf_socket_path(conf);
    const char *group = conf->web.socket_group;
    *ret_moved = strcmp(path, s->local.path) != 0;
    if (!*ret_moved)
        return strcmp(group, s->conf->web.socket_group) == 0
                   ? 0
                   : listen_unix_set_group(&s->local, group, err);
    struct listen_unix moved;
    int r = listen_unix_open(path, group, &moved, err);
    if (r < 0)
        return r;
    listen_unix_done(&s->local);
    s->local = moved;
    return 0;
}

static int load(const struct supervisor *s, struct conf **ret, struct err *err)
{
    bool exists = true;
    CLEANUP(freep)
    char *path = s->config_path ? mem_strdup(s->config_path) : conf_default_path(&exists);
    if (!exists) {
        *ret = conf_new();
        return 0;
    }
    struct conf *conf = NULL;
    int r = conf_load(path, &conf, err);
    if (r == 0)
        r = rules_check(conf, err);
    if (r == 0)
        r = notify_check(conf, err);
    if (r < 0)
        conf_free(conf);
    else
        *ret = conf;
    return r;
}

// All or nothing: whatever fails leaves the old configuration and sockets in force.
static int apply(struct supervisor *s, struct conf *conf, bool *ret_restart_web, struct err *err)
{
    struct listen_tcp *tcp = NULL;
    CLEANUP(tls_pair_done) struct tls_pair tls = {0};
    int r = tls_load(conf, &tls, err);
    if (r == 0)
        r = open_tcp(s, conf, &tcp, err);
    if (r < 0)
        return r;
    bool moved = false;
    r = move_local(s, conf, &moved, err);
    if (r < 0) {
        free_tcp(tcp, n_tcp(conf));
        return r;
    }
    *ret_restart_web = moved || !same_text(tls.certificate, s->tls.certificate) ||
                       !same_text(tls.key, s->tls.key) ||
                       !same_list(&conf->web.tls_listen, &s->conf->web.tls_listen) ||
                       !same_list(&conf->web.listen, &s->conf->web.listen) ||
                       strcmp(conf->web.user, s->conf->web.user) != 0 ||
                       conf->web.sandbox != s->conf->web.sandbox ||
                       // Its token is read when web starts.
                       conf->receive.enabled || s->conf->receive.enabled;
    free_tcp(s->tcp, s->n_tcp);
    s->tcp = tcp;
    s->n_tcp = n_tcp(conf);
    tls_pair_done(&s->tls);
    s->tls = tls;
    tls = (struct tls_pair){0};
    return 0;
}

static void replace_child(struct supervisor *s, struct child *c)
{
    if (c->state == CHILD_DOWN)
        return;
    c->planned = true;
    stop_child(s, c);
}

// Has send anything to do? It reads secrets and certificates when it starts, and cannot later.
static bool goes_out(const struct conf *c)
{
    return c->scrape.n > 0 || c->remote_write.n > 0 || c->textfile.directories.n > 0 ||
           c->notify.receivers.n > 0;
}

static void reload(struct supervisor *s)
{
    struct err err = {0};
    struct conf *conf = NULL;
    bool restart_web = false, restart_send = false;
    if (load(s, &conf, &err) < 0 || apply(s, conf, &restart_web, &err) < 0) {
        conf_free(conf);
        log_error("%s; the configuration stays as it was", err.message);
        return;
    }
    restart_send = goes_out(s->conf) || goes_out(conf);
    conf_free(s->conf);
    s->conf = conf;
    log_set_level(conf->log.level);
    for (size_t i = 0; i < CHILDREN; i++)
        tell_config(s, &s->children[i]);
    if (restart_web)
        replace_child(s, &s->children[WEB]);
    if (restart_send)
        replace_child(s, &s->children[SEND]);
    log_info("configuration read again");
}

// The loop

static void take_signal(struct supervisor *s, const struct signalfd_siginfo *info)
{
    switch (info->ssi_signo) {
    case SIGCHLD:
        reap(s);
        break;
    case SIGHUP:
        // From the kernel: the terminal that we run in was closed.
        if (info->ssi_code == SI_KERNEL)
            stop_all(s);
        else if (!s->stopping)
            reload(s);
        break;
    default:
        stop_all(s);
    }
}

static void read_signals(struct supervisor *s)
{
    struct signalfd_siginfo info;
    while (read(s->signals, &info, sizeof(info)) == sizeof(info))
        take_signal(s, &info);
}

static bool any_process(const struct supervisor *s)
{
    for (size_t i = 0; i < CHILDREN; i++)
        if (s->children[i].pid > 0)
            return true;
    return false;
}

static int timeout_ms(const struct supervisor *s)
{
    int64_t due = INT64_MAX;
    for (size_t i = 0; i < CHILDREN; i++) {
        const struct child *c = &s->children[i];
        if (c->state != CHILD_READY && (c->pid > 0 || !s->stopping))
            due = MIN_OF(due, c->due_ns);
    }
    if (due == INT64_MAX)
        return -1;
    int64_t wait = (due - now_ns() + NS_PER_MS - 1) / NS_PER_MS;
    return (int)MAX_OF(INT64_C(0), MIN_OF(wait, INT64_C(60000)));
}

static void turn(struct supervisor *s)
{
    struct pollfd fds[CHILDREN + 1];
    for (size_t i = 0; i < CHILDREN; i++)
        fds[i] = (struct pollfd){.fd = s->children[i].control, .events = POLLIN};
    fds[CHILDREN] = (struct pollfd){.fd = s->signals, .events = POLLIN};
    if (poll(fds, ARRAY_LEN(fds), timeout_ms(s)) < 0)
        return;
    for (size_t i = 0; i < CHILDREN; i++)
        if (fds[i].revents && s->children[i].control >= 0)
            read_channel(s, &s->children[i]);
    if (fds[CHILDREN].revents)
        read_signals(s);
    int64_t now = now_ns();
    for (size_t i = 0; i < CHILDREN; i++) {
        struct child *c = &s->children[i];
        if (c->state != CHILD_READY && (c->pid > 0 || !s->stopping) && c->due_ns <= now)
            child_is_due(s, c);
    }
}

// Life

static int open_signals(struct supervisor *s, sigset_t *ret_before, struct err *err)
{
    static const int wanted[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        sigaddset(&set, wanted[i]);
        // Ignored ones (nohup) would never arrive.
        signal(wanted[i], SIG_DFL);
    }
    sigprocmask(SIG_BLOCK, &set, ret_before);
    s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return s->signals < 0 ? err_set(err, errno, "signalfd: %s", strerror(errno)) : 0;
}

static void raise_limits(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
}

static int open_all(struct supervisor *s, struct err *err)
{
    CLEANUP(freep) char *path = conf_socket_path(s->conf);
    int r = listen_unix_open(path, s->conf->web.socket_group, &s->local, err);
    if (r == 0)
        r = tls_load(s->conf, &s->tls, err);
    if (r == 0)
        r = open_tcp(s, s->conf, &s->tcp, err);
    if (r == 0)
        s->n_tcp = n_tcp(s->conf);
    return r;
}

static int copy_conf(const struct conf *conf, struct conf **ret, struct err *err)
{
    CLEANUP(buf_done) struct buf b;
    buf_init(&b, CONTROL_TEXT_MAX);
    conf_encode(conf, &b);
    if (b.error)
        return err_set(err, -b.error, "the configuration is too long");
    return conf_parse("configuration", b.data, b.len, ret, err);
}

static void done(struct supervisor *s)
{
    for (size_t i = 0; i < CHILDREN; i++)
        child_done(&s->children[i]);
    free_tcp(s->tcp, s->n_tcp);
    tls_pair_done(&s->tls);
    listen_unix_done(&s->local);
    closep(&s->signals);
    conf_free(s->conf);
}

int supervisor_run(const struct conf *conf, const char *config_path)
{
    struct supervisor s = {
        .config_path = config_path && config_path[0] ? config_path : NULL,
        .local = {.lock_fd = -1, .fd = -1},
        .signals = -1,
    };
    for (size_t i = 0; i < CHILDREN; i++)
        s.children[i] =
            (struct child){.name = kinds[i].name, .program = kinds[i].program, .control = -1};
    struct err err = {0};
    sigset_t before;
    log_setup("vherd", conf->log.level);
    raise_limits();
    int r = rules_check(conf, &err);
    if (r == 0)
        r = notify_check(conf, &err);
    if (r == 0)
        r = copy_conf(conf, &s.conf, &err);
    if (r == 0)
        r = open_signals(&s, &before, &err);
    if (r == 0)
        r = draw_key(&s, &err);
    if (r == 0)
        r = open_all(&s, &err);
    if (r == 0)
        r = start_all(&s, &err);
    if (r < 0)
        fail(&s, err.message);
    while (!s.stopping || any_process(&s))
        turn(&s);
    bool failed = s.failed;
    done(&s);
    return failed ? 1 : 0;
}
