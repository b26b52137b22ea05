// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef PLACE_BITBRAINS_H
#define PLACE_BITBRAINS_H

/*
 * Reader of the traces of business VMs that Bitbrains gave to the Grid Workloads Archive
 * (GWA-T-12): a CSV per VM and month, a heading line, then fields separated by ";" and blanks: time
 * (s), cores, CPU capacity (MHz), CPU used (MHz), CPU (%), memory capacity (KB), memory used (KB),
 * and rates of disk and network.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define BITBRAINS_SAMPLES_MAX 10000000

/** Samples in order of time, one array each. */
struct bitbrains {
    int64_t *t_s;
    double *cpus;         /**< used, in CPUs of the VM's own speed */
    double *memory_bytes; /**< used */
    size_t n, cap;
    int vcpus; /**< provisioned, as last seen above 0 */
    int64_t provisioned_bytes;
};

/**
 * Append a file's samples (further months may follow; time must go on). Lines that provision no CPU
 * are of a VM that is off and are left out. 0, -EINVAL with line and column, -E2BIG; what was read
 * before the error stays.
 */
int bitbrains_read(const char *name, const char *text, size_t len, struct bitbrains *b,
                   struct err *err);

void bitbrains_done(struct bitbrains *b);

#endif
