// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef TSDB_MERGE_H
#define TSDB_MERGE_H

#include "store.h"

struct merge_order {
    struct block_meta meta; /**< of the result: resolution, window, level, deletions */
    bool with_rollups;      /**< make 1 m and 1 h of the same window too */
};

/**
 * Merge blocks of one resolution into one, leaving out what is deleted. What comes of it (nothing,
 * one block, or three with roll-ups) is opened into `made`. -ECANCELED when the store is closing;
 * -EBADMSG: *ret_bad is damaged; -errno. On failure no file is left.
 */
int merge_blocks(struct tsdb *db, const struct view *v, struct block *const *input, size_t n,
                 const struct merge_order *order, struct block **made, size_t *ret_made,
                 struct block **ret_bad);

#endif
