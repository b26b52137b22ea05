// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef CORE_STORE_FLOW_H
#define CORE_STORE_FLOW_H

// The store as the two tables of flow.h; their `arg` is a struct store_flow. Owned by the loop.

#include "flow.h"
#include "tsdb/tsdb.h"

struct store_flow;

// Borrows the store, which outlives it.
struct store_flow *store_flow_new(struct tsdb *db);
void store_flow_free(struct store_flow *f);

extern const struct flow_sink store_flow_sink;
extern const struct flow_source store_flow_source;

#endif
