// SPDX-License-Identifier: GPL-3.0-or-later
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "virt/virt.h"

// The row of a batch: the last one of that fact or attribute under that key.
static const struct batch_row *row(const struct batch *b, const char *key, int fact, int attr)
{
    const struct batch_row *found = NULL;
    for (uint32_t i = 0; i < b->n_rows; i++) {
        const struct batch_row *r = &b->rows[i];
        if (r->fact == fact && r->attr == attr && strcmp(b->text + r->key, key) == 0)
            found = r;
    }
    return found;
}

static double fact(const struct batch *b, const char *key, enum fact f)
{
    const struct batch_row *r = row(b, key, f, -1);
    assert_non_null(r);
    return r->value;
}

// NULL where the batch says that it is unknown.
static const char *attr(const struct batch *b, const char *key, enum attr a)
{
    const struct batch_row *r = row(b, key, -1, a);
    assert_non_null(r);
    return r->text ? b->text + r->text : NULL;
}

static struct batch *read_ok(const char *xml)
{
    struct err err = {0};
    struct batch *b = batch_new();
    int r = virt_xml_read(xml, strlen(xml), b, &err);
    if (r < 0)
        fail_msg("%s", err.message);
    return b;
}

static int read_bad(const char *xml, size_t len, struct err *err)
{
    struct batch *b = batch_new();
    int r = virt_xml_read(xml, len, b, err);
    assert_int_equal(b->n_rows, 0);
    batch_free(b);
    return r;
}

static const char live[] =
    "<domain type='kvm' id='3'><name>web1</name><title>The \"web\" &lt;one&gt;</title>"
    "<metadata><nova:instance xmlns:nova='http://openstack.org/xmlns/libvirt/nova/1.1'>"
    "<nova:name>web-1</nova:name><nova:flavor name='m1.small'/><nova:owner>"
    "<nova:user uuid='u-1'>alice</nova:user><nova:project uuid='p-1'>shop</nova:project>"
    "</nova:owner><nova:root type='image' uuid='i-1'/></nova:instance></metadata>"
    "<memory unit='KiB'>2097152</memory><currentMemory unit='KiB'>1048576</currentMemory>"
    "<vcpu placement='static' current='1'>4</vcpu>"
    "<os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os><devices>"
    "<disk type='file' device='disk'><driver name='qemu' type='qcow2' cache='none' "
    "discard='unmap' io='native'/><source file='/img/a b.qcow2' index='1'/><target dev='vda' "
    "bus='virtio'/>"
    "<iotune><total_bytes_sec>1000</total_bytes_sec><read_iops_sec_max>50</read_iops_sec_max>"
    "<read_iops_sec_max_length>7</read_iops_sec_max_length>"
    "<size_iops_sec>4096</size_iops_sec></iotune><serial>S-1</serial></disk>"
    "<disk type='file' device='cdrom'><driver name='qemu'/><target dev='sda' bus='sata'/>"
    "<readonly/></disk>"
    "<disk type='network' device='disk'><driver name='qemu' type='raw'/>"
    "<source protocol='rbd' name='pool/image'><host name='mon'/></source>"
    "<target dev='vdb' bus='virtio'/></disk>"
    "<interface type='network'><mac address='52:54:00:00:00:01'/>"
    "<source network='default' portid='x' bridge='virbr0'/><target dev='vnet0'/>"
    "<model type='virtio'/><mtu size='9000'/></interface>"
    "<interface type='bridge'><mac address='52:54:00:00:00:02'/><source bridge='br-int'/>"
    "<virtualport type='openvswitch'><parameters interfaceid='if-1'/></virtualport>"
    "<target dev='tap1'/><model type='virtio'/></interface>"
    "<interface type='user'><mac address='52:54:00:00:00:03'/></interface>"
    "<channel type='unix'><target type='virtio' name='com.redhat.spice.0'/></channel>"
    "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0' "
    "state='connected'/></channel>"
    "<memballoon model='virtio'><stats period='5'/></memballoon></devices></domain>";

static void a_running_domain(void **state)
{
    struct batch *b = read_ok(live);
    assert_string_equal(attr(b, "", ATTR_VM_TITLE), "The \"web\" <one>");
    assert_string_equal(attr(b, "", ATTR_VM_DOMAIN_TYPE), "kvm");
    assert_string_equal(attr(b, "", ATTR_VM_OS_TYPE), "hvm");
    assert_string_equal(attr(b, "", ATTR_VM_OS_ARCH), "x86_64");
    assert_string_equal(attr(b, "", ATTR_VM_OS_MACHINE), "pc-q35-7.2");
    assert_true(fact(b, "", FACT_VM_VCPUS) == 1);
    assert_true(fact(b, "", FACT_VM_VCPUS_MAX) == 4);
    assert_true(fact(b, "", FACT_VM_MEM_MAX) == 2147483648.0);
    assert_true(fact(b, "", FACT_VM_MEM_CURRENT) == 1073741824.0);
    assert_true(fact(b, "", FACT_VM_BALLOON_PERIOD) == 5e9);
    assert_string_equal(attr(b, "", ATTR_VM_AGENT), "connected");
    assert_true(fact(b, "", FACT_VM_AGENT_CONNECTED) == 1);
    batch_free(b);
}

static void disks_of_every_kind(void **state)
{
    struct batch *b = read_ok(live);
    assert_string_equal(attr(b, "vda", ATTR_DISK_SOURCE), "/img/a b.qcow2");
    assert_string_equal(attr(b, "vda", ATTR_DISK_SERIAL), "S-1");
    assert_string_equal(attr(b, "vda", ATTR_DISK_BUS), "virtio");
    assert_string_equal(attr(b, "vda", ATTR_DISK_TYPE), "file");
    assert_string_equal(attr(b, "vda", ATTR_DISK_DEVICE), "disk");
    assert_string_equal(attr(b, "vda", ATTR_DISK_DRIVER), "qemu");
    assert_string_equal(attr(b, "vda", ATTR_DISK_FORMAT), "qcow2");
    assert_string_equal(attr(b, "vda", ATTR_DISK_CACHE), "none");
    assert_string_equal(attr(b, "vda", ATTR_DISK_DISCARD), "unmap");
    assert_string_equal(attr(b, "vda", ATTR_DISK_IO), "native");
    assert_null(attr(b, "vda", ATTR_DISK_SOURCE_PROTOCOL));
    assert_string_equal(attr(b, "sda", ATTR_DISK_DEVICE), "cdrom");
    assert_null(attr(b, "sda", ATTR_DISK_SOURCE));
    assert_string_equal(attr(b, "vdb", ATTR_DISK_SOURCE), "pool/image");
    assert_string_equal(attr(b, "vdb", ATTR_DISK_SOURCE_PROTOCOL), "rbd");
    batch_free(b);
}

// As libvirt 9.0 writes them, and the data file of later ones.
static void images_below_a_disk(void **state)
{
    static const struct {
        const char *target, *inside, *backing;
    } disks[] = {
        {"vda", "", NULL},
        {"vdb", "<backingStore/>", NULL},
        {"vdc",
         "<backingStore type='file' index='2'><format type='qcow2'/><source file='/a'/>"
         "<backingStore type='network' index='3'><format type='raw'/>"
         "<source protocol='nbd' name='x'><host name='h' port='1'/></source><backingStore/>"
         "</backingStore></backingStore>",
         "file,network"},
        {"vdd",
         "<backingStore type='block'><source dev='/dev/a'/><backingStore type='file'>"
         "<source file='/b'/><backingStore type='file'><source file='/c'/><backingStore/>"
         "</backingStore></backingStore></backingStore>",
         "file,block"},
        {"vde", "<source file='/d'><dataStore type='network'><source/></dataStore></source>",
         "network"},
        {"vdf", "<mirror type='network' job='copy'><source protocol='rbd' name='y'/></mirror>",
         "network"},
        {"vdg", "<backingStore type='what comes'/>", "other"},
    };
    CLEANUP(buf_done) struct buf xml;
    buf_init(&xml, 1 << 16);
    buf_puts(&xml, "<domain id='1'><devices>");
    for (size_t i = 0; i < ARRAY_LEN(disks); i++)
        buf_printf(&xml, "<disk type='file'>%s<target dev='%s'/></disk>", disks[i].inside,
                   disks[i].target);
    buf_puts(&xml, "</devices></domain>");
    struct batch *b = read_ok(xml.data);
    for (size_t i = 0; i < ARRAY_LEN(disks); i++) {
        const char *got = attr(b, disks[i].target, ATTR_DISK_BACKING);
        if (got ? !disks[i].backing || strcmp(got, disks[i].backing) != 0 : !!disks[i].backing)
            fail_msg("%s: %s", disks[i].target, got ? got : "none");
    }
    batch_free(b);
}

static void limits_that_are_not_set_are_zero_while_it_runs(void **state)
{
    struct batch *b = read_ok(live);
    assert_true(fact(b, "vda", FACT_DISK_LIMIT_TOTAL_BYTES) == 1000);
    assert_true(fact(b, "vda", FACT_DISK_LIMIT_READ_BYTES) == 0);
    assert_true(fact(b, "vda", FACT_DISK_BURST_READ_REQS) == 50);
    assert_true(fact(b, "vda", FACT_DISK_BURST_READ_REQS_LEN) == 7e9);
    assert_true(fact(b, "vda", FACT_DISK_SIZE_IOPS) == 4096);
    assert_true(fact(b, "vda", FACT_DISK_BURST_WRITE_BYTES_LEN) == 0);
    assert_true(fact(b, "sda", FACT_DISK_LIMIT_WRITE_REQS) == 0);
    batch_free(b);
    b = read_ok("<domain><devices><disk><target dev='vda'/></disk></devices></domain>");
    assert_true(isnan(fact(b, "vda", FACT_DISK_LIMIT_TOTAL_BYTES)));
    batch_free(b);
}

static void a_burst_lasts_a_second_unless_told(void **state)
{
    struct batch *b = read_ok("<domain id='1'><devices><disk><target dev='vda'/><iotune>"
                              "<write_bytes_sec_max>9</write_bytes_sec_max></iotune></disk>"
                              "</devices></domain>");
    assert_true(fact(b, "vda", FACT_DISK_BURST_WRITE_BYTES_LEN) == 1e9);
    assert_true(fact(b, "vda", FACT_DISK_BURST_READ_BYTES_LEN) == 0);
    batch_free(b);
}

static void each_limit_has_a_fact_of_its_own(void **state)
{
    static const char *const names[] = {
        "total_bytes_sec", "read_bytes_sec", "write_bytes_sec",
        "total_iops_sec",  "read_iops_sec",  "write_iops_sec",
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        static const char *const endings[] = {"", "_max", "_max_length"};
        for (size_t e = 0; e < ARRAY_LEN(endings); e++) {
            char *xml CLEANUP(freep) = mem_printf(
                "<domain id='1'><devices><disk><target dev='d'/><iotune><%s%s>3</%s%s></iotune>"
                "</disk></devices></domain>",
                names[i], endings[e], names[i], endings[e]);
            struct batch *b = read_ok(xml);
            int set = 0;
            for (uint32_t r = 0; r < b->n_rows; r++)
                set += b->rows[r].fact >= FACT_DISK_LIMIT_TOTAL_BYTES &&
                       b->rows[r].fact <= FACT_DISK_SIZE_IOPS && b->rows[r].value > 0;
            // A burst has a length without saying so.
            assert_int_equal(set, strcmp(endings[e], "_max") == 0 ? 2 : 1);
            batch_free(b);
        }
    }
}

static void interfaces_by_tap_or_address(void **state)
{
    struct batch *b = read_ok(live);
    assert_string_equal(attr(b, "vnet0", ATTR_NIC_TYPE), "network");
    assert_string_equal(attr(b, "vnet0", ATTR_NIC_SOURCE), "default");
    assert_string_equal(attr(b, "vnet0", ATTR_NIC_BRIDGE), "virbr0");
    assert_string_equal(attr(b, "vnet0", ATTR_NIC_MAC), "52:54:00:00:00:01");
    assert_string_equal(attr(b, "vnet0", ATTR_NIC_MODEL), "virtio");
    assert_string_equal(attr(b, "vnet0", ATTR_NIC_MTU), "9000");
    assert_string_equal(attr(b, "tap1", ATTR_NIC_BRIDGE), "br-int");
    assert_string_equal(attr(b, "tap1", ATTR_NIC_VIRTUAL_INTERFACE), "if-1");
    assert_null(attr(b, "tap1", ATTR_NIC_MTU));
    assert_string_equal(attr(b, "52:54:00:00:00:03", ATTR_NIC_TYPE), "user");
    batch_free(b);
}

static void both_versions_of_nova_metadata(void **state)
{
    struct batch *b = read_ok(live);
    assert_string_equal(attr(b, "", ATTR_VM_NOVA_NAME), "web-1");
    assert_string_equal(attr(b, "", ATTR_VM_NOVA_FLAVOR), "m1.small");
    assert_string_equal(attr(b, "", ATTR_VM_NOVA_USER), "alice");
    assert_string_equal(attr(b, "", ATTR_VM_NOVA_USER_ID), "u-1");
    assert_string_equal(attr(b, "", ATTR_VM_NOVA_PROJECT), "shop");
    assert_string_equal(attr(b, "", ATTR_VM_NOVA_PROJECT_ID), "p-1");
    assert_string_equal(attr(b, "", ATTR_VM_NOVA_ROOT_TYPE), "image");
    assert_string_equal(attr(b, "", ATTR_VM_NOVA_ROOT_ID), "i-1");
    batch_free(b);
    b = read_ok("<domain><metadata><x:instance xmlns:x='http://other/'><x:name>no</x:name>"
                "</x:instance><i:instance xmlns:i='http://openstack.org/xmlns/libvirt/nova/1.0'>"
                "<i:name>yes</i:name></i:instance></metadata></domain>");
    assert_string_equal(attr(b, "", ATTR_VM_NOVA_NAME), "yes");
    assert_null(attr(b, "", ATTR_VM_NOVA_FLAVOR));
    batch_free(b);
}

static void our_own_metadata(void **state)
{
    struct batch *b =
        read_ok("<domain type='kvm'><metadata>"
                "<x:vm xmlns:x='urn:other'><x:owner>mallory</x:owner></x:vm>"
                "<vherd:vm xmlns:vherd='urn:vherd:vm:1'><vherd:owner>alice</vherd:owner>"
                "<vherd:label name='env' value='test'/><vherd:label name='tier' value=''/>"
                "<vherd:label name='alone'/><vherd:label value='nameless'/></vherd:vm>"
                "</metadata></domain>");
    assert_string_equal(attr(b, "", ATTR_VM_OWNER), "alice");
    assert_string_equal(attr(b, "env", ATTR_LABEL_VALUE), "test");
    assert_true(fact(b, "env", FACT_LABEL_ONE) == 1);
    assert_null(row(b, "alone", -1, ATTR_LABEL_VALUE));
    batch_free(b);
    b = read_ok("<domain type='kvm'><metadata/></domain>");
    assert_null(attr(b, "", ATTR_VM_OWNER));
    batch_free(b);
}

static void an_empty_domain_has_no_facts(void **state)
{
    struct batch *b = read_ok("<domain/>");
    assert_true(isnan(fact(b, "", FACT_VM_VCPUS)));
    assert_true(isnan(fact(b, "", FACT_VM_MEM_MAX)));
    assert_true(isnan(fact(b, "", FACT_VM_BALLOON_PERIOD)));
    assert_true(isnan(fact(b, "", FACT_VM_AGENT_CONNECTED)));
    assert_string_equal(attr(b, "", ATTR_VM_AGENT), "none");
    assert_null(attr(b, "", ATTR_VM_TITLE));
    assert_null(attr(b, "", ATTR_VM_NOVA_NAME));
    batch_free(b);
}

static void a_stopped_domain(void **state)
{
    struct batch *b =
        read_ok("<domain type='qemu'><memory unit='MiB'>512</memory><vcpu>2</vcpu><devices>"
                "<interface type='bridge'><mac address='52:54:00:00:00:09'/><target dev='vnet7'/>"
                "</interface><channel><target name='org.qemu.guest_agent.0'/></channel>"
                "<memballoon model='none'/></devices></domain>");
    assert_true(fact(b, "", FACT_VM_MEM_CURRENT) == 512 * 1048576.0);
    assert_true(fact(b, "", FACT_VM_VCPUS) == 2);
    assert_true(isnan(fact(b, "", FACT_VM_BALLOON_PERIOD)));
    assert_string_equal(attr(b, "", ATTR_VM_AGENT), "disconnected");
    assert_string_equal(attr(b, "52:54:00:00:00:09", ATTR_NIC_TYPE), "bridge");
    batch_free(b);
}

static void a_balloon_without_period_never_reports(void **state)
{
    struct batch *b = read_ok("<domain><devices><memballoon model='virtio'/></devices></domain>");
    assert_true(fact(b, "", FACT_VM_BALLOON_PERIOD) == 0);
    batch_free(b);
}

static void memory_units(void **state)
{
    static const struct {
        const char *unit;
        double bytes;
    } units[] = {
        {"", 1024},           {" unit='b'", 1},
        {" unit='bytes'", 1}, {" unit='k'", 1024},
        {" unit='KB'", 1000}, {" unit='M'", 1048576},
        {" unit='MB'", 1e6},  {" unit='GiB'", 1073741824.0},
        {" unit='TB'", 1e12},
    };
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        char *xml CLEANUP(freep) =
            mem_printf("<domain><memory%s>3</memory></domain>", units[i].unit);
        struct batch *b = read_ok(xml);
        assert_true(fact(b, "", FACT_VM_MEM_MAX) == 3 * units[i].bytes);
        batch_free(b);
    }
    struct batch *b = read_ok("<domain><memory unit='bushel'>3</memory></domain>");
    assert_true(isnan(fact(b, "", FACT_VM_MEM_MAX)));
    batch_free(b);
}

static void hostile_texts_arrive_raw(void **state)
{
    struct batch *b =
        read_ok("<domain id='1'><title>--option &quot;&#10;&lt;script&gt;</title><devices>"
                "<disk><source file='/täst/&lt;&amp;&gt;&#10;x'/><target dev='v&quot;d'/></disk>"
                "<disk><source file='no target'/></disk></devices></domain>");
    assert_string_equal(attr(b, "", ATTR_VM_TITLE), "--option \"\n<script>");
    assert_string_equal(attr(b, "v\"d", ATTR_DISK_SOURCE), "/täst/<&>\nx");
    batch_free(b);
}

static void long_texts_are_cut_between_characters(void **state)
{
    char *name CLEANUP(freep) = malloc(3 * 3000 + 1);
    for (int i = 0; i < 3000; i++)
        memcpy(name + 3 * i, "€", 3);
    name[9000] = '\0';
    char *xml CLEANUP(freep) = mem_printf("<domain><title>%s</title></domain>", name);
    struct batch *b = read_ok(xml);
    assert_int_equal(strlen(attr(b, "", ATTR_VM_TITLE)), 4095);
    batch_free(b);
}

static void what_is_no_domain_is_refused(void **state)
{
    static const struct {
        const char *xml;
        int line;
    } bad[] = {
        {"", 1},
        {"<domain>", 1},
        {"<domain>\n<name>\n</domain>", 3},
        {"<network/>", 1},
        {"<!DOCTYPE d [<!ENTITY a 'b'>]><domain><title>&a;</title></domain>", 1},
        {"<!DOCTYPE d SYSTEM 'file:///etc/passwd'><domain/>", 1},
        {"<domain><title>\xff\xfe</title></domain>", 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err err = {0};
        assert_int_equal(read_bad(bad[i].xml, strlen(bad[i].xml), &err), -EINVAL);
        assert_int_equal(err.line, bad[i].line);
        assert_true(strlen(err.message) > 10);
        assert_null(strchr(err.message, '\n'));
    }
}

static void size_and_depth_have_caps(void **state)
{
    size_t len = 4u * 1024 * 1024 + 1;
    char *big CLEANUP(freep) = malloc(len);
    memset(big, ' ', len);
    struct err err = {0};
    assert_int_equal(read_bad(big, len, &err), -EINVAL);
    for (size_t i = 0; i + 3 <= 30000; i += 3)
        memcpy(big + i, "<a>", 3);
    assert_int_equal(read_bad(big, 30000, &err), -EINVAL);
}

static void counters_of_taps_are_swapped(void **state)
{
    assert_true(virt_nic_swapped("bridge"));
    assert_true(virt_nic_swapped("network"));
    assert_true(virt_nic_swapped("ethernet"));
    assert_false(virt_nic_swapped("direct"));
    assert_false(virt_nic_swapped("hostdev"));
    assert_false(virt_nic_swapped("user"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_running_domain),
        cmocka_unit_test(disks_of_every_kind),
        cmocka_unit_test(images_below_a_disk),
        cmocka_unit_test(limits_that_are_not_set_are_zero_while_it_runs),
        cmocka_unit_test(a_burst_lasts_a_second_unless_told),
        cmocka_unit_test(each_limit_has_a_fact_of_its_own),
        cmocka_unit_test(interfaces_by_tap_or_address),
        cmocka_unit_test(both_versions_of_nova_metadata),
        cmocka_unit_test(our_own_metadata),
        cmocka_unit_test(an_empty_domain_has_no_facts),
        cmocka_unit_test(a_stopped_domain),
        cmocka_unit_test(a_balloon_without_period_never_reports),
        cmocka_unit_test(memory_units),
        cmocka_unit_test(hostile_texts_arrive_raw),
        cmocka_unit_test(long_texts_are_cut_between_characters),
        cmocka_unit_test(what_is_no_domain_is_refused),
        cmocka_unit_test(size_and_depth_have_caps),
        cmocka_unit_test(counters_of_taps_are_swapped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
