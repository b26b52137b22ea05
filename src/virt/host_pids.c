// SPDX-License-Identifier: GPL-3.0-or-later
// A process is looked at when its PID is new, or when the PID's inode in proc changed (the PID was
// used again), in its first seconds (a fork that is about to become QEMU), and all of them now and
// then. Its command line lies behind its memory lock, so that the prober reads it.
// `seen` is sorted by PID, as the kernel lists them. Owned by the sampler's thread.
#include "host_pids.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/number.h"

#define PIDS_MAX (4 * 1024 * 1024)
#define CMDLINE_MAX (256 * 1024)
#define LOOK_LIMIT_NS NS_PER_S
// A younger process may be a fork of libvirt that has not become QEMU yet.
#define YOUNG_NS (30 * NS_PER_S)
#define FULL_CHECK_NS (600 * NS_PER_S)
static void look_free(struct probe *probe)
{
    struct look *l = (struct look *)probe;
    closep(&l->dir);
    free(l);
}

static void look_run(struct probe *probe)
{
    struct look *l = (struct look *)probe;
    CLEANUP(freep) char *data = NULL;
    size_t len = 0;
    if (fs_read_file(l->dir, "cmdline", CMDLINE_MAX, &data, &len) == 0)
        parse_cmdline(data, len, &l->args);
}

static int seen_order(const void *a, const void *b)
{
    const struct seen *x = a, *y = b;
    return (x->pid > y->pid) - (x->pid < y->pid);
}

struct seen *pids_find(struct pids *p, int32_t pid)
{
    const struct seen key = {.pid = pid};
    if (p->n_seen == 0)
        return NULL;
    return bsearch(&key, p->seen, p->n_seen, sizeof(*p->seen), seen_order);
}

static void swap_lists(struct pids *p)
{
    struct seen *list = p->before;
    size_t n = p->n_before, cap = p->cap_before;
    p->before = p->seen, p->n_before = p->n_seen, p->cap_before = p->cap_seen;
    p->seen = list, p->n_seen = n, p->cap_seen = cap;
}

// Every PID in proc into p->seen; what stood there goes to p->before. False where proc could not
// be listed to its end: nothing has changed then.
static bool list_pids(struct pids *p)
{
    DIR *dir = dir_list(p->env->proc, ".");
    if (!dir)
        return false;
    swap_lists(p);
    p->n_seen = 0;
    bool sorted = true;
    errno = 0;
    for (const struct dirent *e; (e = readdir(dir)); errno = 0) {
        uint64_t pid = 0;
        if (number_parse_u64(e->d_name, &pid) < 0 || pid > INT32_MAX ||
            mem_grow_capped(&p->seen, &p->cap_seen, p->n_seen, sizeof(*p->seen), PIDS_MAX) < 0)
            continue;
        sorted = sorted && (p->n_seen == 0 || p->seen[p->n_seen - 1].pid < (int32_t)pid);
        p->seen[p->n_seen++] = (struct seen){.pid = (int32_t)pid, .inode = e->d_ino};
    }
    bool whole = errno == 0;
    closedir(dir);
    if (!sorted)
        qsort(p->seen, p->n_seen, sizeof(*p->seen), seen_order);
    if (!whole)
        swap_lists(p);
    return whole;
}

static bool is_daemon(const char *comm)
{
    return strcmp(comm, "libvirtd") == 0 || strcmp(comm, "virtqemud") == 0;
}

static void look_at_kernel_thread(struct seen *s, const char *comm)
{
    int32_t owner = -1;
    s->kernel = true;
    if (parse_thread_name(comm, &owner) == THREAD_VHOST && owner > 0)
        s->works_for = owner;
}

static void read_cmdline(struct pids *p, struct seen *s)
{
    char path[24];
    snprintf(path, sizeof(path), "%d", s->pid);
    int dir = dir_open(p->env->proc, path);
    if (dir < 0)
        return;
    struct look *l = mem_zalloc(sizeof(*l));
    l->probe = (struct probe){.limit_ns = LOOK_LIMIT_NS, .run = look_run, .free = look_free};
    l->pid = s->pid;
    l->start_ticks = s->start_ticks;
    l->dir = dir;
    s->looking = true;
    prober_submit(p->prober, &l->probe);
}

static void look_at(struct pids *p, struct seen *s, int64_t now, bool full)
{
    char path[32];
    struct proc_stat st;
    snprintf(path, sizeof(path), "%d/stat", s->pid);
    ssize_t n = fs_read_small(p->env->proc, path, p->env->buf, p->env->size);
    if (n < 0 || parse_stat(p->env->buf, (size_t)n, &st) < 0)
        return;
    bool same = s->start_ticks == st.start_ticks;
    if (same && (s->proc || (!full && strncmp(s->comm, st.comm, sizeof(s->comm) - 1) == 0)))
        return; // becoming another program changes the name
    s->proc = NULL;
    s->works_for = 0;
    s->start_ticks = st.start_ticks;
    s->daemon = is_daemon(st.comm);
    s->young_until_ns = now + YOUNG_NS - proc_age_ns(p->env, st.start_ticks);
    snprintf(s->comm, sizeof(s->comm), "%.15s", st.comm);
    if (st.kernel_thread)
        look_at_kernel_thread(s, st.comm);
    else if (!s->daemon)
        read_cmdline(p, s);
}

static bool wants_look(const struct seen *s, int64_t now, bool full)
{
    if (s->looking)
        return false;
    return full || s->daemon || (!s->proc && !s->kernel && now < s->young_until_ns);
}

// Carry over what is known of PIDs that are still there, and look at the others.
static void compare_pids(struct pids *p, int64_t now)
{
    bool full = now - p->full_check_ns >= FULL_CHECK_NS;
    if (full)
        p->full_check_ns = now;
    for (size_t i = 0, old = 0; i < p->n_seen; i++) {
        struct seen *s = &p->seen[i];
        while (old < p->n_before && p->before[old].pid < s->pid)
            old++;
        bool known = old < p->n_before && p->before[old].pid == s->pid;
        bool same = known && p->before[old].inode == s->inode;
        if (known) {
            uint64_t inode = s->inode;
            *s = p->before[old];
            s->inode = inode;
        }
        if (!same || wants_look(s, now, full))
            look_at(p, s, now, full);
    }
}

bool pids_scan(struct pids *p, int64_t mono_ns)
{
    if (!list_pids(p))
        return false;
    compare_pids(p, mono_ns);
    return true;
}

bool pids_is_look(const struct probe *probe)
{
    return probe->run == look_run;
}

struct seen *pids_looked(struct pids *p, const struct look *l)
{
    struct seen *s = pids_find(p, l->pid);
    if (!s || s->start_ticks != l->start_ticks)
        return NULL;
    s->looking = false;
    return s->proc ? NULL : s;
}

void pids_done(struct pids *p)
{
    free(p->seen);
    free(p->before);
}
