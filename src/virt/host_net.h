// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef VIRT_HOST_NET_H
#define VIRT_HOST_NET_H

#include <stdbool.h>

#include "model/batch.h"

struct host_net;

/**
 * Counters of all interfaces: through netlink where `real`, else from sys/class/net below `root`
 * (borrowed). Errors and drops that stand still are told at their turns (host_turn.h), detail_ns
 * apart. The caller owns the result.
 */
struct host_net *host_net_new(int root, bool real, int64_t detail_ns);
void host_net_free(struct host_net *n);

/** HNIC facts, the host's way round. */
void host_net_sample(struct host_net *n, struct batch *b);

#endif
