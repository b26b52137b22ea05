// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef VIRT_HOST_DEVICES_H
#define VIRT_HOST_DEVICES_H

#include <stddef.h>

#include "host_turn.h"
#include "model/batch.h"

/** NUMA nodes, their huge pages, and whole disks. */
struct devices {
    int root; /**< borrowed; holds sys/ */
    struct turns nodes_turn, hugepages_turn;
    bool rescanned;     /**< read all again */
    int64_t detail_ns;  /**< between turns */
    struct node *nodes; /**< owned, as all lists here */
    size_t n_nodes, cap_nodes;
    struct hugepage *hugepages;
    size_t n_hugepages, cap_hugepages;
    struct disk *disks; /**< whole ones that have a size */
    size_t n_disks, cap_disks;
    int disks_error; /**< of listing them, 0 or -errno */
};

void devices_init(struct devices *all, int root, int64_t detail_ns);

/** List them anew. */
void devices_scan(struct devices *all);

/** Disks each time, nodes and huge pages at their turn; `buf` is scratch space. */
void devices_sample(struct devices *all, int64_t mono_ns, char *buf, size_t size, struct batch *b);

void devices_done(struct devices *all);

#endif
