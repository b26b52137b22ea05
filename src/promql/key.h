// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef PROMQL_KEY_H
#define PROMQL_KEY_H

/* Labels reduced to some of them: grouping, and matching of binary operators. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "eval.h"

struct key {
    const char **name; /**< sorted */
    size_t n;
    bool keep; /**< these are kept; else all but these (and the metric name) */
};

struct key key_new(struct query *q, const struct names *names, bool keep);

/** The labels that remain. */
const struct labels *key_labels(struct query *q, const struct key *key, const struct labels *l);

/** Numbers key values 0, 1, … in the order in which they come. */
struct key_table {
    const struct key *key;
    uint32_t *slot; /**< number + 1 */
    size_t cap;
    const struct labels **labels; /**< first that had the number */
    uint64_t *hash;
    size_t n, cap_labels;
};

struct key_table key_table_new(struct query *q, const struct key *key, size_t expected);

/** The number of these labels' key, a new one where it is the first. */
uint32_t key_number(struct query *q, struct key_table *table, const struct labels *l);

#endif
