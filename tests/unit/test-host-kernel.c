// SPDX-License-Identifier: GPL-3.0-or-later
// The kernel back end on recorded trees, made afresh for each test: processes and their threads.
#include "kernel-tree.h"

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
        TREE_TEST(test_thread_files_missing),
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
        TREE_TEST(test_nothing_there),
        TREE_TEST(test_open_fails),
        TREE_TEST(test_process_state),
        TREE_TEST(test_process_io),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
