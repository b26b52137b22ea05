// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef VIRT_LIBVIRT_PRIV_H
#define VIRT_LIBVIRT_PRIV_H

/*
 * Shared by the files of the libvirt back end. Layer: private to src/virt.
 */

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/map.h"
#include "base/mem.h"
#include "virt/virt.h"

#define VIRT_EVENT_CALLBACKS 24

/** Most domains, pools, networks, disks of a VM that are taken from libvirt. */
#define VIRT_OBJECTS_MAX 65536
/** Longest text taken from a guest, in bytes. */
#define VIRT_GUEST_TEXT_MAX 1024

/**
 * An open connection. Referenced by its owner, by every call under way and by every registered
 * callback, so that close() waits for nobody.
 */
struct virt {
    atomic_int refs;
    virConnectPtr conn;
    const struct clock *clock;
    int callbacks[VIRT_EVENT_CALLBACKS]; /**< ids from libvirt; set before use, then constant */
    size_t n_callbacks;
    bool close_callback;
    atomic_bool dead;

    pthread_mutex_t lock; /**< guards what follows; never held across a call that can wait */
    struct virt_listener listener; /**< emptied by close() */
    struct map *domains;           /**< UUID to virDomainPtr, each holding a reference */
};

struct virt *virt_libvirt_ref(struct virt *v);
void virt_libvirt_unref(struct virt *v);

/** Keep the connection for the length of a call; close() may run meanwhile. */
static inline struct virt *virt_libvirt_hold(struct virt *v)
{
    virConnectRef(v->conn);
    return virt_libvirt_ref(v);
}

static inline void virt_releasep(struct virt **v)
{
    virConnectClose((*v)->conn);
    virt_libvirt_unref(*v);
}

#define HOLD(v) struct virt *held_ CLEANUP(virt_releasep) = virt_libvirt_hold(v)

static inline void domain_freep(virDomainPtr *d)
{
    if (*d)
        virDomainFree(*d);
}

static inline void stats_freep(virDomainStatsRecordPtr **s)
{
    if (*s)
        virDomainStatsRecordListFree(*s);
}

/** Parameters as libvirt returns them, with their number. */
struct typed_params {
    virTypedParameterPtr items;
    int n;
};

static inline void typed_params_done(struct typed_params *p)
{
    virTypedParamsFree(p->items, p->n);
}

/** A parameter as a number; NaN where it is a text. */
double virt_param_number(const virTypedParameter *p);

/**
 * libvirt's last error on this thread as -errno, with `what` in front of its message. Never 0.
 */
int virt_libvirt_error(struct err *err, const char *what);

/** The domain of a UUID without asking the daemon where possible; the caller frees. */
virDomainPtr virt_libvirt_domain(struct virt *v, const struct uuid *uuid, struct err *err);

/** Ask again next time, as the daemon no longer knows the domain. */
void virt_libvirt_forget(struct virt *v, const struct uuid *uuid);

/** Register for all events; what a hypervisor lacks is left out. */
void virt_libvirt_listen(struct virt *v);

/* The calls of the table, by file. */

int virt_libvirt_stats(struct virt *v, const struct uuid *uuid, struct batch *out, struct err *err);
int virt_libvirt_dirty_rate(struct virt *v, const struct uuid *uuid, int seconds, struct batch *out,
                            struct err *err);
int virt_libvirt_agent_ping(struct virt *v, const struct uuid *uuid, int timeout_s,
                            struct batch *out, struct err *err);
int virt_libvirt_agent_info(struct virt *v, const struct uuid *uuid, int timeout_s,
                            struct batch *out, struct err *err);
int virt_libvirt_pools(struct virt *v, char ***ret_names, size_t *ret_n, struct err *err);
int virt_libvirt_pool(struct virt *v, const char *name, struct batch *out, struct err *err);
int virt_libvirt_networks(struct virt *v, struct batch *out, struct err *err);

#endif
