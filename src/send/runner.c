// SPDX-License-Identifier: GPL-3.0-or-later
// One thread: waits for requests and for the ends of programs. A program gets its input as a file
// in memory, so that nobody has to feed it, and is killed with all of its group when its time is
// up.
#include "runner.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "sandbox/sandbox.h"

#define INPUT_MAX (64u * 1024 * 1024)
#define PROGRAMS_MAX 64
#define MEMORY_MAX ((rlim_t)2 << 30)
#define FILE_MAX_BYTES ((rlim_t)64 << 20)
#define FILES_MAX 64

struct program {
    pid_t pid; // 0: free
    uint32_t id;
    int64_t deadline_ns;
    bool killed;
    int words; // its standard error
};

struct runner {
    const struct conf *conf;
    struct ipc *ipc;
    int signals;
    struct program program[PROGRAMS_MAX];
};

static int64_t now_ns(void)
{
    return clock_mono_ns(&clock_system);
}

static void answer(struct runner *r, uint32_t id, const char *why)
{
    size_t len = why ? MIN_OF(strlen(why), (size_t)RUNNER_WHY_MAX) : 0;
    (void)ipc_send(r->ipc, IPC_NOTIFIED, id, why != NULL, why, len, NULL, 0);
}

static void fail(struct runner *r, uint32_t id, const char *what)
{
    CLEANUP(freep) char *why = mem_printf("%s: %s", what, strerror(errno));
    answer(r, id, why);
}

// Nagios' command file

// Each line in one write, so that it does not mix with those of others.
static int write_lines(int fd, const char *text, size_t len)
{
    for (size_t at = 0; at < len;) {
        const char *end = memchr(text + at, '\n', len - at);
        size_t n = end ? (size_t)(end - (text + at)) + 1 : len - at;
        ssize_t wrote = write(fd, text + at, n);
        if (wrote != (ssize_t)n) {
            errno = wrote < 0 ? errno : EAGAIN;
            return -errno;
        }
        at += n;
    }
    return 0;
}

static void write_commands(struct runner *r, uint32_t id, const char *path, const char *text,
                           size_t len)
{
    struct stat st;
    // Without a reader, Nagios is not there.
    CLEANUP(closep) int fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        fail(r, id, path);
    } else if (fstat(fd, &st) < 0 || !S_ISFIFO(st.st_mode)) {
        answer(r, id, "the command file is no pipe");
    } else if (write_lines(fd, text, len) < 0) {
        fail(r, id, path);
    } else {
        answer(r, id, NULL);
    }
}

// Programs

static void limit(int what, rlim_t value)
{
    struct rlimit l = {value, value};
    (void)setrlimit(what, &l);
}

// In the child: nothing of ours but the input and the pipe for its words.
static void become_program(const struct conf_list *command, int input, int words, int64_t time_ns)
{
    static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    char *const environment[] = {path, NULL};
    sigset_t none;
    char **argv = mem_zalloc((command->n + 1) * sizeof(char *));
    memcpy(argv, command->items, command->n * sizeof(char *));
    setsid();
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    int null = open("/dev/null", O_WRONLY);
    if (null < 0 || dup2(input, 0) < 0 || dup2(null, 1) < 0 || dup2(words, 2) < 0)
        _exit(127);
    if (close_range(3, ~0U, 0) < 0)
        _exit(127);
    umask(077);
    if (chdir("/") < 0)
        _exit(127);
    limit(RLIMIT_CPU, (rlim_t)(time_ns / NS_PER_S) + 1);
    limit(RLIMIT_AS, MEMORY_MAX);
    limit(RLIMIT_FSIZE, FILE_MAX_BYTES);
    limit(RLIMIT_NOFILE, FILES_MAX);
    limit(RLIMIT_CORE, 0);
    execve(argv[0], argv, environment);
    dprintf(2, "%s: %s", argv[0], strerror(errno));
    _exit(127);
}

static int input_file(const char *text, size_t len)
{
    int fd = memfd_create("message", MFD_CLOEXEC);
    if (fd >= 0 && (fs_write_all(fd, text, len) < 0 || lseek(fd, 0, SEEK_SET) < 0))
        closep(&fd), fd = -1;
    return fd;
}

static struct program *place(struct runner *r)
{
    for (size_t i = 0; i < PROGRAMS_MAX; i++)
        if (r->program[i].pid == 0)
            return &r->program[i];
    return NULL;
}

static void run_program(struct runner *r, uint32_t id, const struct conf_list *command,
                        int64_t time_ns, const char *text, size_t len)
{
    int words[2] = {-1, -1};
    struct program *p = place(r);
    if (!p) {
        answer(r, id, "too many programs run already");
        return;
    }
    CLEANUP(closep) int input = input_file(text, len);
    if (input < 0 || pipe2(words, O_CLOEXEC | O_NONBLOCK) < 0) {
        fail(r, id, "no file for the message");
        return;
    }
    pid_t pid = fork();
    if (pid == 0)
        become_program(command, input, words[1], time_ns);
    close(words[1]);
    if (pid < 0) {
        close(words[0]);
        fail(r, id, "no process");
        return;
    }
    *p = (struct program){
        .pid = pid, .id = id, .deadline_ns = now_ns() + time_ns, .words = words[0]};
}

static void ended(struct runner *r, struct program *p, int status)
{
    char words[RUNNER_WHY_MAX / 2] = "";
    ssize_t n = read(p->words, words, sizeof(words) - 1);
    words[MAX_OF(n, (ssize_t)0)] = '\0';
    close(p->words);
    // What it left running in its group goes too.
    (void)kill(-p->pid, SIGKILL);
    CLEANUP(freep) char *why = NULL;
    if (p->killed)
        why = mem_printf("it took too long and was killed");
    else if (WIFSIGNALED(status))
        why = mem_printf("signal %d; %s", WTERMSIG(status), words);
    else if (WEXITSTATUS(status) != 0)
        why = mem_printf("exit status %d; %s", WEXITSTATUS(status), words);
    answer(r, p->id, why);
    p->pid = 0;
}

static void reap(struct runner *r)
{
    struct signalfd_siginfo info;
    while (read(r->signals, &info, sizeof(info)) == sizeof(info))
        ;
    for (size_t i = 0; i < PROGRAMS_MAX; i++) {
        int status = 0;
        struct program *p = &r->program[i];
        if (p->pid > 0 && waitpid(p->pid, &status, WNOHANG) == p->pid)
            ended(r, p, status);
    }
}

static int64_t kill_late(struct runner *r)
{
    int64_t now = now_ns(), wait = 60 * NS_PER_S;
    for (size_t i = 0; i < PROGRAMS_MAX; i++) {
        struct program *p = &r->program[i];
        if (p->pid <= 0 || p->killed)
            continue;
        if (p->deadline_ns <= now) {
            p->killed = true;
            (void)kill(-p->pid, SIGKILL);
            (void)kill(p->pid, SIGKILL);
        } else {
            wait = MIN_OF(wait, p->deadline_ns - now);
        }
    }
    return wait;
}

// The receiver's number stands in front of the input, four bytes.
static bool take(struct runner *r, const struct ipc_frame *f)
{
    uint32_t number;
    if (f->type != IPC_NOTIFY || f->len < sizeof(number))
        return false;
    memcpy(&number, f->payload, sizeof(number));
    if (number >= r->conf->notify.receivers.n)
        return false;
    const struct conf_receiver *c =
        &((const struct conf_receiver *)r->conf->notify.receivers.items)[number];
    const char *text = f->payload + sizeof(number);
    size_t len = f->len - sizeof(number);
    if (c->type == CONF_RECEIVER_EXEC)
        run_program(r, f->id, &c->exec.command, c->timeout_ns, text, len);
    else if (c->type == CONF_RECEIVER_NAGIOS && *c->nagios.command_file)
        write_commands(r, f->id, c->nagios.command_file, text, len);
    else if (c->type == CONF_RECEIVER_NAGIOS)
        run_program(r, f->id, &c->nagios.send_nsca, c->timeout_ns, text, len);
    else
        return false;
    return true;
}

static void run(struct runner *r)
{
    struct ipc_frame f;
    int got = 0;
    while (got >= 0) {
        int64_t wait = kill_late(r);
        short events = (short)(POLLIN | (ipc_wants_write(r->ipc) ? POLLOUT : 0));
        struct pollfd fds[] = {{.fd = ipc_fd(r->ipc), .events = events},
                               {.fd = r->signals, .events = POLLIN}};
        (void)poll(fds, ARRAY_LEN(fds), (int)(wait / NS_PER_MS) + 1);
        reap(r);
        got = ipc_flush(r->ipc);
        while (got >= 0 && (got = ipc_recv(r->ipc, &f)) == 1)
            got = take(r, &f) ? 0 : -EPROTO;
    }
}

static void live(const struct conf *conf, int fd)
{
    struct runner r = {.conf = conf};
    struct err err = {0};
    sigset_t set;
    log_setup("vherd-send (programs)", conf->log.level);
    int r_sandbox = sandbox_enter_as_user(conf->web.user, &err);
    if (r_sandbox < 0) {
        log_error("%s", err.message);
        _exit(EXIT_FAILURE);
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    r.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    r.ipc = ipc_new(fd, INPUT_MAX);
    run(&r);
    for (size_t i = 0; i < PROGRAMS_MAX; i++)
        if (r.program[i].pid > 0)
            (void)kill(-r.program[i].pid, SIGKILL);
    _exit(EXIT_SUCCESS);
}

static bool is_needed(const struct conf *conf)
{
    const struct conf_receiver *list = conf->notify.receivers.items;
    for (size_t i = 0; i < conf->notify.receivers.n; i++)
        if (list[i].type == CONF_RECEIVER_EXEC || list[i].type == CONF_RECEIVER_NAGIOS)
            return true;
    return false;
}

int runner_start(const struct conf *conf, struct ipc **ret, struct err *err)
{
    int pair[2];
    *ret = NULL;
    if (!is_needed(conf))
        return 0;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return err_set(err, errno, "no socket for programs: %s", strerror(errno));
    pid_t pid = fork();
    if (pid < 0)
        return err_set(err, errno, "no process for programs: %s", strerror(errno));
    if (pid == 0) {
        // The supervisor's channel and all else stay with the parent.
        int fd = fcntl(pair[1], F_DUPFD_CLOEXEC, 1000);
        if (fd < 0)
            fd = pair[1];
        close_range(3, (unsigned)fd - 1, 0);
        close_range((unsigned)fd + 1, ~0U, 0);
        live(conf, fd);
    }
    close(pair[1]);
    *ret = ipc_new(pair[0], INPUT_MAX);
    return 0;
}

int runner_ask(struct ipc *runner, uint32_t id, size_t receiver, const char *input, size_t len)
{
    uint32_t number = (uint32_t)receiver;
    return ipc_send(runner, IPC_NOTIFY, id, 0, &number, sizeof(number), input, len);
}
