// SPDX-License-Identifier: GPL-3.0-or-later
// Snapshots through libvirt. What may be asked of it without harm is decided by the caller.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "libvirt_change.h"
#include "xml_node.h"

#define XML_MAX 65536
#define SNAPSHOTS_MAX 4096

static inline void snapshot_freep(virDomainSnapshotPtr *s)
{
    if (*s)
        virDomainSnapshotFree(*s);
}

static int describe(struct use *use, virDomainSnapshotPtr s, struct virt_snapshot *ret,
                    struct err *err)
{
    char *xml CLEANUP(freep) = virDomainSnapshotGetXMLDesc(s, 0);
    virDomainSnapshotPtr parent CLEANUP(snapshot_freep) = virDomainSnapshotGetParent(s, 0);
    if (!xml)
        return virt_libvirt_error(err, "reading a snapshot");
    ret->name = mem_strdup(virDomainSnapshotGetName(s));
    ret->parent = parent ? mem_strdup(virDomainSnapshotGetName(parent)) : NULL;
    ret->current = virDomainSnapshotIsCurrent(s, 0) == 1;
    ret->children = (size_t)MAX_OF(virDomainSnapshotNumChildren(s, 0), 0);
    ret->plugged_vcpus = virt_plugged_vcpus(xml, strlen(xml)) > 0;
    int r = virt_snapshot_read(xml, strlen(xml), ret, err);
    for (size_t i = 0; r == 0 && i < ret->n_disks; i++) {
        virt_volume_name(use, &ret->disks[i].image);
        virt_volume_name(use, &ret->disks[i].overlay);
    }
    if (r == 0)
        virt_volume_name(use, &ret->memory_image);
    return r;
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
            r = describe(&c.use, list[i], &found[i], err);
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

int virt_libvirt_create_snapshot(struct virt *v, const struct uuid *uuid,
                                 const struct virt_snapshot_spec *spec, struct err *err)
{
    CHANGE(c, v, uuid, err);
    struct buf xml CLEANUP(buf_done);
    unsigned flags = VIR_DOMAIN_SNAPSHOT_CREATE_ATOMIC;
    buf_init(&xml, XML_MAX);
    virt_snapshot_write(spec, &xml);
    if (xml.error)
        return err_set(err, E2BIG, "the snapshot's description is too large");
    if (spec->kind == VIRT_SNAPSHOT_EXTERNAL)
        flags |= VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY;
    if (spec->quiesce)
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
                                 bool knowledge, struct err *err)
{
    CHANGE(c, v, uuid, err);
    virDomainSnapshotPtr s CLEANUP(snapshot_freep) = find(&c, name, err);
    if (!s)
        return -ENOENT;
    unsigned flags = knowledge ? VIR_DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY : 0;
    return virDomainSnapshotDelete(s, flags) < 0 ? virt_libvirt_error(err, "deleting the snapshot")
                                                 : 0;
}

// A snapshot's document, with secrets; the caller frees. NULL with the reason in `err`.
static char *document(struct change *c, const char *name, struct err *err)
{
    virDomainSnapshotPtr s CLEANUP(snapshot_freep) = find(c, name, err);
    char *xml = s ? virDomainSnapshotGetXMLDesc(s, VIR_DOMAIN_SNAPSHOT_XML_SECURE) : NULL;
    if (s && !xml)
        virt_libvirt_error(err, "reading a snapshot");
    return xml;
}

int virt_libvirt_redirect_snapshot(struct virt *v, const struct uuid *uuid, const char *name,
                                   const struct virt_redirect *to, struct err *err)
{
    CHANGE(c, v, uuid, err);
    struct err why = {0};
    char *xml CLEANUP(freep) = document(&c, name, &why);
    char *changed CLEANUP(freep) = NULL;
    if (!xml)
        return err_set(err, why.code, "%s", why.message);
    int r = virt_snapshot_redirect(xml, strlen(xml), to, &changed, err);
    if (r < 0)
        return r;
    unsigned flags = VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE;
    virDomainSnapshotPtr was CLEANUP(snapshot_freep) = find(&c, name, NULL);
    if (to->current || (was && virDomainSnapshotIsCurrent(was, 0) == 1))
        flags |= VIR_DOMAIN_SNAPSHOT_CREATE_CURRENT;
    virDomainSnapshotPtr s CLEANUP(snapshot_freep) =
        virDomainSnapshotCreateXML(c.domain, changed, flags);
    return s ? 0 : virt_libvirt_error(err, "changing a snapshot's description");
}

/* Definitions, as they were. */

int virt_libvirt_definition(struct virt *v, const struct uuid *uuid, char **ret, struct err *err)
{
    CHANGE(c, v, uuid, err);
    char *xml CLEANUP(freep) =
        virDomainGetXMLDesc(c.domain, VIR_DOMAIN_XML_INACTIVE | VIR_DOMAIN_XML_SECURE);
    if (!xml || strlen(xml) > XML_BYTES_MAX)
        return virt_libvirt_error(err, "reading a VM's definition");
    *ret = TAKE_PTR(xml);
    return 0;
}

static int define(struct use *use, const char *xml, struct err *err)
{
    virDomainPtr d CLEANUP(domain_freep) = virDomainDefineXMLFlags(use->conn, xml, 0);
    return d ? 0 : virt_libvirt_error(err, "defining the VM");
}

int virt_libvirt_redefine(struct virt *v, const char *text, struct err *err)
{
    USE(use, v, err);
    return define(&use, text, err);
}

int virt_libvirt_redefine_as(struct virt *v, const struct uuid *uuid, const char *snapshot,
                             const struct virt_disk *disks, size_t n, struct err *err)
{
    CHANGE(c, v, uuid, err);
    struct err why = {0};
    char *xml CLEANUP(freep) = document(&c, snapshot, &why);
    char *domain CLEANUP(freep) = NULL;
    if (!xml)
        return err_set(err, why.code, "%s", why.message);
    int r = virt_snapshot_domain(xml, strlen(xml), false, disks, n, &domain, err);
    return r < 0 ? r : define(&c.use, domain, err);
}

int virt_libvirt_restore_memory(struct virt *v, const struct uuid *uuid, const char *snapshot,
                                const struct virt_disk *disks, size_t n, struct err *err)
{
    CHANGE(c, v, uuid, err);
    struct err why = {0};
    struct virt_snapshot s = {0};
    char *xml CLEANUP(freep) = document(&c, snapshot, &why);
    char *domain CLEANUP(freep) = NULL;
    if (!xml)
        return err_set(err, why.code, "%s", why.message);
    int r = virt_snapshot_domain(xml, strlen(xml), true, disks, n, &domain, err);
    if (r == 0)
        r = virt_snapshot_read(xml, strlen(xml), &s, err);
    if (r == 0 && !s.memory_image.path)
        r = err_set(err, EINVAL, "the snapshot holds no memory");
    if (r == 0 && virDomainRestoreFlags(c.use.conn, s.memory_image.path, domain, 0) < 0)
        r = virt_libvirt_error(err, "starting from the snapshot's memory");
    virt_snapshot_done(&s);
    return r;
}

int virt_libvirt_drop_save(struct virt *v, const struct uuid *uuid, struct err *err)
{
    CHANGE(c, v, uuid, err);
    if (virDomainHasManagedSaveImage(c.domain, 0) != 1)
        return 0;
    return virDomainManagedSaveRemove(c.domain, 0) < 0
               ? virt_libvirt_error(err, "forgetting saved memory")
               : 0;
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
