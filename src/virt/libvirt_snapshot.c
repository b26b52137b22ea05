// SPDX-License-Identifier: GPL-3.0-or-later
// Snapshots through libvirt. What may be asked of it without harm is decided by the caller.
#include <errno.h>
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <stdio.h>
#include <string.h>

#include "base/esc.h"
#include "base/number.h"
#include "libvirt_change.h"

#define XML_MAX 65536
#define SNAPSHOTS_MAX 4096

static inline void snapshot_freep(virDomainSnapshotPtr *s)
{
    if (*s)
        virDomainSnapshotFree(*s);
}

static const xmlNode *child(const xmlNode *n, const char *name)
{
    n = n ? n->children : NULL;
    while (n && strcmp((const char *)n->name, name) != 0)
        n = n->next;
    return n;
}

static bool attribute_is(const xmlNode *n, const char *name, const char *value)
{
    xmlChar *text = n ? xmlGetProp(n, (const xmlChar *)name) : NULL;
    bool is = text && strcmp((char *)text, value) == 0;
    xmlFree(text);
    return is;
}

static void read_disks(const xmlNode *disks, struct virt_snapshot *ret)
{
    for (const xmlNode *n = disks ? disks->children : NULL; n; n = n->next)
        if (attribute_is(n, "snapshot", "external"))
            ret->external = true;
}

static void read_xml(const char *xml, struct virt_snapshot *ret)
{
    xmlDoc *doc = xmlReadMemory(xml, (int)strlen(xml), NULL, NULL,
                                XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    const xmlNode *root = doc ? xmlDocGetRootElement(doc) : NULL;
    const xmlNode *memory = child(root, "memory"), *created = child(root, "creationTime");
    xmlChar *time = created ? xmlNodeGetContent(created) : NULL;
    ret->memory = memory && !attribute_is(memory, "snapshot", "no");
    ret->external = attribute_is(memory, "snapshot", "external");
    if (time)
        (void)number_parse_i64((char *)time, &ret->created_s);
    read_disks(child(root, "disks"), ret);
    xmlFree(time);
    xmlFreeDoc(doc);
}

static int describe(virDomainSnapshotPtr s, struct virt_snapshot *ret, struct err *err)
{
    char *xml CLEANUP(freep) = virDomainSnapshotGetXMLDesc(s, 0);
    virDomainSnapshotPtr parent CLEANUP(snapshot_freep) = virDomainSnapshotGetParent(s, 0);
    if (!xml)
        return virt_libvirt_error(err, "reading a snapshot");
    ret->name = mem_strdup(virDomainSnapshotGetName(s));
    ret->parent = parent ? mem_strdup(virDomainSnapshotGetName(parent)) : NULL;
    ret->current = virDomainSnapshotIsCurrent(s, 0) == 1;
    ret->children = (size_t)MAX_OF(virDomainSnapshotNumChildren(s, 0), 0);
    read_xml(xml, ret);
    ret->plugged_vcpus = virt_plugged_vcpus(xml, strlen(xml)) > 0;
    return 0;
}

int virt_libvirt_snapshots(struct virt *v, const struct uuid *uuid, struct virt_snapshot **ret,
                           size_t *ret_n, struct err *err)
{
    CHANGE(c, v, uuid, err);
    virDomainSnapshotPtr *list = NULL;
    int n = virDomainListAllSnapshots(c.domain, &list, 0);
    if (n < 0)
        return virt_libvirt_error(err, "listing snapshots");
    int r = n > SNAPSHOTS_MAX ? err_set(err, E2BIG, "the VM has %d snapshots", n) : 0;
    struct virt_snapshot *found =
        mem_zalloc(((size_t)MIN_OF(n, SNAPSHOTS_MAX) + 1) * sizeof(*found));
    for (int i = 0; i < n; i++) {
        if (r == 0)
            r = describe(list[i], &found[i], err);
        virDomainSnapshotFree(list[i]);
    }
    free(list);
    if (r < 0) {
        virt_snapshots_free(found, (size_t)MIN_OF(n, SNAPSHOTS_MAX));
        return r;
    }
    *ret = found;
    *ret_n = (size_t)n;
    return 0;
}

static void write_disks(const struct virt_spec *spec, struct buf *out)
{
    buf_puts(out, "<disks>");
    for (size_t i = 0; i < spec->n_disks; i++) {
        const struct virt_disk *d = &spec->disks[i];
        if (!d->target)
            continue;
        buf_puts(out, "<disk name=\"");
        esc_html(out, d->target);
        buf_printf(out, "\" snapshot='%s'/>", d->cdrom || d->read_only ? "no" : "external");
    }
    buf_puts(out, "</disks>");
}

int virt_libvirt_create_snapshot(struct virt *v, const struct uuid *uuid, const char *name,
                                 enum virt_snapshot_kind kind, bool quiesce, struct err *err)
{
    CHANGE(c, v, uuid, err);
    char *domain CLEANUP(freep) = virDomainGetXMLDesc(c.domain, 0);
    struct virt_spec spec CLEANUP(virt_spec_done) = {0};
    struct buf xml CLEANUP(buf_done);
    unsigned flags = VIR_DOMAIN_SNAPSHOT_CREATE_ATOMIC;
    int r = domain ? virt_spec_read(domain, strlen(domain), &spec, err)
                   : virt_libvirt_error(err, "reading the VM");
    if (r < 0)
        return r;
    buf_init(&xml, XML_MAX);
    buf_puts(&xml, "<domainsnapshot><name>");
    esc_html(&xml, name);
    buf_puts(&xml, "</name>");
    if (kind == VIRT_SNAPSHOT_EXTERNAL) {
        write_disks(&spec, &xml);
        flags |= VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY;
    }
    buf_puts(&xml, "</domainsnapshot>");
    if (quiesce)
        flags |= VIR_DOMAIN_SNAPSHOT_CREATE_QUIESCE;
    virDomainSnapshotPtr s CLEANUP(snapshot_freep) =
        virDomainSnapshotCreateXML(c.domain, xml.data, flags);
    return s ? 0 : virt_libvirt_error(err, "taking the snapshot");
}

static virDomainSnapshotPtr find(struct change *c, const char *name, struct err *err)
{
    virDomainSnapshotPtr s = virDomainSnapshotLookupByName(c->domain, name, 0);
    if (!s)
        err_set(err, ENOENT, "the VM has no snapshot \"%s\"", name);
    return s;
}

int virt_libvirt_revert(struct virt *v, const struct uuid *uuid, const char *name, struct err *err)
{
    CHANGE(c, v, uuid, err);
    virDomainSnapshotPtr s CLEANUP(snapshot_freep) = find(&c, name, err);
    if (!s)
        return -ENOENT;
    return virDomainRevertToSnapshot(s, 0) < 0 ? virt_libvirt_error(err, "going back") : 0;
}

int virt_libvirt_delete_snapshot(struct virt *v, const struct uuid *uuid, const char *name,
                                 struct err *err)
{
    CHANGE(c, v, uuid, err);
    virDomainSnapshotPtr s CLEANUP(snapshot_freep) = find(&c, name, err);
    if (!s)
        return -ENOENT;
    return virDomainSnapshotDelete(s, 0) < 0 ? virt_libvirt_error(err, "deleting the snapshot") : 0;
}

int virt_libvirt_checkpoints(struct virt *v, const struct uuid *uuid, struct err *err)
{
    CHANGE(c, v, uuid, err);
    virDomainCheckpointPtr *list = NULL;
    int n = virDomainListAllCheckpoints(c.domain, &list, 0);
    if (n < 0)
        return virt_libvirt_error(err, "listing checkpoints");
    for (int i = 0; i < n; i++)
        virDomainCheckpointFree(list[i]);
    free(list);
    return n;
}
