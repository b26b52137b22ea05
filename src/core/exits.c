// SPDX-License-Identifier: GPL-3.0-or-later
// A pidfd becomes readable when the process ends. How it ended stands in /proc/PID/stat until its
// parent reaps it; where it is gone already, libvirt will not be long either, and is waited for. A
// guest that shuts down, or a domain that is destroyed, ends with status 0: QEMU is asked by
// SIGTERM, which it handles. A signal is a crash, or libvirt's last resort against a VM that hangs.
#include "exits.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/number.h"
#include "core.h"

// Of field 52 of /proc/PID/stat, counted from behind the name.
#define FIELDS_BEFORE_EXIT_CODE 49

struct watched {
    struct watched *next;
    struct exits *exits;
    struct uuid uuid;
    int pid, fd;
    uv_poll_t poll;
};

struct exits {
    struct core *core;
    struct watched *list;
};

static void on_closed(uv_handle_t *handle)
{
    struct watched *w = handle->data;
    for (struct watched **at = &w->exits->list; *at; at = &(*at)->next) {
        if (*at == w) {
            *at = w->next;
            break;
        }
    }
    close(w->fd);
    free(w);
}

static void forget(struct watched *w)
{
    if (uv_is_closing((uv_handle_t *)&w->poll))
        return;
    w->pid = 0;
    uv_poll_stop(&w->poll);
    uv_close((uv_handle_t *)&w->poll, on_closed);
}

// The signal that ended it; 0: none, or nobody can tell any more.
static int signal_of(int pid)
{
    char path[64], text[2048];
    uint64_t code = 0;
    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    const char *p =
        fs_read_small(AT_FDCWD, path, text, sizeof(text)) > 0 ? strrchr(text, ')') : NULL;
    if (!p || p[1] != ' ' || !strchr("ZX", p[2]))
        return 0;
    p++;
    if (!number_skip_words(&p, FIELDS_BEFORE_EXIT_CODE) || !number_scan_u64(&p, &code))
        return 0;
    return (int)(code & 0x7f);
}

static void on_end(uv_poll_t *handle, int status, int events)
{
    struct watched *w = handle->data;
    struct core *c = w->exits->core;
    int killer = signal_of(w->pid), pid = w->pid;
    struct uuid uuid = w->uuid;
    forget(w);
    if (killer && c->collector)
        collector_process_died(c->collector, &uuid, pid, killer);
}

void exits_watch(struct exits *e, const struct vm *vm, int pid)
{
    struct watched *w = e->list;
    while (w && (w->pid == 0 || !uuid_equal(&w->uuid, &vm->uuid)))
        w = w->next;
    if (w && w->pid == pid)
        return;
    if (w)
        forget(w);
    int fd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
    if (fd < 0)
        return;
    w = mem_zalloc(sizeof(*w));
    *w = (struct watched){.next = e->list, .exits = e, .uuid = vm->uuid, .pid = pid, .fd = fd};
    if (uv_poll_init(&e->core->loop, &w->poll, fd) < 0) {
        close(fd);
        free(w);
        return;
    }
    w->poll.data = w;
    e->list = w;
    uv_poll_start(&w->poll, UV_READABLE, on_end);
}

struct exits *exits_new(struct core *c)
{
    struct exits *e = mem_zalloc(sizeof(*e));
    e->core = c;
    return e;
}

void exits_free(struct exits *e)
{
    if (!e)
        return;
    for (struct watched *w = e->list; w; w = w->next)
        forget(w);
    while (e->list)
        uv_run(&e->core->loop, UV_RUN_NOWAIT);
    free(e);
}
