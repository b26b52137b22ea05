// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef SIM_STAGE_H
#define SIM_STAGE_H

/*
 * A simulated data centre behind the tables through which real ones are seen: the collector runs
 * on it unchanged, and all its hosts appear as one herd. One per process, shared by all
 * connections; thread-safe. Simulated time runs with the clock that the first user brings (times
 * `speed`); whoever asks first lets happen what is due.
 *
 * URI: simulate:PATH[?speed=N], PATH being a scenario's file, absolute.
 */

#include <stdbool.h>

#include "virt/host.h"
#include "virt/virt.h"

#define STAGE_SCHEME "simulate:"

/** Whether a URI names a scenario. */
bool stage_is_uri(const char *uri);

/**
 * Read the scenario, build its world and set it up for virt_simulated and host_simulated, which
 * need it; replaces what was there. 0 or -errno with the scenario's error.
 */
int stage_open(const char *uri, const struct clock *clock, struct err *err);

/** Tear it down; connections that are still open find themselves lost. */
void stage_close(void);

/** VMs as libvirt would show them; read-only. Needs stage_open(). */
extern const struct virt_ops virt_simulated;

/** Their processes as the kernel would show them, and one host that is all of them together. */
extern const struct host_ops host_simulated;

#endif
