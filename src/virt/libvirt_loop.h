// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef VIRT_LIBVIRT_LOOP_H
#define VIRT_LIBVIRT_LOOP_H

/**
 * Register an event loop of our own with libvirt and run it on a thread, once per process and for
 * good; before any connection is opened. Returns 0 or -errno.
 */
int virt_loop_start(void);

#endif
