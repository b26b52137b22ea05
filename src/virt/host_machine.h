// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef VIRT_HOST_MACHINE_H
#define VIRT_HOST_MACHINE_H

#include <stddef.h>
#include <stdint.h>

#include "model/batch.h"

/** The host's own sources: CPUs, memory, NUMA nodes, huge pages, KSM, pressure, disks. */
struct machine;

/**
 * `root` (borrowed) holds proc/ and sys/; detail_ns: between turns (host_turn.h). The caller owns
 * the result.
 */
struct machine *machine_new(int root, int64_t detail_ns);
void machine_free(struct machine *m);

/** Look for nodes, huge page sizes and disks that came or went. */
void machine_scan(struct machine *m);

/** All facts of LANE_HOST but interfaces and kernel messages; `buf` is scratch space. */
void machine_sample(struct machine *m, char *buf, size_t size, struct batch *b);

/** When the host booted, in seconds of Unix time; NaN where it is unknown. */
double machine_boot_time(struct machine *m, char *buf, size_t size);

#endif
