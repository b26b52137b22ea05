// SPDX-License-Identifier: GPL-3.0-or-later
// The libvirt back end: connections, inventory, errors. One thread of the process runs libvirt's
// event loop for all connections; it also carries keepalive, so a daemon that no longer answers
// makes every waiting call fail. Closing is left to a thread of its own, since libvirt says
// goodbye to the daemon and waits for the answer.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "libvirt_priv.h"

struct virt *virt_libvirt_ref(struct virt *v)
{
    atomic_fetch_add(&v->refs, 1);
    return v;
}

void virt_libvirt_unref(struct virt *v)
{
    if (!v || atomic_fetch_sub(&v->refs, 1) != 1)
        return;
    pthread_mutex_destroy(&v->lock);
    map_free(v->domains);
    free(v);
}

/* Errors. */

static const struct {
    int code;
    int error;
    const char *hint; // what a person can do, or NULL
} error_codes[] = {
    {VIR_ERR_NO_DOMAIN, ENOENT, NULL},
    {VIR_ERR_NO_STORAGE_POOL, ENOENT, NULL},
    {VIR_ERR_NO_NETWORK, ENOENT, NULL},
    {VIR_ERR_NO_CONNECT, ENOENT, "this libvirt has no driver for the URI"},
    {VIR_ERR_AUTH_FAILED, EACCES, "run as root or join the group libvirt"},
    {VIR_ERR_AUTH_UNAVAILABLE, EACCES, "run as root or join the group libvirt"},
    {VIR_ERR_AUTH_CANCELLED, EACCES, "run as root or join the group libvirt"},
    {VIR_ERR_ACCESS_DENIED, EACCES, "libvirt's access control refuses it"},
    {VIR_ERR_OPERATION_DENIED, EACCES, "the connection is read-only"},
    {VIR_ERR_OPERATION_TIMEOUT, ETIMEDOUT, NULL},
    {VIR_ERR_AGENT_UNRESPONSIVE, ETIMEDOUT, NULL},
    {VIR_ERR_AGENT_UNSYNCED, ETIMEDOUT, NULL},
    {VIR_ERR_NO_SUPPORT, EOPNOTSUPP, NULL},
    {VIR_ERR_CONFIG_UNSUPPORTED, EOPNOTSUPP, NULL},
    {VIR_ERR_OPERATION_UNSUPPORTED, EOPNOTSUPP, NULL},
    {VIR_ERR_ARGUMENT_UNSUPPORTED, EOPNOTSUPP, NULL},
    {VIR_ERR_INVALID_ARG, EINVAL, NULL},
    {VIR_ERR_OPERATION_INVALID, ESRCH, NULL},
    {VIR_ERR_RPC, EPIPE, NULL},
    {VIR_ERR_NO_MEMORY, ENOMEM, NULL},
};

// A system error carries its errno; those of the socket mean more than they say.
static const struct {
    int error;
    int meaning;
    const char *hint;
} system_errors[] = {
    {ECONNREFUSED, ECONNREFUSED, "start the libvirt daemon"},
    {EACCES, EACCES, "run as root or join the group libvirt"},
    {EPERM, EACCES, "run as root or join the group libvirt"},
};

static bool daemon_installed(void)
{
    static const char *const daemons[] = {"/usr/sbin/libvirtd", "/usr/sbin/virtqemud",
                                          "/usr/local/sbin/libvirtd", "/usr/local/sbin/virtqemud"};
    for (size_t i = 0; i < ARRAY_LEN(daemons); i++) {
        if (access(daemons[i], F_OK) == 0)
            return true;
    }
    return false;
}

static int system_error(int error, const char **ret_hint)
{
    if (error == ENOENT) {
        bool installed = daemon_installed();
        *ret_hint = installed ? "start the libvirt daemon" : "install libvirt-daemon-system";
        return installed ? ECONNREFUSED : ENOENT;
    }
    for (size_t i = 0; i < ARRAY_LEN(system_errors); i++) {
        if (system_errors[i].error == error) {
            *ret_hint = system_errors[i].hint;
            return system_errors[i].meaning;
        }
    }
    return error > 0 ? error : EIO;
}

static int error_code(const virError *e, const char **ret_hint)
{
    if (e->code == VIR_ERR_SYSTEM_ERROR)
        return system_error(e->int1, ret_hint);
    for (size_t i = 0; i < ARRAY_LEN(error_codes); i++) {
        if (error_codes[i].code == e->code) {
            *ret_hint = error_codes[i].hint;
            return error_codes[i].error;
        }
    }
    return EIO;
}

int virt_libvirt_error(struct err *err, const char *what)
{
    virErrorPtr e = virGetLastError();
    if (!e || e->code == VIR_ERR_OK)
        return err_set(err, EIO, "%s: libvirt gave no reason", what);
    const char *hint = NULL;
    int code = error_code(e, &hint);
    return err_set(err, code, "%s: %s%s%s%s", what, e->message ? e->message : "unknown error",
                   hint ? " (" : "", hint ? hint : "", hint ? ")" : "");
}

// libvirt would print every error to standard error.
static void ignore_error(void *arg, virErrorPtr e) {}

/* The event loop. */

static int loop_error;
static pthread_once_t loop_once = PTHREAD_ONCE_INIT;

static void *loop_run(void *arg)
{
    for (;;) {
        if (virEventRunDefaultImpl() < 0)
            usleep(100 * 1000); // rather late than spinning
    }
    return NULL;
}

static void loop_start(void)
{
    pthread_t thread;
    virSetErrorFunc(NULL, ignore_error);
    if (virInitialize() < 0 || virEventRegisterDefaultImpl() < 0)
        loop_error = EIO;
    else
        loop_error = pthread_create(&thread, NULL, loop_run, NULL);
    if (loop_error == 0)
        pthread_detach(thread);
}

/* Open and close. */

static const char *const close_reasons[] = {
    [VIR_CONNECT_CLOSE_REASON_ERROR] = "libvirt broke the connection",
    [VIR_CONNECT_CLOSE_REASON_EOF] = "libvirt closed the connection",
    [VIR_CONNECT_CLOSE_REASON_KEEPALIVE] = "libvirt stopped answering",
    [VIR_CONNECT_CLOSE_REASON_CLIENT] = "the connection was closed",
};

static void on_close(virConnectPtr conn, int reason, void *arg)
{
    struct virt *v = arg;
    bool known = reason >= 0 && (size_t)reason < ARRAY_LEN(close_reasons);
    atomic_store(&v->dead, true);
    pthread_mutex_lock(&v->lock);
    if (v->listener.lost)
        v->listener.lost(known ? close_reasons[reason] : "the connection broke", v->listener.arg);
    pthread_mutex_unlock(&v->lock);
}

static void unref_virt(void *arg)
{
    virt_libvirt_unref(arg);
}

static void *goodbye(void *arg)
{
    struct virt *v = arg;
    for (size_t i = 0; i < v->n_callbacks; i++)
        virConnectDomainEventDeregisterAny(v->conn, v->callbacks[i]);
    if (v->close_callback)
        virConnectUnregisterCloseCallback(v->conn, on_close);
    virConnectClose(v->conn);
    virt_libvirt_unref(v);
    return NULL;
}

static void watch(struct virt *v, const struct virt_params *params)
{
    // The connection is told before keepalive may break it. Drivers without a daemon have neither.
    virt_libvirt_ref(v);
    v->close_callback = virConnectRegisterCloseCallback(v->conn, on_close, v, unref_virt) == 0;
    if (!v->close_callback)
        virt_libvirt_unref(v);
    if (params->keepalive_s > 0)
        virConnectSetKeepAlive(v->conn, params->keepalive_s, 2);
    if (params->events)
        virt_libvirt_listen(v);
}

static int libvirt_open(const struct virt_params *params, struct virt **ret, struct err *err)
{
    pthread_once(&loop_once, loop_start);
    if (loop_error)
        return err_set(err, loop_error, "libvirt's event loop does not start");
    virResetLastError();
    virConnectPtr conn =
        params->read_write ? virConnectOpen(params->uri) : virConnectOpenReadOnly(params->uri);
    if (!conn) {
        char what[300];
        snprintf(what, sizeof(what), "connecting to %.250s", params->uri);
        return virt_libvirt_error(err, what);
    }
    struct virt *v = mem_zalloc(sizeof(*v));
    atomic_init(&v->refs, 1);
    v->conn = conn;
    v->clock = params->clock;
    v->listener = params->listener;
    v->domains = map_new();
    pthread_mutex_init(&v->lock, NULL);
    watch(v, params);
    *ret = v;
    return 0;
}

static void drop_domains(struct virt *v)
{
    pthread_mutex_lock(&v->lock);
    struct map *old = v->domains;
    v->domains = map_new();
    pthread_mutex_unlock(&v->lock);
    size_t at = 0;
    for (virDomainPtr d; (d = map_next(old, &at));)
        virDomainFree(d);
    map_free(old);
}

static void libvirt_close(struct virt *v)
{
    if (!v)
        return;
    pthread_mutex_lock(&v->lock);
    v->listener = (struct virt_listener){0};
    atomic_store(&v->dead, true);
    pthread_mutex_unlock(&v->lock);
    drop_domains(v);
    pthread_t thread;
    // Without memory for a thread the connection stays open, rather than that the caller waits.
    if (pthread_create(&thread, NULL, goodbye, v) == 0)
        pthread_detach(thread);
}

static bool libvirt_alive(struct virt *v)
{
    return !atomic_load(&v->dead);
}

/* Inventory. */

virDomainPtr virt_libvirt_domain(struct virt *v, const struct uuid *uuid, struct err *err)
{
    virDomainPtr d = NULL;
    pthread_mutex_lock(&v->lock);
    d = map_get(v->domains, uuid->b, UUID_BYTES);
    if (d)
        virDomainRef(d);
    pthread_mutex_unlock(&v->lock);
    if (d)
        return d;
    d = virDomainLookupByUUID(v->conn, uuid->b);
    if (!d)
        virt_libvirt_error(err, "looking up a domain");
    return d;
}

// Keep our own reference of a domain for later calls. The old one is freed outside the lock.
static void remember(struct virt *v, const struct uuid *uuid, virDomainPtr d)
{
    virDomainPtr old = NULL;
    pthread_mutex_lock(&v->lock);
    if (map_count(v->domains) < VIRT_OBJECTS_MAX && !atomic_load(&v->dead)) {
        virDomainRef(d);
        old = map_put(v->domains, uuid->b, UUID_BYTES, d);
    }
    pthread_mutex_unlock(&v->lock);
    domain_freep(&old);
}

void virt_libvirt_forget(struct virt *v, const struct uuid *uuid)
{
    pthread_mutex_lock(&v->lock);
    virDomainPtr old = map_remove(v->domains, uuid->b, UUID_BYTES);
    pthread_mutex_unlock(&v->lock);
    domain_freep(&old);
}

static int state_of(virDomainPtr d, struct virt_domain *ret)
{
    return virDomainGetState(d, &ret->state, &ret->reason, 0);
}

static int state_param(const virDomainStatsRecord *record, const char *field)
{
    int v = -1;
    virTypedParamsGetInt(record->params, record->nparams, field, &v);
    return v;
}

// Identity without a round trip to the daemon.
static void identify(virDomainPtr d, struct virt_domain *ret)
{
    unsigned id = virDomainGetID(d);
    virDomainGetUUID(d, ret->uuid.b);
    ret->name = mem_strdup(virDomainGetName(d));
    ret->id = id == (unsigned)-1 ? -1 : (int)id;
}

// Which of the listed domains a filter of libvirt selects: two calls for all instead of two for
// each.
static int mark(struct virt *v, unsigned filter, struct map *by_uuid, size_t field)
{
    virDomainPtr *list = NULL;
    int n = virConnectListAllDomains(v->conn, &list, filter);
    for (int i = 0; i < n; i++) {
        struct uuid uuid;
        virDomainGetUUID(list[i], uuid.b);
        char *d = map_get(by_uuid, uuid.b, UUID_BYTES);
        if (d)
            *(bool *)(d + field) = true;
        virDomainFree(list[i]);
    }
    free(list);
    return n;
}

static int mark_all(struct virt *v, struct virt_domain *domains, size_t n, struct err *err)
{
    static const struct {
        unsigned filter;
        size_t field;
    } marks[] = {
        {VIR_CONNECT_LIST_DOMAINS_PERSISTENT, offsetof(struct virt_domain, persistent)},
        {VIR_CONNECT_LIST_DOMAINS_AUTOSTART, offsetof(struct virt_domain, autostart)},
    };
    struct map *by_uuid = map_new();
    for (size_t i = 0; i < n; i++)
        map_put(by_uuid, domains[i].uuid.b, UUID_BYTES, &domains[i]);
    int r = 0;
    for (size_t i = 0; i < ARRAY_LEN(marks) && r >= 0; i++)
        r = mark(v, marks[i].filter, by_uuid, marks[i].field);
    map_free(by_uuid);
    return r < 0 ? virt_libvirt_error(err, "listing domains") : 0;
}

static int list_records(struct virt *v, virDomainStatsRecordPtr *records, size_t n,
                        struct virt_domain **ret, struct err *err)
{
    struct virt_domain *domains = calloc(n ? n : 1, sizeof(*domains));
    if (!domains)
        return err_set(err, ENOMEM, "out of memory");
    for (size_t i = 0; i < n; i++) {
        identify(records[i]->dom, &domains[i]);
        domains[i].state = state_param(records[i], "state.state");
        domains[i].reason = state_param(records[i], "state.reason");
        remember(v, &domains[i].uuid, records[i]->dom);
    }
    int r = mark_all(v, domains, n, err);
    if (r < 0)
        virt_domains_free(domains, n);
    else
        *ret = domains;
    return r;
}

// For drivers without bulk statistics: one call per domain.
static int list_plain(struct virt *v, struct virt_domain **ret, size_t *ret_n, struct err *err)
{
    virDomainPtr *list = NULL;
    int n = virConnectListAllDomains(v->conn, &list, 0);
    if (n < 0)
        return virt_libvirt_error(err, "listing domains");
    struct virt_domain *domains = mem_zalloc(((size_t)n + 1) * sizeof(*domains));
    size_t kept = 0;
    for (int i = 0; i < n; i++) {
        // One that vanished since is not an error.
        if (state_of(list[i], &domains[kept]) == 0) {
            identify(list[i], &domains[kept]);
            kept++;
        }
        virDomainFree(list[i]);
    }
    free(list);
    int r = mark_all(v, domains, kept, err);
    if (r < 0) {
        virt_domains_free(domains, kept);
        return r;
    }
    *ret = domains;
    *ret_n = kept;
    return 0;
}

static int libvirt_list(struct virt *v, struct virt_domain **ret, size_t *ret_n, struct err *err)
{
    HOLD(v);
    virDomainStatsRecordPtr *records CLEANUP(stats_freep) = NULL;
    int n = virConnectGetAllDomainStats(v->conn, VIR_DOMAIN_STATS_STATE, &records, 0);
    if (n < 0 && virGetLastErrorCode() == VIR_ERR_NO_SUPPORT)
        return list_plain(v, ret, ret_n, err);
    if (n < 0)
        return virt_libvirt_error(err, "listing domains");
    if (n > VIRT_OBJECTS_MAX)
        return err_set(err, E2BIG, "libvirt lists %d domains", n);
    drop_domains(v);
    int r = list_records(v, records, (size_t)n, ret, err);
    if (r == 0)
        *ret_n = (size_t)n;
    return r;
}

static int libvirt_lookup(struct virt *v, const struct uuid *uuid, struct virt_domain *ret,
                          struct err *err)
{
    HOLD(v);
    virDomainPtr d CLEANUP(domain_freep) = virDomainLookupByUUID(v->conn, uuid->b);
    if (!d) {
        int r = virt_libvirt_error(err, "looking up a domain");
        virt_libvirt_forget(v, uuid);
        return r;
    }
    struct virt_domain found = {0};
    int autostart = 0;
    if (state_of(d, &found) < 0)
        return virt_libvirt_error(err, "asking for a domain's state");
    int persistent = virDomainIsPersistent(d);
    if (persistent < 0)
        return virt_libvirt_error(err, "asking whether a domain is persistent");
    // A transient domain has no such thing.
    if (persistent && virDomainGetAutostart(d, &autostart) < 0)
        return virt_libvirt_error(err, "asking whether a domain starts by itself");
    identify(d, &found);
    found.persistent = persistent;
    found.autostart = autostart;
    remember(v, uuid, d);
    *ret = found;
    return 0;
}

static int libvirt_xml(struct virt *v, const struct uuid *uuid, char **ret_xml, struct err *err)
{
    HOLD(v);
    virDomainPtr d CLEANUP(domain_freep) = virt_libvirt_domain(v, uuid, err);
    if (!d)
        return err ? -err->code : -ENOENT;
    char *xml = virDomainGetXMLDesc(d, 0);
    if (!xml) {
        int r = virt_libvirt_error(err, "reading a domain's XML");
        if (r == -ENOENT)
            virt_libvirt_forget(v, uuid);
        return r;
    }
    *ret_xml = xml;
    return 0;
}

/* Versions. */

static void put_version(struct batch *out, enum attr attr, int r, unsigned long version)
{
    char text[64];
    snprintf(text, sizeof(text), "%lu.%lu.%lu", version / 1000000, version / 1000 % 1000,
             version % 1000);
    batch_attr(out, 0, attr, r == 0 && version > 0 ? text : NULL);
}

static int libvirt_versions(struct virt *v, struct batch *out, struct err *err)
{
    HOLD(v);
    unsigned long hypervisor = 0, daemon = 0, library = 0;
    if (virConnectGetLibVersion(v->conn, &daemon) < 0)
        return virt_libvirt_error(err, "asking for libvirt's version");
    int r = virConnectGetVersion(v->conn, &hypervisor);
    put_version(out, ATTR_HOST_HYPERVISOR_VERSION, r, hypervisor);
    put_version(out, ATTR_HOST_LIBVIRTD_VERSION, 0, daemon);
    r = virGetVersion(&library, NULL, NULL);
    put_version(out, ATTR_HOST_LIBRARY_VERSION, r, library);
    return 0;
}

const struct virt_ops virt_libvirt = {
    .name = "libvirt",
    .open = libvirt_open,
    .close = libvirt_close,
    .alive = libvirt_alive,
    .list = libvirt_list,
    .lookup = libvirt_lookup,
    .xml = libvirt_xml,
    .stats = virt_libvirt_stats,
    .pools = virt_libvirt_pools,
    .pool = virt_libvirt_pool,
    .networks = virt_libvirt_networks,
    .versions = libvirt_versions,
    .agent_ping = virt_libvirt_agent_ping,
    .agent_info = virt_libvirt_agent_info,
    .dirty_rate = virt_libvirt_dirty_rate,
};
