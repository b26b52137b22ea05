// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef VIRT_HOST_PIDS_H
#define VIRT_HOST_PIDS_H

/* What is known of every process of the machine, so that each is looked at once. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host_parse.h"
#include "host_probe.h"
#include "host_proc.h"

struct seen {
    int32_t pid;
    uint64_t inode; /**< of /proc/PID: another one means another process */
    int64_t young_until_ns;
    int64_t start_ticks;
    char comm[16];
    int32_t works_for; /**< vhost kernel thread: PID of its owner; 0 = none */
    bool looking;      /**< its command line is being read */
    bool daemon;       /**< a libvirt daemon by name */
    bool kernel;
    struct proc *proc; /**< borrowed: the hypervisor process that it is, or NULL */
};

/** Zeroed memory with `env` and `prober` (borrowed) set is a valid empty one. */
struct pids {
    const struct proc_env *env;
    struct prober *prober;
    struct seen *seen, *before; /**< by PID; owned */
    size_t n_seen, cap_seen, n_before, cap_before;
    int64_t full_check_ns;
};

/** A command line that the prober has read. */
struct look {
    struct probe probe; /**< first */
    int32_t pid;
    int64_t start_ticks;
    int dir; /**< /proc/PID; owned */
    struct guest_args args;
};

/**
 * List all processes and look at those that are new: their command lines come back from the prober
 * as struct look. False where proc could not be listed to its end: nothing has changed then.
 */
bool pids_scan(struct pids *p, int64_t mono_ns);

/** What is known of a process, or NULL; valid until the next scan. */
struct seen *pids_find(struct pids *p, int32_t pid);

/** The process whose command line that is, if it is still there and not known by now. */
struct seen *pids_looked(struct pids *p, const struct look *l);

/** Whether a reading that came back from the prober is a struct look. */
bool pids_is_look(const struct probe *probe);

void pids_done(struct pids *p);

#endif
