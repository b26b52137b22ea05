// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef VIRT_MEMORY_PRIV_H
#define VIRT_MEMORY_PRIV_H

/*
 * The in-memory hypervisor's state, shared by its two faces: memory_ops.c (libvirt's side) and
 * memory_host.c (the kernel's side). Layer: private to src/virt.
 */

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/map.h"
#include "virt/manage.h"
#include "virt/memory.h"

#define MEMORY_DEVICES_MAX 32
#define MEMORY_VMS_MAX 100000
#define MEMORY_MIB (1024.0 * 1024)

struct memory_device {
    char target[16];
};

struct memory_devices {
    struct memory_device *items;
    size_t n, cap;
};

struct memory_vm {
    struct uuid uuid;
    char *name;
    uint32_t number; /**< counts VMs; the seed of its invented load */
    int state, reason;
    int id; /**< -1 = not running; also makes its PID */
    bool persistent;
    uint8_t vcpus;
    enum memory_fault fault;
    int64_t started_ns;       /**< monotonic */
    int64_t ran_ns, since_ns; /**< run time until since_ns; since then it runs, where it does */
    struct memory_devices disks, nics;
    struct virt_spec *spec;      /**< owned: what it was defined with; NULL = invented */
    bool saved, autostart, deaf; /**< deaf: its guest follows nothing */
    unsigned live_vcpus;
    uint64_t live_memory_bytes, balloon_bytes;
    struct virt_snapshot *snapshots;
    size_t n_snapshots, cap_snapshots;
    int checkpoints;
    uint32_t merging;  /**< bit n: the overlay of its disk n is being committed */
    bool agentless;    /**< the channel of its guest's agent is closed */
    bool spoiled;      /**< memory of its snapshots cannot be read */
    bool rests;        /**< its disks: */
    double rest_bytes; /**< where they stand */
    bool untold;       // of its disks nothing is told
    uint64_t disk_readings;
};

struct memory_volume {
    char *pool, *name, *format, *backing;
    uint64_t capacity_bytes;
};

/** All of it; one per process. */
struct memory {
    pthread_mutex_t lock;
    pthread_cond_t wake; /**< a fault, a connection or everything changed */
    const struct clock *clock;
    struct memory_vm **vms;
    size_t n, cap;
    struct map *by_uuid; /**< the same VMs; NULL while there are none */
    struct virt *connections;
    uint32_t defined, started; /**< counters for numbers and ids */
    uint32_t taps;
    uint8_t vcpus, disks, nics; /**< of VMs defined from now on */
    bool populated;
    int open_errno; /**< 0 = libvirt is up */
    size_t stuck;
    struct memory_volume *volumes;
    size_t n_volumes, cap_volumes;
    uint64_t pool_bytes;         /**< room in the pool "default"; 0 = no end */
    bool has_spare, spare_hangs; /**< a second pool */
    uint64_t changes;            /**< calls that changed something */
};

/** A connection; in memory.connections until closed or reset. */
struct virt {
    int refs;
    struct virt *next;
    struct virt_listener listener;
    bool events;
    bool read_write;
    bool dead;
};

/** Lock and get the state; memory_leave() unlocks. */
struct memory *memory_enter(void);
void memory_leave(struct memory *m);

static inline void memory_leavep(struct memory **m)
{
    memory_leave(*m);
}

/** All of these are called between enter and leave. */
int64_t memory_now(const struct memory *m);
struct memory_vm *memory_find(const struct memory *m, const struct uuid *uuid);
int memory_create(struct memory *m, const char *name, struct memory_vm **ret);
void memory_boot(struct memory *m, struct memory_vm *vm);
struct memory_vm *memory_find_name(const struct memory *m, const char *name);
/** Frees what the management calls hang on a VM, and the volumes. */
void memory_manage_drop(struct memory_vm *vm);
void memory_volumes_drop(struct memory *m);

/** See virt/manage.h; a thread of its own echoes. */
int memory_console(struct virt *v, const struct uuid *uuid, bool force, int *ret_fd,
                   struct err *err);

/** See virt/virt.h. */
int memory_stored(struct virt *v, const struct uuid *uuid, int known, bool persistent,
                  struct batch *out, struct err *err);

/** Start threads that make and remove so many VMs, each one after the other; 0 or -errno. */
int memory_churn(uint64_t rounds, uint64_t threads);

/** Nanoseconds the guest has run since its start, not counting stops. */
int64_t memory_ran_ns(const struct memory *m, const struct memory_vm *vm);

/** Its part of a CPU, the same for ever: 0.05 to 0.95. */
double memory_load(const struct memory_vm *vm);

/** Bytes that a NIC has received as the guest sees it, and bytes read by one disk. */
double memory_nic_bytes(const struct memory *m, const struct memory_vm *vm);
double memory_disk_bytes(const struct memory *m, const struct memory_vm *vm);

/** Its memory, and the part of it that the guest uses. */
double memory_size_bytes(const struct memory_vm *vm);
double memory_used_bytes(const struct memory *m, const struct memory_vm *vm);

#endif
