// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef VIRT_MEMORY_H
#define VIRT_MEMORY_H

/*
 * The in-memory hypervisor: one per process, shared by virt_memory (all its connections) and
 * host_memory. Thread-safe. Its counters grow with the clock it is given, so that a fake clock
 * makes a fake herd. URI: memory:///?vms=N[&vcpus=N][&disks=N][&nics=N][&churn=N]
 * [&churners=N] (churn: so many VMs are defined, started, stopped and undefined, one after the
 * other by each of the churners, 1 unless said)
 */

#include "base/clock.h"
#include "virt/virt.h"

enum memory_fault {
    MEMORY_FAULT_NONE,
    MEMORY_FAULT_STOPPED, /**< process state T: calls that reach the process never return */
    MEMORY_FAULT_BLOCKED, /**< process state D: the same */
    MEMORY_FAULT_HUNG,    /**< process looks well (S), calls never return */
    MEMORY_FAULT_ERROR,   /**< calls fail at once */
};

/** Forget everything, wake stuck calls (they fail), start again with this clock (borrowed). */
void memory_reset(const struct clock *clock);

/** Define (name, persistent) and start, stop, undefine; events go to the listeners. 0 or -errno. */
int memory_define(const char *name, struct uuid *ret_uuid);
int memory_start(const struct uuid *uuid);
int memory_stop(const struct uuid *uuid, int state, int reason);
int memory_undefine(const struct uuid *uuid);
int memory_rename(const struct uuid *uuid, const char *name);

/** Plug or unplug a disk ("vdb") or a NIC ("vnet7"). 0 or -errno. */
int memory_plug_disk(const struct uuid *uuid, const char *target, bool plugged);
int memory_plug_nic(const struct uuid *uuid, const char *target, bool plugged);

/** Make one VM sick, or well again (wakes its stuck calls, which then succeed late). */
int memory_fault(const struct uuid *uuid, enum memory_fault fault);

/** Drop all connections (`lost` is told); while down, open() fails with `open_errno`. */
void memory_libvirt_down(int open_errno);
void memory_libvirt_up(void);

/** A guest that does not follow a request to shut down, or does again. 0 or -errno. */
int memory_deaf(const struct uuid *uuid, bool deaf);

/** Open or close the channel of its guest's agent. 0 or -errno. */
int memory_channel(const struct uuid *uuid, bool open);

/** Pretend that the VM has so many checkpoints. 0 or -errno. */
int memory_checkpoints(const struct uuid *uuid, int n);

/** The VM's disks stand where they are, or go on from where they would be. 0 or -errno. */
int memory_disks_rest(const struct uuid *uuid, bool rest);

/** Nothing is told of the VM's disks, as of one that another process serves, or is again. */
int memory_disks_untold(const struct uuid *uuid, bool untold);

/** How often the VM's disks were read. */
uint64_t memory_disk_readings(const struct uuid *uuid);

/** Pretend that the memory in the VM's snapshots cannot be read, or can again. 0 or -errno. */
int memory_spoil(const struct uuid *uuid, bool spoiled);

/** Room in the pool "default", where volumes take their full size; 0 = no end. */
void memory_pool_limit(uint64_t bytes);

/**
 * There is a further pool "spare". `hangs`: whoever asks for it or for the list of pools waits
 * until this is called again, as libvirtd lets wait where a pool's storage is gone.
 */
void memory_spare_pool(bool hangs);

/** Calls of virt_memory_manage that changed something, since the last reset. */
uint64_t memory_changes(void);

/** Calls that are stuck now. */
size_t memory_stuck_calls(void);

#endif
