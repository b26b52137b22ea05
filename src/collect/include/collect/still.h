// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef COLLECT_STILL_H
#define COLLECT_STILL_H

/*
 * Can a VM's disks have done something since they were last read? Judged by what its process has
 * moved since (struct host_io). Pure; docs/sampling.md says what is beyond it.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "model/herd.h"
#include "virt/host.h"

/** What was seen just before the disks were last read. Zeroed memory is a valid one: nothing. */
struct still {
    bool has_io;
    bool was_quiet; /**< nothing had moved since the reading before that */
    struct host_io io;
    int64_t mono_ns;
    double calls_per_s; /**< between these two readings, where nothing moved */
};

/**
 * True where figures `io` of now show that no request has been served since. It takes two readings
 * with nothing between them: a request may be served before the first, and be counted by the
 * hypervisor after it.
 */
bool still_rests(const struct still *before, const struct host_io *io, int64_t mono_ns);

/**
 * Do a disk's requests show in struct host_io? Those of files and block devices do that QEMU serves
 * through calls, or natively where the storage is a block device for certain, if that is so of all
 * images that its own stands on. With io_uring they do not where the page cache holds what is read;
 * of a network's disk, one served by another process, or SCSI commands that are passed through,
 * nothing shows. One with a write threshold armed is to be read too: it may be passed.
 */
bool still_sees(const struct object *disk);

/** The disks are read; `io` was seen just before (NULL: it could not be). */
void still_step(struct still *s, const struct host_io *io, int64_t mono_ns);

#endif
