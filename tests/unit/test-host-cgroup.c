// SPDX-License-Identifier: GPL-3.0-or-later
// Control groups of VMs, both versions, on recorded trees.
#include "kernel-tree.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TREE_TEST(test_names_from_cgroups), TREE_TEST(test_cgroup_v2),
        TREE_TEST(test_cgroup_v2_moves),    TREE_TEST(test_cgroup_v2_without_pressure),
        TREE_TEST(test_cgroup_v1),          TREE_TEST(test_cgroup_that_tells_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
