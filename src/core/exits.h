// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef CORE_EXITS_H
#define CORE_EXITS_H

// Ends of hypervisor processes, heard of from the kernel at once: libvirt tells of a crash only
// when the process has been reaped and cleaned up after, which takes its time on a busy host. The
// loop's.

struct core;
struct exits;
struct vm;

struct exits *exits_new(struct core *c);
// The loop runs on until all is closed.
void exits_free(struct exits *e);

// A VM's process is known; watched until its end, or until it has another.
void exits_watch(struct exits *e, const struct vm *vm, int pid);

#endif
