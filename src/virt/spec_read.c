// SPDX-License-Identifier: GPL-3.0-or-later
// libvirt's definition of a VM read into typed fields, and rewritten for a copy. A document with a
// DTD is refused, so that there are no entities; depth is bounded by libxml2 (256).
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/number.h"
#include "virt/manage.h"
#include "xml_node.h"

static uint64_t number(char *owned)
{
    CLEANUP(freep) char *text = owned;
    uint64_t n = 0;
    return text && number_parse_u64(text, &n) == 0 ? n : 0;
}

static void read_disk(const xmlNode *n, struct virt_spec *s)
{
    CLEANUP(freep) char *device = xml_node_attribute(n, "device");
    const xmlNode *source = xml_node_child(n, "source");
    if (s->n_disks == VIRT_SPEC_DISKS_MAX)
        return;
    struct virt_disk *d = &s->disks[s->n_disks++];
    d->target = xml_node_attribute(xml_node_child(n, "target"), "dev");
    d->format = xml_node_attribute(xml_node_child(n, "driver"), "type");
    d->cdrom = device && strcmp(device, "cdrom") == 0;
    d->read_only = xml_node_child(n, "readonly") != NULL;
    d->source.path = xml_node_attribute(source, "file");
    if (!d->source.path) {
        d->source.path = xml_node_attribute(source, "dev");
        d->source.block = d->source.path != NULL;
    }
    d->source.pool = xml_node_attribute(source, "pool");
    d->source.volume = xml_node_attribute(source, "volume");
}

static void read_nic(const xmlNode *n, struct virt_spec *s)
{
    if (s->n_nics == VIRT_SPEC_NICS_MAX)
        return;
    struct virt_nic *nic = &s->nics[s->n_nics++];
    nic->mac = xml_node_attribute(xml_node_child(n, "mac"), "address");
    nic->network = xml_node_attribute(xml_node_child(n, "source"), "network");
    nic->bridge = nic->network ? NULL : xml_node_attribute(xml_node_child(n, "source"), "bridge");
    nic->target = xml_node_attribute(xml_node_child(n, "target"), "dev");
}

static void read_metadata(const xmlNode *metadata, struct virt_spec *s)
{
    const xmlNode *vm = metadata ? metadata->children : NULL;
    while (vm && !(xml_node_named(vm, "vm") && vm->ns &&
                   strcmp((const char *)vm->ns->href, VIRT_LABELS_URI) == 0))
        vm = vm->next;
    if (!vm)
        return;
    s->owner = xml_node_content(xml_node_child(vm, "owner"));
    for (const xmlNode *n = vm->children; n && s->n_labels < VIRT_LABELS_MAX; n = n->next) {
        if (!xml_node_named(n, "label"))
            continue;
        struct virt_label l = {xml_node_attribute(n, "name"), xml_node_attribute(n, "value")};
        if (l.name && l.value) {
            s->labels[s->n_labels++] = l;
        } else {
            free(l.name);
            free(l.value);
        }
    }
}

static void read_placement(const xmlNode *root, struct virt_spec *s)
{
    const xmlNode *memory = xml_node_child(xml_node_child(root, "numatune"), "memory"),
                  *tune = xml_node_child(root, "cputune");
    CLEANUP(freep) char *mode = xml_node_attribute(memory, "mode");
    size_t cap = 0;
    s->numa.nodes = xml_node_attribute(memory, "nodeset");
    for (int i = 0; mode && i < VIRT_NUMA_MODE_MAX; i++)
        if (strcmp(mode, virt_numa_modes[i]) == 0)
            s->numa.mode = (enum virt_numa_mode)i;
    for (const xmlNode *n = tune ? tune->children : NULL; n && s->n_pins < VIRT_PINS_MAX;
         n = n->next) {
        char *cpus = xml_node_named(n, "vcpupin") ? xml_node_attribute(n, "cpuset") : NULL;
        if (!cpus)
            continue;
        mem_grow(&s->pins, &cap, s->n_pins, sizeof(*s->pins));
        s->pins[s->n_pins++] = (struct virt_pin){
            (unsigned)MIN_OF(number(xml_node_attribute(n, "vcpu")), 65535u), cpus};
    }
}

static void read_dimm(const xmlNode *n, struct virt_spec *s)
{
    CLEANUP(freep) char *model = xml_node_attribute(n, "model");
    if (s->n_dimms < VIRT_DIMMS_MAX && model && strcmp(model, "dimm") == 0)
        s->dimms[s->n_dimms++] =
            number(xml_node_content(xml_node_child(xml_node_child(n, "target"), "size"))) * 1024;
}

// libvirt counts DIMMs into the memory; here they stand beside it.
static void part_memory(const xmlNode *root, struct virt_spec *s)
{
    uint64_t most = number(xml_node_content(xml_node_child(root, "maxMemory"))) * 1024, dimms = 0;
    for (size_t i = 0; i < s->n_dimms; i++)
        dimms += s->dimms[i];
    if (dimms >= s->max_memory_bytes)
        return;
    s->max_memory_bytes -= dimms;
    s->memory_bytes = MIN_OF(s->memory_bytes, s->max_memory_bytes);
    s->plug_bytes = most > s->max_memory_bytes ? most - s->max_memory_bytes : 0;
}

static void read_domain(const xmlNode *root, struct virt_spec *s)
{
    const xmlNode *os = xml_node_child(root, "os"), *vcpu = xml_node_child(root, "vcpu");
    CLEANUP(freep) char *firmware = xml_node_attribute(os, "firmware");
    s->name = xml_node_content(xml_node_child(root, "name"));
    CLEANUP(freep) char *uuid = xml_node_content(xml_node_child(root, "uuid"));
    if (uuid)
        (void)uuid_parse(uuid, strlen(uuid), &s->uuid);
    s->max_memory_bytes = number(xml_node_content(xml_node_child(root, "memory"))) * 1024;
    s->memory_bytes = number(xml_node_content(xml_node_child(root, "currentMemory"))) * 1024;
    s->max_vcpus = (unsigned)MIN_OF(number(xml_node_content(vcpu)), 65535u);
    s->vcpus = (unsigned)MIN_OF(number(xml_node_attribute(vcpu, "current")), 65535u);
    if (s->vcpus == 0)
        s->vcpus = s->max_vcpus;
    if (s->memory_bytes == 0)
        s->memory_bytes = s->max_memory_bytes;
    s->uefi = (firmware && strcmp(firmware, "efi") == 0) || xml_node_child(os, "loader");
    s->kernel.path = xml_node_content(xml_node_child(os, "kernel"));
    s->initrd.path = xml_node_content(xml_node_child(os, "initrd"));
    s->cmdline = xml_node_content(xml_node_child(os, "cmdline"));
    read_placement(root, s);
    read_metadata(xml_node_child(root, "metadata"), s);
    const xmlNode *devices = xml_node_child(root, "devices");
    for (const xmlNode *n = devices ? devices->children : NULL; n; n = n->next) {
        if (xml_node_named(n, "disk"))
            read_disk(n, s);
        else if (xml_node_named(n, "interface"))
            read_nic(n, s);
        else if (xml_node_named(n, "memory"))
            read_dimm(n, s);
    }
    part_memory(root, s);
}

int virt_spec_read(const char *xml, size_t len, struct virt_spec *ret, struct err *err)
{
    CLEANUP(xml_doc_freep) xmlDoc *doc = xml_node_parse(xml, len, "domain", err);
    if (!doc)
        return -EINVAL;
    struct virt_spec spec = {0};
    read_domain(xmlDocGetRootElement(doc), &spec);
    if (!spec.name) {
        virt_spec_done(&spec);
        return err_set(err, EINVAL, "libvirt's definition of the VM has no name");
    }
    *ret = spec;
    return 0;
}

unsigned virt_plugged_vcpus(const char *xml, size_t len)
{
    CLEANUP(xml_doc_freep)
    xmlDoc *doc = len <= XML_BYTES_MAX
                      ? xmlReadMemory(xml, (int)len, NULL, NULL,
                                      XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING)
                      : NULL;
    const xmlNode *root = doc && !xmlGetIntSubset(doc) ? xmlDocGetRootElement(doc) : NULL;
    const xmlNode *domain =
        root && !xml_node_named(root, "domain") ? xml_node_child(root, "domain") : root;
    const xmlNode *vcpus = xml_node_child(domain, "vcpus");
    unsigned count = 0;
    for (const xmlNode *n = vcpus ? vcpus->children : NULL; n; n = n->next) {
        if (!xml_node_named(n, "vcpu"))
            continue;
        CLEANUP(freep) char *enabled = xml_node_attribute(n, "enabled");
        CLEANUP(freep) char *pluggable = xml_node_attribute(n, "hotpluggable");
        count +=
            enabled && strcmp(enabled, "yes") == 0 && pluggable && strcmp(pluggable, "yes") == 0;
    }
    return count;
}

/* A copy. */

static const struct virt_disk *by_target(const struct virt_disk *disks, size_t n,
                                         const char *target)
{
    for (size_t i = 0; target && i < n; i++)
        if (strcmp(disks[i].target, target) == 0)
            return &disks[i];
    return NULL;
}

static void rewrite_disk(xmlNode *n, const struct virt_disk *disks, size_t n_disks)
{
    CLEANUP(freep) char *target = xml_node_attribute(xml_node_child(n, "target"), "dev");
    const struct virt_disk *d = by_target(disks, n_disks, target);
    if (!d)
        return;
    xml_node_drop(xml_node_child(n, "source"));
    xml_node_drop(xml_node_child(n, "backingStore"));
    xml_node_drop(xml_node_child(n, "serial"));
    xml_node_drop(xml_node_child(n, "wwn"));
    xmlNode *source = xmlNewChild(n, NULL, (const xmlChar *)"source", NULL);
    xml_node_set(source, d->source.block ? "dev" : "file", d->source.path);
    xml_node_set(n, "type", d->source.block ? "block" : "file");
    xmlNode *driver = xml_node_child(n, "driver");
    if (driver && d->format)
        xml_node_set(driver, "type", d->format);
}

// A log or a socket of the origin's must not be shared.
static void rewrite_character_device(xmlNode *n)
{
    CLEANUP(freep) char *type = xml_node_attribute(n, "type");
    xml_node_drop(xml_node_child(n, "log"));
    if (type && strcmp(type, "unix") == 0)
        xml_node_drop(xml_node_child(n, "source"));
}

static void rewrite_devices(xmlNode *devices, const struct virt_disk *disks, size_t n_disks)
{
    for (xmlNode *n = devices ? devices->children : NULL; n; n = n->next) {
        if (xml_node_named(n, "disk")) {
            rewrite_disk(n, disks, n_disks);
        } else if (xml_node_named(n, "interface")) {
            xml_node_drop(xml_node_child(n, "mac"));
            xml_node_drop(xml_node_child(n, "target"));
        } else if (xml_node_named(n, "serial") || xml_node_named(n, "console") ||
                   xml_node_named(n, "channel")) {
            rewrite_character_device(n);
        }
    }
}

static void set_child(xmlNode *root, const char *name, const char *text)
{
    xmlNode *old = xml_node_child(root, name);
    xmlNode *fresh = xmlNewNode(NULL, (const xmlChar *)name);
    xmlNodeAddContent(fresh, (const xmlChar *)text);
    if (old)
        xmlFreeNode(xmlReplaceNode(old, fresh));
    else
        xmlAddChild(root, fresh);
}

int virt_spec_copy(const char *xml, size_t len, const char *name, const struct uuid *fresh,
                   const struct virt_disk *disks, size_t n, char **ret, struct err *err)
{
    CLEANUP(xml_doc_freep) xmlDoc *doc = xml_node_parse(xml, len, "domain", err);
    if (!doc)
        return -EINVAL;
    xmlNode *root = xmlDocGetRootElement(doc);
    char uuid[UUID_TEXT];
    uuid_format(fresh, uuid);
    set_child(root, "name", name);
    set_child(root, "uuid", uuid);
    xml_node_drop(xml_node_child(root, "genid"));
    xml_node_drop(xml_node_child(xml_node_child(root, "os"), "nvram"));
    rewrite_devices(xml_node_child(root, "devices"), disks, n);
    return xml_node_dump(doc, ret, err);
}
