// SPDX-License-Identifier: GPL-3.0-or-later
// The kernel back end on recorded trees, made afresh for each test.
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
static void put(const struct tree *t, const char *path, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static char *full_path(const struct tree *t, const char *path)
{
    char *full = mem_printf("%s/%s", t->root, path);
    for (char *p = full + strlen(t->root) + 1; (p = strchr(p, '/')); p++) {
        *p = '\0';
        mkdir(full, 0755);
        *p = '/';
    }
    return full;
}

static void put_bytes(const struct tree *t, const char *path, const char *data, size_t len)
{
    CLEANUP(freep) char *full = full_path(t, path);
    int fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, len), len);
    close(fd);
}

static void put(const struct tree *t, const char *path, const char *format, ...)
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

static void put_link(const struct tree *t, const char *path, const char *target)
{
    CLEANUP(freep) char *full = full_path(t, path);
    unlink(full);
    assert_int_equal(symlink(target, full), 0);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

static void drop(const struct tree *t, const char *path)
{
    CLEANUP(freep) char *full = mem_printf("%s/%s", t->root, path);
    assert_int_equal(nftw(full, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static void put_stat(const struct tree *t, const char *dir, int id, const char *comm, char state,
                     int threads, int start, int cpu)
{
    CLEANUP(freep) char *path = mem_printf("%s/stat", dir);
    put(t, path,
        "%d (%s) %c 1 1 1 0 -1 4194304 10 0 7 0 1 2 0 0 20 0 %d 0 %d 900000 100 "
        "18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 %d 0 0 0 0 0\n",
        id, comm, state, threads, start, cpu);
}

static void put_thread(const struct tree *t, int pid, int tid, const char *comm, long long run_ns,
                       long long wait_ns)
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

static void put_cmdline(const struct tree *t, int pid, const char *name, const char *uuid)
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
static void put_qemu(const struct tree *t, int pid, const char *name, const char *uuid)
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

static struct batch *new_batch(void *arg)
{
    return batch_new();
}

static void apply(struct batch *b, void *arg)
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

static struct host_sink sink_of(struct tree *t)
{
    return (struct host_sink){new_batch, apply, t};
}

static void scan(struct tree *t)
{
    struct host_sink sink = sink_of(t);
    host_kernel.scan(t->host, &sink);
}

// One second later. A command line may come back after the scan that asked for it, so that the
// first call after a new process waits for it.
static void sample(struct tree *t)
{
    struct host_sink sink = sink_of(t);
    clock_fake_advance(&t->clock, NS_PER_S);
    host_kernel.sample(t->host, t->clock.mono, &sink);
}

static void open_host_of(struct tree *t, bool own_namespace, int64_t detail_ns)
{
    struct host_params params = {.root = t->root,
                                 .clock = &t->clock.clock,
                                 .own_mount_namespace = own_namespace,
                                 .detail_ns = detail_ns};
    struct err err;
    assert_int_equal(host_kernel.open(&params, &t->host, &err), 0);
}

static void open_host(struct tree *t, bool own_namespace)
{
    open_host_of(t, own_namespace, 0);
}

// Scan until so many VMs are known (their command lines are read beside), and sample once.
static void see(struct tree *t, size_t vms)
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

static const struct object *vm(const struct tree *t, const char *uuid)
{
    const struct vm *v = herd_vm_find(t->herd, uuid);
    assert_non_null(v);
    return &v->obj;
}

static double vm_fact(const struct tree *t, enum fact fact)
{
    return object_fact(vm(t, UUID_A), fact);
}

static double vcpu_fact(const struct tree *t, const char *key, enum fact fact)
{
    const struct object *o = object_find(vm(t, UUID_A), KIND_VCPU, key);
    assert_non_null(o);
    return object_fact(o, fact);
}

static double host_fact(const struct tree *t, enum fact fact)
{
    return object_fact(t->herd->host, fact);
}

static double child_fact(const struct tree *t, enum kind kind, const char *key, enum fact fact)
{
    const struct object *o = object_find(t->herd->host, kind, key);
    assert_non_null(o);
    return object_fact(o, fact);
}

// Why something could not be read; NULL where nothing was said.
static const char *reason(const struct object *o, const char *what)
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

static int set_up(void **state)
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

static int tear_down(void **state)
{
    struct tree *t = *state;
    host_kernel.close(t->host);
    herd_free(t->herd);
    drop(t, "");
    free(t);
    return 0;
}

static void test_threads(void **state)
{
    struct tree *t = *state;
    put_qemu(t, 100, "web1", UUID_A);
    put(t, "proc/7/stat", "7 (bash) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 5 0 0 0\n");
    put(t, "proc/7/cmdline", "bash");
    open_host(t, false);
    see(t, 1);
    assert_int_equal(t->herd->n_vms, 1);
    assert_string_equal(object_attr(vm(t, UUID_A), ATTR_VM_NAME), "web1");
    assert_string_equal(object_attr(vm(t, UUID_A), ATTR_VM_PROCESS_STATE), "S");
    assert_string_equal(object_attr(vm(t, UUID_A), ATTR_VM_PID), "100");
    assert_number(vcpu_fact(t, "0", FACT_VCPU_RUN), 1000);
    assert_number(vcpu_fact(t, "0", FACT_VCPU_WAIT), 100);
    assert_number(vcpu_fact(t, "0", FACT_VCPU_SLICES), 5);
    assert_number(vcpu_fact(t, "1", FACT_VCPU_RUN), 2000);
    assert_number(vcpu_fact(t, "1", FACT_VCPU_CPU), 102 % 8);
    assert_number(vcpu_fact(t, "1", FACT_VCPU_STATE), 1);
    assert_number(vcpu_fact(t, "1", FACT_VCPU_SWITCHES_VOLUNTARY), 11);
    assert_number(vcpu_fact(t, "1", FACT_VCPU_SWITCHES_FORCED), 12);
    assert_number(vm_fact(t, FACT_VM_VCPU_RUN), 3000);
    assert_number(vm_fact(t, FACT_VM_VCPU_WAIT), 300);
    assert_number(vm_fact(t, FACT_VM_EMULATOR_RUN), 100);
    assert_number(vm_fact(t, FACT_VM_EMULATOR_WAIT), 10);
    assert_number(vm_fact(t, FACT_VM_IOTHREAD_RUN), 30);
    assert_absent(vm_fact(t, FACT_VM_VHOST_RUN));
    assert_number(vm_fact(t, FACT_VM_CPU), 3130);
    assert_number(vm_fact(t, FACT_VM_THREADS), 4);
    assert_number(vm_fact(t, FACT_VM_RSS), 100.0 * (double)sysconf(_SC_PAGESIZE));
    assert_number(vm_fact(t, FACT_VM_MAJOR_FAULTS), 7);
    assert_number(vm_fact(t, FACT_VM_START_TIME),
                  1000000.0 + 5000.0 / (double)sysconf(_SC_CLK_TCK));
    assert_string_equal(reason(vm(t, UUID_A), "cgroup"), "the process has no cgroup of its own");
}

static void test_threads_come_and_go(void **state)
{
    struct tree *t = *state;
    put_qemu(t, 100, "web1", UUID_A);
    open_host(t, false);
    see(t, 1);
    // The second vCPU is unplugged, a worker comes.
    drop(t, "proc/100/task/102");
    put_thread(t, 100, 110, "worker", 50, 0);
    put_thread(t, 100, 111, "worker", 50, 0);
    put_stat(t, "proc/100", 100, "qemu-system-x86", 'S', 5, 5000, 0);
    sample(t);
    assert_number(vm_fact(t, FACT_VM_VCPU_RUN), 3000);
    assert_number(vm_fact(t, FACT_VM_EMULATOR_RUN), 200);
    assert_number(vm_fact(t, FACT_VM_CPU), 3230);
    // It is plugged again, as a new thread that begins at nothing.
    put_thread(t, 100, 120, "CPU 1/KVM", 5, 1);
    put_stat(t, "proc/100", 100, "qemu-system-x86", 'S', 6, 5000, 0);
    sample(t);
    assert_number(vcpu_fact(t, "1", FACT_VCPU_RUN), 2005);
    assert_number(vcpu_fact(t, "1", FACT_VCPU_WAIT), 201);
    assert_number(vm_fact(t, FACT_VM_VCPU_RUN), 3005);
}

static void test_counters_never_step_back(void **state)
{
    struct tree *t = *state;
    put_qemu(t, 100, "web1", UUID_A);
    open_host(t, false);
    see(t, 1);
    put(t, "proc/100/task/101/schedstat", "900 90 4\n");
    sample(t);
    assert_number(vcpu_fact(t, "0", FACT_VCPU_RUN), 1000);
    assert_number(vm_fact(t, FACT_VM_CPU), 3130);
    put(t, "proc/100/task/101/schedstat", "1500 90 9\n");
    sample(t);
    assert_number(vcpu_fact(t, "0", FACT_VCPU_RUN), 1500);
    assert_number(vm_fact(t, FACT_VM_CPU), 3630);
}

static void test_switches_follow_runs(void **state)
{
    struct tree *t = *state;
    put_qemu(t, 100, "web1", UUID_A);
    open_host(t, false);
    see(t, 1);
    put(t, "proc/100/task/101/status",
        "X\nvoluntary_ctxt_switches:\t21\nnonvoluntary_ctxt_switches:\t22\n");
    put(t, "proc/100/task/101/schedstat", "1001 100 6\n");
    for (int i = 0; i < 10; i++) // the guest rests
        sample(t);
    assert_number(vcpu_fact(t, "0", FACT_VCPU_SWITCHES_VOLUNTARY), 21);
    assert_number(vcpu_fact(t, "0", FACT_VCPU_SWITCHES_FORCED), 22);
}

static void test_a_guest_that_wakes_has_its_turn(void **state)
{
    struct tree *t = *state;
    put_qemu(t, 100, "web1", UUID_A);
    open_host(t, false);
    see(t, 1);
    for (int i = 0; i < 10; i++)
        sample(t);
    put(t, "proc/100/task/101/status",
        "X\nvoluntary_ctxt_switches:\t21\nnonvoluntary_ctxt_switches:\t22\n");
    for (int i = 1; i <= 5; i++) {
        // Half of each second.
        put(t, "proc/100/task/101/schedstat", "%d000000 100 6\n", 500 * i);
        sample(t);
    }
    assert_number(vcpu_fact(t, "0", FACT_VCPU_SWITCHES_VOLUNTARY), 21);
}

static void test_details_of_each_second(void **state)
{
    struct tree *t = *state;
    put_qemu(t, 100, "web1", UUID_A);
    put(t, "proc/vmstat", "pswpin 0\n");
    open_host_of(t, false, NS_PER_S);
    see(t, 1);
    for (int i = 1; i <= 12; i++) {
        put(t, "proc/100/task/101/schedstat", "%d 100 6\n", 1000 + i); // it rests
        put(t, "proc/100/task/101/status",
            "X\nvoluntary_ctxt_switches:\t%d\nnonvoluntary_ctxt_switches:\t22\n", 20 + i);
        put(t, "proc/vmstat", "pswpin %d\n", i);
        sample(t);
        assert_number(vcpu_fact(t, "0", FACT_VCPU_SWITCHES_VOLUNTARY), 20 + i);
        assert_number(host_fact(t, FACT_HOST_SWAP_IN), i);
    }
}

// QEMU's threads name themselves, which may take them longer than it takes us to see them.
static void test_threads_named_late(void **state)
{
    struct tree *t = *state;
    put_qemu(t, 100, "web1", UUID_A);
    put_thread(t, 100, 102, "qemu-system-x86", 5, 1);
    open_host(t, false);
    see(t, 1);
    assert_number(vcpu_fact(t, "0", FACT_VCPU_RUN), 1000);
    assert_null(object_find(vm(t, UUID_A), KIND_VCPU, "1"));
    put_thread(t, 100, 102, "CPU 1/KVM", 2000, 200);
    sample(t);
    assert_number(vcpu_fact(t, "1", FACT_VCPU_RUN), 2000);
    assert_number(vm_fact(t, FACT_VM_VCPU_RUN), 3000);
    assert_number(vm_fact(t, FACT_VM_EMULATOR_RUN), 105); // and does not step back
}

static void test_vhost_in_the_process(void **state)
{
    struct tree *t = *state;
    put_qemu(t, 100, "web1", UUID_A);
    put_thread(t, 100, 104, "vhost-100", 70, 7);
    open_host(t, false);
    see(t, 1);
    assert_number(vm_fact(t, FACT_VM_VHOST_RUN), 70);
    assert_number(vm_fact(t, FACT_VM_VHOST_WAIT), 7);
    assert_number(vm_fact(t, FACT_VM_EMULATOR_RUN), 100);
    assert_number(vm_fact(t, FACT_VM_CPU), 3200);
}

static void test_vhost_kernel_threads(void **state)
{
    struct tree *t = *state;
    static const char kthread[] =
        "%d (vhost-100) S 2 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 5 0 0 0\n";
    put_qemu(t, 100, "web1", UUID_A);
    put(t, "proc/200/stat", kthread, 200);
    put(t, "proc/200/schedstat", "70 7 1\n");
    put(t, "proc/201/stat", kthread, 201);
    put(t, "proc/201/schedstat", "80 8 1\n");
    // Anybody may give a process such a name.
    put(t, "proc/300/stat", "300 (vhost-100) S 1 0 0 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 5 0 0 0\n");
    put(t, "proc/300/schedstat", "10000 8 1\n");
    open_host(t, false);
    see(t, 1);
    scan(t);
    sample(t);
    assert_number(vm_fact(t, FACT_VM_VHOST_RUN), 150);
    assert_number(vm_fact(t, FACT_VM_VHOST_WAIT), 15);
    assert_number(vm_fact(t, FACT_VM_CPU), 3280);
    assert_int_equal(t->herd->n_vms, 1);
}

static void test_threads_without_names(void **state)
{
    struct tree *t = *state;
    put_qemu(t, 100, "web1", UUID_A);
    for (int i = 0; i < 4; i++) {
        char path[64];
        snprintf(path, sizeof(path), "proc/100/task/%d/comm", 100 + i);
        put(t, path, "qemu-system-x86\n");
    }
    open_host(t, false);
    see(t, 1);
    assert_absent(vm_fact(t, FACT_VM_VCPU_RUN));
    assert_number(vm_fact(t, FACT_VM_EMULATOR_RUN), 3130);
    assert_non_null(reason(vm(t, UUID_A), "vcpu_threads"));
}

static void test_names_from_cgroups(void **state)
{
    struct tree *t = *state;
    static const char *const groups[] = {"emulator", "vcpu0", "vcpu1", "iothread1"};
    put_qemu(t, 100, "web1", UUID_A);
    put(t, "sys/fs/cgroup/cgroup.controllers", "cpu memory\n");
    put(t, "proc/100/cgroup", "0::/machine/qemu-1-web1.libvirt-qemu/emulator\n");
    for (int i = 0; i < 4; i++) {
        char path[128];
        snprintf(path, sizeof(path), "proc/100/task/%d/comm", 100 + i);
        put(t, path, "qemu-system-x86\n");
        snprintf(path, sizeof(path), "proc/100/task/%d/cgroup", 100 + i);
        put(t, path, "0::/machine/qemu-1-web1.libvirt-qemu/%s\n", groups[i]);
        snprintf(path, sizeof(path), "sys/fs/cgroup/machine/qemu-1-web1.libvirt-qemu/%s/cpu.stat",
                 groups[i]);
        put(t, path, "usage_usec 1\n");
    }
    open_host(t, false);
    see(t, 1);
    assert_number(vm_fact(t, FACT_VM_VCPU_RUN), 3000);
    assert_number(vm_fact(t, FACT_VM_IOTHREAD_RUN), 30);
    assert_number(vcpu_fact(t, "1", FACT_VCPU_RUN), 2000);
}

#define SCOPE "sys/fs/cgroup/machine.slice/machine-qemu\\x2d1\\x2dweb1.scope"

static void put_cgroup_v2(const struct tree *t)
{
    put(t, "sys/fs/cgroup/cgroup.controllers", "cpu memory io\n");
    put(t, "proc/100/cgroup",
        "0::/machine.slice/machine-qemu\\x2d1\\x2dweb1.scope/libvirt/emulator\n");
    put(t, SCOPE "/cpu.max", "max 100000\n");
    put(t, SCOPE "/cpu.stat", "usage_usec 9\nnr_periods 0\nnr_throttled 0\nthrottled_usec 0\n");
    put(t, SCOPE "/libvirt/cpu.max", "200000 100000\n");
    put(t, SCOPE "/libvirt/cpu.stat", "nr_periods 100\nnr_throttled 10\nthrottled_usec 5\n");
    put(t, SCOPE "/libvirt/emulator/cpu.max", "max 100000\n");
    put(t, SCOPE "/libvirt/emulator/cpu.stat", "nr_periods 0\nnr_throttled 0\nthrottled_usec 0\n");
    put(t, SCOPE "/libvirt/vcpu0/cpu.max", "50000 100000\n");
    put(t, SCOPE "/libvirt/vcpu0/cpu.stat", "nr_periods 7\nnr_throttled 2\nthrottled_usec 40\n");
    put(t, SCOPE "/libvirt/vcpu1/cpu.max", "50000 100000\n");
    put(t, SCOPE "/libvirt/vcpu1/cpu.stat", "nr_periods 8\nnr_throttled 3\nthrottled_usec 50\n");
    put(t, SCOPE "/memory.max", "1000000\n");
    put(t, SCOPE "/memory.current", "4096000\n");
    put(t, SCOPE "/memory.events", "low 1\nhigh 2\nmax 3\noom 4\noom_kill 5\n");
    put(t, SCOPE "/cpu.pressure", "some avg10=0.00 total=100\nfull avg10=0.00 total=50\n");
    put(t, SCOPE "/memory.pressure", "some avg10=0.00 total=200\nfull avg10=0.00 total=150\n");
    put(t, SCOPE "/io.pressure", "some avg10=0.00 total=300\nfull avg10=0.00 total=250\n");
}

static void test_cgroup_v2(void **state)
{
    struct tree *t = *state;
    put_qemu(t, 100, "web1", UUID_A);
    put_cgroup_v2(t);
    open_host(t, false);
    see(t, 1);
    assert_number(vm_fact(t, FACT_VM_CG_PERIODS), 115);
    assert_number(vm_fact(t, FACT_VM_CG_THROTTLED_PERIODS), 15);
    assert_number(vm_fact(t, FACT_VM_CG_THROTTLED), 95000);
    assert_number(vm_fact(t, FACT_VM_CG_MEM_CURRENT), 4096000);
    assert_number(vm_fact(t, FACT_VM_CG_MEM_HIGH), 2);
    assert_number(vm_fact(t, FACT_VM_CG_MEM_MAX), 3);
    assert_number(vm_fact(t, FACT_VM_CG_OOM), 4);
    assert_number(vm_fact(t, FACT_VM_CG_OOM_KILL), 5);
    assert_number(vm_fact(t, FACT_VM_PSI_CPU_SOME), 100000);
    assert_number(vm_fact(t, FACT_VM_PSI_CPU_FULL), 50000);
    assert_number(vm_fact(t, FACT_VM_PSI_MEM_FULL), 150000);
    assert_number(vm_fact(t, FACT_VM_PSI_IO_SOME), 300000);
    assert_null(reason(vm(t, UUID_A), "cgroup"));
    assert_null(reason(vm(t, UUID_A), "pressure"));
}

static void test_cgroup_v2_moves(void **state)
{
    struct tree *t = *state;
    put_qemu(t, 100, "web1", UUID_A);
    put_cgroup_v2(t);
    open_host(t, false);
    see(t, 1);
    put(t, SCOPE "/libvirt/vcpu1/cpu.stat", "nr_periods 9\nnr_throttled 4\nthrottled_usec 60\n");
    put(t, SCOPE "/memory.events", "low 1\nhigh 2\nmax 4\noom 4\noom_kill 5\n");
    // Every file is read again within ten seconds, of a guest at rest.
    put(t, SCOPE "/cpu.pressure", "some avg10=0.00 total=101\nfull avg10=0.00 total=51\n");
    put(t, SCOPE "/memory.pressure", "some avg10=0.00 total=201\nfull avg10=0.00 total=151\n");
    put(t, SCOPE "/io.pressure", "some avg10=0.00 total=301\nfull avg10=0.00 total=251\n");
    for (int i = 0; i < 10; i++)
        sample(t);
    assert_number(vm_fact(t, FACT_VM_CG_PERIODS), 116);
    assert_number(vm_fact(t, FACT_VM_CG_THROTTLED), 105000);
    assert_number(vm_fact(t, FACT_VM_CG_MEM_MAX), 4);
    assert_number(vm_fact(t, FACT_VM_PSI_CPU_SOME), 101000);
    assert_number(vm_fact(t, FACT_VM_PSI_MEM_SOME), 201000);
    assert_number(vm_fact(t, FACT_VM_PSI_IO_FULL), 251000);
    // A vCPU goes with its group; the sum stays and goes on.
    drop(t, SCOPE "/libvirt/vcpu1");
    for (int i = 0; i < 21; i++)
        sample(t);
    assert_number(vm_fact(t, FACT_VM_CG_PERIODS), 116);
    put(t, SCOPE "/libvirt/vcpu0/cpu.stat", "nr_periods 17\nnr_throttled 2\nthrottled_usec 40\n");
    for (int i = 0; i < 10; i++)
        sample(t);
    assert_number(vm_fact(t, FACT_VM_CG_PERIODS), 126);
}

static void test_cgroup_v2_without_pressure(void **state)
{
    struct tree *t = *state;
    put_qemu(t, 100, "web1", UUID_A);
    put_cgroup_v2(t);
    drop(t, SCOPE "/cpu.pressure");
    drop(t, SCOPE "/memory.pressure");
    drop(t, SCOPE "/io.pressure");
    open_host(t, false);
    see(t, 1);
    assert_absent(vm_fact(t, FACT_VM_PSI_CPU_SOME));
    assert_absent(vm_fact(t, FACT_VM_PSI_IO_FULL));
    assert_string_equal(reason(vm(t, UUID_A), "pressure"), "the kernel has no such file");
    assert_number(vm_fact(t, FACT_VM_CG_OOM_KILL), 5);
}

static void test_cgroup_v1(void **state)
{
    struct tree *t = *state;
    put_qemu(t, 100, "web1", UUID_A);
    put(t, "proc/100/cgroup",
        "9:memory:/machine.slice/machine-qemu\\x2d1\\x2dweb1.scope\n"
        "4:cpu,cpuacct:/machine.slice/machine-qemu\\x2d1\\x2dweb1.scope/emulator\n"
        "1:name=systemd:/machine.slice/machine-qemu\\x2d1\\x2dweb1.scope\n"
        "0::/machine.slice\n");
#define V1 "/machine.slice/machine-qemu\\x2d1\\x2dweb1.scope"
    put(t, "sys/fs/cgroup/cpu,cpuacct" V1 "/cpu.cfs_quota_us", "-1\n");
    put(t, "sys/fs/cgroup/cpu,cpuacct" V1 "/cpu.stat",
        "nr_periods 0\nnr_throttled 0\nthrottled_time 0\n");
    put(t, "sys/fs/cgroup/cpu,cpuacct" V1 "/emulator/cpu.cfs_quota_us", "50000\n");
    put(t, "sys/fs/cgroup/cpu,cpuacct" V1 "/emulator/cpu.stat",
        "nr_periods 10\nnr_throttled 2\nthrottled_time 300\n");
    put(t, "sys/fs/cgroup/cpu,cpuacct" V1 "/vcpu0/cpu.cfs_quota_us", "50000\n");
    put(t, "sys/fs/cgroup/cpu,cpuacct" V1 "/vcpu0/cpu.stat",
        "nr_periods 20\nnr_throttled 5\nthrottled_time 700\n");
    put(t, "sys/fs/cgroup/memory" V1 "/memory.limit_in_bytes", "9223372036854771712\n");
    put(t, "sys/fs/cgroup/memory" V1 "/memory.usage_in_bytes", "8192\n");
    put(t, "sys/fs/cgroup/memory" V1 "/memory.failcnt", "3\n");
    put(t, "sys/fs/cgroup/memory" V1 "/memory.oom_control",
        "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n");
#undef V1
    open_host(t, false);
    see(t, 1);
    assert_number(vm_fact(t, FACT_VM_CG_PERIODS), 30);
    assert_number(vm_fact(t, FACT_VM_CG_THROTTLED_PERIODS), 7);
    assert_number(vm_fact(t, FACT_VM_CG_THROTTLED), 1000);
    assert_number(vm_fact(t, FACT_VM_CG_MEM_CURRENT), 8192);
    assert_number(vm_fact(t, FACT_VM_CG_MEM_MAX), 3);
    assert_number(vm_fact(t, FACT_VM_CG_OOM_KILL), 1);
    assert_absent(vm_fact(t, FACT_VM_CG_MEM_HIGH));
    assert_absent(vm_fact(t, FACT_VM_CG_OOM));
    assert_absent(vm_fact(t, FACT_VM_PSI_CPU_SOME));
    assert_string_equal(reason(vm(t, UUID_A), "pressure"), "cgroup v1 has no pressure files");
    assert_string_equal(reason(vm(t, UUID_A), "cgroup_memory_events"),
                        "cgroup v1 counts neither high nor oom");
}

// A group without these controllers, or one that has gone.
static void test_cgroup_that_tells_nothing(void **state)
{
    struct tree *t = *state;
    put_qemu(t, 100, "web1", UUID_A);
    put_cgroup_v2(t);
    drop(t, SCOPE);
    open_host(t, false);
    see(t, 1);
    assert_absent(vm_fact(t, FACT_VM_CG_PERIODS));
    assert_absent(vm_fact(t, FACT_VM_CG_MEM_CURRENT));
    assert_string_equal(reason(vm(t, UUID_A), "cgroup_cpu"), "its cgroup tells no CPU quota");
    assert_string_equal(reason(vm(t, UUID_A), "cgroup_memory"), "its cgroup tells no memory");
}

static void test_thread_files_missing(void **state)
{
    struct tree *t = *state;
    put_qemu(t, 100, "web1", UUID_A);
    drop(t, "proc/100/task/101/stat");
    drop(t, "proc/100/task/102/status");
    open_host(t, false);
    see(t, 1);
    assert_absent(vcpu_fact(t, "0", FACT_VCPU_CPU));
    assert_absent(vcpu_fact(t, "1", FACT_VCPU_SWITCHES_FORCED));
    assert_string_equal(reason(vm(t, UUID_A), "last_cpu"), "a thread's stat cannot be read");
    assert_string_equal(reason(vm(t, UUID_A), "context_switches"),
                        "a thread's status cannot be read");
}

// Call slow() until the round is over; all that it tells has been told then.
static void slow_round(struct tree *t)
{
    struct host_sink sink = sink_of(t);
    for (int i = 0; i < 1000; i++) {
        const struct timespec pause = {0, NS_PER_MS};
        if (host_kernel.slow(t->host, t->clock.mono, &sink) == 0)
            return;
        nanosleep(&pause, NULL);
    }
    fail_msg("the round of slow sources does not end");
}

static void test_slow_memory(void **state)
{
    struct tree *t = *state;
    put_qemu(t, 100, "web1", UUID_A);
    put(t, "proc/100/smaps_rollup", "55 - 7f ---p 0 00:00 0 [rollup]\nRss: 900 kB\nPss: 800 kB\n");
    put(t, "proc/100/status", "Name:\tq\nVmRSS:\t900 kB\nVmSwap:\t     12 kB\n");
    open_host(t, false);
    see(t, 1);
    assert_absent(vm_fact(t, FACT_VM_PSS));
    slow_round(t);
    assert_number(vm_fact(t, FACT_VM_PSS), 800 * 1024);
    assert_number(vm_fact(t, FACT_VM_SWAP), 12 * 1024);
    assert_non_null(reason(vm(t, UUID_A), "kvm_stats"));
    assert_number(vm_fact(t, FACT_VM_PSS_AGE), 0);
    // What it told goes when it can no longer be read; it is tried again within an hour.
    drop(t, "proc/100/smaps_rollup");
    clock_fake_advance(&t->clock, 3601 * NS_PER_S);
    slow_round(t);
    assert_absent(vm_fact(t, FACT_VM_PSS_AGE));
    assert_absent(vm_fact(t, FACT_VM_PSS));
    assert_string_equal(reason(vm(t, UUID_A), "pss"), "the kernel has no such file");
}

static void test_slow_takes_turns(void **state)
{
    struct tree *t = *state;
    put_qemu(t, 100, "web1", UUID_A);
    put_qemu(t, 500, "web2", UUID_B);
    put(t, "proc/100/smaps_rollup", "Pss: 1 kB\n");
    put(t, "proc/500/smaps_rollup", "Pss: 2 kB\n");
    open_host(t, false);
    see(t, 2);
    slow_round(t);
    assert_number(object_fact(vm(t, UUID_A), FACT_VM_PSS), 1024);
    assert_number(object_fact(vm(t, UUID_B), FACT_VM_PSS), 2048);
}

static void test_kvm_debugfs(void **state)
{
    struct tree *t = *state;
    put_qemu(t, 100, "web1", UUID_A);
    put_link(t, "proc/100/fd/9", "anon_inode:kvm-vm");
    // APIC ids: the second vCPU is KVM's number 4.
    put(t, "sys/kernel/debug/kvm/100-14/vcpu0/exits", "1000\n");
    put(t, "sys/kernel/debug/kvm/100-14/vcpu0/halt_wait_ns", "77\n");
    put(t, "sys/kernel/debug/kvm/100-14/vcpu4/exits", "2000\n");
    put(t, "sys/kernel/debug/kvm/1001-3/vcpu0/exits", "5\n");
    open_host(t, false);
    see(t, 1);
    slow_round(t);
    assert_number(vcpu_fact(t, "0", FACT_VCPU_KVM_EXITS), 1000);
    assert_number(vcpu_fact(t, "0", FACT_VCPU_KVM_HALT_WAIT), 77);
    assert_number(vcpu_fact(t, "1", FACT_VCPU_KVM_EXITS), 2000);
    assert_absent(vcpu_fact(t, "1", FACT_VCPU_KVM_IO_EXITS));
    assert_null(reason(vm(t, UUID_A), "kvm_stats"));
}

static void test_kvm_reasons(void **state)
{
    struct tree *t = *state;
    put_qemu(t, 100, "web1", UUID_A);
    put_link(t, "proc/100/fd/3", "socket:[1]");
    open_host(t, false);
    see(t, 1);
    slow_round(t);
    assert_string_equal(reason(vm(t, UUID_A), "kvm_stats"), "the guest does not run under KVM");
    put_qemu(t, 200, "web2", UUID_B);
    put_link(t, "proc/200/fd/9", "anon_inode:kvm-vm");
    see(t, 2);
    slow_round(t);
    assert_string_equal(reason(vm(t, UUID_A), "kvm_stats"), "the guest does not run under KVM");
    assert_string_equal(reason(vm(t, UUID_B), "kvm_stats"),
                        "QEMU keeps no statistics descriptors (older than 8.1); debugfs: not "
                        "mounted, or without KVM");
    // One vCPU's numbers could not be told apart from the other's.
    put(t, "sys/kernel/debug/kvm/200-14/vcpu0/exits", "1000\n");
    slow_round(t);
    assert_absent(object_fact(object_find(vm(t, UUID_B), KIND_VCPU, "0"), FACT_VCPU_KVM_EXITS));
    assert_non_null(reason(vm(t, UUID_B), "kvm_stats"));
}

static void test_permission(void **state)
{
    struct tree *t = *state;
    put_qemu(t, 100, "web1", UUID_A);
    put(t, "proc/100/smaps_rollup", "Pss: 800 kB\n");
    put_link(t, "proc/100/fd/9", "anon_inode:kvm-vm");
    CLEANUP(freep) char *rollup = mem_printf("%s/proc/100/smaps_rollup", t->root);
    CLEANUP(freep) char *sched = mem_printf("%s/proc/100/task/101/schedstat", t->root);
    CLEANUP(freep) char *fds = mem_printf("%s/proc/100/fd", t->root);
    assert_int_equal(chmod(rollup, 0), 0);
    assert_int_equal(chmod(sched, 0), 0);
    assert_int_equal(chmod(fds, 0), 0);
    bool root = geteuid() == 0;
    // All threads change their user: readings are done beside the sampler as well.
    assert_true(!root || seteuid(65534) == 0);
    open_host(t, false);
    see(t, 1);
    slow_round(t);
    assert_true(!root || seteuid(0) == 0);
    assert_absent(vm_fact(t, FACT_VM_PSS));
    assert_string_equal(reason(vm(t, UUID_A), "pss"), "permission denied");
    assert_string_equal(reason(vm(t, UUID_A), "schedstat"), "permission denied");
    assert_string_equal(reason(vm(t, UUID_A), "kvm_stats"),
                        "permission denied for the process's descriptors; debugfs: not mounted, "
                        "or without KVM");
    assert_absent(vcpu_fact(t, "0", FACT_VCPU_RUN));
    assert_absent(vm_fact(t, FACT_VM_VCPU_RUN));
    assert_absent(vm_fact(t, FACT_VM_CPU));
    assert_number(vcpu_fact(t, "1", FACT_VCPU_RUN), 2000);
    assert_number(vm_fact(t, FACT_VM_EMULATOR_RUN), 100);
}

static void test_hostile_names(void **state)
{
    struct tree *t = *state;
    put_qemu(t, 100, "a,,b\n<script>\"", UUID_A);
    put_stat(t, "proc/100", 100, "qemu) Z 99 (\n", 'S', 4, 5000, 0);
    open_host(t, false);
    see(t, 1);
    assert_string_equal(object_attr(vm(t, UUID_A), ATTR_VM_NAME), "a,b\n<script>\"");
    assert_string_equal(object_attr(vm(t, UUID_A), ATTR_VM_PROCESS_STATE), "S");
    assert_number(vm_fact(t, FACT_VM_CPU), 3130);
}

static void test_garbage(void **state)
{
    struct tree *t = *state;
    put_qemu(t, 100, "web1", UUID_A);
    put(t, "proc/100/task/101/schedstat", "12345 ");
    put(t, "proc/100/task/101/stat", "x");
    put(t, "proc/100/task/101/status", "voluntary_ctxt_switches:\tx\n");
    put(t, "proc/100/task/102/schedstat", "18446744073709551616 1 1\n");
    put(t, "proc/100/cgroup", ":::\n\n0:");
    put(t, "proc/meminfo", "MemTotal: kB\nMemFree:\nSwapFree: 99999999999999999999999 kB\n");
    put(t, "proc/loadavg", "0.5 x");
    put(t, "proc/pressure/cpu", "some\n");
    open_host(t, false);
    see(t, 1);
    assert_absent(vcpu_fact(t, "0", FACT_VCPU_RUN));
    assert_absent(vcpu_fact(t, "0", FACT_VCPU_CPU));
    assert_absent(vcpu_fact(t, "0", FACT_VCPU_SWITCHES_FORCED));
    assert_absent(vcpu_fact(t, "1", FACT_VCPU_RUN));
    assert_absent(vm_fact(t, FACT_VM_VCPU_RUN));
    assert_absent(vm_fact(t, FACT_VM_CPU));
    assert_absent(host_fact(t, FACT_HOST_MEM_TOTAL));
    assert_absent(host_fact(t, FACT_HOST_SWAP_FREE));
    assert_number(host_fact(t, FACT_HOST_LOAD1), 0.5);
    assert_absent(host_fact(t, FACT_HOST_LOAD15));
    assert_absent(host_fact(t, FACT_HOST_PSI_CPU_SOME));
    put(t, "proc/100/stat", "nonsense");
    sample(t);
    assert_absent(vm_fact(t, FACT_VM_RSS));
    assert_null(object_attr(vm(t, UUID_A), ATTR_VM_PROCESS_STATE));
    assert_string_equal(reason(vm(t, UUID_A), "process"), "not understood");
}

static void test_gone_is_told_once(void **state)
{
    struct tree *t = *state;
    put_qemu(t, 100, "web1", UUID_A);
    open_host(t, false);
    see(t, 1);
    drop(t, "proc/100");
    scan(t);
    assert_int_equal(t->gone, 1);
    t->vm_batches = 0;
    scan(t);
    sample(t);
    assert_int_equal(t->gone, 1);
    assert_int_equal(t->vm_batches, 0);
}

static void test_pid_used_again(void **state)
{
    struct tree *t = *state;
    put_qemu(t, 100, "web1", UUID_A);
    open_host(t, false);
    see(t, 1);
    drop(t, "proc/100");
    put(t, "proc/99/stat", "x"); // so that the directory's inode is another one
    put_qemu(t, 100, "web2", UUID_B);
    put_stat(t, "proc/100", 100, "qemu-system-x86", 'S', 4, 9000, 0);
    see(t, 2);
    assert_int_equal(t->gone, 1);
    assert_string_equal(object_attr(vm(t, UUID_B), ATTR_VM_NAME), "web2");
}

static void test_fork_becomes_qemu(void **state)
{
    struct tree *t = *state;
    put(t, "proc/100/stat",
        "100 (rpc-worker) S 1 0 0 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 5000 0 0 0\n");
    put(t, "proc/100/cmdline", "/usr/sbin/libvirtd");
    open_host(t, false);
    scan(t);
    sample(t);
    assert_int_equal(t->herd->n_vms, 0);
    put_qemu(t, 100, "web1", UUID_A);
    see(t, 1);
    assert_string_equal(object_attr(vm(t, UUID_A), ATTR_VM_NAME), "web1");
}

// A process in trouble may hold its memory lock, and its command line then never returns; here, a
// pipe that nobody writes to.
static void test_stuck_command_line(void **state)
{
    struct tree *t = *state;
    put_qemu(t, 100, "stuck", UUID_A);
    put_qemu(t, 500, "well", UUID_B);
    CLEANUP(freep) char *fifo = mem_printf("%s/proc/100/cmdline", t->root);
    assert_int_equal(unlink(fifo), 0);
    assert_int_equal(mkfifo(fifo, 0644), 0);
    open_host(t, false);
    for (int i = 0; i < 1000 && !herd_vm_find(t->herd, UUID_B); i++) {
        const struct timespec pause = {0, 10 * NS_PER_MS};
        scan(t);
        sample(t);
        nanosleep(&pause, NULL);
    }
    assert_non_null(herd_vm_find(t->herd, UUID_B));
    assert_null(herd_vm_find(t->herd, UUID_A));
    // It gets well, and is found.
    put_cmdline(t, 100, "stuck", UUID_A);
    see(t, 2);
    assert_string_equal(object_attr(vm(t, UUID_A), ATTR_VM_NAME), "stuck");
}

static void test_mount_namespaces(void **state)
{
    struct tree *t = *state;
    put_qemu(t, 100, "same", UUID_A);
    put_qemu(t, 200, "own", UUID_B);
    put_link(t, "proc/200/ns/mnt", "mnt:[200]");
    put_qemu(t, 300, "theirs", "c0000000-0000-4000-8000-000000000003");
    put_link(t, "proc/300/ns/mnt", "mnt:[7]");
    put_stat(t, "proc/50", 50, "libvirtd", 'S', 1, 10, 0);
    put(t, "proc/50/cmdline", "libvirtd");
    put_link(t, "proc/50/ns/mnt", "mnt:[7]");
    // Two that share a namespace whose daemon is dead.
    put_qemu(t, 400, "x", "d0000000-0000-4000-8000-000000000004");
    put_link(t, "proc/400/ns/mnt", "mnt:[8]");
    put_qemu(t, 500, "y", "d0000000-0000-4000-8000-000000000005");
    put_link(t, "proc/500/ns/mnt", "mnt:[8]");
    open_host(t, true);
    see(t, 2);
    for (int i = 0; i < 3; i++) {
        scan(t);
        sample(t);
    }
    assert_int_equal(t->herd->n_vms, 2);
    assert_non_null(herd_vm_find(t->herd, UUID_A));
    assert_non_null(herd_vm_find(t->herd, UUID_B));
}

static void test_all_mount_namespaces(void **state)
{
    struct tree *t = *state;
    put_qemu(t, 300, "theirs", UUID_A);
    put_link(t, "proc/300/ns/mnt", "mnt:[7]");
    put_stat(t, "proc/50", 50, "libvirtd", 'S', 1, 10, 0);
    put_link(t, "proc/50/ns/mnt", "mnt:[7]");
    open_host(t, false);
    see(t, 1);
}

static void test_machine(void **state)
{
    struct tree *t = *state;
    put(t, "proc/stat",
        "cpu  9 9 9 9 9 9 9 9 9 9\n"
        "cpu0 100 10 20 500 30 4 5 6 40 3\n"
        "cpu2 1 0 0 1 0 0 0 0 0 0\n"
        "intr 1 2 3 4\nctxt 77\nbtime 1700000000\nprocesses 55\nprocs_running 3\n"
        "procs_blocked 1\nsoftirq 1 2\n");
    put(t, "proc/loadavg", "0.50 1.25 2.00 1/100 4711\n");
    put(t, "proc/meminfo",
        "MemTotal: 1000 kB\nMemFree: 200 kB\nMemAvailable: 300 kB\nBuffers: 1 kB\nCached: 2 kB\n"
        "SwapCached: 99 kB\nSwapTotal: 50 kB\nSwapFree: 40 kB\nDirty: 3 kB\nAnonHugePages: 4 kB\n"
        "Shmem: 5 kB\nSlab: 6 kB\nCommitted_AS: 7 kB\n");
    put(t, "proc/vmstat", "nr_free_pages 1\npswpin 11\npswpout 12\noom_kill 13\n");
    put(t, "proc/pressure/cpu", "some avg10=0 total=5\n");
    put(t, "proc/pressure/memory", "some avg10=0 total=6\nfull avg10=0 total=7\n");
    put(t, "proc/pressure/io", "some avg10=0 total=8\nfull avg10=0 total=9\n");
    put(t, "sys/kernel/mm/ksm/run", "1\n");
    put(t, "sys/kernel/mm/ksm/pages_sharing", "42\n");
    put(t, "proc/sys/kernel/hostname", "node1\n");
    put(t, "proc/sys/kernel/osrelease", "6.1.0\n");
    open_host(t, false);
    scan(t);
    sample(t);
    double tick = 1e9 / (double)sysconf(_SC_CLK_TCK);
    assert_number(host_fact(t, FACT_HOST_CPUS), 2);
    assert_number(child_fact(t, KIND_CPU, "0", FACT_CPU_USER), 60 * tick);
    assert_number(child_fact(t, KIND_CPU, "0", FACT_CPU_NICE), 7 * tick);
    assert_number(child_fact(t, KIND_CPU, "0", FACT_CPU_STEAL), 6 * tick);
    assert_number(child_fact(t, KIND_CPU, "0", FACT_CPU_GUEST), 40 * tick);
    assert_number(child_fact(t, KIND_CPU, "0", FACT_CPU_IDLE), 500 * tick);
    assert_number(child_fact(t, KIND_CPU, "2", FACT_CPU_USER), tick);
    assert_number(host_fact(t, FACT_HOST_CONTEXT_SWITCHES), 77);
    assert_number(host_fact(t, FACT_HOST_BOOT_TIME), 1700000000);
    assert_number(host_fact(t, FACT_HOST_PROCS_BLOCKED), 1);
    assert_number(host_fact(t, FACT_HOST_LOAD1), 0.5);
    assert_number(host_fact(t, FACT_HOST_LOAD5), 1.25);
    assert_number(host_fact(t, FACT_HOST_LOAD15), 2);
    assert_number(host_fact(t, FACT_HOST_MEM_TOTAL), 1024000);
    assert_number(host_fact(t, FACT_HOST_MEM_CACHED), 2048);
    assert_number(host_fact(t, FACT_HOST_MEM_COMMITTED), 7168);
    assert_number(host_fact(t, FACT_HOST_SWAP_OUT), 12);
    assert_number(host_fact(t, FACT_HOST_OOM_KILLS), 13);
    assert_number(host_fact(t, FACT_HOST_PSI_CPU_SOME), 5000);
    assert_absent(host_fact(t, FACT_HOST_PSI_CPU_FULL));
    assert_number(host_fact(t, FACT_HOST_PSI_IO_FULL), 9000);
    assert_number(host_fact(t, FACT_HOST_KSM_SHARING), 42);
    assert_absent(host_fact(t, FACT_HOST_KSM_SHARED));
    assert_null(reason(t->herd->host, "cpu"));
    assert_null(reason(t->herd->host, "memory"));
    assert_null(reason(t->herd->host, "swap_activity"));
    assert_string_equal(object_attr(t->herd->host, ATTR_HOST_NAME), "node1");
    assert_string_equal(object_attr(t->herd->host, ATTR_HOST_KERNEL), "6.1.0");
    // Idle time may step back in a kernel's books, not in ours.
    put(t, "proc/stat", "cpu  9 9 9 9\ncpu0 101 10 20 490 30 4 5 6 40 3\n");
    put(t, "proc/meminfo", "MemTotal: 1000 kB\nMemAvailable: 300 kB\n");
    sample(t);
    assert_string_equal(reason(t->herd->host, "cpu"), "the kernel does not tell ctxt");
    assert_string_equal(reason(t->herd->host, "memory"), "the kernel does not tell MemFree");
    assert_number(child_fact(t, KIND_CPU, "0", FACT_CPU_USER), 61 * tick);
    assert_number(child_fact(t, KIND_CPU, "0", FACT_CPU_IDLE), 500 * tick);
    assert_absent(host_fact(t, FACT_HOST_CONTEXT_SWITCHES));
}

static void put_pool(const struct tree *t, int node, const char *size, int total, int unused)
{
    char path[128];
    static const char dir[] = "sys/devices/system/node/node%d/hugepages/hugepages-%s/%s";
    snprintf(path, sizeof(path), dir, node, size, "nr_hugepages");
    put(t, path, "%d\n", total);
    snprintf(path, sizeof(path), dir, node, size, "free_hugepages");
    put(t, path, "%d\n", unused);
    snprintf(path, sizeof(path), dir, node, size, "surplus_hugepages");
    put(t, path, "0\n");
}

static void test_numa(void **state)
{
    struct tree *t = *state;
    for (int node = 0; node < 2; node++) {
        char path[64];
        snprintf(path, sizeof(path), "sys/devices/system/node/node%d/meminfo", node);
        put(t, path, "Node %d MemTotal:  %d kB\nNode %d MemFree:  %d kB\n", node, 100 + node, node,
            50 + node);
        snprintf(path, sizeof(path), "sys/devices/system/node/node%d/numastat", node);
        put(t, path, "numa_hit %d\nnuma_miss 2\nnuma_foreign 3\ninterleave_hit 4\n", 10 + node);
        put_pool(t, node, "2048kB", 512 + node, 12);
        put_pool(t, node, "1048576kB", 4, node);
    }
    put(t, "sys/devices/system/node/has_cpu", "0-1\n");
    open_host(t, false);
    scan(t);
    sample(t);
    assert_number(child_fact(t, KIND_NUMA, "0", FACT_NUMA_MEM_TOTAL), 102400);
    assert_number(child_fact(t, KIND_NUMA, "1", FACT_NUMA_MEM_FREE), 51 * 1024);
    assert_number(child_fact(t, KIND_NUMA, "1", FACT_NUMA_HIT), 11);
    assert_number(child_fact(t, KIND_NUMA, "1", FACT_NUMA_FOREIGN), 3);
    assert_number(child_fact(t, KIND_HUGEPAGE, "0:2097152", FACT_HUGEPAGE_TOTAL), 512);
    assert_number(child_fact(t, KIND_HUGEPAGE, "1:2097152", FACT_HUGEPAGE_TOTAL), 513);
    assert_number(child_fact(t, KIND_HUGEPAGE, "1:1073741824", FACT_HUGEPAGE_FREE), 1);
    const struct object *h = object_find(t->herd->host, KIND_HUGEPAGE, "1:1073741824");
    assert_string_equal(object_attr(h, ATTR_HUGEPAGE_NODE), "1");
    assert_string_equal(object_attr(h, ATTR_HUGEPAGE_SIZE), "1073741824");
    assert_null(object_find(t->herd->host, KIND_HUGEPAGE, "2:2097152"));
}

static void test_nodes_without_files(void **state)
{
    struct tree *t = *state;
    put(t, "sys/devices/system/node/node0/meminfo", "Node 0 MemTotal:  1 kB\n");
    put(t, "sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages", "1\n");
    put(t, "sys/block/vda/size", "100\n");
    open_host(t, false);
    scan(t);
    for (int i = 0; i < 2; i++) { // in a turn and between turns
        sample(t);
        assert_string_equal(reason(t->herd->host, "numa"), "the kernel has no such file");
        assert_string_equal(reason(t->herd->host, "hugepages"), "the kernel has no such file");
        assert_string_equal(reason(t->herd->host, "disks"), "the kernel has no such file");
    }
}

static void test_disks_and_nics(void **state)
{
    struct tree *t = *state;
    put(t, "sys/block/vda/stat", "1 0 2 3 4 0 5 6 7 8 9\n");
    put(t, "sys/block/vda/size", "100\n");
    put(t, "sys/block/loop0/stat", "1 0 2 3 4 0 5 6 7 8 9\n");
    put(t, "sys/block/nbd0/stat", "0 0 0 0 0 0 0 0 0 0 0\n");
    put(t, "sys/block/nbd0/size", "0\n");
    put(t, "sys/class/net/vnet0/statistics/rx_bytes", "10\n");
    put(t, "sys/class/net/vnet0/statistics/tx_dropped", "3\n");
    put(t, "sys/class/net/vnet0/flags", "0x1003\n");
    put(t, "sys/class/net/vnet1/flags", "0x1002\n");
    open_host(t, false);
    scan(t);
    sample(t);
    assert_number(child_fact(t, KIND_HDISK, "vda", FACT_HDISK_READ_BYTES), 1024);
    assert_number(child_fact(t, KIND_HDISK, "vda", FACT_HDISK_WRITE_TIME), 6e6);
    assert_number(child_fact(t, KIND_HDISK, "vda", FACT_HDISK_IO_TIME), 8e6);
    assert_null(object_find(t->herd->host, KIND_HDISK, "loop0"));
    assert_null(object_find(t->herd->host, KIND_HDISK, "nbd0"));
    assert_number(child_fact(t, KIND_HNIC, "vnet0", FACT_HNIC_RX_BYTES), 10);
    assert_number(child_fact(t, KIND_HNIC, "vnet0", FACT_HNIC_TX_DROPS), 3);
    assert_number(child_fact(t, KIND_HNIC, "vnet0", FACT_HNIC_UP), 1);
    assert_absent(child_fact(t, KIND_HNIC, "vnet0", FACT_HNIC_TX_BYTES));
    assert_number(child_fact(t, KIND_HNIC, "vnet1", FACT_HNIC_UP), 0);
}

static void append_kmsg(const struct tree *t, const char *line)
{
    CLEANUP(freep) char *path = full_path(t, "dev/kmsg");
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, line, strlen(line)), strlen(line));
    close(fd);
}

static void test_kernel_messages(void **state)
{
    struct tree *t = *state;
    append_kmsg(t, "2,1,0,-;mce: [Hardware Error]: CPU 0: Machine Check: 0 Bank 5\n");
    open_host(t, false);
    scan(t);
    sample(t);
    assert_number(host_fact(t, FACT_HOST_KMSG_MCE), 0); // from before us
    append_kmsg(t, "2,2,0,-;mce: [Hardware Error]: CPU 0: Machine Check: 0 Bank 5\n"
                   " SUBSYSTEM=cpu\n"
                   "0,3,0,-;watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [CPU 0/KVM:1]\n"
                   "0,4,0,-;watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [CPU 0/KVM:1]\n");
    sample(t);
    assert_number(host_fact(t, FACT_HOST_KMSG_MCE), 1);
    assert_number(host_fact(t, FACT_HOST_KMSG_SOFT_LOCKUP), 2);
    assert_number(host_fact(t, FACT_HOST_KMSG_OOM_KILL), 0);
    assert_null(reason(t->herd->host, "kernel_messages"));
}

static void test_nothing_there(void **state)
{
    struct tree *t = *state;
    drop(t, "proc/stat");
    open_host(t, false);
    scan(t);
    sample(t);
    assert_absent(host_fact(t, FACT_HOST_KMSG_MCE));
    assert_absent(host_fact(t, FACT_HOST_MEM_TOTAL));
    assert_absent(host_fact(t, FACT_HOST_CPUS));
    assert_absent(host_fact(t, FACT_HOST_PSI_IO_SOME));
    static const char *const missing[] = {"kernel_messages", "memory", "cpu",
                                          "pressure",        "ksm",    "interfaces",
                                          "swap_activity",   "load",   "disks"};
    for (size_t i = 0; i < ARRAY_LEN(missing); i++)
        assert_string_equal(reason(t->herd->host, missing[i]), "the kernel has no such file");
}

static void test_open_fails(void **state)
{
    struct tree *t = *state;
    struct host_params params = {.root = "/nonexistent", .clock = &t->clock.clock};
    struct host *h = NULL;
    struct err err = {0};
    assert_int_equal(host_kernel.open(&params, &h, &err), -ENOENT);
    assert_non_null(strstr(err.message, "/nonexistent"));
    assert_null(h);
    drop(t, "proc/self");
    params.root = t->root;
    assert_int_equal(host_kernel.open(&params, &h, &err), -ENOENT);
    assert_non_null(strstr(err.message, "proc"));
}

static void test_process_state(void **state)
{
    struct tree *t = *state;
    put_qemu(t, 100, "web1", UUID_A);
    assert_int_equal(host_process_state(t->root, 100, 5000), 'S');
    assert_int_equal(host_process_state(t->root, 100, 5001), 0);
    assert_int_equal(host_process_state(t->root, 101, 5000), 0);
    put_stat(t, "proc/100", 100, "qemu) S (", 'T', 4, 5000, 0);
    assert_int_equal(host_process_state(t->root, 100, 5000), 'T');
    put(t, "proc/100/stat", "x");
    assert_int_equal(host_process_state(t->root, 100, 5000), 0);
}

static void test_process_io(void **state)
{
    struct tree *t = *state;
    struct host_io io;
    put_qemu(t, 100, "web1", UUID_A);
    assert_int_equal(host_process_io(t->root, 100, &io), -ENOENT);
    put(t, "proc/100/io",
        "rchar: 18014398509481984\nwchar: 2\nsyscr: 3\nsyscw: 4\nread_bytes: 5\n"
        "write_bytes: 6\ncancelled_write_bytes: 7\n");
    assert_int_equal(host_process_io(t->root, 100, &io), 0);
    assert_true(io.read_chars == UINT64_C(18014398509481984));
    assert_int_equal(io.write_chars, 2);
    assert_int_equal(io.read_calls, 3);
    assert_int_equal(io.write_calls, 4);
    assert_int_equal(io.read_bytes, 5);
    assert_int_equal(io.write_bytes, 6);
    put(t, "proc/100/io", "rchar: 1\nwchar: 2\n");
    assert_int_equal(host_process_io(t->root, 100, &io), -EINVAL);
}

#define TREE_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TREE_TEST(test_threads),
        TREE_TEST(test_threads_come_and_go),
        TREE_TEST(test_counters_never_step_back),
        TREE_TEST(test_switches_follow_runs),
        TREE_TEST(test_a_guest_that_wakes_has_its_turn),
        TREE_TEST(test_details_of_each_second),
        TREE_TEST(test_vhost_in_the_process),
        TREE_TEST(test_threads_named_late),
        TREE_TEST(test_vhost_kernel_threads),
        TREE_TEST(test_threads_without_names),
        TREE_TEST(test_names_from_cgroups),
        TREE_TEST(test_cgroup_v2),
        TREE_TEST(test_cgroup_v2_moves),
        TREE_TEST(test_cgroup_v2_without_pressure),
        TREE_TEST(test_cgroup_v1),
        TREE_TEST(test_thread_files_missing),
        TREE_TEST(test_cgroup_that_tells_nothing),
        TREE_TEST(test_slow_memory),
        TREE_TEST(test_slow_takes_turns),
        TREE_TEST(test_kvm_debugfs),
        TREE_TEST(test_kvm_reasons),
        TREE_TEST(test_permission),
        TREE_TEST(test_hostile_names),
        TREE_TEST(test_garbage),
        TREE_TEST(test_gone_is_told_once),
        TREE_TEST(test_pid_used_again),
        TREE_TEST(test_fork_becomes_qemu),
        TREE_TEST(test_stuck_command_line),
        TREE_TEST(test_mount_namespaces),
        TREE_TEST(test_all_mount_namespaces),
        TREE_TEST(test_machine),
        TREE_TEST(test_numa),
        TREE_TEST(test_disks_and_nics),
        TREE_TEST(test_nodes_without_files),
        TREE_TEST(test_kernel_messages),
        TREE_TEST(test_nothing_there),
        TREE_TEST(test_open_fails),
        TREE_TEST(test_process_state),
        TREE_TEST(test_process_io),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
