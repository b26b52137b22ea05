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

// Keep the log for a remote from its place on before it has asked for it, until then at the latest
// (monotonic time); store_flow_let_go() is to be called now and then.
void store_flow_keep(struct store_flow *f, const char *name, const struct samples_position *place,
                     int64_t until_ns);
void store_flow_let_go(struct store_flow *f, int64_t now_ns);

// Whether an import may bring a sample of that time: 0 or -ERANGE.
int store_flow_may_import(const struct store_flow *f, int64_t t_ms);

// A sample of an import, of any age; as flow_sink's append().
int store_flow_import(struct store_flow *f, const struct label *label, size_t n, int64_t t_ms,
                      double v);

extern const struct flow_sink store_flow_sink;
extern const struct flow_source store_flow_source;

#endif
