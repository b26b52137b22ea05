// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef MANAGE_NUMA_H
#define MANAGE_NUMA_H

#include "base/err.h"
#include "virt/manage.h"

#define NUMA_NODES_MAX 128

/** "0-1,3" as node numbers in rising order; how many (at least 1), or -EINVAL. Pure. */
int numa_nodes_parse(const char *text, unsigned nodes[NUMA_NODES_MAX], struct err *err);

/**
 * Where each of `vcpus` vCPUs is pinned so that they are spread over the nodes in blocks: the first
 * ones to all CPUs of the first node, and so on. The caller frees *ret with its texts. -EINVAL: the
 * host (`cells`) lacks a node, or one has no CPUs. Pure.
 */
int numa_pins(const char *nodes, const struct virt_cell *cells, size_t n_cells, unsigned vcpus,
              struct virt_pin **ret, struct err *err);

#endif
