// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "virt/manage.h"

static const char hostile[] = "<a href=\"x\">'&]]>";

static void write_one(struct buf *out)
{
    struct virt_spec s = {
        .name = (char *)hostile,
        .memory_bytes = 64 << 20,
        .vcpus = 2,
        .max_vcpus = 4,
        .owner = (char *)hostile,
        .cmdline = (char *)hostile,
        .kernel = {.path = (char *)"/k"},
        .disks = {{.source = {.path = (char *)"/img/<x>'\"&"},
                   .target = (char *)"vda",
                   .format = (char *)"qcow2"}},
        .n_disks = 1,
        .nics = {{.network = (char *)"default"}, {.bridge = (char *)"br0"}},
        .n_nics = 2,
        .labels = {{(char *)"role", (char *)hostile}},
        .n_labels = 1,
        .numa = {(char *)hostile, VIRT_NUMA_INTERLEAVE},
        .pins = (struct virt_pin[]){{1, (char *)"4-7"}},
        .n_pins = 1,
    };
    s.uuid.b[15] = 7;
    buf_init(out, 1 << 20);
    virt_spec_write(&s, "qemu", out);
}

static void test_round_trip(void **state)
{
    CLEANUP(buf_done) struct buf xml;
    CLEANUP(virt_spec_done) struct virt_spec r = {0};
    struct err err = {0};
    write_one(&xml);
    assert_int_equal(virt_spec_read(xml.data, xml.len, &r, &err), 0);
    assert_string_equal(r.name, hostile);
    assert_string_equal(r.owner, hostile);
    assert_string_equal(r.cmdline, hostile);
    assert_string_equal(r.labels[0].value, hostile);
    assert_string_equal(r.disks[0].source.path, "/img/<x>'\"&");
    assert_int_equal(r.memory_bytes, 64 << 20);
    assert_int_equal(r.vcpus, 2);
    assert_int_equal(r.max_vcpus, 4);
    assert_int_equal(r.uuid.b[15], 7);
    assert_int_equal(r.n_nics, 2);
    assert_string_equal(r.nics[1].bridge, "br0");
    assert_string_equal(r.numa.nodes, hostile);
    assert_int_equal(r.numa.mode, VIRT_NUMA_INTERLEAVE);
    assert_int_equal(r.n_pins, 1);
    assert_int_equal(r.pins[0].vcpu, 1);
    assert_string_equal(r.pins[0].cpus, "4-7");
}

// libvirt chooses the firmware's files itself, and writes them into the definition.
static void test_firmware(void **state)
{
    static const char chosen[] =
        "<domain><name>u</name><memory>65536</memory><vcpu>1</vcpu><os firmware='efi'><type>hvm"
        "</type><loader type='pflash'>/code.fd</loader><nvram>/u_VARS.fd</nvram></os></domain>";
    for (int uefi = 0; uefi < 2; uefi++) {
        struct virt_spec s = {.name = (char *)"u", .memory_bytes = 64 << 20, .vcpus = 1};
        CLEANUP(virt_spec_done) struct virt_spec r = {0};
        CLEANUP(buf_done) struct buf xml;
        struct err err = {0};
        s.uefi = uefi;
        buf_init(&xml, 1 << 20);
        virt_spec_write(&s, "qemu", &xml);
        assert_int_equal(strstr(xml.data, "<os firmware='efi'>") != NULL, uefi);
        assert_int_equal(virt_spec_read(xml.data, xml.len, &r, &err), 0);
        assert_int_equal(r.uefi, uefi);
    }
    CLEANUP(virt_spec_done) struct virt_spec r = {0};
    struct err err = {0};
    assert_int_equal(virt_spec_read(chosen, strlen(chosen), &r, &err), 0);
    assert_true(r.uefi);
}

// libvirt counts DIMMs into the memory; a definition that is read has them beside it.
static void test_dimms(void **state)
{
    static const uint64_t mib = 1 << 20;
    const struct virt_spec made = {
        .name = (char *)"d", .memory_bytes = 64 * mib, .vcpus = 2, .plug_bytes = 256 * mib};
    CLEANUP(buf_done) struct buf xml, dimm;
    CLEANUP(virt_spec_done) struct virt_spec r = {0};
    struct err err = {0};
    buf_init(&xml, 65536);
    buf_init(&dimm, 4096);
    virt_spec_write(&made, "qemu", &xml);
    assert_non_null(strstr(xml.data, "<maxMemory slots='16' unit='KiB'>327680</maxMemory>"));
    assert_non_null(
        strstr(xml.data, "<cell id='0' cpus='0-1' memory='65536' unit='KiB'/></numa></cpu>"));
    assert_int_equal(virt_spec_read(xml.data, xml.len, &r, &err), 0);
    assert_int_equal(r.plug_bytes, 256 * mib);
    assert_int_equal(r.n_dimms, 0);
    virt_dimm_write(128 * mib, &dimm);
    CLEANUP(freep)
    char *plugged = mem_printf("<domain><name>d</name><maxMemory unit='KiB'>327680</maxMemory>"
                               "<memory unit='KiB'>196608</memory>"
                               "<currentMemory unit='KiB'>196608</currentMemory>"
                               "<devices>%s<memory model='nvdimm'/></devices></domain>",
                               dimm.data);
    virt_spec_done(&r);
    r = (struct virt_spec){0};
    assert_int_equal(virt_spec_read(plugged, strlen(plugged), &r, &err), 0);
    assert_int_equal(r.n_dimms, 1);
    assert_int_equal(r.dimms[0], 128 * mib);
    assert_int_equal(r.max_memory_bytes, 64 * mib);
    assert_int_equal(r.memory_bytes, 64 * mib);
    assert_int_equal(r.plug_bytes, 256 * mib);
}

static void test_copy_is_another_vm(void **state)
{
    CLEANUP(buf_done) struct buf xml;
    CLEANUP(freep) char *copy = NULL;
    CLEANUP(virt_spec_done) struct virt_spec r = {0};
    struct err err = {0};
    const struct virt_disk disk = {
        .source = {.path = (char *)"/img/new"}, .target = (char *)"vda", .format = (char *)"raw"};
    const struct uuid fresh = {{9}};
    write_one(&xml);
    assert_int_equal(virt_spec_copy(xml.data, xml.len, "b<", &fresh, &disk, 1, &copy, &err), 0);
    assert_int_equal(virt_spec_read(copy, strlen(copy), &r, &err), 0);
    assert_string_equal(r.name, "b<");
    assert_true(uuid_equal(&r.uuid, &fresh));
    assert_string_equal(r.disks[0].source.path, "/img/new");
    assert_string_equal(r.disks[0].format, "raw");
    assert_null(strstr(copy, "/img/&lt;x"));
    assert_null(strstr(copy, "<mac"));
}

static void test_refusals(void **state)
{
    static const char *const bad[] = {
        "", "<domain", "<network/>", "<domain/>",
        "<!DOCTYPE d [<!ENTITY x 'y'>]><domain><name>&x;</name></domain>"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct virt_spec r = {0};
        struct err err = {0};
        assert_int_equal(virt_spec_read(bad[i], strlen(bad[i]), &r, &err), -EINVAL);
        assert_string_not_equal(err.message, "");
    }
}

static void test_plugged_vcpus(void **state)
{
    static const char xml[] = "<domainsnapshot><domain><vcpus>"
                              "<vcpu id='0' enabled='yes' hotpluggable='no'/>"
                              "<vcpu id='1' enabled='yes' hotpluggable='yes'/>"
                              "<vcpu id='2' enabled='no' hotpluggable='yes'/>"
                              "</vcpus></domain></domainsnapshot>";
    assert_int_equal(virt_plugged_vcpus(xml, sizeof(xml) - 1), 1);
    assert_int_equal(virt_plugged_vcpus("<domain/>", 9), 0);
    assert_int_equal(virt_plugged_vcpus("", 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_firmware),
        cmocka_unit_test(test_dimms),      cmocka_unit_test(test_copy_is_another_vm),
        cmocka_unit_test(test_refusals),   cmocka_unit_test(test_plugged_vcpus)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
