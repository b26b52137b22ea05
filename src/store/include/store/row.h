// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef STORE_ROW_H
#define STORE_ROW_H

/*
 * What statements of every module have in common: one that gives no rows, one that gives one, and
 * values kept as JSON.
 */

#include <jansson.h>

#include "store/store.h"

/** Run a statement that gives no rows. 0 or -errno. */
int store_run(struct store_query *q);

/** Step to the one row: 0, -ENOENT where there is none, or -errno. */
int store_one(struct store_query *q);

/** Bind the next parameter as JSON; NULL is stored as NULL. */
void store_bind_json(struct store_query *q, const json_t *value);

/** A column kept as JSON, which the caller owns; NULL for NULL, or what is none. */
json_t *store_json(struct store_query *q, int column);

#endif
