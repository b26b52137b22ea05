// SPDX-License-Identifier: GPL-3.0-or-later
// libvirt's definition of a VM read into typed fields, and rewritten for a copy. A document with a
// DTD is refused, so that there are no entities; depth is bounded by libxml2 (256).
#include <errno.h>
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <string.h>

#include "base/mem.h"
#include "base/number.h"
#include "virt/manage.h"

#define XML_BYTES_MAX (4u * 1024 * 1024)
#define TEXT_MAX 4096

DEFINE_FREEP(xmlDoc, xmlFreeDoc, doc_freep)

static bool named(const xmlNode *n, const char *name)
{
    return n->type == XML_ELEMENT_NODE && strcmp((const char *)n->name, name) == 0;
}

static xmlNode *child(const xmlNode *n, const char *name)
{
    for (xmlNode *c = n ? n->children : NULL; c; c = c->next)
        if (named(c, name))
            return c;
    return NULL;
}

static char *copy_text(xmlChar *text)
{
    char *copy = text && strlen((char *)text) <= TEXT_MAX ? mem_strdup((char *)text) : NULL;
    xmlFree(text);
    return copy;
}

// The caller owns these; NULL where there is none.
static char *attribute(const xmlNode *n, const char *name)
{
    return n ? copy_text(xmlGetProp(n, (const xmlChar *)name)) : NULL;
}

static char *content(const xmlNode *n)
{
    return n ? copy_text(xmlNodeGetContent(n)) : NULL;
}

static uint64_t number(char *owned)
{
    CLEANUP(freep) char *text = owned;
    uint64_t n = 0;
    return text && number_parse_u64(text, &n) == 0 ? n : 0;
}

static xmlDoc *parse(const char *xml, size_t len, struct err *err)
{
    if (len > XML_BYTES_MAX) {
        err_set(err, EINVAL, "domain XML: %zu bytes are more than %u", len, XML_BYTES_MAX);
        return NULL;
    }
    CLEANUP(doc_freep)
    xmlDoc *doc = xmlReadMemory(xml, (int)len, NULL, NULL,
                                XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    const xmlNode *root = doc ? xmlDocGetRootElement(doc) : NULL;
    if (!root || xmlGetIntSubset(doc) || !named(root, "domain")) {
        err_set(err, EINVAL, "libvirt's definition of the VM is not domain XML");
        return NULL;
    }
    return TAKE_PTR(doc);
}

static void read_disk(const xmlNode *n, struct virt_spec *s)
{
    CLEANUP(freep) char *device = attribute(n, "device");
    const xmlNode *source = child(n, "source");
    if (s->n_disks == VIRT_SPEC_DISKS_MAX)
        return;
    struct virt_disk *d = &s->disks[s->n_disks++];
    d->target = attribute(child(n, "target"), "dev");
    d->format = attribute(child(n, "driver"), "type");
    d->cdrom = device && strcmp(device, "cdrom") == 0;
    d->read_only = child(n, "readonly") != NULL;
    d->source.path = attribute(source, "file");
    if (!d->source.path) {
        d->source.path = attribute(source, "dev");
        d->source.block = d->source.path != NULL;
    }
    d->source.pool = attribute(source, "pool");
    d->source.volume = attribute(source, "volume");
}

static void read_nic(const xmlNode *n, struct virt_spec *s)
{
    if (s->n_nics == VIRT_SPEC_NICS_MAX)
        return;
    struct virt_nic *nic = &s->nics[s->n_nics++];
    nic->mac = attribute(child(n, "mac"), "address");
    nic->network = attribute(child(n, "source"), "network");
    nic->bridge = nic->network ? NULL : attribute(child(n, "source"), "bridge");
    nic->target = attribute(child(n, "target"), "dev");
}

static void read_metadata(const xmlNode *metadata, struct virt_spec *s)
{
    const xmlNode *vm = metadata ? metadata->children : NULL;
    while (vm &&
           !(named(vm, "vm") && vm->ns && strcmp((const char *)vm->ns->href, VIRT_LABELS_URI) == 0))
        vm = vm->next;
    if (!vm)
        return;
    s->owner = content(child(vm, "owner"));
    for (const xmlNode *n = vm->children; n && s->n_labels < VIRT_LABELS_MAX; n = n->next) {
        if (!named(n, "label"))
            continue;
        struct virt_label l = {attribute(n, "name"), attribute(n, "value")};
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
    const xmlNode *memory = child(child(root, "numatune"), "memory"),
                  *tune = child(root, "cputune");
    CLEANUP(freep) char *mode = attribute(memory, "mode");
    size_t cap = 0;
    s->numa.nodes = attribute(memory, "nodeset");
    for (int i = 0; mode && i < VIRT_NUMA_MODE_MAX; i++)
        if (strcmp(mode, virt_numa_modes[i]) == 0)
            s->numa.mode = (enum virt_numa_mode)i;
    for (const xmlNode *n = tune ? tune->children : NULL; n && s->n_pins < VIRT_PINS_MAX;
         n = n->next) {
        char *cpus = named(n, "vcpupin") ? attribute(n, "cpuset") : NULL;
        if (!cpus)
            continue;
        mem_grow(&s->pins, &cap, s->n_pins, sizeof(*s->pins));
        s->pins[s->n_pins++] =
            (struct virt_pin){(unsigned)MIN_OF(number(attribute(n, "vcpu")), 65535u), cpus};
    }
}

static void read_domain(const xmlNode *root, struct virt_spec *s)
{
    const xmlNode *os = child(root, "os"), *vcpu = child(root, "vcpu");
    CLEANUP(freep) char *firmware = attribute(os, "firmware");
    s->name = content(child(root, "name"));
    CLEANUP(freep) char *uuid = content(child(root, "uuid"));
    if (uuid)
        (void)uuid_parse(uuid, strlen(uuid), &s->uuid);
    s->max_memory_bytes = number(content(child(root, "memory"))) * 1024;
    s->memory_bytes = number(content(child(root, "currentMemory"))) * 1024;
    s->max_vcpus = (unsigned)MIN_OF(number(content(vcpu)), 65535u);
    s->vcpus = (unsigned)MIN_OF(number(attribute(vcpu, "current")), 65535u);
    if (s->vcpus == 0)
        s->vcpus = s->max_vcpus;
    if (s->memory_bytes == 0)
        s->memory_bytes = s->max_memory_bytes;
    s->uefi = (firmware && strcmp(firmware, "efi") == 0) || child(os, "loader");
    s->kernel.path = content(child(os, "kernel"));
    s->initrd.path = content(child(os, "initrd"));
    s->cmdline = content(child(os, "cmdline"));
    read_placement(root, s);
    read_metadata(child(root, "metadata"), s);
    const xmlNode *devices = child(root, "devices");
    for (const xmlNode *n = devices ? devices->children : NULL; n; n = n->next) {
        if (named(n, "disk"))
            read_disk(n, s);
        else if (named(n, "interface"))
            read_nic(n, s);
    }
}

int virt_spec_read(const char *xml, size_t len, struct virt_spec *ret, struct err *err)
{
    CLEANUP(doc_freep) xmlDoc *doc = parse(xml, len, err);
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
    CLEANUP(doc_freep)
    xmlDoc *doc = len <= XML_BYTES_MAX
                      ? xmlReadMemory(xml, (int)len, NULL, NULL,
                                      XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING)
                      : NULL;
    const xmlNode *root = doc && !xmlGetIntSubset(doc) ? xmlDocGetRootElement(doc) : NULL;
    const xmlNode *domain = root && !named(root, "domain") ? child(root, "domain") : root;
    const xmlNode *vcpus = child(domain, "vcpus");
    unsigned count = 0;
    for (const xmlNode *n = vcpus ? vcpus->children : NULL; n; n = n->next) {
        if (!named(n, "vcpu"))
            continue;
        CLEANUP(freep) char *enabled = attribute(n, "enabled");
        CLEANUP(freep) char *pluggable = attribute(n, "hotpluggable");
        count +=
            enabled && strcmp(enabled, "yes") == 0 && pluggable && strcmp(pluggable, "yes") == 0;
    }
    return count;
}

/* A copy. */

static void drop(xmlNode *n)
{
    if (!n)
        return;
    xmlUnlinkNode(n);
    xmlFreeNode(n);
}

static const struct virt_disk *by_target(const struct virt_disk *disks, size_t n,
                                         const char *target)
{
    for (size_t i = 0; target && i < n; i++)
        if (strcmp(disks[i].target, target) == 0)
            return &disks[i];
    return NULL;
}

static void set_attribute(xmlNode *n, const char *name, const char *value)
{
    xmlSetProp(n, (const xmlChar *)name, (const xmlChar *)value);
}

static void rewrite_disk(xmlNode *n, const struct virt_disk *disks, size_t n_disks)
{
    CLEANUP(freep) char *target = attribute(child(n, "target"), "dev");
    const struct virt_disk *d = by_target(disks, n_disks, target);
    if (!d)
        return;
    drop(child(n, "source"));
    drop(child(n, "backingStore"));
    drop(child(n, "serial"));
    drop(child(n, "wwn"));
    xmlNode *source = xmlNewChild(n, NULL, (const xmlChar *)"source", NULL);
    set_attribute(source, d->source.block ? "dev" : "file", d->source.path);
    set_attribute(n, "type", d->source.block ? "block" : "file");
    xmlNode *driver = child(n, "driver");
    if (driver && d->format)
        set_attribute(driver, "type", d->format);
}

// A log or a socket of the origin's must not be shared.
static void rewrite_character_device(xmlNode *n)
{
    CLEANUP(freep) char *type = attribute(n, "type");
    drop(child(n, "log"));
    if (type && strcmp(type, "unix") == 0)
        drop(child(n, "source"));
}

static void rewrite_devices(xmlNode *devices, const struct virt_disk *disks, size_t n_disks)
{
    for (xmlNode *n = devices ? devices->children : NULL; n; n = n->next) {
        if (named(n, "disk")) {
            rewrite_disk(n, disks, n_disks);
        } else if (named(n, "interface")) {
            drop(child(n, "mac"));
            drop(child(n, "target"));
        } else if (named(n, "serial") || named(n, "console") || named(n, "channel")) {
            rewrite_character_device(n);
        }
    }
}

static void set_child(xmlNode *root, const char *name, const char *text)
{
    xmlNode *old = child(root, name);
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
    CLEANUP(doc_freep) xmlDoc *doc = parse(xml, len, err);
    if (!doc)
        return -EINVAL;
    xmlNode *root = xmlDocGetRootElement(doc);
    char uuid[UUID_TEXT];
    uuid_format(fresh, uuid);
    set_child(root, "name", name);
    set_child(root, "uuid", uuid);
    drop(child(root, "genid"));
    drop(child(child(root, "os"), "nvram"));
    rewrite_devices(child(root, "devices"), disks, n);
    xmlChar *text = NULL;
    int size = 0;
    xmlDocDumpMemory(doc, &text, &size);
    if (!text)
        return err_set(err, ENOMEM, "out of memory");
    *ret = mem_strndup((char *)text, (size_t)size);
    xmlFree(text);
    return 0;
}
