// SPDX-License-Identifier: GPL-3.0-or-later
// The machine itself on recorded trees: CPUs, memory, nodes, devices, the kernel's messages.
#include "kernel-tree.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TREE_TEST(test_machine),         TREE_TEST(test_numa),
        TREE_TEST(test_disks_and_nics),  TREE_TEST(test_nodes_without_files),
        TREE_TEST(test_kernel_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
