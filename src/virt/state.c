// SPDX-License-Identifier: GPL-3.0-or-later
// libvirt's words for domain states and their reasons, as virsh prints them. The tables are
// indexed by libvirt's enums; a number beyond them (a newer libvirt) is "unknown".
#include <libvirt/libvirt.h>

#include "base/mem.h"
#include "virt/virt.h"

static const char *const running_reasons[] = {
    [VIR_DOMAIN_RUNNING_UNKNOWN] = "unknown",
    [VIR_DOMAIN_RUNNING_BOOTED] = "booted",
    [VIR_DOMAIN_RUNNING_MIGRATED] = "migrated",
    [VIR_DOMAIN_RUNNING_RESTORED] = "restored",
    [VIR_DOMAIN_RUNNING_FROM_SNAPSHOT] = "from snapshot",
    [VIR_DOMAIN_RUNNING_UNPAUSED] = "unpaused",
    [VIR_DOMAIN_RUNNING_MIGRATION_CANCELED] = "migration canceled",
    [VIR_DOMAIN_RUNNING_SAVE_CANCELED] = "save canceled",
    [VIR_DOMAIN_RUNNING_WAKEUP] = "event wakeup",
    [VIR_DOMAIN_RUNNING_CRASHED] = "crashed",
    [VIR_DOMAIN_RUNNING_POSTCOPY] = "post-copy",
    [VIR_DOMAIN_RUNNING_POSTCOPY_FAILED] = "post-copy failed",
};

static const char *const paused_reasons[] = {
    [VIR_DOMAIN_PAUSED_UNKNOWN] = "unknown",
    [VIR_DOMAIN_PAUSED_USER] = "user",
    [VIR_DOMAIN_PAUSED_MIGRATION] = "migrating",
    [VIR_DOMAIN_PAUSED_SAVE] = "saving",
    [VIR_DOMAIN_PAUSED_DUMP] = "dumping",
    [VIR_DOMAIN_PAUSED_IOERROR] = "I/O error",
    [VIR_DOMAIN_PAUSED_WATCHDOG] = "watchdog",
    [VIR_DOMAIN_PAUSED_FROM_SNAPSHOT] = "from snapshot",
    [VIR_DOMAIN_PAUSED_SHUTTING_DOWN] = "shutting down",
    [VIR_DOMAIN_PAUSED_SNAPSHOT] = "creating snapshot",
    [VIR_DOMAIN_PAUSED_CRASHED] = "crashed",
    [VIR_DOMAIN_PAUSED_STARTING_UP] = "starting up",
    [VIR_DOMAIN_PAUSED_POSTCOPY] = "post-copy",
    [VIR_DOMAIN_PAUSED_POSTCOPY_FAILED] = "post-copy failed",
};

static const char *const shutdown_reasons[] = {
    [VIR_DOMAIN_SHUTDOWN_UNKNOWN] = "unknown",
    [VIR_DOMAIN_SHUTDOWN_USER] = "user",
};

static const char *const shutoff_reasons[] = {
    [VIR_DOMAIN_SHUTOFF_UNKNOWN] = "unknown",
    [VIR_DOMAIN_SHUTOFF_SHUTDOWN] = "shutdown",
    [VIR_DOMAIN_SHUTOFF_DESTROYED] = "destroyed",
    [VIR_DOMAIN_SHUTOFF_CRASHED] = "crashed",
    [VIR_DOMAIN_SHUTOFF_MIGRATED] = "migrated",
    [VIR_DOMAIN_SHUTOFF_SAVED] = "saved",
    [VIR_DOMAIN_SHUTOFF_FAILED] = "failed",
    [VIR_DOMAIN_SHUTOFF_FROM_SNAPSHOT] = "from snapshot",
    [VIR_DOMAIN_SHUTOFF_DAEMON] = "daemon",
};

static const char *const crashed_reasons[] = {
    [VIR_DOMAIN_CRASHED_UNKNOWN] = "unknown",
    [VIR_DOMAIN_CRASHED_PANICKED] = "panicked",
};

static const char *const no_reasons[] = {"unknown"};

#define REASONS(table) table, ARRAY_LEN(table)

static const struct {
    const char *name;
    bool active;
    const char *const *reasons;
    size_t n_reasons;
} states[] = {
    [VIR_DOMAIN_NOSTATE] = {"no state", false, REASONS(no_reasons)},
    [VIR_DOMAIN_RUNNING] = {"running", true, REASONS(running_reasons)},
    [VIR_DOMAIN_BLOCKED] = {"idle", true, REASONS(no_reasons)},
    [VIR_DOMAIN_PAUSED] = {"paused", true, REASONS(paused_reasons)},
    [VIR_DOMAIN_SHUTDOWN] = {"in shutdown", true, REASONS(shutdown_reasons)},
    [VIR_DOMAIN_SHUTOFF] = {"shut off", false, REASONS(shutoff_reasons)},
    // Only a domain that on_crash preserves is CRASHED, and its process stays.
    [VIR_DOMAIN_CRASHED] = {"crashed", true, REASONS(crashed_reasons)},
    [VIR_DOMAIN_PMSUSPENDED] = {"pmsuspended", true, REASONS(no_reasons)},
};

const char *virt_state_name(int state)
{
    return state >= 0 && (size_t)state < ARRAY_LEN(states) ? states[state].name : "unknown";
}

const char *virt_reason_name(int state, int reason)
{
    if (state < 0 || (size_t)state >= ARRAY_LEN(states))
        return "unknown";
    bool known = reason >= 0 && (size_t)reason < states[state].n_reasons;
    return known ? states[state].reasons[reason] : "unknown";
}

bool virt_state_is_active(int state)
{
    return state >= 0 && (size_t)state < ARRAY_LEN(states) && states[state].active;
}
