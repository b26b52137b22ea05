// SPDX-License-Identifier: GPL-3.0-or-later
// Storage pools and networks. Pools are never refreshed: that scans storage, which may be dead.
#include <errno.h>

#include "libvirt_priv.h"

static void pools_free(virStoragePoolPtr *pools, int n)
{
    for (int i = 0; i < n; i++)
        virStoragePoolFree(pools[i]);
    free(pools);
}

int virt_libvirt_pools(struct virt *v, char ***ret_names, size_t *ret_n, struct err *err)
{
    USE(use, v, err);
    virStoragePoolPtr *pools = NULL;
    int n = virConnectListAllStoragePools(use.conn, &pools, 0);
    if (n < 0)
        return virt_libvirt_error(err, "listing storage pools");
    char **names = mem_zalloc(((size_t)n + 1) * sizeof(*names));
    for (int i = 0; i < n; i++)
        names[i] = mem_strdup(virStoragePoolGetName(pools[i]));
    pools_free(pools, n);
    *ret_names = names;
    *ret_n = (size_t)n;
    return 0;
}

int virt_libvirt_pool(struct virt *v, const char *name, struct batch *out, struct err *err)
{
    USE(use, v, err);
    virStoragePoolPtr pool = virStoragePoolLookupByName(use.conn, name);
    virStoragePoolInfo info;
    int r = pool && virStoragePoolGetInfo(pool, &info) == 0
                ? 0
                : virt_libvirt_error(err, "reading a storage pool");
    if (pool)
        virStoragePoolFree(pool);
    if (r < 0)
        return r;
    uint32_t key = batch_key(out, name);
    batch_fact(out, key, FACT_POOL_STATE, info.state);
    batch_fact(out, key, FACT_POOL_CAPACITY, (double)info.capacity);
    batch_fact(out, key, FACT_POOL_ALLOCATION, (double)info.allocation);
    batch_fact(out, key, FACT_POOL_AVAILABLE, (double)info.available);
    return 0;
}

static void put_network(virNetworkPtr network, struct batch *out)
{
    int autostart = 0;
    int active = virNetworkIsActive(network);
    // -1: it went away since the listing.
    if (active < 0)
        return;
    uint32_t key = batch_key(out, virNetworkGetName(network));
    char *bridge CLEANUP(freep) = virNetworkGetBridgeName(network);
    batch_fact(out, key, FACT_NETWORK_ACTIVE, active);
    if (virNetworkGetAutostart(network, &autostart) == 0)
        batch_fact(out, key, FACT_NETWORK_AUTOSTART, autostart);
    batch_attr(out, key, ATTR_NETWORK_BRIDGE, bridge);
}

int virt_libvirt_networks(struct virt *v, struct batch *out, struct err *err)
{
    USE(use, v, err);
    virNetworkPtr *networks = NULL;
    int n = virConnectListAllNetworks(use.conn, &networks, 0);
    if (n < 0)
        return virt_libvirt_error(err, "listing networks");
    for (int i = 0; i < n; i++) {
        put_network(networks[i], out);
        virNetworkFree(networks[i]);
    }
    free(networks);
    return 0;
}
