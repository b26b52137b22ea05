// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "scratch.h"
#include "virt/stored.h"

// What a test says a definition is; NULL: the ordinary.
struct definition {
    const char *id, *vcpu, *memory, *os, *cpu, *disk, *nic, *more;
};

static char *write_definition(const struct definition *d)
{
#define OR(text, usual) ((text) ? (text) : (usual))
    return mem_printf(
        "<domain type='kvm'%s><name>a</name><memory unit='KiB'>%s</memory>"
        "<currentMemory unit='KiB'>%s</currentMemory>%s<os>%s</os>%s<devices>%s%s%s</devices>"
        "</domain>",
        OR(d->id, ""), OR(d->memory, "1048576"), d->id ? "524288" : "1048576",
        OR(d->vcpu, "<vcpu placement='static'>2</vcpu>"),
        OR(d->os, "<type arch='x86_64' machine='pc-q35-7.2'>hvm</type><boot dev='hd'/>"),
        OR(d->cpu, "<cpu mode='host-model' check='partial'/>"),
        OR(d->disk, "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>"
                    "<source file='/a.qcow2'/><target dev='vda' bus='virtio'/></disk>"),
        OR(d->nic, "<interface type='network'><mac address='52:54:00:00:00:01'/>"
                   "<source network='default'/><model type='virtio'/></interface>"),
        OR(d->more, ""));
#undef OR
}

static double row_of(const struct batch *b, const char *key, enum fact fact)
{
    for (uint32_t i = 0; i < b->n_rows; i++)
        if (b->rows[i].fact == (int16_t)fact && strcmp(b->text + b->rows[i].key, key) == 0)
            return b->rows[i].value;
    fail_msg("the fact is not there");
    return 0;
}

static const char *differences_of(const struct batch *b)
{
    for (uint32_t i = 0; i < b->n_rows; i++)
        if (b->rows[i].attr == ATTR_VM_DIFFERENCES)
            return b->text + b->rows[i].text;
    fail_msg("the attribute is not there");
    return NULL;
}

// Compares a running VM (an id is added where it has none) with its stored definition.
static void expect(struct definition now, struct definition stored, const char *differences)
{
    CLEANUP(freep) char *a = NULL;
    CLEANUP(freep) char *b = write_definition(&stored);
    struct batch *out = batch_new();
    struct err err = {0};
    now.id = " id='3'";
    a = write_definition(&now);
    assert_int_equal(virt_stored_read(a, b, out, &err), 0);
    assert_string_equal(differences_of(out), differences);
    assert_true(row_of(out, "", FACT_VM_CONFIG_DIFFERS) == (*differences != '\0'));
    batch_free(out);
}

static void test_what_runs_as_stored_differs_in_nothing(void **state)
{
    // In the words in which libvirt 9.0 gives a running VM and its stored definition.
    const struct definition now = {
        .memory = "1000448",
        .cpu = "<cpu mode='custom' match='exact' check='full'><model fallback='forbid'>Skylake"
               "</model><feature policy='require' name='vme'/></cpu>",
        .os = "<type arch='x86_64' machine='pc-q35-7.2'>hvm</type><boot dev='hd'/>"
              "<loader readonly='yes' type='pflash'>/usr/share/OVMF_CODE.fd</loader>",
        .disk = "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>"
                "<source file='/a.qcow2' index='2'/><backingStore type='file' index='3'>"
                "<format type='raw'/><source file='/base.img'/><backingStore/></backingStore>"
                "<target dev='vda' bus='virtio'/><alias name='virtio-disk0'/>"
                "<address type='pci' bus='0x04'/></disk>",
        .nic = "<interface type='bridge'><mac address='52:54:00:00:00:01'/><source "
               "network='default' portid='1' bridge='virbr0'/><target dev='vnet0'/>"
               "<model type='virtio'/><alias name='net0'/></interface>",
        .more = "<graphics type='vnc' port='5900'/><seclabel type='dynamic'/>",
    };
    const struct definition stored = {
        .memory = "1000000",
        .os = "<type arch='x86_64' machine='pc-q35-7.2'>hvm</type><boot dev='hd'/>"
              "<firmware/><loader readonly='yes' type='pflash'/>",
        .more = "<graphics type='vnc' port='-1' autoport='yes'/>",
    };
    expect(now, stored, "");
}

static void test_each_difference_is_named(void **state)
{
    const struct definition same = {0};
    static const struct {
        struct definition now;
        const char *differences;
    } cases[] = {
        {{.vcpu = "<vcpu current='1'>2</vcpu>"}, "vCPUs"},
        {{.vcpu = "<vcpu current='2'>4</vcpu>"}, "maximum vCPUs"},
        {{.vcpu = "<vcpu>4</vcpu>"}, "vCPUs, maximum vCPUs"},
        {{.memory = "2097152"}, "memory"},
        {{.os = "<type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type><boot dev='hd'/>"},
         "machine"},
        {{.os = "<type arch='x86_64' machine='pc-q35-7.2'>hvm</type><boot dev='network'/>"},
         "boot order"},
        {{.os = "<type arch='x86_64' machine='pc-q35-7.2'>hvm</type><boot dev='hd'/>"
                "<loader>/x</loader>"},
         "firmware"},
        {{.os = "<type arch='x86_64' machine='pc-q35-7.2'>hvm</type><boot dev='hd'/>"
                "<kernel>/k</kernel><cmdline>quiet</cmdline>"},
         "kernel"},
        {{.cpu = "<cpu mode='host-passthrough'/>"}, "CPU model"},
        {{.cpu = "<cpu mode='host-model'><topology sockets='1' cores='2' threads='1'/></cpu>"}, ""},
        {{.disk = "<disk device='disk'><source file='/b.qcow2'/><target dev='vda' bus='virtio'/>"
                  "</disk>"},
         "disk vda"},
        {{.disk = "<disk device='disk'><source file='/a.qcow2'/><target dev='vda' bus='scsi'/>"
                  "</disk>"},
         "disk vda"},
        {{.disk = ""}, "disk vda"},
        {{.nic = "<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='br7' "
                 "network='other'/></interface>"},
         "NIC 52:54:00:00:00:01"},
        {{.nic = ""}, "NIC 52:54:00:00:00:01"},
        {{.more = "<hostdev mode='subsystem' type='usb'/>"}, "host devices"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        expect(cases[i].now, same, cases[i].differences);
        if (strncmp(cases[i].differences, "CPU", 3) != 0)
            expect(same, cases[i].now, cases[i].differences);
    }
}

static void test_custom_cpus_are_compared_by_model(void **state)
{
    const struct definition a = {.cpu = "<cpu mode='custom'><model>qemu64</model></cpu>"};
    const struct definition b = {.cpu = "<cpu mode='custom'><model>Haswell</model></cpu>"};
    const struct definition expanded = {
        .cpu = "<cpu mode='custom' check='full'><model fallback='forbid'>qemu64</model>"
               "<feature policy='require' name='x2apic'/></cpu>"};
    expect(expanded, a, "");
    expect(a, b, "CPU model");
}

static void test_media_that_may_be_missing_are_free(void **state)
{
    const struct definition now = {
        .disk =
            "<disk type='file' device='cdrom'><target dev='sda' bus='sata'/><readonly/></disk>"};
    const struct definition stored = {
        .disk = "<disk type='file' device='cdrom'><source file='/x.iso' startupPolicy='optional'/>"
                "<target dev='sda' bus='sata'/><readonly/></disk>"};
    expect(now, stored, "");
}

static void test_long_lists_are_cut(void **state)
{
    CLEANUP(buf_done) struct buf many;
    buf_init(&many, 1 << 20);
    for (int i = 0; i < 500; i++)
        buf_printf(&many, "<disk><source file='/%d'/><target dev='vd%d'/></disk>", i, i);
    struct definition now = {.disk = many.data};
    expect(now, (struct definition){0}, "very much");
}

static void test_without_a_stored_definition_nothing_is_said(void **state)
{
    const struct definition d = {.id = " id='3'"};
    CLEANUP(freep) char *xml = write_definition(&d);
    struct batch *out = batch_new();
    struct err err = {0};
    assert_int_equal(virt_stored_read(xml, NULL, out, &err), 0);
    assert_true(isnan(row_of(out, "", FACT_VM_CONFIG_DIFFERS)));
    assert_true(isnan(row_of(out, "vda", FACT_DISK_CHAIN_DEPTH)));
    batch_free(out);
}

static void test_a_running_vm_has_an_id(void **state)
{
    assert_true(virt_stored_is_running("<domain type='kvm' id='3'>"));
    assert_false(virt_stored_is_running("<domain type='kvm'><name id='3'/>"));
    assert_false(virt_stored_is_running("<domain type='kvm'><x a='' id='3'/></domain>"));
    assert_false(virt_stored_is_running(""));
}

static void test_documents_that_are_none(void **state)
{
    static const char *const bad[] = {"", "<domain", "<network/>",
                                      "<!DOCTYPE a [<!ENTITY b 'c'>]><domain/>"};
    struct batch *out = batch_new();
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err err = {0};
        assert_int_equal(virt_stored_read(bad[i], NULL, out, &err), -EINVAL);
        assert_true(err.message[0] != '\0');
        assert_int_equal(virt_stored_read("<domain/>", bad[i], out, &err), -EINVAL);
    }
    batch_free(out);
}

static void test_a_running_chain_is_counted(void **state)
{
    static const char disk[] =
        "<disk><source file='/c'/><backingStore type='file'><source file='/b'/>"
        "<backingStore type='file'><source file='/a'/><backingStore/></backingStore>"
        "</backingStore><target dev='vda'/></disk>"
        "<disk><source file='/d'/><backingStore/><target dev='vdb'/></disk>"
        "<disk><source file='/e'/><target dev='vdc'/></disk>";
    const struct definition d = {.id = " id='3'", .disk = disk};
    CLEANUP(freep) char *xml = write_definition(&d);
    struct batch *out = batch_new();
    assert_int_equal(virt_stored_read(xml, NULL, out, NULL), 0);
    assert_true(row_of(out, "vda", FACT_DISK_CHAIN_DEPTH) == 2);
    assert_true(row_of(out, "vdb", FACT_DISK_CHAIN_DEPTH) == 0);
    assert_true(isnan(row_of(out, "vdc", FACT_DISK_CHAIN_DEPTH)));
    batch_free(out);
}

// An image with a version 2 header.
static void put_image(const char *folder, const char *name, const char *backing)
{
    CLEANUP(freep) char *path = mem_printf("%s/%s", folder, name);
    uint8_t head[1024] = {'Q', 'F', 'I', 0xfb, 0, 0, 0, 2};
    size_t len = backing ? strlen(backing) : 0;
    if (backing) {
        head[15] = 72;
        head[18] = (uint8_t)(len >> 8);
        head[19] = (uint8_t)len;
        memcpy(head + 72, backing, len);
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, head, sizeof(head)), sizeof(head));
    close(fd);
}

static int depth_of(const char *folder, const char *name)
{
    CLEANUP(freep) char *path = mem_printf("%s/%s", folder, name);
    struct err err = {0};
    int r = virt_chain_depth(path, &err);
    assert_true(r >= 0 || err.message[0] != '\0');
    return r;
}

static void test_an_idle_chain_is_counted_by_headers(void **state)
{
    struct scratch dir CLEANUP(scratch_done) = scratch_new();
    const char *folder = dir.path;
    CLEANUP(freep) char *whole = mem_printf("%s/base", folder);
    put_image(folder, "base", NULL);
    put_image(folder, "one", "base");
    put_image(folder, "two", whole);
    put_image(folder, "three", "file:one");
    assert_int_equal(depth_of(folder, "base"), 0);
    assert_int_equal(depth_of(folder, "one"), 1);
    assert_int_equal(depth_of(folder, "two"), 1);
    assert_int_equal(depth_of(folder, "three"), 2);
}

static void test_hostile_chains_end(void **state)
{
    struct scratch dir CLEANUP(scratch_done) = scratch_new();
    const char *folder = dir.path;
    CLEANUP(freep) char *pipe = mem_printf("%s/pipe", folder);
    put_image(folder, "round", "round");
    put_image(folder, "net", "nbd://somewhere/disk");
    put_image(folder, "json", "json:{\"driver\":\"nbd\"}");
    put_image(folder, "gone", "nowhere");
    put_image(folder, "kernel", "/proc/kmsg");
    put_image(folder, "device", "/dev/zero");
    put_image(folder, "piped", "pipe");
    assert_int_equal(mkfifo(pipe, 0600), 0);
    assert_int_equal(depth_of(folder, "round"), -ELOOP);
    assert_int_equal(depth_of(folder, "net"), -ENOTSUP);
    assert_int_equal(depth_of(folder, "json"), -ENOTSUP);
    assert_int_equal(depth_of(folder, "gone"), -ENOENT);
    assert_int_equal(depth_of(folder, "kernel"), -ENOTSUP);
    assert_int_equal(depth_of(folder, "device"), -ENOTSUP);
    assert_int_equal(depth_of(folder, "piped"), -ENOTSUP);
}

static void test_an_idle_vm_tells_its_chain(void **state)
{
    struct scratch dir CLEANUP(scratch_done) = scratch_new();
    const char *folder = dir.path;
    put_image(folder, "base", NULL);
    put_image(folder, "one", "base");
    CLEANUP(freep)
    char *disks =
        mem_printf("<disk><driver type='qcow2'/><source file='%s/one'/><target dev='vda'/>"
                   "</disk><disk><driver type='raw'/><source file='%s/one'/>"
                   "<target dev='vdb'/></disk><disk><driver type='qcow2'/>"
                   "<source dev='/dev/x'/><target dev='vdc'/></disk>",
                   folder, folder);
    const struct definition d = {.disk = disks};
    CLEANUP(freep) char *xml = write_definition(&d);
    struct batch *out = batch_new();
    assert_int_equal(virt_stored_read(xml, NULL, out, NULL), 0);
    assert_true(row_of(out, "vda", FACT_DISK_CHAIN_DEPTH) == 1);
    assert_true(row_of(out, "vdb", FACT_DISK_CHAIN_DEPTH) == 0);
    assert_true(isnan(row_of(out, "vdc", FACT_DISK_CHAIN_DEPTH)));
    batch_free(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_runs_as_stored_differs_in_nothing),
        cmocka_unit_test(test_each_difference_is_named),
        cmocka_unit_test(test_custom_cpus_are_compared_by_model),
        cmocka_unit_test(test_media_that_may_be_missing_are_free),
        cmocka_unit_test(test_long_lists_are_cut),
        cmocka_unit_test(test_without_a_stored_definition_nothing_is_said),
        cmocka_unit_test(test_a_running_vm_has_an_id),
        cmocka_unit_test(test_documents_that_are_none),
        cmocka_unit_test(test_a_running_chain_is_counted),
        cmocka_unit_test(test_an_idle_chain_is_counted_by_headers),
        cmocka_unit_test(test_hostile_chains_end),
        cmocka_unit_test(test_an_idle_vm_tells_its_chain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
