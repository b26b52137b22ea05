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

#include "base/cond.h"
#include "base/map.h"
#include "base/mem.h"
#include "virt/virt.h"

#define VIRT_EVENT_CALLBACKS 24

/** Most channels of one user. */
#define VIRT_CHANNELS_MAX 32
/** Most domains that are taken from libvirt, and that one channel remembers. */
#define VIRT_DOMAINS_MAX 65536
#define VIRT_DOMAINS_KEPT 4096
/** Longest text taken from a guest, in bytes. */
#define VIRT_GUEST_TEXT_MAX 1024

/**
 * One connection to the daemon. libvirt's client library (9.0 for one) is not safe when several
 * threads call on one connection while keepalive breaks it: it leaves behind an event source that
 * points into the stack of a thread that is gone. So each connection serves one call at a time.
 */
struct channel {
    virConnectPtr conn;
    struct virt *main; /**< carries events and the loss, for this user; else NULL */
    int callbacks[VIRT_EVENT_CALLBACKS]; /**< ids from libvirt */
    size_t n_callbacks;
    struct map *domains; /**< UUID to virDomainPtr, each holding a reference */
    struct map *agents;  /**< UUIDs of domains that have been given the timeout */
    int agent_timeout_s;
    int64_t used_ns;      /**< when its last call ended */
    struct channel *next; /**< in struct virt.idle */
};

/**
 * What a user opened: a main channel, and a few more while calls run at the same time.
 * Referenced by its owner, by every call under way and by every registered callback, so that
 * close() waits for nobody.
 */
struct virt {
    atomic_int refs;
    char *uri;
    bool read_write;
    int keepalive_s;
    const struct clock *clock;
    atomic_bool dead; /**< the main channel broke, or the owner closed */

    pthread_mutex_t lock;          /**< guards what follows */
    pthread_cond_t given_back;     /**< a channel is idle, or the owner closed */
    struct virt_listener listener; /**< emptied by close() */
    struct channel *idle;          /**< the main one first */
    size_t n_channels;             /**< idle or in use */
    bool closed;
};

struct virt *virt_libvirt_ref(struct virt *v);
void virt_libvirt_unref(struct virt *v);

/** A channel of one's own for the length of a call. */
struct use {
    struct virt *v;
    struct channel *channel; /**< NULL: nothing to give back */
    virConnectPtr conn;
};

/** Opens a channel where all are in use and stay so. 0, or -errno as open(). */
int virt_use_begin(struct use *use, struct virt *v, struct err *err);

/** CLEANUP(virt_use_end): give it back. */
void virt_use_end(struct use *use);

/** The first words of a call: `use` for the rest of the function, or out with the error. */
#define USE(use, v, err)                                                                           \
    struct use use CLEANUP(virt_use_end);                                                          \
    int use##_error = virt_use_begin(&use, v, err);                                                \
    if (use##_error < 0)                                                                           \
    return use##_error

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
virDomainPtr virt_libvirt_domain(struct use *use, const struct uuid *uuid, struct err *err);

/** Ask again next time, as the daemon no longer knows the domain. */
void virt_libvirt_forget(struct use *use, const struct uuid *uuid);

/** Register for all events; what a hypervisor lacks is left out. */
void virt_libvirt_listen(struct virt *v, struct channel *channel);

/* The calls of the table, by file. */

int virt_libvirt_stats(struct virt *v, const struct uuid *uuid, unsigned parts, struct batch *out,
                       struct err *err);
void virt_libvirt_stats_many(struct virt *v, struct virt_asked *asked, size_t n);
int virt_libvirt_stored(struct virt *v, const struct uuid *uuid, int known, bool persistent,
                        struct batch *out, struct err *err);
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
