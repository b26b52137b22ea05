// SPDX-License-Identifier: GPL-3.0-or-later
// A VM's definition as typed fields, and as libvirt's XML. No path and no text of a client reaches
// the XML but through the encoder.
#include <stdlib.h>
#include <string.h>

#include "base/esc.h"
#include "base/mem.h"
#include "virt/manage.h"

#define SPARE_PORTS 6 // for devices that are plugged later

const struct virt_manage *virt_manage_of(const struct virt_ops *ops)
{
    return ops == &virt_memory ? &virt_memory_manage : &virt_libvirt_manage;
}

void virt_volume_done(struct virt_volume *v)
{
    free(v->pool);
    free(v->volume);
    free(v->path);
    *v = (struct virt_volume){0};
}

const char *const virt_numa_modes[VIRT_NUMA_MODE_MAX] = {"strict", "preferred", "interleave",
                                                         "restrictive"};

void virt_cells_free(struct virt_cell *cells, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(cells[i].cpus);
    free(cells);
}

void virt_spec_done(struct virt_spec *s)
{
    for (size_t i = 0; i < s->n_pins; i++)
        free(s->pins[i].cpus);
    free(s->pins);
    free(s->numa.nodes);
    free(s->name);
    free(s->cmdline);
    free(s->owner);
    virt_volume_done(&s->kernel);
    virt_volume_done(&s->initrd);
    for (size_t i = 0; i < s->n_disks; i++) {
        virt_volume_done(&s->disks[i].source);
        free(s->disks[i].target);
        free(s->disks[i].format);
    }
    for (size_t i = 0; i < s->n_nics; i++) {
        free(s->nics[i].network);
        free(s->nics[i].bridge);
        free(s->nics[i].mac);
        free(s->nics[i].target);
    }
    for (size_t i = 0; i < s->n_labels; i++) {
        free(s->labels[i].name);
        free(s->labels[i].value);
    }
    *s = (struct virt_spec){0};
}

void virt_volume_info_done(struct virt_volume_info *i)
{
    free(i->format);
    free(i->backing);
    *i = (struct virt_volume_info){0};
}

void virt_snapshot_done(struct virt_snapshot *s)
{
    free(s->name);
    free(s->parent);
    for (size_t i = 0; i < s->n_disks; i++) {
        free(s->disks[i].target);
        free(s->disks[i].format);
        virt_volume_done(&s->disks[i].image);
        virt_volume_done(&s->disks[i].overlay);
    }
    virt_volume_done(&s->memory_image);
    *s = (struct virt_snapshot){0};
}

void virt_snapshots_free(struct virt_snapshot *snapshots, size_t n)
{
    for (size_t i = 0; i < n; i++)
        virt_snapshot_done(&snapshots[i]);
    free(snapshots);
}

void virt_chain_done(struct virt_chain *c)
{
    for (size_t i = 0; i < c->n; i++)
        free(c->paths[i]);
    *c = (struct virt_chain){0};
}

/* XML out. */

static void put_element(struct buf *out, const char *name, const char *text)
{
    if (!text)
        return;
    buf_printf(out, "<%s>", name);
    esc_html(out, text);
    buf_printf(out, "</%s>", name);
}

static void put_attribute(struct buf *out, const char *name, const char *text)
{
    if (!text)
        return;
    buf_printf(out, " %s=\"", name);
    esc_html(out, text);
    buf_putc(out, '"');
}

void virt_disk_write(const struct virt_disk *disk, struct buf *out)
{
    bool block = disk->source.block;
    buf_printf(out, "<disk type='%s' device='%s'><driver name='qemu'", block ? "block" : "file",
               disk->cdrom ? "cdrom" : "disk");
    put_attribute(out, "type", disk->format ? disk->format : "raw");
    buf_printf(out, "%s/><source", disk->cdrom ? "" : " discard='unmap'");
    put_attribute(out, block ? "dev" : "file", disk->source.path);
    buf_puts(out, "/><target");
    put_attribute(out, "dev", disk->target);
    buf_printf(out, " bus='%s'/>%s</disk>", disk->cdrom ? "sata" : "virtio",
               disk->cdrom || disk->read_only ? "<readonly/>" : "");
}

void virt_nic_write(const struct virt_nic *nic, struct buf *out)
{
    buf_printf(out, "<interface type='%s'>", nic->bridge ? "bridge" : "network");
    if (nic->mac) {
        buf_puts(out, "<mac");
        put_attribute(out, "address", nic->mac);
        buf_puts(out, "/>");
    }
    buf_puts(out, "<source");
    put_attribute(out, nic->bridge ? "bridge" : "network",
                  nic->bridge ? nic->bridge : nic->network);
    buf_puts(out, "/><model type='virtio'/></interface>");
}

// `prefix`: "vherd:" inside a document that declares it, "" where libvirt adds it.
static void write_labels(const struct virt_spec *spec, const char *prefix, struct buf *out)
{
    if (spec->owner) {
        buf_printf(out, "<%sowner>", prefix);
        esc_html(out, spec->owner);
        buf_printf(out, "</%sowner>", prefix);
    }
    for (size_t i = 0; i < spec->n_labels; i++) {
        buf_printf(out, "<%slabel", prefix);
        put_attribute(out, "name", spec->labels[i].name);
        put_attribute(out, "value", spec->labels[i].value);
        buf_puts(out, "/>");
    }
}

void virt_labels_write(const struct virt_spec *spec, struct buf *out)
{
    buf_puts(out, "<vm>");
    write_labels(spec, "", out);
    buf_puts(out, "</vm>");
}

static void write_metadata(const struct virt_spec *spec, struct buf *out)
{
    if (!spec->owner && spec->n_labels == 0)
        return;
    buf_puts(out, "<metadata><vherd:vm xmlns:vherd=\"" VIRT_LABELS_URI "\">");
    write_labels(spec, "vherd:", out);
    buf_puts(out, "</vherd:vm></metadata>");
}

static void write_sizes(const struct virt_spec *spec, struct buf *out)
{
    uint64_t ceiling = MAX_OF(spec->max_memory_bytes, spec->memory_bytes);
    unsigned vcpus = MAX_OF(spec->max_vcpus, spec->vcpus);
    if (spec->plug_bytes > 0)
        buf_printf(out, "<maxMemory slots='%d' unit='KiB'>%ju</maxMemory>", VIRT_DIMMS_MAX,
                   (uintmax_t)((ceiling + spec->plug_bytes) / 1024));
    buf_printf(out, "<memory unit='KiB'>%ju</memory><currentMemory unit='KiB'>%ju</currentMemory>",
               (uintmax_t)(ceiling / 1024), (uintmax_t)(spec->memory_bytes / 1024));
    buf_printf(out, "<vcpu placement='static' current='%u'>%u</vcpu>", spec->vcpus, vcpus);
}

// DIMMs are plugged into a node of the guest, so that there must be one.
static void write_cpu(const struct virt_spec *spec, bool kvm, struct buf *out)
{
    const char *mode = kvm ? " mode='host-passthrough'" : "";
    if (spec->plug_bytes > 0)
        buf_printf(out,
                   "<cpu%s><numa><cell id='0' cpus='0-%u' memory='%ju' unit='KiB'/></numa></cpu>",
                   mode, MAX_OF(spec->max_vcpus, spec->vcpus) - 1,
                   (uintmax_t)(MAX_OF(spec->max_memory_bytes, spec->memory_bytes) / 1024));
    else if (kvm)
        buf_printf(out, "<cpu%s/>", mode);
}

void virt_dimm_write(uint64_t bytes, struct buf *out)
{
    buf_printf(out,
               "<memory model='dimm'><target><size unit='KiB'>%ju</size><node>0</node></target>"
               "</memory>",
               (uintmax_t)(bytes / 1024));
}

static void write_placement(const struct virt_spec *spec, struct buf *out)
{
    buf_puts(out, spec->n_pins ? "<cputune>" : "");
    for (size_t i = 0; i < spec->n_pins; i++) {
        buf_printf(out, "<vcpupin vcpu='%u'", spec->pins[i].vcpu);
        put_attribute(out, "cpuset", spec->pins[i].cpus);
        buf_puts(out, "/>");
    }
    buf_puts(out, spec->n_pins ? "</cputune>" : "");
    if (!spec->numa.nodes)
        return;
    buf_printf(out, "<numatune><memory mode='%s'", virt_numa_modes[spec->numa.mode]);
    put_attribute(out, "nodeset", spec->numa.nodes);
    buf_puts(out, "/></numatune>");
}

static void write_boot(const struct virt_spec *spec, struct buf *out)
{
    buf_printf(out, "<os%s><type arch='x86_64' machine='q35'>hvm</type>",
               spec->uefi ? " firmware='efi'" : "");
    put_element(out, "kernel", spec->kernel.path);
    put_element(out, "initrd", spec->initrd.path);
    put_element(out, "cmdline", spec->cmdline);
    buf_puts(out, "</os><features><acpi/><apic/></features>");
}

static void write_devices(const struct virt_spec *spec, struct buf *out)
{
    buf_puts(out, "<devices>");
    for (size_t i = 0; i < spec->n_disks; i++)
        virt_disk_write(&spec->disks[i], out);
    for (size_t i = 0; i < spec->n_nics; i++)
        virt_nic_write(&spec->nics[i], out);
    buf_puts(out, "<controller type='usb' model='none'/>");
    buf_puts(out, "<controller type='pci' index='0' model='pcie-root'/>");
    for (int i = 1; i <= SPARE_PORTS; i++)
        buf_puts(out, "<controller type='pci' model='pcie-root-port'/>");
    buf_puts(out, "<serial type='pty'><target port='0'/></serial><console type='pty'/>"
                  "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/>"
                  "</channel><rng model='virtio'><backend model='random'>/dev/urandom</backend>"
                  "</rng><memballoon model='virtio'><stats period='2'/></memballoon>"
                  "<panic model='isa'/></devices>");
}

void virt_spec_write(const struct virt_spec *spec, const char *type, struct buf *out)
{
    buf_printf(out, "<domain type='%s'>", type);
    put_element(out, "name", spec->name);
    char uuid[UUID_TEXT];
    uuid_format(&spec->uuid, uuid);
    put_element(out, "uuid", uuid);
    write_metadata(spec, out);
    write_sizes(spec, out);
    write_placement(spec, out);
    write_boot(spec, out);
    write_cpu(spec, strcmp(type, "kvm") == 0, out);
    buf_puts(out, "<on_poweroff>destroy</on_poweroff><on_reboot>restart</on_reboot>"
                  "<on_crash>preserve</on_crash>");
    write_devices(spec, out);
    buf_puts(out, "</domain>");
}
