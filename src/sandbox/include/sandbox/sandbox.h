// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef SANDBOX_SANDBOX_H
#define SANDBOX_SANDBOX_H

/*
 * How a process gives up what it does not need, once and for good. What is open stays usable;
 * afterwards no file can be opened, no program run, no socket made, no process started.
 */

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

/** Files and directories that may be read besides the resolver's; NULL-ended. */
struct sandbox_network {
    const char *const *read_paths;
};

struct sandbox_plan {
    const char
        *user;    /**< to become where root started us; "" = "vherd" if it exists, else nobody */
    bool seccomp; /**< false only for debuggers */
    /**
     * For a process that goes out: connections may be made, names looked up (which takes a thread
     * and the resolver's files), and what lies at or below these paths read. No socket listens, no
     * file is written, no program run. NULL: none of that.
     */
    const struct sandbox_network *network;
};

/**
 * Enter the sandbox: another user without groups (as root), no capabilities, no_new_privs, limits,
 * Landlock without a single rule, a seccomp allow-list that kills. To be called by a process with
 * one thread, before it reads a byte from the network. `words` gets what is in force ("user
 * nobody, no capabilities, seccomp, landlock ABI 3"). On failure the process must end.
 */
int sandbox_enter(const struct sandbox_plan *plan, struct buf *words, struct err *err);

/** What a process that acts on a hypervisor may go on doing. */
struct sandbox_acting {
    bool seccomp;  /**< false only for debuggers */
    bool programs; /**< run programs: libvirt's client starts ssh, or a daemon of one's own */
    bool network;  /**< make sockets other than Unix ones */
    /**
     * With Landlock: what lies at or below these paths may be read, and plain files at or below
     * those kept (NULL-ended, missing ones are passed over), besides what the C library, its name
     * services, time zones and libvirt's client read. Both NULL: files can be opened as before.
     * Not used where programs or the network are needed, as those bring files of their own.
     */
    const char *const *read_paths, *const *write_paths;
};

/**
 * Give up capabilities and new privileges, and have the kernel refuse (EPERM) what such a process
 * never needs: other processes' memory, mounts, namespaces, keys, kernel modules, BPF, clocks; and,
 * unless the plan says so, programs, processes and sockets to a network; and with Landlock all
 * files but the plan's. The latter holds for the calling thread and those it makes, so it is
 * -EBUSY where there are others. `words` as above.
 */
int sandbox_enter_acting(const struct sandbox_acting *plan, struct buf *words, struct err *err);

/**
 * For a process that runs programs for one that is in a sandbox: as root it becomes the user of a
 * sandbox_plan, with that user's groups; no capabilities, no new privileges. It may open files, run
 * programs and make sockets as that user may.
 */
int sandbox_enter_as_user(const char *user, struct err *err);

/**
 * Keep the user, give up capabilities, new privileges and the bounding set where that is allowed;
 * for processes that go on opening files. `words` as above.
 */
int sandbox_drop_capabilities(struct buf *words, struct err *err);

#endif
