// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef RULE_CACHE_H
#define RULE_CACHE_H

// A source before another that remembers what it was asked, for as long as one evaluation of a
// group lasts: rules of a group ask for the same series at the same time.

#include "model/query.h"

struct cache;

// `base` outlives it.
struct cache *cache_new(struct query_source *base);
// No set of it may be left.
void cache_free(struct cache *c);
struct query_source *cache_source(struct cache *c);

// Something was written: what is remembered may be old.
void cache_forget(struct cache *c);

#endif
