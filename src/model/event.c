// SPDX-License-Identifier: GPL-3.0-or-later
// Words for events: libvirt's names and reasons, one row each.
#include "model/event.h"

#include <string.h>

#include "base/mem.h"

static const char *const kinds[EVENT_KIND_MAX] = {
    [EVENT_LIFECYCLE] = "lifecycle", [EVENT_FAULT] = "fault",   [EVENT_CONFIG] = "config",
    [EVENT_GUEST] = "guest",         [EVENT_JOB] = "job",       [EVENT_LIBVIRT] = "libvirt",
    [EVENT_ALERT] = "alert",         [EVENT_NOTIFY] = "notify", [EVENT_VHERD] = "vherd",
};

const char *event_kind_name(enum event_kind kind)
{
    return kind >= 0 && kind < EVENT_KIND_MAX ? kinds[kind] : "unknown";
}

enum event_kind event_kind_parse(const char *name)
{
    for (int i = 0; i < EVENT_KIND_MAX; i++)
        if (strcmp(kinds[i], name) == 0)
            return (enum event_kind)i;
    return EVENT_KIND_INVALID;
}

// A reason of NULL stands for any; rows with a reason come before those without.
static const struct row {
    const char *name, *reason;
    enum event_kind kind;
    bool is_fault;
    const char *words;
} rows[] = {
    {"defined", "added", EVENT_CONFIG, false, "was defined"},
    {"defined", "updated", EVENT_CONFIG, false, "its definition was changed"},
    {"defined", "renamed", EVENT_CONFIG, false, "was renamed"},
    {"defined", "from_snapshot", EVENT_CONFIG, false, "was defined anew by a snapshot"},
    {"defined", NULL, EVENT_CONFIG, false, "was defined"},
    {"undefined", "removed", EVENT_CONFIG, false, "was undefined: its definition is gone"},
    {"started", "booted", EVENT_LIFECYCLE, false, "started"},
    {"started", "migrated", EVENT_LIFECYCLE, false, "came here by migration"},
    {"started", "restored", EVENT_LIFECYCLE, false, "was restored from its saved state"},
    {"started", "from_snapshot", EVENT_LIFECYCLE, false, "started from a snapshot"},
    {"started", "wakeup", EVENT_LIFECYCLE, false, "woke up"},
    {"started", NULL, EVENT_LIFECYCLE, false, "started"},
    {"suspended", "paused", EVENT_LIFECYCLE, false, "was paused"},
    {"suspended", "migrated", EVENT_LIFECYCLE, false, "is paused for its migration"},
    {"suspended", "ioerror", EVENT_LIFECYCLE, true, "is paused because of an I/O error"},
    {"suspended", "watchdog", EVENT_LIFECYCLE, true, "is paused: its watchdog fired"},
    {"suspended", "restored", EVENT_LIFECYCLE, false, "is paused, as it was when it was saved"},
    {"suspended", "from_snapshot", EVENT_LIFECYCLE, false, "is paused, as in its snapshot"},
    {"suspended", "api_error", EVENT_LIFECYCLE, true, "is paused: a call of libvirt failed"},
    {"suspended", "postcopy", EVENT_LIFECYCLE, false, "is paused: post-copy migration"},
    {"suspended", "postcopy_failed", EVENT_LIFECYCLE, true,
     "is paused: its post-copy migration failed"},
    {"suspended", NULL, EVENT_LIFECYCLE, false, "is paused"},
    {"resumed", "migrated", EVENT_LIFECYCLE, false, "runs on after its migration"},
    {"resumed", NULL, EVENT_LIFECYCLE, false, "runs on"},
    {"stopped", "shutdown", EVENT_LIFECYCLE, false, "is shut off: it was shut down"},
    {"stopped", "destroyed", EVENT_LIFECYCLE, false, "was destroyed: somebody forced it off"},
    {"stopped", "crashed", EVENT_LIFECYCLE, true, "crashed: its QEMU process ended unexpectedly"},
    {"stopped", "migrated", EVENT_LIFECYCLE, false, "was migrated away"},
    {"stopped", "saved", EVENT_LIFECYCLE, false, "was saved to disk and stopped"},
    {"stopped", "failed", EVENT_LIFECYCLE, true, "stopped: the hypervisor failed"},
    {"stopped", "from_snapshot", EVENT_LIFECYCLE, false, "is shut off, as in its snapshot"},
    {"stopped", NULL, EVENT_LIFECYCLE, false, "is shut off"},
    {"shutdown", "guest", EVENT_LIFECYCLE, false, "is shutting down: the guest does it"},
    {"shutdown", "host", EVENT_LIFECYCLE, false,
     "is shutting down: its QEMU process was told to end"},
    {"shutdown", NULL, EVENT_LIFECYCLE, false, "is shutting down"},
    {"pmsuspended", "disk", EVENT_LIFECYCLE, false, "the guest went to sleep, to disk"},
    {"pmsuspended", NULL, EVENT_LIFECYCLE, false, "the guest went to sleep"},
    {"crashed", "panicked", EVENT_LIFECYCLE, true, "panicked: the guest's kernel gave up"},
    {"crashed", "crashloaded", EVENT_LIFECYCLE, true,
     "panicked: the guest's kernel gave up and loaded its crash kernel"},
    {"crashed", NULL, EVENT_LIFECYCLE, true, "crashed"},
    {"io_error", "enospc", EVENT_FAULT, true, "I/O error: no space is left on its storage"},
    {"io_error", NULL, EVENT_FAULT, true, "I/O error"},
    {"watchdog", NULL, EVENT_FAULT, true, "its watchdog fired"},
    {"memory_failure", NULL, EVENT_FAULT, true, "a memory error of the host reached it"},
    {"block_threshold", NULL, EVENT_FAULT, false, "wrote beyond the threshold of a disk"},
    {"block_job", "failed", EVENT_FAULT, true, "a block job failed"},
    {"block_job", NULL, EVENT_JOB, false, "a block job ended"},
    {"job_completed", NULL, EVENT_JOB, false, "a job ended"},
    {"reboot", NULL, EVENT_GUEST, false, "the guest rebooted"},
    {"agent_connected", NULL, EVENT_GUEST, false, "its guest agent is there"},
    {"agent_disconnected", NULL, EVENT_GUEST, false, "its guest agent is gone"},
    {"balloon_change", NULL, EVENT_GUEST, false, "the size of its balloon changed"},
    {"device_added", NULL, EVENT_CONFIG, false, "a device was added"},
    {"device_removed", NULL, EVENT_CONFIG, false, "a device was removed"},
    {"device_removal_failed", NULL, EVENT_CONFIG, true, "a device could not be removed"},
    {"disk_change", NULL, EVENT_CONFIG, false, "a removable disk was changed"},
    {"tunable", NULL, EVENT_CONFIG, false, "a limit was changed"},
    {"metadata_change", NULL, EVENT_CONFIG, false, "its metadata were changed"},
    {"memory_device_size_change", NULL, EVENT_CONFIG, false, "its memory was resized"},
    {"lost", NULL, EVENT_LIBVIRT, true, "the connection to libvirt is lost"},
    {"found", NULL, EVENT_LIBVIRT, false, "libvirt answers"},
};

static const struct row *find(const char *name, const char *reason)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (strcmp(rows[i].name, name) == 0 &&
            (!rows[i].reason || (reason && strcmp(rows[i].reason, reason) == 0)))
            return &rows[i];
    return NULL;
}

enum event_kind event_kind_of(const char *name, const char *reason)
{
    const struct row *r = find(name, reason);
    return r ? r->kind : EVENT_CONFIG;
}

bool event_is_fault(const struct event *e)
{
    const struct row *r = find(e->name, e->reason);
    return r && r->is_fault;
}

void event_words(const char *name, const char *reason, const char *device, struct buf *out)
{
    const struct row *r = find(name, reason);
    buf_puts(out, r ? r->words : name);
    if (reason && *reason && (!r || !r->reason) && strcmp(reason, "unknown") != 0)
        buf_printf(out, " (%s)", reason);
    if (device && *device)
        buf_printf(out, "; device %s", device);
}

static void put_text(struct json *j, const char *key, const char *text)
{
    if (text && *text)
        json_kv_string(j, key, text);
}

void event_put(const struct event *e, struct json *j)
{
    json_object_begin(j);
    json_kv_i64(j, "seq", e->seq);
    json_key(j, "time");
    json_ns_as_s(j, e->real_ns);
    json_kv_string(j, "kind", event_kind_name(e->kind));
    json_kv_string(j, "event", e->name);
    put_text(j, "reason", e->reason);
    put_text(j, "vm", e->vm);
    put_text(j, "uuid", e->uuid);
    put_text(j, "device", e->device);
    put_text(j, "text", e->text);
    if (e->detail && *e->detail) {
        json_key(j, "detail");
        json_raw(j, e->detail);
    }
    json_object_end(j);
}
