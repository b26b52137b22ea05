// SPDX-License-Identifier: GPL-3.0-or-later
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "conf/program.h"
#include "net/ipc.h"

#define ENVIRONMENT_MAX 256

// What the processes may know of the caller's environment, besides VHERD_*.
static const char *const kept[] = {
    "PATH",         "HOME",          "XDG_RUNTIME_DIR", "LANG",         "TZ", "JOURNAL_STREAM",
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS",    "TSAN_OPTIONS",
#endif
};

static bool is_kept(const char *entry)
{
    size_t len = strcspn(entry, "=");
    if (strncmp(entry, "VHERD_", 6) == 0)
        return true;
    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        if (strlen(kept[i]) == len && strncmp(kept[i], entry, len) == 0)
            return true;
    return false;
}

static void filter_environment(char *out[ENVIRONMENT_MAX + 1])
{
    size_t n = 0;
    for (char **e = environ; *e && n < ENVIRONMENT_MAX; e++)
        if (is_kept(*e))
            out[n++] = *e;
    out[n] = NULL;
}

static void become_program(const char *path, const char *program, int control, pid_t parent)
{
    static const int quiet[] = {SIGINT, SIGQUIT, SIGHUP}; // a terminal's: the supervisor decides
    char *environment[ENVIRONMENT_MAX + 1];
    char *const argv[] = {(char *)program, NULL};
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    for (size_t i = 0; i < ARRAY_LEN(quiet); i++)
        signal(quiet[i], SIG_IGN);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
        _exit(127);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
        _exit(127);
    // dup2() onto itself would leave close-on-exec set.
    if (control == IPC_CONTROL_FD ? fcntl(control, F_SETFD, 0) < 0
                                  : dup2(control, IPC_CONTROL_FD) < 0)
        _exit(127);
    (void)close_range(IPC_CONTROL_FD + 1, ~0U, 0);
    filter_environment(environment);
    execve(path, argv, environment);
    dprintf(STDERR_FILENO, "vherd: error: cannot start %s: %s\n", path, strerror(errno));
    _exit(127);
}

int child_spawn(struct child *c, struct err *err)
{
    CLEANUP(freep) char *path = program_path(c->program);
    if (access(path, X_OK) < 0)
        return err_set(err, errno, "cannot start %s: %s; is vherd installed completely?", path,
                       strerror(errno));
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return err_set(err, errno, "cannot make a socket: %s", strerror(errno));
    CLEANUP(closep) int ours = pair[0];
    CLEANUP(closep) int theirs = pair[1];
    pid_t parent = getpid(), pid = fork();
    if (pid < 0)
        return err_set(err, errno, "cannot start %s: %s", path, strerror(errno));
    if (pid == 0)
        become_program(path, c->program, theirs, parent);
    (void)fs_set_nonblock(ours);
    c->pid = pid;
    c->control = ours;
    c->state = CHILD_STARTING;
    c->pressed = 0;
    c->planned = false;
    free(TAKE_PTR(c->sandbox));
    free(TAKE_PTR(c->fatal));
    ours = -1;
    return 0;
}

void child_gone(struct child *c)
{
    closep(&c->control);
    c->pid = 0;
    c->state = CHILD_DOWN;
    free(TAKE_PTR(c->sandbox));
}

void child_done(struct child *c)
{
    child_gone(c);
    free(TAKE_PTR(c->fatal));
}
