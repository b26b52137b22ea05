// SPDX-License-Identifier: GPL-3.0-or-later
// The host's NUMA nodes, and which of them a VM's memory comes from, through libvirt.
#include <errno.h>
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <string.h>

#include "base/number.h"
#include "libvirt_change.h"

#define CELLS_MAX 1024
#define CPUS_TEXT_MAX 65536
#define CAPABILITIES_MAX (16u * 1024 * 1024)

DEFINE_FREEP(xmlDoc, xmlFreeDoc, doc_freep)

static const xmlNode *child(const xmlNode *n, const char *name)
{
    n = n ? n->children : NULL;
    while (n && strcmp((const char *)n->name, name) != 0)
        n = n->next;
    return n;
}

static bool read_id(const xmlNode *n, unsigned *ret)
{
    xmlChar *text = xmlGetProp((xmlNode *)n, (const xmlChar *)"id");
    uint64_t id = 0;
    bool ok = text && number_parse_u64((const char *)text, &id) == 0 && id <= UINT16_MAX;
    xmlFree(text);
    *ret = (unsigned)id;
    return ok;
}

static void put_range(struct buf *out, unsigned first, unsigned last)
{
    buf_printf(out, "%s%u", out->len ? "," : "", first);
    if (last > first)
        buf_printf(out, "-%u", last);
}

// CPUs stand in rising order; neighbours become a range.
static char *cpus_of(const xmlNode *cell)
{
    struct buf out;
    const xmlNode *cpus = child(cell, "cpus");
    unsigned first = 0, last = 0, id = 0;
    bool any = false;
    buf_init(&out, CPUS_TEXT_MAX);
    for (const xmlNode *n = cpus ? cpus->children : NULL; n; n = n->next) {
        if (strcmp((const char *)n->name, "cpu") != 0 || !read_id(n, &id))
            continue;
        if (any && id == last + 1) {
            last = id;
            continue;
        }
        if (any)
            put_range(&out, first, last);
        first = last = id;
        any = true;
    }
    if (any)
        put_range(&out, first, last);
    return buf_take(&out, NULL);
}

static size_t read_cells(const char *xml, struct virt_cell **ret)
{
    CLEANUP(doc_freep)
    xmlDoc *doc = xmlReadMemory(xml, (int)strlen(xml), NULL, NULL,
                                XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    const xmlNode *host = doc ? child(xmlDocGetRootElement(doc), "host") : NULL;
    const xmlNode *cells = child(child(host, "topology"), "cells");
    size_t n = 0, cap = 0;
    for (const xmlNode *c = cells ? cells->children : NULL; c && n < CELLS_MAX; c = c->next) {
        unsigned id = 0;
        if (strcmp((const char *)c->name, "cell") != 0 || !read_id(c, &id))
            continue;
        mem_grow(ret, &cap, n, sizeof(**ret));
        char *cpus = cpus_of(c);
        (*ret)[n++] = (struct virt_cell){id, cpus ? cpus : mem_strdup("")};
    }
    return n;
}

int virt_libvirt_cells(struct virt *v, struct virt_cell **ret, size_t *ret_n, struct err *err)
{
    USE(use, v, err);
    char *xml CLEANUP(freep) = virConnectGetCapabilities(use.conn);
    if (!xml || strlen(xml) > CAPABILITIES_MAX)
        return xml ? err_set(err, E2BIG, "libvirt's capabilities are too large")
                   : virt_libvirt_error(err, "asking for the host's NUMA nodes");
    *ret = NULL;
    *ret_n = read_cells(xml, ret);
    return 0;
}

static const int modes[VIRT_NUMA_MODE_MAX] = {
    [VIRT_NUMA_STRICT] = VIR_DOMAIN_NUMATUNE_MEM_STRICT,
    [VIRT_NUMA_PREFERRED] = VIR_DOMAIN_NUMATUNE_MEM_PREFERRED,
    [VIRT_NUMA_INTERLEAVE] = VIR_DOMAIN_NUMATUNE_MEM_INTERLEAVE,
    [VIRT_NUMA_RESTRICTIVE] = VIR_DOMAIN_NUMATUNE_MEM_RESTRICTIVE,
};

int virt_libvirt_set_numa(struct virt *v, const struct uuid *uuid, const struct virt_numa *numa,
                          unsigned scope, struct err *err)
{
    CHANGE(c, v, uuid, err);
    struct typed_params p CLEANUP(typed_params_done) = {0};
    int max = 0, r = 0;
    r |= virTypedParamsAddInt(&p.items, &p.n, &max, VIR_DOMAIN_NUMA_MODE, modes[numa->mode]);
    r |= virTypedParamsAddString(&p.items, &p.n, &max, VIR_DOMAIN_NUMA_NODESET, numa->nodes);
    if (r < 0 ||
        virDomainSetNumaParameters(c.domain, p.items, p.n, virt_change_flags(&c, scope)) < 0)
        return virt_libvirt_error(err, "placing the VM's memory");
    return 0;
}
