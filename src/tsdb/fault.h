// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef TSDB_FAULT_H
#define TSDB_FAULT_H

/*
 * Mapped files whose disk fails, or that somebody cuts short, would end the process with SIGBUS. A
 * guarded mapping reads as zeros there instead, and says so.
 */

#include <stdbool.h>
#include <stddef.h>

/** More mappings than the kernel gives a process (vm.max_map_count) by default. */
#define FAULT_GUARDS_MAX 65536

/** Takes SIGBUS for guarded mappings, once; what is not of them goes on as before. Any thread. */
void fault_init(void);

/** Guard a mapping; its number, or -1: there are too many, it is not guarded. Any thread. */
int fault_guard(const void *data, size_t size);

/** Before it is unmapped. Any thread; -1 is fine. */
void fault_release(int guard);

/** Unmap the pages of all guarded mappings, which are found in the page cache again. Any thread. */
void fault_let_go(void);

/** Whether any of it could not be read: what was read of it since may be wrong. */
bool fault_is_hit(int guard);

#endif
