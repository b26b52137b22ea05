// SPDX-License-Identifier: GPL-3.0-or-later
// The libvirt back end: connections, inventory, errors. One thread of the process runs libvirt's
// event loop for all connections; it also carries keepalive. When that breaks the main channel the
// user is told; calls that wait on other channels end with the daemon, or much later. Closing is
// left to a thread of its own, since libvirt says goodbye to the daemon and waits for the answer.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "libvirt_loop.h"
#include "libvirt_priv.h"

// As many calls as lanes usually make side by side, the main channel's apart.
#define SPARE_CHANNELS 2
#define KEEPALIVE_SPARE 10 // times as rare on channels that carry no events
// A spare channel that nobody needed for so long is closed: the daemon asks each that is open every
// five seconds whether it is still there, which costs both sides more than to open it again.
#define SPARE_REST_NS (10 * NS_PER_S)
// A further channel is opened only after so long a wait for one that is open: most calls are over
// by then, and to open one costs as much as ten of them.
#define WAIT_NS (100 * NS_PER_MS)

struct virt *virt_libvirt_ref(struct virt *v)
{
    atomic_fetch_add(&v->refs, 1);
    return v;
}

void virt_libvirt_unref(struct virt *v)
{
    if (atomic_fetch_sub(&v->refs, 1) != 1)
        return;
    pthread_cond_destroy(&v->given_back);
    pthread_mutex_destroy(&v->lock);
    free(v->uri);
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

// The client's own errors: of its socket, not of what was asked.
static bool is_of_connection(const virError *e)
{
    return e->domain == VIR_FROM_RPC &&
           (e->code == VIR_ERR_SYSTEM_ERROR || e->code == VIR_ERR_INTERNAL_ERROR);
}

static int error_code(const virError *e, const char **ret_hint)
{
    if (e->code == VIR_ERR_SYSTEM_ERROR && e->domain != VIR_FROM_RPC)
        return e->int1 > 0 ? e->int1 : EIO;
    if (is_of_connection(e)) {
        int code = e->code == VIR_ERR_SYSTEM_ERROR ? system_error(e->int1, ret_hint) : ENOTCONN;
        return code == EIO ? ENOTCONN : code;
    }
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

static void loop_start(void)
{
    virSetErrorFunc(NULL, ignore_error);
    loop_error = virInitialize() < 0 ? EIO : -virt_loop_start();
}

static const char *const close_reasons[] = {
    [VIR_CONNECT_CLOSE_REASON_ERROR] = "libvirt broke the connection",
    [VIR_CONNECT_CLOSE_REASON_EOF] = "libvirt closed the connection",
    [VIR_CONNECT_CLOSE_REASON_KEEPALIVE] = "libvirt stopped answering",
    [VIR_CONNECT_CLOSE_REASON_CLIENT] = "the connection was closed",
};

// The main channel broke. The owner may close before this returns.
static void on_close(virConnectPtr conn, int reason, void *arg)
{
    struct virt *v = virt_libvirt_ref(arg);
    bool known = reason >= 0 && (size_t)reason < ARRAY_LEN(close_reasons);
    atomic_store(&v->dead, true);
    pthread_mutex_lock(&v->lock);
    if (v->listener.lost)
        v->listener.lost(known ? close_reasons[reason] : "the connection broke", v->listener.arg);
    pthread_mutex_unlock(&v->lock);
    virt_libvirt_unref(v);
}

/* Channels. */

static void forget_all(struct channel *ch)
{
    size_t at = 0;
    for (virDomainPtr d; (d = map_next(ch->domains, &at));)
        virDomainFree(d);
    map_free(ch->domains);
    ch->domains = map_new();
}

// Waits for the daemon's answer, where it still answers.
static void *goodbye(void *arg)
{
    struct channel *ch = arg;
    pthread_setname_np(pthread_self(), "libvirt-close");
    for (size_t i = 0; i < ch->n_callbacks; i++)
        virConnectDomainEventDeregisterAny(ch->conn, ch->callbacks[i]);
    if (ch->main)
        virConnectUnregisterCloseCallback(ch->conn, on_close);
    forget_all(ch);
    map_free(ch->domains);
    map_free(ch->agents);
    virConnectClose(ch->conn);
    if (ch->main)
        virt_libvirt_unref(ch->main);
    free(ch);
    return NULL;
}

static void dismiss(struct channel *ch)
{
    pthread_t thread;
    // Without memory for a thread it stays open, rather than that the caller waits.
    if (pthread_create(&thread, NULL, goodbye, ch) == 0)
        pthread_detach(thread);
}

static struct channel *channel_open(const struct virt *v, struct err *err)
{
    virResetLastError();
    virConnectPtr conn = v->read_write ? virConnectOpen(v->uri) : virConnectOpenReadOnly(v->uri);
    if (!conn) {
        char what[300];
        snprintf(what, sizeof(what), "connecting to %.250s", v->uri);
        virt_libvirt_error(err, what);
        return NULL;
    }
    struct channel *ch = mem_zalloc(sizeof(*ch));
    ch->conn = conn;
    ch->domains = map_new();
    ch->agents = map_new();
    return ch;
}

static int take_idle(struct virt *v, struct channel **ret)
{
    int r = 0;
    int64_t until_ns = clock_mono_ns(&clock_system) + WAIT_NS;
    pthread_mutex_lock(&v->lock);
    while (!v->idle && !v->closed && !atomic_load(&v->dead))
        if (!cond_wait_until(&v->given_back, &v->lock, until_ns))
            break;
    *ret = v->idle;
    if (v->closed || atomic_load(&v->dead)) {
        *ret = NULL;
        r = -ENOTCONN;
    } else if (v->idle) {
        v->idle = v->idle->next;
    } else if (v->n_channels < VIRT_CHANNELS_MAX) {
        v->n_channels++; // the one that will be opened
    } else {
        r = -EAGAIN;
    }
    pthread_mutex_unlock(&v->lock);
    return r;
}

static void uncount_channel(struct virt *v)
{
    pthread_mutex_lock(&v->lock);
    v->n_channels--;
    pthread_mutex_unlock(&v->lock);
}

int virt_use_begin(struct use *use, struct virt *v, struct err *err)
{
    *use = (struct use){.v = v};
    int r = take_idle(v, &use->channel);
    if (r == -ENOTCONN)
        return err_set(err, -r, "the connection to libvirt is gone");
    if (r < 0)
        return err_set(err, -r, "%d calls wait for libvirt", VIRT_CHANNELS_MAX);
    if (!use->channel) {
        struct err why = {0};
        use->channel = channel_open(v, &why);
        if (!use->channel) {
            uncount_channel(v);
            if (err)
                *err = why;
            return -why.code;
        }
        // Only so that a call ends some time where the other side is another machine that vanished.
        if (v->keepalive_s > 0)
            virConnectSetKeepAlive(use->channel->conn, v->keepalive_s * KEEPALIVE_SPARE, 2);
    }
    use->conn = use->channel->conn;
    virt_libvirt_ref(v);
    return 0;
}

// The spare one that has rested longest, where that is long; with the lock held.
static struct channel *take_rested(struct virt *v, int64_t now_ns)
{
    struct channel **at = &v->idle;
    while (*at && (*at)->next)
        at = &(*at)->next;
    struct channel *last = *at;
    if (!last || last->main || now_ns - last->used_ns < SPARE_REST_NS)
        return NULL;
    *at = NULL;
    v->n_channels--;
    return last;
}

void virt_use_end(struct use *use)
{
    struct virt *v = use->v;
    struct channel *ch = use->channel;
    if (!ch)
        return;
    bool usable = virConnectIsAlive(ch->conn) == 1;
    ch->used_ns = clock_mono_ns(v->clock);
    pthread_mutex_lock(&v->lock);
    // A few spare channels are enough: the daemon sends keepalives to each that is open.
    size_t spare = 0;
    for (const struct channel *at = v->idle; at; at = at->next)
        spare += !at->main;
    bool keep = usable && !v->closed && (ch->main || spare < SPARE_CHANNELS);
    if (keep) {
        // Behind the main channel, so that spare ones rest.
        struct channel **at = v->idle && v->idle->main && !ch->main ? &v->idle->next : &v->idle;
        ch->next = *at;
        *at = ch;
        pthread_cond_signal(&v->given_back);
    } else {
        v->n_channels--;
    }
    struct channel *rested = take_rested(v, ch->used_ns);
    pthread_mutex_unlock(&v->lock);
    if (rested)
        dismiss(rested);
    if (!keep)
        dismiss(ch);
    virt_libvirt_unref(v);
}

/* Open and close. */

static void watch(struct virt *v, struct channel *ch, const struct virt_params *params)
{
    ch->main = virt_libvirt_ref(v);
    // The listener is there before keepalive may break the connection. Drivers without a daemon
    // have neither. libvirt frees the argument only in some drivers: goodbye() does it.
    virConnectRegisterCloseCallback(ch->conn, on_close, v, NULL);
    if (params->keepalive_s > 0)
        virConnectSetKeepAlive(ch->conn, params->keepalive_s, 1);
    if (params->events)
        virt_libvirt_listen(v, ch);
}

static struct virt *virt_new(const struct virt_params *params)
{
    struct virt *v = mem_zalloc(sizeof(*v));
    atomic_init(&v->refs, 1);
    v->uri = mem_strdup(params->uri);
    v->read_write = params->read_write;
    v->keepalive_s = params->keepalive_s;
    v->clock = params->clock;
    v->listener = params->listener;
    pthread_mutex_init(&v->lock, NULL);
    cond_init(&v->given_back);
    return v;
}

static int libvirt_open(const struct virt_params *params, struct virt **ret, struct err *err)
{
    pthread_once(&loop_once, loop_start);
    if (loop_error)
        return err_set(err, loop_error, "libvirt's event loop does not start");
    struct err why = {0};
    struct virt *v = virt_new(params);
    struct channel *ch = channel_open(v, &why);
    if (!ch) {
        virt_libvirt_unref(v);
        if (err)
            *err = why;
        return -why.code;
    }
    v->idle = ch;
    v->n_channels = 1;
    watch(v, ch, params);
    *ret = v;
    return 0;
}

static void libvirt_close(struct virt *v)
{
    if (!v)
        return;
    pthread_mutex_lock(&v->lock);
    v->listener = (struct virt_listener){0};
    v->closed = true;
    atomic_store(&v->dead, true);
    struct channel *idle = TAKE_PTR(v->idle);
    pthread_cond_broadcast(&v->given_back);
    pthread_mutex_unlock(&v->lock);
    while (idle) {
        struct channel *next = idle->next;
        dismiss(idle);
        idle = next;
    }
    virt_libvirt_unref(v);
}

static bool libvirt_alive(struct virt *v)
{
    return !atomic_load(&v->dead);
}

/* Inventory. */

// Keep a reference of our own, which saves asking the daemon for each call.
static void remember(struct use *use, const struct uuid *uuid, virDomainPtr d)
{
    struct channel *ch = use->channel;
    if (map_count(ch->domains) >= VIRT_DOMAINS_KEPT)
        forget_all(ch);
    virDomainRef(d);
    virDomainPtr old = map_put(ch->domains, uuid->b, UUID_BYTES, d);
    domain_freep(&old);
}

virDomainPtr virt_libvirt_domain(struct use *use, const struct uuid *uuid, struct err *err)
{
    virDomainPtr d = map_get(use->channel->domains, uuid->b, UUID_BYTES);
    if (d) {
        virDomainRef(d);
        return d;
    }
    d = virDomainLookupByUUID(use->conn, uuid->b);
    if (!d) {
        virt_libvirt_error(err, "looking up a domain");
        return NULL;
    }
    remember(use, uuid, d);
    return d;
}

void virt_libvirt_forget(struct use *use, const struct uuid *uuid)
{
    virDomainPtr old = map_remove(use->channel->domains, uuid->b, UUID_BYTES);
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

// Which of the listed domains a filter of libvirt selects: a call for all instead of one for
// each.
static int mark(const struct use *use, unsigned filter, struct map *by_uuid, size_t field)
{
    virDomainPtr *list = NULL;
    int n = virConnectListAllDomains(use->conn, &list, filter);
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

static int mark_all(const struct use *use, struct virt_domain *domains, size_t n, struct err *err)
{
    static const struct {
        unsigned filter;
        size_t field;
    } marks[] = {
        {VIR_CONNECT_LIST_DOMAINS_PERSISTENT, offsetof(struct virt_domain, persistent)},
        {VIR_CONNECT_LIST_DOMAINS_AUTOSTART, offsetof(struct virt_domain, autostart)},
        {VIR_CONNECT_LIST_DOMAINS_HAS_SNAPSHOT, offsetof(struct virt_domain, has_snapshots)},
    };
    struct map *by_uuid = map_new();
    for (size_t i = 0; i < n; i++)
        map_put(by_uuid, domains[i].uuid.b, UUID_BYTES, &domains[i]);
    for (size_t i = 0; i < n; i++)
        domains[i].is_listed = true;
    int r = 0;
    for (size_t i = 0; i < ARRAY_LEN(marks) && r >= 0; i++)
        r = mark(use, marks[i].filter, by_uuid, marks[i].field);
    map_free(by_uuid);
    return r < 0 ? virt_libvirt_error(err, "listing domains") : 0;
}

static int list_records(struct use *use, virDomainStatsRecordPtr *records, size_t n,
                        struct virt_domain **ret, struct err *err)
{
    struct virt_domain *domains = calloc(n ? n : 1, sizeof(*domains));
    if (!domains)
        return err_set(err, ENOMEM, "out of memory");
    for (size_t i = 0; i < n; i++) {
        identify(records[i]->dom, &domains[i]);
        domains[i].state = state_param(records[i], "state.state");
        domains[i].reason = state_param(records[i], "state.reason");
        remember(use, &domains[i].uuid, records[i]->dom);
    }
    int r = mark_all(use, domains, n, err);
    if (r < 0)
        virt_domains_free(domains, n);
    else
        *ret = domains;
    return r;
}

// For drivers without bulk statistics: one call per domain.
static int list_plain(struct use *use, struct virt_domain **ret, size_t *ret_n, struct err *err)
{
    virDomainPtr *list = NULL;
    int n = virConnectListAllDomains(use->conn, &list, 0);
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
    int r = mark_all(use, domains, kept, err);
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
    USE(use, v, err);
    virDomainStatsRecordPtr *records CLEANUP(stats_freep) = NULL;
    int n = virConnectGetAllDomainStats(use.conn, VIR_DOMAIN_STATS_STATE, &records, 0);
    if (n < 0 && virGetLastErrorCode() == VIR_ERR_NO_SUPPORT)
        return list_plain(&use, ret, ret_n, err);
    if (n < 0)
        return virt_libvirt_error(err, "listing domains");
    if (n > VIRT_DOMAINS_MAX)
        return err_set(err, E2BIG, "libvirt lists %d domains", n);
    forget_all(use.channel);
    int r = list_records(&use, records, (size_t)n, ret, err);
    if (r == 0)
        *ret_n = (size_t)n;
    return r;
}

static int libvirt_lookup(struct virt *v, const struct uuid *uuid, struct virt_domain *ret,
                          struct err *err)
{
    USE(use, v, err);
    virDomainPtr d CLEANUP(domain_freep) = virDomainLookupByUUID(use.conn, uuid->b);
    if (!d) {
        int r = virt_libvirt_error(err, "looking up a domain");
        virt_libvirt_forget(&use, uuid);
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
    remember(&use, uuid, d);
    *ret = found;
    return 0;
}

static int libvirt_xml(struct virt *v, const struct uuid *uuid, char **ret_xml, struct err *err)
{
    USE(use, v, err);
    virDomainPtr d CLEANUP(domain_freep) = virt_libvirt_domain(&use, uuid, err);
    if (!d)
        return err ? -err->code : -ENOENT;
    char *xml = virDomainGetXMLDesc(d, 0);
    if (!xml) {
        int r = virt_libvirt_error(err, "reading a domain's XML");
        if (r == -ENOENT)
            virt_libvirt_forget(&use, uuid);
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
    USE(use, v, err);
    unsigned long hypervisor = 0, daemon = 0, library = 0;
    if (virConnectGetLibVersion(use.conn, &daemon) < 0)
        return virt_libvirt_error(err, "asking for libvirt's version");
    int r = virConnectGetVersion(use.conn, &hypervisor);
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
    .stored = virt_libvirt_stored,
    .stats = virt_libvirt_stats,
    .stats_many = virt_libvirt_stats_many,
    .pools = virt_libvirt_pools,
    .pool = virt_libvirt_pool,
    .networks = virt_libvirt_networks,
    .versions = libvirt_versions,
    .agent_ping = virt_libvirt_agent_ping,
    .agent_info = virt_libvirt_agent_info,
    .dirty_rate = virt_libvirt_dirty_rate,
};
