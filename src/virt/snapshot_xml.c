// SPDX-License-Identifier: GPL-3.0-or-later
// A snapshot's document: what it says, the definition inside it, and the same with other images.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/esc.h"
#include "base/number.h"
#include "virt/manage.h"
#include "xml_node.h"

#define MERGING_MARK "vherd: its images are being merged"

static const xmlNode *devices_of(const xmlNode *domain)
{
    return xml_node_child(domain, "devices");
}

static xmlNode *disk_of(const xmlNode *domain, const char *target)
{
    const xmlNode *devices = devices_of(domain);
    for (xmlNode *n = devices ? devices->children : NULL; n; n = n->next)
        if (xml_node_named(n, "disk") &&
            xml_node_attribute_is(xml_node_child(n, "target"), "dev", target))
            return n;
    return NULL;
}

/* Reading. */

static void read_image(const xmlNode *disk, struct virt_snapshot_disk *ret)
{
    const xmlNode *source = xml_node_child(disk, "source");
    ret->format = xml_node_attribute(xml_node_child(disk, "driver"), "type");
    ret->image.path = xml_node_attribute(source, "file");
    if (!ret->image.path) {
        ret->image.path = xml_node_attribute(source, "dev");
        ret->image.block = ret->image.path != NULL;
    }
    if (ret->image.path)
        return;
    ret->image.pool = xml_node_attribute(source, "pool");
    ret->image.volume = xml_node_attribute(source, "volume");
}

static void read_disks(const xmlNode *root, struct virt_snapshot *ret)
{
    const xmlNode *disks = xml_node_child(root, "disks");
    for (const xmlNode *n = disks ? disks->children : NULL; n; n = n->next) {
        if (!xml_node_named(n, "disk") || !xml_node_attribute_is(n, "snapshot", "external"))
            continue;
        ret->external = true;
        if (ret->n_disks == VIRT_SPEC_DISKS_MAX)
            continue;
        struct virt_snapshot_disk *d = &ret->disks[ret->n_disks];
        d->target = xml_node_attribute(n, "name");
        if (!d->target)
            continue;
        ret->n_disks++;
        d->overlay.path = xml_node_attribute(xml_node_child(n, "source"), "file");
        read_image(disk_of(xml_node_child(root, "domain"), d->target), d);
    }
}

int virt_snapshot_read(const char *xml, size_t len, struct virt_snapshot *ret, struct err *err)
{
    CLEANUP(xml_doc_freep) xmlDoc *doc = xml_node_parse(xml, len, "domainsnapshot", err);
    if (!doc)
        return -EINVAL;
    const xmlNode *root = xmlDocGetRootElement(doc), *memory = xml_node_child(root, "memory");
    CLEANUP(freep) char *time = xml_node_content(xml_node_child(root, "creationTime"));
    CLEANUP(freep) char *state = xml_node_content(xml_node_child(root, "state"));
    ret->memory = memory && !xml_node_attribute_is(memory, "snapshot", "no");
    ret->external = xml_node_attribute_is(memory, "snapshot", "external");
    if (ret->external)
        ret->memory_image.path = xml_node_attribute(memory, "file");
    ret->running = state && (strcmp(state, "running") == 0 || strcmp(state, "paused") == 0);
    if (time)
        (void)number_parse_i64(time, &ret->created_s);
    CLEANUP(freep) char *description = xml_node_content(xml_node_child(root, "description"));
    ret->merging = description && strcmp(description, MERGING_MARK) == 0;
    read_disks(root, ret);
    return 0;
}

/* Rewriting. */

static void put_source(xmlNode *disk, const struct virt_disk *with)
{
    xml_node_drop(xml_node_child(disk, "backingStore"));
    xml_node_drop(xml_node_child(disk, "source"));
    xmlNode *source = xmlNewChild(disk, NULL, (const xmlChar *)"source", NULL);
    xml_node_set(source, with->source.block ? "dev" : "file", with->source.path);
    xml_node_set(disk, "type", with->source.block ? "block" : "file");
    xmlNode *driver = xml_node_child(disk, "driver");
    if (driver && with->format)
        xml_node_set(driver, "type", with->format);
}

static void put_sources(const xmlNode *domain, const struct virt_disk *disks, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        xmlNode *disk = disk_of(domain, disks[i].target);
        if (disk)
            put_source(disk, &disks[i]);
    }
}

int virt_snapshot_domain(const char *xml, size_t len, bool live, const struct virt_disk *disks,
                         size_t n, char **ret, struct err *err)
{
    CLEANUP(xml_doc_freep) xmlDoc *doc = xml_node_parse(xml, len, "domainsnapshot", err);
    if (!doc)
        return -EINVAL;
    const xmlNode *root = xmlDocGetRootElement(doc);
    xmlNode *domain = live ? NULL : xml_node_child(root, "inactiveDomain");
    if (!domain)
        domain = xml_node_child(root, "domain");
    if (!domain)
        return err_set(err, EINVAL, "the snapshot has no definition of the VM");
    put_sources(domain, disks, n);
    xmlUnlinkNode(domain);
    xmlNodeSetName(domain, (const xmlChar *)"domain");
    xmlFreeNode(xmlDocSetRootElement(doc, domain));
    return xml_node_dump(doc, ret, err);
}

static xmlNode *overlay_of(const xmlNode *root, const char *target)
{
    const xmlNode *disks = xml_node_child(root, "disks");
    for (xmlNode *n = disks ? disks->children : NULL; n; n = n->next)
        if (xml_node_named(n, "disk") && xml_node_attribute_is(n, "name", target))
            return n;
    return NULL;
}

// The mark stands in the description, the one text of a snapshot that libvirt keeps as it is.
static void put_mark(xmlNode *root)
{
    xmlNode *description = xml_node_child(root, "description");
    if (description)
        xmlNodeSetContent(description, (const xmlChar *)MERGING_MARK);
    else
        xmlNewTextChild(root, NULL, (const xmlChar *)"description", (const xmlChar *)MERGING_MARK);
}

int virt_snapshot_redirect(const char *xml, size_t len, const struct virt_redirect *to, char **ret,
                           struct err *err)
{
    CLEANUP(xml_doc_freep) xmlDoc *doc = xml_node_parse(xml, len, "domainsnapshot", err);
    if (!doc)
        return -EINVAL;
    xmlNode *root = xmlDocGetRootElement(doc);
    put_sources(xml_node_child(root, "domain"), to->images, to->n_images);
    put_sources(xml_node_child(root, "inactiveDomain"), to->images, to->n_images);
    for (size_t i = 0; i < to->n_overlays; i++) {
        xmlNode *disk = overlay_of(root, to->overlays[i].target);
        if (disk)
            put_source(disk, &to->overlays[i]);
    }
    if (to->merging)
        put_mark(root);
    return xml_node_dump(doc, ret, err);
}

/* Writing. */

static void write_attribute(struct buf *out, const char *name, const char *text)
{
    buf_printf(out, " %s=\"", name);
    esc_html(out, text);
    buf_putc(out, '"');
}

static void write_disk(const struct virt_disk *d, struct buf *out)
{
    buf_puts(out, "<disk");
    write_attribute(out, "name", d->target);
    if (!d->source.path) {
        buf_puts(out, " snapshot='no'/>");
        return;
    }
    buf_puts(out, " snapshot='external' type='file'><driver type='qcow2'/><source");
    write_attribute(out, "file", d->source.path);
    buf_puts(out, "/></disk>");
}

void virt_snapshot_write(const struct virt_snapshot_spec *spec, struct buf *out)
{
    buf_puts(out, "<domainsnapshot><name>");
    esc_html(out, spec->name);
    buf_puts(out, "</name>");
    if (spec->kind == VIRT_SNAPSHOT_FULL) {
        buf_puts(out, "<memory snapshot='external'");
        write_attribute(out, "file", spec->memory_image.path);
        buf_puts(out, "/>");
    }
    if (spec->kind != VIRT_SNAPSHOT_INTERNAL) {
        buf_puts(out, "<disks>");
        for (size_t i = 0; i < spec->n_disks; i++)
            write_disk(&spec->disks[i], out);
        buf_puts(out, "</disks>");
    }
    buf_puts(out, "</domainsnapshot>");
}
