// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef VIRT_HOST_H
#define VIRT_HOST_H

/*
 * The host's kernel as a table of calls: hypervisor processes, their threads, cgroups, and the
 * machine itself. Used by one thread, the sampler. Nothing here talks to libvirt or QEMU, and
 * nothing waits.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "model/batch.h"

struct host_params {
    const char *root; /**< "/" or a recorded tree with proc/ and sys/ below it */
    const struct clock *clock;
    /**
     * Only follow processes of our own libvirt: those in our mount namespace, or in one of their
     * own; not those in the mount namespace of another libvirt daemon.
     */
    bool own_mount_namespace;
    int64_t detail_ns; /**< between readings of LANE_TURN; 0: HOST_DETAIL_NS */
};

#define HOST_DETAIL_NS (5 * NS_PER_S)

/** Where batches go. */
struct host_sink {
    /** An empty batch to fill; owned by the sink until given back through emit(). Never NULL. */
    struct batch *(*batch)(void *arg);
    /** A filled batch. */
    void (*emit)(struct batch *b, void *arg);
    void *arg;
};

struct host;

/** What a process has moved since its start, threads that ended included: /proc/PID/io. */
struct host_io {
    uint64_t read_chars, read_calls;   /**< through read() and its kin, whatever was read */
    uint64_t write_chars, write_calls; /**< the same of write() */
    uint64_t read_bytes, write_bytes;  /**< from and to storage */
};

struct host_ops {
    const char *name;

    /** Open; the caller owns *ret. Fails only where proc cannot be read at all. */
    int (*open)(const struct host_params *params, struct host **ret, struct err *err);
    void (*close)(struct host *h);

    /**
     * Look for hypervisor processes that came or went; cheap enough for every 10 s and on events.
     * A new one is keyed by PID and start time and carries the UUID of its command line. Processes
     * that are gone are told once as a batch with pid 0 and their process_start.
     */
    void (*scan)(struct host *h, const struct host_sink *sink);

    /**
     * The one-second sample: a batch of LANE_KERNEL for each process (pid, process_start, vCPUs
     * keyed "0", "1", …; attribute VM_PROCESS_STATE; the name of its command line as VM_NAME in
     * the first one; facts of LANE_TURN every few seconds), and one of
     * LANE_HOST for the host (CPUs "0"…, NUMA nodes, huge pages "NODE:BYTES", disks, interfaces as
     * HNIC including taps, the guest's way round NOT applied).
     */
    void (*sample)(struct host *h, int64_t mono_ns, const struct host_sink *sink);

    /**
     * The costly sources for one process in turn (PSS, swap, KVM statistics), LANE_SLOW;
     * call often enough that each has its turn in the slow interval. Returns processes left
     * in this round.
     */
    int (*slow)(struct host *h, int64_t mono_ns, const struct host_sink *sink);

    /**
     * The state letter of a VM's process (0: gone), callable from any thread; NULL where
     * host_process_state() tells it.
     */
    char (*process_state)(const struct uuid *uuid);

    /** The same of host_process_io(): 0 or -errno. NULL beside a process_state(): not known. */
    int (*process_io)(const struct uuid *uuid, struct host_io *ret);
};

/** The real kernel, or a recorded tree. */
extern const struct host_ops host_kernel;

/** Processes of the in-memory hypervisor (virt/memory.h) and an invented host. */
extern const struct host_ops host_memory;

/** The longest pause between two readings of LANE_TURN, where samples are `interval_ns` apart. */
int64_t host_turn_ns(int64_t interval_ns, int64_t detail_ns);

/**
 * The state letter (R, S, D, T, t, Z, X) of a process by PID and start time (field 22 of
 * /proc/PID/stat), 0 where it is gone or cannot be read. Callable from any thread.
 */
char host_process_state(const char *root, int32_t pid, int64_t process_start);

/** What a process has moved; -errno where that cannot be read. Callable from any thread. */
int host_process_io(const char *root, int32_t pid, struct host_io *ret);

/** The same questions, for the in-memory hypervisor; of memory_disks_rest() the second. */
char host_memory_process_state(const struct uuid *uuid);
int host_memory_process_io(const struct uuid *uuid, struct host_io *ret);

#endif
