// SPDX-License-Identifier: GPL-3.0-or-later
// KVM's statistics out of another process: a child makes a VM with two vCPUs and keeps their
// statistics descriptors open, as QEMU 8.1 does. Needs /dev/kvm, but runs no guest.
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "host_slow.h"

#define VCPUS 2

struct child {
    pid_t pid;
    int stop; // closing it ends the child
};

// In the child: 0 once all descriptors are open, else the step that failed.
static char make_vm(void)
{
    int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (kvm < 0)
        return 'k';
    int vm = ioctl(kvm, KVM_CREATE_VM, 0);
    if (vm < 0)
        return 'v';
    for (int i = 0; i < VCPUS; i++) {
        int vcpu = ioctl(vm, KVM_CREATE_VCPU, i);
        if (vcpu < 0)
            return 'c';
        if (ioctl(vcpu, KVM_GET_STATS_FD, NULL) < 0)
            return 's';
    }
    return 0;
}

static void start_child(struct child *c)
{
    int ready[2], stop[2];
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(stop), 0);
    c->pid = fork();
    assert_true(c->pid >= 0);
    if (c->pid == 0) {
        close(stop[1]);
        char failed = make_vm(), byte;
        ssize_t n = write(ready[1], &failed, 1);
        n = read(stop[0], &byte, 1);
        _exit(n != 0);
    }
    close(ready[1]);
    close(stop[0]);
    c->stop = stop[1];
    char failed = '?';
    assert_int_equal(read(ready[0], &failed, 1), 1);
    close(ready[0]);
    if (failed) {
        close(c->stop);
        waitpid(c->pid, NULL, 0);
        print_message("skipped: this machine cannot make a KVM VM (step %c)\n", failed);
        skip();
    }
}

static void end_child(struct child *c)
{
    close(c->stop);
    waitpid(c->pid, NULL, 0);
}

static struct slow *open_slow(pid_t pid, bool real)
{
    char path[32];
    snprintf(path, sizeof(path), "/proc/%d", pid);
    int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct slow *s = slow_new(root, dir, pid, real, &clock_system);
    close(root);
    close(dir);
    assert_non_null(s);
    for (int32_t i = 0; i < VCPUS; i++) {
        mem_grow(&s->vcpus, &s->cap_vcpus, s->n_vcpus, sizeof(*s->vcpus));
        s->vcpus[s->n_vcpus++] = i;
    }
    return s;
}

static void test_descriptors_of_another_process(void **state)
{
    struct child c;
    start_child(&c);
    struct slow *s = open_slow(c.pid, true);
    s->probe.run(&s->probe);
    if (strstr(s->kvm_reason, "permission denied")) {
        slow_free(s);
        end_child(&c);
        print_message("skipped: no permission to take descriptors over\n");
        skip();
    }
    assert_string_equal(s->kvm_reason, "");
    assert_int_equal(s->n_kvm, VCPUS);
    assert_int_equal(s->n_stats, VCPUS);
    for (size_t i = 0; i < VCPUS; i++) {
        // The vCPUs never ran, and the kernel tells so: 0, not absent.
        assert_int_equal(s->kvm[i].id, i);
        assert_true(s->stats[i][KVM_EXITS] == 0);
        assert_true(s->stats[i][KVM_HALT_WAIT] == 0);
        assert_true(s->stats[i][KVM_POLL_FAIL] == 0);
    }
    assert_true(s->pss_bytes > 0);
    // Read again by the same descriptors, taken over once.
    int first = s->kvm[0].fd;
    s->probe.run(&s->probe);
    assert_int_equal(s->kvm[0].fd, first);
    assert_int_equal(s->n_stats, VCPUS);
    end_child(&c);
    slow_free(s);
}

static void test_counts_differ(void **state)
{
    struct child c;
    start_child(&c);
    struct slow *s = open_slow(c.pid, true);
    s->n_vcpus = 1; // we know of one vCPU, KVM of two: which one would it be?
    s->probe.run(&s->probe);
    assert_int_equal(s->n_stats, 0);
    assert_true(s->kvm_reason[0] != '\0');
    end_child(&c);
    slow_free(s);
}

static void test_not_kvm(void **state)
{
    struct slow *s = open_slow(getpid(), true);
    s->probe.run(&s->probe);
    assert_string_equal(s->kvm_reason, "the guest does not run under KVM");
    assert_int_equal(s->n_stats, 0);
    slow_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_descriptors_of_another_process),
        cmocka_unit_test(test_counts_differ),
        cmocka_unit_test(test_not_kvm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
