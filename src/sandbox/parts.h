// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef SANDBOX_PARTS_H
#define SANDBOX_PARTS_H

#include <stdbool.h>

#include "base/err.h"

/**
 * Forbid all file access, TCP bind and connect, and signals to others, as far as the kernel's
 * Landlock knows them. Returns its ABI, 0 where the kernel is without it, or -errno.
 */
int landlock_forbid_all(struct err *err);

/**
 * The same, but what lies at or below `read_paths` (NULL-ended; missing ones are passed over) may
 * be read, and TCP connections made.
 */
int landlock_allow_reading(const char *const *read_paths, struct err *err);

/**
 * Forbid all but reading what lies at or below `read_paths`, and making, changing and removing
 * plain files at or below `write_paths` (both NULL-ended; missing ones are passed over). No program
 * can be run. For the calling thread and those it makes from now on. Returns as above.
 */
int landlock_allow_keeping(const char *const *read_paths, const char *const *write_paths,
                           struct err *err);

/**
 * Load the allow-list; any other call kills the process. `network`: also what making connections,
 * looking up names and reading files take. 0 or -errno.
 */
int seccomp_allow_list(bool network, struct err *err);

/**
 * Have the kernel refuse, with EPERM, what a process that acts on a hypervisor never needs; on all
 * threads. `programs`, `network`: see struct sandbox_acting. 0 or -errno.
 */
int seccomp_refuse_list(bool programs, bool network, struct err *err);

#endif
