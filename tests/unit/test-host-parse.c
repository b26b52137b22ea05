// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <linux/kvm.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "host_parse.h"

#define TEXT(s) (s), strlen(s)

#define STAT_TAIL                                                                                  \
    " S 1 10 10 0 -1 138428736 8000 1 77 2 300 200 3 4 20 0 5 0 123456 900000 2048 "               \
    "18446744073709551615 1 1 0 0 0 0 0 4096 1073743847 0 0 0 17 3 0 0 9 0 0\n"

static void test_stat(void **state)
{
    struct proc_stat st;
    assert_int_equal(parse_stat(TEXT("10 (qemu-system-x86)" STAT_TAIL), &st), 0);
    assert_string_equal(st.comm, "qemu-system-x86");
    assert_int_equal(st.state, 'S');
    assert_int_equal(st.ppid, 1);
    assert_int_equal(st.major_faults, 77);
    assert_int_equal(st.cpu_ticks, 500);
    assert_int_equal(st.threads, 5);
    assert_int_equal(st.start_ticks, 123456);
    assert_int_equal(st.rss_pages, 2048);
    assert_int_equal(st.cpu, 3);
    assert_false(st.kernel_thread);
}

static void test_stat_hostile_names(void **state)
{
    static const char *const names[] = {"a) R 1 (b", "", ")", "(((", "\n) Z 2", "CPU 0/KVM"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct proc_stat st;
        CLEANUP(freep) char *text = mem_printf("10 (%s)%s", names[i], STAT_TAIL);
        assert_int_equal(parse_stat(TEXT(text), &st), 0);
        assert_string_equal(st.comm, names[i]);
        assert_int_equal(st.state, 'S');
        assert_int_equal(st.ppid, 1);
    }
}

static void test_stat_kernel_thread(void **state)
{
    struct proc_stat st;
    const char *text = "77 (vhost-10) S 2 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 5 0 0 0\n";
    assert_int_equal(parse_stat(TEXT(text), &st), 0);
    assert_true(st.kernel_thread);
    assert_int_equal(st.cpu, -1);
}

static void test_stat_garbage(void **state)
{
    static const char *const texts[] = {"",
                                        "10",
                                        "10 (qemu",
                                        "10 (qemu)",
                                        "10 (qemu) S",
                                        "10 (qemu) S 1 2 3",
                                        ")(",
                                        "10 (q) S 1 10 10 0 -1 0 0 0 0 0 0 0 0 0 20 0 x 0 5 0 0",
                                        "10 (q) S 1 10 10 0 -1 0 0 0 0 0 0 0 0 0 20 0 -4 0 5 0 0"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct proc_stat st = {.state = '!'};
        assert_int_equal(parse_stat(TEXT(texts[i]), &st), -EINVAL);
        assert_int_equal(st.state, '!');
    }
}

static void test_schedstat(void **state)
{
    struct sched_times t = {1, 2, 3};
    assert_int_equal(parse_schedstat(TEXT("123456789012 345 6\n"), &t), 0);
    assert_int_equal(t.run_ns, 123456789012);
    assert_int_equal(t.wait_ns, 345);
    assert_int_equal(t.slices, 6);
    assert_int_equal(parse_schedstat(TEXT("1 2"), &t), -EINVAL);
    assert_int_equal(parse_schedstat(TEXT("99999999999999999999999 2 3"), &t), -EINVAL);
    assert_int_equal(parse_schedstat(TEXT("-1 2 3"), &t), -EINVAL);
    assert_int_equal(t.slices, 6);
}

static void test_thread_names(void **state)
{
    static const struct {
        const char *name;
        enum thread_role role;
        int number;
    } rows[] = {
        {"CPU 0/KVM", THREAD_VCPU, 0},
        {"CPU 123/TCG", THREAD_VCPU, 123},
        {"CPU x/KVM", THREAD_EMULATOR, -1},
        {"CPU 0", THREAD_VCPU, 0},
        {"CPU 99999999999", THREAD_EMULATOR, -1},
        {"IO iothread1", THREAD_IOTHREAD, 1},
        {"IO mon_iothread", THREAD_EMULATOR, -1},
        {"vhost-4711", THREAD_VHOST, 4711},
        {"vhost-", THREAD_EMULATOR, -1},
        {"worker", THREAD_EMULATOR, -1},
        {"", THREAD_EMULATOR, -1},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int32_t number = 5;
        assert_int_equal(parse_thread_name(rows[i].name, &number), rows[i].role);
        assert_int_equal(number, rows[i].number);
    }
    int32_t number;
    assert_int_equal(parse_thread_cgroup("/machine/x/vcpu7", &number), THREAD_VCPU);
    assert_int_equal(number, 7);
    assert_int_equal(parse_thread_cgroup("/machine/x/iothread2", &number), THREAD_IOTHREAD);
    assert_int_equal(parse_thread_cgroup("/machine/x/emulator", &number), THREAD_EMULATOR);
    assert_int_equal(parse_thread_cgroup("/vcpu1/emulator", &number), THREAD_EMULATOR);
}

static void test_keyed(void **state)
{
    static const struct keyed keys[] = {{"high"}, {"max"}, {"oom"}, {"oom_kill"}, {"Pss", 1024}};
    double v[5];
    parse_keyed(TEXT("low 0\nhigh 3\nmax 4\noom 5\noom_kill 6\nPss:   7 kB\nhigh 9"), keys, 5, v);
    assert_true(v[0] == 3 && v[1] == 4 && v[2] == 5 && v[3] == 6 && v[4] == 7168);
    parse_keyed(TEXT("xhigh 3\nhighx 4\nhigh\nmax x\noom -5\noom_kill\t6"), keys, 5, v);
    assert_true(isnan(v[0]) && isnan(v[1]) && isnan(v[2]) && isnan(v[4]));
    assert_true(v[3] == 6);
    parse_keyed(TEXT(""), keys, 5, v);
    assert_true(isnan(v[3]));
}

static void test_pressure(void **state)
{
    double some, full;
    parse_pressure(TEXT("some avg10=0.28 avg60=0.87 avg300=0.53 total=12550948\n"
                        "full avg10=0.00 avg60=0.00 avg300=0.00 total=17\n"),
                   &some, &full);
    assert_true(some == 12550948000.0);
    assert_true(full == 17000.0);
    parse_pressure(TEXT("some avg10=0.28 total=x\n"), &some, &full);
    assert_true(isnan(some) && isnan(full));
}

// Arguments separated by '|', which none of them holds.
static struct guest_args cmdline(const char *arguments)
{
    CLEANUP(freep) char *data = mem_strdup(arguments);
    struct guest_args args;
    for (char *p = data; *p; p++)
        if (*p == '|')
            *p = '\0';
    parse_cmdline(data, strlen(arguments) + 1, &args);
    return args;
}

static void test_cmdline(void **state)
{
    static const struct {
        const char *arguments, *name;
    } rows[] = {
        {"qemu|-name|guest=web1,debug-threads=on|-S", "web1"},
        {"qemu|-name|web1", "web1"},
        {"qemu|-name|web1,process=x", "web1"},
        {"qemu|-name|debug-threads=on,guest=web1", "web1"},
        {"qemu|-name|guest=a,,b,,,,c,debug-threads=on", "a,b,,c"},
        {"qemu|-name|guest=,,guest=x,,,debug-threads=on", ",guest=x,"},
        {"qemu|-name|guest=a\nb\t\"<script>'|-x", "a\nb\t\"<script>'"},
        {"qemu|-name|guest=--option", "--option"},
        {"qemu|-name|guest=-uuid|x", "-uuid"},
        {"qemu|-name|process=guest", ""},
        {"qemu|-name|process=a,,guest=evil,guest=good", "good"},
        {"qemu|-name|guest=", ""},
        {"qemu|--name|guest=dashes", "dashes"},
        {"qemu|-name", ""},
        {"qemu|-names|guest=x", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct guest_args args = cmdline(rows[i].arguments);
        assert_string_equal(args.name, rows[i].name);
        assert_false(args.has_uuid);
    }
}

static void test_cmdline_uuid(void **state)
{
    char text[UUID_TEXT];
    struct guest_args args =
        cmdline("qemu|-name|guest=x|-uuid|00112233-4455-6677-8899-AABBCCDDEEFF|-S");
    assert_true(args.has_uuid);
    uuid_format(&args.uuid, text);
    assert_string_equal(text, "00112233-4455-6677-8899-aabbccddeeff");
    assert_false(cmdline("qemu|-uuid|nonsense").has_uuid);
    assert_false(cmdline("qemu|-uuid").has_uuid);
    assert_false(cmdline("").has_uuid);
    // A name is not an option, whatever it looks like.
    assert_false(cmdline("qemu|-name|-uuid|00112233-4455-6677-8899-aabbccddeeff").has_uuid);
}

static void test_cmdline_long_names(void **state)
{
    CLEANUP(freep) char *name = mem_zalloc(256);
    for (int i = 0; i < 85; i++)
        memcpy(name + 3 * i, "\xe2\x82\xac", 3); // 255 bytes of euro signs
    CLEANUP(freep) char *line = mem_printf("qemu|-name|guest=%s,debug-threads=on", name);
    assert_string_equal(cmdline(line).name, name);

    CLEANUP(freep) char *huge = mem_zalloc(5000);
    memset(huge, 'x', 4999);
    CLEANUP(freep) char *huge_line = mem_printf("qemu|-name|guest=%s", huge);
    assert_int_equal(strlen(cmdline(huge_line).name), GUEST_NAME_MAX - 1);
}

static void assert_path(const struct cgroup_line *l, const char *path, const char *controllers)
{
    assert_non_null(l->path);
    assert_int_equal(l->path_len, strlen(path));
    assert_memory_equal(l->path, path, l->path_len);
    assert_int_equal(l->controllers_len, strlen(controllers));
    assert_memory_equal(l->controllers, controllers, l->controllers_len);
}

static void test_cgroup(void **state)
{
    struct cgroup_line l[CGROUP_SLOTS];
    parse_cgroup(TEXT("12:cpuset:/a\n4:cpu,cpuacct:/b\n3:memory:/c:d\n1:name=systemd:/e\n0::/f\n"),
                 l);
    assert_path(&l[CGROUP_CPU], "/b", "cpu,cpuacct");
    assert_path(&l[CGROUP_MEMORY], "/c:d", "memory");
    assert_path(&l[CGROUP_V2], "/f", "");
    parse_cgroup(TEXT("0::/only\n"), l);
    assert_path(&l[CGROUP_V2], "/only", "");
    assert_null(l[CGROUP_CPU].path);
    parse_cgroup(TEXT("4:cpuset,cpuacct:/b\nx\n::\n5:cpu\n6:cpu:relative\n"), l);
    for (int i = 0; i < CGROUP_SLOTS; i++)
        assert_null(l[i].path);
}

static void test_cgroup_own(void **state)
{
    static const struct {
        const char *path, *own;
        bool split;
    } rows[] = {
        {"/machine.slice/machine-qemu\\x2d1\\x2da.scope/libvirt/emulator",
         "/machine.slice/machine-qemu\\x2d1\\x2da.scope/libvirt", true},
        {"/machine/qemu-1-a.libvirt-qemu/emulator", "/machine/qemu-1-a.libvirt-qemu", true},
        {"/machine/qemu-1-a.libvirt-qemu/vcpu0", "/machine/qemu-1-a.libvirt-qemu", true},
        {"/machine/qemu-1-a.libvirt-qemu", "/machine/qemu-1-a.libvirt-qemu", false},
        {"/machine.slice/machine-qemu\\x2d1\\x2da.scope",
         "/machine.slice/machine-qemu\\x2d1\\x2da.scope", false},
        {"/user.slice/user-0.slice/session-1.scope", "", false},
        {"/", "", false},
        {"", "", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        bool split = !rows[i].split;
        assert_int_equal(cgroup_vm_path(TEXT(rows[i].path), &split), strlen(rows[i].own));
        assert_int_equal(split, rows[i].split);
    }
}

static void test_disk(void **state)
{
    struct disk_stat d;
    assert_int_equal(parse_disk_stat(TEXT("  10 2 300 4 50 6 700 8 9 10 11 0 0\n"), &d), 0);
    assert_true(d.reads == 10 && d.read_sectors == 300 && d.read_ms == 4 && d.writes == 50);
    assert_true(d.write_sectors == 700 && d.write_ms == 8 && d.in_flight == 9 && d.io_ms == 10);
    assert_int_equal(d.weighted_ms, 11);
    assert_int_equal(parse_disk_stat(TEXT("1 2 3\n"), &d), -EINVAL);
}

static void test_cpu_line(void **state)
{
    uint32_t id = 9;
    uint64_t v[CPU_COLUMNS];
    assert_int_equal(parse_cpu_line(TEXT("cpu12 1 2 3 4 5 6 7 8 9 10"), &id, v), 0);
    assert_int_equal(id, 12);
    assert_int_equal(v[CPU_USER], 1);
    assert_int_equal(v[CPU_STEAL], 8);
    assert_int_equal(v[CPU_GUEST_NICE], 10);
    assert_int_equal(parse_cpu_line(TEXT("cpu  1 2 3 4 5 6 7 8 9 10"), &id, v), -EINVAL);
    assert_int_equal(parse_cpu_line(TEXT("cpu0 1 2"), &id, v), -EINVAL);
    assert_int_equal(parse_cpu_line(TEXT("ctxt 1"), &id, v), -EINVAL);
}

static void test_kmsg(void **state)
{
    static const struct {
        const char *record;
        enum kmsg_kind kind;
    } rows[] = {
        {"2,1,0,-;mce: [Hardware Error]: CPU 0: Machine Check: 0 Bank 5: be00000000800400",
         KMSG_MCE},
        {"4,1,0,-;mce: [Hardware Error]: Machine check events logged", KMSG_MCE},
        {"0,1,0,-;watchdog: BUG: soft lockup - CPU#3 stuck for 23s! [CPU 0/KVM:4711]",
         KMSG_SOFT_LOCKUP},
        {"0,1,0,-;NMI watchdog: Watchdog detected hard LOCKUP on cpu 2", KMSG_HARD_LOCKUP},
        {"3,1,0,-;INFO: task qemu-system-x86:99 blocked for more than 120 seconds.",
         KMSG_HUNG_TASK},
        {"3,1,0,-;INFO: task x:9 blocked in I/O wait for more than 120 seconds.", KMSG_HUNG_TASK},
        {"3,1,0,-;INFO: task x:9 is blocked on a mutex likely owned by task y:8.", KMSG_OTHER},
        {"3,1,0,-;Out of memory: Killed process 12 (qemu-system-x86) total-vm:1kB", KMSG_OOM_KILL},
        {"3,1,0,-;Out of memory (oom_kill_allocating_task): Killed process 12 (x)", KMSG_OOM_KILL},
        {"3,1,0,-;Memory cgroup out of memory: Killed process 12 (x)", KMSG_OOM_KILL},
        {"3,1,0,-;I/O error, dev sda, sector 12345 op 0x0:(READ)", KMSG_IO_ERROR},
        {"3,1,0,-;Buffer I/O error on dev dm-0, logical block 0", KMSG_IO_ERROR},
        {"3,1,0,-;kvm [4711]: vcpu0, guest rIP: 0xff disabled perfctr", KMSG_KVM},
        {"3,1,0,-;kvm [4711]: vcpu0, guest rIP: 0xff unhandled rdmsr: 0x1", KMSG_OTHER},
        {"6,1,0,-;kvm: Nested Virtualization enabled", KMSG_OTHER},
        {"6,1,0,-;eth0: link up", KMSG_OTHER},
        // Facility 1: somebody in user space wrote it.
        {"12,1,0,-;mce: [Hardware Error]: CPU 0: Machine Check: 0 Bank 5", KMSG_OTHER},
        {"mce: [Hardware Error]: Machine Check", KMSG_OTHER},
        {" SUBSYSTEM=Machine Check", KMSG_OTHER},
        {"", KMSG_OTHER},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(parse_kmsg(TEXT(rows[i].record)), rows[i].kind);
}

// A statistics file as KVM writes it, with `names` in their order and 8 bytes for each.
static size_t kvm_file(char *out, size_t size, const char *const *names, uint32_t n)
{
    const uint32_t name_size = 48, step = sizeof(struct kvm_stats_desc) + name_size;
    struct kvm_stats_header h = {.name_size = name_size, .num_desc = n, .id_offset = sizeof(h)};
    h.desc_offset = h.id_offset + name_size;
    h.data_offset = h.desc_offset + n * step;
    memset(out, 0, size);
    memcpy(out, &h, sizeof(h));
    for (uint32_t i = 0; i < n; i++) {
        struct kvm_stats_desc d = {.size = 1, .offset = i * 8};
        memcpy(out + h.desc_offset + i * step, &d, sizeof(d));
        memcpy(out + h.desc_offset + i * step + sizeof(d), names[i], strlen(names[i]));
    }
    return h.data_offset;
}

static void test_kvm(void **state)
{
    static const char *const names[] = {"exits_x", "exits", "halt_wait_ns"};
    char file[4096];
    size_t data = kvm_file(file, sizeof(file), names, 3), need = 0;
    struct kvm_layout layout;
    assert_int_equal(parse_kvm_layout(file, data, &layout, &need), 0);
    assert_int_equal(layout.offset[KVM_EXITS], data + 8);
    assert_int_equal(layout.offset[KVM_HALT_WAIT], data + 16);
    assert_int_equal(layout.offset[KVM_IO_EXITS], 0);
    assert_int_equal(layout.begin, data + 8);
    assert_int_equal(layout.end, data + 24);

    assert_int_equal(parse_kvm_layout(file, 10, &layout, &need), -EAGAIN);
    assert_int_equal(need, sizeof(struct kvm_stats_header));
    assert_int_equal(parse_kvm_layout(file, data - 1, &layout, &need), -EAGAIN);
    assert_int_equal(need, data);
}

static void test_kvm_garbage(void **state)
{
    static const char *const names[] = {"exits"};
    char file[4096];
    size_t data = kvm_file(file, sizeof(file), names, 1), need = 0;
    struct kvm_stats_header good, h;
    struct kvm_layout layout;
    memcpy(&good, file, sizeof(good));
    for (int i = 0; i < 4; i++) {
        h = good;
        if (i == 0)
            h.num_desc = UINT32_MAX;
        else if (i == 1)
            h.name_size = 0;
        else if (i == 2)
            h.name_size = UINT32_MAX;
        else
            h.desc_offset = UINT32_MAX;
        memcpy(file, &h, sizeof(h));
        assert_int_equal(parse_kvm_layout(file, data, &layout, &need), -EINVAL);
    }
    memcpy(file, &good, sizeof(good));
    memset(file + good.desc_offset + sizeof(struct kvm_stats_desc), 'x', good.name_size);
    assert_int_equal(parse_kvm_layout(file, data, &layout, &need), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stat),
        cmocka_unit_test(test_stat_hostile_names),
        cmocka_unit_test(test_stat_kernel_thread),
        cmocka_unit_test(test_stat_garbage),
        cmocka_unit_test(test_schedstat),
        cmocka_unit_test(test_thread_names),
        cmocka_unit_test(test_keyed),
        cmocka_unit_test(test_pressure),
        cmocka_unit_test(test_cmdline),
        cmocka_unit_test(test_cmdline_uuid),
        cmocka_unit_test(test_cmdline_long_names),
        cmocka_unit_test(test_cgroup),
        cmocka_unit_test(test_cgroup_own),
        cmocka_unit_test(test_disk),
        cmocka_unit_test(test_cpu_line),
        cmocka_unit_test(test_kmsg),
        cmocka_unit_test(test_kvm),
        cmocka_unit_test(test_kvm_garbage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
