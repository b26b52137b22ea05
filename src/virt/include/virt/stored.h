// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef VIRT_STORED_H
#define VIRT_STORED_H

/*
 * What libvirt keeps of a VM besides its statistics, out of definitions and image headers. No call
 * here reaches a hypervisor process.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "model/batch.h"

/** Longest chain of images that is followed. */
#define VIRT_CHAIN_DEPTH_MAX 256

/** Longest list of differences, in bytes. */
#define VIRT_DIFFERENCES_MAX 1024

/**
 * Read two definitions of a domain into facts of LANE_STORED. `now` is the definition in force;
 * `stored` the one of the next start, NULL where there is no other (the VM is off or transient).
 *
 * Of each disk CHAIN_DEPTH: as the document of a running VM says (<backingStore>), of one that is
 * off as the headers of its images do; absent where neither tells. CONFIG_DIFFERS and DIFFERENCES
 * say what a restart would change: fields are compared as typed values, in both documents' own
 * words for the same thing; what exists in a running VM only (aliases, addresses, ports, labels,
 * expanded CPU models, chains) is no difference. Absent where `stored` is NULL.
 *
 * Documents are capped (4 MiB), bounded in depth, and may have no DTD. 0 or -EINVAL.
 */
int virt_stored_read(const char *now, const char *stored, struct batch *out, struct err *err);

/** Whether a definition's document is of a running VM: its root has an id. No XML is parsed. */
bool virt_stored_is_running(const char *xml);

/**
 * How many images are below the image at `path`, as headers say (docs/interop/qcow2.rst of QEMU).
 * Only regular files are opened, and of each at most VIRT_QCOW2_HEAD bytes are read. Blocks as
 * long as the file system does. -ENOTSUP: a backing image that is no file; -ELOOP: longer than
 * VIRT_CHAIN_DEPTH_MAX; -EINVAL: no such header; or another -errno.
 */
int virt_chain_depth(const char *path, struct err *err);

#endif
