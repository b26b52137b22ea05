// SPDX-License-Identifier: GPL-3.0-or-later
// Images of a running VM's disks, and jobs that merge them. A job is begun, looked at and ended by
// calls of their own, so that whoever waits for it can be ended and come back.
#include <errno.h>
#include <libvirt/libvirt-qemu.h>
#include <string.h>

#include "libvirt_change.h"
#include "xml_node.h"

#define AGENT_PATIENCE_S 5

static char *source_of(const xmlNode *n)
{
    const xmlNode *source = xml_node_child(n, "source");
    char *path = xml_node_attribute(source, "file");
    return path ? path : xml_node_attribute(source, "dev");
}

static const xmlNode *find_disk(const xmlNode *root, const char *target)
{
    const xmlNode *devices = xml_node_child(root, "devices");
    for (const xmlNode *n = devices ? devices->children : NULL; n; n = n->next)
        if (xml_node_named(n, "disk") &&
            xml_node_attribute_is(xml_node_child(n, "target"), "dev", target))
            return n;
    return NULL;
}

static int read_chain(const char *xml, const char *target, struct virt_chain *ret, struct err *err)
{
    CLEANUP(xml_doc_freep) xmlDoc *doc = xml_node_parse(xml, strlen(xml), "domain", err);
    if (!doc)
        return -EINVAL;
    const xmlNode *n = find_disk(xmlDocGetRootElement(doc), target);
    if (!n)
        return err_set(err, ENOENT, "the VM has no disk %s", target);
    ret->ready = xml_node_attribute_is(xml_node_child(n, "mirror"), "ready", "yes");
    for (; n && ret->n < VIRT_CHAIN_MAX; n = xml_node_child(n, "backingStore")) {
        char *path = source_of(n);
        if (!path)
            break;
        ret->paths[ret->n++] = path;
    }
    return 0;
}

int virt_libvirt_chain(struct virt *v, const struct uuid *uuid, const char *target,
                       struct virt_chain *ret, struct err *err)
{
    CHANGE(c, v, uuid, err);
    struct virt_chain chain = {0};
    int active = virt_change_active(&c, err);
    if (active <= 0)
        return active < 0 ? active : err_set(err, ESRCH, "the VM is not running");
    // The job first: where it is over, the chain that is read then is what it has left. The other
    // way round a merge that ended in between would look as if it had come to nothing.
    virDomainBlockJobInfo info = {0};
    int job = virDomainGetBlockJobInfo(c.domain, target, &info, 0);
    int r = job < 0 ? virt_libvirt_error(err, "asking for a disk's job") : 0;
    char *xml CLEANUP(freep) = virDomainGetXMLDesc(c.domain, 0);
    if (!xml)
        return virt_libvirt_error(err, "reading a VM's definition");
    int read = read_chain(xml, target, &chain, err);
    r = read < 0 ? read : r;
    chain.job = job == 1;
    chain.done = info.cur;
    chain.total = info.end;
    chain.ready = chain.ready && chain.job && info.cur == info.end;
    if (r < 0)
        virt_chain_done(&chain);
    else
        *ret = chain;
    return r;
}

int virt_libvirt_merge(struct virt *v, const struct uuid *uuid, const char *target,
                       const char *base, const char *top, bool pull, struct err *err)
{
    CHANGE(c, v, uuid, err);
    struct virt_chain chain = {0};
    int r = pull ? 0 : virt_libvirt_chain(v, uuid, target, &chain, err);
    if (r < 0)
        return r;
    bool first = !pull && chain.n > 0 && strcmp(chain.paths[0], top) == 0;
    virt_chain_done(&chain);
    if (pull)
        r = virDomainBlockRebase(c.domain, target, base, 0, 0);
    else
        r = virDomainBlockCommit(c.domain, target, base, top, 0,
                                 first ? VIR_DOMAIN_BLOCK_COMMIT_ACTIVE : 0);
    return r < 0 ? virt_libvirt_error(err, "merging images") : 0;
}

int virt_libvirt_merge_end(struct virt *v, const struct uuid *uuid, const char *target, bool pivot,
                           struct err *err)
{
    CHANGE(c, v, uuid, err);
    unsigned flags = pivot ? VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT : 0;
    return virDomainBlockJobAbort(c.domain, target, flags) < 0
               ? virt_libvirt_error(err, "ending the merge of images")
               : 0;
}

/* The guest's agent, as far as freezing goes. */

int virt_libvirt_agent(struct virt *v, const struct uuid *uuid, struct err *err)
{
    CHANGE(c, v, uuid, err);
    char *answer CLEANUP(freep) =
        virDomainQemuAgentCommand(c.domain, "{\"execute\":\"guest-ping\"}", AGENT_PATIENCE_S, 0);
    return answer ? 0 : virt_libvirt_error(err, "asking the guest's agent");
}

int virt_libvirt_thaw(struct virt *v, const struct uuid *uuid, struct err *err)
{
    CHANGE(c, v, uuid, err);
    int active = virt_change_active(&c, err);
    if (active <= 0)
        return active;
    return virDomainFSThaw(c.domain, NULL, 0, 0) < 0
               ? virt_libvirt_error(err, "thawing the guest's file systems")
               : 0;
}
