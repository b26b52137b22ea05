// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef RULE_OVERLAY_H
#define RULE_OVERLAY_H

// A source that shows stored series, and in place of those that rules write what they wrote here:
// the last two stretches of time, which is as far as any selector looks back.

#include <stdbool.h>
#include <stddef.h>

#include "model/query.h"

struct overlay;

// `base` outlives it. Names of metrics that come from here alone are added before the first use.
struct overlay *overlay_new(struct query_source *base);
void overlay_free(struct overlay *o);
void overlay_own(struct overlay *o, const char *metric);
bool overlay_owns(const struct overlay *o, const char *metric);
struct query_source *overlay_source(struct overlay *o);

// Begin another stretch; what came before the one before it is forgotten.
void overlay_turn(struct overlay *o);

// As promql_memory_append().
int overlay_append(struct overlay *o, const struct labels *labels, int64_t t_ms, double v);

#endif
