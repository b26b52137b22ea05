// SPDX-License-Identifier: GPL-3.0-or-later
#include "stray.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/number.h"
#include "net/ipc.h"

#define CMDLINE_MAX (256u * 1024)
#define LOOK_LIMIT_S 5
#define PATIENCE_MS 5000
#define END_LIMIT_S (LOOK_LIMIT_S + 2 * PATIENCE_MS / 1000)

/* Looking. */

// Programs of libvirt's VMs: qemu-system-x86_64, qemu-kvm, kvm.
static bool is_hypervisor(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    return strncmp(name, "qemu", 4) == 0 || strncmp(name, "kvm", 3) == 0;
}

static bool has_uuid(const char *data, size_t len, const struct uuid *uuid)
{
    struct uuid own;
    bool next = false;
    for (size_t at = 0, n; at < len; at += n + 1) {
        n = strnlen(data + at, len - at);
        if (next && uuid_parse(data + at, n, &own) && uuid_equal(&own, uuid))
            return true;
        next = strcmp(data + at, "-uuid") == 0;
    }
    return false;
}

static bool is_same_space(int proc, pid_t pid, const char *kind)
{
    char path[48], own_path[32], theirs[64], ours[64];
    snprintf(path, sizeof(path), "%d/ns/%s", (int)pid, kind);
    snprintf(own_path, sizeof(own_path), "self/ns/%s", kind);
    ssize_t n = readlinkat(proc, path, theirs, sizeof(theirs));
    ssize_t m = readlinkat(proc, own_path, ours, sizeof(ours));
    return n > 0 && n == m && memcmp(theirs, ours, (size_t)n) == 0;
}

static bool is_of(int proc, pid_t pid, const struct uuid *uuid)
{
    char path[48];
    CLEANUP(freep) char *data = NULL;
    size_t len = 0;
    snprintf(path, sizeof(path), "%d/cmdline", (int)pid);
    return fs_read_file(proc, path, CMDLINE_MAX, &data, &len) == 0 && len > 0 &&
           is_hypervisor(data) && has_uuid(data, len, uuid) && is_same_space(proc, pid, "uts") &&
           is_same_space(proc, pid, "pid");
}

static DIR *open_list(int proc)
{
    int fd = openat(proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (fd >= 0 && !dir)
        close(fd);
    return dir;
}

pid_t stray_find(int proc, const struct uuid *uuid)
{
    DIR *dir = open_list(proc);
    pid_t found = 0;
    if (!dir)
        return -errno;
    for (const struct dirent *e; found == 0 && (e = readdir(dir));) {
        uint64_t pid = 0;
        if (number_parse_u64(e->d_name, &pid) == 0 && pid <= INT32_MAX &&
            is_of(proc, (pid_t)pid, uuid))
            found = (pid_t)pid;
    }
    closedir(dir);
    return found;
}

/* Ending. */

// 0 once it is gone.
static int send_and_wait(int pidfd, int signal, int ms)
{
    struct pollfd p = {.fd = pidfd, .events = POLLIN};
    if (syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) < 0)
        return errno == ESRCH ? 0 : -errno;
    int n = poll(&p, 1, ms);
    if (n < 0)
        return -errno;
    return n > 0 ? 0 : -ETIMEDOUT;
}

pid_t stray_end(int proc, const struct uuid *uuid, int patience_ms)
{
    pid_t pid = stray_find(proc, uuid);
    if (pid <= 0)
        return pid;
    CLEANUP(closep) int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0)
        return errno == ESRCH ? 0 : -errno;
    if (!is_of(proc, pid, uuid))
        return 0;
    int r = send_and_wait(pidfd, SIGTERM, patience_ms);
    if (r == -ETIMEDOUT)
        r = send_and_wait(pidfd, SIGKILL, patience_ms);
    return r < 0 ? r : pid;
}

/* Questions. */

static void answer(int control, const char *id, int result)
{
    char text[64];
    snprintf(text, sizeof(text), "%s %d", id, result);
    (void)control_send(control, CONTROL_STRAY, text, -1);
}

static int work(const struct uuid *uuid, bool end)
{
    CLEANUP(closep) int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (proc < 0)
        return -errno;
    return end ? stray_end(proc, uuid, PATIENCE_MS) : stray_find(proc, uuid);
}

static pid_t begin(int control, const char *id, const struct uuid *uuid, bool end)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    sigset_t none;
    sigemptyset(&none);
    signal(SIGALRM, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    alarm(end ? END_LIMIT_S : LOOK_LIMIT_S);
    // Listening sockets must not outlive the supervisor in here.
    if (control != IPC_CONTROL_FD && dup2(control, IPC_CONTROL_FD) < 0)
        _exit(1);
    (void)close_range(IPC_CONTROL_FD + 1, ~0U, 0);
    answer(IPC_CONTROL_FD, id, work(uuid, end));
    _exit(0);
}

void stray_ask(struct stray_children *c, int control, pid_t asker, const char *question)
{
    char id[24], uuid_text[UUID_TEXT], word[8];
    struct uuid uuid;
    size_t slot = 0;
    if (sscanf(question, "%23s %36s %7s", id, uuid_text, word) != 3)
        return;
    while (slot < STRAY_MAX && c->items[slot].pid > 0)
        slot++;
    if (slot == STRAY_MAX || !uuid_parse(uuid_text, strlen(uuid_text), &uuid)) {
        answer(control, id, slot == STRAY_MAX ? -EAGAIN : -EINVAL);
        return;
    }
    pid_t pid = begin(control, id, &uuid, strcmp(word, "end") == 0);
    if (pid < 0) {
        answer(control, id, -errno);
        return;
    }
    c->items[slot].pid = pid;
    c->items[slot].asker = asker;
    memcpy(c->items[slot].id, id, sizeof(id));
}

void stray_reap(struct stray_children *c, int control, pid_t asker)
{
    for (size_t i = 0; i < STRAY_MAX; i++) {
        int status;
        if (c->items[i].pid <= 0 || waitpid(c->items[i].pid, &status, WNOHANG) != c->items[i].pid)
            continue;
        c->items[i].pid = 0;
        if (WIFSIGNALED(status) && control >= 0 && c->items[i].asker == asker)
            answer(control, c->items[i].id, -ETIMEDOUT);
    }
}
