// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef SANDBOX_PARTS_H
#define SANDBOX_PARTS_H

#include "base/err.h"

/**
 * Forbid all file access, TCP bind and connect, and signals to others, as far as the kernel's
 * Landlock knows them. Returns its ABI, 0 where the kernel is without it, or -errno.
 */
int landlock_forbid_all(struct err *err);

/** Load the allow-list; any other call kills the process. 0 or -errno. */
int seccomp_allow_list(struct err *err);

#endif
