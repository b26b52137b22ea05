// SPDX-License-Identifier: GPL-3.0-or-later
// libvirt's events in our words. Runs on the thread of libvirt's event loop. Nothing is copied:
// texts are libvirt's and valid during the callback.
#include <math.h>

#include "libvirt_priv.h"

// Words indexed by one of libvirt's enums.
struct words {
    const char *const *names;
    size_t n;
};

#define WORDS(...)                                                                                 \
    {                                                                                              \
        (const char *const[]){__VA_ARGS__},                                                        \
            sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *)                      \
    }

static const char *word(const struct words *words, int i)
{
    return i >= 0 && (size_t)i < words->n ? words->names[i] : "unknown";
}

static const struct {
    enum virt_event_type type;
    const char *name;
    struct words details;
} lifecycle[] = {
    [VIR_DOMAIN_EVENT_DEFINED] = {VIRT_EVENT_DEFINED, "defined",
                                  WORDS("added", "updated", "renamed", "from_snapshot")},
    [VIR_DOMAIN_EVENT_UNDEFINED] = {VIRT_EVENT_UNDEFINED, "undefined", WORDS("removed", "renamed")},
    [VIR_DOMAIN_EVENT_STARTED] = {VIRT_EVENT_STATE, "started",
                                  WORDS("booted", "migrated", "restored", "from_snapshot",
                                        "wakeup")},
    [VIR_DOMAIN_EVENT_SUSPENDED] = {VIRT_EVENT_STATE, "suspended",
                                    WORDS("paused", "migrated", "ioerror", "watchdog", "restored",
                                          "from_snapshot", "api_error", "postcopy",
                                          "postcopy_failed")},
    [VIR_DOMAIN_EVENT_RESUMED] = {VIRT_EVENT_STATE, "resumed",
                                  WORDS("unpaused", "migrated", "from_snapshot", "postcopy",
                                        "postcopy_failed")},
    [VIR_DOMAIN_EVENT_STOPPED] = {VIRT_EVENT_STATE, "stopped",
                                  WORDS("shutdown", "destroyed", "crashed", "migrated", "saved",
                                        "failed", "from_snapshot")},
    [VIR_DOMAIN_EVENT_SHUTDOWN] = {VIRT_EVENT_STATE, "shutdown",
                                   WORDS("finished", "guest", "host")},
    [VIR_DOMAIN_EVENT_PMSUSPENDED] = {VIRT_EVENT_STATE, "pmsuspended", WORDS("memory", "disk")},
    [VIR_DOMAIN_EVENT_CRASHED] = {VIRT_EVENT_STATE, "crashed", WORDS("panicked", "crashloaded")},
};

static const struct words watchdog_actions =
    WORDS("none", "pause", "reset", "poweroff", "shutdown", "debug", "inject_nmi");
static const struct words io_error_actions = WORDS("none", "pause", "report");
static const struct words block_job_states = WORDS("completed", "failed", "canceled", "ready");
static const struct words memory_failure_actions = WORDS("ignore", "inject", "fatal", "reset");
static const struct words agent_reasons = WORDS("unknown", "domain_started", "channel");
static const struct words job_operations =
    WORDS("unknown", "start", "save", "restore", "migration_in", "migration_out", "snapshot",
          "snapshot_revert", "dump", "backup", "snapshot_delete");

static void tell(struct virt *v, virDomainPtr d, enum virt_event_type type, const char *event,
                 const char *detail, const char *device, double value)
{
    struct virt_event e = {
        .type = type,
        .name = virDomainGetName(d),
        .event = event,
        .detail = detail,
        .device = device,
        .value = value,
    };
    virDomainGetUUID(d, e.uuid.b);
    pthread_mutex_lock(&v->lock);
    if (v->listener.event)
        v->listener.event(&e, v->listener.arg);
    pthread_mutex_unlock(&v->lock);
}

static int on_lifecycle(virConnectPtr c, virDomainPtr d, int event, int detail, void *arg)
{
    if (event < 0 || (size_t)event >= ARRAY_LEN(lifecycle))
        return 0;
    // A rename takes the old name away and defines the new one; the domain stays.
    if (event == VIR_DOMAIN_EVENT_UNDEFINED && detail == VIR_DOMAIN_EVENT_UNDEFINED_RENAMED)
        return 0;
    tell(arg, d, lifecycle[event].type, lifecycle[event].name,
         word(&lifecycle[event].details, detail), NULL, NAN);
    return 0;
}

static void on_reboot(virConnectPtr c, virDomainPtr d, void *arg)
{
    tell(arg, d, VIRT_EVENT_REBOOT, "reboot", NULL, NULL, NAN);
}

static void on_watchdog(virConnectPtr c, virDomainPtr d, int action, void *arg)
{
    tell(arg, d, VIRT_EVENT_WATCHDOG, "watchdog", word(&watchdog_actions, action), NULL, NAN);
}

static void on_io_error(virConnectPtr c, virDomainPtr d, const char *path, const char *alias,
                        int action, const char *reason, void *arg)
{
    const char *detail = reason && *reason ? reason : word(&io_error_actions, action);
    tell(arg, d, VIRT_EVENT_IO_ERROR, "io_error", detail, alias, NAN);
}

static void on_balloon(virConnectPtr c, virDomainPtr d, unsigned long long kib, void *arg)
{
    tell(arg, d, VIRT_EVENT_BALLOON, "balloon_change", NULL, NULL, (double)kib * 1024);
}

static void on_device_added(virConnectPtr c, virDomainPtr d, const char *alias, void *arg)
{
    tell(arg, d, VIRT_EVENT_CONFIG, "device_added", NULL, alias, NAN);
}

static void on_device_removed(virConnectPtr c, virDomainPtr d, const char *alias, void *arg)
{
    tell(arg, d, VIRT_EVENT_CONFIG, "device_removed", NULL, alias, NAN);
}

static void on_removal_failed(virConnectPtr c, virDomainPtr d, const char *alias, void *arg)
{
    tell(arg, d, VIRT_EVENT_CONFIG, "device_removal_failed", NULL, alias, NAN);
}

static void on_disk_change(virConnectPtr c, virDomainPtr d, const char *old_path,
                           const char *new_path, const char *alias, int reason, void *arg)
{
    tell(arg, d, VIRT_EVENT_CONFIG, "disk_change", NULL, alias, NAN);
}

static void on_tunable(virConnectPtr c, virDomainPtr d, virTypedParameterPtr params, int n,
                       void *arg)
{
    tell(arg, d, VIRT_EVENT_CONFIG, "tunable", NULL, NULL, NAN);
}

static void on_metadata(virConnectPtr c, virDomainPtr d, int type, const char *uri, void *arg)
{
    tell(arg, d, VIRT_EVENT_CONFIG, "metadata_change", NULL, NULL, NAN);
}

static void on_memory_device(virConnectPtr c, virDomainPtr d, const char *alias,
                             unsigned long long kib, void *arg)
{
    tell(arg, d, VIRT_EVENT_CONFIG, "memory_device_size_change", NULL, alias, (double)kib * 1024);
}

// A block job that ended may have put another image under the disk.
static void on_block_job(virConnectPtr c, virDomainPtr d, const char *disk, int type, int status,
                         void *arg)
{
    tell(arg, d, VIRT_EVENT_CONFIG, "block_job", word(&block_job_states, status), disk, NAN);
}

static void on_threshold(virConnectPtr c, virDomainPtr d, const char *device, const char *path,
                         unsigned long long threshold, unsigned long long excess, void *arg)
{
    tell(arg, d, VIRT_EVENT_CONFIG, "block_threshold", NULL, device, (double)threshold);
}

// The guest's state may have changed: it was reset or shot.
static void on_memory_failure(virConnectPtr c, virDomainPtr d, int recipient, int action,
                              unsigned flags, void *arg)
{
    tell(arg, d, VIRT_EVENT_STATE, "memory_failure", word(&memory_failure_actions, action), NULL,
         NAN);
}

static void on_agent(virConnectPtr c, virDomainPtr d, int state, int reason, void *arg)
{
    bool up = state == VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_STATE_CONNECTED;
    tell(arg, d, VIRT_EVENT_AGENT, up ? "agent_connected" : "agent_disconnected",
         word(&agent_reasons, reason), NULL, up);
}

static void on_job(virConnectPtr c, virDomainPtr d, virTypedParameterPtr params, int n, void *arg)
{
    int operation = 0;
    virTypedParamsGetInt(params, n, VIR_DOMAIN_JOB_OPERATION, &operation);
    tell(arg, d, VIRT_EVENT_JOB, "job_completed", word(&job_operations, operation), NULL, NAN);
}

static const struct {
    int id;
    virConnectDomainEventGenericCallback callback;
} callbacks[] = {
    {VIR_DOMAIN_EVENT_ID_LIFECYCLE, VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle)},
    {VIR_DOMAIN_EVENT_ID_REBOOT, on_reboot},
    {VIR_DOMAIN_EVENT_ID_WATCHDOG, VIR_DOMAIN_EVENT_CALLBACK(on_watchdog)},
    {VIR_DOMAIN_EVENT_ID_IO_ERROR_REASON, VIR_DOMAIN_EVENT_CALLBACK(on_io_error)},
    {VIR_DOMAIN_EVENT_ID_BALLOON_CHANGE, VIR_DOMAIN_EVENT_CALLBACK(on_balloon)},
    {VIR_DOMAIN_EVENT_ID_DEVICE_ADDED, VIR_DOMAIN_EVENT_CALLBACK(on_device_added)},
    {VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, VIR_DOMAIN_EVENT_CALLBACK(on_device_removed)},
    {VIR_DOMAIN_EVENT_ID_DEVICE_REMOVAL_FAILED, VIR_DOMAIN_EVENT_CALLBACK(on_removal_failed)},
    {VIR_DOMAIN_EVENT_ID_DISK_CHANGE, VIR_DOMAIN_EVENT_CALLBACK(on_disk_change)},
    {VIR_DOMAIN_EVENT_ID_TUNABLE, VIR_DOMAIN_EVENT_CALLBACK(on_tunable)},
    {VIR_DOMAIN_EVENT_ID_METADATA_CHANGE, VIR_DOMAIN_EVENT_CALLBACK(on_metadata)},
    {VIR_DOMAIN_EVENT_ID_MEMORY_DEVICE_SIZE_CHANGE, VIR_DOMAIN_EVENT_CALLBACK(on_memory_device)},
    {VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2, VIR_DOMAIN_EVENT_CALLBACK(on_block_job)},
    {VIR_DOMAIN_EVENT_ID_BLOCK_THRESHOLD, VIR_DOMAIN_EVENT_CALLBACK(on_threshold)},
    {VIR_DOMAIN_EVENT_ID_MEMORY_FAILURE, VIR_DOMAIN_EVENT_CALLBACK(on_memory_failure)},
    {VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE, VIR_DOMAIN_EVENT_CALLBACK(on_agent)},
    {VIR_DOMAIN_EVENT_ID_JOB_COMPLETED, VIR_DOMAIN_EVENT_CALLBACK(on_job)},
};

static void unref_virt(void *arg)
{
    virt_libvirt_unref(arg);
}

void virt_libvirt_listen(struct virt *v, struct channel *channel)
{
    _Static_assert(ARRAY_LEN(callbacks) <= VIRT_EVENT_CALLBACKS, "room for all callbacks");
    for (size_t i = 0; i < ARRAY_LEN(callbacks); i++) {
        virt_libvirt_ref(v);
        int id = virConnectDomainEventRegisterAny(channel->conn, NULL, callbacks[i].id,
                                                  callbacks[i].callback, v, unref_virt);
        if (id >= 0)
            channel->callbacks[channel->n_callbacks++] = id;
        else
            virt_libvirt_unref(v);
    }
}
