// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef KERNEL_TREE_H
#define KERNEL_TREE_H

/* The kernel's files as a tree of the test's own, and a herd that what is read of them goes into.
 */

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "model/herd.h"
#include "virt/host.h"

#define UUID_A "a0000000-0000-4000-8000-000000000001"
#define UUID_B "b0000000-0000-4000-8000-000000000002"

struct tree {
    char root[40];
    struct clock_fake clock;
    struct host *host;
    struct herd *herd;
    int gone; // batches with pid 0
    int vm_batches;
};

// A file below the root, with its directories. Never through a link that stands there.
static inline void put(const struct tree *t, const char *path, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static inline char *full_path(const struct tree *t, const char *path)
{
    char *full = mem_printf("%s/%s", t->root, path);
    for (char *p = full + strlen(t->root) + 1; (p = strchr(p, '/')); p++) {
        *p = '\0';
        mkdir(full, 0755);
        *p = '/';
    }
    return full;
}

static inline void put_bytes(const struct tree *t, const char *path, const char *data, size_t len)
{
    CLEANUP(freep) char *full = full_path(t, path);
    int fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, len), len);
    close(fd);
}

static inline void put(const struct tree *t, const char *path, const char *format, ...)
{
    char *text = NULL;
    va_list ap;
    va_start(ap, format);
    int n = vasprintf(&text, format, ap);
    va_end(ap);
    assert_true(n >= 0);
    put_bytes(t, path, text, (size_t)n);
    free(text);
}

static inline void put_link(const struct tree *t, const char *path, const char *target)
{
    CLEANUP(freep) char *full = full_path(t, path);
    unlink(full);
    assert_int_equal(symlink(target, full), 0);
}

static inline int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

static inline void drop(const struct tree *t, const char *path)
{
    CLEANUP(freep) char *full = mem_printf("%s/%s", t->root, path);
    assert_int_equal(nftw(full, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static inline void put_stat(const struct tree *t, const char *dir, int id, const char *comm,
                            char state, int threads, int start, int cpu)
{
    CLEANUP(freep) char *path = mem_printf("%s/stat", dir);
    put(t, path,
        "%d (%s) %c 1 1 1 0 -1 4194304 10 0 7 0 1 2 0 0 20 0 %d 0 %d 900000 100 "
        "18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 %d 0 0 0 0 0\n",
        id, comm, state, threads, start, cpu);
}

static inline void put_thread(const struct tree *t, int pid, int tid, const char *comm,
                              long long run_ns, long long wait_ns)
{
    CLEANUP(freep) char *dir = mem_printf("proc/%d/task/%d", pid, tid);
    char path[100];
    snprintf(path, sizeof(path), "%s/comm", dir);
    put(t, path, "%s\n", comm);
    snprintf(path, sizeof(path), "%s/schedstat", dir);
    put(t, path, "%lld %lld 5\n", run_ns, wait_ns);
    snprintf(path, sizeof(path), "%s/status", dir);
    put(t, path, "Name:\tx\nvoluntary_ctxt_switches:\t11\nnonvoluntary_ctxt_switches:\t12\n");
    put_stat(t, dir, tid, comm, 'R', 1, 1, tid % 8);
}

static inline void put_cmdline(const struct tree *t, int pid, const char *name, const char *uuid)
{
    CLEANUP(freep) char *path = mem_printf("proc/%d/cmdline", pid);
    CLEANUP(freep)
    char *line = mem_printf("/usr/bin/qemu-system-x86_64%c-name%cguest=%s,"
                            "debug-threads=on%c-S%c-uuid%c%s%c",
                            1, 1, name, 1, 1, 1, uuid, 1);
    size_t len = strlen(line);
    for (size_t i = 0; i < len; i++)
        if (line[i] == 1)
            line[i] = '\0';
    put_bytes(t, path, line, len);
}

// A process with an emulator thread (100 ns), two vCPUs (1000 and 2000 ns) and an I/O thread (30).
static inline void put_qemu(const struct tree *t, int pid, const char *name, const char *uuid)
{
    char path[64];
    put_cmdline(t, pid, name, uuid);
    snprintf(path, sizeof(path), "proc/%d", pid);
    put_stat(t, path, pid, "qemu-system-x86", 'S', 4, 5000, 0);
    put_thread(t, pid, pid, "qemu-system-x86", 100, 10);
    put_thread(t, pid, pid + 1, "CPU 0/KVM", 1000, 100);
    put_thread(t, pid, pid + 2, "CPU 1/KVM", 2000, 200);
    put_thread(t, pid, pid + 3, "IO iothread1", 30, 3);
    snprintf(path, sizeof(path), "proc/%d/cgroup", pid);
    put(t, path, "0::/\n");
    snprintf(path, sizeof(path), "proc/%d/ns/mnt", pid);
    put_link(t, path, "mnt:[1]");
}

static inline struct batch *new_batch(void *arg)
{
    return batch_new();
}

static inline void apply(struct batch *b, void *arg)
{
    struct tree *t = arg;
    if (b->host) {
        batch_apply(b, t->herd->host);
    } else if (b->pid == 0) {
        t->gone++;
        assert_int_equal(b->n_rows, 0);
        assert_true(b->process_start > 0);
    } else {
        t->vm_batches++;
        batch_apply(b, &herd_vm_add(t->herd, &b->uuid)->obj);
    }
    batch_free(b);
}

static inline struct host_sink sink_of(struct tree *t)
{
    return (struct host_sink){new_batch, apply, t};
}

static inline void scan(struct tree *t)
{
    struct host_sink sink = sink_of(t);
    host_kernel.scan(t->host, &sink);
}

// One second later. A command line may come back after the scan that asked for it, so that the
// first call after a new process waits for it.
static inline void sample(struct tree *t)
{
    struct host_sink sink = sink_of(t);
    clock_fake_advance(&t->clock, NS_PER_S);
    host_kernel.sample(t->host, t->clock.mono, &sink);
}

static inline void open_host_of(struct tree *t, bool own_namespace, int64_t detail_ns)
{
    struct host_params params = {.root = t->root,
                                 .clock = &t->clock.clock,
                                 .own_mount_namespace = own_namespace,
                                 .detail_ns = detail_ns};
    struct err err;
    assert_int_equal(host_kernel.open(&params, &t->host, &err), 0);
}

static inline void open_host(struct tree *t, bool own_namespace)
{
    open_host_of(t, own_namespace, 0);
}

// Scan until so many VMs are known (their command lines are read beside), and sample once.
static inline void see(struct tree *t, size_t vms)
{
    for (int i = 0; i < 200; i++) {
        const struct timespec pause = {0, 5 * NS_PER_MS};
        scan(t);
        sample(t);
        if (t->herd->n_vms >= vms)
            return;
        nanosleep(&pause, NULL);
    }
    fail_msg("the process was not found");
}

static inline const struct object *vm(const struct tree *t, const char *uuid)
{
    const struct vm *v = herd_vm_find(t->herd, uuid);
    assert_non_null(v);
    return &v->obj;
}

static inline double vm_fact(const struct tree *t, enum fact fact)
{
    return object_fact(vm(t, UUID_A), fact);
}

static inline double vcpu_fact(const struct tree *t, const char *key, enum fact fact)
{
    const struct object *o = object_find(vm(t, UUID_A), KIND_VCPU, key);
    assert_non_null(o);
    return object_fact(o, fact);
}

static inline double host_fact(const struct tree *t, enum fact fact)
{
    return object_fact(t->herd->host, fact);
}

static inline double child_fact(const struct tree *t, enum kind kind, const char *key,
                                enum fact fact)
{
    const struct object *o = object_find(t->herd->host, kind, key);
    assert_non_null(o);
    return object_fact(o, fact);
}

// Why something could not be read; NULL where nothing was said.
static inline const char *reason(const struct object *o, const char *what)
{
    bool host = o->kind == KIND_HOST;
    const struct object *miss = object_find(o, host ? KIND_HMISS : KIND_MISS, what);
    return miss ? object_attr(miss, host ? ATTR_HMISS_REASON : ATTR_MISS_REASON) : NULL;
}

#define assert_number(a, b)                                                                        \
    do {                                                                                           \
        double a_ = (a), b_ = (b);                                                                 \
        if (a_ != b_)                                                                              \
            fail_msg("%s is %.17g, not %.17g", #a, a_, b_);                                        \
    } while (0)
#define assert_absent(a) assert_true(isnan(a))

static inline int set_up(void **state)
{
    struct tree *t = mem_zalloc(sizeof(*t));
    snprintf(t->root, sizeof(t->root), "/tmp/vherd-tree-XXXXXX");
    assert_non_null(mkdtemp(t->root));
    assert_int_equal(chmod(t->root, 0755), 0);
    clock_fake_init(&t->clock, 1000 * NS_PER_S, 1763670000 * NS_PER_S);
    t->herd = herd_new();
    put(t, "proc/self/stat", "1 (vherd) S");
    put_link(t, "proc/self/ns/mnt", "mnt:[1]");
    put(t, "proc/stat", "cpu  1 1 1\ncpu0 100 0 0 500 20 0 0 7 30 0\nctxt 9\nbtime 1000000\n");
    *state = t;
    return 0;
}

static inline int tear_down(void **state)
{
    struct tree *t = *state;
    host_kernel.close(t->host);
    herd_free(t->herd);
    drop(t, "");
    free(t);
    return 0;
}

#define TREE_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

#endif
